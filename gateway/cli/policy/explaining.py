"""
`goodgate policy explain`: why a call was refused or let through, or would be.

What was recorded is asked of the gateway (or of the stores in a folder); what was never sent is
decided here, by the policies on this machine, with the gateway's own code.
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Desk
from gateway.cli.policy import explained
from gateway.cli.terminal import WrongUse

if TYPE_CHECKING:
    from gateway.metering import PriceBook
    from gateway.rehearsal.explanations.explanation import Explanation

_REQUEST_ID = re.compile(r"req_[0-9a-f]{32}\b")
_STDIN = "-"
FILE_BYTES_MAX = 32 * 1024 * 1024

Policies = Annotated[
    Path | None,
    typer.Option(
        "--policies", metavar="PATH", help="A file or folder of policies; else GOODGATE_POLICIES."
    ),
]


def _fact(option: str, about: str) -> Any:
    return typer.Option(option, metavar="TEXT", help=about)


def explain(  # noqa: PLR0913  # one for each thing that can be said of a call
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="A request id, a refusal, a file, or -.")
    ],
    *,
    data: Data = None,
    policies: Policies = None,
    route: Annotated[str, _fact("--route", "Of a body: chat, responses, messages, …")] = "",
    principal: Annotated[str, _fact("--principal", "Who calls.")] = "",
    team: Annotated[str, _fact("--team", "Their team.")] = "",
    role: Annotated[str, _fact("--role", "developer, admin or auditor.")] = "",
    task: Annotated[str, _fact("--task", "The task it is for.")] = "",
    evidence: Annotated[str, _fact("--evidence", "none, inferred, claimed, verified.")] = "",
    value: Annotated[float | None, typer.Option("--value", help="The task's value.")] = None,
    likeness: Annotated[str, _fact("--likeness", "new, near, exact, retry, …")] = "",
    at: Annotated[str, _fact("--at", "When: 2026-03-02T10:00:00Z.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Show rules that do not match too.")] = False,
    as_json: AsJson = False,
) -> int:
    """
    Say which rules decided about a call, and which part of their conditions.

    WHAT is a request id; or the text of a refusal, pasted; or a file with a call that was never
    made: some of its facts (`facts: {task.evidence: none}`), or the body an SDK would send.

    \b
    goodgate policy explain req_0199f3a2c1d47e6b8a905d1c2b3a4f50
    goodgate policy explain "$(pbpaste)"                      # the refusal as it was shown
    goodgate policy explain call.json --task PROJ-123 --value 0.1 --policies policies/
    echo 'facts: {call.model: gpt-5}' | goodgate policy explain -

    Exit code 0: permitted. 1: refused.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    desk = Desk.of(context)
    given: dict[str, str | float | None] = {
        "principal.id": principal,
        "principal.team": team,
        "principal.role": role,
        "task.id": task,
        "task.evidence": evidence,
        "task.value": value,
        "likeness.kind": likeness,
    }
    facts = {name: each for name, each in given.items() if each not in ("", None)}
    name, text = _opened(what)
    request_id = _request_id(text) if name == "" else ""
    if not request_id and name:
        request_id = _kept_in(text)
    if request_id:
        if facts or at or route:
            raise WrongUse(f"{request_id} is a recorded call: what it was cannot be said anew")
        found = _recorded(desk, data, request_id)
    else:
        found = _supposed(desk, policies, name, text, facts=facts, route=route, at=at)
    if as_json:
        terminal.as_json(msgspec.to_builtins(found))
    else:
        explained.show(found, every=every)
    return 0 if found.conclusion.permitted else 1


def _opened(what: str) -> tuple[str, str]:
    """Return a file's name and text; no name and the text itself when it is a text pasted."""
    if what != _STDIN and not _is_file(what):
        if _request_id(what):
            return "", what
        raise WrongUse(
            f"{what[:60]!r} is neither a request id (req_ and 32 hex digits), nor a text with one"
            " in it, nor a file"
        )
    try:
        if what == _STDIN:
            raw = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        else:
            with Path(what).open("rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise WrongUse(f"{what} cannot be read: {error.strerror}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise WrongUse(f"{what} is longer than {FILE_BYTES_MAX} bytes: shorten it")
    try:
        return ("standard input" if what == _STDIN else what), raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WrongUse(f"{what} is not UTF-8: convert it") from None


def _is_file(what: str) -> bool:
    try:
        return Path(what).exists()
    except (OSError, ValueError):  # longer than any name may be, or with a zero byte
        return False


def _request_id(text: str) -> str:
    found = _REQUEST_ID.search(text)
    return found[0] if found else ""


def _kept_in(text: str) -> str:
    """Return the request id of a reply kept in a file; none when the file is a call."""
    return "" if '"model"' in text or "facts" in text else _request_id(text)


def _recorded(desk: Desk, data: Path | None, request_id: str) -> "Explanation":
    # Imported here: no other command needs a compiler of conditions.
    from gateway.rehearsal.explanations.explanation import Explanation  # noqa: PLC0415  # as above

    said = desk.asked(data).ask("GET", f"/api/decisions/{request_id}")
    try:
        return msgspec.convert(said, type=Explanation)
    except msgspec.ValidationError as error:
        why = f"the gateway's answer cannot be read ({error}): is it of another version?"
        raise terminal.Unreachable(why) from None


def _supposed(
    desk: Desk,
    policies: Path | None,
    name: str,
    text: str,
    *,
    facts: dict[str, Any],
    route: str,
    at: str,
) -> "Explanation":
    """Return what the policies here make of a call that was never made."""
    from gateway import policy, reports  # noqa: PLC0415  # as above
    from gateway.app import sources  # noqa: PLC0415  # as above
    from gateway.rehearsal.explanations import explanation, request  # noqa: PLC0415  # as above

    now = desk.clock()
    loaded = policy.load(sources.policy_files(policies or desk.settings.policies))
    asked = request.read(name, text, given=facts, route=route, prices=_prices(desk), now=now)
    when = reports.moment_us(at, now) / 1e6 if at else None
    if when is not None:
        asked = request.at(asked, when)
    found = explanation.explain(loaded, asked.facts, reserve=asked.reserve, now=asked.now)
    return msgspec.structs.replace(found, notes=(*asked.notes, *found.notes))


def _prices(desk: Desk) -> "PriceBook":
    """Return the prices of goodgate.yaml, where there is one that can be read here."""
    from gateway import metering, settings  # noqa: PLC0415  # as above
    from gateway.errors import ConfigError  # noqa: PLC0415  # as above

    try:
        return metering.PriceBook(settings.load(desk.settings.config, desk.environ).prices)
    except ConfigError:
        terminal.say("goodgate.yaml cannot be used here: the prices Goodgate ships with count")
        return metering.PriceBook({})
