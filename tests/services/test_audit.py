"""The audit trail shows every change made behind its back, and still verifies after an erasure."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from parvis.data import PreparedSQL, transaction
from parvis.services.audit import empty_details, head, record, verify
from parvis.site import Site

pytestmark = pytest.mark.usefixtures("bare_site")
ROWS = PreparedSQL("SELECT * FROM audit ORDER BY seq")
DETAILS = PreparedSQL("SELECT seq, details FROM audit_detail ORDER BY seq", types={"details": "json"})


async def write(count: int = 6) -> None:
    for number in range(1, count + 1):
        await record(
            "space.edited", number % 3 or None, f"space:{number}", {"to": f"été {number}", "n": [1.5, None]}
        )
    await record("member.signed_in", 1, "member:1")


async def test_a_trail_verifies_and_says_who_did_what() -> None:
    assert await verify() is None
    assert await head() == (0, "")
    await write()
    rows = await ROWS()
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert (rows[0]["action"], rows[0]["actor"], rows[0]["subject"]) == ("space.edited", 1, "space:1")
    assert [row["seq"] for row in await DETAILS()] == [1, 2, 3, 4, 5, 6]
    assert (await DETAILS())[0]["details"] == {"to": "été 1", "n": [1.5, None]}
    assert len({row["hash"] for row in rows}) == 7
    assert await head() == (7, rows[-1]["hash"])
    assert await verify() is None


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE audit SET action = 'space.opened' WHERE seq = 3", 3),
        ("UPDATE audit SET actor = 9 WHERE seq = 3", 3),
        ("UPDATE audit SET actor = NULL WHERE seq = 4", 4),
        ("UPDATE audit SET subject = 'space:1' WHERE seq = 3", 3),
        ("UPDATE audit SET digest = (SELECT digest FROM audit WHERE seq = 1) WHERE seq = 3", 3),
        ("UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 1) WHERE seq = 7", 7),
        ("UPDATE audit SET at = (SELECT at FROM audit WHERE seq = 1) WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("UPDATE audit SET seq = 99 WHERE seq = 7", 7),
        ('UPDATE audit_detail SET details = \'{"to":"x"}\' WHERE seq = 3', 3),
        ("UPDATE audit_detail SET seq = 7 WHERE seq = 3", 7),
        ('INSERT INTO audit_detail (seq, details) VALUES (7, \'{"role":"administrator"}\')', 7),
        (
            "INSERT INTO audit (seq, at, action, actor, subject, digest, hash)"
            " SELECT 8, at, action, actor, subject, digest, hash FROM audit WHERE seq = 7",
            8,
        ),
    ],
)
async def test_what_was_tampered_with_shows(change: str, broken: int) -> None:
    await write()
    assert await verify() is None
    await PreparedSQL(change)()
    assert await verify() == broken


async def test_rows_made_without_the_key_show(bare_site: Site) -> None:
    await write(2)
    right = bare_site.config
    bare_site.config = dataclasses.replace(right, secret_key=b"guess" * 8)
    await record("member.role_changed", 1, "member:1", {"to": "administrator"})
    bare_site.config = right
    assert await verify() == 4


async def test_an_end_that_was_cut_off_shows_against_a_noted_head() -> None:
    await write()
    noted = await head()
    await PreparedSQL("DELETE FROM audit_detail WHERE seq > 4")()
    await PreparedSQL("DELETE FROM audit WHERE seq > 4")()
    assert await verify() is None
    assert await head() != noted


async def test_erasing_details_leaves_the_chain_whole() -> None:
    await write()
    await record("member.added", 2, "member:1", {"email": "ana@example.org"})
    assert await empty_details(1) == 3  # two spaces edited by 1, and the one added as 1
    assert await verify() is None
    left = {row["seq"]: row["details"] for row in await DETAILS()}
    assert [left[seq] for seq in (1, 4, 8)] == [None, None, None]
    assert left[2] is not None
    assert await empty_details(1) == 0
    await record("member.erased", 2, "member:1")
    assert await verify() is None


async def test_a_row_goes_and_comes_with_its_transaction() -> None:
    with pytest.raises(RuntimeError):
        async with transaction():
            await record("space.opened", 1, "space:1", {"a": 1})
            raise RuntimeError
    assert await ROWS() == []
    async with transaction():
        assert await record("space.opened", 1, "space:1") == 1
        assert await record("space.opened", 1, "space:2") == 2
    assert await verify() is None


async def test_records_at_the_same_moment_make_one_chain() -> None:
    async def act(number: int) -> None:
        async with transaction():
            await record("space.edited", number, f"space:{number}", {"n": number})
            await asyncio.sleep(0)

    await asyncio.gather(*(act(number) for number in range(1, 31)))
    assert [row["seq"] for row in await ROWS()] == list(range(1, 31))
    assert await verify() is None


async def test_a_long_trail_is_read_in_parts() -> None:
    async with transaction():
        for number in range(1203):
            await record("test.done", None, f"test:{number}")
    assert await verify() is None
    await PreparedSQL("UPDATE audit SET action = 'x' WHERE seq = 1100")()
    assert await verify() == 1100
