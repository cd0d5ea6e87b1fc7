"""
`goodgate demo`: a minute of honest and silly traffic, counted twice.

The same calls go through a gateway without rules, counted as rankings of people count,
and through one with the shipped policy, which a tracker then tells what became of the tasks.
Both are real processes on this machine, with a simulated provider; both are gone at the end,
and so are their folders.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer
from msgspec import Struct

from gateway.cli import demo_stage, demo_tracker, demo_traffic, terminal
from gateway.cli.demo_stage import Outcome
from gateway.cli.demo_traffic import CLIMBER, Shot
from gateway.cli.desk import AsJson, Desk
from gateway.cli.remote import Remote
from gateway.settings import Settings
from gateway.web.api_terms import utc

_NO_RULES = "version: 1\nrules: []\n"
_HOUR_S = 3600
_LISTS = ("raw", "tasks", "refused", "unlinked", "credit")


class Counted(Struct, frozen=True):
    """What both ways of counting say."""

    raw: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    refused: dict[str, int]
    unlinked: list[dict[str, Any]]
    credit: list[dict[str, Any]]
    repeats: int
    """Calls of the climber that still count as usage."""


def run(context: typer.Context, *, as_json: AsJson = False) -> int:
    """
    Show a minute of honest and silly traffic, as raw counting and as Goodgate see it.

    \b
    goodgate demo            # half a minute at most; needs no key and no network
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    desk, shots = Desk.of(context), demo_traffic.minute()
    with tempfile.TemporaryDirectory(prefix="goodgate-demo-") as name, _progress(shots) as sent:
        found = _counted(desk, Path(name), shots, sent)
    if as_json:
        shown = {name: getattr(found, name) for name in _LISTS}
        terminal.as_json({"calls": len(shots), **shown})
    else:
        _show(found, len(shots))
    return 0


def _counted(
    desk: Desk, folder: Path, shots: Sequence[Shot], sent: Callable[[], object]
) -> Counted:
    naive, good = folder / "naive", folder / "good"
    keys = _seed(naive, desk.clock)
    (naive / "rules.yaml").write_text(_NO_RULES, encoding="utf-8")
    with demo_stage.serving(naive, desk.environ, "--policies", str(naive / "rules.yaml")) as url:
        raw = demo_stage.send(url, keys, shots, sent)
    keys, secret = _seed(good, desk.clock), os.urandom(24).hex()
    environ = {**desk.environ, demo_tracker.VARIABLE: secret}
    with demo_stage.serving(good, environ, config=demo_tracker.CONFIG) as url:
        ruled = demo_stage.send(url, keys, shots, sent)
        entries = demo_stage.ask(url, keys["auditor"], "/api/audit/entries", limit="100000")
        unlinked = demo_stage.ask(url, keys["auditor"], "/api/audit/unlinked")
        auditor = Remote(url, keys["auditor"])
        demo_tracker.tell(auditor, secret, desk.clock)
        credit = demo_tracker.credit(auditor)
    return Counted(
        raw=_ranking(raw),
        tasks=_by_task(entries),
        refused=dict(Counter(one.code for one in ruled if one.code).most_common()),
        unlinked=[row for row in unlinked if row["tokens"]],
        credit=credit,
        repeats=sum(one.shot.person == CLIMBER and not one.code for one in ruled),
    )


def _seed(folder: Path, clock: Callable[[], float]) -> dict[str, str]:
    """Make a folder's keys and catalogue, as an admin would; return the keys by person."""
    from gateway.cli.local import Local  # noqa: PLC0415  # SQLite only where it is opened

    folder.mkdir()
    local = Local(folder / "data", Settings(), clock)
    closed = utc(clock() - _HOUR_S)
    catalogue = (demo_traffic.CATALOGUE % closed).encode()
    local.ask("POST", "/api/tasks/import", query={"name": "catalogue.yaml"}, raw=catalogue)
    people = [{"principal": name, "team": team} for name, team in demo_traffic.TEAMS.items()]
    people.append({"principal": "auditor", "team": "audit", "role": "auditor"})
    return {wish["principal"]: local.ask("POST", "/api/keys", body=wish)["key"] for wish in people}


def _ranking(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    calls = Counter(one.shot.person for one in outcomes)
    tokens = Counter[str]()
    for one in outcomes:
        tokens[one.shot.person] += one.tokens
    return [
        {"rank": rank, "person": person, "calls": calls[person], "tokens": count}
        for rank, (person, count) in enumerate(tokens.most_common(), 1)
    ]


def _by_task(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["decision"] == "refused":
            continue
        row = found.setdefault(
            entry["task_id"],
            {"task": entry["task_id"], "calls": 0, "tokens": 0, "cost_usd": Decimal(0)},
        )
        row["calls"] += 1
        row["tokens"] += entry["input_tokens"] + entry["output_tokens"]
        row["cost_usd"] += Decimal(entry["cost_usd"])
    rows = sorted(found.values(), key=lambda row: str(row["task"]))
    return [row | {"cost_usd": format(row["cost_usd"], "f")} for row in rows]


def _show(found: Counted, calls: int) -> None:
    print(f"{calls} calls by {len(demo_traffic.TEAMS)} people, counted twice.\n")
    print("What raw counting would have said, a ranking of people by tokens:\n")
    terminal.records(("rank", "person", "calls", "tokens"), found.raw)
    print("\nWhat Goodgate says, with the policy it ships with.\n\nUsage, by task:\n")
    terminal.records(("task", "calls", "tokens", "cost_usd"), found.tasks)
    print("\nRefused, and what for:\n")
    terminal.table(("code", "calls"), list(found.refused.items()))
    print("\nServed without a verified task: cost, and nobody's name on it:\n")
    columns = ("hour", "team", "model", "reason", "calls", "tokens", "cost_usd")
    terminal.records(columns, found.unlinked)
    print(
        "\nThen the tracker tells what became of the tasks. Credit is what each is worth, times how"
        " much new was\nasked for it, where somebody else took the work:\n"
    )
    terminal.records(("task", "accepted", "credit", "calls", "cost_usd"), found.credit)
    print(
        f"\nOf {CLIMBER}'s {found.repeats} repeats for a task of her own each is recognised, and"
        " slowed; those let\nthrough are its cost. She took the work herself: that is no credit."
    )


@contextmanager
def _progress(shots: Sequence[Shot]) -> Generator[Callable[[], object]]:
    """Yield what to call for every call sent, in both runs."""
    if not sys.stdout.isatty():
        yield time.monotonic
        return
    from rich.progress import Progress  # noqa: PLC0415  # only a terminal needs it

    with Progress(transient=True) as bar:
        job = bar.add_task("sending calls", total=2 * len(shots))
        yield lambda: bar.advance(job)
