"""Sessions: what the browser is told to keep, what is kept here, and how a session begins and ends."""

from __future__ import annotations

import dataclasses
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from litestar._parsers import parse_url_encoded_form_data
from parvis.asgi import Outer
from parvis.data import PreparedSQL
from parvis.people.actions import readmit_member, reset_password, suspend_member
from parvis.people.actor import SYSTEM
from parvis.people.links import make_sign_in_link
from parvis.people.sessions import open_session
from parvis.services.secrets import mask, new_token, token_hash
from parvis.testing import PASSWORD, Visitor

Visit = Callable[[], Visitor]
NEW = "cerise griotte noire"
_HIDDEN = re.compile(r'[A-Za-z0-9_-]{80,}|data-request="[^"]*"|[0-9a-f]{16}')


def _plain(text: str) -> str:
    """Return a page without masked tokens and numbers of requests."""
    return _HIDDEN.sub("", text)


@pytest.fixture
async def visit_tls(application: Any) -> AsyncIterator[Visit]:
    """Return a maker of visitors of the same instance at an https address."""
    config = application._app._config
    site = dataclasses.replace(config.site, url="https://intranet.example.org")
    server = dataclasses.replace(config.server, allowed_hosts=("intranet.example.org",))
    outer = Outer(application._app, dataclasses.replace(config, site=site, server=server))
    clients = []

    def make() -> Visitor:
        transport = httpx.ASGITransport(app=outer, raise_app_exceptions=False)
        clients.append(httpx.AsyncClient(transport=transport, base_url=site.url))
        return Visitor(clients[-1])

    yield make
    for client in clients:
        await client.aclose()


def _cookies(*answers: httpx.Response) -> dict[str, str]:
    """Return the attributes of every cookie that was set, by name."""
    lines = [line for answer in answers for line in answer.headers.get_list("set-cookie")]
    return {line.partition("=")[0]: line.partition(";")[2].lower() for line in lines}


async def _everything(visitor: Visitor, town: Any) -> list[httpx.Response]:
    """Do everything that sets a cookie."""
    return [
        await visitor.get("/sign-in"),
        await visitor.post("/preferences/language", {"language": "en"}),
        await visitor.post("/sign-in", {"email": town.people["Ownerine"].email, "password": PASSWORD}),
        await visitor.get("/"),
        await visitor.post("/preferences/theme", {"theme": "dark"}),
        await visitor.post("/preferences", {"theme": "dark"}),
        await visitor.get("/preferences"),
        await visitor.post("/sign-out"),
    ]


async def test_every_cookie_is_kept_from_script_siblings_and_plain_http(
    town: Any, visit_tls: Visit, visit: Visit
) -> None:
    names = {"parvis_session", "parvis_visit", "parvis_language", "parvis_theme", "parvis_flash"}
    over_tls = _cookies(*await _everything(visit_tls(), town))
    assert set(over_tls) == {f"__Host-{name}" for name in names}
    for name, attributes in over_tls.items():
        for wanted in ("httponly", "samesite=lax", "secure", "path=/"):
            assert wanted in attributes.replace(" ", "").split(";"), (name, attributes)
        assert "domain" not in attributes
    plain = _cookies(*await _everything(visit(), town))
    assert set(plain) == names
    assert not any("secure" in attributes for attributes in plain.values())


async def test_what_a_sibling_host_or_plain_http_planted_is_no_session(town: Any, visit_tls: Visit) -> None:
    """Cookies without the prefix may come from anywhere in the domain; with it from this host alone."""
    token = await open_session(town.people["Ownerine"].id)
    visitor = visit_tls()
    visitor.http.cookies.set("parvis_session", token)
    assert (await visitor.get("/people")).status_code == 303
    visitor.http.cookies.set("__Host-parvis_session", token)
    assert (await visitor.get("/people")).status_code == 200
    stranger, planted = visit_tls(), new_token()
    stranger.http.cookies.set("parvis_visit", planted)
    fields = {"theme": "dark", "csrf": mask(planted)}
    assert (await stranger.http.post("/preferences/theme", data=fields)).status_code == 403


async def test_the_answer_over_tls_says_to_stay_there(visit_tls: Visit, visit: Visit) -> None:
    assert "max-age=31536000" in (await visit_tls().get("/sign-in")).headers["strict-transport-security"]
    assert "strict-transport-security" not in (await visit().get("/sign-in")).headers


async def test_token_and_form_secret_change_at_sign_in_and_out(town: Any, visit: Visit) -> None:
    visitor = visit()
    page = await visitor.get("/sign-in")
    before, asked = visitor.token, visitor.http.cookies["parvis_visit"]
    row = town.people["Ownerine"]
    sent = await visitor.post("/sign-in", {"email": row.email, "password": PASSWORD})
    first = visitor.http.cookies["parvis_session"]
    assert asked not in (first, page.text)
    assert "parvis_visit" not in visitor.http.cookies
    assert first not in sent.text
    stale = await visitor.http.post("/preferences/theme", data={"csrf": before, "theme": "dark"})
    assert stale.status_code == 403
    await visitor.get("/preferences")
    token = visitor.token
    assert (await visitor.post("/sign-out")).status_code == 303
    assert "parvis_session" not in visitor.http.cookies
    stale = await visitor.http.post("/preferences/theme", data={"csrf": token, "theme": "dark"})
    assert stale.status_code == 403
    await visitor.get("/sign-in")
    await visitor.post("/sign-in", {"email": row.email, "password": PASSWORD})
    assert visitor.http.cookies["parvis_session"] not in (first, asked)


async def test_signing_out_leaves_nothing_behind(town: Any, visit: Visit) -> None:
    visitor = await town.enter("Ownerine")
    token = visitor.http.cookies["parvis_session"]
    published = await visitor.post(
        "/feeds/posts", {"audience": town.spaces["secret"].slug, "text": "words", "title": "", "key": "k"}
    )
    assert "parvis_flash" in published.headers["set-cookie"]
    out = await visitor.post("/sign-out")
    assert '"cache"' in out.headers["clear-site-data"]
    assert not visitor.http.cookies, "neither session nor the last message"
    assert await PreparedSQL("SELECT id FROM session WHERE token_hash = :hash")(hash=token_hash(token)) == []
    visitor.http.cookies.set("parvis_session", token, domain="localhost.local")
    assert (await visitor.get("/people")).status_code == 303
    await visitor.get("/sign-in")
    assert (await visitor.post("/sign-out")).status_code == 303, "twice is no error"


async def test_a_changed_or_reset_password_and_a_suspension_end_what_was_open(town: Any) -> None:
    row = town.people["Insidor"]
    here, there = await town.enter("Insidor"), await town.enter("Insidor")
    link = await make_sign_in_link(SYSTEM, row.id)
    fields = {"current": PASSWORD, "new": NEW, "again": NEW}
    assert (await here.post("/preferences/password", fields)).status_code == 303
    assert (await there.get("/people")).status_code == 303
    assert (await here.get("/people")).status_code == 200
    stranger = town.visit()
    assert (await stranger.post(f"/sign-in/link/{link}")).status_code == 404, "a link of before is one too"
    await reset_password(SYSTEM, row.id)
    assert (await here.get("/people")).status_code == 303
    third = await town.enter("Insidor")
    link = await make_sign_in_link(SYSTEM, row.id)
    await suspend_member(SYSTEM, row.id)
    assert (await third.get("/people")).status_code == 303
    assert (
        await third.post("/feeds/posts", {"audience": "everyone", "text": "x", "key": "z"})
    ).status_code != 200
    await readmit_member(SYSTEM, row.id)
    assert (await stranger.post(f"/sign-in/link/{link}")).status_code == 404, (
        "a link of before the suspension"
    )


async def test_no_table_no_log_and_no_cache_holds_a_token_or_password(
    town: Any, visit: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the browser's own log, not ours
    kept = parse_url_encoded_form_data.cache_info().currsize
    row, visitor = town.people["Insidor"], visit()
    link = await make_sign_in_link(SYSTEM, row.id)
    await visitor.get("/sign-in")
    await visitor.post("/sign-in", {"email": row.email, "password": "wrong words typed"})
    await visitor.post("/sign-in", {"email": row.email, "password": PASSWORD})
    await visitor.get("/preferences")
    await visitor.post("/preferences/password", {"current": PASSWORD, "new": NEW, "again": NEW})
    other = visit()
    await other.get(f"/sign-in/link/{link}")
    await other.post(f"/sign-in/link/{link}")
    secrets = {
        "session": visitor.http.cookies["parvis_session"], "link": link, "password": PASSWORD, "new": NEW,
        "wrong": "wrong words typed",
    }  # fmt: skip
    everything = str(await town.dump())
    assert row.email in everything
    for name, value in secrets.items():
        assert value not in everything, name
        assert value not in caplog.text, name
    assert parse_url_encoded_form_data.cache_info().currsize == kept


WHERE_TO = (
    ("/people?q=a%20b", "/people?q=a%20b"), ("/c/1?x=1#c-2", "/c/1?x=1#c-2"),
    *((bad, "/") for bad in (
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\\/evil.example",
        "https://evil.example", "https:evil.example", "http:/evil.example", "javascript:alert(1)",
        "JaVaScRiPt:alert(1)", " javascript:alert(1)", "data:text/html,x", "\t//evil.example", "/\t/evil.example",
        "/\r\n/evil.example", "/\r\nSet-Cookie: a=b", "/\u2028/evil.example", "/%0a/../..//evil.example\n",
        "evil.example", "?next=//evil.example", "#//evil.example", "/sign-out", "/sign-in?next=//evil.example",
        "/" + "x" * 3000,
    )),
)  # fmt: skip


async def test_one_comes_back_to_where_one_was_and_nowhere_else(town: Any, visit: Visit) -> None:
    row = town.people["Ownerine"]
    inside = await town.enter("Ownerine")
    for wanted, expected in WHERE_TO:
        if expected == "/":
            shown = await visit().get("/sign-in", params={"next": wanted})
            assert f'name="next" value="{wanted}"' not in shown.text, wanted
        there = await inside.get("/sign-in", params={"next": wanted})
        assert (there.status_code, there.headers["location"]) == (303, expected), wanted
    # The same answer comes after the password, which costs a hash each time: a few are enough.
    for wanted, expected in (WHERE_TO[0], *WHERE_TO[2:5]):
        visitor = visit()
        answer = await visitor.post("/sign-in", {"email": row.email, "password": PASSWORD, "next": wanted})
        assert (answer.status_code, answer.headers["location"]) == (303, expected), wanted
    visitor = visit()
    await visitor.get("/sign-in")
    told = await visitor.post(
        "/sign-in",
        {"email": row.email, "password": PASSWORD, "next": "/people?q=Ωé"},
        headers={"HX-Request-Type": "partial"},
    )
    assert told.status_code in (204, 303), "an address that no header may hold as it is"
    assert (told.headers.get("hx-redirect") or told.headers["location"]).isascii()


async def test_other_ways_to_lead_astray(town: Any) -> None:
    """The Referer of a button, a doubled slash, the Host: none makes an answer point elsewhere."""
    visitor = await town.enter("Ownerine")
    for referer in (
        "https://evil.example/", "http://localhost:8000.evil.example/x", "http://localhost:8000@evil.example/x",
        "http://[evil", "//evil.example", "http://localhost:8000//evil.example", "http://localhost:8000/\\evil.example",
        "javascript:alert(1)", "é", "http://localhost:8000/a\tb",
    ):  # fmt: skip
        answer = await visitor.post(
            "/preferences/theme", {"theme": "dark"}, headers={"Referer": quote(referer, ":/[]@\\\t")}
        )
        assert answer.status_code == 303, referer
        assert answer.headers["location"] == "/" or answer.headers["location"].startswith("/a"), referer
    right = await visitor.post(
        "/preferences/theme", {"theme": "dark"}, headers={"Referer": "http://localhost:8000/people"}
    )
    assert right.headers["location"] == "/people"
    stranger = town.visit()
    for path in ("//evil.example/", "//evil.example/people", "/%5cevil.example", "/people//evil.example"):
        answer = await stranger.http.get("http://localhost:8000" + path)
        location = answer.headers.get("location", "/")
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))
        assert "evil.example" not in location.partition("?")[0]


async def test_an_expired_session_asks_to_sign_in_and_goes_on(town: Any, visit: Visit) -> None:
    visitor = await town.enter("Ownerine")
    path = f"/spaces/{town.spaces['secret'].slug}/members?q=a"
    assert (await visitor.get(path)).status_code == 200
    await PreparedSQL("UPDATE session SET expires = :then")(then=datetime.now(UTC) - timedelta(seconds=1))
    asked = await visitor.get(path)
    assert asked.status_code == 303
    assert "Space secret" not in asked.text
    shown = await visitor.get(asked.headers["location"])
    assert "secret" not in shown.text.replace(path.replace("&", "&amp;"), ""), (
        "the page tells nothing of the space"
    )
    part = await visitor.get(path, headers={"HX-Request-Type": "partial"})
    assert part.status_code == 401
    # A form that was open is not lost to an error page without a way on.
    late = await visitor.http.post("/feeds/posts", data={"text": "late", "csrf": visitor.token})
    assert (late.status_code, late.headers["location"]) == (303, "/sign-in")
    back = re.search(r'name="next" value="([^"]+)"', shown.text)
    assert back is not None
    fields = {
        "email": town.people["Ownerine"].email,
        "password": PASSWORD,
        "next": back[1].replace("&amp;", "&"),
    }
    entered = await visitor.post("/sign-in", fields)
    assert (entered.status_code, entered.headers["location"]) == (303, path)
    assert (await visitor.get(path)).status_code == 200


async def _try(visitor: Visitor, email: str, password: str) -> tuple[int, list[tuple[str, str]], str, float]:
    await visitor.get("/sign-in")
    begun = time.process_time()
    answer = await visitor.post("/sign-in", {"email": email, "password": password})
    spent = time.process_time() - begun
    headers = sorted(
        (name, value) for name, value in answer.headers.items() if name not in ("x-request-id", "retry-after")
    )
    return answer.status_code, headers, _plain(answer.text.replace(email, "")), spent


async def test_a_refusal_tells_nothing_about_who_has_an_account(town: Any, visit: Visit) -> None:
    """Answer, headers and processor time are the same for known, unknown and suspended; also once throttled."""
    await suspend_member(SYSTEM, town.people["Modestine"].id)
    kinds = {
        "known": town.people["Ownerine"].email,
        "unknown": "nobody@example.org",
        "suspended": town.people["Modestine"].email,
    }
    seen: dict[str, list[Any]] = {name: [] for name in kinds}
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(12):
        for name, email in kinds.items():
            *told, cost = await _try(visit(), email, PASSWORD if name == "suspended" else "a wrong guess")
            seen[name].append([told[0], told[1], told[2]])
            if told[0] == 422:
                spent[name].append(cost)
    for name in ("unknown", "suspended"):
        for mine, other in zip(seen["known"], seen[name], strict=True):
            assert mine[0] == other[0]
            assert [h for h in mine[1] if h[0] not in ("content-length", "set-cookie")] == [
                h for h in other[1] if h[0] not in ("content-length", "set-cookie")
            ]
            assert re.sub(r"\d+ (second|minute)s?", "", mine[2]) == re.sub(
                r"\d+ (second|minute)s?", "", other[2]
            )
    assert [told[0] for told in seen["known"]] == [422] * 10 + [429] * 2
    costs = {name: median(values) for name, values in spent.items()}
    assert max(costs.values()) < 2.5 * min(costs.values()), costs
    assert min(costs.values()) > 0.01, "each costs a hash"
