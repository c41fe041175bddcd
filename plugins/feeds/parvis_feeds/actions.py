"""What people do with posts: write one, write it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from parvis.content import (
    EVERYONE,
    ContentRow,
    Written,
    audience_of_space,
    edit,
    publish,
)
from parvis.errors import Invalid
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.markup import current_markup

from parvis_feeds.tables import Post

if TYPE_CHECKING:
    from parvis.people import Actor

TYPE = "feeds.post"
LONGEST = 20_000
"""Characters a post holds at most."""
LONGEST_TITLE = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class PostText:
    """What somebody wrote: title, Markdown, language, the files sent along and what the pictures show."""

    text: str
    title: str = ""
    language: str = ""
    files: list[int] = field(default_factory=list)
    alts: dict[int, str] = field(default_factory=dict)

    def written(self) -> Written:
        """Return what the spine keeps of it."""
        return Written(
            title=self.title.strip(), text=self.text, language=self.language, files=self.files, alts=self.alts
        )

    def faults(self) -> dict[str, object]:
        """Return what to mend, by field; nothing for a text that can be published."""
        wrong: dict[str, object] = {}
        if not self.text.strip() and not self.files:
            wrong["text"] = _l("Write something, or add a picture or a file.")
        if len(self.text) > LONGEST:
            wrong["text"] = _l("This text is too long: 20,000 characters at most.")
        if len(self.title) > LONGEST_TITLE:
            wrong["title"] = _l("This title is too long: 160 characters at most.")
        return wrong

    def checked(self) -> PostText:
        """Return this text; Invalid when there is something to mend."""
        if wrong := self.faults():
            raise Invalid(wrong)
        return self


async def rendered(source: str) -> dict[str, str]:
    """Return the columns of a post made from what was typed."""
    markup = current_markup()
    return {
        "source": source,
        "html": await markup.render_async(source),
        "rules": markup.rules_hash,
        "excerpt": markup.excerpt(source, 200),
    }


async def write_post(
    actor: Actor, post: PostText, *, space: Any | None, key: str | None = None, moment: datetime | None = None
) -> ContentRow:
    """Publish a post to a space, or to everyone when `space` is None; the same key publishes once."""
    post = post.checked()
    columns = await rendered(post.text)
    audience = await audience_of_space(space.id) if space is not None else EVERYONE
    return await publish(
        actor,
        type=TYPE,
        permission="feeds.publish" if space is not None else "feeds.publish_to_everyone",
        audience=audience,
        space=space,
        written=post.written(),
        save=lambda: Post.add(columns),
        key=key,
        moment=moment,
    )


async def rewrite_post(actor: Actor, content: int, post: PostText, *, version: int) -> ContentRow:
    """Save another text of a post; Conflict when somebody saved since `version`."""
    post = post.checked()
    columns = await rendered(post.text)
    return await edit(
        actor,
        content,
        version=version,
        written=post.written(),
        save=lambda object_id: Post.replace(object_id, columns),
    )


async def render_outdated() -> int:
    """Render again, newest first, posts made under other Markdown rules; returns how many."""
    markup = current_markup()
    count = 0
    for row in await Post.outdated(markup.rules_hash):
        await Post.replace(row["id"], await rendered(row["source"]))
        count += 1
    return count
