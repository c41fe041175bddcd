"""The posts of the demonstration company: 400 over a year, with pictures and files."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parvis.content import pin
from parvis.data import transaction

from parvis_feeds.actions import PostText, write_post

if TYPE_CHECKING:
    from parvis.demo import Demo

BATCH = 20
"""Posts of one transaction: each commit waits for the disk."""


async def seed(demo: Demo) -> None:
    """Write the posts of every space of the demonstration, the oldest first."""
    folder = Path(str(resources.files("parvis_feeds.demo")))
    posts: list[dict[str, Any]] = []
    for told in _told(folder):
        posts += [{**post, "space": told["space"]} for post in told["posts"]]
    posts.sort(key=lambda post: -post["days_ago"])
    files = await _files(demo, posts, folder)
    for start in range(0, len(posts), BATCH):
        async with transaction("demo"):
            for post in posts[start : start + BATCH]:
                await _write(demo, post, files)
        demo.progress("posts", min(start + BATCH, len(posts)), len(posts))


def _told(folder: Path) -> list[dict[str, Any]]:
    return [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))]


async def _files(demo: Demo, posts: list[dict[str, Any]], folder: Path) -> dict[int, list[int]]:
    """Receive pictures and attachments of posts before anything is written; keyed by the post's identity."""
    found: dict[int, list[int]] = {}
    wanted = [post for post in posts if post.get("pictures") or post.get("files")]
    for number, post in enumerate(wanted, 1):
        actor = demo.actor(post["author"])
        ids = []
        for picture in post.get("pictures", ()):
            path = folder / "pictures" / picture["file"]
            ids.append((await demo.file(actor, path, picture["alt"], plugin="feeds")).id)
        for name in post.get("files", ()):
            ids.append((await demo.file(actor, folder / "files" / name, plugin="feeds")).id)  # noqa: PERF401 - one after the other
        found[id(post)] = ids
        demo.progress("pictures", number, len(wanted))
    return found


async def _write(demo: Demo, post: dict[str, Any], files: dict[int, list[int]]) -> None:
    actor = demo.actor(post["author"])
    row = await write_post(
        actor,
        PostText(
            text=post["body"],
            title=post.get("title", ""),
            language=post.get("language", "fr"),
            files=files.get(id(post), []),
        ),
        space=demo.spaces[post["space"]],
        moment=demo.moment(post["days_ago"]),
    )
    if post.get("pinned"):
        owner = demo.spaces[post["space"]].created_by
        keeper = next(handle for handle, person in demo.people.items() if person.id == owner)
        await pin(demo.actor(keeper), row.id, pinned=True)
