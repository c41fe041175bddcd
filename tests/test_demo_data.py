"""The demonstration company is whole: every reference resolves, and the texts keep French typography."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "core" / "parvis" / "demo"
FEEDS = ROOT / "plugins" / "feeds" / "parvis_feeds" / "demo"
HUES = {"pine", "sky", "iris", "plum", "rose", "clay", "honey", "moss"}
FICTIONAL_PHONE = re.compile(r"(01 99 00|02 61 91|06 39 98) \d\d \d\d")
CODE_OR_ADDRESS = re.compile(r"```.*?```|`[^`]*`|https?://\S+|^\|[ :|-]+\|$", re.S | re.M)
PLAIN_SPACE = re.compile(r"[^\s|] [;:?!»](?=\s|$|\*)|« ")

Table = dict[str, Any]


@pytest.fixture(scope="module")
def company() -> Table:
    return tomllib.loads((CORE / "company.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def people(company: Table) -> dict[str, Table]:
    return {person["handle"]: person for person in company["people"]}


@pytest.fixture(scope="module")
def spaces(company: Table) -> dict[str, Table]:
    return {space["slug"]: space for space in company["spaces"]}


@pytest.fixture(scope="module")
def posts() -> list[Table]:
    found = []
    for path in sorted(FEEDS.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        found += [{**post, "space": data["space"]} for post in data["posts"]]
    return found


def members(space: Table, people: dict[str, Table]) -> set[str]:
    """The handles that belong to the space by its rule, its owners and moderators included."""
    rule = space["members"]
    listed = {*rule.get("people", []), *space["owners"], *space["moderators"]}
    teams = set(rule.get("teams", []))
    for handle, person in people.items():
        if person["role"] != "guest" and (rule.get("everyone") or person["team"] in teams):
            listed.add(handle)
    return listed


def french_texts(company: Table, posts: list[Table]) -> Iterator[str]:
    """Every French text a reader sees."""
    yield company["company"]["tagline"]
    for space in company["spaces"]:
        yield from (space["name"], space["description"])
    for person in company["people"]:
        yield from (person.get("about", "") if person.get("language") != "en" else "", person["job"])
    for post in posts:
        if post.get("language", "fr") == "fr":
            yield from (post.get("title", ""), post["body"])
        yield from (picture["alt"] for picture in post.get("pictures", []))


def test_the_company_has_160_people_of_unique_names_and_addresses(company: Table) -> None:
    people = company["people"]
    assert len(people) == 160
    for key in ("handle", "email", "name", "phone"):
        assert [v for v, n in Counter(p[key] for p in people).items() if n > 1] == []
    for person in people:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", person["handle"])
        assert person["email"].endswith("@demo.example")
        assert FICTIONAL_PHONE.fullmatch(person["phone"]), person["handle"]
        assert 3 <= len(person["skills"]) <= 6, person["handle"]
        assert ("joined" in person) != ("arrived_days_ago" in person), person["handle"]
    assert sum("about" in p for p in people) >= 55


def test_the_special_accounts_have_their_roles(company: Table) -> None:
    roles = {p["email"]: p["role"] for p in company["people"]}
    assert roles["admin@demo.example"] == "admin"
    assert roles["member@demo.example"] == "member"
    assert Counter(roles.values()) == {"member": 156, "guest": 2, "admin": 1, "moderator": 1}


def test_teams_sites_and_managers_resolve_without_cycle(company: Table, people: dict[str, Table]) -> None:
    teams = {team["slug"] for team in company["teams"]}
    sites = {site["slug"] for site in company["sites"]}
    assert {p["team"] for p in people.values()} == teams
    assert {p["site"] for p in people.values()} == sites
    for handle, person in people.items():
        seen = [handle]
        while "manager" in people[seen[-1]]:
            seen.append(people[seen[-1]]["manager"])
            assert seen.count(seen[-1]) == 1, f"cycle of managers: {seen}"
        if person["role"] != "guest":
            assert seen[-1] == "helene-maubois", handle


def test_there_are_12_spaces_of_the_three_kinds(spaces: dict[str, Table], people: dict[str, Table]) -> None:
    assert len(spaces) == 12
    assert Counter(s["kind"] for s in spaces.values()) == {"open": 8, "closed": 2, "secret": 2}
    for slug, space in spaces.items():
        assert space["hue"] in HUES, slug
        assert space["icon"], slug
        assert space["owners"], slug
        assert members(space, people) <= people.keys(), slug
        if "cover" in space:
            assert (CORE / "pictures" / space["cover"]).is_file(), slug


def test_a_guest_belongs_only_to_one_space_that_names_him(
    spaces: dict[str, Table], people: dict[str, Table]
) -> None:
    for guest in (h for h, p in people.items() if p["role"] == "guest"):
        assert sum(guest in members(space, people) for space in spaces.values()) == 1, guest


def test_every_author_exists_and_belongs_to_the_space(
    posts: list[Table], spaces: dict[str, Table], people: dict[str, Table]
) -> None:
    inside = {slug: members(space, people) for slug, space in spaces.items()}
    assert {post["space"] for post in posts} == spaces.keys()
    for post in posts:
        assert post["author"] in inside[post["space"]], post["body"]
        newcomer = people[post["author"]].get("arrived_days_ago")
        assert newcomer is None or post["days_ago"] < newcomer, post["body"]


def test_about_400_posts_fill_a_year_and_none_repeats(posts: list[Table]) -> None:
    assert 380 <= len(posts) <= 420
    ages = [post["days_ago"] for post in posts]
    assert min(ages) > 0
    assert 300 < max(ages) < 366
    assert len(set(ages)) == len(ages)
    assert sum(age < 3 for age in ages) >= 15
    bodies = Counter(re.sub(r"\W+", " ", post["body"]).strip().lower() for post in posts)
    assert [body for body, times in bodies.items() if times > 1] == []
    assert all(post["body"].strip() for post in posts)
    assert {post.get("kind", "message") for post in posts} == {"message", "question", "news"}
    assert sum(post.get("language") == "en" for post in posts) >= 5


def test_the_newest_posts_the_member_sees_are_varied(
    posts: list[Table], spaces: dict[str, Table], people: dict[str, Table]
) -> None:
    mine = {slug for slug, space in spaces.items() if "solene-le-goff" in members(space, people)}
    top = sorted((p for p in posts if p["space"] in mine), key=lambda post: post["days_ago"])[:30]
    assert sum("pictures" in post for post in top) >= 8
    assert sum("title" in post for post in top) >= 8
    assert any("|---|" in post["body"] for post in top)
    assert len({post["author"] for post in top}) >= 20


def test_post_pictures_and_files_exist_and_are_described(posts: list[Table]) -> None:
    used: set[str] = set()
    for post in posts:
        for picture in post.get("pictures", []):
            assert len(picture["alt"]) > 20, picture
            used.add(f"pictures/{picture['file']}")
        used |= {f"files/{name}" for name in post.get("files", [])}
    there = {f"{p.parent.name}/{p.name}" for kind in ("pictures", "files") for p in (FEEDS / kind).iterdir()}
    assert used == there
    assert sum(name.startswith("pictures/") for name in used) >= 22


def test_portraits_and_covers_exist_and_none_is_idle(company: Table) -> None:
    named = {p["picture"] for p in company["people"] if "picture" in p}
    named |= {s["cover"] for s in company["spaces"] if "cover" in s}
    assert named == {path.name for path in (CORE / "pictures").iterdir()}


def test_pictures_are_small_webp_of_the_right_size() -> None:
    total = 0
    for path in [*(CORE / "pictures").iterdir(), *(FEEDS / "pictures").iterdir()]:
        size = path.stat().st_size
        total += size
        with Image.open(path) as image:
            assert image.format == "WEBP", path.name
            portrait = image.size == (192, 192)
            assert portrait or image.width >= 990, path.name
        assert size < (6_000 if portrait else 60_000), (path.name, size)
    assert total < 2_000_000


def test_attachments_are_real_office_files() -> None:
    files = {path.name: path.read_bytes() for path in (FEEDS / "files").iterdir()}
    assert all(len(data) < 30_000 for data in files.values())
    assert files["planning-de-pose.pdf"].startswith(b"%PDF-1.4")
    with ZipFile(BytesIO(files["fiche-de-releve.ods"])) as sheet:
        assert sheet.namelist()[0] == "mimetype"
        assert sheet.testzip() is None
    lines = files["suivi-chantiers.csv"].decode("utf-8-sig").splitlines()
    assert len({line.count(";") for line in lines}) == 1


def test_french_texts_keep_the_typography(company: Table, posts: list[Table]) -> None:
    wrong = []
    for text in french_texts(company, posts):
        prose = CODE_OR_ADDRESS.sub("", text)
        if found := PLAIN_SPACE.search(prose):
            wrong.append(f"plain space at «{found.group()}» in: {text[:80]}")
        if "'" in prose or "..." in prose:
            wrong.append(f"straight apostrophe or three dots in: {text[:80]}")
    assert wrong == []


def test_the_typography_rule_can_fail() -> None:
    """The rule above catches what it is meant to catch, and lets the right forms through."""
    assert PLAIN_SPACE.search("Qui vient ?")
    assert PLAIN_SPACE.search("« non »")
    assert not PLAIN_SPACE.search("Qui vient\u202f? Oui\u00a0: «\u202foui\u202f».")
