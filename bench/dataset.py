"""A community of a given size, written straight into the database: members, spaces, posts, sessions."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from parvis.app import open_site
from parvis.cli.database import migrate_all
from parvis.config import Config
from parvis.data import PreparedSQL, bound_engine, transaction
from parvis.data.schema import advance_sequence
from parvis.data.transactions import Transaction
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM
from parvis.people.sessions import open_session
from parvis.services.markup import current_markup
from parvis.spaces.actions import add_space_member, open_space

# So many rows a transaction: longer ones are told as a fault.
BATCH = 400


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the load needs to know: a session token for each member, and the slug of a space anybody may write in."""

    tokens: list[str]
    slugs: list[str]


async def fill(config: Config, *, members: int, spaces: int, posts: int, seed: int = 1) -> Dataset:
    """Fill an empty instance; the same arguments make the same community."""
    chance = random.Random(seed)
    async with open_site(config):
        people = []
        for start in range(0, members, 50):
            async with transaction("bench"):
                for number in range(start, min(start + 50, members)):
                    person = await add_member(
                        SYSTEM, email=f"m{number}@bench.example", name=f"Prénom{number} Nom{number}",
                        profile={"job": "Menuisier", "team": f"Équipe {number % 12}", "site": "Rennes"},
                    )  # fmt: skip
                    people.append(person.id)
        rows = []
        for number in range(spaces):
            kind = ("open", "open", "closed", "secret")[number % 4]
            async with transaction("bench"):
                space = await open_space(
                    SYSTEM, {"name": f"Espace {number}", "description": "Un espace.", "kind": kind, "icon": "users",
                             "hue": "pine"}, owner=people[number],
                )  # fmt: skip
                for person in chance.sample(people, members // 4):
                    await add_space_member(SYSTEM, space, person)
            rows.append(space)
        await _posts(people, [space.id for space in rows], posts, chance)
        tokens = [await open_session(person, "bench", "127.0.0.1") for person in people]
        return Dataset(tokens, [space.slug for space in rows])


async def _posts(people: list[int], spaces: list[int], posts: int, chance: random.Random) -> None:
    bodies = await _bodies()
    found = await PreparedSQL("SELECT id, space FROM audience WHERE kind = 'space'")()
    audience = {row["space"]: row["id"] for row in found}
    start = datetime.now(UTC) - timedelta(days=365)
    step = timedelta(days=365) / (posts + 1)
    add_body = PreparedSQL(
        "INSERT INTO feeds_post (id, source, html, rules, excerpt) VALUES (:id, :s, :h, :r, :s)"
    )
    add = PreparedSQL(
        "INSERT INTO content (id, type, object, space, author, audience, title, state, listed, version, touched,"
        " language, reason, created, published, last_activity)"
        " VALUES (:id, 'feeds.post', :id, :space, :author, :audience, :title,"
        " 'published', TRUE, 1, 0, 'fr', '', :at, :at, :at)"
    )
    rules = current_markup().rules_hash
    for first in range(1, posts + 1, BATCH):
        async with transaction("bench"):
            for number in range(first, min(first + BATCH, posts + 1)):
                source, html = bodies[number % len(bodies)]
                space = chance.choice(spaces)
                await add_body(id=number, s=source, h=html, r=rules)
                await add(
                    id=number, space=space, author=chance.choice(people), audience=audience[space],
                    title=f"Publication {number}" if number % 3 == 0 else "", at=start + step * number,
                )  # fmt: skip
    for table in ("content", "feeds_post"):
        await advance_sequence(bound_engine(), table)
    # A million rows take longer than a transaction may last.
    async with Transaction(bound_engine(), "bench", longest=600):
        await PreparedSQL("ANALYZE")()


async def _bodies() -> list[tuple[str, str]]:
    """Return bodies of the length people write, taken from the demonstration's posts."""
    folder = Path(str(resources.files("parvis_feeds.demo")))
    sources: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        sources += [post["body"] for post in tomllib.loads(path.read_text(encoding="utf-8"))["posts"]]
    markup = current_markup()
    return [(source, await markup.render_async(source)) for source in sources]


async def prepare(config: Config) -> None:
    """Make the schema of core and plugins in an empty database."""
    await migrate_all(config)
