"""The plugins of one process: discovered, loaded in order, filtered by what is enabled, and asked."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parvis.data import spawn
from parvis.plugins import switching
from parvis.plugins.addresses import Addresses
from parvis.plugins.calls import Answer, Calls, Limits
from parvis.plugins.description import PluginState, describe
from parvis.plugins.discovery import GROUP, Found, discover, given
from parvis.plugins.loading import Assembly
from parvis.plugins.marks import Marks
from parvis.plugins.reasons import Reason, told
from parvis.plugins.starting import assemble, seen
from parvis.plugins.states import QUARANTINED, SUSPENDED
from parvis.plugins.tables import Memory, Plugin, PluginRow
from parvis.plugins.view import Shown
from parvis.plugins.watchdog import Watchdog

if TYPE_CHECKING:
    from parvis.data import Engine

log = logging.getLogger("parvis.plugins")

# Hooks that are told what happened may take their time; filling a demonstration may take as long as it needs.
_TOLD = frozenset({"startup", "on_event"})
_UNLIMITED = frozenset({"seed_demo"})


class PluginRegistry(Shown):
    """Finds, loads, orders, filters, asks and switches plugins; one a process and open site.

    `defaults` are modules of the core's own behaviour, always on. `extra` are plugins besides the installed ones (a
    mapping by name, or modules): on from the start. `group=None` discovers none. `engine=None` keeps states in memory.
    `marks` is a folder where a plugin that had to be stopped with its process is remembered for the next start.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        group: str | None = GROUP,
        defaults: Sequence[object] = (),
        safe_mode: bool | None = None,
        extra: Mapping[str, object] | Iterable[object] = (),
        enable_on_first_start: bool | Collection[str] = True,
        limits: Limits | None = None,
        marks: Path | None = None,
        end_process: Callable[[int], Any] = os._exit,
    ) -> None:
        super().__init__()
        self.engine = engine
        self.limits = limits or Limits()
        self.safe_mode = os.environ.get("PARVIS_SAFE_MODE") == "1" if safe_mode is None else safe_mode
        self.store: type[Plugin] | Memory = Memory() if engine is None else Plugin
        self.found: dict[str, Found] = {}
        self.calls = Calls(self.limits, self._over_budget)
        self.switching = asyncio.Lock()
        self._group = group
        self.defaults = tuple(defaults)
        self._extra = given(extra)
        self._first = enable_on_first_start
        self._marks = Marks.of(engine, marks)
        self._end_process = end_process
        self._assembly = Assembly(self.defaults, ())
        self._set_loaded(self._assembly.plugins)
        self._addresses = Addresses(())
        self._watchdog: Watchdog | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- loading ------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Find and load every plugin that is or was on; those that cannot run are quarantined, the others go on."""
        found = [*(discover(self._group) if self._group else ()), *self._extra]
        self.found = {item.name: item for item in found}
        rows = await self.store.known()
        changes: dict[str, PluginRow] = {}
        if not self.safe_mode:
            changes = seen(found, rows, self._first, self._marks.take())
            self._assembly, self.needs_update = await assemble(self, rows, changes)
        self._set_loaded(self._assembly.plugins)
        self._addresses = Addresses(self.loaded.values())
        version = await self.store.counter()
        if changes:
            written = list(changes.values())
            version, rows = await self.store.change(lambda _: written)
            self._marks.forget()
        self.apply(version, rows)

    async def refresh(self) -> bool:
        """Follow what another process changed; one keyed read when nothing did. Whether something did."""
        version = await self.store.counter()
        if version == self._view.version:
            return False
        self.apply(version, await self.store.known())
        return True

    def watch(self) -> None:
        """Watch the running event loop for blocking code of plugins, until `close`.

        Programs that serve nobody (the command line, filling a demonstration) may block as they like.
        """
        if self._watchdog is None and self.limits.slow > 0:
            self._watchdog = Watchdog(asyncio.get_running_loop(), self, self.limits)

    async def close(self) -> None:
        """Wait for suspensions under way and stop the watchdog."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None

    # -- what is there ------------------------------------------------------------------------------------------

    def plugin_of_path(self, path: str) -> str | None:
        """Return the loaded plugin that an address belongs to, on or off; None for the core's own."""
        return self._addresses.owner(path)

    def owner_of(self, filename: str) -> str | None:
        """Return the plugin whose source file this is."""
        return self._addresses.source(filename)

    async def describe(self) -> list[PluginState]:
        """Return everything an administrator may want to know of each plugin, by name."""
        return await describe(self)

    # -- asking -------------------------------------------------------------------------------------------------

    async def ask_all(self, hook: str, /, **arguments: Any) -> list[Answer]:
        """Ask every enabled plugin that fills the hook, in order; who has no opinion (None) is left out."""
        answers: list[Answer] = []
        for impl in self._impls(hook):
            args = [arguments[name] for name in impl.takes]
            answer = await self.calls.run(impl.plugin, hook, impl.function, args, self.limits.ask)
            if answer.value is not None or answer.failure is not None:
                answers.append(answer)
        return answers

    async def ask_first(self, hook: str, /, **arguments: Any) -> Answer | None:
        """Return the first answer that is not None; a plugin that fails is passed over."""
        for impl in self._impls(hook):
            args = [arguments[name] for name in impl.takes]
            answer = await self.calls.run(impl.plugin, hook, impl.function, args, self.limits.ask)
            if answer.value is not None:
                return answer
        return None

    async def tell(self, hook: str, /, **arguments: Any) -> None:
        """Tell every enabled plugin that fills the hook, in order; failures are logged and counted.

        An event is told again after a failure, as Limits.retries says: those who hear it skip what they did. With
        `startup` a process begins to serve: from then on its loop is watched.
        """
        if hook == "startup":
            self.watch()
        limit = None if hook in _UNLIMITED else self.limits.tell
        retries = self.limits.retries if hook == "on_event" else ()
        for impl in self._impls(hook):
            args = [arguments[name] for name in impl.takes]
            answer = await self.calls.run(impl.plugin, hook, impl.function, args, limit)
            for pause in retries:
                if not answer.failed or impl.plugin not in self.enabled:
                    break
                await asyncio.sleep(pause)
                answer = await self.calls.run(impl.plugin, hook, impl.function, args, limit)

    async def call(
        self,
        plugin: str,
        what: str,
        function: Callable[..., Awaitable[Any]],
        /,
        *args: Any,
        limit: float | None = 0.3,
    ) -> Answer:
        """Call something that a plugin declared (a fragment's load, a filter's values) like a hook of its own."""
        return await self.calls.run(plugin, what, function, args, limit)

    def _impls(self, hook: str) -> Sequence[Any]:
        found = self._view.declared.impls.get(hook)
        if found is None:
            if not self._assembly.knows(hook):
                raise LookupError(f"there is no hook named {hook!r}")
            return ()
        return found

    def prepare_rendering(self, jinja: Any, markdown: Any) -> None:
        """Let loaded plugins add to the templates and to Markdown; one that fails is quarantined."""
        arguments = {"jinja": jinja, "markdown": markdown}
        for name, plugin in self.loaded.items():
            impl = plugin.impls.get("prepare_rendering")
            if impl is None or name not in self.enabled:
                continue
            try:
                impl.function(*(arguments[argument] for argument in impl.takes))
            except (Exception, SystemExit) as error:
                if plugin.is_default:
                    raise
                log.exception("plugin %s failed in prepare_rendering", name)
                self._spawn(
                    switching.stop(
                        self,
                        name,
                        QUARANTINED,
                        Reason("declare", {"hook": "prepare_rendering", "error": told(error)}),
                    )
                )

    # -- switching ----------------------------------------------------------------------------------------------

    async def enable(self, name: str, *, actor: int | None = None) -> bool:
        """Switch a plugin on, after bringing its data up to date; whether the service must be reloaded for it.

        NotFound for a plugin that is not installed; Conflict when its state does not allow it; PluginError when it
        cannot run: it is then quarantined and nothing of its data was changed.
        """
        return await switching.enable(self, name, actor)

    async def migrate(self) -> dict[str, list[str]]:
        """Bring the data of every plugin that is on up to date; return the migrations that ran, by plugin.

        One that fails is quarantined with nothing changed; the others go on.
        """
        return await switching.update(self)

    async def disable(self, name: str, *, actor: int | None = None, confirm: bool = False) -> None:
        """Switch a plugin off; its data is kept.

        Conflict for the core's own, for the last way an administrator can sign in, and, unless `confirm`, for a
        plugin that hides content which would become visible.
        """
        await switching.disable(self, name, actor, confirm)

    def _over_budget(self, plugin: str, reason: Reason) -> None:
        row = self.rows.get(plugin)
        if row is not None and not row.guards:
            self._spawn(switching.stop(self, plugin, SUSPENDED, reason))

    def blocked(self, plugin: str | None, what: str, seconds: float) -> None:
        """Hear from the watchdog that the loop was blocked; who blocks it for long is suspended."""
        log.warning("the event loop was blocked for %.1f s by %s in %s", seconds, plugin or "the core", what)
        if plugin is None:
            return
        self.calls.blocked(plugin, what, seconds)
        if seconds >= self.limits.suspend and plugin in self.rows:
            reason = Reason("blocked", {"seconds": f"{seconds:.1f}", "what": what})
            self._spawn(switching.stop(self, plugin, SUSPENDED, reason))

    def end(self, plugin: str | None, what: str, seconds: float) -> None:
        """Hear from the watchdog's thread that the loop does not come back: remember who, and end the process."""
        log.critical(
            "the event loop has been blocked for %.1f s by %s in %s: this process ends",
            seconds, plugin or "the core", what,
        )  # fmt: skip
        if plugin is not None and plugin in self.rows:
            self._marks.leave(plugin, Reason("blocked", {"seconds": f"{seconds:.1f}", "what": what}))
        self._end_process(70)

    def _spawn(self, work: Any) -> None:
        task = spawn(work) if self.engine is not None else asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the state of a plugin could not be changed", exc_info=error)
