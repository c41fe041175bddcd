"""What the first visit of home weighs on the wire, and that later visits fetch the page alone."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from .conftest import Demo, Open

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL, SCRIPTS = 120_000, 40_000
"""Bytes transferred, compressed: everything besides fonts and pictures, and JavaScript alone."""


async def transferred(page: Any, act: Any) -> tuple[dict[str, int], list[str]]:
    """Return bytes from the network by type, and the addresses asked for, while `act` runs."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    kinds: dict[str, tuple[str, str]] = {}
    cached: set[str] = set()
    sizes: dict[str, int] = {}

    def received(event: Any) -> None:
        kinds[event["requestId"]] = (event["type"], event["response"]["url"])
        if event["response"].get("fromDiskCache") or event["response"].get("fromPrefetchCache"):
            cached.add(event["requestId"])

    session.on("Network.responseReceived", received)
    session.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    await act()
    await page.wait_for_load_state("networkidle")
    await session.detach()
    total: dict[str, int] = defaultdict(int)
    for number, (kind, _) in kinds.items():
        if number not in cached:
            total[kind] += int(sizes.get(number, 0))
    asked = [
        url for number, (_, url) in kinds.items() if number not in cached and not url.startswith("data:")
    ]
    return dict(total), asked


@pytest.mark.parametrize("width", [390, 1440])
async def test_the_first_visit_is_light_and_later_ones_fetch_the_page_alone(
    visit: Open, demo: Demo, width: int
) -> None:
    page = await visit("member@demo.example", width=width)
    first, _ = await transferred(page, lambda: page.goto("/"))
    besides = {kind: size for kind, size in first.items() if kind not in ("Font", "Image")}
    assert besides["Document"] > 1_000  # what is measured is there
    assert besides["Script"] > 1_000
    assert sum(besides.values()) < ALL, besides
    assert besides["Script"] < SCRIPTS, besides

    await page.goto("/spaces")
    await page.wait_for_load_state("networkidle")
    _, asked = await transferred(page, lambda: page.goto("/"))
    assert asked == [f"{demo.url}/"]
