"""What members write: rendered for people who do not know Markdown, and harmless whatever it holds."""

from __future__ import annotations

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis.errors import Invalid
from parvis.services.markup import MOST, Markup
from parvis.services.markup_rules import safe_url

_spec = importlib.util.spec_from_file_location("xss_vectors", Path(__file__).with_name("xss_vectors.py"))
assert _spec is not None
assert _spec.loader is not None
xss_vectors = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(xss_vectors)

ALLOWED: dict[str, set[str]] = {
    "a": {"href", "rel", "title"},
    "div": {"class", "tabindex"},
    "img": {"alt", "loading", "src", "title"},
    "input": {"checked", "disabled", "type"},
    "li": {"class"},
    "ol": {"start"},
    "td": {"class"},
    "th": {"class"},
    "ul": {"class"},
    **{
        tag: set()
        for tag in ("blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "label", "p", "pre", "s",
                    "strong", "table", "tbody", "thead", "tr")
    },
}  # fmt: skip
CLASSES = {"cell-center", "cell-end", "table-scroll", "task", "task-list"}
VOID = {"br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Reads rendered HTML and notes everything that is not on the list."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.open: list[str] = []
        self.deepest = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED:
            self.faults.append(f"<{tag}>")
        if tag not in VOID:
            self.open.append(tag)
            self.deepest = max(self.deepest, len(self.open))
        found = dict(attrs)
        if tag == "input" and not ("disabled" in found and found.get("type") == "checkbox"):
            self.faults.append("an input that can be used")
        for name, value in attrs:
            if name not in ALLOWED.get(tag, set()):
                self.faults.append(f"{name} on <{tag}>")
            if name == "class" and value not in CLASSES:
                self.faults.append(f"class {value!r}")
            if name == "src" and not re.fullmatch(r"/f/[0-9]+", value or ""):
                self.faults.append(f"src {value!r}")
            if name == "href" and not re.match(
                r"(https?://[^/]|mailto:|tel:|/(?![/\\])|#)", value or "", re.I
            ):
                self.faults.append(f"href {value!r}")
            if (
                name == "href"
                and re.match(r"https?:", value or "", re.I)
                and "nofollow" not in str(found.get("rel"))
            ):
                self.faults.append("a foreign link without rel")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.faults.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.faults.append("a declaration")

    handle_pi = unknown_decl = handle_decl


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    reader.faults.extend(f"<{tag}> is never closed" for tag in reader.open)
    return reader


@pytest.fixture(scope="module")
def markup() -> Markup:
    return Markup()


@pytest.mark.parametrize("source", xss_vectors.VECTORS)
def test_attacks_are_harmless(markup: Markup, source: str) -> None:
    assert read(markup.render(source)).faults == []


@pytest.mark.parametrize("source", xss_vectors.RAW_HTML + xss_vectors.HTMX)
def test_the_cleaner_alone_is_harmless_too(markup: Markup, source: str) -> None:
    """The second wall holds by itself: a plugin's rule may let raw HTML through."""
    assert read(markup._clean(source)).faults == []


def test_the_corpus_is_large_and_the_reader_sees_attacks() -> None:
    assert len(set(xss_vectors.VECTORS)) == len(xss_vectors.VECTORS) > 150
    caught = [source for source in xss_vectors.RAW_HTML if read(source).faults]
    assert len(caught) > 85  # the rest is text in any case: entities, other encodings, full-width brackets
    for html in (
        "<p onclick=x>a</p>",
        '<a href="javascript:x">a</a>',
        '<p class="btn">a</p>',
        "<input>",
        "<p>a",
    ):
        assert read(html).faults


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*xss_vectors.VECTORS, "**", "`", "\n\n", "[", "](", ")", "<", ">", "|", "- ", "\\", "&"]
        )
    )
)
def test_attacks_together_are_harmless(parts: list[str]) -> None:
    assert read(_SHARED.render("".join(parts)[:4000])).faults == []


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_harmless_and_kept(source: str) -> None:
    reader = read(_SHARED.render(source))
    assert reader.faults == []
    letters = [one for one in source if one.isalpha() and one.isascii()]
    assert (
        [one for one in reader.text if one.isalpha() and one.isascii()] == letters
        or "[" in source
        or "&" in source
    )


_SHARED = Markup()


# -- what people see -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("Bonjour\nà tous", "<p>Bonjour<br>\nà tous</p>\n"),
        ("# Titre\n###### Six", "<h3>Titre</h3>\n<h4>Six</h4>\n"),
        ("### Trois\n#### Quatre\n# Un", "<h3>Trois</h3>\n<h4>Quatre</h4>\n<h3>Un</h3>\n"),
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>\n"),
        ("2 < 3 & <b>gras</b>", "<p>2 &lt; 3 &amp; &lt;b&gt;gras&lt;/b&gt;</p>\n"),
        ("[p](/people) [a](#x)", '<p><a href="/people">p</a> <a href="#x">a</a></p>\n'),
        (
            "[s](exemple.fr/a)",
            '<p><a href="https://exemple.fr/a" rel="nofollow noopener noreferrer">s</a></p>\n',
        ),
        (
            "voir https://exemple.fr.",
            '<p>voir <a href="https://exemple.fr" rel="nofollow noopener noreferrer">https://exemple.fr</a>.</p>\n',
        ),
        ("a@exemple.fr", '<p><a href="mailto:a@exemple.fr">a@exemple.fr</a></p>\n'),
        ("![moi](/f/12)", '<p><img src="/f/12" alt="moi" loading="lazy"></p>\n'),
        (
            "![vue](https://a.example/v.png)",
            '<p><a href="https://a.example/v.png" rel="nofollow noopener noreferrer">vue</a></p>\n',
        ),
        (
            "[![vue](https://a.example/v.png)](https://b.example)",
            '<p><a href="https://b.example" rel="nofollow noopener noreferrer">vue</a></p>\n',
        ),
        (
            "- [x] fait\n- [ ] à faire",
            '<ul class="task-list">\n<li class="task"><label><input checked="checked" disabled="disabled"'
            ' type="checkbox"> fait</label></li>\n<li class="task"><label><input disabled="disabled"'
            ' type="checkbox"> à faire</label></li>\n</ul>\n',
        ),
        (
            "|a|b|\n|:-:|-:|\n|1|2|",
            '<div class="table-scroll" tabindex="0"><table>\n<thead>\n<tr>\n<th class="cell-center">a</th>\n'
            '<th class="cell-end">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td class="cell-center">1</td>\n'
            '<td class="cell-end">2</td>\n</tr>\n</tbody>\n</table>\n</div>',
        ),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>\n'),
    ],
)
def test_markdown_is_shown(markup: Markup, source: str, html: str) -> None:
    assert markup.render(source) == html
    assert read(html).faults == []


def test_plain_words_and_excerpts(markup: Markup) -> None:
    source = "# Titre\n\nUn **mot** et un [lien](/x).\nSuite ![une vue](/f/1)\n\n- a\n- b\n\n```\ncode\n```"
    assert markup.plain(source) == "Titre\nUn mot et un lien.\nSuite une vue\na\nb\ncode"
    assert markup.excerpt(source, 200) == "Titre Un mot et un lien. Suite une vue a b code"
    assert markup.excerpt(source, 20) == "Titre Un mot et un…"
    assert markup.excerpt("mot " * 20_000, 11) == "mot mot…"
    assert markup.excerpt("a" * 500, 10) == "aaaaaaaaa…"
    assert markup.excerpt("", 10) == ""
    assert markup.excerpt("é" * 60_000, 100) == "é" * 99 + "…"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400), st.integers(5, 80))
def test_an_excerpt_never_is_longer_than_asked(source: str, length: int) -> None:
    assert len(_SHARED.excerpt(source, length)) <= length


# -- bounds ----------------------------------------------------------------------------------------


def test_long_texts_are_refused(markup: Markup) -> None:
    markup.render("a" * MOST)
    for source in ("a" * (MOST + 1), "é" * (MOST // 2 + 1)):
        with pytest.raises(Invalid) as refused:
            markup.render(source)
        assert set(refused.value.fields) == {"text"}


@pytest.mark.parametrize(
    "piece",
    ["[", "![", "[a](", "**", "*a_ ", "`", "> ", "- ", "<", "&", "~~", "|a", "http://", "a@b.", "\\", "1. ", "(", "](",
     "[[a]] ", "|a|b|\n|-|-|\n\n", "|a|\n|-|\n", "|a\n"],
)  # fmt: skip
def test_tangled_texts_stay_shallow_and_small(markup: Markup, piece: str) -> None:
    html = markup.render((piece * MOST)[: MOST - 1])
    reader = read(html)
    assert reader.faults == []
    assert reader.deepest <= 60
    assert len(html) <= 12 * MOST


def test_a_table_that_grows_without_end_stays_text(markup: Markup) -> None:
    columns = 1300
    source = "|a" * columns + "\n" + "|-" * columns + "\n" + "|\n" * 29_000
    html = markup.render(source[: MOST - 1])
    assert "<table" not in html
    assert len(html) <= 12 * MOST
    rows = "|a|b|c|\n|-|-|-|\n" + "|1|2|3|\n" * 1500
    assert markup.render(rows).count("<td>") == 4500


async def test_long_texts_are_rendered_aside_and_alike(markup: Markup) -> None:
    source = "Un **mot**.\n\n" * 2000
    assert await markup.render_async(source) == markup.render(source)
    assert await markup.render_async("*a*") == "<p><em>a</em></p>\n"
    with pytest.raises(Invalid):
        await markup.render_async("a" * (MOST + 1))


# -- what plugins add ------------------------------------------------------------------------------


def _mentions(state: Any, silent: bool) -> bool:
    match = re.match(r"@([a-z-]+)", state.src[state.pos :])
    if match is None:
        return False
    if not silent:
        token = state.push("mention_open", "bdi", 1)
        token.attrs = {"class": "mention", "onclick": "alert(1)"}
        state.push("text", "", 0).content = match[0]
        state.push("mention_close", "bdi", -1)
    state.pos += len(match[0])
    return True


def test_a_plugin_adds_a_rule_and_the_hash_says_so() -> None:
    markup = Markup()
    before = markup.rules_hash
    assert before == Markup().rules_hash
    assert len(before) == 16
    markup.parser.inline.ruler.push("mentions", _mentions)
    markup.name_rules("mentions 1")
    first = markup.rules_hash
    assert markup.render("@ana") == "<p>@ana</p>\n"  # not allowed yet
    markup.allow("bdi", classes=["mention"])
    assert markup.render("@ana") == '<p><bdi class="mention">@ana</bdi></p>\n'
    assert len({before, first, markup.rules_hash}) == 3


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("script", []),
        ("form", []),
        ("svg", []),
        ("a", ["onclick"]),
        ("b", ["style"]),
        ("b", ["hx-get"]),
        ("b", ["data-x"]),
    ],
)
def test_a_plugin_cannot_allow_what_runs(tag: str, attributes: list[str]) -> None:
    with pytest.raises(ValueError, match="cannot be allowed"):
        Markup().allow(tag, attributes)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("HTTPS://a.example", "HTTPS://a.example"),
        ("/people?x=1", "/people?x=1"),
        ("exemple.fr", "https://exemple.fr"),
        ("tel:+33123", "tel:+33123"),
        ("java\nscript:alert(1)", None),
        ("\u00a0javascript:x", None),
        ("//evil.example", None),
        ("/\\evil.example", None),
        ("https:", None),
        ("http://[::1", None),
        ("plain", None),
        ("", None),
    ],
)
def test_addresses(url: str, kept: str | None) -> None:
    assert safe_url(url) == kept
