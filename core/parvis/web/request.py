"""The request as handlers see it: who is asking, in which language, and whether a fragment is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import litestar
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.types import Empty

from parvis.errors import Invalid
from parvis.people.actor import NOBODY, Actor
from parvis.services.i18n import lazy_gettext as _l
from parvis.web.bodies import read_form

OFF = "/_disabled"
"""The path that stands for every address of a module that is switched off."""
STATE = "parvis"
"""The key of the scope under which the outer wrapper leaves what it found out."""


@dataclass(slots=True)
class RequestState:
    """What the outer wrapper found out about a request before any handler runs."""

    request_id: str
    address: str
    secure: bool
    actor: Actor = NOBODY
    language: str = "fr"
    time_zone: str = "Europe/Paris"
    theme: str = "auto"
    secret: str = ""
    new_secret: bool = False
    flash: dict[str, Any] | None = None
    cookies: dict[str, str] = field(default_factory=dict)


def state_in(scope: Any) -> RequestState:
    """Return what the outer wrapper left in an ASGI scope; KeyError where it did not run."""
    found: RequestState = scope[STATE]
    return found


class Request(litestar.Request[Any, Any, Any]):
    """A Litestar request that knows the actor, the reader's language and zone, and htmx's wish for a part."""

    @property
    def state_of(self) -> RequestState:
        """What the outer wrapper left for this request."""
        return state_in(self.scope)

    @property
    def actor(self) -> Actor:
        """Who is asking; NOBODY when nobody signed in."""
        return self.state_of.actor

    @property
    def language(self) -> str:
        """The two-letter language of the answer."""
        return self.state_of.language

    @property
    def address(self) -> str:
        """The network address of the client, seen through trusted proxies only."""
        return self.state_of.address

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks for a fragment; on Back it asks for the whole page and says so."""
        return self.headers.get("HX-Request-Type") == "partial"

    @property
    def wants_json(self) -> bool:
        """Whether the answer is read by a program."""
        return self.scope["path"].startswith("/api/") or self.headers.get("accept") == "application/json"

    async def form(self) -> FormMultiDict:
        """Return the fields that were sent, read once a request."""
        if self._connection_state.form is Empty:
            # Where Litestar looks for uploads to close when the answer was sent.
            self._connection_state.form = await read_form(self)
        return await super().form()

    async def form_data(self) -> Form:
        """Return the fields of the form that was sent, without the token that the door already checked."""
        return Form(await self.form())


class Form:
    """The fields of a sent form: texts, several values of one name, and files."""

    def __init__(self, fields: Any) -> None:
        self._fields = fields

    def text(self, name: str, *, limit: int = 10_000, strip: bool = True) -> str:
        """Return one field's text, empty when absent, with line ends as the web's newline.

        Raises Invalid past `limit` characters.
        """
        value = self._fields.get(name, "")
        if not isinstance(value, str):
            return ""
        value = value.replace("\r\n", "\n").replace("\r", "\n")
        value = value.strip() if strip else value
        if len(value) > limit:
            raise Invalid({name: _l("This is too long.")}, values=self.texts())
        return value

    def all(self, name: str) -> list[str]:
        """Return every text sent under one name."""
        return [value for value in self._fields.getall(name, []) if isinstance(value, str)]

    def numbers(self, name: str) -> list[int]:
        """Return every whole number sent under one name, leaving out what is none."""
        return [
            int(value) for value in self.all(name) if value.isascii() and value.isdigit() and len(value) < 19
        ]

    def number(self, name: str) -> int | None:
        """Return one whole number, or None."""
        found = self.numbers(name)
        return found[0] if found else None

    def checked(self, name: str) -> bool:
        """Return whether a box was ticked or a button with this name was pressed."""
        return name in self._fields

    def files(self, name: str) -> list[UploadFile]:
        """Return the files sent under one name, leaving out empty pickers."""
        return [
            value
            for value in self._fields.getall(name, [])
            if isinstance(value, UploadFile) and value.filename
        ]

    def texts(self) -> Mapping[str, object]:
        """Return all text fields, to show a form again as it was typed."""
        return {name: value for name, value in self._fields.items() if isinstance(value, str)}
