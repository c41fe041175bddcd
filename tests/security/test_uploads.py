"""What people send as files, by every door: refused or harmless, named and served so that nothing runs."""

from __future__ import annotations

import dataclasses
import io
import struct
import zlib
from typing import Any
from urllib.parse import quote

import pytest
from parvis.data import PreparedSQL
from parvis.testing import Visitor
from PIL import Image

FILES = PreparedSQL(
    "SELECT id, name, type, kind, size, hash, variants FROM file ORDER BY id", types={"variants": "json"}
)
QUOTAS = PreparedSQL("SELECT scope, subject, bytes FROM quota ORDER BY scope, subject")
GPS = 0x8825
EVIL = b"<html><script>alert(document.cookie)</script></html>"
SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
PDF = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    """Return a PNG that claims these measures, with more chunks before its few bytes of pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + b"".join(chunks)
    return start + _chunk(b"IDAT", zlib.compress(b"\0" * 100)) + _chunk(b"IEND", b"")


def _encoded(form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(out, form, **options)
    return out.getvalue()


def _frames(count: int) -> bytes:
    out = io.BytesIO()
    first, *rest = [Image.new("P", (40, 40), number % 255) for number in range(count)]
    first.save(out, "GIF", save_all=True, append_images=rest)
    return out.getvalue()


def _bombs() -> dict[str, bytes]:
    """Return pictures that would fill memory or time, each a few kilobytes."""
    text = zlib.compress(b"a" * 100_000_000, 9)
    return {
        "pixels": _png(60_000, 60_000), "a line": _png(2**31 - 1, 1),
        "text": _png(8, 8, _chunk(b"zTXt", b"k\0\0" + text)), "itxt": _png(8, 8, _chunk(b"iTXt",
        b"k\0\1\0\0\0" + text)),
        "profile": _png(8, 8, _chunk(b"iCCP", b"k\0\0" + text)), "pixel data": _png(8, 8, _chunk(b"IDAT", text)),
        "gif": b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + b"\x80\0\0" + b"\0" * 6
        + b",\0\0\0\0\xe8\xfd\xe8\xfd\0\2\0;",
    }  # fmt: skip


POLYGLOTS: dict[str, bytes] = {
    "html in a comment": _encoded("JPEG", comment=EVIL), "html behind": _encoded("PNG") + EVIL,
    "a zip behind": _encoded("PNG") + b"PK\x03\x04evil.jar", "a pdf behind": _encoded("JPEG") + PDF,
    "html in a chunk": _png(64, 64)[:33] + _chunk(b"tEXt", b"k\0" + EVIL) + _encoded("PNG")[33:],
    "script in a gif": _encoded("GIF") + b"*/=1;alert(1)//", "script in webp": _encoded("WEBP") + EVIL,
}  # fmt: skip


async def _put(visitor: Visitor, name: str, data: Any, **headers: str) -> Any:
    """Send a file as the script of the page does."""
    told = {"X-CSRF-Token": visitor.token, "X-File-Name": quote(name), "Content-Type": "image/png", **headers}
    return await visitor.http.put("/files", content=data, headers=told)


async def _held(
    visitor: Visitor, number: int, *, run: tuple[bytes, ...] = (b"<script", b"onload", b"PK\x03\x04", b"/JS")
) -> Any:
    """Hold a served file to what keeps a browser from running it, in every size and form."""
    whole = await visitor.get(f"/f/{number}")
    for query in ("", "?size=480", "?size=960", "?size=1600", "?download=true", "?size=../x"):
        shown = await visitor.get(f"/f/{number}{query}")
        assert shown.status_code == 200
        kind = shown.headers["content-type"].partition(";")[0]
        assert kind in (
            "image/webp",
            "application/octet-stream",
            "text/plain",
            "application/pdf",
            "application/zip",
        ), kind
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert shown.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert shown.headers["cross-origin-resource-policy"] == "same-origin"
        how = shown.headers["content-disposition"]
        assert how.startswith("attachment") or (kind == "image/webp" and "download" not in query), (kind, how)
        if kind == "image/webp":
            for mark in run:
                assert mark not in shown.content
    return whole


async def test_pages_sent_as_files_are_downloads_that_nothing_runs(town: Any) -> None:
    visitor = await town.enter("Ownerine")
    for name, data in (
        ("a.html", EVIL), ("a.htm", EVIL), ("a.xhtml", EVIL), ("a.svg", SVG), ("a.svgz", SVG), ("a.xml", SVG),
        ("a.js", b"alert(1)"),
        ("a.mjs", b"alert(1)"), ("a.css", b"*{}"), ("a.mht", EVIL), ("a.pdf", EVIL), ("a.txt", EVIL),
        ("a.webmanifest", b"{}"),
        ("a.wasm", b"\0asm"), ("a.swf", b"CWS"), ("a.ics", b"BEGIN:VCALENDAR"), ("a", SVG), ("a.pdf", PDF),
        ("a.zip", b"PK\x03\x04"),
        ("a.html.txt", EVIL), ("a.svg\x00.txt", SVG), ("a.shtml", EVIL), ("a.url", b"[InternetShortcut]"),
        ("a.docm", b"PK\x03\x04"),
    ):  # fmt: skip
        sent = await _put(visitor, name, data, **{"Content-Type": "text/html"})
        assert sent.status_code == 201, name
        shown = await _held(visitor, sent.json()["id"])
        assert shown.content == data
        assert "html" not in shown.headers["content-type"]
        assert "svg" not in shown.headers["content-type"]
        assert "javascript" not in shown.headers["content-type"]


async def test_what_claims_to_be_a_picture_is_one_or_refused_at_every_door(town: Any) -> None:
    visitor, slug, handle = (
        await town.enter("Ownerine"),
        town.spaces["open"].slug,
        town.people["Ownerine"].handle,
    )
    doors: tuple[tuple[str, str, dict[str, str]], ...] = (
        (f"/people/{handle}/edit", "picture", {"name": "Ownerine", "version": "1"}),
        (f"/spaces/{slug}/edit", "cover", {"name": "S", "kind": "open", "icon": "users", "hue": "pine",
        "version": "1"}),
        ("/feeds/posts", "upload", {"audience": "everyone", "text": "words", "key": "k"}),
    )  # fmt: skip
    before = await town.dump()
    for what, data in (
        ("html", EVIL), ("svg", SVG), ("pdf", PDF), ("nothing", b""), ("half", b"\x89PNG\r\n\x1a\n" + SVG),
        ("half a jpeg", b"\xff\xd8\xff\xe0" + EVIL), ("half a gif", b"GIF89a" + EVIL),
        ("postscript", b"%!PS-Adobe\n"),
        ("cut", _encoded("JPEG")[:300]), ("heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1"),
    ):  # fmt: skip
        for name in ("x.png", "x.PNG", "x.jpeg", "x.gif", "x.webp"):
            sent = await _put(visitor, name, data)
            assert sent.status_code == 422, (what, name)
        for path, field, fields in doors:
            answer = await visitor.post(path, fields, files={field: ("x.png", data, "image/png")})
            assert answer.status_code == 422, (what, path)
            assert "<script>alert" not in answer.text
    assert await town.dump() == before
    for path, field, fields in doors:
        answer = await visitor.post(path, fields, files={field: ("x.png", _encoded("PNG"), "image/png")})
        assert answer.status_code == 303, path


async def test_bombs_are_refused_or_defused_in_little_memory_and_time(town: Any) -> None:
    import resource
    import time

    visitor = await town.enter("Ownerine")
    bombs = _bombs()
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for what, data in bombs.items():
        assert len(data) < 300_000
        sent = await _put(visitor, "bomb.png", data)
        assert sent.status_code in (201, 422), (what, sent.text)
        if what in ("pixels", "a line", "gif"):
            assert sent.status_code == 422
    many = await _put(visitor, "frames.gif", _frames(2000))
    assert many.status_code in (201, 422)
    assert time.process_time() - begun < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000, "kilobytes"
    assert (await _put(visitor, "fine.png", _encoded("PNG"))).status_code == 201


async def test_what_hides_in_a_picture_is_gone_from_every_size(town: Any) -> None:
    visitor = await town.enter("Ownerine")
    for what, data in POLYGLOTS.items():
        for name in ("x.png", "x.html", "x.svg", "x.pdf", "x"):
            sent = await _put(visitor, name, data)
            assert sent.status_code == 201, (what, name)
            assert sent.json()["kind"] == "picture", (what, name)
        shown = await _held(visitor, sent.json()["id"])
        assert shown.headers["content-type"] == "image/webp", what
        assert shown.content != data
    exif = Image.Exif()
    exif[0x10F], exif[0x8298] = "Camera 4711", "Somebody's name"
    exif.get_ifd(GPS)[2] = (48.0, 6.0, 42.0)
    photo = _encoded("JPEG", exif=exif, comment=b"taken at home")
    assert b"Camera 4711" in photo
    sent = await _put(visitor, "photo.jpg", photo)
    number = sent.json()["id"]
    published = await visitor.post(
        "/feeds/posts", {"audience": "everyone", "text": "look", "title": "", "key": "p", "file": str(number)}
    )
    assert published.status_code == 303
    reader = await town.enter("Strangea")
    row = next(row for row in await FILES() if row["id"] == number)
    for query in ("", *(f"?size={size}" for size in row["variants"]), "?download=true"):
        shown = await reader.get(f"/f/{number}{query}")
        for trace in (b"Camera 4711", b"Somebody", b"taken at home", b"Exif", b"EXIF", b"XMP"):
            assert trace not in shown.content, (query, trace)
        with Image.open(io.BytesIO(shown.content)) as picture:
            assert not picture.getexif()
    assert row["hash"] in {variant["hash"] for variant in row["variants"].values()}, (
        "the original has no address"
    )


async def test_sizes_and_quotas_hold_whatever_was_announced(town: Any, raw: Any) -> None:
    visitor = await town.enter("Insidor")
    site, config = town.site, town.site.config
    limited = dataclasses.replace(config.files, max_upload_mb=1, member_quota_mb=2)
    site.config = dataclasses.replace(config, files=limited)
    before, blobs = await town.dump(), _blobs(site)
    megabyte = b"x" * 1_000_000

    async def chunks(count: int) -> Any:
        for _ in range(count):
            yield b"y" * 100_000

    for what, data in (("told", megabyte + b"x"), ("not told", chunks(11)), ("far more", chunks(200))):
        sent = await _put(visitor, "a.bin", data)
        assert sent.status_code == 413, what
    cookie = f"parvis_session={visitor.http.cookies['parvis_session']}".encode()
    lying = [(b"cookie", cookie), (b"x-csrf-token", visitor.token.encode()), (b"content-length", b"10")]
    assert (await raw("PUT", "/files", headers=lying, body=[b"z" * 400_000] * 3)).status == 413
    assert await town.dump() == before
    assert _blobs(site) == blobs, "nothing stays of what was refused"
    for number in range(2):
        assert (await _put(visitor, "a.bin", megabyte[:-1] + bytes([number]))).status_code == 201
    full = await town.dump()
    blobs = _blobs(site)
    for data in (megabyte, b"x" * 10, _encoded("PNG")):
        sent = await _put(visitor, "a.bin", data)
        assert sent.status_code == 507, len(data)
    assert await town.dump() == full
    assert _blobs(site) == blobs
    # Another member's room is his own; what was dropped makes room again.
    assert (await _put(await town.enter("Strangea"), "a.bin", megabyte)).status_code == 201
    mine = next(row["id"] for row in await FILES() if row["name"] == "a.bin")
    assert (
        await visitor.http.delete(f"/files/{mine}", headers={"X-CSRF-Token": visitor.token})
    ).status_code == 204
    assert (await _put(visitor, "a.bin", b"x" * 10)).status_code == 201
    empty = await _put(visitor, "a.bin", b"")
    assert empty.status_code == 422
    site.config = config


def _blobs(site: Any) -> set[str]:
    return {path.name for path in site.config.files.absolute_folder.rglob("*") if path.is_file()}


async def test_bodies_past_the_limit_end_at_it(town: Any, raw: Any) -> None:
    """By a form, announced or in chunks: the server stops reading, and stores nothing."""
    visitor = await town.enter("Ownerine")
    cookie = f"parvis_session={visitor.http.cookies['parvis_session']}".encode()
    head = b'--xyz\r\nContent-Disposition: form-data; name="upload"; filename="a.bin"\r\n\r\n'
    known = [
        (b"cookie", cookie), (b"x-csrf-token", visitor.token.encode()),
        (b"content-type", b"multipart/form-data; boundary=xyz"),
    ]  # fmt: skip
    before = await town.dump()
    for path in ("/feeds/posts", f"/people/{town.people['Ownerine'].handle}/edit"):
        told = await raw("POST", path, headers=[*known, (b"content-length", b"60000000")], body=head)
        assert told.status == 413, path
        answer = await raw("POST", path, headers=known, body=[head, *([b"x" * 1_000_000] * 51)])
        assert answer.status == 413, path
    assert await town.dump() == before


async def test_many_parts_and_many_files_are_refused(town: Any) -> None:
    visitor = await town.enter("Ownerine")
    fields = {"audience": "everyone", "text": "words", "title": "", "key": "k"}
    before = await town.dump()
    thousands = [("upload", (f"{number}.txt", b"a", "text/plain")) for number in range(2000)]
    answer = await visitor.post("/feeds/posts", fields, files=thousands)
    assert answer.status_code == 400
    assert await town.dump() == before
    answer = await visitor.post("/feeds/posts", fields, files=thousands[:21])
    assert answer.status_code in (303, 422)
    row = await PreparedSQL("SELECT count(*) AS n FROM file WHERE content IS NOT NULL").one()
    assert row is not None
    assert row["n"] <= 8 + 20
    named = await visitor.post(
        "/feeds/posts", {**fields, "key": "m", "file": [str(number) for number in range(1, 900)]}
    )
    assert named.status_code == 422


@pytest.mark.parametrize("door", ["script", "form"])
async def test_a_name_is_only_a_name(town: Any, door: str) -> None:
    visitor = await town.enter("Ownerine")
    folder = town.site.config.files.absolute_folder
    outside = sorted(path for path in folder.parent.parent.rglob("*") if folder not in path.parents)
    for number, name in enumerate((
        "../../../../tmp/evil.txt", "..\\..\\evil.txt", "/etc/cron.d/evil", "C:\\evil.txt", ".htaccess",
        "a\r\nSet-Cookie: a=b.txt",
        'a"; filename="b.html', "a;b.txt", "%2e%2e%2fevil.txt", "<script>alert(1)</script>.txt",
        "\u202egnp.exe", "x" * 3000 + ".txt",
        "é𝔘.txt", "a\x00.txt", "", ".", "..", "CON", "parvis.toml", "a\u2028b.txt", "=cmd|' /C calc'!A0.csv",
    )):  # fmt: skip
        if door == "script":
            sent = await _put(visitor, name, b"plain words %d" % number)
            assert sent.status_code == 201, name
        else:
            form = {"audience": "everyone", "text": f"n{number}", "title": "", "key": str(number)}
            await visitor.post("/feeds/posts", form, files={"upload": (name, b"plain words %d" % number)})
    assert sorted(path for path in folder.parent.parent.rglob("*") if folder not in path.parents) == outside
    rows = await FILES()
    assert len(rows) > 20
    for row in rows:
        assert not set(row["name"]) & set('/\\<>"\r\n\x00\u202e\u2028'), row["name"]
        assert row["name"] not in ("", ".", "..")
        assert len(row["name"].encode()) <= 150
        answer = await visitor.get(f"/f/{row['id']}?download=1")
        assert "set-cookie" not in answer.headers, "not even the end of a message that no page showed yet"
        told = answer.headers["content-disposition"]
        assert told.isascii()
        assert told.startswith("attachment; filename*=UTF-8''")
        assert not set(told[len("attachment; filename*=UTF-8''") :]) & set(' ";\r\n')
    home = (await visitor.get("/")).text
    assert "<script>alert(1)" not in home
