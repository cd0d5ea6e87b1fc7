"""
What GitHub tells, in a signed webhook or in pages of its REST interface.

A pull request that is merged is an outcome, and so is an issue that is closed as completed or
opened again; one that is closed for another reason closes its task and makes nothing of it. A pull
request that GitHub's own button made to revert another (`Reverts acme/web#3`) undoes that one.
Whoever approved is remembered until the merge, for most people merge what others approved.

An event is known by what happened to what and when, so that it is one whether a webhook or a page
tells it. GitHub signs no time: a message that is sent again changes nothing.

Sources: docs.github.com, "Webhook events and payloads", "Validating webhook deliveries", and REST
API "Issues", "Issue events", "Pulls".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from gateway.tasks.trackers import payload
from gateway.values import Account, Approval, Delivery, OutcomeEvent, OutcomeKind, TaskChange

ISSUES_PATH: Final = "/repos/{project}/issues?state=all&sort=updated&direction=asc&per_page=100"
"""With `&since=` an ISO time: what `issues_page` reads."""
EVENTS_PATH: Final = "/repos/{project}/issues/events?per_page=100"
"""Newest first: what `events_page` reads."""
PULLS_PATH: Final = "/repos/{project}/pulls?state=closed&sort=updated&direction=desc&per_page=100"
"""Newest first: what `merged` reads."""
PULL_PATH: Final = "/repos/{project}/pulls/{number}"
"""What `pull` reads; `/reviews` after it is what `reviews` reads."""

_REVERTS = re.compile(r"^\s*Reverts (?:([\w.-]+/[\w.-]+))?#([0-9]{1,9})\b", re.MULTILINE | re.ASCII)
_ABOVE = re.compile(r"/repos/([\w.-]+/[\w.-]+)/issues/([0-9]{1,9})$", re.ASCII)
_UNMADE = frozenset(("not_planned", "duplicate"))
_GONE = frozenset(("deleted", "transferred"))


class _User(Struct):
    login: str
    type: str = ""


class _Issue(Struct, kw_only=True):
    id: int
    number: int
    title: str
    state: str
    created_at: payload.Time
    updated_at: payload.Time
    closed_at: payload.Time | None = None
    state_reason: str | None = None
    html_url: str = ""
    user: _User | None = None
    assignees: tuple[_User, ...] = ()
    pull_request: dict[str, object] | None = None
    parent_issue_url: str | None = None


class _Repository(Struct):
    full_name: str


class _IssueEvent(Struct):
    action: str
    issue: _Issue
    repository: _Repository
    sender: _User | None = None


class _SubIssue(Struct):
    action: str
    sub_issue: _Issue
    parent_issue: _Issue
    repository: _Repository
    parent_issue_repo: _Repository | None = None
    sub_issue_repo: _Repository | None = None


class _Branch(Struct):
    ref: str


class _Pull(Struct, kw_only=True):
    id: int
    number: int
    title: str
    updated_at: payload.Time
    body: str | None = None
    html_url: str = ""
    user: _User | None = None
    merged_at: payload.Time | None = None
    merged_by: _User | None = None
    head: _Branch | None = None


class _PullEvent(Struct):
    action: str
    pull_request: _Pull
    repository: _Repository


class _Review(Struct, kw_only=True):
    state: str
    user: _User | None = None
    submitted_at: payload.Time | None = None


class _ReviewEvent(Struct):
    action: str
    review: _Review
    pull_request: _Pull
    repository: _Repository


class _Past(Struct, kw_only=True):
    event: str
    created_at: payload.Time
    actor: _User | None = None
    issue: _Issue | None = None


def read(
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    secret: bytes,
    previous_secret: bytes = b"",
    now: float,  # noqa: ARG001 - GitHub signs no time
) -> Delivery:
    """
    Return what a webhook says; nothing, for events that are no issue's and no pull request's.

    Raises:
        WebhookRefused: it is not signed with either secret, or a field is not as GitHub sends it.

    """
    signed = payload.header(headers, b"x-hub-signature-256")
    payload.check_hex(signed.removeprefix("sha256="), body, (secret, previous_secret))
    delivery_id = payload.header(headers, b"x-github-delivery")
    event = payload.header(headers, b"x-github-event")
    if event == "issues":
        return _of_issue(payload.decode(body, _IssueEvent), delivery_id)
    if event == "sub_issues":
        return Delivery(
            delivery_id=delivery_id, changes=_of_parent(payload.decode(body, _SubIssue))
        )
    if event == "pull_request":
        said = payload.decode(body, _PullEvent)
        merged = said.action == "closed" and said.pull_request.merged_at is not None
        project = said.repository.full_name
        outcomes = (_merged(said.pull_request, project),) if merged else ()
        return Delivery(delivery_id=delivery_id, outcomes=outcomes)
    if event == "pull_request_review":
        reviewed = payload.decode(body, _ReviewEvent)
        subject = _subject(reviewed.repository.full_name, reviewed.pull_request.number)
        # A dismissed review is sent with the state `dismissed`.
        return Delivery(
            delivery_id=delivery_id, approvals=tuple(_approvals(subject, (reviewed.review,)))
        )
    return Delivery(delivery_id=delivery_id)


def issues_page(body: bytes, *, project: str) -> Delivery:
    """Return how the issues of a page stand; GitHub puts pull requests among them."""
    issues = payload.decode(body, tuple[_Issue, ...])
    return Delivery(
        changes=tuple(_change(each, project) for each in issues if each.pull_request is None)
    )


def events_page(body: bytes, *, project: str) -> Delivery:
    """Return the closings and reopenings of issues in a page of issue events."""
    found: list[OutcomeEvent] = []
    for past in payload.decode(body, tuple[_Past, ...]):
        issue = past.issue
        if issue is None or issue.pull_request is not None:
            continue
        at = payload.seconds(past.created_at)
        if past.event == "closed" and issue.state_reason not in _UNMADE:
            found.append(_issue_outcome(issue, project, "closed", at, past.actor))
        elif past.event == "reopened":
            found.append(_issue_outcome(issue, project, "reopened", at, past.actor))
    return Delivery(outcomes=tuple(found))


def event_times(body: bytes) -> list[float]:
    """Return when the events of a page happened (Unix seconds), whatever they are."""
    return [payload.seconds(past.created_at) for past in payload.decode(body, tuple[_Past, ...])]


def merged(body: bytes) -> list[tuple[int, float]]:
    """Return number and time of change (Unix seconds) of the merged ones in a page of pulls."""
    pulls = payload.decode(body, tuple[_Pull, ...])
    return [(each.number, payload.seconds(each.updated_at)) for each in pulls if each.merged_at]


def pull(body: bytes, *, project: str) -> Delivery:
    """Return what one pull request came to."""
    found = payload.decode(body, _Pull)
    outcomes = (_merged(found, project),) if found.merged_at is not None else ()
    return Delivery(outcomes=outcomes)


def reviews(body: bytes, *, project: str, number: int) -> Delivery:
    """Return who approves of a pull request, from the list of its reviews (oldest first)."""
    found = payload.decode(body, tuple[_Review, ...])
    return Delivery(approvals=tuple(_approvals(_subject(project, number), found)))


def _of_issue(said: _IssueEvent, delivery_id: str) -> Delivery:
    issue, project = said.issue, said.repository.full_name
    change = _change(issue, project)
    if said.action in _GONE:
        return Delivery(delivery_id=delivery_id, changes=(_gone(change),))
    outcomes: tuple[OutcomeEvent, ...] = ()
    if said.action == "closed" and issue.state_reason not in _UNMADE:
        at = payload.seconds(issue.closed_at or issue.updated_at)
        outcomes = (_issue_outcome(issue, project, "closed", at, said.sender),)
    elif said.action == "reopened":
        at = payload.seconds(issue.updated_at)
        outcomes = (_issue_outcome(issue, project, "reopened", at, said.sender),)
    return Delivery(delivery_id=delivery_id, changes=(change,), outcomes=outcomes)


def _of_parent(said: _SubIssue) -> tuple[TaskChange, ...]:
    below = (said.sub_issue_repo or said.repository).full_name
    above = (said.parent_issue_repo or said.repository).full_name
    is_added = said.action.endswith("_added")
    return (
        TaskChange(
            task=f"{below}#{said.sub_issue.number}",
            at=payload.seconds(said.sub_issue.updated_at),
            parent=f"{above}#{said.parent_issue.number}" if is_added else "",
        ),
    )


def _change(issue: _Issue, project: str) -> TaskChange:
    parent = _ABOVE.search(issue.parent_issue_url or "")
    is_closed = issue.state == "closed"
    return TaskChange(
        task=f"{project}#{issue.number}",
        at=payload.seconds(issue.updated_at),
        title=issue.title,
        status="closed" if is_closed else "open",
        opened_at=payload.seconds(issue.created_at),
        closed_at=payload.seconds(issue.closed_at) if is_closed and issue.closed_at else None,
        parent=f"{parent[1]}#{parent[2]}" if parent else None,
        creator=_account(issue.user),
        members=_accounts(issue.assignees),
        url=issue.html_url or None,
    )


def _gone(change: TaskChange) -> TaskChange:
    return TaskChange(task=change.task, at=change.at, status="closed")


def _issue_outcome(
    issue: _Issue, project: str, kind: OutcomeKind, at: float, by: _User | None
) -> OutcomeEvent:
    subject = f"{project}#{issue.number}"
    workers = _accounts(issue.assignees)
    closer = _account(by)
    return OutcomeEvent(
        event_id=f"issue:{issue.id}:{kind}:{at:.0f}",
        kind=kind,
        at=at,
        subject=subject,
        url=issue.html_url,
        author=workers[0] if len(workers) == 1 else None,
        reviewers=() if closer is None else (closer,),
        tasks=(subject,),
        title=issue.title,
    )


def _merged(found: _Pull, project: str) -> OutcomeEvent:
    reverts = _REVERTS.search(found.body or "")
    merger = _account(found.merged_by)
    return OutcomeEvent(
        event_id=f"pull:{found.id}:merged",
        kind="reverted" if reverts else "merged",
        at=payload.seconds(found.merged_at or found.updated_at),
        subject=_subject(project, found.number),
        url=found.html_url,
        author=_account(found.user),
        reviewers=() if merger is None else (merger,),
        title=found.title,
        text=found.body or "",
        branch=found.head.ref if found.head is not None else "",
        reverts=_subject(reverts[1] or project, int(reverts[2])) if reverts else "",
    )


def _approvals(subject: str, found: tuple[_Review, ...]) -> Iterator[Approval]:
    for review in found:
        by, state = _account(review.user), review.state.lower()
        if by is None or review.submitted_at is None or state == "commented":
            continue
        at = payload.seconds(review.submitted_at)
        yield Approval(subject=subject, by=by, at=at, stands=state == "approved")


def _subject(project: str, number: int) -> str:
    return f"{project}!{number}"


def _account(user: _User | None) -> Account | None:
    if user is None:
        return None
    is_bot = user.type == "Bot" or user.login.endswith("[bot]")
    return Account(handle=user.login, is_bot=is_bot)


def _accounts(users: tuple[_User, ...]) -> tuple[Account, ...]:
    return tuple(found for user in users if (found := _account(user)) is not None)
