"""Bad plugins are left out with a reason that names what is wrong; the others go on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from parvis.errors import PluginError
from parvis.plugins import PluginRegistry, State
from parvis.plugins.discovery import discover, given
from parvis.plugins.reasons import Fault

GOOD = """
@hookimpl
def register_permissions():
    return [Permission(name="good.do", label="Do")]

@hookimpl
async def decide(actor, permission, subjects):
    return [Decision.ALLOW for _ in subjects]
"""

BAD = {
    "import": ("1 / 0", "raised an error while it was imported: ZeroDivisionError: division by zero"),
    "exit": ("raise SystemExit(3)", "raised an error while it was imported: SystemExit: 3"),
    "syntax": ("def", "raised an error while it was imported: SyntaxError"),
    "missing_import": ("import parvis_nowhere", "ModuleNotFoundError: No module named 'parvis_nowhere'"),
    "no_manifest": ("info = 3  # PluginInfo(", "info = PluginInfo(…)"),
    "declaration": (
        "@hookimpl\ndef register_permissions():\n    raise RuntimeError('no mood')",
        "register_permissions: RuntimeError: no mood",
    ),
    "generator": (
        "@hookimpl\ndef register_permissions():\n    yield Permission(name='bad.a', label='A')\n    1 / 0",
        "register_permissions: ZeroDivisionError",
    ),
    "wrong_kind": (
        "@hookimpl\ndef register_permissions():\n    return ['bad.do']",
        "register_permissions returned str, where Permission is expected",
    ),
    "not_a_list": (
        "@hookimpl\ndef register_permissions():\n    return Permission(name='bad.do', label='x')",
        "register_permissions returned Permission, where a sequence is expected",
    ),
    "foreign_permission": (
        "@hookimpl\ndef register_permissions():\n    return [Permission(name='good.do', label='x')]",
        "declares the permission good.do, which must begin with bad.",
    ),
    "core_permission": (
        "@hookimpl\ndef register_permissions():\n    return [Permission(name='content.edit', label='x')]",
        "the permission content.edit, which must begin with bad.",
    ),
    "twice": (
        "@hookimpl\ndef register_permissions():\n    return [Permission(name='bad.do', label='x')] * 2",
        "the permission bad.do, which bad declares already",
    ),
    "foreign_setting": (
        "@hookimpl\ndef register_settings():\n"
        "    return [Setting(name='good.x', label='x', type=int, default=1)]",
        "the setting good.x, which must begin with bad.",
    ),
    "wrong_default": (
        "@hookimpl\ndef register_settings():\n"
        "    return [Setting(name='bad.x', label='x', type=int, default=True)]",
        "setting bad.x has a default that does not fit",
    ),
    "foreign_type": (
        "async def load(ids): return {}\n@hookimpl\ndef register_content_types():\n"
        "    return [ContentType(name='good.x', label='x', icon='x', load_many=load, card_template='bad/_x.html')]",
        "the content type good.x, which must begin with bad.",
    ),
    "foreign_slot": (
        "info = PluginInfo(label='x', slots=('good.slot',))",
        "the slot good.slot, which must begin with bad.",
    ),
    "foreign_event": (
        "info = PluginInfo(label='x', events=('good.event',))",
        "the event good.event, which must begin with bad.",
    ),
    "foreign_table": (
        "info = PluginInfo(label='x', tables=('good_row',))",
        "the table good_row, which must begin with bad_",
    ),
    "core_mount": ("info = PluginInfo(label='x', mounts=('/admin/',))", "the mount /admin/, which belongs to the core"),
    "core_route": (
        "from litestar import get\n@get('/people')\nasync def page() -> str: return ''\n"
        "@hookimpl\ndef register_routes(): return [page]",
        "the address /people, outside its own: /bad",
    ),
    "near_route": (
        "from litestar import get\n@get('/badly')\nasync def page() -> str: return ''\n"
        "@hookimpl\ndef register_routes(): return [page]",
        "the address /badly, outside its own",
    ),
    "controller_route": (
        "from litestar import Controller, get\nclass Pages(Controller):\n    path = '/good'\n"
        "    @get('/x')\n    async def page(self) -> str: return ''\n"
        "@hookimpl\ndef register_routes(): return [Pages]",
        "the address /good/x, outside its own",
    ),
    "route_name": (
        "from litestar import get\n@get('/bad', name='home')\nasync def page() -> str: return ''\n"
        "@hookimpl\ndef register_routes(): return [page]",
        "the route home, which must begin with bad.",
    ),
    "route_twice": (
        "from litestar import get\n@get('/bad/{a:int}')\nasync def one(a: int) -> str: return ''\n"
        "@get('/bad/{b:int}')\nasync def two(b: int) -> str: return ''\n"
        "@hookimpl\ndef register_routes(): return [one, two]",
        "the address GET /bad/{}, which bad declares already",
    ),
    "not_a_route": (
        "@hookimpl\ndef register_routes(): return [3]",
        "raised an error in its declarations: ImproperlyConfiguredException",
    ),
    "foreign_template": (
        "@hookimpl\ndef register_fragments(): return [Fragment(slot='home.rail', template='parvis/page.html')]",
        "the template parvis/page.html, which must stand in templates/bad/",
    ),
    "missing_template": (
        "@hookimpl\ndef register_fragments(): return [Fragment(slot='home.rail', template='bad/_x.html')]",
        "the template bad/_x.html, which does not exist",
    ),
    "misspelt": (
        "@hookimpl\nasync def decyde(actor): pass",
        "fills a hook that does not exist: decyde. (decide?)",
    ),
    "argument": (
        "@hookimpl\nasync def decide(actor, permision, subjects): pass",
        "Its hook decide does not fit: Argument(s) {'permision'}",
    ),
    "plain": (
        "@hookimpl\ndef decide(actor, permission, subjects): return []",
        "Its hook decide must be async def",
    ),
    "async_declare": (
        "@hookimpl\nasync def register_permissions(): return []",
        "Its hook register_permissions must be a plain function",
    ),
    "wrapper": (
        "@hookimpl(wrapper=True)\ndef register_permissions():\n    return (yield)",
        "Its hook register_permissions is a wrapper",
    ),
    "unguarded": (
        "from parvis import ContentFilter\n@hookimpl\ndef register_content_filters():\n"
        "    return [ContentFilter(name='bad.x', types=('good.x',), where='1 = 0')]",
        "Its filter bad.x narrows good.x, which must also stand in PluginInfo(guards=…)",
    ),
    "hidden_table": (
        "from parvis.data import Table\nclass Row(Table, tablename='bad_row'): pass",
        "has the table bad_row, which must also stand in PluginInfo(tables=…)",
    ),
    "secret_table": (
        "from parvis.data import Table\nclass Row(Table, tablename='member_x'): pass",
        "the table member_x, which must begin with bad_",
    ),
    "core_slot": (
        "@hookimpl\ndef register_fragments(): return [Fragment(slot='home.mian', template='bad/_x.html')]",
        "fills the slot home.mian, which home does not offer",
    ),
    "unknown_slot": (
        "@hookimpl\ndef register_fragments(): return [Fragment(slot='good.none', template='bad/_x.html')]",
        "fills the slot good.none, which good does not offer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_plugin_is_named_and_the_others_go_on(
    case: str, install: Any, open_registry: Any
) -> None:
    source, message = BAD[case]
    files = {"templates/bad/_x.html": ""} if case.endswith("slot") or case == "foreign_type" else {}
    install("bad", source, files=files)
    install("good", GOOD)
    registry = await open_registry("bad", "good")
    row = registry.rows["bad"]
    assert row.state is State.QUARANTINED
    assert message in str(row.reason)
    assert registry.enabled == {"good"}
    assert list(registry.permissions) == ["good.do"]
    assert [answer.plugin for answer in await registry.ask_all(
        "decide", actor=None, permission="good.do", subjects=[1]
    )] == ["good"]  # fmt: skip
    (told,) = [plugin for plugin in await registry.describe() if plugin.name == "bad"]
    assert message in str(told.reason)


async def test_a_quarantined_plugin_is_not_imported_again(
    install: Any, open_registry: Any, tmp_path: Path
) -> None:
    note = tmp_path / "imported"
    install("bad", f"from pathlib import Path\nPath({str(note)!r}).touch()\n1 / 0")
    registry = await open_registry("bad")
    assert note.exists()
    note.unlink()
    store = registry.store
    second = PluginRegistry(None)
    second.store = store
    await second.load()
    await second.close()
    assert not note.exists()
    assert second.rows["bad"].state is State.QUARANTINED


@pytest.mark.parametrize(
    ("requires", "message"),
    [
        ("parvis-core>=99", "needs parvis-core >=99, and this is"),
        ("parvis-core>=0.1,<0.1.0", "and this is 0.1.0"),
        (None, "must depend on parvis-core"),
        ("parvis-core>=99; python_version<'3'", "must depend on parvis-core"),
    ],
)
async def test_the_range_is_read_without_importing(
    requires: str | None, message: str, install: Any, open_registry: Any
) -> None:
    install("old", "raise AssertionError('imported')", requires=requires)
    registry = await open_registry("old")
    assert message in str(registry.rows["old"].reason)
    assert "parvis_old.plugin" not in sys.modules


async def test_never_enabled_packages_are_not_imported(install: Any, open_registry: Any) -> None:
    install("shy", "raise AssertionError('imported')")
    registry = await open_registry()
    assert registry.rows["shy"].state is State.INSTALLED
    assert "parvis_shy.plugin" not in sys.modules
    assert registry.found["shy"].core_range == "<1,>=0.1"
    (told,) = [plugin for plugin in await registry.describe() if plugin.name == "shy"]
    assert (told.summary, told.version, told.core_range) == ("The shy plugin.", "1.0", "<1,>=0.1")


@pytest.mark.parametrize("name", ["content", "admin", "Bad", "x"])
async def test_names_of_the_core_are_refused(name: str, install: Any, open_registry: Any) -> None:
    install(name, "")
    registry = await open_registry(name)
    assert "is not usable" in str(registry.rows[name].reason)


async def test_two_packages_of_one_name(install: Any, site_packages: Path) -> None:
    install("twin", "")
    install("other", "")
    (site_packages / "parvis_other-1.0.dist-info/entry_points.txt").write_text(
        "[parvis.plugins]\ntwin = parvis_other.plugin\n"
    )
    found = {item.name: item for item in discover()}
    assert (
        found["twin"].distribution == "parvis-other"
    )  # the first by name of distribution, always the same one


async def test_plugins_are_asked_by_weight_then_name(install: Any, open_registry: Any) -> None:
    hook = "\n@hookimpl\nasync def identify(request): order.append(__name__)"
    for name, weight in (("zebra", 10), ("alpha", 50), ("mike", 50), ("delta", 90)):
        install(name, f"order = __import__('sys').__dict__.setdefault('_order', [])\n"
                      f"info = PluginInfo(label='x', weight={weight}){hook}")  # fmt: skip
    registry = await open_registry("zebra", "alpha", "mike", "delta")
    sys.__dict__["_order"].clear()
    await registry.ask_first("identify", request=None)
    asked = [name.removeprefix("parvis_").removesuffix(".plugin") for name in sys.__dict__.pop("_order")]
    assert asked == ["zebra", "alpha", "mike", "delta"]
    assert list(registry.loaded) == asked


async def test_clashes_between_plugins_name_both(install: Any, open_registry: Any) -> None:
    install("poll", "info = PluginInfo(label='x', tables=('poll_x_row',))")
    install("poll_x", "info = PluginInfo(label='x', tables=('poll_x_row',))")
    install("first", "info = PluginInfo(label='x', mounts=('/dav/',))")
    install("second", "info = PluginInfo(label='x', mounts=('/dav',))")
    registry = await open_registry("poll", "poll_x", "first", "second")
    assert registry.enabled == {"poll", "first"}
    assert "the table poll_x_row, which poll declares already" in str(registry.rows["poll_x"].reason)
    assert "the address /dav, which first declares already" in str(registry.rows["second"].reason)


async def test_a_plugin_fills_the_hook_of_another(install: Any, open_registry: Any) -> None:
    for name in ("guestbook", "hours"):
        install(name)
    registry = await open_registry("guestbook", "hours")
    (answer,) = await registry.ask_all("guestbook_greetings", language="fr")
    assert (answer.plugin, answer.value) == ("hours", ["Bonjour"])


async def test_an_optional_hook_of_an_absent_plugin_is_no_fault(install: Any, open_registry: Any) -> None:
    install("hours")
    registry = await open_registry("hours")
    assert registry.enabled == {"hours"}
    with pytest.raises(LookupError, match="no hook named 'guestbook_greetings'"):
        await registry.ask_all("guestbook_greetings", language="fr")


async def test_own_hooks_do_not_take_a_name_of_the_core(install: Any, open_registry: Any) -> None:
    specs = "from parvis import hookspec\n@hookspec\nasync def decide(x):\n    '''Mine.'''\n"
    plugin = "from parvis_taker import specs\n@hookimpl\ndef register_hookspecs(): return specs"
    install("taker", plugin, files={"specs.py": specs})
    registry = await open_registry("taker")
    assert "the hook decide, which core declares already" in str(registry.rows["taker"].reason)


async def test_safe_mode_starts_the_core_alone(install: Any, open_registry: Any) -> None:
    install("guestbook")
    registry = await open_registry("guestbook", safe_mode=True, defaults=[Default])
    assert registry.enabled == {"default"}
    assert list(registry.permissions) == ["content.edit"]
    assert "parvis_guestbook.plugin" not in sys.modules


async def test_safe_mode_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARVIS_SAFE_MODE", "1")
    assert PluginRegistry(None).safe_mode is True
    assert PluginRegistry(None, safe_mode=False).safe_mode is False


class Default:
    """Behaviour of the core: it may use any name."""

    from parvis import PluginInfo, hookimpl

    name = "default"
    info = PluginInfo(label="Default")

    @staticmethod
    @hookimpl
    def register_permissions() -> Any:
        from parvis import Permission

        return [Permission(name="content.edit", label="Edit", author=True)]


async def test_a_fault_of_the_core_itself_is_raised() -> None:
    class Broken:
        name = "broken"

    with pytest.raises(Fault, match="no manifest"):
        PluginRegistry(None, defaults=[Broken])


async def test_plugins_given_by_the_caller_are_on(open_registry: Any) -> None:
    registry = await open_registry(group=None, extra=[Default])
    assert "must begin with default." in str(registry.rows["default"].reason)
    assert [item.name for item in given(["parvis_polls.plugin", Default])] == ["polls", "default"]


async def test_enabling_a_bad_plugin_says_why(install: Any, open_registry: Any) -> None:
    registry = await open_registry()
    install("bad", "1 / 0")
    registry = await open_registry()
    with pytest.raises(PluginError, match="bad: It raised an error while it was imported: ZeroDivisionError"):
        await registry.enable("bad")
    assert registry.rows["bad"].state is State.QUARANTINED


async def test_addresses_of_handlers_routers_and_controllers(install: Any, open_registry: Any) -> None:
    install(
        "paths",
        """
        from litestar import Controller, Router, get, post
        from litestar.params import FromPath
        @get(["/paths", "/paths/all/"], name="paths.list")
        async def first() -> str: return ""
        class Pages(Controller):
            path = "/admin/paths"
            @post("/{one:int}", name="paths.save")
            async def save(self, one: FromPath[int]) -> str: return ""
        @get("/")
        async def tab(slug: FromPath[str]) -> str: return ""
        inside = Router("/spaces/{slug:str}/paths", route_handlers=[tab])
        @hookimpl
        def register_routes(): return [first, Pages, inside]
        """,
    )
    for _ in range(2):  # a second site of one process finds the same code registered already
        registry = await open_registry("paths")
        assert [(route.path, route.name, route.methods) for route in registry.loaded["paths"].routes] == [
            ("/paths", "paths.list", ("GET",)),
            ("/paths/all", "paths.list", ("GET",)),
            ("/admin/paths/{one:int}", "paths.save", ("POST",)),
            ("/spaces/{slug:str}/paths", None, ("GET",)),
        ]
        from litestar import Litestar

        Litestar([declared.value for declared in registry.routes], openapi_config=None)
    owner = registry.plugin_of_path
    for path in ("/paths", "/paths/all/", "//paths", "/admin/paths/3", "/spaces/x/paths", "/api/v1/paths/1"):
        assert owner(path) == "paths", path
    for path in ("/", "/admin", "/spaces/paths", "/spaces/x/pathsy", "/api/paths", "/api/v1", "/c/1", ""):
        assert owner(path) is None, path
