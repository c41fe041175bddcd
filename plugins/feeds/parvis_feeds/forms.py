"""The composer's form: read from a request, and shown again with what was typed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from parvis.content import MOST_FILES, allowed, files_of, own_files
from parvis.errors import Invalid
from parvis.services.i18n import lazy_gettext as _l
from parvis.spaces import my_spaces
from parvis.web import Request, receive_upload

from parvis_feeds.actions import LONGEST, LONGEST_TITLE, PostText

EVERYONE = "everyone"
LONGEST_ALT = 500
"""Characters that say what a picture shows, at most."""


async def read_post(request: Request) -> tuple[PostText, Mapping[str, Any]]:
    """Return the text that was sent and the raw fields.

    Files sent in the form itself, the way without script, are received and kept even when a field is wrong.
    """
    form = await request.form_data()
    files = form.numbers("file")
    wrong: dict[str, object] = {}
    for upload in form.files("upload")[:MOST_FILES]:
        try:
            files.append((await receive_upload(request, upload)).id)
        except Invalid as error:
            wrong["files"] = next(iter(error.fields.values()))
    dropped = set(form.numbers("drop"))
    files = [file for file in dict.fromkeys(files) if file not in dropped]
    fields: dict[str, Any] = {
        "title": form.text("title", limit=10 * LONGEST_TITLE),
        "text": form.text("text", limit=10 * LONGEST, strip=False).rstrip(),
        "audience": form.text("audience", limit=200),
        "key": form.text("key", limit=64),
        "version": form.number("version"),
        "files": files,
        "alts": {file: form.text(f"alt-{file}", limit=LONGEST_ALT) for file in files},
    }
    if form.checked("preview"):
        raise Invalid(wrong, values={**fields, "preview": True})
    if wrong:
        raise Invalid(wrong, values=fields)
    return PostText(
        text=fields["text"],
        title=fields["title"],
        language=request.language,
        files=files,
        alts=fields["alts"],
    ), fields


async def composer_context(
    request: Request,
    *,
    space: Any | None,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return what `feeds/_composer.html` shows: fields, choice of audience, files received so far."""
    values = dict(values or {})
    return {
        "space": space,
        "values": {
            "title": values.get("title", ""),
            "text": values.get("text", ""),
            "audience": values.get("audience") or (space.slug if space is not None else ""),
            "key": values.get("key") or secrets.token_urlsafe(12),
        },
        "preview": values.get("preview_html"),
        "errors": {name: str(text) for name, text in (errors or {}).items()},
        "choices": await audience_choices(request),
        "may_write": True,
        "files": await own_files(request.actor, values.get("files", [])),
        "alts": values.get("alts", {}),
        "most_files": MOST_FILES,
    }


async def may_write(request: Request, space: Any | None) -> bool:
    """Whether the composer is offered: in a space to its members, at home to whoever may write anywhere."""
    if space is not None:
        return await allowed(request.actor, "feeds.publish", space)
    return not request.actor.is_guest or bool(await my_spaces(request.actor))


async def audience_choices(request: Request) -> list[dict[str, str]]:
    """Return where the reader may post: everyone, and the spaces he is in."""
    choices = []
    if not request.actor.is_guest:
        choices.append(
            {"value": EVERYONE, "label": str(_l("Everyone")), "icon": "building-2", "kind": "open"}
        )
    choices += [
        {"value": space.slug, "label": space.name, "icon": space.icon, "kind": space.kind}
        for space in await my_spaces(request.actor)
    ]
    return choices


async def editor_context(
    request: Request,
    row: Any,
    *,
    values: Mapping[str, Any],
    errors: Mapping[str, object] | None = None,
    theirs: str | None = None,
) -> dict[str, Any]:
    """Return what `feeds/_editor.html` shows for a post that exists."""
    attached = (await files_of([row.id]))[row.id]
    kept = values.get("files")
    if kept is None:
        files = attached
    else:
        by_id = {file.id: file for file in [*attached, *await own_files(request.actor, kept)]}
        files = [by_id[file] for file in kept if file in by_id]
    return {
        "content": row,
        "values": {
            "title": values.get("title", ""),
            "text": values.get("text", ""),
            "version": values["version"],
        },
        "errors": {name: str(text) for name, text in (errors or {}).items()},
        "files": files,
        "alts": values.get("alts", {}),
        "theirs": theirs,
        "preview": values.get("preview_html"),
        "most_files": MOST_FILES,
    }
