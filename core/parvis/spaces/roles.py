"""Roles in a space and kinds of spaces."""

from __future__ import annotations

from typing import Literal

SpaceRole = Literal["owner", "moderator", "member", "guest"]
SPACE_ROLES: tuple[SpaceRole, ...] = ("owner", "moderator", "member", "guest")
"""The roles in a space, the most trusted first; site guests are guests there too."""

SpaceKind = Literal["open", "closed", "secret"]
SPACE_KINDS: tuple[SpaceKind, ...] = ("open", "closed", "secret")
