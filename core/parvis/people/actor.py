"""Who is acting: a member through a session or a token, a job on behalf of one, the system, or nobody."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Via = Literal["session", "token", "job", "system", ""]
SITE_ROLES = ("administrator", "moderator", "member", "guest")
"""The roles of the site, the most trusted first."""


class _NoMemo(dict[str, Any]):
    """Keeps nothing: NOBODY and SYSTEM live as long as the process, while a memo is true for one request."""

    def __setitem__(self, key: str, value: Any) -> None:
        return


class Actor(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Who asks or writes, made anew for each request.

    `role` is a site role, "system", or "" for nobody. `language` and `time_zone` are None where the member
    follows the site. `scopes` narrows what a token may do; None means all the member may. `secret` is the
    session's own, behind form tokens. `standing` counts the changes of places in spaces and groups (see
    parvis.people.standing); None where it was not read. `memo` keeps what was computed during one request.
    """

    member: int | None = None
    name: str = ""
    handle: str = ""
    email: str = ""
    role: str = ""
    language: str | None = None
    time_zone: str | None = None
    theme: str = "auto"
    shortcuts: bool = True
    version: int = 0
    standing: int | None = None
    groups: frozenset[int] = frozenset()
    scopes: frozenset[str] | None = None
    via: Via = ""
    session: int | None = None
    secret: str = ""
    memo: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def is_member(self) -> bool:
        """Whether this is a signed-in person of any role."""
        return self.member is not None

    @property
    def is_administrator(self) -> bool:
        """Whether this is an administrator of the site."""
        return self.role == "administrator"

    @property
    def is_guest(self) -> bool:
        """Whether this is a guest, who sees only the spaces he was added to."""
        return self.role == "guest"

    @property
    def is_system(self) -> bool:
        """Whether the program itself acts: the command line, jobs of the core."""
        return self.role == "system"

    @property
    def sees_everyone(self) -> bool:
        """Whether what is for everyone is for this actor: members who are no guests, and the system."""
        return self.is_system or (self.member is not None and self.role != "guest")


NOBODY = Actor(memo=_NoMemo())
"""Nobody signed in."""

SYSTEM = Actor(role="system", via="system", name="Parvis", memo=_NoMemo())
"""The program itself."""
