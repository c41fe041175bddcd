"""Tokens that nobody can make or reuse for something else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis.services.secrets import keyed_digest, mask, new_token, sign, token_hash, unmask, unsign
from parvis.site import Site


@given(st.text(min_size=1, max_size=100))
def test_a_masked_secret_comes_back_and_never_looks_the_same(secret: str) -> None:
    first, second = mask(secret), mask(secret)
    assert first != second or len(secret.encode()) < 3
    assert unmask(first) == unmask(second) == secret


@given(st.text(max_size=60) | st.text("ABCabc019-_", max_size=60))
def test_what_was_not_masked_is_nothing_or_another_secret(token: str) -> None:
    found = unmask(token)
    assert found is None or found != "the secret of this session"


@pytest.mark.parametrize("token", ["", "A", "é", "====", "A" * 2000, "a b", "AAA\n"])
def test_broken_masks_are_nothing(token: str) -> None:
    assert unmask(token) is None


def test_tokens_are_random_and_kept_hashed() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43
    assert len({token_hash(token) for token in tokens}) == 100
    assert len(token_hash("x")) == 64


@pytest.mark.usefixtures("bare_site")
async def test_signed_texts_hold_for_one_purpose_and_a_while() -> None:
    for text in ("", "été", '{"a": "b.c"}', "x" * 3000):
        assert unsign(sign(text, "flash", 60), "flash") == text
    value = sign("member:1", "flash", 60)
    assert unsign(value, "invitation") is None
    until, body, signature = value.split(".")
    later = f"{int(time.time()) + 9999:x}"
    for forged in (
        f"{later}.{body}.{signature}",
        f"{until}.{body}x.{signature}",
        f"{until}.{body}.{signature[:-2]}AA",
        f"{until}.{body}.",
        "",
        "..",
        "a.b",
        "é.é.é",
        value + "é",
    ):
        assert unsign(forged, "flash") is None
    assert unsign(sign("x", "flash", -1), "flash") is None


async def test_another_instance_has_another_key(bare_site: Site) -> None:
    import dataclasses

    mine, digest = sign("x", "flash", 60), keyed_digest(b"x", "audit")
    bare_site.config = dataclasses.replace(bare_site.config, secret_key=b"k" * 32)
    assert unsign(mine, "flash") is None
    assert keyed_digest(b"x", "audit") != digest
    assert keyed_digest(b"x", "audit") != keyed_digest(b"x", "flash")
