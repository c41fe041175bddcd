"""What the core itself declares: its permissions, settings and menu entries."""

from __future__ import annotations

from collections.abc import Sequence

from parvis import NavItem, Permission, PluginInfo, hookimpl
from parvis.services.i18n import lazy_gettext as _l

info = PluginInfo(label=_l("Core"), summary=_l("People, spaces, content and permissions."), weight=0)

MEMBERS = ("administrator", "moderator", "member")
EVERYBODY = (*MEMBERS, "guest")
KEEPERS = ("owner", "moderator")


@hookimpl
def register_permissions() -> Sequence[Permission]:
    """Declare what the core asks at its own doors."""
    return (
        Permission(name="core.administer", label=_l("Administer the site"), roles=("administrator",)),
        Permission(name="spaces.open", label=_l("Open a space"), roles=MEMBERS),
        Permission(
            name="spaces.edit", label=_l("Change a space"), roles=("administrator",), space_roles=("owner",)
        ),
        Permission(
            name="spaces.members",
            label=_l("Manage the people of a space"),
            roles=("administrator",),
            space_roles=("owner",),
        ),
        Permission(name="content.edit", label=_l("Change a publication"), author=True),
        Permission(
            name="content.remove",
            label=_l("Remove a publication"),
            roles=("administrator", "moderator"),
            space_roles=KEEPERS,
            author=True,
        ),
        Permission(
            name="content.pin",
            label=_l("Pin a publication"),
            roles=("administrator", "moderator"),
            space_roles=KEEPERS,
        ),
    )


@hookimpl
def register_navigation() -> Sequence[NavItem]:
    """Declare the entries of the main menu and of the administration."""
    return (
        NavItem(menu="main", key="home", label=_l("Home"), icon="house", route="home", weight=10),
        NavItem(
            menu="main",
            key="people",
            label=_l("Directory"),
            icon="users",
            route="people.directory",
            weight=50,
        ),
        NavItem(
            menu="main", key="spaces", label=_l("Spaces"), icon="layout-grid", route="spaces.list", weight=60
        ),
        NavItem(
            menu="admin",
            key="modules",
            label=_l("Modules"),
            icon="blocks",
            route="admin.plugins",
            permission="core.administer",
            weight=90,
        ),
    )
