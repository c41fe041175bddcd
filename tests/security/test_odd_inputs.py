"""Requests that no browser sends: never a fault of ours, no word of our insides, always the headers that protect."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from parvis.asgi import _cookies
from parvis.content import Before
from parvis.people.sessions import open_session
from parvis.services.secrets import unmask
from parvis.testing import make_instance, served
from parvis.web.bodies import _plain_fields
from parvis.web.file_pages import _range
from parvis.web.return_paths import safe_path

LEAKS = re.compile(
    rb"Traceback|File \"|/site-packages/|sqlite3|asyncpg|litestar|Error:|Exception|SELECT |core/parvis|line \d+, in"
)
PROTECTING = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=()",
}
BYTES: tuple[bytes, ...] = (
    b"", b"\x00", b"a\x00b", b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f",
    "é𝔘\u202e\u200b".encode(), b"%", b"%zz",
    b"%%00", b"' OR 1=1--", b"\\", b"%_!", b"../../etc/passwd", b"..%2f..%2f", b"<script>alert(1)</script>",
    b"{{7*7}}",
    b"${7*7}", b"\r\nSet-Cookie: a=b", b"x" * 5000, b"-1", b"0", b"-9223372036854775809", b"9223372036854775808",
    b"9" * 40, b"9" * 4999, b"1e309", b"NaN", b"1_0", "١٢".encode(), b"0x10", b" 1 ", b"null",
    b"[]", b'{"a":1}', b"true",
    b"253402300799999999.1", b"-62135596800000000.1", b"1.9223372036854775808", b"1" * 15 + b".1", b"1.",
    b".1", b"\x1b[31m",
)  # fmt: skip
NAMES = (
    "q", "site", "team", "after", "after_id", "show", "before", "space", "type", "limit", "size", "download", "next",
    "add", "csrf", "q[]", "q[a]", "constructor", "__proto__", "", "\x00", "a" * 300,
)  # fmt: skip
SEGMENTS = (
    "0", "-1", "1", "9223372036854775807", "9223372036854775808", "9" * 40, "9" * 5000, "1_0", "+1", "١",
    "1.0", "a", "é",
    "\ufffd", "\ud800", "\udcff", "%00", "%2e%2e", "..", ".", "a b", "'", '"', "<b>", "\\", "a\nb", "a\r\nb",
    "a\tb", ";",
    "x" * 5000, "new", "edit", "*", "\u202e", "\x7f", "~",
)  # fmt: skip
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"hx-request", b"true"), (b"hx-request-type", b"partial"), (b"hx-request-type", b"full"),
    (b"hx-request-type", b"\xff"),
    (b"hx-target", b"x" * 9000), (b"hx-current-url", b"http://[evil"), (b"hx-boosted", b"true"),
    (b"accept", b"application/json"),
    (b"accept", b"*/*;q=\xff"), (b"accept-language", b"x" * 9000), (b"accept-language", b"fr;q=a,en;q=-1,*;q=9,;q="),
    (b"accept-language", b"\xff\xfe,"), (b"accept-encoding", b"gzip;q=0, \xff"),
    (b"cookie", b"parvis_session=" + b"x" * 9000),
    (b"cookie", b'parvis_session="\\777\\'), (b"cookie", b"parvis_visit=\xff; parvis_language=xx; parvis_theme=evil"),
    (b"cookie", b"parvis_flash=a.b.c; =; ;;; parvis_session"),
    (b"cookie", b"parvis_flash=..; parvis_visit=" + b"\xc3\xa9" * 30),
    (b"referer", b"http://[evil"), (b"referer", b"\xff" * 50), (b"if-none-match", b"\xff"), (b"if-none-match", b"*"),
    (b"range", b"bytes=-" + b"9" * 5000), (b"range", b"bytes=\xff"), (b"if-range", b"\xff"),
    (b"user-agent", b"\xff" * 5000),
    (b"x-forwarded-for", b"\xff, 1.2.3.4, [::1"), (b"x-forwarded-for", b"," * 900),
    (b"x-forwarded-proto", b"javascript"),
    (b"x-forwarded-host", b"evil.example"), (b"x-file-name", b"%00%ff%2f.."), (b"x-csrf-token", b"\xff" * 2000),
    (b"x-csrf-token", b"A"), (b"content-length", b"-1"), (b"content-length", b"x"), (b"content-type", b"\xff"),
    (b"content-type", b"multipart/form-data"), (b"content-type", b"multipart/form-data; boundary="),
    (b"content-type", b"multipart/form-data; boundary=\xff"), (b"origin", b"http://localhost:8000"),
    (b"sec-fetch-site", b"same-origin"), (b"expect", b"100-continue"), (b"upgrade", b"websocket"),
    (b"x-" + b"y" * 9000, b"z"),
)  # fmt: skip


def _held(answer: Any, what: object) -> None:
    """Hold an answer to what every answer owes: no fault, no insides, and the headers that protect."""
    assert answer.status < 500, (what, answer.status, answer.body[:300])
    assert not LEAKS.search(answer.body), (what, LEAKS.search(answer.body))
    for name, value in PROTECTING.items():
        assert value in answer.header(name), (what, answer.status, name)
    policy = answer.header("content-security-policy")
    assert "default-src 'none'" in policy, what
    assert "sandbox" in policy or "frame-ancestors 'none'" in policy, what
    assert "unsafe" not in policy
    assert answer.header("cache-control"), what
    for key, value in answer.headers:
        assert b"\r" not in value, (what, key)
        assert b"\n" not in value, (what, key)
    assert not any(line.startswith("a=b") for line in answer.all("set-cookie"))
    assert "evil.example" not in answer.header("location").partition("?")[0], what


def _plain(path: str, town: Any) -> str:
    """Return an address with things that exist in it."""
    for place, value in (
        ("{content_id:int}", str(town.posts["open"])), ("{file_id:int}", str(town.files["open paper"])),
        ("{handle:str}", town.people["Ownerine"].handle), ("{slug:str}", town.spaces["open"].slug),
        ("{member_id:int}", str(town.people["Insidor"].id)), ("{session_id:int}", "999999"),
        ("{token:str}", "x" * 43),
        ("{name:str}", "no-such-module"),
    ):  # fmt: skip
        path = path.replace(place, value)
    assert "{" not in path
    return path


async def _cookie(town: Any, name: str) -> tuple[bytes, bytes]:
    """Return the Cookie header of a fresh session and its form token."""
    token = await open_session(town.people[name].id)
    return f"parvis_session={token}".encode(), (await town.form_token(token)).encode()


async def test_odd_queries_and_headers_at_every_address(town: Any, route_table: Any, raw: Any) -> None:
    chance = random.Random(20)
    cookie, _ = await _cookie(town, "Adminique")
    reads = [one for one in route_table if one.method == "GET"]
    for address in reads:
        path = _plain(address.path, town)
        queries = [
            b"&".join(
                quote_from_bytes(chance.choice(NAMES).encode()).encode()
                + b"="
                + quote_from_bytes(value).encode()
                for value in chance.choices(BYTES, k=4)
            )
            for _ in range(14)
        ]
        queries += [
            b"q=a&q=b&q=c",
            b"&&&===",
            b"%",
            b"\xff=\xff",
            b"limit=-1&after_id=-1&after=x",
            b"a=" * 3000,
        ]
        queries += [name.encode() + b"=" + b"9" * 40 for name in ("after_id", "limit", "before", "size")]
        queries += [b"after=a&after_id=9223372036854775808", b"before=1.9223372036854775808&space=x"]
        for query in queries:
            headers = [(b"cookie", cookie)] if chance.random() < 0.8 else []
            headers += chance.choices(HEADERS, k=3) if chance.random() < 0.5 else []
            method = chance.choice(("GET", "GET", "HEAD"))
            answer = await raw(method, path, query=query, headers=headers)
            _held(answer, (method, path, query[:200], headers[1:]))
            if method == "HEAD":
                assert answer.body == b""
        for header in HEADERS:
            _held(await raw("GET", path, headers=[(b"cookie", cookie), header]), (path, header))


async def test_odd_paths_at_every_address(town: Any, route_table: Any, raw: Any) -> None:
    cookie, token = await _cookie(town, "Adminique")
    known = [(b"cookie", cookie), (b"x-csrf-token", token)]
    before = await town.dump()
    for address in route_table:
        if "{" not in address.path or address.method == "OPTIONS":
            continue
        for segment in SEGMENTS:
            path = re.sub(r"\{[^}]+\}", lambda _: segment, address.path)  # noqa: B023 - used at once
            if address.method in ("GET", "POST") and segment not in ("1", "+1", "١", "new", "edit"):
                _held(await raw(address.method, path, headers=known), (address.method, path[:200]))
    for path in (
        "", "*", "//", "///", "/..", "/../etc/passwd", "/./", "/static/../parvis.toml", "/static/%2e%2e/x",
        "/static/",
        "/static//etc/passwd", "/static/core/../../pyproject.toml", "/health/live/..", "//health/live", "/f/../c/1",
        "/_disabled", "/%2e%2e/%2e%2e", "\\", "/\\evil.example", "//evil.example", "/a\r\nb", "http://evil.example/",
        "/feeds/%2e%2e/admin", "/.env", "/parvis.toml", "/secrets.toml", "/.git/config", "/schema",
        "/schema/openapi.json",
        "/docs", "/metrics", "/debug", "/api", "/api/v1", "/admin", "/admin/", "/" + "a/" * 3000,
    ):  # fmt: skip
        answer = await raw("GET", path, headers=known)
        _held(answer, path[:100])
        assert answer.status in (303, 400, 404, 200) or answer.status == 302, (path, answer.status)
        assert b"secret_key" not in answer.body
        assert answer.status != 200 or path in ("", "//", "///"), path
    assert await town.dump() == before


async def test_odd_methods_at_every_address(town: Any, route_table: Any, raw: Any) -> None:
    cookie, token = await _cookie(town, "Ownerine")
    before = await town.dump()
    for path in {one.path for one in route_table}:
        allowed = {one.method for one in route_table if one.path == path} | {"HEAD"}
        for method in (
            "TRACE",
            "TRACK",
            "CONNECT",
            "PATCH",
            "PROPFIND",
            "FOO",
            "get",
            "DELETE",
            "PUT",
            "POST",
            "\xff",
        ):
            if method in allowed:
                continue
            answer = await raw(
                method, _plain(path, town), headers=[(b"cookie", cookie), (b"x-csrf-token", token)]
            )
            _held(answer, (method, path))
            assert answer.status == 405, (method, path, answer.status)
            assert b"parvis_session" not in answer.body
            assert answer.header("allow")
        told = await raw("OPTIONS", _plain(path, town))
        _held(told, ("OPTIONS", path))
    assert await town.dump() == before


def _multipart(parts: list[tuple[bytes, bytes]], boundary: bytes = b"xyz") -> bytes:
    return (
        b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, head, body) for head, body in parts)
        + b"--%s--\r\n" % boundary
    )


def _part(name: bytes, rest: bytes = b"") -> bytes:
    return b'Content-Disposition: form-data; name="%s"%s' % (name, rest)


def _bad_bodies(token: bytes) -> list[tuple[bytes, bytes | list[bytes]]]:
    """Return bodies that break in every way a form can, with their types; the token is right where it can be read."""
    kind, csrf = b"multipart/form-data; boundary=xyz", (_part(b"csrf"), token)
    file = b'; filename="%s"\r\nContent-Type: image/png'
    plain = b"application/x-www-form-urlencoded"
    right = b"csrf=" + token
    return [
        (plain, right + b"&text=%ED%A0%80&name=%ff&audience=%00&key=%00"), (plain, right + b"&" + b"a=b&" * 2000),
        (plain, right + b"&text=" + b"x" * 300_000), (plain, right + b"&%00=%00&=&&&;"), (plain, b"\xff\xfe" + right),
        (plain, right + b"&version=9223372036854775808&member=99999999999999999999&file=99999999999999999999"),
        (plain, [right[:5], right[5:], b"&text=a", b"", b"&text=b"]), (plain, b"x" * 3_000_000),
        (plain, right + b"&text=a&text=b&title=a&title=b&audience=everyone&audience=x&key=a&key=b"),
        (plain, right + b"&handle=../x&slug=..%2f&name=%0d%0aX:y&time_zone=../../etc/passwd&language=../fr"),
        (plain, right + b"&time_zone=%00&theme=%00&email=" + b"a" * 5000 + b"&password=" + b"b" * 5000),
        (plain, right + b"&role=%00&kind=x&icon=../../x&hue=%22%3E&skills=" + b"a," * 5000),
        (b"application/json", b'{"csrf": ['),
        (b"text/xml", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"),
        (kind, b""), (kind, b"--xyz"), (kind, b"--xyz\r\n"), (kind, b"--xyz--"), (kind, b"garbage"),
        (kind, b"--xyz\r\n\r\n\r\n--xyz--"),
        (kind, _multipart([csrf, (_part(b"text") + b"\r\nContent-Type: text/plain; charset=utf-7", b"+2AA-")])),
        (kind, _multipart([csrf, (_part(b"text") + b"\r\nContent-Type: text/plain; charset=evil", b"x")])),
        (kind, _multipart([csrf, (_part(b"text") + b"\r\nContent-Type: text/plain; charset=base64", b"x")])),
        (kind, _multipart([csrf, (_part(b"text") + b"\r\nContent-Type: text/plain; charset=utf-16", b"\x00\xd8x")])),
        (kind, _multipart([csrf, (_part(b"text") + b"\r\nContent-Type: text/plain; charset=undefined", b"x")])),
        (kind, _multipart([csrf, (_part(b"text"), b"\xff\xfe\x00")])), (kind, _multipart([csrf, (b"X: y", b"x")])),
        (kind, _multipart([csrf, (b"Content-Disposition: attachment", b"x")])),
        (kind, _multipart([csrf, (b"Content-Disposition: form-data", b"x")])),
        (kind, _multipart([csrf, (_part(b"upload", file % b"\x00../../x.png"), b"\x89PNG")])),
        (kind, _multipart([csrf, (_part(b"picture", file % (b"x" * 4000)), b"\x89PNG")])),
        (kind, _multipart([csrf, (_part(b"cover", file % b"a.png\\"), b"GIF89a")])),
        (kind, _multipart([csrf, (_part(b"text", file % b"a.png"), b"a text that is a file")])),
        (kind, _multipart([csrf, (_part(b"name", file % b"a.png"), b"a name that is a file"),
        (_part(b"handle", file % b"b"), b"")])),
        (kind, _multipart([csrf, (_part(b"x") + b"\r\nY: " + b"z" * 9000, b"x")])),
        (kind, _multipart([csrf, *((_part(b"a"), b"b") for _ in range(1500))])),
        (kind, _multipart([csrf, (_part(b"text"), b"unfinished")])[:-9]),
        (kind, _multipart([csrf, (_part(b"text"), b"x" * 100)]).split(b"\r\n")),
        (b"multipart/form-data", _multipart([csrf])), (b"multipart/form-data; boundary=", _multipart([csrf], b"")),
        (b'multipart/form-data; boundary="\xff"', _multipart([csrf], b"\xff")),
        (b"multipart/mixed; boundary=xyz", _multipart([csrf])),
        (b"", right), (b"application/x-www-form-urlencoded; charset=utf-16", right + b"&text=a"),
    ]  # fmt: skip


async def test_odd_bodies_at_every_address(town: Any, route_table: Any, raw: Any) -> None:
    """With the right token as a header too, so that they get past the door into each handler."""
    for address in route_table:
        if address.method in ("GET", "OPTIONS", "DELETE"):
            continue
        path = _plain(address.path, town)
        cookie, token = await _cookie(town, "Ownerine")
        known = [(b"cookie", cookie)]
        for kind, body in _bad_bodies(token):
            for extra in ([], [(b"x-csrf-token", token)]):
                if "sign-out" in path or "sessions" in path or "sign-in" in path:
                    known = [(b"cookie", (await _cookie(town, "Ownerine"))[0])] if extra else known
                headers = [*known, (b"content-type", kind), *extra]
                answer = await raw(address.method, path, headers=headers, body=body)
                _held(answer, (address.method, path, kind, bytes(str(body)[:300], "utf-8"), bool(extra)))


async def test_who_is_not_signed_in_sends_no_large_forms(raw: Any) -> None:
    large = b"csrf=" + b"x" * 2_000_001
    part = (
        b'--xyz\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n'
        + b"x" * 2_000_000
        + b"\r\n--xyz--"
    )
    for kind, body in (
        (b"application/x-www-form-urlencoded", large),
        (b"multipart/form-data; boundary=xyz", part),
    ):
        for path in (
            "/sign-in",
            "/sign-out",
            "/preferences/theme",
            "/preferences/language",
            "/sign-in/link/x",
        ):
            chunks = [body[start : start + 65536] for start in range(0, len(body), 65536)]
            answer = await raw("POST", path, headers=[(b"content-type", kind)], body=chunks)
            _held(answer, path)
            assert answer.status == 413, (path, kind)


async def test_hosts_that_are_not_ours(town: Any, raw: Any) -> None:
    cookie, _ = await _cookie(town, "Ownerine")
    for host in (
        b"evil.example", b"localhost.evil.example", b"evil.example:8000", b"localhost:8000@evil.example",
        b"localhost:8000:80",
        b"localhost:x", b"localhost:", b"localhost, evil.example", b"localhost:80, evil.example:80",
        b"", None, b"[::1", b"[evil]",
        b"localhost/evil", b"localhost\xff", b"localhost ", b"\tlocalhost", b"127.0.0.1.evil.example",
        b"localhost:\xb2",
    ):  # fmt: skip
        for path in ("/", "/people", "/sign-in"):
            answer = await raw("GET", path, host=host, headers=[(b"cookie", cookie)])
            _held(answer, host)
            assert answer.status == 400, host
            assert b"Ownerine" not in answer.body
    for host in (b"localhost", b"LOCALHOST:8000", b"localhost:1", b"127.0.0.1:8000"):
        answer = await raw(
            "GET", "/people", host=host, headers=[(b"cookie", cookie), (b"x-forwarded-host", b"evil.example")]
        )
        assert answer.status == 200
        assert b"evil.example" not in answer.body
    twice = await raw("GET", "/people", headers=[(b"host", b"localhost"), (b"cookie", cookie)])
    assert twice.status == 400


async def test_an_address_is_believed_from_trusted_proxies_alone(town: Any, raw: Any) -> None:
    from parvis.data import PreparedSQL
    from parvis.testing import PASSWORD

    seen = PreparedSQL("SELECT address FROM session ORDER BY id DESC LIMIT 1")
    for client, forwarded, expected in (
        ("203.0.113.9", b"10.0.0.7", "203.0.113.9"), ("127.0.0.1", b"10.0.0.7", "10.0.0.7"),
        ("127.0.0.1", b"6.6.6.6, 10.0.0.7", "10.0.0.7"), ("127.0.0.1", b"6.6.6.6, 10.0.0.7, 127.0.0.1", "10.0.0.7"),
    ):  # fmt: skip
        asked = await raw("GET", "/sign-in")
        visit = asked.header("set-cookie").partition(";")[0].encode()
        token = re.search(rb'name="csrf" value="([^"]+)"', asked.body)
        assert token is not None
        body = urlencode(
            {"csrf": token[1], "email": town.people["Ownerine"].email, "password": PASSWORD}
        ).encode()
        answer = await raw(
            "POST", "/sign-in", client=(client, 1), body=body,
            headers=[(b"cookie", visit), (b"x-forwarded-for", forwarded),
            (b"content-type", b"application/x-www-form-urlencoded")],
        )  # fmt: skip
        assert answer.status == 303
        row = await seen.one()
        assert row == {"address": expected}


async def test_a_fault_of_ours_tells_nothing(town: Any, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that breaks, and a database gone before anybody is known: here faults do show as 5xx."""
    cookie, _ = await _cookie(town, "Ownerine")

    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret insides: postgresql://user:password@db")

    for target, path, status in (
        ("parvis.web.people_pages.directory", "/people", 500), ("parvis.asgi.actor_of", "/people", 503),
        ("parvis.web.errors.base_context", "/c/999999", 500),
    ):  # fmt: skip
        for extra in ([], [(b"hx-request-type", b"partial")], [(b"accept", b"application/json")]):
            with monkeypatch.context() as patch:
                patch.setattr(target, broken)
                answer = await raw("GET", path, headers=[(b"cookie", cookie), *extra])
            if "base_context" in target and extra:
                continue
            assert answer.status == status, (target, answer.status)
            assert b"insides" not in answer.body
            assert not LEAKS.search(answer.body)
            for name in (*PROTECTING, "content-security-policy", "cache-control"):
                assert answer.header(name), (target, name)
        assert (await raw("GET", "/people", headers=[(b"cookie", cookie)])).status == 200


# -- over a real connection ---------------------------------------------------------------------------------------

WIRE: tuple[bytes, ...] = (
    b"GET /people/%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /people?q=%ff\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /%ed%a0%80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /people/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://evil.example/people HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(500)) + b"\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n" + b"0\r\n\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00", b"\r\n\r\n\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: parvis_session=a\x00b\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"FOO /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
)  # fmt: skip


async def _wire(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(1.5):
            found = await reader.read(65536)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return found


async def test_what_a_real_server_is_sent(sqlite_template: Any, tmp_path: Any) -> None:
    """No answer of the server itself or of ours tells insides or is a fault, and it serves on afterwards."""
    import shutil

    shutil.copyfile(sqlite_template, tmp_path / "wire.db")
    config = make_instance(tmp_path / "wire", f"sqlite:///{tmp_path / 'wire.db'}")
    async with served(config) as port:
        answers = await asyncio.gather(*(_wire(port, data) for data in WIRE))
        for data, answer in zip(WIRE, answers, strict=True):
            if not answer.startswith(b"HTTP/1"):
                continue  # the connection was closed or is still waited on: nothing was told
            status = int(answer.split(b" ", 2)[1])
            assert status < 500 or status == 505, (data[:80], answer[:300])
            assert not LEAKS.search(answer), (data[:80], answer[:500])
        alive = await _wire(port, b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert alive.startswith(b"HTTP/1.1 200")
        assert b"content-security-policy" in alive.lower()


# -- what reads such input, alone ------------------------------------------------------------------------------------


@given(some.text())
def test_where_one_goes_is_always_here(text: str) -> None:
    found = safe_path(text)
    assert found.startswith("/")
    assert not re.match(r"/[\t\r\n ]*[/\\]", found)


@given(some.text())
def test_readers_of_text_never_fail(text: str) -> None:
    place = Before.parse(text)
    assert place is None or 0 <= place.id < 2**63
    unmask(text)
    start_end = _range(text, 10)
    assert start_end is None or 0 <= start_end[0] <= start_end[1] < 10


@settings(max_examples=200)
@given(some.binary())
def test_readers_of_bytes_never_fail(data: bytes) -> None:
    for secure in (True, False):
        assert all(
            name.startswith("parvis_")
            for name in _cookies(b"parvis_a=b; __Host-parvis_b=" + data, secure=secure)
        )
    for value in _plain_fields(data).values():
        for text in value if isinstance(value, list) else [value]:
            assert "\x00" not in text
            text.encode()


@given(some.integers(-(10**30), 10**30), some.integers(-(10**30), 10**30))
def test_places_in_a_list_are_ones_that_databases_know(moment: int, content: int) -> None:
    place = Before.parse(f"{moment}.{content}")
    assert place is None or (place.id < 2**63 and place.id >= 0 and 1 < place.published.year < 9999)
