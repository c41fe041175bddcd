"""Which plugins are installed: read from package metadata, without importing any of their code."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from types import ModuleType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from parvis import __version__
from parvis.plugins.reasons import Fault

log = logging.getLogger("parvis.plugins")

GROUP = "parvis.plugins"
CORE = "parvis-core"
UMBRELLA = "parvis"

# Words that begin the core's own addresses, permissions and tables: a plugin of that name would stand on them.
RESERVED = frozenset(
    [
        "admin",
        "api",
        "c",
        "content",
        "core",
        "e",
        "edit",
        "f",
        "feed",
        "file",
        "files",
        "fonts",
        "health",
        "home",
        "join",
        "leave",
        "live",
        "login",
        "logout",
        "manifest",
        "me",
        "member",
        "members",
        "new",
        "original",
        "page",
        "parvis",
        "password",
        "people",
        "preferences",
        "profile",
        "search",
        "settings",
        "sign_in",
        "sign_out",
        "site",
        "space",
        "spaces",
        "static",
        "theme",
        "themes",
    ]
)
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """An installed plugin, known from its package's metadata alone."""

    name: str
    module: str
    target: object | None = None
    distribution: str = ""
    version: str = ""
    summary: str = ""
    core_range: str | None = None
    first_party: bool = False
    given: bool = False

    def load(self) -> object:
        """Import the plugin's module, or return the object that the caller gave."""
        if self.target is not None:
            return self.target
        path, _, attribute = self.module.partition(":")
        found: object = import_module(path)
        for part in attribute.split(".") if attribute else ():
            found = getattr(found, part)
        return found

    def check_manifest(self) -> None:
        """Raise Fault when its name is not usable or it is made for another version of the core."""
        if not _NAME.match(self.name) or self.name in RESERVED:
            raise Fault("bad-name", name=self.name)
        if self.core_range is None:
            if self.given:
                return
            raise Fault("no-range")
        try:
            wanted = SpecifierSet(self.core_range)
        except InvalidSpecifier:
            raise Fault("not-a-range", range=self.core_range) from None
        if not wanted.contains(Version(__version__), prereleases=True):
            raise Fault("range", range=self.core_range, version=__version__)


def discover(group: str = GROUP) -> list[Found]:
    """Return the installed plugins sorted by name; of two packages with one name, the umbrella's is taken."""
    umbrella = _umbrella()
    found: dict[str, Found] = {}
    entries = [_found(entry, umbrella) for entry in metadata.entry_points(group=group)]
    for item in sorted(entries, key=lambda item: (item.name, not item.first_party, item.distribution)):
        first = found.setdefault(item.name, item)
        if first is not item and first.distribution != item.distribution:
            log.error(
                "two packages offer a plugin named %s: %s is used, %s is ignored",
                item.name, first.distribution, item.distribution,
            )  # fmt: skip
    return [found[name] for name in sorted(found)]


def _found(entry: metadata.EntryPoint, umbrella: frozenset[str]) -> Found:
    distribution = entry.dist
    if distribution is None:
        return Found(name=entry.name, module=entry.value)
    name = canonicalize_name(distribution.name)
    return Found(
        name=entry.name,
        module=entry.value,
        distribution=name,
        version=distribution.version,
        summary=distribution.metadata["Summary"] or "" if "Summary" in distribution.metadata else "",
        core_range=core_range(distribution.requires or ()),
        first_party=name in umbrella,
    )


def core_range(requirements: Iterable[str]) -> str | None:
    """Return the range of parvis-core among a package's requirements; None when it names none."""
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if canonicalize_name(requirement.name) == CORE and applies:
            return str(requirement.specifier)
    return None


def _umbrella() -> frozenset[str]:
    """Return the distributions that `parvis` itself brings: what is on in a fresh instance."""
    try:
        requirements = metadata.requires(UMBRELLA) or []
    except metadata.PackageNotFoundError:
        return frozenset()
    return frozenset(canonicalize_name(Requirement(text).name) for text in requirements)


def given(extra: Mapping[str, object] | Iterable[object]) -> list[Found]:
    """Return plugins handed over by the caller: modules, objects, or dotted names that are imported when needed.

    A mapping names them; else a name is taken from `parvis_<name>.plugin` or the last part of the module.
    """
    items = extra.items() if isinstance(extra, Mapping) else ((name_of(item), item) for item in extra)
    return [
        Found(
            name=name,
            module=item if isinstance(item, str) else getattr(item, "__name__", type(item).__name__),
            target=None if isinstance(item, str) else item,
            version=str(getattr(item, "__version__", "")),
            core_range=core_range([str(getattr(item, "requires", ""))]),
            given=True,
        )
        for name, item in items
    ]


def name_of(item: object) -> str:
    """Return the plugin's name that follows from where its code stands."""
    if isinstance(item, str):
        path = item
    elif isinstance(item, ModuleType):
        path = item.__name__
    else:
        return str(getattr(item, "name", type(item).__name__.lower()))
    parts = path.split(".")
    if parts[-1] == "plugin" and len(parts) > 1:
        parts.pop()
    return parts[-1].removeprefix("parvis_")
