"""Every text people read is translated: none is missing in French, none is written raw into a template.

Each rule is a function from text to faults with a sample that trips it beside one that does not.
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po
from jinja2 import nodes

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "core/parvis"
PLUGINS = sorted(ROOT.glob("plugins/*/parvis_*"))
THEMES = sorted(ROOT.glob("themes/*/parvis_*"))
OWNERS = [CORE, *PLUGINS, *THEMES]

KEYWORDS: dict[str, Any] = {
    **DEFAULT_KEYWORDS,
    "_l": None,
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
    "lazy_pgettext": ((1, "c"), 2),
}
FUNCTIONS = frozenset(KEYWORDS) - {"N_"}
# These pass a msgid on; their own argument is a name.
TRANSLATORS = frozenset({"i18n.py", "languages.py"})

# Words that stand in a template as they are in every language, each with its reason.
ALLOWED = {
    "Parvis": "the product's name",
    "Ctrl": "the word on the key, on French keyboards too",
    "Markdown": "the name of a way of writing",
    "Français": "a language calls itself by its own name",
    "English": "the same",
    "FR": "its code, where there is no room",
    "EN": "the same",
}


@dataclass(frozen=True)
class Text:
    """A text to translate: its context, its msgids (two with a plural) and where it stands."""

    context: str | None
    ids: tuple[str, ...]
    where: str

    @property
    def key(self) -> tuple[str | None, str]:
        return self.context, self.ids[0]


def environment() -> jinja2.Environment:
    env = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"]
    )
    env.policies["ext.i18n.trimmed"] = True
    return env


def texts_in(source: str, where: str, method: str) -> Iterator[Text]:
    """Yield the texts of a module or template as pybabel finds them."""
    options = {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}
    file = io.BytesIO(source.encode())
    for line, ids, _, context in extract(method, file, keywords=KEYWORDS, options=options):
        found = ids if isinstance(ids, tuple) else (ids,)
        yield Text(context, tuple(one for one in found if one), f"{where}:{line}")


def files_of(owner: Path, *suffixes: str) -> list[Path]:
    return sorted(
        path
        for path in owner.rglob("*")
        if path.suffix in suffixes and not {"__pycache__", "vendor", "static"} & set(path.parts)
    )


def templates() -> list[Path]:
    return [path for owner in OWNERS for path in files_of(owner, ".html") if "templates" in path.parts]


def texts_of(owner: Path) -> list[Text]:
    found = []
    for path in files_of(owner, ".py", ".html"):
        method = "python" if path.suffix == ".py" else "jinja2"
        found.extend(texts_in(path.read_text("utf-8"), str(path.relative_to(ROOT)), method))
    return found


def catalogue(owner: Path) -> Catalog:
    path = owner / "locales/fr.po"
    return read_po(io.BytesIO(path.read_bytes() if path.exists() else b""), abort_invalid=True)


# -- every text has its French ---------------------------------------------------------------------


def untranslated(texts: list[Text], *catalogues: Catalog) -> list[str]:
    """Return texts without French in the first catalogue that knows them."""
    faults = []
    for text in texts:
        for one in catalogues:
            message = one.get(text.ids[0], text.context)
            if message is None or isinstance(message.id, str) != (len(text.ids) == 1):
                continue
            if all(message.string) and message.string:
                break
        else:
            faults.append(f"{text.where}: {text.ids[0]!r} has no French")
    return faults


@pytest.mark.parametrize("owner", OWNERS, ids=lambda path: path.name)
def test_every_text_has_its_french(owner: Path) -> None:
    assert untranslated(texts_of(owner), catalogue(owner), catalogue(CORE)) == []


def parsed(text: str) -> Catalog:
    head = 'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n'
    return read_po(io.BytesIO((head + text).encode()))


def test_the_rule_of_missing_french_bites() -> None:
    source = "_('Home')\n_l('Save')\nngettext('%(num)s post', '%(num)s posts', n)\npgettext('verb', 'Post')\n"
    texts = list(texts_in(source, "a.py", "python"))
    known = parsed(
        'msgid "Home"\nmsgstr "Accueil"\n\nmsgid "Save"\nmsgstr ""\n\nmsgid "Post"\nmsgstr "Publier"\n'
    )
    assert [fault.split(":")[1] for fault in untranslated(texts, known)] == ["2", "3", "4"]
    html = "{{ _('Home') }}{% trans %}\n  Leave\n  now\n{% endtrans %}"
    assert untranslated(list(texts_in(html, "a.html", "jinja2")), known) == [
        "a.html:1: 'Leave now' has no French"
    ]


# -- the catalogue is clean ------------------------------------------------------------------------

_PLACE = re.compile(r"%\((\w+)\)[sd]|\{(\w*)(?::[^}]*)?\}")


def places(text: str) -> set[str]:
    return {match[1] or match[2] for match in _PLACE.finditer(text)}


def catalogue_faults(found: Catalog, used: set[tuple[str | None, str]] | None = None) -> list[str]:
    """Return fuzzy, obsolete and unused entries, and those whose places are not those of the source."""
    faults = [f"{message.id!r} is obsolete" for message in found.obsolete.values()]
    for message in found:
        if not message.id:
            continue
        ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
        strings = (message.string,) if isinstance(message.string, str) else tuple(message.string)
        if message.fuzzy:
            faults.append(f"{ids[0]!r} is fuzzy")
        wanted = set().union(*(places(one) for one in ids))
        for string in strings:
            # With a plural the form for one may leave the number out; nothing may be made up.
            wrong = places(string) - wanted if len(ids) > 1 else places(string) ^ wanted
            if string and wrong:
                faults.append(f"{ids[0]!r}: places differ: {', '.join(sorted(wrong))}")
        if used is not None and (message.context, ids[0]) not in used:
            faults.append(f"{ids[0]!r} is not used any more")
    return faults


def twice(text: str) -> list[str]:
    """Return msgids that a catalogue holds twice, which parsers pass over in silence."""
    seen: set[tuple[str, str]] = set()
    faults = []
    for entry in re.split(r"\n\s*\n", text):
        fields = {"msgctxt": "", "msgid": ""}
        current = ""
        for line in entry.splitlines():
            name, _, rest = line.partition(" ") if not line.startswith('"') else (current, "", line)
            current = name
            if name in fields and rest.strip().startswith('"'):
                fields[name] += ast.literal_eval(rest.strip())
        key = (fields["msgctxt"], fields["msgid"])
        if fields["msgid"] and key in seen:
            faults.append(f"{fields['msgid']!r} stands there twice")
        seen.add(key)
    return faults


@pytest.mark.parametrize("owner", [CORE, *PLUGINS], ids=lambda path: path.name)
def test_catalogues_are_clean(owner: Path) -> None:
    used = {text.key for one in ([CORE, *THEMES] if owner == CORE else [owner]) for text in texts_of(one)}
    text = (owner / "locales/fr.po").read_text("utf-8")
    assert catalogue_faults(catalogue(owner), used) + twice(text) == []


def otherwise(texts: list[Text], own: Catalog, core: Catalog) -> list[str]:
    """Return texts of a plugin's Python that the core says otherwise: Python looks in the core first.

    A plugin's templates look in its own catalogue first, so they may.
    """
    return sorted(
        {
            f"{text.where}: {text.ids[0]!r} needs a context: the core says {other.string!r}"
            for text in texts
            if ".py:" in text.where
            and (mine := own.get(*reversed(text.key)))
            and (other := core.get(*reversed(text.key)))
            and mine.string != other.string
        }
    )


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_says_what_the_core_says_alike(plugin: Path) -> None:
    assert otherwise(texts_of(plugin), catalogue(plugin), catalogue(CORE)) == []


def test_the_rule_of_saying_alike_bites() -> None:
    core, own = parsed('msgid "All"\nmsgstr "Tous"\n'), parsed('msgid "All"\nmsgstr "Tout"\n')
    texts = [*texts_in("_('All')", "a.py", "python"), *texts_in("{{ _('All') }}", "a.html", "jinja2")]
    assert otherwise(texts, own, core) == ["a.py:1: 'All' needs a context: the core says 'Tous'"]
    assert otherwise(texts, core, core) == []


def test_the_rules_of_catalogues_bite() -> None:
    text = (
        '#, fuzzy\nmsgid "Home"\nmsgstr "Accueil"\n\n'
        'msgid "By %(name)s"\nmsgstr "Par %(nom)s"\n\n'
        'msgid "{file} is missing"\nmsgstr "Il manque"\n\n'
        'msgid "%(num)s post"\nmsgid_plural "%(num)s posts"\nmsgstr[0] "Une publication"\nmsgstr[1] "%(nb)s"\n\n'
        '#~ msgid "Old"\n#~ msgstr "Vieux"\n'
    )
    assert catalogue_faults(parsed(text)) == [
        "'Old' is obsolete",
        "'Home' is fuzzy",
        "'By %(name)s': places differ: name, nom",
        "'{file} is missing': places differ: file",
        "'%(num)s post': places differ: nb",
    ]
    fine = parsed('msgid "100% of {n}"\nmsgstr "100 % de {n}"\n')
    assert catalogue_faults(fine) == []
    assert catalogue_faults(fine, {(None, "Other")}) == ["'100% of {n}' is not used any more"]
    assert twice(
        'msgid "a"\n"b"\nmsgstr ""\n\nmsgid "ab"\nmsgstr ""\n\nmsgctxt "c"\nmsgid "ab"\nmsgstr ""\n'
    ) == ["'ab' stands there twice"]


# -- French typography -----------------------------------------------------------------------------

_TYPOGRAPHY = (
    (re.compile(r" [:;?!»]"), "a plain space before : ; ? ! or »"),
    (re.compile(r"« "), "a plain space after «"),
    (re.compile(r"«[^\u00a0\u202f]|[^\u00a0\u202f]»"), "no no-break space inside « »"),
    (re.compile(r"[^\W\d_][;?!](\s|$)"), "no space before ; ? !"),
    (re.compile(r"[^\W\d_]'[^\W\d_]"), "a typewriter's apostrophe"),
    (re.compile(r"\.\.\."), "three dots for …"),
)


def typography(found: Catalog) -> list[str]:
    """Return French texts that break a rule of typography."""
    faults = []
    for message in found:
        if not message.id:
            continue
        for string in (message.string,) if isinstance(message.string, str) else message.string:
            faults.extend(f"{string!r}: {why}" for rule, why in _TYPOGRAPHY if rule.search(string))
    return faults


@pytest.mark.parametrize("owner", [CORE, *PLUGINS], ids=lambda path: path.name)
def test_french_is_set_as_french_is(owner: Path) -> None:
    assert typography(catalogue(owner)) == []


@pytest.mark.parametrize(
    "string", ["Vraiment ?", "Vraiment?", "« Oui\u00a0»", "«Oui»", "l'espace", "Attendez...", "Deux : un"]
)
def test_the_rules_of_typography_bite(string: str) -> None:
    assert typography(parsed(f'msgid "x"\nmsgstr "{string}"\n'))


def test_fine_french_passes() -> None:
    fine = "Vraiment\u202f? «\u00a0Oui\u00a0», l’espace\u00a0: https://exemple.fr/?a=b, 12:30…"
    assert typography(parsed(f'msgid "x"\nmsgstr "{fine}"\n')) == []


# -- msgids are written out ------------------------------------------------------------------------


def built_msgids(source: str) -> list[str]:
    """Return calls of gettext functions whose text is not a literal: nobody can find those to translate them."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in FUNCTIONS:
            spec = KEYWORDS[name] or (1,)
            for place in spec:
                argument = node.args[(place[0] if isinstance(place, tuple) else place) - 1 :][:1]
                if not (
                    argument and isinstance(argument[0], ast.Constant) and isinstance(argument[0].value, str)
                ):
                    faults.append(f"line {node.lineno}: the text of {name}() is not written out")
    return faults


def built_msgids_in_template(source: str) -> list[str]:
    """Return the same of a template."""
    faults = []
    for call in environment().parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in FUNCTIONS:
            count = len(KEYWORDS[call.node.name] or (1,))
            if not all(isinstance(one, nodes.Const) for one in call.args[:count]):
                faults.append(f"line {call.lineno}: the text of {call.node.name}() is not written out")
    return faults


def test_texts_are_written_out_where_they_are_translated() -> None:
    faults = [
        f"{path.relative_to(ROOT)}: {fault}"
        for owner in OWNERS
        for path in files_of(owner, ".py")
        if path.name not in TRANSLATORS
        for fault in built_msgids(path.read_text("utf-8"))
    ]
    faults += [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in templates()
        for fault in built_msgids_in_template(path.read_text("utf-8"))
    ]
    assert faults == []


@pytest.mark.parametrize(
    "call", ["_(f'a {b}')", "_('a %s' % b)", "_l('a {}'.format(b))", "ngettext('a', b, n)", "_(x)"]
)
def test_the_rule_of_written_texts_bites(call: str) -> None:
    assert built_msgids(call)


def test_written_texts_pass() -> None:
    assert built_msgids("_('a' 'b') % c; ngettext('a', 'b', n); pgettext('c', 'd')") == []
    assert built_msgids_in_template("{{ _('a ' ~ b) }}{{ _(b) }}{{ _('c', n=d) }}") == [
        "line 1: the text of _() is not written out",
        "line 1: the text of _() is not written out",
    ]


# -- no raw text in templates ----------------------------------------------------------------------

READ_ALOUD = frozenset(
    ("alt", "aria-description", "aria-label", "aria-placeholder", "aria-roledescription", "aria-valuetext",
     "hx-confirm", "label", "placeholder", "title")
)  # fmt: skip
_PHRASE = re.compile(r"[A-ZÀ-Ý][a-zà-ÿ’']+(?:[ .,!?…:]|$)")


def raw_text(source: str) -> list[str]:
    """Return what a template shows or has read aloud without passing through gettext."""
    env = environment()
    page = _Page()
    page.feed(_without_code(env, source))
    page.close()
    return page.faults + _phrases(env, source)


def _without_code(env: jinja2.Environment, source: str) -> str:
    """Return a template's HTML with code taken out, but for strings it prints.

    Translated blocks are gone, and blocks whose name ends in `class`: a page fills an attribute by them.
    """
    out: list[str] = []
    code: list[str] = []
    blocks: list[str] = []
    translated = False
    for _, kind, value in env.lex(source):
        hidden = translated or any(name.endswith("class") for name in blocks)
        if kind == "data":
            out.append("" if hidden else value)
        elif kind in ("variable_begin", "block_begin"):
            code = []
        elif kind == "variable_end":
            out.append("" if hidden else " ".join(_printed(env, "".join(code))))
        elif kind == "block_end":
            words = "".join(code).split()
            translated = words[0] == "trans" or (translated and words[0] != "endtrans")
            if words[0] == "block":
                blocks.append(words[1])
            elif words[0] == "endblock":
                blocks.pop()
        elif not kind.startswith("comment"):
            code.append(value)
    return "".join(out)


def _printed(env: jinja2.Environment, expression: str) -> list[str]:
    output = env.parse("{{" + expression + "}}").body[0]
    return (
        [text for node in output.nodes for text in _strings(node)] if isinstance(output, nodes.Output) else []
    )


def _strings(node: nodes.Node) -> Iterator[str]:
    """Yield strings that an expression itself may print, not those it hands to functions."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.CondExpr):
        for part in (node.expr1, node.expr2):
            yield from _strings(part) if part is not None else ()
    elif isinstance(node, nodes.Or | nodes.And | nodes.Add):
        yield from _strings(node.left)
        yield from _strings(node.right)
    elif isinstance(node, nodes.Concat):
        for part in node.nodes:
            yield from _strings(part)
    elif isinstance(node, nodes.Filter) and node.node is not None:
        yield from _strings(node.node)
        for part in node.args if node.name in ("default", "d") else ():
            yield from _strings(part)


# An attribute standing outside a tag: what a macro adds to one.
_ATTRIBUTE = re.compile(r"""\b([a-z][a-z:-]*)=["']([^"']*)["']""")


class _Page(HTMLParser):
    """Collects text between tags and in attributes that people hear or see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        for name, value in attrs:
            if name in READ_ALOUD:
                self._check(value or "", f" in {name}")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        # One character in <kbd> is a key.
        if self._tag not in ("script", "style") and not (self._tag == "kbd" and len(data.strip()) == 1):
            self._check(_ATTRIBUTE.sub(lambda one: one[2] if one[1] in READ_ALOUD else "", data), "")

    def _check(self, text: str, where: str) -> None:
        left = re.sub(r"\b(" + "|".join(ALLOWED) + r")\b", "", text)
        if re.search(r"[^\W\d_]", left):
            self.faults.append(f"raw text{where}: {' '.join(text.split())!r}")


def _phrases(env: jinja2.Environment, source: str) -> list[str]:
    """Return strings that look like words for people, handed to a macro or set as a variable."""
    tree = env.parse(source)
    translated = {
        id(part)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in FUNCTIONS
        for part in call.args
    }
    return [
        f"raw phrase: {one.value!r}"
        for one in tree.find_all(nodes.Const)
        if isinstance(one.value, str)
        and id(one) not in translated
        and _PHRASE.match(one.value)
        and one.value not in ALLOWED
    ]


@pytest.mark.parametrize(
    "path", templates(), ids=lambda path: "/".join(path.parts[path.parts.index("templates") + 1 :])
)
def test_templates_hold_no_raw_text(path: Path) -> None:
    assert raw_text(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello</p>",
        "<p>{{ name }} wrote</p>",
        '<button aria-label="Close"></button>',
        '<img alt="A {{ thing }}">',
        "<input placeholder='{% if a %}Search{% endif %}'>",
        "<p>{{ 'Yes' if a else _('No') }}</p>",
        "<p>{{ name or 'nobody' }}</p>",
        "<p>{{ name|default('Nobody') }}</p>",
        "{% set title = 'People here' %}",
        "{{ button('Save') }}",
        "{% trans %}fine{% endtrans %} not",
        '<a title="Profile" {% if a %}class="b"{% endif %}>',
        "<kbd>Enter</kbd>",
        "{% macro label() %} aria-label='Close'{% endmacro %}",
        "{% block body_class %}gate{% endblock %} <p>{% block main %}Here{% endblock %}</p>",
    ],
)
def test_the_rule_of_raw_text_bites(source: str) -> None:
    assert len(raw_text(source)) >= 1


def test_translated_templates_pass() -> None:
    fine = (
        "{% block body_class %}gate{% endblock %}{# A comment #}<p class='{{ 'on' if a }}'"
        " title='{{ _('Close') }}'>{{ _('Hello %(name)s', name=n) }}</p>"
        '{% macro a() %} aria-invalid="true"{% endmacro %}'
        "{% trans count=n %}One{% pluralize %}{{ count }} things{% endtrans %} · 12&nbsp;/ 3 {{ icon('house') }}"
        "<script type='application/json'>{\"a\": 1}</script><kbd>K</kbd> <kbd>Ctrl</kbd> Parvis"
        "{% include 'parvis/_x.html' %}{{ pgettext('verb', 'Post') }}<a href='{{ url('people.directory') }}'></a>"
    )
    assert raw_text(fine) == []
