"""
A foreign usage log, scored: LiteLLM's SpendLogs, a JSON object a line.

What such a log holds is counted by every meter it allows. Its calls have no verified task and no
outcome, so it has no credit, and this says so; `--accepted` names the tasks (as the log's tags
write them) that were accepted, and then says what credit could be at most.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from benchmarks.goodhart import meters
from benchmarks.goodhart.model import Request, text_of
from gateway import wire
from gateway.credit import phi
from gateway.likeness import Observer
from gateway.values import Inbound, Turn

TASK_TAG: Final = "task:"
_SECRET: Final = b"a foreign log is scored with this"
_SCOPE: Final = b"\0" * 16
_SATURATION: Final = Decimal(10)


class Scored(Struct, frozen=True, kw_only=True):
    """What a log comes to."""

    meters: Mapping[str, float]
    with_text: int
    """Calls whose prompts are in the log: only these can be compared."""
    with_task: int
    """Calls whose tags claim a task."""
    credit_max: float | None
    """Of the accepted tasks, each worth 1; None: none was named."""


def scored(path: Path, accepted: Iterable[str] = ()) -> Scored:
    """
    Return what a log comes to.

    Raises:
        ValueError: a line is no JSON object; the message names it.

    """
    rows = list(_rows(path))
    requests = [_request(row) for row in rows]
    told = [each for each in requests if each.messages]
    counted = meters.counted(told)
    counted["raw requests"] = float(len(rows))
    counted["raw tokens"] = float(sum(_tokens(row) for row in rows))
    wanted = set(accepted)
    return Scored(
        meters=counted,
        with_text=len(told),
        with_task=sum(bool(each.task) for each in requests),
        credit_max=_credit(told, wanted) if wanted else None,
    )


def text(found: Scored) -> str:
    """Return it as lines."""
    lines = [f"{name:32} {value:,.0f}" for name, value in found.meters.items()]
    lines.append(f"{'calls with their prompts':32} {found.with_text:,}")
    lines.append(f"{'calls that claim a task':32} {found.with_task:,}")
    if found.credit_max is None:
        lines.append("credit: none, as no call has a verified task and nothing was accepted")
    else:
        lines.append(f"credit, if every claim were true: at most {found.credit_max:.3f}")
    return "\n".join(lines)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.DecodeError:
                said = f"{path}:{number}: this is no JSON object; export SpendLogs as JSONL"
                raise ValueError(said) from None


def _request(row: Mapping[str, Any]) -> Request:
    said = _decoded(row.get("messages")) or _decoded(row.get("proxy_server_request"))
    if isinstance(said, dict):
        said = said.get("messages", [])
    messages = [each for each in said or () if isinstance(each, dict)] if said else []
    return Request(
        principal=str(row.get("user") or row.get("api_key") or ""),
        task=_task(row),
        messages=tuple(messages),
        session=str(row.get("session_id") or ""),
        model=str(row.get("model") or ""),
    )


def _task(row: Mapping[str, Any]) -> str:
    tags = _decoded(row.get("request_tags")) or []
    found = [str(tag) for tag in tags if str(tag).startswith(TASK_TAG)]
    return found[0].removeprefix(TASK_TAG) if found else ""


def _decoded(value: object) -> Any:  # whatever JSON holds
    """Return a column that may hold JSON or a text of it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _tokens(row: Mapping[str, Any]) -> int:
    return int(row.get("total_tokens") or 0)


def _credit(requests: Sequence[Request], accepted: set[str]) -> float:
    """Return the sum of phi over accepted tasks, by the gateway's own units."""
    observer = Observer(_SECRET)
    units: dict[str, set[str]] = {}
    for request in requests:
        if request.task in accepted:
            turn = _turn(request)
            seen = observer.observe(turn, scope=_SCOPE, root=request.task).units
            units.setdefault(request.task, set()).update(seen)
    return sum(float(phi(min(64, len(each)), _SATURATION)) for each in units.values())


def _turn(request: Request) -> Turn:
    said = [{"role": "user", "content": text_of(each)} for each in request.messages[-1:]]
    body = json.dumps({"model": "m", "messages": said}).encode()
    route = wire.ROUTES_BY_PATH["/v1/chat/completions"]
    return wire.parse(Inbound(route=route, path_task="", query=b"", headers={}, body=body)).turn
