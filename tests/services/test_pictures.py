"""Pictures come out harmless: small enough, upright, without a trace of where they were taken."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from parvis.errors import Invalid
from parvis.services.picture_sizes import MOST_PIXELS
from parvis.services.pictures import (
    Picture,
    Shape,
    clean_name,
    looks_like_picture,
    prepare_picture,
    safe_type,
)
from parvis.services.storage import LocalStorage
from PIL import Image

GPS, ORIENTATION, MAKE = 0x8825, 0x112, 0x10F


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files", reserve=0)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


async def prepare(storage: LocalStorage, data: bytes, shape: Shape = "free") -> Picture:
    return await prepare_picture(storage, await storage.put_bytes(data), shape)


def opened(storage: LocalStorage, name: str) -> Image.Image:
    return Image.open(storage.path(name))


async def test_a_photograph_loses_its_place_and_stands_upright(storage: LocalStorage) -> None:
    # Blue above red, stored lying on its side as phones do.
    upright = Image.new("RGB", (1800, 2400), "red")
    upright.paste("blue", (0, 0, 1800, 1200))
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, "Camera 4711"
    exif.get_ifd(GPS)[2] = (48.0, 6.0, 42.0)
    data = encoded(upright.rotate(90, expand=True), "JPEG", exif=exif, comment=b"secret place")
    assert b"Camera 4711" in data
    picture = await prepare(storage, data)
    assert (picture.type, picture.width, picture.height) == ("image/webp", 1600, 2133)
    assert {name: (one["width"], one["height"]) for name, one in picture.variants.items()} == {
        "480": (480, 640),
        "960": (960, 1280),
        "1600": (1600, 2133),
    }
    assert picture.blob.hash == picture.variants["1600"]["hash"]
    for one in picture.variants.values():
        with opened(storage, one["hash"]) as made:
            assert (made.format, made.size) == ("WEBP", (one["width"], one["height"]))
            assert not made.getexif()
            assert not {"exif", "xmp", "icc_profile", "comment"} & set(made.info)
            top, bottom = made.getpixel((10, 10)), made.getpixel((10, made.height - 10))
            assert isinstance(top, tuple)
            assert isinstance(bottom, tuple)
            assert (top[2] > 200 > 60 > top[0], bottom[0] > 200 > 60 > bottom[2]) == (True, True)
        raw = await storage.bytes_of(one["hash"])
        assert one["size"] == len(raw)
        assert b"Camera" not in raw
        assert b"secret" not in raw


@pytest.mark.parametrize(
    ("size", "variants"),
    [
        ((300, 200), {"480": (300, 200)}),
        ((480, 100), {"480": (480, 100)}),
        ((700, 210), {"480": (480, 144), "960": (700, 210)}),
        ((1, 1), {"480": (1, 1)}),
        ((9000, 2), {"480": (480, 1), "960": (960, 1), "1600": (1600, 1)}),
    ],
)
async def test_nothing_is_enlarged(
    storage: LocalStorage, size: tuple[int, int], variants: dict[str, tuple[int, int]]
) -> None:
    picture = await prepare(storage, encoded(Image.new("RGB", size), "PNG"))
    assert {name: (one["width"], one["height"]) for name, one in picture.variants.items()} == variants


async def test_squares_and_covers_are_cut_from_the_middle(storage: LocalStorage) -> None:
    image = Image.new("RGB", (2000, 1000), "red")
    image.paste("blue", (500, 0, 1500, 1000))
    square = await prepare(storage, encoded(image, "PNG"), "square")
    assert {(name, one["width"], one["height"]) for name, one in square.variants.items()} == {
        ("40", 40, 40),
        ("80", 80, 80),
        ("192", 192, 192),
    }
    with opened(storage, square.blob.hash) as made:
        left = made.getpixel((4, 96))
        assert isinstance(left, tuple)
        assert left[2] > 150
    cover = await prepare(storage, encoded(image, "PNG"), "cover")
    assert [(one["width"], one["height"]) for one in cover.variants.values()] == [(800, 200), (1600, 400)]
    small = await prepare(storage, encoded(Image.new("RGB", (60, 100)), "PNG"), "square")
    assert [(one["width"], one["height"]) for one in small.variants.values()] == [(40, 40), (60, 60)]


@pytest.mark.parametrize(
    ("mode", "form"),
    [("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("P", "GIF"), ("RGBA", "PNG"), ("I;16", "PNG"),
     ("CMYK", "JPEG"), ("L", "JPEG"), ("RGBA", "WEBP")],
)  # fmt: skip
async def test_every_kind_of_colours(storage: LocalStorage, mode: str, form: str) -> None:
    picture = await prepare(storage, encoded(Image.new(mode, (600, 400)), form))
    with opened(storage, picture.blob.hash) as made:
        made.load()
        assert made.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")


async def test_sixteen_bits_of_grey_keep_their_light(storage: LocalStorage) -> None:
    picture = await prepare(storage, encoded(Image.new("I;16", (100, 100), 32768), "PNG"))
    with opened(storage, picture.blob.hash) as made:
        grey = made.getpixel((50, 50))
    assert isinstance(grey, tuple)
    assert 120 <= grey[0] <= 136


async def test_animations_move_on_and_long_ones_stand_still(storage: LocalStorage) -> None:
    frames = [Image.new("RGB", (300, 200), (index, 0, 0)) for index in range(0, 250, 25)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=80, loop=0)
    moving = await prepare(storage, data)
    with opened(storage, moving.blob.hash) as made:
        assert getattr(made, "n_frames", 1) == 10
    many = [Image.new("P", (8, 8), index % 250) for index in range(210)]
    data = encoded(many[0], "GIF", save_all=True, append_images=many[1:], duration=20)
    still = await prepare(storage, data)
    with opened(storage, still.blob.hash) as made:
        assert getattr(made, "n_frames", 1) == 1
    square = await prepare(
        storage, encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "square"
    )
    with opened(storage, square.blob.hash) as made:
        assert getattr(made, "n_frames", 1) == 1


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose head promises these measures."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def gif_that_claims(width: int, height: int) -> bytes:
    size = struct.pack("<HH", width, height)
    return b"GIF89a" + size + b"\x80\0\0" + b"\0" * 6 + b",\0\0\0\0" + size + b"\0\2\0;"


@pytest.mark.parametrize(
    "data",
    [
        png_that_claims(60_000, 60_000),
        png_that_claims(2**31 - 1, 2**31 - 1),
        png_that_claims(8001, 5000),
        png_that_claims(16_001, 1),
        gif_that_claims(65_000, 65_000),
    ],
    ids=["60000²", "2³¹", "just over", "long", "gif"],
)  # fmt: skip
async def test_bombs_are_refused_before_they_are_opened(storage: LocalStorage, data: bytes) -> None:
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(Invalid, match="40 megapixels"):
        await prepare(storage, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000 < MOST_PIXELS


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script></html>",
        b"%PDF-1.7",
        b"",
        b"\x89PNG\r\n\x1a\n<svg onload=alert(1)>",
        b"\xff\xd8\xff\xe0" + b"\0" * 100,
        b"GIF89a<script>alert(1)</script>",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"\0\0\0\x18ftypheic\0\0\0\0heicmif1",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"BM" + b"\0" * 60,
        encoded(Image.effect_noise((400, 400), 90), "JPEG")[:3000],
    ],
)
async def test_what_is_no_picture_is_refused_with_what_to_do(storage: LocalStorage, data: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        await prepare(storage, data)
    assert list(refused.value.fields) == ["file"]
    assert "PNG, JPEG, WebP or GIF" in str(refused.value.fields["file"])


async def test_what_hides_behind_a_picture_is_gone(storage: LocalStorage) -> None:
    data = encoded(Image.new("RGB", (50, 50)), "PNG") + b"<script>alert(1)</script>PK\x03\x04"
    picture = await prepare(storage, data)
    assert b"script" not in await storage.bytes_of(picture.blob.hash)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\a\\plan.pdf", "plan.pdf"),
        ("plan\u202egnp.exe", "plan gnp.exe"),
        ("a\r\nSet-Cookie: x.txt", "a Set-Cookie x.txt"),
        ('a"<b>|c?.png', "a b c .png"),
        (".htaccess", "htaccess"),
        ("...", "file"),
        ("", "file"),
        ("con.txt", "_con.txt"),
        ("e\u0301te\u0301.jpg", "\u00e9t\u00e9.jpg"),
        ("Devis  n° 12 .pdf", "Devis n° 12 .pdf"),
        ("\ud800x.txt", "x.txt"),
    ],
)
def test_names_are_cleaned(name: str, clean: str) -> None:
    assert clean_name(name) == clean
    assert clean_name(clean) == clean


def test_long_names_keep_their_ending() -> None:
    for name in ("x" * 400 + ".jpeg", "é" * 400 + ".pdf", "x" * 400, "a." + "x" * 400):
        assert len(clean_name(name).encode()) <= 150
    assert clean_name("x" * 400 + ".jpeg").endswith("x.jpeg")


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("a.PDF", b"<html><script>", "application/octet-stream"),
        ("a.html", b"<html>", "application/octet-stream"),
        ("a.svg", b"<svg>", "application/octet-stream"),
        ("a.js", b"alert(1)", "application/octet-stream"),
        ("a.txt", "été".encode() * 1000, "text/plain; charset=utf-8"),
        ("a.txt", ("é" * 2000).encode()[:-1], "text/plain; charset=utf-8"),
        ("a.txt", b"\xff\xfe\0a", "application/octet-stream"),
        ("a.csv", b"a;b\r\n", "text/plain; charset=utf-8"),
        ("a.docx", b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.docx", b"MZ", "application/octet-stream"),
        ("a.zip", b"PK\x03\x04", "application/zip"),
        ("a.mp4", b"\0\0\0\x20ftypisom", "video/mp4"),
        ("a.exe", b"MZ", "application/octet-stream"),
        ("a", b"%PDF-1.7", "application/octet-stream"),
        ("a.txt", b"", "text/plain; charset=utf-8"),
    ],
)
def test_types_come_from_bytes_and_a_short_list(name: str, head: bytes, kind: str) -> None:
    assert safe_type(name, head) == kind


def test_who_claims_to_be_a_picture_has_to_prove_it() -> None:
    assert looks_like_picture("plan.pdf", encoded(Image.new("L", (2, 2)), "PNG"))
    assert looks_like_picture("photo.JPG", b"<svg>")
    assert not looks_like_picture("photo.svg", b"<svg>")
    assert not looks_like_picture("photo.heic", b"\0\0\0\x18ftypheic")
