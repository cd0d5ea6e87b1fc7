"""
A sync with GitLab: issues with their closings and reopenings, and merged requests.

Lists are asked for in the order of change, from the newest that was seen. GitLab lists an issue's
reopenings apart, so each open issue that changed is asked for them.

Sources: docs.gitlab.com, "Issues API", "Merge requests API", "Merge request approvals API",
"Resource state events API", "Pagination" (keyset and offset: `Link`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from gateway.tasks.trackers import gitlab, payload
from gateway.tasks.trackers.paging import Page, Place, Sync, Walk, asked, place
from gateway.values import Account, Approval, Delivery, OutcomeEvent, TaskChange

_LIST: Final = "scope=all&order_by=updated_at&sort=asc&per_page=100"


class _User(Struct):
    username: str = ""


class _Issue(Struct, kw_only=True):
    id: int
    iid: int
    title: str
    state: str
    created_at: payload.Time
    updated_at: payload.Time
    closed_at: payload.Time | None = None
    closed_by: _User | None = None
    author: _User | None = None
    assignees: tuple[_User, ...] = ()
    web_url: str = ""


class _State(Struct):
    state: str
    created_at: payload.Time
    user: _User | None = None


class _Request(Struct, kw_only=True):
    id: int
    iid: int
    title: str
    updated_at: payload.Time
    merged_at: payload.Time | None = None
    merge_user: _User | None = None
    merged_by: _User | None = None
    author: _User | None = None
    description: str | None = None
    source_branch: str = ""
    web_url: str = ""


class _Approver(Struct):
    user: _User


class _Approvals(Struct):
    approved_by: tuple[_Approver, ...] = ()


def sync(project: str, places: Mapping[str, str]) -> Sync:
    """
    Yield the steps of a sync of a project (`acme/web`); `places` are what was kept before.

    Raises:
        WebhookRefused: a page is not as GitLab sends it.

    """
    base = f"/projects/{quote(project, safe='')}"
    yield from _issues(project, base, place(places.get(f"issues {project}", "")))
    yield from _requests(project, base, place(places.get(f"pulls {project}", "")))


def _issues(project: str, base: str, last: Place) -> Sync:
    walk, newest = Walk(f"{base}/issues?{_LIST}{_after(last)}", last), last.at
    while (page := (yield from walk.next())) is not None:
        for issue in payload.decode(page.body, tuple[_Issue, ...]):
            newest = max(newest, payload.seconds(issue.updated_at))
            yield _standing(issue, project)
            if issue.state != "closed":
                states = yield from asked(f"{base}/issues/{issue.iid}/resource_state_events")
                yield _reopenings(issue, project, states)
        yield from walk.kept(f"issues {project}", newest)


def _requests(project: str, base: str, last: Place) -> Sync:
    walk = Walk(f"{base}/merge_requests?state=merged&{_LIST}{_after(last)}", last)
    newest = last.at
    while (page := (yield from walk.next())) is not None:
        for request in payload.decode(page.body, tuple[_Request, ...]):
            newest = max(newest, payload.seconds(request.updated_at))
            said = yield from asked(f"{base}/merge_requests/{request.iid}/approvals")
            yield _approvals(request, project, said)
            yield _merged(request, project)
        yield from walk.kept(f"pulls {project}", newest)


def _after(last: Place) -> str:
    if not last.at:
        return ""
    return f"&updated_after={datetime.fromtimestamp(last.at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _standing(issue: _Issue, project: str) -> Delivery:
    is_closed = issue.state == "closed" and issue.closed_at is not None
    closed_at = payload.seconds(issue.closed_at) if is_closed and issue.closed_at else None
    change = TaskChange(
        task=f"{project}#{issue.iid}",
        at=payload.seconds(issue.updated_at),
        title=issue.title,
        status="closed" if issue.state == "closed" else "open",
        opened_at=payload.seconds(issue.created_at),
        closed_at=closed_at,
        creator=_account(issue.author),
        members=_accounts(issue.assignees),
        url=issue.web_url or None,
    )
    if closed_at is None:
        return Delivery(changes=(change,))
    event = _event(issue, project, "closed", closed_at, issue.closed_by)
    return Delivery(changes=(change,), outcomes=(event,))


def _reopenings(issue: _Issue, project: str, page: Page) -> Delivery:
    states = payload.decode(page.body, tuple[_State, ...])
    return Delivery(
        outcomes=tuple(
            _event(issue, project, each.state, payload.seconds(each.created_at), each.user)
            for each in states
            if each.state in ("closed", "reopened")
        )
    )


def _event(issue: _Issue, project: str, kind: str, at: float, by: _User | None) -> OutcomeEvent:
    subject, workers = f"{project}#{issue.iid}", _accounts(issue.assignees)
    return OutcomeEvent(
        event_id=f"issue:{issue.id}:{kind}:{at:.0f}",
        kind="closed" if kind == "closed" else "reopened",
        at=at,
        subject=subject,
        url=issue.web_url,
        author=workers[0] if len(workers) == 1 else None,
        reviewers=_accounts(() if by is None else (by,)),
        tasks=(subject,),
        title=issue.title,
    )


def _approvals(request: _Request, project: str, page: Page) -> Delivery:
    found = payload.decode(page.body, _Approvals)
    # GitLab names no time here; whoever is listed approves of what was merged.
    at = _merged_at(request)
    subject = f"{project}!{request.iid}"
    people = _accounts(tuple(each.user for each in found.approved_by))
    return Delivery(
        approvals=tuple(Approval(subject=subject, by=each, at=at, stands=True) for each in people)
    )


def _merged(request: _Request, project: str) -> Delivery:
    text = request.description or ""
    reverts = gitlab.REVERTS.search(text)
    by = request.merge_user or request.merged_by
    event = OutcomeEvent(
        event_id=f"merge_request:{request.id}:merged",
        kind="reverted" if reverts else "merged",
        at=_merged_at(request),
        subject=f"{project}!{request.iid}",
        url=request.web_url,
        author=_account(request.author),
        reviewers=_accounts(() if by is None else (by,)),
        title=request.title,
        text=text,
        branch=request.source_branch,
        reverts=f"{reverts[1] or project}!{reverts[2]}" if reverts else "",
    )
    return Delivery(outcomes=(event,))


def _merged_at(request: _Request) -> float:
    return payload.seconds(request.merged_at or request.updated_at)


def _account(user: _User | None) -> Account | None:
    if user is None or not user.username:
        return None
    return Account(handle=user.username, is_bot=gitlab.BOT.fullmatch(user.username) is not None)


def _accounts(users: tuple[_User, ...]) -> tuple[Account, ...]:
    return tuple(found for user in users if (found := _account(user)) is not None)
