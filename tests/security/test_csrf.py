"""No request forged from elsewhere is obeyed: each unsafe address, with each trick and its control."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from parvis.people.actor import SYSTEM
from parvis.people.links import make_sign_in_link
from parvis.people.sessions import open_session, sessions_of
from parvis.services.secrets import mask, new_token
from parvis.testing import PASSWORD, Visitor

OK = (200, 201, 204, 303)
HERE = "http://localhost:8000"
# What opens without a session: nothing else may.
OPEN_TO_STRANGERS = {
    ("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/sign-out"), ("GET", "/sign-in/link/{token:str}"),
    ("POST", "/sign-in/link/{token:str}"), ("POST", "/preferences/theme"), ("POST", "/preferences/language"),
    ("GET", "/health/ready"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that its sender may make: where to, with which fields, and by whom."""

    path: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    who: str | None = "Ownerine"
    body: bytes = b""


async def _attempts(town: Any) -> dict[tuple[str, str], Attempt]:
    """Return a request that works for every unsafe address, on things of its own."""
    people, post = town.people, town.posts
    closed = f"/spaces/{town.spaces['closed'].slug}"
    insider = people["Insidor"].id
    other = await open_session(people["Ownerine"].id)
    sessions = await sessions_of(people["Ownerine"].id)
    assert other
    space = {"name": "Space closed", "description": "d", "kind": "closed", "icon": "users", "hue": "pine"}
    mine = {"text": "forged", "title": "", "key": "k1"}
    link = await make_sign_in_link(SYSTEM, people["Strangea"].id)
    new = "cerise griotte noire"
    return {
        ("POST", "/admin/plugins/{name:str}/disable"): Attempt(
            "/admin/plugins/feeds/disable", {"confirm": "1"}, who="Adminique"
        ),
        ("POST", "/admin/plugins/{name:str}/enable"): Attempt("/admin/plugins/feeds/enable", who="Adminique"),
        ("POST", "/c/{content_id:int}/pin"): Attempt(f"/c/{post['open']}/pin"),
        ("POST", "/c/{content_id:int}/unpin"): Attempt(f"/c/{post['open']}/unpin"),
        ("POST", "/c/{content_id:int}/remove"): Attempt(f"/c/{post['open']}/remove"),
        ("POST", "/c/{content_id:int}/undo"): Attempt(f"/c/{post['open']}/undo"),
        ("POST", "/feeds/posts"): Attempt("/feeds/posts", {**mine, "audience": "everyone"}),
        ("POST", "/feeds/preview"): Attempt("/feeds/preview", {"text": "*a*"}),
        ("POST", "/feeds/{content_id:int}/edit"): Attempt(
            f"/feeds/{post['secret']}/edit", {**mine, "version": "1"}
        ),
        ("PUT", "/files"): Attempt("/files", body=b"forged bytes"),
        ("DELETE", "/files/{file_id:int}"): Attempt(f"/files/{town.files['waiting']}"),
        ("POST", "/people/{handle:str}/edit"): Attempt(
            f"/people/{people['Ownerine'].handle}/edit", {"name": "Forged", "version": "1"}
        ),
        ("POST", "/preferences"): Attempt("/preferences", {"theme": "dark", "language": "fr"}),
        ("POST", "/preferences/language"): Attempt("/preferences/language", {"language": "fr"}),
        ("POST", "/preferences/theme"): Attempt("/preferences/theme", {"theme": "light"}),
        ("POST", "/preferences/password"): Attempt(
            "/preferences/password", {"current": PASSWORD, "new": new, "again": new}, who="Insidor"
        ),
        ("POST", "/preferences/sessions/{session_id:int}/end"): Attempt(
            f"/preferences/sessions/{sessions[0].id}/end"
        ),
        ("POST", "/preferences/sessions/end"): Attempt("/preferences/sessions/end"),
        ("POST", "/sign-in"): Attempt(
            "/sign-in", {"email": people["Strangea"].email, "password": PASSWORD}, who=None
        ),
        ("POST", "/sign-in/link/{token:str}"): Attempt(f"/sign-in/link/{link}", who=None),
        ("POST", "/sign-out"): Attempt("/sign-out"),
        ("POST", "/spaces/new"): Attempt("/spaces/new", {**space, "name": "Forged"}),
        ("POST", "/spaces/{slug:str}/edit"): Attempt(
            f"{closed}/edit", {**space, "slug": "space-closed", "version": "1"}
        ),
        ("POST", "/spaces/{slug:str}/join"): Attempt(
            f"/spaces/{town.spaces['open'].slug}/join", who="Strangea"
        ),
        ("POST", "/spaces/{slug:str}/leave"): Attempt(f"/spaces/{town.spaces['open'].slug}/leave", who="Insidor"),
        ("POST", "/spaces/{slug:str}/members"): Attempt(
            f"{closed}/members", {"member": str(people["Strangea"].id)}
        ),
        ("POST", "/spaces/{slug:str}/members/{member_id:int}/role"): Attempt(
            f"{closed}/members/{insider}/role", {"role": "moderator"}
        ),
        ("POST", "/spaces/{slug:str}/members/{member_id:int}/remove"): Attempt(
            f"{closed}/members/{insider}/remove"
        ),
    }  # fmt: skip


# What has to happen before, so that the right request works at its turn.
_ORDER = (
    ("POST", "/c/{content_id:int}/pin"), ("POST", "/c/{content_id:int}/unpin"), ("POST", "/c/{content_id:int}/remove"),
    ("POST", "/c/{content_id:int}/undo"), ("POST", "/spaces/{slug:str}/members"),
    ("POST", "/spaces/{slug:str}/members/{member_id:int}/role"),
    ("POST", "/spaces/{slug:str}/members/{member_id:int}/remove"), ("POST", "/spaces/{slug:str}/edit"),
)  # fmt: skip
_LAST = (
    ("POST", "/admin/plugins/{name:str}/disable"), ("POST", "/admin/plugins/{name:str}/enable"),
    ("POST", "/preferences/sessions/{session_id:int}/end"), ("POST", "/preferences/sessions/end"),
    ("POST", "/sign-out"),
)  # fmt: skip


async def _send(
    visitor: Visitor,
    method: str,
    attempt: Attempt,
    *,
    token: str | None,
    by: str = "field",
    headers: dict[str, str] | None = None,
    query: str = "",
) -> httpx.Response:
    """Send a request with its token as a field or as a header; None sends none."""
    told = dict(headers or {})
    fields = dict(attempt.fields)
    if token is not None and by == "header":
        told["X-CSRF-Token"] = token
    elif token is not None:
        fields = {"csrf": token, **fields}
    path = attempt.path + query
    if method == "POST":
        return await visitor.http.request(method, path, data=fields, headers=told)
    return await visitor.http.request(method, path, content=attempt.body, headers=told)


async def _browser(town: Any, attempt: Attempt) -> Visitor:
    if attempt.who is not None:
        found: Visitor = await town.enter(attempt.who)
        return found
    visitor: Visitor = town.visit()
    await visitor.get("/sign-in")
    return visitor


async def _foreign(
    town: Any, visitor: Visitor, method: str, attempt: Attempt
) -> list[tuple[str, str | None]]:
    """Return tokens that are not this session's."""
    right = visitor.token
    stranger = town.visit()
    await stranger.get("/sign-in")
    found: list[tuple[str, str | None]] = [
        ("no token", None), ("an empty token", ""), ("a token of nobody", "x" * 120),
        ("not a token", "é\x01" if method == "POST" else "~~"),
        ("a token of another session", (await town.enter("Strangea")).token),
        ("a stranger's token", stranger.token),
        ("an unmasked secret", visitor.http.cookies.get("parvis_visit") or "parvis"),
        ("a masked short secret", mask("a")), ("half a token", right[: len(right) // 2]),
        ("a session's token", visitor.http.cookies.get("parvis_session") or "x"),
    ]  # fmt: skip
    if attempt.who is not None:
        same = await town.enter(attempt.who)
        found.append(("a token of the same member's other session", same.token))
    return found


async def _refusals(
    visitor: Visitor, method: str, attempt: Attempt, foreign: list[tuple[str, str | None]]
) -> list[tuple[str, httpx.Response]]:
    """Send everything that must not be obeyed, each with all else right."""
    right, by = visitor.token, "field" if method == "POST" else "header"
    found = [(what, await _send(visitor, method, attempt, token=token, by=by)) for what, token in foreign]
    for what, headers in (
        ("a foreign origin", {"Origin": "https://evil.example"}),
        ("an opaque origin", {"Origin": "null"}),
        ("no origin at all", {"Origin": ""}),
        ("an origin like ours", {"Origin": "http://localhost:8000.evil.example"}),
        ("our name before an at", {"Origin": "http://localhost:8000@evil.example"}),
        ("our name in the path", {"Origin": "https://evil.example/http://localhost:8000"}),
        ("another port", {"Origin": "http://localhost:9000"}),
        ("an origin that cannot be read", {"Origin": "http://[evil"}),
        ("two origins", {"Origin": f"{HERE}, https://evil.example"}),
        ("another site", {"Sec-Fetch-Site": "cross-site"}),
        ("a sibling site", {"Sec-Fetch-Site": "same-site"}),
        ("another site that lies of its origin", {"Sec-Fetch-Site": "cross-site", "Origin": HERE}),
        ("a site of no kind", {"Sec-Fetch-Site": "SAME-ORIGIN, cross-site"}),
    ):
        found.append((what, await _send(visitor, method, attempt, token=right, by=by, headers=headers)))
    query = "?" + urlencode({"csrf": right, "X-CSRF-Token": right})
    found.append(("the token in the address", await _send(visitor, method, attempt, token=None, query=query)))
    for kind, body in (
        ("application/json", json.dumps({"csrf": right, **attempt.fields})),
        ("text/plain", urlencode({"csrf": right, **attempt.fields})),
        ("", urlencode({"csrf": right, **attempt.fields})),
        ("text/plain; x=application/x-www-form-urlencoded", urlencode({"csrf": right, **attempt.fields})),
        ("text/plain; x=multipart/form-data", urlencode({"csrf": right, **attempt.fields})),
    ):
        answer = await visitor.http.request(
            method, attempt.path, content=body, headers={"Content-Type": kind}
        )
        found.append((f"a body of type {kind!r}", answer))
    return found


async def test_no_address_obeys_a_forged_request(town: Any, route_table: Any) -> None:
    attempts = await _attempts(town)
    unsafe = {
        (address.method, address.path) for address in route_table if address.method not in ("GET", "OPTIONS")
    }
    assert set(attempts) == unsafe, "each unsafe address has its attempt here"
    middle = [key for key in attempts if key not in _ORDER and key not in _LAST]
    for method, path in (*_ORDER, *middle, *_LAST):
        attempt = attempts[method, path]
        visitor = await _browser(town, attempt)
        foreign = await _foreign(town, visitor, method, attempt)
        before = await town.dump()
        for what, answer in await _refusals(visitor, method, attempt, foreign):
            assert answer.status_code in (400, 403), (method, path, what, answer.status_code)
            assert "parvis_session" not in answer.headers.get("set-cookie", ""), (path, what)
        assert await town.dump() == before, (method, path)
        by = "field" if method == "POST" else "header"
        headers = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
        answer = await _send(visitor, method, attempt, token=visitor.token, by=by, headers=headers)
        assert answer.status_code in OK, (method, path, answer.status_code, answer.text[-1500:])


async def test_the_token_counts_as_a_header_too(town: Any) -> None:
    """What htmx sends; a wrong header is not made good by a right field, nor the other way round by luck."""
    visitor = await town.enter("Ownerine")
    attempt = Attempt("/preferences/theme", {"theme": "dark"})
    assert (await _send(visitor, "POST", attempt, token=visitor.token, by="header")).status_code == 303
    wrong = await _send(visitor, "POST", attempt, token=visitor.token, headers={"X-CSRF-Token": "wrong"})
    assert wrong.status_code == 403
    multipart = await visitor.http.post(
        attempt.path, data={**attempt.fields, "csrf": visitor.token}, files={"x": ("a.txt", b"a")}
    )
    assert multipart.status_code == 303
    as_file = await visitor.http.post(
        attempt.path, data=attempt.fields, files={"csrf": ("a.txt", visitor.token.encode())}
    )
    assert as_file.status_code == 403


async def test_a_planted_visit_cookie_is_nothing_to_who_is_signed_in(town: Any) -> None:
    """Double submit: who plants a cookie and knows its secret makes a matching token; it must not count."""
    planted = new_token()
    visitor = await town.enter("Ownerine")
    right = visitor.token
    visitor.http.cookies.set("parvis_visit", planted)
    attempt = Attempt("/preferences/theme", {"theme": "dark"})
    for by in ("field", "header"):
        assert (await _send(visitor, "POST", attempt, token=mask(planted), by=by)).status_code == 403
    assert (await _send(visitor, "POST", attempt, token=right)).status_code == 303


async def test_a_guessable_visit_cookie_is_replaced(visit: Callable[[], Visitor]) -> None:
    for secret in ("", "a", "short", "x" * 19):
        stranger = visit()
        stranger.http.cookies.set("parvis_visit", secret, domain="localhost.local")
        fields = {"csrf": mask(secret) if secret else "", "theme": "dark"}
        assert (await stranger.http.post("/preferences/theme", data=fields)).status_code == 403
    fresh = visit()
    await fresh.get("/sign-in")
    assert (await fresh.post("/preferences/theme", {"theme": "dark"})).status_code == 303


OVERRIDES = ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method")


async def test_no_method_is_taken_from_anywhere_but_the_request(town: Any, route_table: Any) -> None:
    """GET and HEAD change nothing anywhere, whatever they say of themselves; nor does a POST become a DELETE."""
    attempts = await _attempts(town)
    visitors = {name: await town.enter(name) for name in ("Ownerine", "Adminique", "Insidor", "Strangea")}
    before = await town.dump()
    for (method, path), attempt in attempts.items():
        visitor = visitors[attempt.who or "Strangea"]
        fields = urlencode({**attempt.fields, "csrf": visitor.token, "_method": method})
        for override in OVERRIDES:
            headers = {override: method, "X-CSRF-Token": visitor.token}
            for safe in ("GET", "HEAD", "OPTIONS"):
                answer = await visitor.http.request(safe, f"{attempt.path}?{fields}", headers=headers)
                assert answer.status_code < 500, (safe, path)
    assert await town.dump() == before
    path = f"/files/{town.files['waiting']}"
    headers = {"X-HTTP-Method-Override": "DELETE", "X-CSRF-Token": visitors["Ownerine"].token}
    answer = await visitors["Ownerine"].http.post(path, data={"_method": "DELETE"}, headers=headers)
    assert answer.status_code == 405
    assert await town.dump() == before
    headers = {"X-CSRF-Token": visitors["Ownerine"].token}
    assert (await visitors["Ownerine"].http.delete(path, headers=headers)).status_code == 204


async def test_only_what_is_named_here_is_open_to_strangers(
    town: Any, route_table: Any, visit: Callable[[], Visitor]
) -> None:
    """Deny by default: a stranger with a right token is sent to sign in at every other address."""
    assert {(one.method, one.path) for one in route_table if one.public} == OPEN_TO_STRANGERS
    assert [one for one in route_table if one.opt.get("own_door")] == []
    attempts = await _attempts(town)
    stranger = visit()
    await stranger.get("/sign-in")
    before = await town.dump()
    headers = {"X-CSRF-Token": stranger.token}
    for address in route_table:
        if address.public or address.method == "OPTIONS":
            continue
        attempt = attempts.get((address.method, address.path))
        path = attempt.path if attempt else _filled(address.path, town)
        fields = attempt.fields if attempt else {}
        for extra in ({}, {"HX-Request-Type": "partial"}, {"Accept": "application/json"}):
            answer = await stranger.http.request(
                address.method, path, data=fields or None, headers={**headers, **extra}
            )
            expected = 401 if extra or path.startswith("/api/") else 303
            assert answer.status_code == expected, (address, answer.status_code)
            if expected == 303:
                assert answer.headers["location"].startswith("/sign-in")
            for words in ("words-", "Family", "about-", "Ownerine", "title-"):
                assert words not in answer.text, (address, words)
    assert await town.dump() == before


def _filled(path: str, town: Any) -> str:
    """Return an address with things that exist in it."""
    for place, value in (
        ("{content_id:int}", str(town.posts["everyone"])), ("{file_id:int}", str(town.files["everyone paper"])),
        ("{handle:str}", town.people["Ownerine"].handle), ("{slug:str}", town.spaces["open"].slug),
    ):  # fmt: skip
        path = path.replace(place, value)
    assert "{" not in path
    return path
