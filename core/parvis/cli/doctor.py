"""`parvis doctor`: everything an instance needs, each finding with its remedy."""

from __future__ import annotations

import asyncio
from collections import Counter

import click

from parvis.cli.instance import in_instance, with_json
from parvis.cli.say import gettext as _
from parvis.cli.say import say, say_json, told
from parvis.cli.words import word

SIGNS = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command(
    name="doctor",
    help=_("Check the whole instance. Each finding has its remedy; the exit code is 1 on an error."),
)
@in_instance
@with_json
def command(directory: str, as_json: bool) -> None:
    """Report every finding; the exit code is 1 when one is an error."""
    from parvis.cli.findings import examine

    findings = asyncio.run(examine(directory))
    counts = Counter(finding.level for finding in findings)
    if as_json:
        say_json(
            [
                {
                    "level": finding.level,
                    "subject": finding.subject,
                    "message": told(finding.message),
                    "remedy": told(finding.remedy),
                }
                for finding in findings
            ]
        )
    else:
        for finding in findings:
            line = _("{label}: {value}").format(label=word(finding.subject), value=told(finding.message))
            say(f"{SIGNS[finding.level]} {line}")
            if finding.remedy:
                say(f"    → {told(finding.remedy)}")
        say(
            _("errors: {errors}, warnings: {warnings}").format(
                errors=counts["error"], warnings=counts["warning"]
            )
        )
    if counts["error"]:
        raise SystemExit(1)
