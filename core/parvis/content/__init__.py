"""The spine: what people write, who may read it, and what happens to it."""

from parvis.content.access import ReadQuery, access_content, listed_types, may, readable_contents
from parvis.content.actions import (
    Written,
    edit,
    pin,
    publish,
    source_of,
)
from parvis.content.audiences import EVERYONE, audience_of_set, audience_of_space, audiences_of
from parvis.content.counts import bump, touch
from parvis.content.events import emit
from parvis.content.files import (
    MOST_FILES,
    StoredFile,
    access_file,
    drop_file,
    files_of,
    own_files,
    receive_file,
)
from parvis.content.lists import Before, Page, feed, feed_keys
from parvis.content.removal import remove, undo_remove
from parvis.content.tables import ContentKey, ContentRow
from parvis.spaces.decide import allowed, decide, demand

__all__ = (
    "EVERYONE",
    "MOST_FILES",
    "Before",
    "ContentKey",
    "ContentRow",
    "Page",
    "ReadQuery",
    "StoredFile",
    "Written",
    "access_content",
    "access_file",
    "allowed",
    "audience_of_set",
    "audience_of_space",
    "audiences_of",
    "bump",
    "decide",
    "demand",
    "drop_file",
    "edit",
    "emit",
    "feed",
    "feed_keys",
    "files_of",
    "listed_types",
    "may",
    "own_files",
    "pin",
    "publish",
    "readable_contents",
    "receive_file",
    "remove",
    "source_of",
    "touch",
    "undo_remove",
)
