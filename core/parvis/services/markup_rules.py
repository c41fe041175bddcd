"""The rules of this site over Markdown's tokens: addresses, headings, tables and pictures.

Applied after every other rule, so that a plugin's tokens obey them too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import table
from markdown_it.token import Token

SCHEMES = frozenset({"http", "https", "mailto", "tel"})
REL = "nofollow noopener noreferrer"
OWN_PICTURE = re.compile(r"/f/[1-9][0-9]{0,18}")
_BARE_DOMAIN = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,24}(?::[0-9]+)?(?:[/?#].*)?", re.IGNORECASE)
# What browsers drop or trim from addresses before they look at them (WHATWG URL, 4.4), and what nobody sees.
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060\ufeff]")
MOST_CELLS = 10_000
_REFUSED = "parvis_no_table_before_line"
_ALIGNED = {"text-align:center": "cell-center", "text-align:right": "cell-end", "text-align:left": ""}


def safe_url(url: str) -> str | None:
    """Return the address a link may have, or None: web, mail, telephone, and pages of this site.

    “example.com” without a scheme becomes https, as people who write it mean.
    """
    url = _INVISIBLE.sub("", url)
    if not url or url.startswith(("//", "/\\", "\\")):
        return None
    if url.startswith(("/", "#")):
        return url
    if _BARE_DOMAIN.fullmatch(url):
        return "https://" + url
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme.lower() not in SCHEMES:
        return None
    return url if parts.netloc or parts.scheme.lower() in ("mailto", "tel") else None


def finished(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens as this site shows them: small headings, tables that scroll, no foreign pictures."""
    found: list[Token] = []
    above: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            _demote(token, above)
        elif token.type == "heading_close":
            token.tag = _tag(above)
        change = _CHANGES.get(token.type)
        if change is not None:
            change(token)
        if token.type == "inline":
            token.children = _finished_inline(token.children or [])
        if token.type == "table_open":
            found.append(_scroller("div_open", 1))
        found.append(token)
        if token.type == "table_close":
            found.append(_scroller("div_close", -1))
    return found


def bounded_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read a table unless it would have too many cells: rows of one character are filled up to all columns."""
    # Where a table was refused none begins before the next empty line, or counting would be quadratic.
    if start < state.env.get(_REFUSED, 0) or not table(state, start, end, True):
        return False
    if silent:
        return True
    last = start
    while last < end and not state.isEmpty(last):
        last += 1
    columns = state.getLines(start, start + 1, 0, False).count("|") + 1
    if (last - start) * columns > MOST_CELLS:
        state.env[_REFUSED] = last
        return False
    return table(state, start, end, False)


def _scroller(kind: str, nesting: Literal[1, -1]) -> Token:
    # Reached by keyboard, since what scrolls must be (WCAG 2.1.1).
    return Token(
        kind, "div", nesting, attrs={"class": "table-scroll", "tabindex": "0"} if nesting > 0 else {}
    )


def _demote(token: Token, above: list[int]) -> None:
    """Headings of a text stand below the page's own, from h3 on, and skip no level (WCAG G141).

    `above` holds the levels, as written, of the headings that this one stands under; it is brought up to date.
    """
    level = int(token.tag[1])
    while above and above[-1] >= level:
        above.pop()
    above.append(level)
    token.tag = _tag(above)


def _tag(above: Sequence[int]) -> str:
    return f"h{min(len(above) + 2, 6)}"


def _align(token: Token) -> None:
    """The content security policy takes no style: alignment is a class."""
    name = _ALIGNED.get(str(token.attrs.pop("style", "")))
    if name:
        token.attrs["class"] = name


def _name_list(token: Token) -> None:
    """Task lists have class names of ours."""
    kept = {"contains-task-list": "task-list", "task-list-item": "task"}.get(
        str(token.attrs.pop("class", ""))
    )
    if kept:
        token.attrs["class"] = kept


_CHANGES: Mapping[str, Callable[[Token], None]] = {
    "th_open": _align,
    "td_open": _align,
    "bullet_list_open": _name_list,
    "ordered_list_open": _name_list,
    "list_item_open": _name_list,
}


def _finished_inline(tokens: Sequence[Token]) -> list[Token]:
    found: list[Token] = []
    inside = 0
    for token in tokens:
        if token.type == "link_open":
            inside += 1
            _finish_link(token)
        elif token.type == "link_close":
            inside -= 1
        if token.type == "image" and not OWN_PICTURE.fullmatch(str(token.attrs.get("src", ""))):
            found.extend(_as_link(token, inside_link=inside > 0))
        else:
            found.append(token)
    return found


def _finish_link(token: Token) -> None:
    url = safe_url(str(token.attrs.get("href", "")))
    if url is None:
        token.attrs.pop("href", None)
        return
    token.attrs["href"] = url
    if url.lower().startswith(("http:", "https:")):
        token.attrs["rel"] = REL


def _as_link(picture: Token, *, inside_link: bool) -> list[Token]:
    """Return a link in place of a picture from elsewhere: loading it would tell another site who reads."""
    url = safe_url(str(picture.attrs.get("src", "")))
    text = Token("text", "", 0, content=picture.content or url or "")
    if inside_link or url is None:
        return [text]
    opened = Token("link_open", "a", 1, attrs={"href": url})
    _finish_link(opened)
    return [opened, text, Token("link_close", "a", -1)]


def words(tokens: Sequence[Token]) -> str:
    """Return what inline tokens say; pictures give their description."""
    parts = []
    for token in tokens:
        if token.type in ("text", "code_inline", "text_special"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif token.type == "image":
            parts.append(words(token.children or ()))
    return "".join(parts).strip()
