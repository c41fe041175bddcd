"""A plugin that fills another one's hook without importing it."""

from parvis import PluginInfo, hookimpl

info = PluginInfo(label="Hours", weight=10)


@hookimpl(optionalhook=True)
async def guestbook_greetings(language):
    return ["Bonjour"] if language == "fr" else ["Good morning"]
