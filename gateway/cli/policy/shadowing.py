"""`goodgate policy shadow`: what shadow rules would have done, had they been enforced."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Desk
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.rehearsal.replays.shadows import Shadow, Shadows

_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_LENGTH = re.compile(r"([0-9]{1,6})([smhdw])")


def shadow(
    context: typer.Context,
    *,
    since: Annotated[str, typer.Option(metavar="7d", help="From: 7d ago, 2026-11-01.")] = "7d",
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """
    Say what each shadow rule in force would have refused or sent elsewhere.

    \b
    goodgate policy shadow
    goodgate policy shadow --since 30d --data ./data --json
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    desk = Desk.of(context)
    folder = data or desk.settings.data
    found = _asked(desk, since) if folder is None else _stored(desk, folder, since)
    if as_json:
        terminal.as_json(msgspec.to_builtins(found, enc_hook=str))
        return 0
    for each in found.rules:
        print(terminal.plain(line(each, since)))
    if not found.rules:
        print(f"no shadow rule is in force ({found.policy})")
    return 0


def line(found: "Shadow", since: str) -> str:
    """Return in words what one rule would have done."""
    from gateway.cli.policy import replayed  # noqa: PLC0415  # as in `shadow`

    what = "refused" if found.does == "refuse" else "sent elsewhere"
    when = period(since)
    if not found.calls:
        return f"{found.rule} would have {what} nothing {when}"
    people = "1 person" if found.people == 1 else f"{found.people:,} people"
    calls = "1 call" if found.calls == 1 else f"{found.calls:,} calls"
    teams = "1 team" if found.teams == 1 else f"{found.teams:,} teams"
    would = f"would have {what}"
    if found.does != "refuse":
        would, calls = "would have sent", f"{calls}"
        people += " elsewhere"
    return (
        f"{found.rule} {would} {calls} of {people} {when} "
        f"({replayed.money(found.cost_usd)} USD, {teams})"
    )


def period(since: str) -> str:
    """Return since when, in words: `in the last 7 days`, or `since 2026-11-01`."""
    match = _LENGTH.fullmatch(since.strip().lower())
    if match is None:
        return f"since {since.strip()}"
    count, unit = int(match[1]), _UNITS[match[2]]
    return f"in the last {unit}" if count == 1 else f"in the last {count} {unit}s"


def _asked(desk: Desk, since: str) -> "Shadows":
    from gateway.rehearsal.replays.shadows import Shadows  # noqa: PLC0415  # a compiler, only where needed

    said = desk.remote().ask("GET", "/api/policy/shadow", query={"since": since})
    try:
        return msgspec.convert(said, type=Shadows)
    except msgspec.ValidationError as error:
        raise terminal.Unreachable(
            f"the gateway's answer cannot be read ({error}): is it of another version?"
        ) from None


def _stored(desk: Desk, folder: Path, since: str) -> "Shadows":
    from gateway import reports  # noqa: PLC0415  # as above
    from gateway.cli.policy import logs  # noqa: PLC0415  # as above
    from gateway.rehearsal.replays.shadows import shadows  # noqa: PLC0415  # as above

    log = logs.opened(desk, folder, [])
    policies = log.policies(log.in_force)
    if policies is None:
        raise ConfigError(
            "the policies in force are not known here: name them with GOODGATE_POLICIES"
        )
    since_us = reports.moment_us(since, desk.clock())
    return shadows(log.shadowed(since_us, 2**62), policies, log.people)
