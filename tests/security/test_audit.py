"""The audit trail through the doors: what is done with more rights than others have leaves a row, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from parvis.data import PreparedSQL
from parvis.people.actions import (
    add_member,
    change_role,
    readmit_member,
    reset_password,
    set_manager,
    suspend_member,
)
from parvis.people.links import make_sign_in_link
from parvis.people.sessions import open_session, sessions_of
from parvis.services.audit import empty_details, verify
from parvis.testing import PASSWORD

ROWS = PreparedSQL(
    "SELECT a.seq, a.action, a.actor, a.subject, d.details FROM audit a LEFT JOIN audit_detail d ON d.seq = a.seq"
    " ORDER BY a.seq",
    types={"details": "json"},
)
NEW = "cerise griotte noire"


async def _since(count: int) -> list[tuple[str, int | None, str]]:
    return [(row["action"], row["actor"], row["subject"]) for row in (await ROWS())[count:]]


async def test_every_privileged_act_through_a_page_leaves_one_row(town: Any) -> None:
    """Each act is first refused to somebody without the right, which leaves none."""
    people = {name: row.id for name, row in town.people.items()}
    owner, boss, keeper, plain = [
        await town.enter(name) for name in ("Ownerine", "Adminique", "Modestine", "Strangea")
    ]
    space, other, post = town.spaces["open"], people["Insidor"], town.posts["open"]
    here, subject = f"/spaces/{space.slug}", f"space:{space.id}"
    settings = {"name": "Space open", "kind": "closed", "icon": "users", "hue": "pine", "version": "1"}
    again = {**settings, "kind": "open", "version": "2"}
    handle, admin, author = town.people["Insidor"].handle, people["Adminique"], people["Ownerine"]
    acts: tuple[tuple[Any, str, dict[str, str], tuple[str, int, str]], ...] = (
        (keeper, f"/c/{post}/pin", {}, ("content.pinned", people["Modestine"], f"content:{post}")),
        (keeper, f"/c/{post}/unpin", {}, ("content.unpinned", people["Modestine"], f"content:{post}")),
        (keeper, f"/c/{post}/remove", {}, ("content.removed", people["Modestine"], f"content:{post}")),
        (keeper, f"/c/{post}/undo", {}, ("content.restored", people["Modestine"], f"content:{post}")),
        (owner, f"{here}/members", {"member": str(people["Guestave"])}, ("space.member_added", author, subject)),
        (owner, f"{here}/members/{other}/role", {"role": "moderator"}, ("space.role_changed", author, subject)),
        (owner, f"{here}/members/{other}/remove", {}, ("space.member_removed", author, subject)),
        (boss, f"{here}/edit", settings, ("space.edited", admin, subject)),
        (boss, f"{here}/edit", again, ("space.edited", admin, subject)),
        (boss, f"/people/{handle}/edit", {"name": "By another", "version": "1"},
         ("member.profile_edited", admin, f"member:{other}")),
        (boss, "/admin/plugins/feeds/disable", {"confirm": "1"}, ("plugin.disabled", admin, "plugin:feeds")),
        (boss, "/admin/plugins/feeds/enable", {}, ("plugin.enabled", admin, "plugin:feeds")),
    )  # fmt: skip
    for visitor, path, fields, expected in acts:
        count = len(await ROWS())
        refused = await plain.post(path, fields)
        assert refused.status_code in (403, 404), (path, refused.status_code)
        assert await _since(count) == [], path
        done = await visitor.post(path, fields)
        assert done.status_code == 303, (path, done.status_code)
        assert await _since(count) == [expected], path
    assert await verify() is None


async def test_what_one_does_with_ones_own_leaves_none_but_where_it_is_about_signing_in(town: Any) -> None:
    me, row = await town.enter("Ownerine"), town.people["Ownerine"]
    count, post = len(await ROWS()), town.posts["everyone"]
    for path, fields in (
        (f"/c/{post}/remove", {}), (f"/c/{post}/undo", {}),
        (f"/people/{row.handle}/edit", {"name": "Me", "version": "1"}),
        ("/preferences", {"theme": "dark"}), ("/feeds/posts", {"audience": "everyone", "text": "a", "key": "k"}),
    ):  # fmt: skip
        assert (await me.post(path, fields)).status_code == 303, path
    assert await _since(count) == []
    await open_session(row.id)
    stale = (await sessions_of(row.id))[0].id
    for path, fields, action in (
        (f"/preferences/sessions/{stale}/end", {}, "member.session_ended"),
        ("/preferences/sessions/end", {}, "member.sessions_ended"),
        (
            f"/people/{row.handle}/edit",
            {"name": "Me", "version": "2", "handle": "another"},
            "member.handle_changed",
        ),
        ("/preferences/password", {"current": PASSWORD, "new": NEW, "again": NEW}, "member.password_changed"),
    ):
        count = len(await ROWS())
        assert (await me.post(path, fields)).status_code == 303, path
        assert await _since(count) == [(action, row.id, f"member:{row.id}")], path
    visitor, count = town.visit(), len(await ROWS())
    await visitor.post("/sign-in", {"email": row.email, "password": "a wrong guess"})
    await visitor.post("/sign-in", {"email": "nobody@example.org", "password": "a wrong guess"})
    await visitor.post("/sign-in", {"email": row.email, "password": NEW})
    assert await _since(count) == [
        ("member.sign_in_refused", None, f"member:{row.id}"), ("member.sign_in_refused", None, ""),
        ("member.signed_in", row.id, f"member:{row.id}"),
    ]  # fmt: skip


async def test_what_is_done_to_members_leaves_a_row_and_no_secret(town: Any) -> None:
    boss, member = await town.actor("Adminique"), town.people["Insidor"].id
    subject, count = f"member:{member}", len(await ROWS())
    link = await make_sign_in_link(boss, member)
    await change_role(boss, member, "moderator")
    await set_manager(boss, member, town.people["Ownerine"].id)
    await suspend_member(boss, member)
    await readmit_member(boss, member)
    reset = await reset_password(boss, member)
    added = await add_member(boss, email="new@example.org", name="New Person", password=NEW)
    done = await _since(count)
    for action in (
        "member.sign_in_link_made", "member.role_changed", "member.manager_changed", "member.suspended",
        "member.readmitted", "member.password_reset",
    ):  # fmt: skip
        assert (action, boss.member, subject) in done, action
    assert ("member.added", boss.member, f"member:{added.id}") in done
    told = json.dumps(await ROWS(), default=str)
    for secret in (link, reset, NEW, PASSWORD):
        assert secret not in told
    assert await verify() is None


async def test_erasing_a_member_leaves_rows_without_what_they_told(town: Any) -> None:
    """Addresses of the network are personal: they go, the rows stay, and a row changed by hand shows."""
    row, visitor = town.people["Ownerine"], town.visit()
    await visitor.post("/sign-in", {"email": row.email, "password": PASSWORD})
    before = await ROWS()
    mine = [one for one in before if one["details"] and row.id in (one["actor"], _member(one["subject"]))]
    assert any("address" in one["details"] for one in mine)
    assert await empty_details(row.id) == len(mine)
    after = await ROWS()
    assert [(one["seq"], one["action"]) for one in after] == [(one["seq"], one["action"]) for one in before]
    assert all(one["details"] is None for one in after if row.id in (one["actor"], _member(one["subject"])))
    assert any(one["details"] for one in after), "those of others stay"
    assert await verify() is None
    await PreparedSQL("UPDATE audit SET actor = NULL WHERE action = 'member.signed_in'")()
    assert await verify() == next(one["seq"] for one in after if one["action"] == "member.signed_in")


def _member(subject: str) -> int | None:
    kind, _, number = subject.partition(":")
    return int(number) if kind == "member" and number else None
