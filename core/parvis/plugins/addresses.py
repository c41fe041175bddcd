"""Whose address is it, and whose source file: looked up by first segments, without asking every plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable

from parvis.plugins.declared import Loaded

_SLASHES = re.compile("/{2,}")


class Addresses:
    """The addresses and source files of loaded plugins, made once when they are loaded."""

    def __init__(self, plugins: Iterable[Loaded]) -> None:
        optional = [plugin for plugin in plugins if not plugin.is_default]
        self._names = {plugin.name: plugin.name for plugin in optional}
        self._roots = dict(self._names)
        for plugin in optional:
            for mount in plugin.info.mounts:
                self._roots[mount.strip("/").split("/", 1)[0]] = plugin.name
        self._folders = [
            (source, plugin.name) for plugin in optional if (source := plugin.source) and source.endswith("/")
        ]
        self._files: dict[str, str | None] = {
            source: plugin.name
            for plugin in optional
            if (source := plugin.source) and not source.endswith("/")
        }

    def owner(self, path: str) -> str | None:
        """Return the plugin below whose roots an address stands."""
        if "//" in path:
            path = _SLASHES.sub("/", path)
        parts = path.split("/", 4)
        if len(parts) < 2:
            return None
        found = self._roots.get(parts[1])
        if found is not None or len(parts) < 3:
            return found
        if parts[1] == "admin":
            return self._names.get(parts[2])
        if len(parts) > 3 and (parts[1] == "spaces" or (parts[1] == "api" and parts[2] == "v1")):
            return self._names.get(parts[3])
        return None

    def source(self, filename: str) -> str | None:
        """Return the plugin that a source file belongs to; answers are kept, a stack asks for the same ones."""
        try:
            return self._files[filename]
        except KeyError:
            owner = next((name for folder, name in self._folders if filename.startswith(folder)), None)
            self._files[filename] = owner
            return owner
