"""Members: how they come in, what they may change, and who finds them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parvis.data import PreparedSQL
from parvis.errors import Conflict, Forbidden, Invalid, NotFound, SignInRequired
from parvis.people.access import MemberMoved, access_member, visible_among
from parvis.people.actions import add_member, change_role, set_manager, suspend_member
from parvis.people.actor import NOBODY, SYSTEM, Actor
from parvis.people.cards import person_cards
from parvis.people.directory import After, directory, newest_members
from parvis.people.names import HUES, clean_line, fold, hue_of, initials_of, slug_of, sort_name_of
from parvis.people.profile_actions import edit_preferences, edit_profile, rename_handle
from parvis.people.tables import Member, MemberRow
from parvis.spaces.actions import add_space_member, open_space


async def _add(name: str, email: str = "", **more: Any) -> MemberRow:
    return await add_member(SYSTEM, name=name, email=email or f"{slug_of(name)}@example.org", **more)


def _actor(row: MemberRow) -> Actor:
    return Actor(
        member=row.id, name=row.name, handle=row.handle, email=row.email, role=row.role, via="session"
    )


async def test_a_member_comes_in_with_a_handle_of_his_name(instance: object) -> None:
    first = await _add(
        "Solène Le Goff", " Solene@Example.ORG ", profile={"job": "Menuisière", "skills": "CAO, Bois"}
    )
    second = await _add("Solene Le Goff", "s2@example.org")
    third = await _add("王芳", "fang@example.org")
    reserved = await _add("New", "n@example.org")
    assert (first.email, first.handle, first.skills) == (
        "solene@example.org",
        "solene-le-goff",
        ["CAO", "Bois"],
    )
    assert second.handle == "solene-le-goff-2"
    assert third.handle == "fang"
    assert reserved.handle == "new-2"
    assert await Member.with_email("solene@example.org") == first


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("email", {"email": "nobody", "name": "N"}),
        ("email", {"email": "taken@example.org", "name": "N"}),
        ("email", {"email": "a b@example.org", "name": "N"}),
        ("name", {"email": "n@example.org", "name": " \u200b\u202e "}),
        ("name", {"email": "n@example.org", "name": "x" * 101}),
        ("role", {"email": "n@example.org", "name": "N", "role": "owner"}),
        ("password", {"email": "n@example.org", "name": "N", "password": "court"}),
        ("language", {"email": "n@example.org", "name": "N", "language": "xx"}),
        ("time_zone", {"email": "n@example.org", "name": "N", "time_zone": "../../etc/passwd"}),
        ("skills", {"email": "n@example.org", "name": "N", "profile": {"skills": ["x" * 51]}}),
    ],
)
async def test_bad_fields_are_named(instance: object, field: str, values: dict[str, Any]) -> None:
    await _add("Taken")
    with pytest.raises(Invalid) as refusal:
        await add_member(SYSTEM, **values)
    assert set(refusal.value.fields) == {field}
    fine = {**values, "email": "n@example.org", "name": "N"}
    for extra in ("role", "password", "language", "time_zone", "profile"):
        fine.pop(extra, None)
    assert (await add_member(SYSTEM, **fine)).name == "N"


async def test_only_administrators_and_the_system_administer(instance: object) -> None:
    boss, plain = await _add("Boss", role="administrator"), await _add("Plain")
    for actor, error in ((_actor(plain), Forbidden), (NOBODY, SignInRequired)):
        for work in (
            add_member(actor, email="x@example.org", name="X"),
            change_role(actor, plain.id, "administrator"),
            suspend_member(actor, boss.id),
            set_manager(actor, boss.id, plain.id),
        ):
            with pytest.raises(error):
                await work
    assert (await change_role(_actor(boss), plain.id, "moderator")).role == "moderator"


async def test_the_last_administrator_stays(instance: object) -> None:
    one, two = await _add("One", role="administrator"), await _add("Two", role="administrator")
    await suspend_member(SYSTEM, two.id)
    with pytest.raises(Conflict):
        await change_role(SYSTEM, one.id, "member")
    with pytest.raises(Conflict):
        await suspend_member(SYSTEM, one.id)
    await _add("Three", role="administrator")
    assert (await change_role(SYSTEM, one.id, "member")).role == "member"


async def test_of_administrators_who_step_back_at_once_one_stays(instance: object) -> None:
    boards = [await _add(f"Board {number}", role="administrator") for number in range(4)]
    await asyncio.gather(*(change_role(SYSTEM, row.id, "member") for row in boards), return_exceptions=True)
    rows = await PreparedSQL("SELECT id FROM member WHERE role = 'administrator'")()
    assert len(rows) == 1


async def test_one_edits_oneself_and_administrators_edit_all(instance: object) -> None:
    boss, me, other = await _add("Boss", role="administrator"), await _add("Me"), await _add("Other")
    values = {
        "name": "Moi-même",
        "job": "Ébéniste",
        "site": "Nantes",
        "skills": ["Placage", "placâge", " Vernis "],
    }
    with pytest.raises(Forbidden):
        await edit_profile(_actor(other), me.id, me.version, values)
    with pytest.raises(SignInRequired):
        await edit_profile(NOBODY, me.id, me.version, values)
    saved = await edit_profile(_actor(me), me.id, me.version, values)
    assert (saved.name, saved.job, saved.skills) == ("Moi-même", "Ébéniste", ["Placage", "Vernis"])
    # A form opened before that save is told so rather than winning silently.
    with pytest.raises(Conflict):
        await edit_profile(_actor(me), me.id, me.version, {"name": "Ancien"})
    with pytest.raises(Invalid) as refusal:
        await edit_profile(_actor(me), me.id, saved.version, {"name": "", "job": "Gardé"})
    assert refusal.value.values["job"] == "Gardé"
    assert (await edit_profile(_actor(boss), me.id, saved.version, values)).version == saved.version + 1


async def test_preferences_are_checked(instance: object) -> None:
    me = await _add("Me")
    await edit_preferences(_actor(me), language="en", time_zone="Europe/Paris", theme="dark", shortcuts=False)
    saved = await Member.with_id(me.id)
    assert saved is not None
    assert (saved.language, saved.time_zone, saved.theme, saved.shortcuts) == (
        "en",
        "Europe/Paris",
        "dark",
        False,
    )
    for field, bad in (("language", "xx"), ("time_zone", "Mars/Base"), ("theme", "pink")):
        fine: dict[str, Any] = {"language": None, "time_zone": None, "theme": "auto", "shortcuts": True}
        with pytest.raises(Invalid) as refusal:
            await edit_preferences(_actor(me), **{**fine, field: bad})
        assert set(refusal.value.fields) == {field}


async def test_a_former_handle_leads_on_and_is_nobody_elses(instance: object) -> None:
    me, other = await _add("Claire Martin"), await _add("Other")
    assert await rename_handle(_actor(me), me.id, "@Claire") == "claire"
    with pytest.raises(MemberMoved) as moved:
        await access_member(_actor(other), "claire-martin")
    assert (moved.value.now, moved.value.path("/people/claire-martin/edit")) == (
        "claire",
        "/people/claire/edit",
    )
    for wanted in ("claire-martin", "claire", "edit", "a b", "-x", ""):
        with pytest.raises(Invalid):
            await rename_handle(_actor(other), other.id, wanted)
    assert (await _add("Claire Martin", "c2@example.org")).handle == "claire-martin-2"
    # Back again: the address is the page's own once more and leads nowhere else.
    assert await rename_handle(_actor(me), me.id, "claire-martin") == "claire-martin"
    assert (await access_member(_actor(other), "claire-martin")).id == me.id


async def test_nobody_reports_to_oneself(instance: object) -> None:
    one, two, three = [await _add(name) for name in ("One", "Two", "Three")]
    await set_manager(SYSTEM, two.id, one.id)
    await set_manager(SYSTEM, three.id, two.id)
    for above in (one, two, three):
        with pytest.raises(Invalid):
            await set_manager(SYSTEM, one.id, above.id)
    await set_manager(SYSTEM, two.id, None)
    await set_manager(SYSTEM, one.id, three.id)


async def test_search_knows_no_accents_and_takes_signs_literally(instance: object) -> None:
    reader = _actor(await _add("Reader"))
    await _add(
        "Hélène Œuvrard", profile={"job": "Cheffe d’atelier", "site": "Évry", "skills": ["C++", "100 % bois"]}
    )
    await _add("Helen Smith", profile={"team": "Atelier"})

    async def found(query: str) -> list[str]:
        return [row.name for row in (await directory(reader, query=query)).people]

    assert await found("helene") == ["Hélène Œuvrard"]
    assert await found("HÉLÈNE oeuv") == ["Hélène Œuvrard"]
    assert await found("atelier") == ["Hélène Œuvrard", "Helen Smith"]
    assert await found("atelier evry") == ["Hélène Œuvrard"]
    assert await found("d'atelier") == ["Hélène Œuvrard"]
    assert await found("c++") == ["Hélène Œuvrard"]
    assert await found("100 %") == ["Hélène Œuvrard"]
    for literal in ("_", "h_len", "!", "'", "zz%", '"'):
        assert await found(literal) == [] or literal == "'"
    assert len(await found("")) == 3


async def test_the_directory_is_paged_by_key_and_counted(instance: object) -> None:
    reader = _actor(await _add("Zoé Lectrice"))
    for number in range(7):
        await _add(
            "Jean Dupont", f"j{number}@example.org", profile={"site": "Nantes" if number < 4 else "Lyon"}
        )
    names, after, pages = [], None, 0
    while True:
        page = await directory(reader, after=after, size=3)
        names += [row.id for row in page.people]
        assert page.total == 8
        pages += 1
        if page.next is None:
            break
        after = page.next
    assert (len(names), len(set(names)), pages) == (8, 8, 3)
    lyon = await directory(reader, site="Lyon")
    assert (lyon.total, len(lyon.people)) == (3, 3)
    assert [(facet.name, facet.count) for facet in lyon.sites] == [("Lyon", 3), ("Nantes", 4)]
    assert (await directory(reader, after=After("zzz", 0))).people == []


async def test_guests_see_only_the_people_of_their_spaces(instance: object) -> None:
    owner, inside, outside = await _add("Owner"), await _add("Inside"), await _add("Outside")
    guest, lonely = await _add("Guest", role="guest"), await _add("Lonely", role="guest")
    space = await open_space(_actor(owner), {"name": "Chantier", "kind": "secret"})
    for row in (inside, guest):
        await add_space_member(SYSTEM, space, row.id)
    seen = {"Owner", "Inside", "Guest"}
    everybody = [owner.id, inside.id, outside.id, guest.id, lonely.id]
    for actor, expected in (
        (_actor(guest), seen),
        (_actor(lonely), {"Lonely"}),
        (_actor(outside), seen | {"Outside", "Lonely"}),
        (NOBODY, set()),
    ):
        page = await directory(actor)
        assert {row.name for row in page.people} == expected
        assert page.total == len(expected)
        assert {row.name for row in await newest_members(actor, 10)} == expected
        assert len(await visible_among(actor, everybody)) == len(expected)
        for row in (owner, inside, outside, guest, lonely):
            for key in (row.id, row.handle):
                if row.name in expected:
                    assert (await access_member(actor, key)).id == row.id
                else:
                    with pytest.raises(NotFound):
                        await access_member(actor, key)


async def test_suspended_people_leave_the_directory_but_not_what_they_wrote(instance: object) -> None:
    reader, gone = _actor(await _add("Reader")), await _add("Gone")
    await suspend_member(SYSTEM, gone.id)
    assert [row.name for row in (await directory(reader)).people] == ["Reader"]
    assert (await access_member(reader, gone.id)).state == "suspended"
    cards = await person_cards([gone.id, None, gone.id, 10_000])
    assert list(cards) == [gone.id]
    assert cards[gone.id]["name"] == "Gone"


async def test_a_card_has_a_face_or_initials(instance: object) -> None:
    me = await _add("Jean-Baptiste Œuvrard")
    card = (await person_cards([me.id]))[me.id]
    assert card["hue"] == hue_of(me.handle)
    assert card["initials"] == "JŒ"
    assert await person_cards([]) == {}


def test_people_are_listed_by_family_name() -> None:
    names = ["Solène Le Goff", "Mehdi Amrani", "Charles de La Tour", "Cher", "王芳", "Le Goff"]
    assert [sort_name_of(name) for name in names] == [
        "le goff solene", "amrani mehdi", "de la tour charles", "cher", "王芳", "goff le",
    ]  # fmt: skip


def test_initials_and_hues() -> None:
    assert [initials_of(name) for name in ("Solène Le Goff", "Cher", "王芳", "", "«»", "o'brien")] == [
        "SG", "C", "王", "?", "?", "OB",
    ]  # fmt: skip
    assert {hue_of(f"member-{number}") for number in range(200)} == set(HUES)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text(max_size=80))
def test_names_of_every_script_are_cleaned_and_folded(text: str) -> None:
    line = clean_line(text)
    assert clean_line(line) == line
    assert fold(fold(text)) == fold(text)
    assert not any(char in line for char in "\n\r\t\x00\u202e\u200b")
    assert set(slug_of(text)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 1 <= len(initials_of(line)) <= 2


async def test_joined_may_be_backdated(instance: object) -> None:
    then = datetime(2020, 5, 4, 8, tzinfo=UTC)
    assert (await _add("Ancienne", joined=then)).joined == then
