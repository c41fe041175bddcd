"""The community that the browser opens: the demo, with one curator a language who owns something of each kind."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from parvis.app import application_of, open_site
from parvis.config import load_config
from parvis.content.files import receive_file
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM, Actor
from parvis.people.links import make_sign_in_link
from parvis.people.sessions import open_session
from parvis.people.tables import MemberRow
from parvis.spaces.actions import add_space_member, open_space
from parvis.testing import PASSWORD, Visitor

DEMO_PASSWORD = "parvis-demo"
PHONE = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"

# Everything a text may hold, and words too long for a phone.
TEXT = """\
A paragraph with **bold**, *italic*, `code`, ~~struck~~ and [a link](https://example.org/), then @{handle}.

### A heading

- one
- two
  1. nested

> Said by somebody.

| Piece | Count | Price |
|:------|------:|:-----:|
| Oak door with a very long description that does not break | 12 | 1 240,00 |
| Ash stairs | 3 | 4 800,00 |

| Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday | Everyday |
|-------:|--------:|----------:|---------:|-------:|---------:|-------:|---------:|
| 1 | 2 | 3 | 4 | 5 | 6 | 7 | 28 |

```
a line of code that is so long that it must scroll inside its own box and never widen the page around it
```

https://example.org/an/address/that/is/very/long/and/has/no/place/to/break/in/it/anywhere/at/all/whatever-happens
"""
SEED = (
    "import os, sys; from pathlib import Path; from parvis.cli.demo import demo_environment, make_demo;"
    "make_demo(Path(sys.argv[1]), 'fr', demo_environment('127.0.0.1', 8000, 1, None))"
)


def email(language: str) -> str:
    return f"curator.{language}@demo.example"


async def found(folder: Path) -> None:
    """Make the community in an empty folder; what the pages are named after goes to `cast.json`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SEED, str(folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    with (folder / "parvis.toml").open("a", encoding="utf-8") as settings:
        # Attacks are posted by the hundred, and each width of each page is a request.
        settings.write('\npublish = "0/s"\nupload = "0/s"\npreview = "0/s"\nsign-in = "0/s"\n')
    async with open_site(load_config(folder, {})) as site:
        application = application_of(site)
        cast = {language: await _cast(application, language) for language in ("fr", "en")}
    (folder / "cast.json").write_text(json.dumps(cast), encoding="utf-8")


async def _cast(application: Any, language: str) -> dict[str, Any]:
    """Add a curator who reads in `language`, with a secret space, a full post, an empty space and a sign-in link."""
    name = {"fr": "Noé Marchand-Lefebvre", "en": "Alex Morgan"}[language]
    row = await add_member(
        SYSTEM,
        email=email(language),
        name=name,
        role="administrator",
        password=PASSWORD,
        language=language,
        profile={"job": "Conservation", "team": "Direction", "site": "Rennes", "skills": ["chêne", "oak"]},
    )
    guest = await add_member(
        SYSTEM, email=f"guest.{language}@demo.example", name="Guy Passant", role="guest", password=PASSWORD,
        language=language,
    )  # fmt: skip
    secret = await _space(row, f"Réserve {language}", "secret")
    empty = await _space(row, f"Vide {language}", "closed")
    await add_space_member(SYSTEM, secret, guest.id)
    files = [await _file(_acting(row), path) for path in _demo_files()]
    post = await _publish(application, row, secret.slug, files)
    await open_session(row.id, PHONE, "192.0.2.7")
    return {
        "handle": row.handle,
        "post": post,
        "secret": secret.slug,
        "empty": empty.slug,
        "link": await make_sign_in_link(SYSTEM, (await _newcomer(language)).id),
    }


async def _publish(application: Any, author: MemberRow, space: str, files: list[int]) -> int:
    """Publish through the form, as everybody does, and return the content's id."""
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        visitor = Visitor(client)
        await visitor.sign_in(author.email)
        fields = {
            "audience": space,
            "title": "Everything",
            "text": TEXT.format(handle=author.handle),
            "key": "everything",
            "file": [str(file) for file in files],
        }
        answer = await visitor.post("/feeds/posts", fields)
    return int(answer.headers["location"].rpartition("/")[2])


async def _newcomer(language: str) -> MemberRow:
    return await add_member(
        SYSTEM, email=f"new.{language}@demo.example", name="Nell Venue", language=language
    )


def _acting(row: MemberRow) -> Actor:
    """Return a member as the one who acts; anew each time, for an actor remembers which spaces he was in."""
    return Actor(member=row.id, name=row.name, handle=row.handle, role=row.role, via="system")


async def _space(owner: MemberRow, name: str, kind: str) -> Any:
    fields = {
        "name": name,
        "description": "What is kept apart.",
        "kind": kind,
        "icon": "hammer",
        "hue": "plum",
    }
    return await open_space(_acting(owner), fields)


def _demo_files() -> list[Path]:
    from parvis_feeds import demo

    folder = Path(demo.__file__).parent
    pictures = sorted(path for path in folder.rglob("*") if path.suffix in (".webp", ".jpg", ".png"))
    return [*pictures[:5], folder / "files" / "planning-de-pose.pdf"]


async def _file(actor: Actor, path: Path) -> int:
    async def chunks() -> AsyncIterator[bytes]:
        yield path.read_bytes()

    return (await receive_file(actor, path.name, chunks(), alt="Un chantier", plugin="feeds")).id
