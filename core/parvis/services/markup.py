"""What members write: Markdown rendered by markdown-it-py, then cleaned by nh3, which lets a short list stay.

Rendered when written and kept with `rules_hash`; a job renders again what an older set made. Raw HTML is
shown as the text it is. Plugins add rules in `prepare_rendering`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection
from importlib.metadata import version
from typing import Any

import nh3
from markdown_it import MarkdownIt
from mdit_py_plugins.tasklists import tasklists_plugin

from parvis.errors import Invalid
from parvis.services.i18n import lazy_gettext as _l
from parvis.services.markup_rules import OWN_PICTURE, REL, SCHEMES, bounded_table, finished, safe_url, words
from parvis.site import current

MOST = 65_536
"""Bytes of UTF-8 a text may have."""
IN_LOOP = 8_192
"""Bytes up to which a text is rendered in the event loop; it takes some 15 ms there."""

# Raised whenever the output of unchanged packages changes: texts are then rendered again.
_RULES = "parvis 2"
_TAGS = frozenset(
    ("a", "blockquote", "br", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr", "img", "input",
     "label", "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul")
)  # fmt: skip
_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "rel", "title"},
    "img": {"alt", "src", "title"},
    # Always set as well; named here they keep their order, and the same text gives the same bytes.
    "input": {"disabled", "type"},
    "ol": {"start"},
}
_CLASSES: dict[str, set[str]] = {
    "div": {"table-scroll"},
    "li": {"task"},
    "td": {"cell-center", "cell-end"},
    "th": {"cell-center", "cell-end"},
    "ul": {"task-list"},
}
# Attributes with one value each: a box to tick in a text can be seen and not used.
_ALWAYS = {"img": {"loading": "lazy"}, "input": {"type": "checkbox", "disabled": "disabled"}}
_ONE_OF = {"div": {"tabindex": {"0"}}, "input": {"checked": {"checked"}}}


class Markup:
    """Turns what members write into safe HTML; one a process, set up while the application is assembled."""

    def __init__(self) -> None:
        options = {"html": False, "linkify": True, "breaks": True, "typographer": False}
        self.parser = MarkdownIt("commonmark", options)
        self.parser.enable(["table", "strikethrough", "linkify"])
        self.parser.use(tasklists_plugin, label=True)
        self.parser.block.ruler.at("table", bounded_table, {"alt": ["paragraph", "reference"]})
        # Replaces the library's own: our lists name what is allowed instead of what is not.
        self.parser.validateLink = lambda url: safe_url(url) is not None  # type: ignore[method-assign]
        self._tags = set(_TAGS)
        self._attributes = {tag: set(names) for tag, names in _ATTRIBUTES.items()}
        self._classes = {tag: set(names) for tag, names in _CLASSES.items()}
        self._names: list[str] = []
        self._cleaner: nh3.Cleaner | None = None
        self._hash = ""

    # -- what plugins add ------------------------------------------------------------------------------------

    def name_rules(self, name: str) -> None:
        """Name a plugin's rules with their version, as “mentions 2”; a new one renders texts anew."""
        self._names.append(name)
        self._cleaner, self._hash = None, ""

    def allow(self, tag: str, attributes: Collection[str] = (), classes: Collection[str] = ()) -> None:
        """Let a tag stay that a plugin's rule makes, with these attributes and classes.

        ValueError for what could run, load or send something: those never stay.
        """
        wrong = _NEVER_TAGS.intersection([tag]) or [name for name in attributes if _is_dangerous(name)]
        if wrong:
            raise ValueError(f"{', '.join(sorted(wrong))} cannot be allowed in what members write")
        self._tags.add(tag)
        self._attributes.setdefault(tag, set()).update(attributes)
        if classes:
            self._classes.setdefault(tag, set()).update(classes)
        self._cleaner, self._hash = None, ""

    @property
    def rules_hash(self) -> str:
        """The set of rules, as 16 hex digits: the libraries, our own version, and what plugins added."""
        if not self._hash:
            parts = [
                _RULES,
                *(f"{package} {version(package)}" for package in ("markdown-it-py", "nh3", "linkify-it-py")),
                repr(sorted(self.parser.get_active_rules().items())),
                repr(sorted(self._names)),
                repr(sorted(self._tags)),
                repr(sorted((tag, sorted(names)) for tag, names in self._attributes.items())),
                repr(sorted((tag, sorted(names)) for tag, names in self._classes.items())),
            ]
            self._hash = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        return self._hash

    # -- rendering -------------------------------------------------------------------------------------------

    def render(self, source: str) -> str:
        """Return the safe HTML of a text; Invalid (field `text`) past 64 KB."""
        _check_size(source)
        env: dict[str, Any] = {}
        tokens = finished(self.parser.parse(_encodable(source), env))
        html = self.parser.renderer.render(tokens, self.parser.options, env)
        return self._clean(html)

    async def render_async(self, source: str) -> str:
        """Return the safe HTML of a text, made in a thread when it is long."""
        if len(source) <= IN_LOOP:
            return self.render(source)
        _check_size(source)
        return await asyncio.to_thread(self.render, source)

    def plain(self, source: str) -> str:
        """Return the words of a text without its marks, a line for each block, with what pictures show."""
        _check_size(source)
        lines: list[str] = []
        for token in self.parser.parse(_encodable(source), {}):
            if token.type == "inline":
                lines.append(words(token.children or ()))
            elif token.type in ("fence", "code_block"):
                lines.append(token.content.strip())
        return "\n".join(line for line in lines if line)

    def excerpt(self, source: str, length: int) -> str:
        """Return the beginning of a text in one line of at most `length` characters, cut between words."""
        # Marks rarely take more than the words; a longer text is not parsed to its end for its first line.
        beginning = source.encode()[: min(MOST, 4 * length + 2_000)].decode(errors="ignore")
        text = " ".join(self.plain(beginning).split())
        if len(text) <= length:
            return text if len(beginning) == len(source) else text[: length - 1].rstrip() + "…"
        cut = text[:length]
        words = cut.rpartition(" ")[0]
        return (words if len(words) > length // 2 else cut[:-1]).rstrip(" ,;:.–—-") + "…"

    def _clean(self, html: str) -> str:
        if self._cleaner is None:
            self._cleaner = nh3.Cleaner(
                tags=self._tags,
                clean_content_tags={"script", "style"},
                attributes=self._attributes,
                attribute_filter=_kept_attribute,
                allowed_classes=self._classes,
                tag_attribute_values=_ONE_OF,
                set_tag_attribute_values=_ALWAYS,
                url_schemes=set(SCHEMES),
                link_rel=None,
                generic_attribute_prefixes=set(),
            )
        return self._cleaner.clean(html)


def current_markup() -> Markup:
    """Return the renderer of the open site."""
    return current().markup


_NEVER_TAGS = frozenset(
    (
        "applet",
        "base",
        "button",
        "embed",
        "form",
        "frame",
        "iframe",
        "link",
        "math",
        "meta",
        "noscript",
        "object",
        "script",
        "select",
        "style",
        "svg",
        "template",
        "textarea",
    )
)
_NEVER_ATTRIBUTES = frozenset(
    (
        "action",
        "class",
        "formaction",
        "id",
        "name",
        "ping",
        "rel",
        "srcdoc",
        "srcset",
        "style",
        "target",
        "xmlns",
    )
)


def _is_dangerous(attribute: str) -> bool:
    return attribute in _NEVER_ATTRIBUTES or attribute.startswith(("on", "hx-", "data-", "xlink:"))


def _check_size(source: str) -> None:
    if len(source) > MOST or len(source.encode(errors="replace")) > MOST:
        raise Invalid(
            {"text": _l("This text is too long: 64 kB at most. Shorten it, or attach it as a file.")}
        )


def _encodable(source: str) -> str:
    # Lone surrogates cannot be encoded, neither for nh3 nor for the database.
    return source.encode("utf-8", errors="replace").decode()


def _kept_attribute(tag: str, attribute: str, value: str) -> str | None:
    """Return the value an attribute keeps, or None; the last word, whatever rule made it."""
    if attribute in ("href", "cite", "src", "poster"):
        if tag == "img":
            return value if attribute == "src" and OWN_PICTURE.fullmatch(value) else None
        return safe_url(value)
    if attribute == "rel":
        return REL
    if attribute == "start":
        return value if value.isascii() and value.isdigit() and len(value) < 10 else None
    return value
