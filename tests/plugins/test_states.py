"""Plugins switched on and off, in one process and in two, on both databases: what is kept, what is undone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from parvis import AuthProvider, PluginInfo, hookimpl
from parvis.data import PreparedSQL
from parvis.data.migrations import applied, describe
from parvis.errors import Conflict, NotFound, PluginError
from parvis.plugins import Limits, PluginRegistry, State
from parvis.plugins.discovery import GROUP, discover
from parvis.plugins.reasons import KINDS, TEXTS, Reason
from parvis.plugins.starting import seen
from parvis.plugins.states import TRANSITIONS, may_follow
from parvis.plugins.tables import Plugin, PluginRow
from parvis.services import audit
from parvis.services.i18n import use_locale
from parvis.site import current

AUDITED = PreparedSQL("SELECT action, actor, subject FROM audit WHERE subject = :subject ORDER BY seq")
GUESTS = PreparedSQL("SELECT count(*) AS n FROM guestbook_entry")


async def reopened(engine: Any, **options: Any) -> PluginRegistry:
    """Return another process's registry on the same database."""
    options.setdefault("enable_on_first_start", False)
    options.setdefault("defaults", [Password])
    registry = PluginRegistry(engine, limits=Limits(slow=0, retries=()), **options)
    await registry.load()
    return registry


async def state_of(registry: PluginRegistry, name: str) -> Any:
    (found,) = [plugin for plugin in await registry.describe() if plugin.name == name]
    return found


async def test_a_life_from_installed_to_disabled(site_engine: Any, install: Any) -> None:
    install("guestbook")
    first, second = await reopened(site_engine), await reopened(site_engine)
    told = await state_of(first, "guestbook")
    assert (told.state, told.needs_reload, told.tables) == ("installed", False, {})
    assert await describe(site_engine, "guestbook_entry") is None

    # Never loaded before: its tables come now, its pages with the reload.
    version = first.version
    assert await first.enable("guestbook", actor=None) is True
    assert first.version > version
    assert "guestbook" not in first.enabled
    told = await state_of(first, "guestbook")
    assert (told.state, told.needs_reload, told.tables) == ("enabled", True, {"guestbook_entry": 2})
    assert "reloaded" in str(told.reason)
    assert list(await applied(site_engine, "guestbook")) == ["m0001"]

    first, second = await reopened(site_engine), await reopened(site_engine)
    for registry in (first, second):
        assert "guestbook" in registry.enabled
        assert "guestbook.entry" in registry.content_types
    assert first.plugin_of_path("/guestbook") == "guestbook"

    # Off and on at once, the data kept, the other process follows with its next look.
    await first.disable("guestbook")
    assert "guestbook" not in first.enabled
    assert "guestbook" in second.enabled
    assert await second.refresh() is True
    assert await second.refresh() is False
    assert "guestbook" not in second.enabled
    assert second.version == first.version
    assert "guestbook.entry" not in second.content_types
    assert "guestbook.sign" not in second.permissions
    assert "guestbook.page" not in {declared.value.route for declared in second.navigation}
    assert all(d.plugin != "guestbook" for found in second.fragments.values() for d in found)
    assert await second.ask_first("identify", request={"badge": 1}) is None
    assert "guestbook" in second.loaded
    assert {declared.plugin for declared in second.routes} >= {"guestbook"}
    assert second.plugin_of_path("/guestbook") == "guestbook"
    assert await GUESTS() == [{"n": 2}]
    assert await second.enable("guestbook") is False
    await first.refresh()
    assert "guestbook" in first.enabled
    assert [row["action"] for row in await AUDITED(subject="plugin:guestbook")] == [
        "plugin.installed", "plugin.enabled", "plugin.disabled", "plugin.enabled",
    ]  # fmt: skip
    assert await audit.verify() is None


async def test_what_is_described(site_engine: Any, install: Any) -> None:
    install("guestbook", version="2.3")
    await (await reopened(site_engine)).enable("guestbook")
    told = await state_of(await reopened(site_engine), "guestbook")
    assert (told.label, told.version, told.core_range, told.scope) == (
        "Guest book",
        "2.3",
        "<1,>=0.1",
        "site",
    )
    assert told.tables == {"guestbook_entry": 2}
    assert told.permissions == ("guestbook.sign", "guestbook.close")
    assert told.content_types == ("guestbook.entry",)
    assert told.settings == ("guestbook.open",)
    assert told.slots == ("guestbook.page",)
    assert told.fills == ("home.rail",)
    assert told.events == ("guestbook.signed",)
    assert told.routes == ("/guestbook",)
    assert "decide" in told.hooks


async def test_a_fresh_instance_starts_with_what_comes_with_it(site_engine: Any, install: Any) -> None:
    install("first", "")
    install("second", "")
    registry = await reopened(site_engine, group=GROUP, enable_on_first_start=("first",))
    assert registry.enabled == {"first", "password"}
    assert (await known())["second"] == "installed"
    # Found later: noted, and left to the administrator.
    install("late", "raise AssertionError('imported')")
    registry = await reopened(site_engine, group=GROUP, enable_on_first_start=("first", "late"))
    assert (await known())["late"] == "installed"
    assert registry.enabled == {"first", "password"}


async def test_the_umbrella_brings_what_is_on_at_first(site_engine: Any) -> None:
    found = {item.name: item for item in discover()}
    assert found["feeds"].first_party
    row = seen(found.values(), {}, True, {})["feeds"]
    assert row.state is State.ENABLED
    assert seen(found.values(), {}, False, {})["feeds"].state is State.INSTALLED
    assert seen(found.values(), {"other": PluginRow("other")}, True, {})["feeds"].state is State.INSTALLED


async def known() -> dict[str, str]:
    return {name: row.state.value for name, row in (await Plugin.known()).items()}


FAILING = {
    "migrations/__init__.py": "",
    "migrations/m0001.py": """
        from parvis.data.migrations import pk, text
        async def forwards(schema):
            await schema.create_table("half_one", pk(), text("text"))
    """,
    "migrations/m0002.py": """
        from parvis.data.migrations import pk
        async def forwards(schema):
            await schema.create_table("half_two", pk())
            await schema.execute("insert into half_nothing values (1)")
    """,
}


async def test_a_migration_that_fails_half_way_leaves_nothing(site_engine: Any, install: Any) -> None:
    install("half", 'info = PluginInfo(label="Half", tables=("half_one", "half_two"))', files=FAILING)
    install("good", "")
    registry = await reopened(site_engine)
    with pytest.raises(PluginError, match="half: Its data could not be brought up to date") as caught:
        await registry.enable("half")
    assert "half_nothing" in str(caught.value)
    row = registry.rows["half"]
    assert (row.state, row.reason and row.reason.code) == (State.QUARANTINED, "migration")
    for table in ("half_one", "half_two"):
        assert await describe(site_engine, table) is None
    assert await applied(site_engine, "half") == {}
    assert await registry.enable("good") is True
    # Mended, it is switched on from where it stands.
    mended = "from parvis.data.migrations import pk\nasync def forwards(schema):\n" \
             "    await schema.create_table('half_two', pk())\n"  # fmt: skip
    install("half", 'info = PluginInfo(label="Half", tables=("half_one", "half_two"))',
            files={**FAILING, "migrations/m0002.py": mended})  # fmt: skip
    import sys

    for name in [name for name in sys.modules if name.startswith("parvis_half")]:
        del sys.modules[name]
    registry = await reopened(site_engine)
    await registry.enable("half")
    registry = await reopened(site_engine)
    assert "half" in registry.enabled
    assert (await state_of(registry, "half")).tables == {"half_one": 0, "half_two": 0}


async def test_new_code_waits_for_its_data(site_engine: Any, install: Any) -> None:
    install("grows", 'info = PluginInfo(label="x", tables=("grows_a",))')
    await (await reopened(site_engine)).enable("grows")
    install("grows", 'info = PluginInfo(label="x", tables=("grows_a",))', files={
        "migrations/__init__.py": "",
        "migrations/m0001.py": "from parvis.data.migrations import pk\n"
                               "async def forwards(schema): await schema.create_table('grows_a', pk())\n",
    })  # fmt: skip
    registry = await reopened(site_engine)
    assert "grows" not in registry.enabled
    told = await state_of(registry, "grows")
    assert (told.state, told.needs_update) == ("enabled", True)
    assert "parvis migrate" in str(told.reason)
    assert await registry.migrate() == {"grows": ["m0001"]}
    assert "grows" in registry.enabled
    assert (await state_of(registry, "grows")).tables == {"grows_a": 0}
    assert await registry.migrate() == {}


async def test_two_administrators_at_once(site_engine: Any, install: Any) -> None:
    install("guestbook")
    await (await reopened(site_engine)).enable("guestbook")
    first, second = await reopened(site_engine), await reopened(site_engine)
    for _ in range(5):
        results = await asyncio.gather(
            first.disable("guestbook"), second.disable("guestbook"), return_exceptions=True
        )
        # The one who comes second finds it done, or is told that the state has moved.
        assert all(result is None or isinstance(result, Conflict) for result in results)
        await first.refresh()
        await second.refresh()
        assert first.enabled == second.enabled
        assert "guestbook" not in first.enabled
        results = await asyncio.gather(
            first.enable("guestbook"), second.enable("guestbook"), return_exceptions=True
        )
        assert all(result is False or isinstance(result, Conflict) for result in results)
        await first.refresh()
        await second.refresh()
        assert first.version == second.version
        assert "guestbook" in first.enabled & second.enabled


async def test_a_guard_asks_and_never_opens_what_it_hid(site_engine: Any, install: Any) -> None:
    install("guestbook")
    install("vault")
    registry = await reopened(site_engine)
    await registry.enable("guestbook")
    await registry.enable("vault")
    # Enabled, but not running in this process before the reload: nothing it guards is shown.
    assert registry.hidden_types == {"guestbook.entry"}
    registry = await reopened(site_engine)
    assert registry.hidden_types == frozenset()
    assert [declared.value.name for declared in registry.filters] == ["vault.keys"]
    with pytest.raises(Conflict, match="hides content"):
        await registry.disable("vault")
    assert "vault" in registry.enabled

    # Broken by its next version: quarantined, and what it guarded stays hidden.
    import sys

    for name in [name for name in sys.modules if name.startswith("parvis_vault")]:
        del sys.modules[name]
    install("vault", "1 / 0")
    registry = await reopened(site_engine)
    assert registry.rows["vault"].state is State.QUARANTINED
    assert registry.hidden_types == {"guestbook.entry"}
    safe = await reopened(site_engine, safe_mode=True)
    assert safe.hidden_types == {"guestbook.entry"}
    with pytest.raises(Conflict):
        await registry.disable("vault")
    await registry.disable("vault", confirm=True)
    assert registry.hidden_types == frozenset()


async def test_a_package_that_vanished_is_still_listed(
    site_engine: Any, install: Any, site_packages: Any
) -> None:
    import shutil

    install("vault")
    await (await reopened(site_engine)).enable("vault")
    shutil.rmtree(site_packages / "parvis_vault-1.0.dist-info")
    registry = await reopened(site_engine)
    told = await state_of(registry, "vault")
    assert (told.state, told.is_installed) == ("enabled", False)
    assert "not installed any more" in str(told.reason)
    assert registry.hidden_types == {"guestbook.entry"}
    await registry.disable("vault", confirm=True)
    with pytest.raises(Conflict, match="not installed"):
        await registry.enable("vault")


async def test_the_last_way_to_sign_in_stays(site_engine: Any, install: Any) -> None:
    install("guestbook")
    await (await reopened(site_engine)).enable("guestbook")
    alone = await reopened(site_engine, defaults=[])
    assert [declared.plugin for declared in alone.auth_providers] == ["guestbook"]
    with pytest.raises(Conflict, match="last way to sign in"):
        await alone.disable("guestbook")
    with_password = await reopened(site_engine)
    await with_password.disable("guestbook")
    with pytest.raises(Conflict, match="belongs to the core"):
        await with_password.disable("password")


class Password:
    """The core's own way to sign in."""

    name = "password"
    info = PluginInfo(label="Password")

    @staticmethod
    @hookimpl
    def register_auth_providers() -> list[AuthProvider]:
        async def sign_in(form: Any, request: Any) -> int | None:
            return None

        return [AuthProvider(name="password", label="Password", template="parvis/x.html", sign_in=sign_in)]


async def test_what_does_not_exist_and_what_is_not_allowed(site_engine: Any, install: Any) -> None:
    install("shy", "")
    registry = await reopened(site_engine)
    with pytest.raises(NotFound):
        await registry.enable("nobody")
    with pytest.raises(Conflict, match="does not allow this"):
        await registry.disable("shy")
    safe = await reopened(site_engine, safe_mode=True)
    with pytest.raises(Conflict, match="safe mode"):
        await safe.enable("shy")


async def test_suspension_reaches_the_other_process(site_engine: Any, install: Any) -> None:
    install("bad", "@hookimpl\nasync def identify(request): raise RuntimeError('no')")
    await (await reopened(site_engine)).enable("bad")
    first = PluginRegistry(site_engine, limits=Limits(errors=2, slow=0))
    await first.load()
    second = await reopened(site_engine)
    for _ in range(2):
        assert await first.ask_first("identify", request=None) is None
    await first.close()
    assert await second.refresh() is True
    assert "bad" not in second.enabled
    assert "RuntimeError: no" in str((await state_of(second, "bad")).reason)
    assert [row["action"] for row in await AUDITED(subject="plugin:bad")][-1] == "plugin.suspended"


async def test_a_failed_call_inside_a_transaction_does_not_join_it(site_engine: Any, install: Any) -> None:
    from parvis.data import transaction

    install("bad", "@hookimpl\nasync def identify(request): raise RuntimeError('no')")
    await (await reopened(site_engine)).enable("bad")
    registry = PluginRegistry(site_engine, limits=Limits(errors=1, slow=0))
    await registry.load()

    async def fail() -> None:
        async with transaction():
            await registry.ask_first("identify", request=None)
            raise RuntimeError("rolled back")

    with pytest.raises(RuntimeError, match="rolled back"):
        await fail()
    await registry.close()
    assert registry.rows["bad"].state is State.SUSPENDED


async def test_prepare_hooks(site_engine: Any, install: Any) -> None:
    install("guestbook")
    install("bad", "@hookimpl\ndef prepare_rendering(jinja, markdown): 1 / 0")
    registry = await reopened(site_engine)
    await registry.enable("guestbook")
    await registry.enable("bad")
    registry = await reopened(site_engine)
    environment = type("Environment", (), {"filters": {}})()
    registry.prepare_rendering(environment, None)
    assert environment.filters["initials"]("Ada Lovelace") == "AL"
    await registry.close()
    assert registry.rows["bad"].state is State.QUARANTINED
    assert "guestbook" in registry.enabled


def test_the_transitions() -> None:
    assert set(TRANSITIONS) == set(State)
    assert may_follow(State.ENABLED, State.SUSPENDED)
    assert not may_follow(State.DISABLED, State.SUSPENDED)
    assert not may_follow(State.REMOVED, State.DISABLED)
    assert not may_follow(State.ENABLED, State.REMOVED)
    assert all(state not in after for state, after in TRANSITIONS.items())


def test_reasons_are_kept_as_they_are() -> None:
    reason = Reason("range", {"range": ">=2", "version": "{1}"})
    assert Reason.load(reason.dump()) == reason
    assert str(reason) == "It needs parvis-core >=2, and this is {1}."
    assert Reason.load("") is None
    assert str(Reason("forgotten-code")) == "forgotten-code"
    assert "import" in TEXTS


def test_reasons_are_told_in_the_readers_language(site_engine: Any) -> None:
    current().i18n.load({})
    reason = Reason("prefix", {"what": "the table", "name": "x_row", "wanted": "bad_"})
    with_french = use_locale("fr", "Europe/Paris")
    try:
        assert str(reason) == "Il déclare la table x_row, qui doit commencer par bad_."
        untranslated = [code for code, text in {**TEXTS, **KINDS}.items() if str(text) == str(text._args[0])]
        assert untranslated == []
    finally:
        with_french.reset()
    assert str(reason) == "It declares the table x_row, which must begin with bad_."
