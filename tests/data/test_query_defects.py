"""What Piccolo 1.38 gets wrong with queries, tables and connections: each defect has a test that ours pass."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from parvis.content import feed, feed_keys
from parvis.data import Engine, PreparedSQL, Table, Transaction, bind, transaction
from parvis.data.migrations import Schema, bigint, pk, ref, text
from parvis.people.actor import Actor
from piccolo.columns import BigInt, BigSerial, ForeignKey, OnDelete, Text

from .conftest import ADD, said

ROOT = Path(__file__).resolve().parents[2]


class Shelf(Table, tablename="shelf"):
    id = BigSerial(primary_key=True)
    name = Text()


class Book(Table, tablename="book"):
    id = BigSerial(primary_key=True)
    shelf = ForeignKey(Shelf, null=True, default=None, on_delete=OnDelete.restrict)
    title = Text()
    pages = BigInt(default=0)


@pytest.fixture
async def shelves(engine: Engine) -> Engine:
    schema = Schema(engine)
    await schema.create_table("shelf", pk(), text("name"))
    await schema.create_table(
        "book", pk(), ref("shelf", null=True), text("title"), bigint("pages", default=0)
    )
    return engine


async def test_a_reference_does_not_delete_what_refers(shelves: Engine) -> None:
    """Piccolo's default is ON DELETE CASCADE; ours refuses to delete what something refers to."""
    assert ref("shelf").on_delete == "RESTRICT"
    await shelves.fetch("INSERT INTO shelf (name) VALUES ('poems')", ())
    await shelves.fetch("INSERT INTO book (shelf, title) SELECT id, 'a' FROM shelf", ())
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await shelves.fetch("DELETE FROM shelf", ())
    assert len(await shelves.fetch("SELECT id FROM book", ())) == 1
    await shelves.fetch("DELETE FROM book", ())
    await shelves.fetch("DELETE FROM shelf", ())
    assert await shelves.fetch("SELECT id FROM shelf", ()) == []


async def test_ordinary_queries_of_piccolo_work_through_our_seams(shelves: Engine) -> None:
    """Our engines override what Piccolo calls private: this is the contract that a newer Piccolo has to keep."""
    await Shelf.insert(Shelf(name="poems"), Shelf(name="plays"))
    poems = await Shelf.objects().where(Shelf.name == "poems").first()
    assert poems is not None
    book = Book(shelf=poems.id, title="a", pages=2**53 + 1)
    await book.save()
    assert book.id == 1
    rows = await Book.select(Book.title, Book.shelf.name, Book.pages)
    assert rows == [{"title": "a", "shelf.name": "poems", "pages": 2**53 + 1}]
    book.title = "b"
    await book.save()
    await Book.update({Book.pages: Book.pages + 1}).where(Book.title == "b")
    assert await Book.select(Book.pages).output(as_list=True) == [2**53 + 2]
    assert await Book.count() == 1
    assert await Book.exists().where(Book.title == "b")
    found = await Book.objects(Book.shelf).first()
    assert found is not None
    assert found.shelf.name == "poems"
    assert await Book.raw("SELECT title FROM book WHERE id = {}", 1) == [{"title": "b"}]
    await Book.delete().where(Book.id == 1)
    assert await Book.select() == []


async def test_ordinary_queries_of_piccolo_join_our_transaction(shelves: Engine) -> None:
    with pytest.raises(ValueError, match="no"):
        async with transaction():
            await Shelf.insert(Shelf(name="lost"))
            assert await Shelf.count() == 1
            async with shelves.transaction():  # as Piccolo's own helpers open one
                await Shelf(name="lost too").save()
            raise ValueError("no")
    assert await Shelf.select() == []
    shelf, is_new = await get_or_create("kept")
    assert is_new
    assert (await get_or_create("kept"))[0].id == shelf.id


async def get_or_create(name: str) -> tuple[Any, bool]:
    shelf = await Shelf.objects().get_or_create(Shelf.name == name)
    return shelf, shelf._was_created


async def test_a_table_without_a_database_says_so(shelves: Engine) -> None:
    """Piccolo goes looking for a `piccolo_conf` module, and imports a code formatter on its way."""
    assert await Shelf.count() == 0
    bind(None)
    try:
        with pytest.raises(RuntimeError, match="no database is open"):
            await Shelf.select()
        with pytest.raises(RuntimeError, match="no database is open"):
            await Shelf(name="x").save()
        with pytest.raises(RuntimeError, match="no database is open"):
            await ADD(says="x", number=1)
    finally:
        bind(shelves)
    assert await Shelf.count() == 0


def test_the_program_never_loads_what_finds_engines_and_formats_code() -> None:
    script = (
        "import sys, parvis.app, parvis.cli, parvis.server\n"
        "print(sorted({'black', 'piccolo.conf.apps', 'piccolo_api', 'piccolo_admin'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_columns_of_one_name_are_all_there_in_tuples(shelves: Engine) -> None:
    """Rows by name keep one of them; tuples must have each, inside a transaction as outside of it."""
    await shelves.fetch("INSERT INTO shelf (name) VALUES ('x'), ('poems')", ())
    await shelves.fetch("INSERT INTO book (shelf, title) VALUES (2, 'a')", ())
    for short in (True, False):
        query = PreparedSQL(
            "SELECT book.id, shelf.id, shelf.name FROM book JOIN shelf ON shelf.id = book.shelf", short=short
        )
        assert await query.tuples() == [(1, 2, "poems")]
        async with transaction():
            assert await query.tuples() == [(1, 2, "poems")]


async def test_lists_of_any_length_are_one_statement(shelves: Engine) -> None:
    """`is_in` writes a text for each length, which fills the caches of statements and misses them."""
    query = PreparedSQL("SELECT id FROM book WHERE pages = any(:pages)", short=True)
    async with transaction():
        for length in range(30):
            assert await query(pages=list(range(length))) == []
        if shelves.dialect == "postgres":
            found = await shelves.fetch(
                "SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE '%pages = ANY%'"
                " AND statement NOT LIKE '%pg_prepared_statements%'",
                (),
            )
            assert found[0]["n"] == 1
    assert query.compiled(shelves.dialect)[0].count("?") <= 1


def test_no_query_of_the_program_uses_is_in() -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("core", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        if "tests" not in path.parts and re.search(r"\.(is_in|not_in)\(", path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
async def test_connections_go_from_hand_to_hand_without_a_reset(notes: Engine) -> None:
    """The pool's own way resets a connection each time, which takes as long as a keyed query."""
    asked = "SELECT pg_backend_pid() AS pid, current_setting('application_name') AS name"
    await notes.fetch("SELECT set_config('application_name', 'kept', false)", ())
    seen = [(await notes.fetch(asked, ()))[0] for _ in range(5)]
    assert {row["name"] for row in seen} == {"kept"}
    assert len({row["pid"] for row in seen}) == 1
    async with transaction():
        inside = [(await notes.fetch(asked, ()))[0]["pid"] for _ in range(3)]
    assert set(inside) == {seen[0]["pid"]}


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
async def test_a_migration_leaves_its_connection_as_it_was(notes: Engine) -> None:
    """Without resets, what a transaction sets for itself must end with it."""
    before = (await notes.fetch("SHOW statement_timeout", ()))[0]
    async with Transaction(notes, keys=False):
        assert (await notes.fetch("SHOW statement_timeout", ()))[0] == {"statement_timeout": "0"}
        await ADD(says="kept", number=1)
    assert (await notes.fetch("SHOW statement_timeout", ()))[0] == before == {"statement_timeout": "1min"}
    assert await said() == ["kept"]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_lists_walk_an_index_also_when_the_database_knows_its_numbers(instance: Any) -> None:
    """Once SQLite has analysed the tables, it prefers an index that makes it sort the whole list for a page."""
    engine = instance.engine
    await fill(engine)
    await engine.fetch("ANALYZE", ())
    asked: list[tuple[str, Any]] = []
    plain, plain_tuples = engine.fetch, engine.fetch_tuples

    async def noting(sql: str, args: Any, **kwargs: Any) -> Any:
        asked.append((sql, args))
        return await plain(sql, args, **kwargs)

    async def noting_tuples(sql: str, args: Any, **kwargs: Any) -> Any:
        asked.append((sql, args))
        return await plain_tuples(sql, args, **kwargs)

    engine.fetch, engine.fetch_tuples = noting, noting_tuples
    member = Actor(member=1, name="M", handle="m", role="member")
    try:
        for stretch in ({}, {"space": 3}, {"author": 1}, {"type": "post"}):
            assert len((await feed(member, **stretch)).rows) == 25
            await feed_keys(member, **stretch)
    finally:
        del engine.fetch, engine.fetch_tuples
    lists = [(sql, args) for sql, args in asked if "FROM content" in sql and "LIMIT" in sql]
    assert len(lists) == 8
    for sql, args in lists:
        plan = [row["detail"] for row in await engine.fetch("EXPLAIN QUERY PLAN " + sql, args)]
        assert not [line for line in plan if "TEMP B-TREE" in line], (sql, plan)
        walks = [line for line in plan if re.search(r"\b(SCAN|SEARCH) content\b", line)]
        assert walks, plan
        assert all("INDEX content_" in line for line in walks), (sql, plan)


async def fill(engine: Engine) -> None:
    now = "'2026-01-01 00:00:00.000000+00:00'"
    at = "strftime('%Y-%m-%d %H:%M:%S.000000+00:00', 1700000000 + i * 60, 'unixepoch')"
    series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
    await engine.fetch(
        "INSERT INTO member (email, handle, name, created, joined) "
        + series.format(50)
        + f"SELECT 'm' || i, 'm' || i, 'M', {now}, {now} FROM n",
        (),
    )
    await engine.fetch(
        "INSERT INTO space (slug, name, created) "
        + series.format(20)
        + f"SELECT 's' || i, 'S', {now} FROM n",
        (),
    )
    everyone = (await engine.fetch("SELECT id FROM audience WHERE kind = 'everyone'", ()))[0]["id"]
    await engine.fetch(
        "INSERT INTO content (type, object, author, space, audience, created, published, last_activity) "
        + series.format(4000)
        + f"SELECT 'post', i, i % 50 + 1, i % 20 + 1, {everyone}, {at}, {at}, {at} FROM n",
        (),
    )
