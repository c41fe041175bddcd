"""Things of others: at every address with an id or slug in it, what one may not see is what does not exist."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from parvis.data import PreparedSQL
from parvis.people.actor import SYSTEM
from parvis.people.sessions import open_session, sessions_of
from parvis.spaces.actions import remove_space_member
from parvis.testing import Visitor

_HIDDEN = re.compile(r'[A-Za-z0-9_-]{80,}|data-request="[^"]*"|[0-9a-f]{16}')
# Who knows nothing of the secret space; the guest knows nothing of the others either.
OUTSIDE = ("Strangea", "Guestave", "Modestine", "Adminique")
HEADERS = (
    {}, {"HX-Request": "true", "HX-Request-Type": "partial"}, {"Accept": "application/json"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """An address with a thing in it: the real one, one that never was, and what its owner gets."""

    path: str
    unknown: str
    fields: dict[str, str] = field(default_factory=dict)
    expected: tuple[int, ...] = (200, 204, 303)
    owner: str = "Ownerine"
    strangers: tuple[str, ...] = OUTSIDE


def _of_content(path: str, town: Any, **more: Any) -> Case:
    return Case(path.format(town.posts["secret"]), path.format(999_999), **more)


def _of_space(path: str, town: Any, **more: Any) -> Case:
    return Case(path.format(town.spaces["secret"].slug), path.format("no-such-space"), **more)


async def _cases(town: Any) -> dict[tuple[str, str], list[Case]]:
    """Return a case for each address that names a thing, on the secret space and what is in it."""
    files, people = town.files, town.people
    insider, outsider = people["Insidor"].id, people["Strangea"].id
    await open_session(people["Ownerine"].id)
    session = (await sessions_of(people["Ownerine"].id))[0].id
    edit = {"text": "new words", "title": "", "version": "1"}
    space = {"name": "Space secret", "description": "d", "kind": "secret", "icon": "users", "hue": "pine"}
    in_secret = [
        Case(f"/f/{files[name]}{query}", f"/f/999999{query}")
        for name in ("secret picture", "secret paper", "secret cover", "waiting")
        for query in ("", "?size=480", "?size=1600", "?size=x", "?download=true")
    ]
    guest = ("Guestave",)
    handle = people["Ownerine"].handle
    return {
        ("GET", "/c/{content_id:int}"): [_of_content("/c/{}", town), _of_content("/c/{}?x=1", town)],
        ("GET", "/c/{content_id:int}/menu"): [_of_content("/c/{}/menu", town)],
        ("POST", "/c/{content_id:int}/pin"): [_of_content("/c/{}/pin", town)],
        ("POST", "/c/{content_id:int}/unpin"): [_of_content("/c/{}/unpin", town)],
        ("POST", "/c/{content_id:int}/remove"): [_of_content("/c/{}/remove", town)],
        ("POST", "/c/{content_id:int}/undo"): [_of_content("/c/{}/undo", town)],
        ("GET", "/feeds/{content_id:int}/edit"): [_of_content("/feeds/{}/edit", town)],
        ("POST", "/feeds/{content_id:int}/edit"): [_of_content("/feeds/{}/edit", town, fields=edit)],
        ("GET", "/api/v1/contents/{content_id:int}"): [_of_content("/api/v1/contents/{}", town)],
        ("GET", "/f/{file_id:int}"): [*in_secret, Case(f"/f/{files['face']}", "/f/999999", strangers=guest)],
        ("DELETE", "/files/{file_id:int}"): [Case(f"/files/{files['waiting']}", "/files/999999")],
        ("GET", "/people/{handle:str}"): [Case(f"/people/{handle}", "/people/no-one", strangers=guest)],
        ("GET", "/people/{handle:str}/edit"): [
            Case(f"/people/{handle}/edit", "/people/no-one/edit", strangers=guest)
        ],
        ("POST", "/people/{handle:str}/edit"): [
            Case(
                f"/people/{handle}/edit", "/people/no-one/edit", {"name": "New", "version": "1"}, strangers=guest
            )
        ],
        ("GET", "/api/v1/people/{handle:str}"): [
            Case(f"/api/v1/people/{handle}", "/api/v1/people/no-one", strangers=guest)
        ],
        ("POST", "/preferences/sessions/{session_id:int}/end"): [
            Case(f"/preferences/sessions/{session}/end", "/preferences/sessions/999999/end")
        ],
        ("GET", "/spaces/{slug:str}"): [_of_space("/spaces/{}", town)],
        ("GET", "/spaces/{slug:str}/about"): [_of_space("/spaces/{}/about", town)],
        ("GET", "/spaces/{slug:str}/edit"): [_of_space("/spaces/{}/edit", town)],
        ("POST", "/spaces/{slug:str}/edit"): [
            _of_space("/spaces/{}/edit", town, fields={**space, "version": "1"})
        ],
        ("GET", "/spaces/{slug:str}/members"): [_of_space("/spaces/{}/members", town)],
        ("POST", "/spaces/{slug:str}/members"): [
            _of_space("/spaces/{}/members", town, fields={"member": str(outsider)})
        ],
        ("POST", "/spaces/{slug:str}/members/{member_id:int}/role"): [
            _of_space(f"/spaces/{{}}/members/{insider}/role", town, fields={"role": "moderator"})
        ],
        ("POST", "/spaces/{slug:str}/members/{member_id:int}/remove"): [
            _of_space(f"/spaces/{{}}/members/{insider}/remove", town)
        ],
        ("POST", "/spaces/{slug:str}/join"): [_of_space("/spaces/{}/join", town)],
        # The last owner may not leave; another member may.
        ("POST", "/spaces/{slug:str}/leave"): [_of_space("/spaces/{}/leave", town, owner="Ownerine", expected=(409,))],
        ("GET", "/api/v1/spaces/{slug:str}"): [_of_space("/api/v1/spaces/{}", town)],
        # Things named in the query rather than in the path.
        ("GET", "/api/v1/contents"): [_of_space("/api/v1/contents?space={}", town)],
        ("GET", "/feeds/more"): [_of_space("/feeds/more?space={}", town)],
        ("GET", "/feeds/compose"): [_of_space("/feeds/compose?space={}", town)],
        ("POST", "/feeds/posts"): [
            Case(
                "/feeds/posts", "/feeds/posts", {"text": "in", "key": "k", "audience": town.spaces["secret"].slug}
            )
        ],
    }  # fmt: skip


# Addresses with a parameter that name no thing of the community: a token is its own right, a module is the site's.
NOT_THINGS = {
    ("GET", "/sign-in/link/{token:str}"), ("POST", "/sign-in/link/{token:str}"),
    ("POST", "/admin/plugins/{name:str}/enable"), ("POST", "/admin/plugins/{name:str}/disable"),
}  # fmt: skip


def _told(answer: httpx.Response, *own: str) -> tuple[Any, ...]:
    """Return everything an answer tells, without tokens, numbers of requests and the address that was asked."""
    text = _HIDDEN.sub("", answer.text)
    for address in own:
        text = text.replace(address, "")
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("x-request-id", "content-length")
    }
    return answer.status_code, headers, text


async def _send(
    visitor: Visitor, method: str, path: str, fields: dict[str, str], extra: Any
) -> httpx.Response:
    headers = {"X-CSRF-Token": visitor.token, **extra}
    return await visitor.http.request(method, path, data=fields or None, headers=headers)


async def test_what_one_may_not_see_is_what_does_not_exist(town: Any, route_table: Any) -> None:
    """The same bytes, for each kind of stranger and answer; then the owner succeeds with the very same request."""
    cases = await _cases(town)
    named = {(one.method, one.path) for one in route_table if "{" in one.path and one.method != "OPTIONS"}
    assert named - set(cases) == NOT_THINGS, "each address that names a thing has its case here"
    visitors = {name: await town.enter(name) for name in (*OUTSIDE, "Ownerine")}
    before = await town.dump()
    for (method, _), group in cases.items():
        for case in group:
            for name in case.strangers:
                for extra in HEADERS:
                    visitor = visitors[name]
                    unknown_fields = {**case.fields}
                    if unknown_fields.get("audience"):
                        unknown_fields["audience"] = "no-such-space"
                    foreign = await _send(visitor, method, case.path, case.fields, extra)
                    unknown = await _send(visitor, method, case.unknown, unknown_fields, extra)
                    what = (method, case.path, name, extra)
                    assert _told(foreign, case.path) == _told(unknown, case.unknown), what
                    assert foreign.status_code == 404, what
                    for words in ("words-secret", "title-secret", "about-secret", "Space secret"):
                        assert words not in foreign.text, what
    assert await town.dump() == before
    owner = visitors["Ownerine"]
    last = ("leave", "/remove", "sessions", "/files/", "/undo")
    for method, path in sorted(
        cases, key=lambda key: (any(word in key[1] for word in last), key[1].endswith("undo"))
    ):
        for case in cases[method, path]:
            answer = await _send(owner, method, case.path, case.fields, {})
            assert answer.status_code in case.expected, (
                method,
                case.path,
                answer.status_code,
                answer.text[-900:],
            )
    assert await town.dump() != before


async def test_a_closed_space_shows_its_name_and_nothing_in_it(town: Any) -> None:
    inside, outside = await town.enter("Insidor"), await town.enter("Strangea")
    post, slug = town.posts["closed"], town.spaces["closed"].slug
    for path, unknown in (
        (f"/c/{post}", "/c/999999"), (f"/c/{post}/menu", "/c/999999/menu"),
        (f"/api/v1/contents/{post}", "/api/v1/contents/999999"),
        (f"/api/v1/contents?space={slug}", "/api/v1/contents?space=no-such-space"),
        (f"/feeds/more?space={slug}", "/feeds/more?space=no-such-space"),
        (f"/f/{town.files['closed picture']}", "/f/999999"), (f"/f/{town.files['closed paper']}", "/f/999999"),
    ):  # fmt: skip
        foreign = await outside.get(path)
        assert foreign.status_code == 404, path
        assert _told(foreign, path) == _told(await outside.get(unknown), unknown)
        assert (await inside.get(path)).status_code in (200, 303), path
    for path in (
        f"/spaces/{slug}",
        f"/spaces/{slug}/about",
        "/",
        "/spaces",
        f"/f/{town.files['closed cover']}",
    ):
        shown = await outside.get(path)
        assert shown.status_code == 200
        for words in ("words-closed", "title-closed", f'id="c-{post}"', "Insidor"):
            assert words not in shown.text, (path, words)
    assert "words-closed" in (await inside.get(f"/spaces/{slug}")).text


async def test_files_in_every_way_they_can_be_asked_for(town: Any) -> None:
    """Ranges, HEAD, conditions and sizes go through the same door as the whole file, and are kept by nobody else."""
    inside, outside, stranger = await town.enter("Insidor"), await town.enter("Strangea"), town.visit()
    for name in ("secret picture", "secret paper"):
        path = f"/f/{town.files[name]}"
        whole = await inside.get(path)
        assert whole.status_code == 200
        tag = whole.headers["etag"]
        ways: tuple[tuple[str, dict[str, str], int], ...] = (
            ("GET", {}, 200), ("HEAD", {}, 200), ("GET", {"If-None-Match": tag}, 304),
            ("HEAD", {"If-None-Match": tag}, 304), ("GET", {"Range": "bytes=2-5"}, 206),
            ("GET", {"Range": "bytes=-3"}, 206), ("HEAD", {"Range": "bytes=2-5"}, 206),
            ("GET", {"Range": "bytes=2-5", "If-Range": tag}, 206),
            ("GET", {"Range": "bytes=2-5", "If-Range": '"x"'}, 200),
            ("GET", {"Range": "bytes=99999999-"}, 416), ("GET", {"Range": "bytes=9-2"}, 416),
            ("GET", {"Range": f"bytes={'9' * 5000}-"}, 416), ("GET", {"Range": f"bytes=-{'9' * 30}"}, 200),
            ("GET", {"Range": "bytes=0-1,3-4"}, 200), ("GET", {"Range": "bytes=-"}, 200),
            ("GET", {"Range": "lines=1-2"}, 200),
            ("GET", {"Range": "bytes=-0"}, 416),
        )  # fmt: skip
        for method, headers, expected in ways:
            what = (name, method, headers)
            answer = await inside.http.request(method, path, headers=headers)
            assert answer.status_code == expected, (what, answer.status_code)
            assert answer.headers["cache-control"].startswith("private"), what
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            if method == "HEAD":
                assert answer.content == b""
            elif expected == 206:
                assert answer.content in whole.content
                assert len(answer.content) < len(whole.content)
            for other, code in ((outside, 404), (stranger, 303)):
                refused = await other.http.request(method, path, headers=headers)
                assert refused.status_code == code, what
                assert "etag" not in refused.headers
                assert "accept-ranges" not in refused.headers
                assert "public" not in refused.headers.get("cache-control", "")
                assert whole.content not in refused.content


async def test_a_right_taken_away_takes_the_files_along(town: Any) -> None:
    inside = await town.enter("Insidor")
    path = f"/f/{town.files['secret paper']}"
    first = await inside.get(path)
    assert first.status_code == 200
    assert "no-cache" in first.headers["cache-control"], "papers are asked for again each time"
    await remove_space_member(SYSTEM, town.spaces["secret"], town.people["Insidor"].id)
    for headers in ({}, {"If-None-Match": first.headers["etag"]}, {"Range": "bytes=0-1"}):
        assert (await inside.get(path, headers=headers)).status_code == 404
    assert (await inside.get(f"/c/{town.posts['secret']}")).status_code == 404


async def test_a_file_of_others_is_attached_to_nothing_of_mine(town: Any) -> None:
    """Naming a file one may not read, or read but not own, neither shows it nor moves it."""
    stranger = await town.enter("Strangea")
    fields = {"audience": "everyone", "title": "", "text": "mine"}
    for number, name in enumerate(
        ("secret picture", "secret paper", "waiting", "everyone paper", "face", "secret cover")
    ):
        before = await town.dump()
        sent = await stranger.post(
            "/feeds/posts", {**fields, "key": f"k{number}", "file": str(town.files[name])}
        )
        assert sent.status_code == 422, name
        for words in (
            f"{name.split()[0]}.png",
            f"{name.split()[0]}.txt",
            "waiting.txt",
            f"/f/{town.files[name]}",
        ):
            assert words not in sent.text, (name, words)
        assert await town.dump() == before, name
    owner = await town.enter("Ownerine")
    done = await owner.post("/feeds/posts", {**fields, "key": "mine", "file": str(town.files["waiting"])})
    assert done.status_code == 303
    again = await owner.post(
        "/feeds/posts", {**fields, "key": "twice", "file": str(town.files["secret paper"])}
    )
    assert again.status_code == 422, "not even one's own, once it is somewhere"


@pytest.mark.parametrize("what", ["profile", "space", "post"])
async def test_more_fields_than_a_form_has_change_nothing_more(town: Any, what: str) -> None:
    """Roles, states, owners and ids sent along with a form are nobody's to set."""
    owner = await town.enter("Strangea" if what == "profile" else "Ownerine")
    extra = {
        "role": "administrator", "state": "published", "id": "1", "author": "1", "owner": "1",
        "email": "x@evil.example",
        "created_by": "1", "pinned": "1", "audience_id": "1", "password_hash": "x", "manager": "1",
        "members_count": "99",
        "removed_by": "1", "picture": "1", "cover": "1", "variants": "{}", "hash": "x", "listed": "0", "root": "1",
    }  # fmt: skip
    row, space = town.people["Strangea"], town.spaces["open"]
    path, fields, table, free = {
        "profile": (f"/people/{row.handle}/edit", {"name": "New name", "version": "1"}, "member",
                    {"name", "sort_name", "search", "version", "handle"}),
        "space": (f"/spaces/{space.slug}/edit", {"name": "New name", "kind": "open", "icon": "users", "hue": "pine",
                  "version": "1"}, "space", {"name", "version", "description"}),
        "post": (f"/feeds/{town.posts['open']}/edit", {"text": "new", "title": "n", "version": "1"}, "content",
                 {"title", "version", "edited", "language"}),
    }[what]  # fmt: skip
    read = PreparedSQL(f"SELECT * FROM {table} ORDER BY id")
    before = await read()
    assert (await owner.post(path, {**extra, **fields})).status_code == 303
    for old, new in zip(before, await read(), strict=True):
        assert {name for name in new if new[name] != old[name]} <= free | {"last_seen"}
