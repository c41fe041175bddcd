"""A thread that sees when the event loop stands still, and whose code is to blame.

Blocking code cannot be cancelled from outside. The thread asks the loop for a sign of life; when none comes it looks
at the loop's stack: the innermost frame from a plugin's own files names the plugin. That costs calls nothing and
also covers page handlers and tasks, which no hook call surrounds.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import weakref
from collections import Counter
from types import FrameType
from typing import Protocol

from parvis.plugins.calls import Limits

log = logging.getLogger("parvis.plugins")


class Watched(Protocol):
    """What the thread tells of: the registry of plugins."""

    def owner_of(self, filename: str) -> str | None:
        """Return the plugin that a source file belongs to."""

    def blocked(self, plugin: str | None, what: str, seconds: float) -> None:
        """Hear, in the loop, that it was blocked and by whom."""

    def end(self, plugin: str | None, what: str, seconds: float) -> None:
        """Hear, in the thread, that the loop does not come back: leave a mark and end the process."""


class Watchdog:
    """Watches one event loop for a registry, until it is stopped, the loop is closed or the registry is gone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, watched: Watched, limits: Limits) -> None:
        self._loop = loop
        self._watched = weakref.ref(watched)
        self._limits = limits
        self._thread_id = threading.get_ident()
        self._alive = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="parvis-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        self._stopped.set()
        self._alive.set()
        if threading.get_ident() != self._thread.ident:
            self._thread.join()

    def _watch(self) -> None:
        # Four looks within the shortest limit: enough to name the one who blocks, nearly nothing when idle.
        pause = self._limits.slow / 2
        while not self._stopped.wait(pause):
            if self._watched() is None:
                return
            self._alive.clear()
            try:
                self._loop.call_soon_threadsafe(self._alive.set)
            except RuntimeError:
                return
            if not self._alive.wait(pause):
                self._follow(pause)

    def _follow(self, pause: float) -> None:
        """Look at the blocked loop again and again until it is back, then tell; past the last limit, end it."""
        blamed: Counter[tuple[str, str]] = Counter()
        looks, spent, ended = 0, pause, False
        plugin: str | None = None
        what = ""
        step = self._limits.slow / 8
        while not self._stopped.is_set():
            watched = self._watched()
            if watched is None:
                return
            looks += 1
            blamed.update([found] if (found := self._who(watched)) else [])
            plugin, what = _main(blamed, looks)
            if spent >= self._limits.end and not ended:
                ended = True
                watched.end(plugin, what, spent)
            del watched
            start = time.monotonic()
            back = self._alive.wait(step)
            # A stopped machine or process is nobody's fault: no more than twice the pause is counted.
            spent += min(time.monotonic() - start, 2 * step)
            if back:
                break
        self._tell(plugin, what, spent)

    def _tell(self, plugin: str | None, what: str, spent: float) -> None:
        watched = self._watched()
        if watched is None or self._stopped.is_set() or spent < self._limits.slow:
            return
        try:
            self._loop.call_soon_threadsafe(watched.blocked, plugin, what, spent)
        except RuntimeError:
            log.info("the loop was closed after it was blocked for %.1f s", spent)

    def _who(self, watched: Watched) -> tuple[str, str] | None:
        """Return the plugin whose code the loop's thread is in, and where."""
        frame: FrameType | None = sys._current_frames().get(self._thread_id)
        while frame is not None:
            plugin = watched.owner_of(frame.f_code.co_filename)
            if plugin is not None:
                return plugin, frame.f_code.co_name
            frame = frame.f_back
        return None


def _main(blamed: Counter[tuple[str, str]], looks: int) -> tuple[str | None, str]:
    """Return who was seen at more than half of the looks, with the place seen most often."""
    plugins = Counter[str]()
    for (plugin, _), count in blamed.items():
        plugins[plugin] += count
    for plugin, count in plugins.most_common(1):
        if 2 * count > looks:
            places = Counter({what: n for (owner, what), n in blamed.items() if owner == plugin})
            return plugin, places.most_common(1)[0][0]
    return None, "the core"
