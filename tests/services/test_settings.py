"""Settings keep their type, are noticed by other processes, and every change of the site's is on record."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from parvis.data import PreparedSQL, transaction
from parvis.declarations import Setting
from parvis.errors import Invalid
from parvis.services.audit import verify
from parvis.services.counters import bump_counter, members_count
from parvis.services.settings import SettingsStore, read_value
from parvis.site import Site

DECLARED = {
    one.name: one
    for one in (
        Setting(name="polls.open", label="Open", type=bool, default=True),
        Setting(name="polls.most", label="Most", type=int, default=5, minimum=1, maximum=50),
        Setting(name="polls.title", label="Title", type=str, default="Polls", minimum=2, maximum=20),
        Setting(name="polls.order", label="Order", type=("new", "old"), default="new"),
        Setting(name="polls.space", label="Here", type=bool, default=False, scope="space"),
        Setting(name="polls.mail", label="Mail", type=("daily", "never"), default="daily", scope="member"),
    )
}
AUDIT = PreparedSQL(
    "SELECT a.action, a.actor, a.subject, d.details FROM audit a JOIN audit_detail d ON d.seq = a.seq ORDER BY a.seq",
    types={"details": "json"},
)


@pytest.fixture
async def store(bare_site: Site) -> SettingsStore:
    await bare_site.settings.load(DECLARED)
    return bare_site.settings


@pytest.fixture
async def other(store: SettingsStore) -> SettingsStore:
    """The same settings as another process has them."""
    other = SettingsStore()
    await other.load(DECLARED)
    return other


async def test_defaults_changes_and_going_back(store: SettingsStore) -> None:
    assert [store.get(name) for name in ("polls.open", "polls.most", "polls.order")] == [True, 5, "new"]
    assert await store.set("polls.most", "7", actor=1) == 7
    assert await store.set("polls.open", "", actor=1) is False
    assert (store.get("polls.most"), store.get("polls.open")) == (7, False)
    await store.reset("polls.most", actor=1)
    assert store.get("polls.most") == 5
    fresh = SettingsStore()
    await fresh.load(DECLARED)
    assert (fresh.get("polls.most"), fresh.get("polls.open")) == (5, False)


async def test_every_change_of_the_site_is_on_record(store: SettingsStore) -> None:
    await store.set("polls.most", 7, actor=3)
    await store.set("polls.most", 8, actor=4)
    await store.reset("polls.most", actor=3)
    await store.set("polls.mail", "never", actor=5, subject=5)
    assert [(row["actor"], row["subject"], row["details"]) for row in await AUDIT()] == [
        (3, "setting:polls.most", {"from": 5, "to": 7}),
        (4, "setting:polls.most", {"from": 7, "to": 8}),
        (3, "setting:polls.most", {"from": 8, "to": 5}),
    ]
    assert await verify() is None


async def test_another_process_notices(store: SettingsStore, other: SettingsStore) -> None:
    before = (store.version, other.version)
    assert before[0] == before[1]
    assert await other.refresh() is False
    await store.set("polls.most", 9, actor=1)
    assert store.version > before[0]
    assert other.get("polls.most") == 5
    assert await other.refresh() is True
    assert other.get("polls.most") == 9
    assert other.version == store.version
    # Two write without having heard of each other: both end with both values.
    await other.set("polls.open", False, actor=1)
    await store.set("polls.order", "old", actor=1)
    await store.refresh()
    await other.refresh()
    for one in (store, other):
        assert (one.get("polls.open"), one.get("polls.order")) == (False, "old")


async def test_spaces_and_members_have_their_own(store: SettingsStore, other: SettingsStore) -> None:
    version = store.version
    assert await store.get_for("polls.space", 1) is False
    assert await other.get_for("polls.space", 1) is False
    await store.set("polls.space", True, actor=1, subject=1)
    assert [await store.get_for("polls.space", space) for space in (1, 2)] == [True, False]
    await other.refresh()
    assert await other.get_for("polls.space", 1) is True
    await store.reset("polls.space", actor=1, subject=1)
    assert await store.get_for("polls.space", 1) is False
    assert store.version == version  # kept cards need not be made anew for one member's taste
    for call in (lambda: store.get("polls.space"), lambda: store.get("polls.unknown")):
        with pytest.raises(LookupError):
            call()
    with pytest.raises(LookupError):
        await store.get_for("polls.open", 1)


async def test_a_change_that_is_rolled_back_never_was(store: SettingsStore, other: SettingsStore) -> None:
    version = store.version
    with pytest.raises(RuntimeError):
        async with transaction():
            await store.set("polls.most", 9, actor=1)
            raise RuntimeError
    assert (store.get("polls.most"), store.version) == (5, version)
    assert await other.refresh() is False


async def test_a_value_that_fits_no_longer_gives_the_default(
    store: SettingsStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.set("polls.most", 40, actor=1)
    narrower = {
        **DECLARED,
        "polls.most": Setting(name="polls.most", label="", type=int, default=5, maximum=10),
    }
    later = SettingsStore()
    await later.load(narrower)
    with caplog.at_level(logging.WARNING):
        assert later.get("polls.most") == 5
    assert "does not fit" in caplog.text


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("polls.open", "on", True),
        ("polls.open", None, False),
        ("polls.open", "false", False),
        ("polls.most", " 12 ", 12),
        ("polls.most", 50, 50),
        ("polls.title", "  Sondages ", "Sondages"),
        ("polls.order", "old", "old"),
    ],
)
def test_values_are_read_from_forms(name: str, given: Any, value: Any) -> None:
    found = read_value(DECLARED[name], given)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("polls.open", "maybe"),
        ("polls.open", 1),
        ("polls.most", "0"),
        ("polls.most", "51"),
        ("polls.most", "five"),
        ("polls.most", "9" * 5000),
        ("polls.most", 2.5),
        ("polls.most", True),
        ("polls.most", None),
        ("polls.title", "x"),
        ("polls.title", "x" * 21),
        ("polls.title", 7),
        ("polls.order", "sideways"),
        ("polls.order", ["new"]),
    ],
)
def test_wrong_values_are_refused_at_their_field(name: str, given: Any) -> None:
    with pytest.raises(Invalid) as refused:
        read_value(DECLARED[name], given)
    assert list(refused.value.fields) == [name]


async def test_counters(store: SettingsStore, other: SettingsStore) -> None:
    before = store.cards
    value = await bump_counter("cards")
    assert value == store.cards == before + 1
    assert other.cards == before
    await other.refresh()
    assert other.cards == value
    assert await bump_counter("something.new") == 2
    async with transaction():
        await bump_counter("cards")
        assert store.cards == value
    assert store.cards == value + 1
    assert await members_count() == 0
