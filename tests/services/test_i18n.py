"""Languages, zones and formats: what a reader sees depends on who asks and on nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import jinja2
import pytest
from markupsafe import escape
from parvis.services import i18n
from parvis.services.i18n import gettext as _
from parvis.services.i18n import (
    lazy_gettext,
    lazy_ngettext,
    lazy_pgettext,
    negotiate,
    ngettext,
    npgettext,
    pgettext,
    use_locale,
)

PLUGIN = """msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=2; plural=(n > 1);\\n"

msgid "Vote now"
msgstr "Votez maintenant"

msgid "Home"
msgstr "Le toit des sondages"

msgid "Hello %(name)s"
msgstr "Bonjour %(name)s"

msgctxt "verb"
msgid "Vote"
msgstr "Voter"

msgid "%(num)s vote"
msgid_plural "%(num)s votes"
msgstr[0] "%(num)s voix"
msgstr[1] "%(num)s suffrages"

msgctxt "office"
msgid "%(num)s post"
msgid_plural "%(num)s posts"
msgstr[0] "%(num)s poste"
msgstr[1] "%(num)s postes"

#, fuzzy
msgid "Guessed"
msgstr "Deviné"

msgid "Empty"
msgstr ""
"""
NOON = datetime(2026, 11, 23, 11, 5, tzinfo=UTC)


@pytest.fixture
def polls(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales/fr.po").write_text(PLUGIN, encoding="utf-8")
    i18n.Catalogs().load({"polls": tmp_path})
    yield
    i18n.Catalogs().load({})


@pytest.mark.usefixtures("polls")
def test_texts_in_both_languages() -> None:
    with use_locale("fr"):
        assert _("Vote now") == "Votez maintenant"
        assert _("Hello %(name)s", name="Ana") == "Bonjour Ana"
        assert pgettext("verb", "Vote") == "Voter"
        assert _("Vote") == "Vote"
        assert [ngettext("%(num)s vote", "%(num)s votes", n) for n in (0, 1, 2)] == [
            "0 voix",
            "1 voix",
            "2 suffrages",
        ]
        assert npgettext("office", "%(num)s post", "%(num)s posts", 3) == "3 postes"
        assert (_("Guessed"), _("Empty"), _("Never seen")) == ("Guessed", "Empty", "Never seen")
    with use_locale("en"):
        assert _("Vote now") == "Vote now"
        assert [ngettext("%(num)s vote", "%(num)s votes", n) for n in (0, 1)] == ["0 votes", "1 vote"]
    assert ngettext("%(num)s vote", "%(num)s votes", 1200) == "1,200 votes"


@pytest.mark.usefixtures("polls")
def test_the_core_is_asked_first_and_a_template_asks_its_own_plugin_first() -> None:
    env = jinja2.Environment(
        autoescape=True,
        loader=jinja2.DictLoader({"polls/a.html": "{{ _('Home') }}", "parvis/a.html": "{{ _('Home') }}"}),
    )
    i18n.install(env)
    with use_locale("fr"):
        assert env.get_template("polls/a.html").render() == "Le toit des sondages"
        assert env.get_template("parvis/a.html").render() == _("Home")


@pytest.mark.usefixtures("polls")
def test_templates_translate_and_escape() -> None:
    env = jinja2.Environment(autoescape=True)
    i18n.install(env)
    template = env.from_string(
        "{{ _('Hello %(name)s', name='<b>') }}|{{ pgettext('verb', 'Vote') }}|"
        "{{ ngettext('%(num)s vote', '%(num)s votes', 2) }}|"
        "{{ npgettext('office', '%(num)s post', '%(num)s posts', 1) }}|"
        "{% trans name='<i>' %}\n  Hello {{ name }}\n{% endtrans %}|"
        "{% trans num=n %}{{ num }} vote{% pluralize %}{{ num }} votes{% endtrans %}|{{ lazy }}|{{ format_date(day) }}"
    )
    with use_locale("fr"):
        assert template.render(n=5, lazy=lazy_gettext("Vote now"), day=date(2026, 11, 1)) == (
            "Bonjour &lt;b&gt;|Voter|2 suffrages|1 poste|Bonjour &lt;i&gt;|5 suffrages|Votez maintenant|"
            "1 novembre 2026"
        )


@pytest.mark.usefixtures("polls")
def test_lazy_texts_speak_when_they_are_shown() -> None:
    label, hello = lazy_gettext("Vote now"), lazy_gettext("Hello %(name)s") % {"name": "<Ana>"}
    votes, verb = lazy_ngettext("%(num)s vote", "%(num)s votes", 2), lazy_pgettext("verb", "Vote")
    for language, shown in (("fr", "Votez maintenant"), ("en", "Vote now")):
        with use_locale(language):
            assert (str(label), f"{label}", label + "!", "!" + label) == (
                shown,
                shown,
                shown + "!",
                "!" + shown,
            )
            assert label == shown
            assert "now" in label or "maintenant" in label
            assert len(label) == len(shown)
    with use_locale("fr"):
        assert escape(hello) == "Bonjour &lt;Ana&gt;"
        assert (str(votes), str(verb)) == ("2 suffrages", "Voter")
        assert str(lazy_gettext("{a} and {b}").format(a=1, b=label)) == "1 and Votez maintenant"
        assert str(lazy_gettext("Hello %(name)s", name=label)) == "Bonjour Votez maintenant"
    assert not lazy_gettext("")
    assert "Vote now" in repr(label)


def test_a_broken_catalogue_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales/fr.po").write_bytes(b'msgid "Vote"\nmsgstr "\xff\xfe"\n')
    i18n.Catalogs().load({"polls": tmp_path})
    assert "cannot be read" in caplog.text
    i18n.Catalogs().load({})


async def test_tasks_speak_each_their_own_language() -> None:
    async def say(language: str, zone: str) -> tuple[str, str]:
        use_locale(language, zone)
        await asyncio.sleep(0)
        return i18n.current_language(), i18n.format_time(NOON)

    said = await asyncio.gather(say("fr", "Europe/Paris"), say("en", "America/Montreal"), say("en", "UTC"))
    assert said == [("fr", "12:05"), ("en", "06:05"), ("en", "11:05")]
    assert i18n.current_language() == "en"


def test_the_former_locale_comes_back_and_strange_ones_fall_back() -> None:
    token = use_locale("fr", "Europe/Paris")
    with use_locale("xx", "Mars/Olympus"):
        assert (i18n.current_locale().language, i18n.current_locale().time_zone) == ("en", "UTC")
    assert i18n.current_locale().time_zone == "Europe/Paris"
    token.reset()
    assert i18n.current_language() == "en"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("de, en;q=0.5", "en"),
        ("en;q=0.2, fr;q=0.9", "fr"),
        ("EN-gb", "en"),
        ("de", "fr"),
        ("*", "fr"),
        ("en;q=0", "fr"),
        ("en;q=oops", "fr"),
        ("", "fr"),
        (",;=,," * 1000, "fr"),
    ],
)
def test_browsers_are_heard(header: str, language: str) -> None:
    assert negotiate(header, "fr") == language


def test_zones() -> None:
    assert "Europe/Paris" in i18n.time_zones()
    assert all(i18n.is_time_zone(name) for name in i18n.time_zones())
    assert not any(
        map(i18n.is_time_zone, ("", "Paris", "../../etc/passwd", "Europe/", "/etc/passwd", "a\0b"))
    )


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        (
            "fr",
            ["lundi 23 novembre 2026", "23 nov. 2026", "novembre 2026", "12:05", "23 novembre 2026 à 12:05",
             "1\u202f234\u202f567", "0,50", "12\xa0%", "999\xa0octets", "1,4\u202fMo", "a, b et c", "il y a 3 jours",
             "23 novembre 2026", "15 minutes"],
        ),
        (
            "en",
            ["Monday, 23 November 2026", "23 Nov 2026", "November 2026", "12:05", "23 November 2026 at 12:05",
             "1,234,567", "0.50", "12%", "999 bytes", "1.4 MB", "a, b and c", "3 days ago",
             "23 November 2026", "15 minutes"],
        ),
    ],
)  # fmt: skip
def test_formats(language: str, shown: list[str]) -> None:
    with use_locale(language, "Europe/Paris"):
        assert [
            i18n.format_date(NOON, "full"),
            i18n.format_date(date(2026, 11, 23), "medium"),
            i18n.format_month(NOON),
            i18n.format_time(NOON),
            i18n.format_local(NOON),
            i18n.format_number(1234567),
            i18n.format_number(0.5, 2),
            i18n.format_percent(0.123),
            i18n.format_size(999),
            i18n.format_size(1_400_000),
            i18n.format_list("abc"),
            i18n.format_relative(NOON, NOON + timedelta(days=3)),
            i18n.format_relative(NOON, NOON + timedelta(days=9)),
            i18n.format_duration(900),
        ] == shown


def test_days_are_those_of_the_zone() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    with use_locale("en", "Europe/Paris"):
        assert i18n.format_date(late) == "24 November 2026"
        assert i18n.to_local(late.replace(tzinfo=None)).hour == 0
    with use_locale("en", "America/Montreal"):
        assert i18n.format_date(late) == "23 November 2026"


def test_sizes_never_reach_a_thousand_of_a_unit() -> None:
    with use_locale("en"):
        shown = [i18n.format_size(size) for size in (0, 1, 999, 1000, 999_949, 999_950, 10**9, 5 * 10**15)]
    assert shown == ["0 bytes", "1 byte", "999 bytes", "1 kB", "1 MB", "1 MB", "1 GB", "5,000 TB"]
