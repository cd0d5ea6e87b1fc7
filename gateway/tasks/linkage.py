"""
Grading the tie between a call and a task.

Verified means: the task is in the catalogue, open now, and the principal is a member,
however the task was named. Anything less is kept as a claim that says what is missing;
a guess from a branch stays a guess, right or wrong.
"""

from gateway.tasks.identifier import canonical
from gateway.values import Claim, Evidence, Principal, Task, TaskLink, TaskProblem

GRACE_S = 24 * 3600.0
"""How long a closed task is still served (never verified): a merge must not break the next turn."""


def link(claim: Claim | None, task: Task | None, principal: Principal, now: float) -> TaskLink:
    """
    Return what a call is for; `task` is what the catalogue holds under the claim's id.

    Times are Unix seconds, `now` that of receipt.
    """
    task_id = canonical(claim.text) if claim is not None else ""
    if claim is None or not task_id:
        return TaskLink()
    evidence, problem, lenient = _graded(claim, task, principal, now)
    if task is None:
        return TaskLink(task_id=task_id, evidence=evidence, problem=problem, source=claim.source)
    return TaskLink(
        task_id=task_id,
        root_id=task.root_id or task_id,
        evidence=evidence,
        problem=problem,
        source=claim.source,
        team=task.team,
        value=float(task.value or 0),
        lenient=lenient,
    )


def _graded(
    claim: Claim, task: Task | None, principal: Principal, now: float
) -> tuple[Evidence, TaskProblem, bool]:
    if claim.source == "branch":
        return "inferred", "", False
    if task is None:
        return "claimed", "unknown", False
    if not is_member(principal, task):
        return "claimed", "not_yours", task.stale
    if task.status != "open":
        return "claimed", "closed", task.stale or _closed_lately(task, now)
    if task.stale:
        return "claimed", "stale", True
    return "verified", "", False


def is_member(principal: Principal, task: Task) -> bool:
    """Return whether a task is the principal's to work on; without members or team, no one's."""
    return principal.id in task.members or (task.team != "" and principal.team == task.team)


def _closed_lately(task: Task, now: float) -> bool:
    return task.closed_at is not None and abs(now - task.closed_at) < GRACE_S
