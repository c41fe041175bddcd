"""Makes the demonstration company in a fresh instance: people and spaces here, the rest by each plugin."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from parvis.content.files import StoredFile, attach_to_member, attach_to_space, receive_file
from parvis.data import PreparedSQL, transaction
from parvis.people.actions import add_member
from parvis.people.actor import SYSTEM, Actor
from parvis.people.passwords import hash_password
from parvis.people.tables import MemberRow
from parvis.site import current
from parvis.spaces.actions import add_space_member, open_space
from parvis.spaces.tables import SpaceRow

PASSWORD = "parvis-demo"  # noqa: S105 - told to everybody who opens the demonstration
Progress = Callable[[str, int, int], None]

_PICTURE = PreparedSQL("UPDATE member SET picture = :picture WHERE id = :id")
_MANAGER = PreparedSQL("UPDATE member SET manager = :manager WHERE id = :id")
_COVER = PreparedSQL("UPDATE space SET cover = :cover WHERE id = :id")
_ROLE = PreparedSQL("UPDATE space_member SET role = :role WHERE space = :space AND member = :member")


class Demo:
    """The company while it is made: what plugins need to add their part in `seed_demo`."""

    def __init__(self, now: datetime, zone: ZoneInfo, progress: Progress) -> None:
        self.now = now
        self.zone = zone
        self.progress = progress
        self.people: dict[str, MemberRow] = {}
        self.spaces: dict[str, SpaceRow] = {}
        self._files: dict[tuple[Path, int], StoredFile] = {}

    def actor(self, handle: str) -> Actor:
        """Return a person as the one who acts, outside the limits that hold for real members."""
        person = self.people[handle]
        return Actor(member=person.id, name=person.name, handle=person.handle, role=person.role, via="system")

    def moment(self, days_ago: float) -> datetime:
        """Return a moment so many days ago (UTC).

        Under half a day it counts from now, else from noon of today, so that posts fall in working hours.
        """
        if days_ago < 0.5:
            return self.now - timedelta(days=days_ago)
        noon = datetime.combine(self.now.astimezone(self.zone).date(), time(12), self.zone)
        return min((noon - timedelta(days=days_ago)).astimezone(UTC), self.now)

    async def file(self, actor: Actor, path: Path, alt: str = "", plugin: str = "core") -> StoredFile:
        """Receive a file of the demonstration as if `actor` had sent it."""

        async def chunks() -> AsyncIterator[bytes]:
            yield await asyncio.to_thread(path.read_bytes)

        return await receive_file(actor, path.name, chunks(), alt=alt, plugin=plugin)


async def seed(progress: Progress) -> Demo:
    """Make the company in the open, empty instance; `progress(what, done, of)` is told of every step."""
    folder = Path(str(resources.files("parvis.demo")))
    company = tomllib.loads((folder / "company.toml").read_text(encoding="utf-8"))
    demo = Demo(datetime.now(UTC), ZoneInfo(company["company"]["time_zone"]), progress)
    await _people(demo, company, folder / "pictures")
    await _spaces(demo, company["spaces"], company["people"], folder / "pictures")
    await current().plugins.tell("seed_demo", demo=demo)
    return demo


async def _people(demo: Demo, company: dict[str, Any], pictures: Path) -> None:
    secret = await hash_password(PASSWORD)
    sites = {site["slug"]: site["name"] for site in company["sites"]}
    teams = {team["slug"]: team["name"] for team in company["teams"]}
    people = company["people"]
    for start in range(0, len(people), 40):
        # Some at a time: one commit for each would wait for the disk 160 times, and one for all takes too long.
        async with transaction("demo"):
            for person in people[start : start + 40]:
                demo.people[person["handle"]] = await _person(demo, person, sites, teams, secret)
        demo.progress("people", min(start + 40, len(people)), len(people))
    async with transaction("demo"):
        for person in people:
            if "manager" in person:
                chief = demo.people[person["manager"]].id
                await _MANAGER(id=demo.people[person["handle"]].id, manager=chief)
    drawn = [person for person in people if "picture" in person]
    for number, person in enumerate(drawn, 1):
        actor = demo.actor(person["handle"])
        picture = await demo.file(actor, pictures / person["picture"])
        async with transaction("demo"):
            await attach_to_member(actor, actor.member or 0, picture.id)
            await _PICTURE(id=actor.member, picture=picture.id)
        demo.progress("portraits", number, len(drawn))


async def _person(
    demo: Demo, person: dict[str, Any], sites: dict[str, str], teams: dict[str, str], secret: str
) -> MemberRow:
    joined: date | None = person.get("joined")
    if joined is not None:
        moment = datetime.combine(joined, time(8), demo.zone).astimezone(UTC)
    else:
        moment = demo.moment(person["arrived_days_ago"])
    return await add_member(
        SYSTEM,
        email=person["email"],
        name=person["name"],
        handle=person["handle"],
        role={"admin": "administrator"}.get(person["role"], person["role"]),
        password_hash=secret,
        language=person.get("language"),
        joined=moment,
        profile={
            "job": person["job"],
            "team": teams.get(person.get("team", ""), ""),
            "site": sites.get(person.get("site", ""), ""),
            "phone": person.get("phone", ""),
            "pronouns": person.get("pronoun", ""),
            "about": person.get("about", ""),
            "skills": person.get("skills", []),
        },
    )


async def _spaces(
    demo: Demo, spaces: Sequence[dict[str, Any]], people: Sequence[dict[str, Any]], pictures: Path
) -> None:
    for number, told in enumerate(spaces, 1):
        owner = demo.people[told["owners"][0]]
        async with transaction("demo"):
            fields = {name: told[name] for name in ("name", "description", "kind", "icon", "hue")}
            space = await open_space(SYSTEM, fields, owner=owner.id, created=demo.moment(380))
            for handle in _members(told, people):
                await add_space_member(SYSTEM, space, demo.people[handle].id, joined=demo.moment(370))
            for role in ("moderator", "owner"):
                for handle in told.get(f"{role}s", ()):
                    await _ROLE(space=space.id, member=demo.people[handle].id, role=role)
        if "cover" in told:
            actor = demo.actor(owner.handle)
            cover = await demo.file(actor, pictures / told["cover"])
            async with transaction("demo"):
                await attach_to_space(actor, space.id, cover.id)
                await _COVER(id=space.id, cover=cover.id)
        demo.spaces[told["slug"]] = space
        demo.progress("spaces", number, len(spaces))


def _members(told: dict[str, Any], people: Sequence[dict[str, Any]]) -> list[str]:
    """Return the handles of the people of a space, in the order of the company."""
    rule = told.get("members", {})
    named = {*rule.get("people", ()), *told["owners"], *told.get("moderators", ())}
    return [
        person["handle"]
        for person in people
        if person["handle"] in named
        or person.get("team") in rule.get("teams", ())
        or (rule.get("everyone") and person["role"] != "guest")
    ]
