"""
`goodgate doctor`: everything between this machine and an answered call, looked at.

Each check says ok, warn or fail, and with the last two what to do about it. A check that
cannot be made because an earlier one failed is left out: one cause, one line.
"""

import email.utils
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeAlias, cast

from msgspec import Struct

from gateway import __version__
from gateway.cli import terminal
from gateway.cli.remote import Answer, Remote
from gateway.cli.terminal import WrongUse
from gateway.errors import GatewayError

State: TypeAlias = Literal["ok", "warn", "fail"]
SKEW_S_MAX = 30.0
PRICES_DAYS_MAX = 120
_OK = 200


class Line(Struct, frozen=True, kw_only=True):
    """What one check found."""

    check: str
    state: State
    said: str


def examine(remote: Remote, clock: Callable[[], float]) -> list[Line]:
    """Return what every check found, in the order in which a call would meet it."""
    return list(_examine(remote, clock))


def show(lines: Sequence[Line]) -> None:
    """Print a line for each check: on a terminal the state is in colour."""
    colour = sys.stdout.isatty()
    for line in lines:
        mark = f"{line.state:<4}"
        if colour:
            mark = f"\x1b[{_COLOURS[line.state]}m{mark}\x1b[0m"
        print(f"{mark}  {line.check:<9}  {terminal.plain(line.said)}")


def _examine(remote: Remote, clock: Callable[[], float]) -> Iterator[Line]:
    try:
        live = remote.fetch("GET", "/health/live")
    except GatewayError as error:
        yield _line("reach", "fail", str(error))
        return
    if live.status != _OK:
        yield _line("reach", "fail", f"{remote.url} answers {live.status}: is it the gateway?")
        return
    yield _line("reach", "ok", remote.url)
    ready = remote.fetch("GET", "/health/ready")
    yield _ready(ready)
    yield _store(_inside(ready.fields, "store"))
    yield _skew(live, clock())
    try:
        who = remote.ask("GET", "/api/whoami")
    except (GatewayError, WrongUse) as error:
        yield _line("key", "fail", str(error))
        return
    yield _key(who)
    yield _task(who)
    yield _models(remote)
    yield _policy(who)
    yield from _reload(who)
    yield _prices(who, clock())
    yield _version(who)


def _line(check: str, state: State, said: str) -> Line:
    return Line(check=check, state=state, said=said)


def _ready(answer: Answer) -> Line:
    if answer.status != _OK:
        return _line("ready", "fail", f"not ready ({_why_not(answer)}): see the server's log")
    error = str(_inside(answer.fields, "reload").get("error") or "")
    if error:
        return _line("ready", "warn", f"the last reload was refused: {error}")
    return _line("ready", "ok", "it takes calls")


def _store(store: Mapping[str, Any]) -> Line:
    if store.get("kind") != "redis":
        return _line("store", "ok", "quotas and likeness in this gateway's memory")
    count = store.get("replicas")
    if not store.get("is_shared"):
        share = "the limits alone" if count == 1 else f"its share of the limits, one of {count}"
        reason = store.get("reason") or "away"
        return _line("store", "warn", f"Redis is away ({reason}): this gateway enforces {share}")
    shared = "used by this gateway alone" if count == 1 else f"shared by {count} replicas"
    return _line("store", "ok", f"Redis, {shared}")


def _why_not(answer: Answer) -> str:
    parts = _inside(answer.fields, "ledger").items()
    return "; ".join(f"ledger {name}: {value}" for name, value in parts if value) or str(
        answer.status
    )


def _inside(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the fields of a part of a reply; none where there is no such part."""
    part = fields.get(name)
    return cast("dict[str, Any]", part) if isinstance(part, dict) else {}


def _skew(answer: Answer, now: float) -> Line:
    try:
        theirs = email.utils.parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return _line("clock", "warn", "the gateway does not say what time it is")
    skew_s = now - theirs
    if abs(skew_s) > SKEW_S_MAX:
        ahead = "ahead of" if skew_s > 0 else "behind"
        said = f"this clock is {abs(skew_s):.0f} s {ahead} the gateway's: set it by NTP"
        return _line("clock", "warn", said)
    return _line("clock", "ok", "within a second or two" if abs(skew_s) < 3 else f"{skew_s:+.0f} s")  # noqa: PLR2004  # the Date header has whole seconds


def _key(who: Mapping[str, Any]) -> Line:
    until = f", until {who['expires_at']}" if who.get("expires_at") else ""
    said = f"{who['principal']} of {who['team']}, {who['role']} (key {who['key_id']}{until})"
    return _line("key", "ok", said)


def _task(who: Mapping[str, Any]) -> Line:
    task = who.get("active_task")
    if task is None:
        said = "none is active: `goodgate task start ID`, or name one in each call"
        return _line("task", "warn", said)
    if task["problem"]:
        return _line("task", "warn" if task["usable"] else "fail", str(task["said"]))
    return _line("task", "ok", f"{task['id']} {task['title']}")


def _models(remote: Remote) -> Line:
    answer = remote.fetch("GET", "/v1/models")
    try:
        names = [str(model["id"]) for model in answer.fields["data"]]
    except (KeyError, TypeError):
        return _line("models", "fail", f"GET /v1/models answers {answer.status} and no list")
    if not names:
        said = "none by name; a catch-all in goodgate.yaml may still serve what you ask for"
        return _line("models", "warn", said)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004  # a line's worth
    return _line("models", "ok", ", ".join(names[:5]) + more)


def _policy(who: Mapping[str, Any]) -> Line:
    return _line("policy", "ok" if who.get("policy") else "warn", str(who.get("policy") or "none"))


def _reload(who: Mapping[str, Any]) -> Iterator[Line]:
    """Yield what the last reload stumbled over, where the key is an admin's."""
    first, *others = str(who.get("reload_error") or "").splitlines() or [""]
    if first:
        more = f" (and {len(others)} more: `goodgate policy check`)" if others else ""
        yield _line("reload", "warn", f"{first}{more}")


def _prices(who: Mapping[str, Any], now: float) -> Line:
    dated = str(who.get("prices_as_of") or "")
    try:
        days = (datetime.fromtimestamp(now, tz=UTC).date() - date.fromisoformat(dated)).days
    except ValueError:
        return _line("prices", "warn", "the price table has no date")
    if days > PRICES_DAYS_MAX:
        said = f"of {dated}, {days} days old: update Goodgate, or override them in goodgate.yaml"
        return _line("prices", "warn", said)
    return _line("prices", "ok", f"of {dated}")


def _version(who: Mapping[str, Any]) -> Line:
    theirs = str(who.get("version", ""))
    if theirs != __version__:
        said = f"the gateway is {theirs}, this command is {__version__}: use one version"
        return _line("version", "warn", said)
    return _line("version", "ok", theirs)


_COLOURS: Mapping[State, int] = {"ok": 32, "warn": 33, "fail": 31}
