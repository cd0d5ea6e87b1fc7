"""`goodgate policy replay`: what a change of policies would have meant for the calls there were."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from msgspec import Struct

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Desk
from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress

    from gateway.cli.policy.logs import Log
    from gateway.ledger.decision_log import Entry
    from gateway.policy import PolicySet
    from gateway.rehearsal.replays.replay import ChangeKind, Report
    from gateway.settings import Deployment

_LIMIT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(%?)")
_STEP = 1_000
"""Entries between two looks at the progress bar."""


class Limit(Struct, frozen=True, kw_only=True):
    """How many calls may change in one way."""

    kind: "ChangeKind"
    option: str
    text: str
    """As it was given: `0.5%` or `12`."""
    most: float
    of_all: bool
    """Whether it is a percentage of all calls."""

    def passed_by(self, report: "Report") -> str:
        """Return in words by how much a report passes it; empty: it does not."""
        found = report.changes[self.kind].calls
        if self.of_all:
            share = 100 * found / report.calls if report.calls else 0.0
            if share > self.most:
                return f"{self.option} {self.text} is passed: {share:.2f}% ({found:,} calls)"
        elif found > self.most:
            over = found - int(self.most)
            return f"{self.option} {self.text} is passed by {over:,}: {found:,} calls"
        return ""


def _limit(option: str, what: str) -> object:
    return typer.Option(option, metavar="N|N%", help=f"Exit 1 when more calls are {what}.")


def replay(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    new: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="NEW", help="The new policies: files and folders; else those in force."
        ),
    ] = None,
    *,
    since: Annotated[str, typer.Option(metavar="30d", help="From: 30d ago, 2026-11-01.")] = "30d",
    until: Annotated[str, typer.Option(metavar="1d", help="Up to: as --since; else now.")] = "",
    data: Data = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="Read the log from files (repeat)."),
    ] = None,
    max_newly_refused: Annotated[str, _limit("--max-newly-refused", "newly refused")] = "",
    max_newly_allowed: Annotated[str, _limit("--max-newly-allowed", "newly allowed")] = "",
    max_rerouted: Annotated[str, _limit("--max-rerouted", "sent elsewhere")] = "",
    by: Annotated[
        Literal["rule", "team", "task"], typer.Option("--by", help="Show the changes by this.")
    ] = "rule",
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Say how well the policies in force explain the log."),
    ] = False,
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print it for a merge request.")
    ] = False,
) -> int:
    """
    Decide recorded calls again under other policies; say what would be otherwise.

    \b
    goodgate policy replay policies/ --data ./data
    goodgate policy replay policies/ --since 7d --max-newly-refused 0.5% --markdown
    goodgate policy replay policies/ --from decisions.jsonl --by team
    goodgate policy replay --verify --data ./data

    Exit code 0: within the limits given. 1: a limit is passed. 2: wrong use.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    # Imported here: no other command needs a compiler of conditions.
    from gateway import reports  # noqa: PLC0415  # as above
    from gateway.cli.policy import logs, replayed  # noqa: PLC0415  # as above
    from gateway.rehearsal.replays.verification import verify as verified_by  # noqa: PLC0415  # as above

    desk = Desk.of(context)
    given = {
        "newly_refused": max_newly_refused,
        "newly_allowed": max_newly_allowed,
        "rerouted": max_rerouted,
    }
    limits = [limit_of(kind, text) for kind, text in given.items() if text]
    if as_json and as_markdown:
        raise WrongUse("--json and --markdown are two ways to print it: choose one")
    now = desk.clock()
    window = (
        reports.moment_us(since, now),
        reports.moment_us(until, now) if until else int(now * 1_000_000) + 1,
    )
    if window[0] >= window[1]:
        raise WrongUse("--until is not after --since: nothing lies between them")
    given_new = _loaded(new or [])
    log = logs.opened(desk, data, files or [], given_new)
    report = _replayed(desk, given_new, log, window, alone=len(files or []) < 2)  # noqa: PLR2004  # one log
    verified = None
    if verify:
        with _bar("Verifying") as bar:
            told = _told(log.entries(*window), window, bar)
            verified = verified_by(told, log.policies, log.people)
    if as_json:
        found = replayed.as_json(report, verified)
        found["passed"] = [text for each in limits if (text := each.passed_by(report))]
        terminal.as_json(found)
    else:
        shown = replayed.words(report, verified, by)
        (replayed.markdown if as_markdown else replayed.plain)(shown)
    passed = [text for each in limits if (text := each.passed_by(report))]
    for text in passed:
        terminal.say(text)
    return 1 if passed else 0


def limit_of(kind: str, text: str) -> Limit:
    """Return a limit as it was given; raises WrongUse."""
    option = f"--max-{kind.replace('_', '-')}"
    match = _LIMIT.fullmatch(text.strip())
    of_all = match is not None and match[2] == "%"
    if match is None or (not of_all and "." in match[1]) or (of_all and float(match[1]) > 100):  # noqa: PLR2004  # per cent
        raise WrongUse(f"{option} is a number of calls or a share of them: 12 or 0.5%")
    return Limit(
        kind=kind,  # type: ignore[arg-type]  # one of three
        option=option,
        text=text.strip(),
        most=float(match[1]),
        of_all=of_all,
    )


def _loaded(paths: Sequence[Path]) -> "PolicySet | None":
    """Return the policies of some files and folders; None when none are given."""
    from gateway import policy  # noqa: PLC0415  # as in `replay`
    from gateway.app import folders  # noqa: PLC0415  # as above

    files = [file for path in paths for file in folders.policy_files(path)]
    return policy.load(files) if paths else None


def _replayed(
    desk: Desk, new: "PolicySet | None", log: "Log", window: tuple[int, int], *, alone: bool
) -> "Report":
    from gateway import metering  # noqa: PLC0415  # as in `replay`
    from gateway.rehearsal.replays.recorded import Places  # noqa: PLC0415  # as above
    from gateway.rehearsal.replays.replay import replay as decided_again  # noqa: PLC0415  # as above

    in_force = log.policies(log.in_force)
    policies = in_force if new is None else new
    if policies is None:
        raise WrongUse("which policies are in force is not known here: name some to replay")
    deployment = _deployment(desk)
    with _bar("Replaying") as bar:
        return decided_again(
            _told(log.entries(*window), window, bar),
            in_force,
            policies,
            metering.PriceBook({} if deployment is None else deployment.prices),
            log.people,
            places=Places(deployment),
            shared=bool(desk.settings.redis_url) and alone,
        )


def _deployment(desk: Desk) -> "Deployment | None":
    """Return goodgate.yaml, where there is one that can be used here."""
    from gateway import settings  # noqa: PLC0415  # as in `replay`

    if desk.settings.config is None:
        return None
    try:
        return settings.load(desk.settings.config, desk.environ)
    except ConfigError:
        terminal.say(
            "goodgate.yaml cannot be used here: models have no other names, and the prices "
            "Goodgate ships with count"
        )
        return None


def _bar(text: str) -> "AbstractContextManager[Progress | None]":
    """Return a progress bar where somebody looks at it."""
    if not sys.stderr.isatty():
        return nullcontext(None)
    # Imported here: in a pipe nobody should wait for colours.
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415  # as above

    bar = Progress(console=Console(stderr=True), transient=True)
    bar.add_task(text, total=1.0)
    return bar


def _told(
    entries: "Iterator[Entry]", window: tuple[int, int], bar: "Progress | None"
) -> "Iterator[Entry]":
    """Yield entries, and show on the bar how much of the window is behind them."""
    if bar is None:
        yield from entries
        return
    since_us = 0
    for number, entry in enumerate(entries):
        since_us = since_us or max(window[0], entry.at_us)
        if number % _STEP == 0:
            done = (entry.at_us - since_us) / max(1, window[1] - since_us)
            bar.update(bar.task_ids[0], completed=done)
        yield entry
