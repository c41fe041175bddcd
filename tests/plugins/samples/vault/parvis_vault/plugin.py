"""A plugin that hides what is meant for later: a guard."""

from parvis import ContentFilter, PluginInfo, hookimpl

info = PluginInfo(label="Vault", guards=("guestbook.entry",))


async def keys_of(actor):
    return {"keys": [1, 2]}


# -- register_content_filters --
@hookimpl
def register_content_filters():
    return [
        ContentFilter(
            name="vault.keys",
            types=("guestbook.entry",),
            where="content.id = any(:keys)",
            values=keys_of,
        )
    ]


# -- end --


@hookimpl
async def on_event(event):
    if event.name == "vault.crash":
        raise RuntimeError("the vault is jammed")
