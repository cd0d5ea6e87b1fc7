"""
The situation a test case describes: every fact of a call, though only a few are named.

What is not named is ordinary: a metered chat call of a developer for a verified task, at ten
on a Monday. What must follow from a fact that is named does: a call without evidence has no
task, one with a problem is only claimed, and the time says which weekday it is.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.policy.facts import CLUSTER, KIND, NOTHING_USED, WEEKDAYS
from gateway.values import EVIDENCE_RANK, Facts

AT: Final = 1_772_445_600.0
"""Monday, 2026-03-02, 10:00 UTC."""

ORDINARY: Final[Mapping[str, str | int | float | bool]] = {
    "call.model": "gpt-5",
    "call.route": "chat",
    "call.stream": False,
    "call.metered": True,
    "call.tool_results_only": False,
    "call.client": "openai",
    "call.choices": 1,
    "call.input_tokens": 1_000,
    "call.output_tokens_max": 1_000,
    "call.cost_usd_max": 0.01,
    "principal.id": "alice",
    "principal.team": "payments",
    "principal.role": "developer",
    "principal.key_id": "key-of-alice",
    "task.id": "PROJ-123",
    "task.root": "PROJ-100",
    "task.evidence": "verified",
    "task.evidence_rank": 3,
    "task.problem": "",
    "task.source": "header",
    "task.team": "payments",
    "task.value": 1.0,
    "task.lenient": False,
    KIND: "new",
    CLUSTER: "a",
}
"""What a fact is when no case names it."""

_NO_TASK: Final[Facts] = {
    "task.id": "",
    "task.root": "",
    "task.source": "",
    "task.team": "",
    "task.value": 0.0,
}
_NOT_IN_THE_CATALOGUE: Final[Facts] = {"task.root": "", "task.team": "", "task.value": 0.0}


def whole(given: Facts, now: float) -> Facts:
    """Return every declared fact of a call at `now` (Unix seconds), given those that are named."""
    return {**ORDINARY, **NOTHING_USED, **follows(given, now), **given}


def follows(given: Facts, now: float) -> Facts:
    """Return the facts that follow from those given, and from the time."""
    found: Facts = calendar(now)
    if given.get("call.route") == "count_tokens":
        found["call.metered"] = False
    if given.get(KIND) in ("short", "continuation"):
        found[CLUSTER] = ""
    evidence = _evidence(given)
    found["task.evidence"] = evidence
    found["task.evidence_rank"] = EVIDENCE_RANK[evidence]
    if evidence == "none":
        found |= _NO_TASK
    elif evidence == "inferred":
        found["task.source"] = "branch"
    if given.get("task.problem") == "unknown":
        found |= _NOT_IN_THE_CATALOGUE
    return found


def calendar(now: float) -> Facts:
    """Return the facts of `now.*`."""
    at = datetime.fromtimestamp(now, UTC)
    return {
        "now.year": at.year,
        "now.month": at.month,
        "now.day": at.day,
        "now.weekday": WEEKDAYS[at.weekday()],
        "now.hour": at.hour,
        "now.minute": at.minute,
    }


def _evidence(given: Facts) -> str:
    if "task.evidence" in given:
        return str(given["task.evidence"])
    ranked = [name for name, rank in _RANKED if rank == given.get("task.evidence_rank")]
    if ranked:
        return ranked[0]
    return "claimed" if given.get("task.problem") else str(ORDINARY["task.evidence"])


_RANKED: Final = tuple(EVIDENCE_RANK.items())
