"""From installed packages to loaded plugins: import, hooks, declarations; a bad one is left out with its reason."""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from parvis import hookspecs
from parvis.declarations import PluginInfo
from parvis.plugins.calls import current_plugin
from parvis.plugins.checks import WANTED, Checker, check_slots
from parvis.plugins.declared import Impl, Loaded
from parvis.plugins.discovery import Found, name_of
from parvis.plugins.reasons import Fault, Reason, told

log = logging.getLogger("parvis.plugins")

CORE_HOOKS = frozenset(
    name for name, item in vars(hookspecs).items() if getattr(item, "parvis_spec", None) is not None
)


class Assembly:
    """The plugins of a process: those that loaded, in order, and why the others did not."""

    def __init__(self, defaults: Sequence[object], found: Iterable[Found]) -> None:
        self.faults: dict[str, Reason] = {}
        self.plugins: dict[str, Loaded] = {}
        self._manager = pluggy.PluginManager("parvis")
        self._manager.add_hookspecs(hookspecs)
        self._spec_owner = dict.fromkeys(CORE_HOOKS, "core")
        candidates = [_default(module) for module in defaults]
        self._defaults = frozenset(plugin.name for plugin in candidates)
        candidates += [loaded for item in found if (loaded := self._guarded(item.name, _import, item))]
        candidates.sort(key=lambda plugin: (not plugin.is_default, plugin.info.weight, plugin.name))
        candidates = [plugin for plugin in candidates if self._guarded(plugin.name, self._add_specs, plugin)]
        # pluggy calls the last registered first: descending, so that plugins answer in their order.
        for plugin in reversed(candidates):
            if self._guarded(plugin.name, self._register, plugin) is None:
                self._leave_out(plugin)
        checker = Checker()
        for plugin in candidates:
            if plugin.name not in self.faults and self._guarded(plugin.name, self._declare, plugin, checker):
                self.plugins[plugin.name] = plugin
        for name, fault in check_slots(self.plugins.values()).items():
            self._fault(name, fault)

    def knows(self, hook: str) -> bool:
        """Whether the core or a loaded plugin specifies a hook of that name."""
        return hook in self._spec_owner

    def _guarded(self, name: str, step: Any, *args: Any) -> Any:
        """Run one step of loading a plugin; None and a kept reason when it fails. A default's fault is ours."""
        token = current_plugin.set(name)
        try:
            return step(*args)
        except Fault as fault:
            self._fault(name, fault)
        finally:
            current_plugin.reset(token)
        return None

    def _fault(self, name: str, fault: Fault) -> None:
        if name in self._defaults:
            raise fault
        plugin = self.plugins.pop(name, None)
        self.faults.setdefault(name, fault.reason)
        log.error("plugin %s is left out: %s", name, fault.reason, exc_info=fault.__cause__)
        if plugin is not None:
            self._leave_out(plugin)

    def _leave_out(self, plugin: Loaded) -> None:
        if self._manager.is_registered(plugin.module):
            self._manager.unregister(plugin.module)

    def _add_specs(self, plugin: Loaded) -> Loaded:
        """Take the plugin's own hookspecs, which other plugins may fill."""
        register = getattr(plugin.module, "register_hookspecs", None)
        if getattr(register, "parvis_impl", None) is None or register is None:
            return plugin
        specs = _called("register_hookspecs", register)
        names = [name for name in dir(specs) if hasattr(getattr(specs, name), "parvis_spec")]
        for name in names:
            other = self._spec_owner.setdefault(name, plugin.name)
            if other != plugin.name:
                raise Fault("taken", what="the hook", name=name, other=other)
            if not inspect.iscoroutinefunction(getattr(specs, name)):
                raise Fault("not-async", hook=name)
        if not names:
            raise Fault("wrong-kind", hook="register_hookspecs", found=_kind(specs), wanted="hookspecs")
        self._manager.add_hookspecs(specs)
        return plugin

    def _register(self, plugin: Loaded) -> Loaded:
        try:
            self._manager.register(plugin.module, name=plugin.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            lines = str(error).splitlines()
            raise Fault("bad-hook", hook=_hook_of(lines), error=lines[-1]) from None
        for caller in self._manager.get_hookcallers(plugin.module) or ():
            impl = next(item for item in caller.get_hookimpls() if item.plugin is plugin.module)
            if impl.wrapper or impl.hookwrapper:
                raise Fault("wrapper", hook=caller.name)
            if caller.spec is None:
                if impl.optionalhook:
                    continue
                raise Fault("unknown-hook", hook=caller.name, hint=self._hint(caller.name))
            _check_kind(caller.name, caller.spec.function, impl.function)
            plugin.impls[caller.name] = Impl(plugin.name, caller.name, impl.function, tuple(impl.argnames))
        return plugin

    def _hint(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._spec_owner, n=1)
        return f"({near[0]}?)" if near else ""

    def _declare(self, plugin: Loaded, checker: Checker) -> Loaded:
        """Ask the plugin once for everything it declares, and hold it to the rules."""
        for hook, wanted in WANTED.items():
            impl = plugin.impls.get(hook)
            if impl is not None:
                plugin.answers[hook] = _declared(impl, wanted)
        try:
            checker.check(plugin)
        except Fault:
            raise
        except Exception as error:
            # What was declared made a library stumble: a route that Litestar refuses, a name that is no text.
            raise Fault("declare", hook="its declarations", error=told(error)) from error
        return plugin


def _default(module: object) -> Loaded:
    info = getattr(module, "info", None)
    if not isinstance(info, PluginInfo):
        raise Fault("no-info")
    return Loaded(name=name_of(module), module=module, info=info, found=None)


def _import(found: Found) -> Loaded:
    """Import a plugin's code and read its manifest."""
    found.check_manifest()
    try:
        module = found.load()
    except (Exception, SystemExit) as error:
        raise Fault("import", error=told(error)) from error
    info = getattr(module, "info", None)
    if not isinstance(info, PluginInfo):
        raise Fault("no-info")
    return Loaded(name=found.name, module=module, info=info, found=found, folder=_folder(module))


def _folder(module: object) -> Path | None:
    """Return the folder of a plugin's package; None for a plugin of one file, which has no templates."""
    if not isinstance(module, ModuleType) or not module.__file__:
        return None
    return Path(module.__file__).parent if module.__package__ else None


def _called(hook: str, function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except (Exception, SystemExit) as error:
        raise Fault("declare", hook=hook, error=told(error)) from error


def _declared(impl: Impl, wanted: type | None) -> tuple[Any, ...]:
    """Return what a declare hook answered as a tuple of the right kind."""
    answer = _called(impl.hook, impl.function)
    if answer is None:
        return ()
    if isinstance(answer, str | bytes) or not isinstance(answer, Iterable):
        raise Fault("wrong-kind", hook=impl.hook, found=_kind(answer), wanted="a sequence")
    # A generator runs only now.
    values: tuple[Any, ...] = _called(impl.hook, tuple, answer)
    for value in values:
        if wanted is not None and not isinstance(value, wanted):
            raise Fault("wrong-kind", hook=impl.hook, found=_kind(value), wanted=wanted.__name__)
    return values


def _check_kind(hook: str, spec: Any, function: Any) -> None:
    """Raise Fault for a plain function where the core awaits, and the other way round."""
    if inspect.iscoroutinefunction(spec) and not inspect.iscoroutinefunction(function):
        raise Fault("not-async", hook=hook)
    if not inspect.iscoroutinefunction(spec) and inspect.iscoroutinefunction(function):
        raise Fault("not-plain", hook=hook)


def _hook_of(lines: list[str]) -> str:
    """Return the hook that pluggy's message is about."""
    for line in lines:
        if "hook '" in line:
            return line.split("hook '")[1].split("'")[0]
    return "?"


def _kind(value: object) -> str:
    return type(value).__name__
