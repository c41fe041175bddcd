from parvis import hookspec


@hookspec
async def guestbook_greetings(language):
    """Return greetings to offer beside the book."""
