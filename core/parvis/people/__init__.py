"""People: who they are, how they come in, and what they see of each other."""

from parvis.people.access import access_member, visible_among
from parvis.people.actor import NOBODY, SYSTEM, Actor
from parvis.people.cards import person_cards

__all__ = ("NOBODY", "SYSTEM", "Actor", "access_member", "person_cards", "visible_among")
