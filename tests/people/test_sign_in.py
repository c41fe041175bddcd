"""Signing in and out: what a refusal tells, what is counted, and when a session ends."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest
from parvis.data import PreparedSQL
from parvis.errors import Invalid, SignInRequired, TooMany
from parvis.people import passwords, sessions, sign_in
from parvis.people.actions import add_member, change_role, readmit_member, reset_password, suspend_member
from parvis.people.actor import NOBODY, SYSTEM
from parvis.people.links import is_link_open, make_sign_in_link, use_sign_in_link
from parvis.people.profile_actions import change_password
from parvis.people.tables import Member
from parvis.services import limits

GOOD = "chêne massif huilé"
AUDIT = PreparedSQL("SELECT action, subject FROM audit ORDER BY seq")


async def _join(email: str = "ines@example.org", name: str = "Inès Carbonnel", **more: object) -> int:
    more.setdefault("password", GOOD)
    row = await add_member(SYSTEM, email=email, name=name, **more)  # type: ignore[arg-type]
    return row.id


async def test_the_right_password_opens_a_session_and_a_wrong_one_none(instance: object) -> None:
    member = await _join()
    assert await sign_in.sign_in("ines@example.org", GOOD + "x", "10.0.0.1") is None
    assert await sign_in.sign_in(" INES@Example.org ", GOOD, "10.0.0.1") == member
    actor = await sessions.actor_of(await sessions.open_session(member, "Firefox", "10.0.0.1"))
    assert actor is not None
    assert (actor.member, actor.name, actor.role, actor.via) == (
        member,
        "Inès Carbonnel",
        "member",
        "session",
    )
    assert await sessions.actor_of("") is None
    assert await sessions.actor_of("x" * 43) is None


async def test_a_password_composed_otherwise_is_the_same_password(instance: object) -> None:
    member = await _join(password="chêne massif")
    assert await sign_in.sign_in("ines@example.org", "che\u0302ne massif") == member


async def test_unknown_wrong_and_suspended_cost_the_same(
    instance: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answer, number of hashes and audit rows; the right password of somebody active is the control."""
    await _join()
    await suspend_member(SYSTEM, await _join("out@example.org", "Paul Parti"))
    await _join("invited@example.org", "Nadia Nouvelle", password=None)
    hashes: list[str] = []
    verify = passwords.PasswordHasher.verify

    def counted(self: object, kept: str, password: str) -> bool:
        hashes.append(kept)
        return verify(self, kept, password)  # type: ignore[arg-type]

    monkeypatch.setattr(passwords.PasswordHasher, "verify", counted)
    costs = []
    for email, password in (
        ("nobody@example.org", GOOD),
        ("ines@example.org", "not this one"),
        ("out@example.org", GOOD),
        ("invited@example.org", GOOD),
        ("ines@example.org", GOOD),
    ):
        before = len(await AUDIT())
        hashes.clear()
        found = await sign_in.sign_in(email, password, "10.0.0.1")
        costs.append((found is not None, len(hashes), len(await AUDIT()) - before))
    assert costs == [(False, 1, 1)] * 4 + [(True, 1, 1)]


async def _tries(email: str, address: str) -> int:
    """Return how many wrong guesses go through before one is refused."""
    for tries in range(100):
        try:
            await sign_in.sign_in(email, "a wrong guess", address)
        except TooMany:
            return tries
    return 100


async def test_success_starts_the_count_of_guesses_anew(instance: object) -> None:
    member = await _join()
    for _ in range(4):
        for _ in range(5):
            assert await sign_in.sign_in("ines@example.org", "a wrong guess", "10.4.0.1") is None
        assert await sign_in.sign_in("ines@example.org", GOOD, "10.4.0.1") == member


async def test_guesses_are_throttled_alike_for_known_and_unknown(instance: object) -> None:
    await _join()
    refused_at = []
    for number, email in enumerate(("ines@example.org", "nobody@example.org")):
        refused_at.append(await _tries(email, f"10.1.{number}.1"))
    assert refused_at[0] == refused_at[1] > 2
    # Elsewhere the owner still comes in: guessing from one place locks nobody out.
    assert await sign_in.sign_in("ines@example.org", GOOD, "10.2.0.1") is not None


async def test_one_address_guessing_many_accounts_is_throttled(
    instance: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.LIMITS, "sign-in-address", limits.Limit("sign-in-address", 20, 900))
    await _join()
    for number in range(20):
        assert await sign_in.sign_in(f"someone{number}@example.org", "a wrong guess", "10.3.0.1") is None
    with pytest.raises(TooMany):
        await sign_in.sign_in("ines@example.org", GOOD, "10.3.0.1")
    assert await sign_in.sign_in("ines@example.org", GOOD, "10.3.0.2") is not None


def test_an_ipv6_customer_is_one_network() -> None:
    assert sign_in.network_of("2001:db8:1:2:aaaa::1") == sign_in.network_of("2001:db8:1:2:bbbb::2")
    assert sign_in.network_of("2001:db8:1:3::1") != sign_in.network_of("2001:db8:1:2::1")
    assert sign_in.network_of("::ffff:10.0.0.1") == sign_in.network_of("10.0.0.1") == "10.0.0.1"


async def test_a_hash_of_older_parameters_is_made_anew_at_sign_in(instance: object) -> None:
    old = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
    member = await _join(password=None, password_hash=old)
    assert await sign_in.sign_in("ines@example.org", "a wrong guess") is None
    assert await Member.password_hash_of(member) == old
    assert await sign_in.sign_in("ines@example.org", GOOD) == member
    new = await Member.password_hash_of(member)
    assert new is not None
    assert "m=19456,t=2,p=1" in new


async def test_a_token_taken_before_sign_out_opens_nothing_after(instance: object) -> None:
    member = await _join()
    token, other = await sessions.open_session(member), await sessions.open_session(member)
    assert await sessions.actor_of(token) is not None
    await sessions.close_session(token)
    assert await sessions.actor_of(token) is None
    assert await sessions.actor_of(other) is not None


async def test_tokens_are_not_kept(instance: object) -> None:
    token = await sessions.open_session(await _join())
    rows = await PreparedSQL("SELECT token_hash, secret FROM session")()
    assert len(rows) == 1
    assert token not in rows[0].values()
    actor = await sessions.actor_of(token)
    assert actor is not None
    assert actor.secret == rows[0]["secret"]
    assert actor.secret not in token


async def test_sessions_slide_while_used_and_end_when_not(instance: object) -> None:
    member = await _join()
    token = await sessions.open_session(member)
    shift = PreparedSQL("UPDATE session SET seen = :seen, expires = :expires")
    read = PreparedSQL("SELECT seen, expires FROM session")
    now = datetime.now(UTC)
    await shift(seen=now - timedelta(days=29), expires=now + timedelta(days=1))
    await asyncio.gather(*(sessions.actor_of(token) for _ in range(5)))
    await sessions.settle()
    row = await read.one()
    assert row is not None
    assert row["expires"] - now > timedelta(days=29)
    assert now - row["seen"] < timedelta(minutes=1)
    # Within five minutes a visit writes nothing.
    recent = now - timedelta(minutes=4)
    await shift(seen=recent, expires=now + timedelta(days=1))
    assert await sessions.actor_of(token) is not None
    await sessions.settle()
    row = await read.one()
    assert row is not None
    assert row["seen"] == recent
    await shift(seen=now - timedelta(days=31), expires=now - timedelta(seconds=1))
    assert await sessions.actor_of(token) is None
    assert await sessions.drop_expired_sessions(datetime.now(UTC)) == 1


async def test_suspension_ends_sessions_and_links_at_once(instance: object) -> None:
    member = await _join()
    token, link = await sessions.open_session(member), await make_sign_in_link(SYSTEM, member)
    assert await is_link_open(link)
    await suspend_member(SYSTEM, member)
    assert await sessions.actor_of(token) is None
    assert not await is_link_open(link)
    assert await use_sign_in_link(link) is None
    await readmit_member(SYSTEM, member)
    assert await sessions.actor_of(token) is None
    assert await sign_in.sign_in("ines@example.org", GOOD) == member


async def test_a_role_taken_away_is_gone_at_the_next_request(instance: object) -> None:
    await _join("root@example.org", "Root", role="administrator")
    member = await _join(role="administrator")
    token = await sessions.open_session(member)
    before = await sessions.actor_of(token)
    await change_role(SYSTEM, member, "guest")
    after = await sessions.actor_of(token)
    assert before is not None
    assert after is not None
    assert (before.is_administrator, after.is_administrator, after.is_guest) == (True, False, True)


async def test_groups_come_with_the_actor(instance: object) -> None:
    member, other = await _join(), await _join("b@example.org", "Bruno")
    now = datetime.now(UTC)
    add = PreparedSQL(
        "INSERT INTO member_group (slug, name, description, created) VALUES (:slug, :slug, '', :now) RETURNING id"
    )
    enter = PreparedSQL('INSERT INTO member_group_member ("group", member) VALUES (:group, :member)')
    groups = [(await add(slug=slug, now=now))[0]["id"] for slug in ("first-aid", "works-council", "other")]
    for group in groups[:2]:
        await enter(group=group, member=member)
    mine = await sessions.actor_of(await sessions.open_session(member))
    theirs = await sessions.actor_of(await sessions.open_session(other))
    assert mine is not None
    assert theirs is not None
    assert mine.groups == frozenset(groups[:2])
    assert theirs.groups == frozenset()


async def test_a_link_signs_in_once_within_a_day(instance: object) -> None:
    member = await _join()
    link = await make_sign_in_link(SYSTEM, member)
    # Looking, as mail scanners do, uses nothing.
    assert await is_link_open(link)
    assert await is_link_open(link)
    assert await use_sign_in_link(link) == member
    assert await use_sign_in_link(link) is None
    assert not await is_link_open(link)
    assert await use_sign_in_link("x" * 43) is None
    late = await make_sign_in_link(SYSTEM, member)
    age = PreparedSQL("UPDATE sign_in_link SET expires = :now WHERE used IS NULL")
    await age(now=datetime.now(UTC) - timedelta(seconds=1))
    assert await use_sign_in_link(late) is None
    first, second = await make_sign_in_link(SYSTEM, member), await make_sign_in_link(SYSTEM, member)
    assert await use_sign_in_link(first) is None
    assert await use_sign_in_link(second) == member


async def test_two_who_press_the_button_at_once_open_one_session(instance: object) -> None:
    member = await _join()
    link = await make_sign_in_link(SYSTEM, member)
    found = await asyncio.gather(*(use_sign_in_link(link) for _ in range(4)))
    assert sorted(found, key=str) == sorted([member, None, None, None], key=str)


async def test_reset_takes_password_and_sessions_away_and_lets_choose_anew(instance: object) -> None:
    member = await _join()
    token = await sessions.open_session(member)
    link = await reset_password(SYSTEM, member)
    assert await sessions.actor_of(token) is None
    assert await sign_in.sign_in("ines@example.org", GOOD) is None
    assert await use_sign_in_link(link) == member
    actor = await sessions.actor_of(await sessions.open_session(member))
    assert actor is not None
    await change_password(actor, current="", new="un autre mot bien long")
    assert await sign_in.sign_in("ines@example.org", "un autre mot bien long") == member


async def test_changing_the_password_asks_the_current_one_and_ends_other_sessions(instance: object) -> None:
    member = await _join()
    here, there = await sessions.open_session(member), await sessions.open_session(member)
    actor = await sessions.actor_of(here)
    assert actor is not None
    with pytest.raises(Invalid) as refusal:
        await change_password(actor, current="a wrong guess", new="un autre mot bien long")
    assert set(refusal.value.fields) == {"current"}
    with pytest.raises(Invalid) as refusal:
        await change_password(actor, current=GOOD, new="court")
    assert set(refusal.value.fields) == {"new"}
    assert await sessions.actor_of(there) is not None
    await change_password(actor, current=GOOD, new="un autre mot bien long")
    assert await sessions.actor_of(here) is not None
    assert await sessions.actor_of(there) is None
    with pytest.raises(SignInRequired):
        await change_password(NOBODY, current=GOOD, new="un autre mot bien long")


async def test_sessions_are_listed_and_ended_by_their_owner_alone(instance: object) -> None:
    member, other = await _join(), await _join("b@example.org", "Bruno")
    await sessions.open_session(member, "Firefox", "10.0.0.1")
    mine = await sessions.sessions_of(member)
    assert [(row.user_agent, row.address) for row in mine] == [("Firefox", "10.0.0.1")]
    assert not await sessions.close_session_of(other, mine[0].id)
    assert await sessions.close_session_of(member, mine[0].id)
    assert await sessions.sessions_of(member) == []


async def test_hashing_never_runs_in_the_loop(instance: object, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[str] = set()
    verify, make = passwords.PasswordHasher.verify, passwords.PasswordHasher.hash

    def seen_verify(self: passwords.PasswordHasher, kept: str, password: str) -> bool:
        threads.add(threading.current_thread().name)
        return verify(self, kept, password)

    def seen_hash(self: passwords.PasswordHasher, password: str) -> str:
        threads.add(threading.current_thread().name)
        return make(self, password)

    monkeypatch.setattr(passwords.PasswordHasher, "verify", seen_verify)
    monkeypatch.setattr(passwords.PasswordHasher, "hash", seen_hash)
    await _join()
    await asyncio.gather(
        *(sign_in.sign_in("ines@example.org", GOOD, f"10.9.0.{number}") for number in range(5)),
        sign_in.sign_in("nobody@example.org", GOOD, "10.9.0.1"),
    )
    assert 1 <= len(threads) <= 2
    assert all(name.startswith("parvis-password") for name in threads)


@pytest.mark.parametrize(
    ("password", "fine"),
    [
        ("court", False),
        ("neuf-lett", False),
        ("dix-lettre", True),
        ("ines@example.org", False),
        ("Inès Carbonnel", False),
        ("InesCarbonnel", False),
        ("ines carbonnel 2024", False),
        ("Inès préfère le chêne", True),
        ("motdepasse123", False),
        ("MotDePasse!!", False),
        ("azertyuiop", False),
        ("1234567890", False),
        ("aaaaaaaaaaaa", False),
        ("parvis-demo", True),
        ("x" * 257, False),
        ("un âne et deux bœufs", True),
    ],
)
def test_rules_for_passwords(password: str, fine: bool) -> None:
    fault = passwords.password_fault(password, email="ines@example.org", name="Inès Carbonnel")
    assert (fault is None) is fine
