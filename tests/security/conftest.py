"""A small community whose every person and text is unmistakable, and ways to ask it what no browser would ask."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from litestar import Litestar
from parvis.content.files import attach_to_member, attach_to_space, receive_file
from parvis.data import PreparedSQL, transaction
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM
from parvis.people.passwords import hash_password
from parvis.people.profile_actions import set_picture
from parvis.people.sessions import actor_of, open_session, settle
from parvis.people.tables import MemberRow
from parvis.services.secrets import mask
from parvis.site import Site
from parvis.spaces.actions import add_space_member, open_space, set_cover
from parvis.spaces.tables import SpaceRow
from parvis.testing import PASSWORD, Visitor

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
HOST = b"localhost:8000"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0f01f00"
    "05000201a5f645400000000049454e44ae426082"
)
_UNCOUNTED = frozenset({"rate_limit"})

# Who lives here: name, role of the site, spaces.
PEOPLE = (
    ("Ownerine", "member", ("open", "closed", "secret")),
    ("Insidor", "member", ("open", "closed", "secret")),
    ("Strangea", "member", ()),
    ("Guestave", "guest", ()),
    ("Modestine", "moderator", ()),
    ("Adminique", "administrator", ()),
)


@dataclass(eq=False)
class Town:
    """What lives in the community: people by name, spaces by kind, posts and files by where they are."""

    site: Site
    visit: Callable[[], Visitor]
    people: dict[str, MemberRow] = field(default_factory=dict)
    spaces: dict[str, SpaceRow] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)

    async def enter(self, name: str) -> Visitor:
        """Return a browser signed in as somebody, with its form token; without the cost of a sign-in."""
        visitor = self.visit()
        token = await open_session(self.people[name].id, f"Browser of {name}", "10.0.0.1")
        visitor.http.cookies.set("parvis_session", token, domain="localhost.local")
        visitor.token = await self.form_token(token)
        return visitor

    async def form_token(self, session: str) -> str:
        """Return a form token of the session with this token."""
        actor = await actor_of(session)
        assert actor is not None
        return mask(actor.secret)

    async def actor(self, name: str) -> Any:
        """Return somebody as the program sees them in a request."""
        found = await actor_of(await open_session(self.people[name].id))
        assert found is not None
        return found

    async def dump(self) -> dict[str, list[str]]:
        """Return every row of every table but counted attempts and moments of visits, to see that nothing changed."""
        await settle()
        found = {}
        for table in await tables(self.site):
            if table not in _UNCOUNTED:
                rows = await PreparedSQL(f'SELECT * FROM "{table}"')()
                for row in rows:
                    row.pop("last_seen", None)
                found[table] = sorted(json.dumps(row, default=repr, sort_keys=True) for row in rows)
        return found


async def tables(site: Site) -> list[str]:
    """Return the names of all tables of the instance's database."""
    if site.engine.dialect == "sqlite":
        text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    else:
        text = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
    return sorted(row["name"] for row in await PreparedSQL(text)())


@pytest.fixture(scope="session")
def kept_password() -> str:
    """Return the hash of everybody's password, made once: it is meant to be slow."""
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(hash_password(PASSWORD))
    finally:
        loop.close()


@pytest.fixture
async def town(instance: Site, visit: Callable[[], Visitor], kept_password: str) -> Town:
    """Build the community on one of the engines."""
    made = Town(instance, visit)
    for name, role, _ in PEOPLE:
        made.people[name] = await add_member(
            SYSTEM,
            email=f"{name.lower()}@example.org",
            name=f"{name} Family{name[::-1]}",
            role=role,
            language="en",
            password_hash=kept_password,
        )
    for kind in ("open", "closed", "secret"):
        values = {"name": f"Space {kind}", "description": f"about-{kind}", "kind": kind}
        space = await open_space(SYSTEM, values, owner=made.people["Ownerine"].id)
        made.spaces[kind] = space
        for name, _, kinds in PEOPLE[1:]:
            if kind in kinds:
                await add_space_member(SYSTEM, space, made.people[name].id)
    await _fill(made)
    return made


async def _fill(town: Town) -> None:
    browser, owner = await town.enter("Ownerine"), await town.actor("Ownerine")
    for kind in ("everyone", "open", "closed", "secret"):
        picture, paper = (
            await _file(owner, f"{kind}.png", PNG),
            await _file(owner, f"{kind}.txt", b"0123456789"),
        )
        town.files[f"{kind} picture"], town.files[f"{kind} paper"] = picture, paper
        fields = {
            "audience": town.spaces[kind].slug if kind != "everyone" else "everyone",
            "title": f"title-{kind}",
            "text": f"words-{kind}",
            "key": f"key-{kind}",
            "file": [str(picture), str(paper)],
        }
        answer = await browser.post("/feeds/posts", fields)
        town.posts[kind] = int(answer.headers["location"].rpartition("/")[2])
    town.files["waiting"] = await _file(owner, "waiting.txt", b"not attached yet")
    town.files["face"] = await _file(owner, "face.png", PNG)
    for kind in ("closed", "secret"):
        town.files[f"{kind} cover"] = cover = await _file(owner, f"{kind}-cover.png", PNG)
        async with transaction():
            await attach_to_space(owner, town.spaces[kind].id, cover)
            await set_cover(owner, town.spaces[kind], cover)
    async with transaction():
        await attach_to_member(owner, owner.member, town.files["face"])
        await set_picture(owner, owner.member, town.files["face"])


async def _file(actor: Any, name: str, data: bytes) -> int:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    return (await receive_file(actor, name, chunks())).id


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application sent, as it sent it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == name.encode()]

    def header(self, name: str) -> str:
        """Return the one value of a header, empty when it is not there."""
        found = self.all(name)
        assert len(found) < 2, (name, found)
        return found[0] if found else ""


@pytest.fixture
def raw(application: Any) -> Callable[..., Any]:
    """Return a way to send a request as bytes, with nothing put right on the way; what is raised is raised."""

    async def send(
        method: str,
        path: str,
        *,
        query: bytes = b"",
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes | list[bytes] = b"",
        host: bytes | None = HOST,
        scheme: str = "http",
        client: tuple[str, int] = ("203.0.113.9", 5000),
    ) -> Answer:
        chunks = [body] if isinstance(body, bytes) else list(body)
        sent: list[Any] = []
        told = list(headers or [])
        if host is not None:
            told.insert(0, (b"host", host))
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": method, "scheme": scheme, "path": path, "raw_path": path.encode("utf-8", "replace"),
            "query_string": query, "root_path": "", "headers": told, "client": client,
            "server": ("localhost", 8000), "state": {}, "extensions": {},
        }  # fmt: skip

        async def receive() -> Any:
            if chunks:
                part = chunks.pop(0)
                return {"type": "http.request", "body": part, "more_body": bool(chunks)}
            return {"type": "http.disconnect"}

        async def answer(message: Any) -> None:
            sent.append(message)

        await application(scope, receive, answer)
        start = next(message for message in sent if message["type"] == "http.response.start")
        body_sent = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(start["status"], list(start["headers"]), body_sent)

    return send


@dataclass(frozen=True, slots=True)
class Address:
    """One method of one address of the application."""

    method: str
    path: str
    public: bool
    opt: dict[str, Any]


@pytest.fixture
def route_table(application: Any) -> list[Address]:
    """Return every method and address that the application answers, as registered."""
    app: Litestar = application._app._app
    found = []
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods):
                found.append(
                    Address(str(method), route.path, bool(handler.opt.get("public")), dict(handler.opt))
                )
    return sorted(found, key=lambda address: (address.path, address.method))


def fingerprint(data: bytes) -> str:
    """Return a short name for bytes, to compare pages by."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()
