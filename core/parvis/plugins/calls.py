"""Calls into plugins: timed, limited, isolated and counted, so that none takes the others down."""

from __future__ import annotations

import asyncio
import logging
import time
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from parvis.plugins.reasons import Reason, told

log = logging.getLogger("parvis.plugins")

current_plugin: ContextVar[str] = ContextVar("parvis_plugin", default="core")
"""The plugin whose code runs in this task; "core" outside of all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long plugins may take, in seconds, and how often they may fail before they are suspended."""

    ask: float = 1.0
    fragment: float = 0.3
    tell: float = 30.0
    errors: int = 20
    within: float = 60.0
    slow: float = 0.5
    suspend: float = 3.0
    end: float = 20.0
    retries: tuple[float, ...] = (0.2, 1.0)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a plugin gave no answer: it raised an error, or took longer than its limit."""

    kind: Literal["error", "timeout"]
    message: str


class Answer:
    """One plugin's answer; `value` is None when it `failed`, and `failure` then tells why."""

    __slots__ = ("failure", "plugin", "value")

    def __init__(self, plugin: str, value: Any = None, failure: Failure | None = None) -> None:
        self.plugin = plugin
        self.value = value
        self.failure = failure

    @property
    def failed(self) -> bool:
        """Whether the plugin gave no answer; what that means is the asker's rule."""
        return self.failure is not None

    def __repr__(self) -> str:
        return f"Answer({self.plugin!r}, {self.failure or self.value!r})"


@dataclass(slots=True)
class Counter:
    """What the calls of one plugin for one purpose cost so far; times in seconds."""

    calls: int = 0
    errors: int = 0
    total: float = 0.0
    slowest: float = 0.0
    last_error: str = ""


class Calls:
    """Runs plugins' coroutines; tells `on_budget(plugin, reason)` when one fails too often."""

    def __init__(self, limits: Limits, on_budget: Callable[[str, Reason], None]) -> None:
        self.limits = limits
        self.counters: dict[tuple[str, str], Counter] = {}
        self._on_budget = on_budget
        self._failed: dict[str, deque[float]] = {}

    async def run(
        self, plugin: str, what: str, function: Callable[..., Awaitable[Any]], args: Any, limit: float | None
    ) -> Answer:
        """Call and await a plugin's function; whatever it does, an Answer comes back within the limit.

        Only the cancellation of the caller's own task passes through.
        """
        counter = self.counters.get((plugin, what))
        if counter is None:
            counter = self.counters[plugin, what] = Counter()
        token = current_plugin.set(plugin)
        start = time.perf_counter()
        answer = Answer(plugin)
        try:
            answer.value = await _limited(function(*args), limit)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._failure(answer, what, counter, Failure("error", "it cancelled itself"))
        except _Late:
            self._failure(answer, what, counter, Failure("timeout", f"no answer within {limit:g} s"))
        except (Exception, SystemExit) as error:
            self._failure(answer, what, counter, Failure("error", told(error)), error)
        finally:
            spent = time.perf_counter() - start
            current_plugin.reset(token)
            counter.calls += 1
            counter.total += spent
            if spent > counter.slowest:
                counter.slowest = spent
        return answer

    def _failure(
        self,
        answer: Answer,
        what: str,
        counter: Counter,
        failure: Failure,
        error: BaseException | None = None,
    ) -> None:
        answer.failure = failure
        counter.errors += 1
        counter.last_error = failure.message
        log.error("plugin %s failed in %s: %s", answer.plugin, what, failure.message, exc_info=error)
        self._spend(answer.plugin, what, failure)

    def _spend(self, plugin: str, what: str, failure: Failure) -> None:
        """Count an error against the plugin's budget."""
        failed = self._failed.get(plugin)
        if failed is None:
            failed = self._failed[plugin] = deque(maxlen=self.limits.errors)
        now = time.monotonic()
        failed.append(now)
        if len(failed) == self.limits.errors and now - failed[0] <= self.limits.within:
            failed.clear()
            details = {"count": self.limits.errors, "seconds": f"{self.limits.within:g}"}
            self._on_budget(plugin, Reason("errors", {**details, "what": what, "error": failure.message}))

    def blocked(self, plugin: str, what: str, seconds: float) -> None:
        """Count that a plugin's code kept the whole loop waiting; a coroutine cannot be counted while it does."""
        counter = self.counters.setdefault((plugin, f"blocking: {what}"), Counter())
        counter.calls += 1
        counter.errors += 1
        counter.total += seconds
        counter.slowest = max(counter.slowest, seconds)

    def of(self, plugin: str) -> dict[str, Counter]:
        """Return what was counted for one plugin, by purpose."""
        return {what: counter for (owner, what), counter in sorted(self.counters.items()) if owner == plugin}

    def forgive(self, plugin: str) -> None:
        """Forget the errors counted against a plugin, when it is switched on again."""
        self._failed.pop(plugin, None)


class _Late(Exception):
    """The limit passed; distinct from a TimeoutError that the plugin raised itself."""


async def _limited(work: Any, limit: float | None) -> Any:
    """Await a plugin's answer for at most `limit` seconds.

    The first step runs without a timer, which costs more than most answers: those who wait for nothing are done then.
    """
    if limit is None or not isinstance(work, Coroutine):
        return await work
    try:
        waited = work.send(None)
    except StopIteration as done:
        return done.value
    scope = asyncio.timeout(limit)
    try:
        async with scope:
            return await _rest(work, waited)
    except TimeoutError:
        if scope.expired():
            raise _Late from None
        raise


@types.coroutine
def _rest(work: Coroutine[Any, Any, Any], waited: Any) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that has begun to wait, passing on what it waits for and what comes of it."""
    try:
        while True:
            try:
                sent = yield waited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                waited = work.throw(error)
            else:
                waited = work.send(sent)
    except StopIteration as done:
        return done.value
