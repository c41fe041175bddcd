"""Prepared statements: one text for both engines, bound by name, lists of any length."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from parvis.data import Engine, Param, Prepared, PreparedSQL, prepared, spawn, transaction
from parvis.data.migrations import Schema, boolean, json, pk, text, timestamptz

from .conftest import ADD
from .test_defects import Note


@pytest.mark.parametrize(
    ("given", "sqlite", "postgres", "places"),
    [
        ("a = :b", "a = ?", "a = $1", ["b"]),
        ("a = :b OR c = :b", "a = ? OR c = ?", "a = $1 OR c = $1", ["b"]),
        ("a::text = ':b' AND c = :c", "a::text = ':b' AND c = ?", "a::text = ':b' AND c = $1", ["c"]),
        ("a = 'it''s :no' AND b = :b", "a = 'it''s :no' AND b = ?", "a = 'it''s :no' AND b = $1", ["b"]),
        ('"odd:name" = :b', '"odd:name" = ?', '"odd:name" = $1', ["b"]),
        (
            "a = any(:many) AND b = :b",
            "a IN (SELECT value FROM json_each(?)) AND b = ?",
            "a = ANY($1) AND b = $2",
            ["many", "b"],
        ),
    ],
)
def test_places_are_found_outside_of_quotes(
    given: str, sqlite: str, postgres: str, places: list[str]
) -> None:
    query = PreparedSQL(given)
    text_, found = query.compiled("sqlite")
    assert text_ == sqlite
    text_, found = query.compiled("postgres")
    assert text_ == postgres
    assert [name for name, _ in found] == places


MANY = PreparedSQL("SELECT number FROM note WHERE number = any(:numbers) ORDER BY number")
NULLS = PreparedSQL(
    "SELECT number FROM note WHERE (CAST(:says AS text) IS NULL OR says = :says) ORDER BY number"
)


@pytest.fixture
async def numbered(notes: Engine) -> Engine:
    for number in range(5):
        await ADD(says="even" if number % 2 == 0 else "odd", number=number)
    return notes


async def test_lists_of_any_length(numbered: Engine) -> None:
    for wanted in ([], [3], [0, 4, 99], list(range(2_000))):
        rows = await MANY(numbers=wanted)
        assert [row["number"] for row in rows] == [number for number in range(5) if number in wanted]


async def test_a_value_that_is_null(numbered: Engine) -> None:
    assert len(await NULLS(says=None)) == 5
    assert [row["number"] for row in await NULLS(says="odd")] == [1, 3]


async def test_a_name_that_is_missing_is_named(numbered: Engine) -> None:
    with pytest.raises(KeyError, match="says"):
        await NULLS(other="odd")


async def test_values_are_never_read_as_sql(numbered: Engine) -> None:
    evil = "'; DROP TABLE note; --"
    await ADD(says=evil, number=9)
    assert [row["number"] for row in await NULLS(says=evil)] == [9]


async def test_rows_as_tuples_and_the_first_of_them(numbered: Engine) -> None:
    assert await MANY.tuples(numbers=[1, 2]) == [(1,), (2,)]
    assert await MANY.one(numbers=[2, 1]) == {"number": 1}
    assert await MANY.one(numbers=[]) is None


async def test_types_of_columns_that_are_expressions(notes: Engine) -> None:
    await Schema(notes).create_table(
        "thing", pk(), json("data", null=True), timestamptz("at", null=True), boolean("on", default=False)
    )
    add = PreparedSQL('INSERT INTO thing (data, at, "on") VALUES (:data, :at, :on)', types={"data": "json"})
    moment = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
    await add(data={"name": "é", "list": [1, None]}, at=moment, on=True)
    await add(data=None, at=None, on=False)
    read = PreparedSQL(
        'SELECT max(at) AS at, min(data) AS data, max("on" <> FALSE) AS is_on FROM thing'
        if notes.dialect == "sqlite"
        else 'SELECT max(at) AS at, min(data::text) AS data, bool_or("on") AS is_on FROM thing',
        types={"at": "timestamptz", "data": "json", "is_on": "boolean"},
    )
    assert await read.one() == {"at": moment, "data": {"name": "é", "list": [1, None]}, "is_on": True}


async def test_a_piccolo_query_compiled_once(numbered: Engine) -> None:
    query = Prepared(
        Note.select(Note.number).where(Note.number < Param("below")).order_by(Note.number), short=True
    )
    assert [row["number"] for row in await query(below=2)] == [0, 1]
    assert [row["number"] for row in await query(below=4)] == [0, 1, 2, 3]
    assert await query.one(below=0) is None


async def test_short_statements_stay_in_the_loop_on_sqlite(
    notes: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One trip to a thread costs more than a keyed read; only beginning, committing and long reads may wait."""
    if notes.dialect == "postgres":
        return
    from concurrent.futures import ThreadPoolExecutor

    from parvis.data import transaction

    trips: list[str] = []
    plain = ThreadPoolExecutor.submit

    def submit(self: Any, work: Any, *args: Any, **kwargs: Any) -> Any:
        trips.append(getattr(work, "__name__", "?"))
        return plain(self, work, *args, **kwargs)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    read = PreparedSQL("SELECT says FROM note WHERE id = :id", short=True)
    write = PreparedSQL("INSERT INTO note (says) VALUES (:says)", short=True)
    await read(id=1)
    await read.tuples(id=1)
    assert trips == []
    async with transaction():
        await write(says="a")
        await write(says="b")
        assert len(await read(id=2)) == 1
    assert trips == ["_commit"]
    assert threading.current_thread() is threading.main_thread()


# -- answers that are used again --------------------------------------------------------------------------------


@pytest.fixture
async def things(engine: Engine) -> PreparedSQL:
    """Return a read over a table of two rows."""
    await Schema(engine).create_table("thing", pk(), text("name"))
    await PreparedSQL("INSERT INTO thing (name) VALUES ('one'), ('two')")()
    return PreparedSQL("SELECT name FROM thing WHERE id = any(:ids) ORDER BY id")


async def asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    fetch = engine.fetch_tuples

    async def noting(sql: str, args: Any, *, short: bool = False) -> Any:
        found.append(sql)
        return await fetch(sql, args, short=short)

    monkeypatch.setattr(engine, "fetch_tuples", noting)
    return found


async def test_an_answer_is_used_again_for_equal_values(
    engine: Engine, things: PreparedSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "monotonic", lambda: 100.2)
    sent = await asked(engine, monkeypatch)
    for _ in range(3):
        assert await things.tuples_again(ids=[1, 2]) == (("one",), ("two",))
    assert await things.tuples_again(ids=[2]) == (("two",),)
    assert len(sent) == 2


@pytest.mark.parametrize("how", ["statement", "transaction"])
async def test_what_this_process_wrote_shows_at_once(
    engine: Engine, things: PreparedSQL, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(prepared, "monotonic", lambda: 100.2)
    await things.tuples_again(ids=[1])
    change = PreparedSQL("UPDATE thing SET name = 'three' WHERE id = 1")
    if how == "statement":
        await change()
    else:
        async with transaction():
            await change()
            # One's own writing is seen inside, by nobody else.
            assert await things.tuples_again(ids=[1]) == (("three",),)
            assert await spawn(things.tuples_again(ids=[1])) == (("one",),)
    assert await things.tuples_again(ids=[1]) == (("three",),)


async def test_what_another_process_wrote_shows_within_a_second(
    engine: Engine, things: PreparedSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.2
    monkeypatch.setattr(prepared, "monotonic", lambda: now)
    await things.tuples_again(ids=[1])
    writes = engine.writes
    await PreparedSQL("UPDATE thing SET name = 'three' WHERE id = 1")()
    engine.writes = writes  # as if it had been written elsewhere
    assert await things.tuples_again(ids=[1]) == (("one",),)
    now += 1.0
    assert await things.tuples_again(ids=[1]) == (("three",),)


async def test_answers_are_bounded(
    engine: Engine, things: PreparedSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "KEPT_ANSWERS", 3)
    for number in range(10):
        await things.tuples_again(ids=[number])
        assert len(things._again) <= 3
