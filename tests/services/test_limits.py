"""Rate limits hold under haste, across processes' one database, and let go in time."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time

import pytest
from parvis.config import LimitOverride
from parvis.data import PreparedSQL
from parvis.errors import TooMany
from parvis.services import limits as module
from parvis.services.i18n import use_locale
from parvis.services.limits import LIMITS, Limit, forget_limit, limit, register_limit, sweep_limits
from parvis.site import Site

pytestmark = pytest.mark.usefixtures("bare_site")
ROWS = PreparedSQL("SELECT key FROM rate_limit")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of day, which the test moves on."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(module, "time", type("Clock", (), {"time": staticmethod(lambda: now[0])}))
    return now


@pytest.fixture(params=[True, False], ids=["shared", "here"])
def action(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(LIMITS, "test", Limit("test", 5, 50, shared=request.param))
    return "test"


async def allowed(key: str, action: str, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            await limit(key, action)
        except TooMany:
            continue
        count += 1
    return count


async def test_a_burst_then_one_each_interval(action: str, clock: list[float]) -> None:
    assert await allowed("member:1", action, 8) == 5
    assert await allowed("member:2", action, 8) == 5  # each key for itself
    clock[0] += 9.9
    assert await allowed("member:1", action, 3) == 0
    clock[0] += 0.2
    assert await allowed("member:1", action, 3) == 1
    clock[0] += 1000
    assert await allowed("member:1", action, 8) == 5


async def test_what_is_refused_is_told_when_to_come_back(action: str, clock: list[float]) -> None:
    assert await allowed("member:1", action, 5) == 5
    with pytest.raises(TooMany) as refused:
        await limit("member:1", action)
    assert refused.value.retry_after == 10
    with use_locale("en"):
        assert "Try again in 10 seconds" in str(refused.value)
    clock[0] += refused.value.retry_after
    await limit("member:1", action)


async def test_no_second_of_any_window_lets_more_through(action: str, clock: list[float]) -> None:
    """GCRA: in any time t at most count + t / interval pass."""
    passed: list[float] = []
    for step in range(300):
        clock[0] += (step % 7) * 0.9
        if await allowed("member:1", action, 1):
            passed.append(clock[0])
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= 5 + math.floor((passed[last] - passed[first]) / 10 + 1e-6)


async def test_many_at_once_share_one_count(action: str) -> None:
    answers = await asyncio.gather(*(limit("member:1", action) for _ in range(20)), return_exceptions=True)
    assert sum(answer is None for answer in answers) == 5
    assert sum(isinstance(answer, TooMany) for answer in answers) == 15


async def test_a_success_may_clear_the_count(action: str) -> None:
    assert await allowed("member:1", action, 9) == 5
    await forget_limit("member:1", action)
    assert await allowed("member:1", action, 9) == 5


async def test_an_instance_sets_its_own(action: str, bare_site: Site) -> None:
    bare_site.config = dataclasses.replace(bare_site.config, limits={"test": LimitOverride(2, 60)})
    assert await allowed("member:1", action, 9) == 2
    bare_site.config = dataclasses.replace(bare_site.config, limits={"test": LimitOverride(0, 60)})
    assert await allowed("member:1", action, 9) == 9


async def test_rows_whose_time_is_over_are_swept(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    monkeypatch.setitem(LIMITS, "test", Limit("test", 5, 50))
    await limit("old", "test")
    clock[0] += 100
    await limit("new", "test")
    assert await sweep_limits() == 1
    assert [row["key"] for row in await ROWS()] == ["test:new"]


async def test_what_is_kept_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, bare_site: Site) -> None:
    monkeypatch.setitem(LIMITS, "test", Limit("test", 5, 50, shared=False))
    monkeypatch.setattr(module, "MOST_HERE", 100)
    for number in range(500):
        await limit(f"member:{number}", "test")
    assert len(bare_site.stash["limits"]) <= 100
    assert await ROWS() == []


async def test_actions_without_a_limit_and_second_limits_are_mistakes() -> None:
    with pytest.raises(LookupError):
        await limit("member:1", "no such action")
    with pytest.raises(ValueError, match="already"):
        register_limit(Limit("publish", 1, 1))
    assert register_limit(LIMITS["publish"]) is LIMITS["publish"]
    assert time.time() > 0
