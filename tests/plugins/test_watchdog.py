"""Code that blocks the event loop cannot be stopped, but it is named, counted and kept from doing it again."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from parvis.plugins import Limits, PluginRegistry, Reason, State
from parvis.plugins.marks import Marks

# Ten times shorter than in service.
SHORT = Limits(slow=0.05, suspend=0.4, end=60, retries=())

BLOCKS = """
import time
@hookimpl
async def decide(actor, permission, subjects):
    wait(float(permission))
    return []
def wait(seconds):
    time.sleep(seconds)
"""


async def ask(registry: PluginRegistry, seconds: float) -> None:
    await registry.ask_all("decide", actor=None, permission=str(seconds), subjects=[])
    # The watchdog tells the loop once it is back.
    await asyncio.sleep(0.1)


async def test_short_blocking_is_counted(
    install: Any, open_registry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    install("bad", BLOCKS)
    registry = await open_registry("bad", limits=SHORT)
    registry.watch()
    await asyncio.sleep(0.1)
    with caplog.at_level(logging.WARNING, "parvis.plugins"):
        await ask(registry, 0.2)
    counter = registry.calls.of("bad")["blocking: wait"]
    assert counter.errors == 1
    assert 0.1 < counter.slowest < 1.0
    assert "by bad in wait" in caplog.text
    assert registry.rows["bad"].state is State.ENABLED


async def test_long_blocking_suspends_as_soon_as_the_loop_is_back(install: Any, open_registry: Any) -> None:
    install("bad", BLOCKS)
    install("good", "@hookimpl\nasync def decide(actor, permission, subjects): return []")
    registry = await open_registry("bad", "good", limits=SHORT)
    registry.watch()
    await asyncio.sleep(0.1)
    await ask(registry, 0.7)
    await registry.close()
    row = registry.rows["bad"]
    assert row.state is State.SUSPENDED
    assert str(row.reason).startswith("It kept the whole site waiting for 0.")
    assert str(row.reason).endswith("s in wait.")
    assert registry.enabled == {"good"}


async def test_waiting_is_not_blocking(install: Any, open_registry: Any) -> None:
    install("calm", "import asyncio\n@hookimpl\nasync def identify(request): await asyncio.sleep(0.5)")
    registry = await open_registry("calm", limits=SHORT)
    registry.watch()
    await registry.ask_first("identify", request=None)
    assert list(registry.calls.of("calm")) == ["identify"]
    assert registry.rows["calm"].state is State.ENABLED


async def test_blocking_by_the_core_is_nobodys_fault(install: Any, open_registry: Any) -> None:
    install("calm", BLOCKS)
    registry = await open_registry("calm", limits=SHORT)
    registry.watch()
    await asyncio.sleep(0.1)
    time.sleep(0.6)
    await asyncio.sleep(0.1)
    await registry.close()
    assert registry.enabled == {"calm"}
    assert registry.calls.of("calm") == {}


async def test_page_handlers_are_watched_too(install: Any, open_registry: Any) -> None:
    install("bad", BLOCKS)
    registry = await open_registry("bad", limits=SHORT)
    registry.watch()
    await asyncio.sleep(0.1)
    from parvis_bad import plugin  # type: ignore[import-not-found]

    plugin.wait(0.6)  # as a handler would: no hook call around it
    await asyncio.sleep(0.1)
    await registry.close()
    assert registry.rows["bad"].state is State.SUSPENDED


async def test_a_loop_that_does_not_come_back_ends_the_process_with_a_mark(
    install: Any, open_registry: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install("bad", BLOCKS)
    ended: list[int] = []
    limits = Limits(slow=0.05, suspend=10, end=0.3, retries=())
    registry = await open_registry("bad", limits=limits, marks=tmp_path, end_process=ended.append)
    registry.watch()
    await asyncio.sleep(0.1)
    with caplog.at_level(logging.CRITICAL, "parvis.plugins"):
        await ask(registry, 0.8)
    assert ended == [70]
    assert "by bad in wait: this process ends" in caplog.text
    mark = tmp_path / "bad.suspended"
    assert mark.exists()
    # The worker that follows starts with it suspended, and the mark has done its work.
    second = await open_registry("bad", limits=limits, marks=tmp_path)
    assert second.rows["bad"].state is State.SUSPENDED
    assert "kept the whole site waiting" in str(second.rows["bad"].reason)
    assert second.enabled == frozenset()
    assert not mark.exists()


def test_a_mark_that_cannot_be_read_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "bad.suspended").write_text("{")
    marks = Marks(tmp_path)
    assert marks.take() == {}
    marks.forget()
    assert list(tmp_path.iterdir()) == []
    Marks(None).leave("x", Reason("missing"))
    assert Marks(None).take() == {}


async def test_the_thread_ends_with_the_registry(install: Any, open_registry: Any) -> None:
    import threading

    registry = await open_registry(limits=SHORT)
    assert "parvis-watchdog" not in {thread.name for thread in threading.enumerate()}
    await registry.tell("startup", app=None)
    assert "parvis-watchdog" in {thread.name for thread in threading.enumerate()}
    await registry.close()
    assert "parvis-watchdog" not in {thread.name for thread in threading.enumerate()}
