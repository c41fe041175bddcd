"""The modules page: what is installed, what it owns, and one switch each."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from parvis.content import demand
from parvis.errors import NotFound
from parvis.services.i18n import gettext as _
from parvis.site import current
from parvis.web.rendering import fragment, page, redirect, url
from parvis.web.request import Request


@get("/admin/plugins", name="admin.plugins")
async def list_plugins(request: Request) -> Response[Any]:
    """List every module with its state and what it owns."""
    await demand(request.actor, "core.administer")
    return await page(
        request, "parvis/admin/plugins.html", plugins=await current().plugins.describe(), title=_("Modules")
    )


@post("/admin/plugins/{name:str}/enable", name="admin.plugins.enable", status_code=200)
async def enable_plugin(request: Request, name: FromPath[str]) -> Response[Any]:
    """Switch a module on."""
    await demand(request.actor, "core.administer")
    await current().plugins.enable(name, actor=request.actor.member)
    return await _row(request, name, _("The module is on."))


@post("/admin/plugins/{name:str}/disable", name="admin.plugins.disable", status_code=200)
async def disable_plugin(request: Request, name: FromPath[str]) -> Response[Any]:
    """Switch a module off; its data is kept."""
    await demand(request.actor, "core.administer")
    form = await request.form_data()
    await current().plugins.disable(name, actor=request.actor.member, confirm=form.checked("confirm"))
    return await _row(request, name, _("The module is off. Its data is kept."))


async def _row(request: Request, name: str, told: str) -> Response[Any]:
    if not request.is_partial:
        return redirect(request, url("admin.plugins"), flash=told)
    for plugin in await current().plugins.describe():
        if plugin.name == name:
            return await fragment(request, "parvis/admin/_module_row.html", toast=told, plugin=plugin)
    raise NotFound()


handlers = [list_plugins, enable_plugin, disable_plugin]
