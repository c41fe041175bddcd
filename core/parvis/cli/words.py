"""Words of the program that people read on the command line: states, roles, and what `doctor` looks at."""

from __future__ import annotations

from parvis.cli.say import told
from parvis.config import Phrase as _l  # noqa: N813

# JSON keeps the words themselves; they are addresses for programs.
_WORDS = {
    # The states of a plugin.
    "installed": _l("installed"),
    "enabled": _l("enabled"),
    "disabled": _l("disabled"),
    "suspended": _l("suspended"),
    "quarantined": _l("quarantined"),
    "removed": _l("removed"),
    # The roles of the site, and the state of a member.
    "administrator": _l("administrator"),
    "moderator": _l("moderator"),
    "member": _l("member"),
    "guest": _l("guest"),
    "active": _l("active"),
    # What `doctor` looks at.
    "configuration": _l("configuration"),
    "secrets": _l("secrets"),
    "site": _l("site"),
    "server": _l("server"),
    "clock": _l("clock"),
    "files": _l("files"),
    "disk": _l("disk"),
    "limits": _l("limits"),
    "database": _l("database"),
    "migrations": _l("migrations"),
    "audit": _l("audit"),
    "members": _l("members"),
    "plugins": _l("plugins"),
    "plugin": _l("plugin"),
}


def word(name: str) -> str:
    """Return a word in the terminal's language; "plugin feeds" keeps the name that stands behind it."""
    first, _, rest = name.partition(" ")
    return " ".join(part for part in (told(_WORDS.get(first, first)), rest) if part)
