"""What is kept between requests belongs to nobody: each page is, to the letter, the one a cold process would make."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from parvis.content import audience_of_set
from parvis.data import PreparedSQL
from parvis.people.actions import change_role, suspend_member
from parvis.people.actor import SYSTEM
from parvis.people.profile_actions import edit_profile, rename_handle
from parvis.people.sessions import actor_of
from parvis.services.kept import Kept
from parvis.services.secrets import unmask
from parvis.spaces.access import access_space
from parvis.spaces.actions import add_space_member, edit_space, join_space, remove_space_member
from parvis.testing import Visitor

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
# Language, zone and appearance of each: two zones that never have the same day.
TASTES = {
    "Ownerine": ("fr", "Pacific/Kiritimati", "dark", True),
    "Insidor": ("en", "Pacific/Pago_Pago", "light", False),
    "Strangea": (None, None, "auto", True),
    "Guestave": ("en", "Pacific/Kiritimati", "auto", False),
    "Modestine": ("fr", "Pacific/Pago_Pago", "dark", False),
    "Adminique": ("fr", "America/New_York", "light", True),
}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{80,}")
_KEY = re.compile(r'name="key" value="([^"]+)"')
_OFTEN_NEW = re.compile(
    r'name="key" value="[^"]*"|data-request="[^"]*"|urn:request:[0-9a-f]+|<[^>]*tnum">[^<]*<|\b[0-9a-f]{16}\b'
)


def _same(text: str) -> str:
    """Return a page without what is new on each: tokens, the request's number, the composer's key, timings."""
    return _TOKEN.sub("TOKEN", _OFTEN_NEW.sub("", text))


def _pages(town: Any) -> list[tuple[str, dict[str, str]]]:
    """Return the addresses of whole pages and of parts that readers are compared on."""
    slugs = [space.slug for space in town.spaces.values()]
    posts = list(town.posts.values())
    pages = ["/", "/?show=mine", "/?show=feeds.post", "/spaces", "/spaces?show=mine", "/people", "/people?q=o",
             "/preferences", "/spaces/new", "/feeds/compose", "/admin/plugins", "/api/v1/contents", "/api/v1/spaces",
             "/no/such/page"]  # fmt: skip
    pages += [f"/spaces/{slug}{part}" for slug in slugs for part in ("", "/about", "/members", "/edit")]
    pages += [f"/c/{post}{part}" for post in posts for part in ("", "/menu")]
    pages += [f"/feeds/{post}/edit" for post in posts]
    pages += [f"/people/{town.people[name].handle}" for name in ("Ownerine", "Strangea", "Guestave")]
    parts = ["/feeds/more", "/feeds/compose", f"/c/{posts[0]}", f"/c/{posts[0]}/menu", "/people?q=o"]
    return [(path, {}) for path in pages] + [(path, PARTIAL) for path in parts]


def _few_pages(town: Any) -> list[tuple[str, dict[str, str]]]:
    """Return the addresses where a change shows first."""
    pages = [
        "/",
        "/?show=mine",
        "/spaces",
        "/people",
        "/api/v1/contents",
        f"/people/{town.people['Ownerine'].handle}",
    ]
    pages += [f"/spaces/{town.spaces[kind].slug}" for kind in ("open", "secret")]
    pages += [f"/spaces/{town.spaces['secret'].slug}/members"]
    pages += [f"/c/{town.posts[kind]}" for kind in ("everyone", "closed", "secret")]
    return [*((path, {}) for path in pages), ("/feeds/more", PARTIAL)]


def _forget(town: Any) -> dict[str, Any]:
    """Make the process a cold one: drop everything it keeps between requests; returns what that was."""
    kept = {name: value for name, value in town.site.stash.items() if isinstance(value, Kept)}
    for name in kept:
        del town.site.stash[name]
    return kept


async def _readers(town: Any) -> dict[str, Visitor]:
    change = PreparedSQL(
        "UPDATE member SET language = :language, time_zone = :zone, theme = :theme, shortcuts = :shortcuts"
        " WHERE id = :id"
    )
    found = {}
    for name, (language, zone, theme, shortcuts) in TASTES.items():
        id_ = town.people[name].id
        await change(id=id_, language=language, zone=zone, theme=theme, shortcuts=shortcuts)
        found[name] = await town.enter(name)
    found["Ownerine again"] = await town.enter("Ownerine")
    found["nobody"] = town.visit()
    await found["nobody"].get("/sign-in")
    return found


Seen = dict[tuple[str, str, bool], str]


async def _read(
    town: Any, readers: dict[str, Visitor], *, cold: bool, order: int = 1, few: bool = False
) -> tuple[Seen, dict[tuple[str, str, bool], str]]:
    """Return every page of every reader, comparable and as it came; cold ones with nothing kept before each.

    What the process keeps is the same after a cold reading as before.
    """
    kept = _forget(town) if cold else {}
    seen: Seen = {}
    whole = {}
    for path, headers in _few_pages(town) if few else _pages(town):
        for name in list(readers)[::order]:
            if cold:
                _forget(town)
            answer = await readers[name].http.get(path, headers=headers)
            key = (name, path, bool(headers))
            whole[key] = answer.text
            seen[key] = f"{answer.status_code} {answer.headers.get('location')}\n{_same(answer.text)}"
    if cold:
        _forget(town)
        town.site.stash.update(kept)
    return seen, whole


def _difference(warm: Seen, cold: Seen) -> list[Any]:
    """Return where pages differ, each with its first line that does."""
    found = []
    for key in cold:
        if warm[key] != cold[key]:
            lines = zip(warm[key].split("\n"), cold[key].split("\n"), strict=False)
            found.append((key, next((pair for pair in lines if pair[0] != pair[1]), None)))
    return found


async def _own_tokens(readers: dict[str, Visitor], whole: dict[tuple[str, str, bool], str]) -> None:
    """Hold every token on every page to the session that asked for it."""
    secrets: dict[str, str] = {}
    for name, visitor in readers.items():
        token = visitor.http.cookies.get("parvis_session")
        actor = await actor_of(token) if token else None
        secrets[name] = actor.secret if actor is not None else visitor.http.cookies["parvis_visit"]
    assert len(set(secrets.values())) == len(secrets)
    counted = 0
    for (name, path, _), text in whole.items():
        for token in _TOKEN.findall(text):
            counted += 1
            assert unmask(token) == secrets[name], (name, path)
    assert counted > 200


async def test_pages_are_the_same_in_any_order_of_readers(town: Any) -> None:
    readers = await _readers(town)
    cold, _ = await _read(town, readers, cold=True)
    _forget(town)
    for order in (1, -1, 1):
        warm, whole = await _read(town, readers, cold=False, order=order)
        assert _difference(warm, cold) == [], order
        await _own_tokens(readers, whole)
    assert {"cards", "frames", "shells", "standing"} <= {
        name for name, value in town.site.stash.items() if isinstance(value, Kept)
    }, "there is something kept that could have been foreign"


async def test_nothing_of_another_stands_on_a_page(town: Any) -> None:
    """Marks of each person, searched on everybody else's pages where that person is not what the page is about."""
    readers = await _readers(town)
    for order in (1, -1):
        _forget(town)
        for _ in range(2):
            _, whole = await _read(town, readers, cold=False, order=order)
        keys: dict[str, tuple[str, str]] = {}
        for (name, path, partial), text in whole.items():
            base = name.split()[0]
            for key in _KEY.findall(text):
                assert keys.setdefault(key, (name, path + str(partial))) == (name, path + str(partial))
            for other in TASTES:
                if other == base:
                    continue
                row = town.people[other]
                assert row.email not in text or path == f"/people/{row.handle}", (name, path, other)
                assert f"Browser of {other}" not in text, (name, path)
                # The entry of one's own profile in the shell, and the way to edit it.
                assert f"/people/{row.handle}/edit" not in text or base == "Adminique", (name, path, other)
                token = readers[other].http.cookies["parvis_session"]
                assert token not in text
            if base in TASTES and "/preferences" not in path:
                for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York"):
                    assert zone not in text, (name, path)
            language = TASTES.get(base, (None,))[0] or "fr"
            if "<html" in text and base in TASTES:
                assert f'<html lang="{language}"' in text, (name, path)
                theme = re.search(r'<html[^>]* data-theme="(\w+)"', text)
                assert (theme[1] if theme else "auto") == TASTES[base][2], (name, path)
            if base != "Adminique":
                assert 'href="/admin/plugins"' not in text, (name, path)
            if base in ("Strangea", "Guestave", "Modestine", "Adminique", "nobody"):
                for words in ("words-secret", "title-secret", "Space secret", "words-closed"):
                    assert words not in text, (name, path)
            if base in ("Guestave", "nobody"):
                for words in ("words-", "title-", "Space ", "Ownerine"):
                    assert words not in text, (name, path)
        home = whole["Ownerine", "/", False]
        assert "words-secret" in home
        assert "Space secret" in home


async def _changes(town: Any) -> list[tuple[str, Callable[[], Awaitable[Any]]]]:
    """Return what happens to people, spaces, texts and modules while pages are kept."""
    owner, people, spaces = await town.actor("Ownerine"), town.people, town.spaces

    async def secret_again() -> None:
        space = await access_space(await town.actor("Ownerine"), spaces["open"].slug)
        await edit_space(
            owner,
            space,
            space.version,
            {"name": "Renamed open", "kind": "secret", "icon": "leaf", "hue": "moss"},
        )

    async def open_again() -> None:
        space = await access_space(await town.actor("Ownerine"), spaces["open"].slug)
        await edit_space(
            owner,
            space,
            space.version,
            {"name": "Space open", "kind": "open", "icon": "users", "hue": "pine"},
        )

    async def renamed() -> None:
        row = people["Ownerine"]
        await edit_profile(SYSTEM, row.id, row.version, {"name": "Renamed Person", "job": "Joiner"})
        await rename_handle(SYSTEM, row.id, "renamed")

    async def joined() -> None:
        reader = await town.actor("Strangea")
        await join_space(reader, await access_space(reader, spaces["open"].slug))

    move = PreparedSQL(
        "UPDATE content SET audience = :audience, space = NULL, touched = touched + 1 WHERE id = :id"
    )
    secret = (await PreparedSQL("SELECT id FROM audience WHERE space = :id")(id=spaces["secret"].id))[0]["id"]
    group = PreparedSQL(
        "INSERT INTO member_group (slug, name, created) VALUES ('g', 'G', CURRENT_TIMESTAMP) RETURNING id"
    )
    enter = PreparedSQL('INSERT INTO member_group_member ("group", member) VALUES (:g, :m)')

    groups: list[int] = []

    async def to_group() -> None:
        groups.append((await group())[0]["id"])
        audience = await audience_of_set(groups=groups)
        await move(id=town.posts["closed"], audience=audience)

    plugins = town.site.plugins
    return [
        ("a member is taken out", lambda: remove_space_member(SYSTEM, spaces["secret"], people["Insidor"].id)),
        ("a member is added", lambda: add_space_member(SYSTEM, spaces["secret"], people["Guestave"].id)),
        ("an open space turns secret", secret_again),
        ("and open again", open_again),
        ("somebody joins", joined),
        ("somebody is named anew", renamed),
        ("a text goes to fewer", lambda: move(id=town.posts["everyone"], audience=secret)),
        ("a text goes to everyone", lambda: move(id=town.posts["closed"], audience=1)),
        ("a text goes to a group", to_group),
        ("somebody is in the group", lambda: enter(g=groups[0], m=people["Strangea"].id)),
        ("a role is given", lambda: change_role(SYSTEM, people["Strangea"].id, "administrator")),
        ("a role is taken", lambda: change_role(SYSTEM, people["Adminique"].id, "guest")),
        ("somebody is suspended", lambda: suspend_member(SYSTEM, people["Modestine"].id)),
        ("a module goes off", lambda: plugins.disable("feeds", actor=None, confirm=True)),
        ("and on again", lambda: plugins.enable("feeds", actor=None)),
    ]  # fmt: skip


async def test_what_changes_is_gone_from_what_is_kept(town: Any) -> None:
    """After each change the warm process shows every reader what a cold one would, at once."""
    readers = await _readers(town)
    del readers["Ownerine again"], readers["nobody"]
    before, _ = await _read(town, readers, cold=False, few=True)
    for what, change in await _changes(town):
        await change()
        warm, whole = await _read(town, readers, cold=False, few=True)
        cold, _ = await _read(town, readers, cold=True, few=True)
        assert _difference(warm, cold) == [], what
        assert warm != before, f"{what}: it shows somewhere"
        before = warm
        match what:
            case "a member is taken out":
                assert "words-secret" not in whole["Insidor", "/", False]
            case "an open space turns secret":
                assert "words-open" not in whole["Strangea", "/", False]
                assert "words-open" in whole["Ownerine", "/", False]
            case "a text goes to fewer":
                assert "words-everyone" not in whole["Strangea", "/", False]
                assert "words-everyone" in whole["Guestave", "/", False]
            case "a module goes off":
                assert not any("words-" in text or "/feeds/" in text for text in whole.values())


async def test_a_disabled_module_answers_at_none_of_its_addresses(
    town: Any, raw: Any, route_table: Any
) -> None:
    visitor = await town.enter("Ownerine")
    cookie = f"parvis_session={visitor.http.cookies['parvis_session']}".encode()
    ways = ("/feeds/compose", "//feeds/compose", "/feeds//compose", "/feeds/compose/", "///feeds///compose//")

    async def ask(path: str, headers: dict[str, str]) -> int:
        told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        return int((await raw("GET", path, headers=[(b"cookie", cookie), *told])).status)

    for headers in ({}, PARTIAL):
        assert [await ask(path, headers) for path in ways] == [200] * len(ways)
    before = await town.dump()
    await town.site.plugins.disable("feeds", actor=None, confirm=True)
    for headers in ({}, PARTIAL):
        assert [await ask(path, headers) for path in ways] == [404] * len(ways)
    for address in route_table:
        if address.path.startswith("/feeds"):
            path = address.path.replace("{content_id:int}", str(town.posts["open"]))
            answer = await visitor.http.request(address.method, path, headers={"X-CSRF-Token": visitor.token})
            assert answer.status_code == 404, address
            assert "words-" not in answer.text
    await town.site.plugins.enable("feeds", actor=None)
    after = await town.dump()
    for table in ("content", "feeds_post", "content_version", "file"):
        assert after[table] == before[table]
