"""Spaces: the places where some people meet, who knows of them, and who may do what there."""

from parvis.spaces.access import (
    access_space,
    access_space_id,
    is_readable,
    my_roles,
    my_spaces,
    visible_spaces,
)
from parvis.spaces.cards import space_cards
from parvis.spaces.decide import allowed, decide, demand

__all__ = (
    "access_space",
    "access_space_id",
    "allowed",
    "decide",
    "demand",
    "is_readable",
    "my_roles",
    "my_spaces",
    "space_cards",
    "visible_spaces",
)
