"""
What Linear tells, in a signed webhook or in a page of its GraphQL interface.

An issue stands accepted while its state is of the type `completed`. Who brings that about closes
it, and who ends it reopens it; `canceled` closes a task and makes nothing of it. Linear does not
number the changes of an issue in its webhooks, so a completion is known by the second in which it
happened (`completedAt`), and a reopening by the completion it undoes.

Sources: linear.app/developers/webhooks (signature, 60 seconds, `updatedFrom`) and the types Issue,
IssueHistory and User of Linear's public GraphQL schema.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.tasks.trackers import payload
from gateway.values import Account, Delivery, OutcomeEvent, TaskChange

FRESH_S = 60

ISSUES_QUERY = """
query Goodgate($after: String, $since: DateTimeOrDuration!, $team: String!) {
  issues(
    first: 20, after: $after, orderBy: updatedAt
    filter: {updatedAt: {gte: $since}, team: {key: {eq: $team}}}
  ) {
    nodes {
      id identifier title url createdAt updatedAt completedAt canceledAt estimate
      state { type }
      assignee { id email app }
      creator { id email app }
      botActor { id }
      parent { identifier }
      history(first: 50) {
        nodes {
          createdAt
          actor { id email app }
          botActor { id }
          fromState { type }
          toState { type }
          fromAssignee { id email app }
          toAssignee { id email app }
          fromEstimate
          toEstimate
        }
        pageInfo { hasNextPage }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
"""Asks for what `issues_page` reads; 20 at a time stay below Linear's limit of complexity."""

_COMPLETED = "completed"
_ENDED = (_COMPLETED, "canceled", "duplicate")
_BOTS = ".linear.app"
"""Applications are users of Linear, with e-mails such as `…@oauthapp.linear.app`."""


class _User(Struct):
    id: str
    email: str | None = None
    type: str = "user"
    app: bool = False


class _Bot(Struct):
    id: str | None = None


class _State(Struct):
    type: str


class _Parent(Struct):
    identifier: str


class _Issue(Struct, rename="camel", kw_only=True):
    id: str
    identifier: str
    title: str
    created_at: payload.Time
    updated_at: payload.Time
    state: _State
    completed_at: payload.Time | None = None
    canceled_at: payload.Time | None = None
    estimate: Raw = Raw(b"null")
    assignee: _User | None = None
    creator: _User | None = None
    creator_id: str | None = None
    bot_actor: _Bot | None = None
    parent: _Parent | None = None
    parent_id: str | None = None
    url: str = ""


class _Past(Struct, rename="camel"):
    """One change of an issue, as its history keeps it."""

    created_at: payload.Time
    actor: _User | None = None
    bot_actor: _Bot | None = None
    from_state: _State | None = None
    to_state: _State | None = None
    from_assignee: _User | None = None
    to_assignee: _User | None = None
    from_estimate: float | None = None
    to_estimate: float | None = None


class _More(Struct, rename="camel"):
    has_next_page: bool


class _History(Struct, rename="camel"):
    nodes: tuple[_Past, ...]
    page_info: _More


class _Found(_Issue, kw_only=True):
    history: _History


class _Issues(Struct):
    nodes: tuple[_Found, ...]


class _Reply(Struct):
    issues: _Issues


class _Page(Struct):
    data: _Reply


class _Said(Struct, rename="camel"):
    webhook_timestamp: int
    action: str
    type: str


class _Before(Struct, rename="camel"):
    """What an update replaced; a field that it left alone is not there."""

    completed_at: payload.Time | UnsetType | None = UNSET
    assignee_id: str | None = None
    estimate: Raw | UnsetType = UNSET


class _Event(Struct, rename="camel"):
    data: _Issue
    created_at: payload.Time
    actor: _User | None = None
    updated_from: _Before | None = None


def read(
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    secret: bytes,
    previous_secret: bytes = b"",
    now: float,
) -> Delivery:
    """
    Return what a webhook says of an issue; nothing, for events that are not an issue's.

    Raises:
        WebhookRefused: it is not signed with either secret, is older than 60 seconds, or a field
            is not as Linear sends it.

    """
    signed = payload.header(headers, b"linear-signature")
    payload.check_hex(signed, body, (secret, previous_secret))
    delivery_id = payload.header(headers, b"linear-delivery")
    said = payload.decode(body, _Said)
    payload.check_fresh(said.webhook_timestamp / 1000, now=now, within_s=FRESH_S)
    if said.type != "Issue" or said.action not in ("create", "update", "remove"):
        return Delivery(delivery_id=delivery_id)
    event = payload.decode(body, _Event)
    if said.action == "remove":
        at = payload.seconds(event.created_at)
        gone = TaskChange(task=event.data.identifier, at=at, status="closed", closed_at=at)
        return Delivery(delivery_id=delivery_id, changes=(gone,))
    before = event.updated_from or _Before()
    valued_by = None
    if said.action == "create" or before.estimate is not UNSET:
        valued_by = _account(event.actor) or Account()
    return Delivery(
        delivery_id=delivery_id,
        changes=(_change(event.data, valued_by, at="$.data"),),
        outcomes=tuple(_outcomes_of_update(event, before) if said.action == "update" else ()),
    )


def issues_page(body: bytes) -> Delivery:
    """
    Return what a reply to `ISSUES_QUERY` says.

    Raises:
        WebhookRefused: a field is not as Linear sends it, or the reply has errors for data.

    """
    changes: list[TaskChange] = []
    outcomes: list[OutcomeEvent] = []
    for index, issue in enumerate(payload.decode(body, _Page).data.issues.nodes):
        past = sorted(issue.history.nodes, key=lambda one: one.created_at)
        valued_by = _setter(issue, past) or Account()
        changes.append(_change(issue, valued_by, at=f"$.data.issues.nodes[{index}]"))
        outcomes.extend(_outcomes_of_history(issue, past))
    return Delivery(changes=tuple(changes), outcomes=tuple(outcomes))


def _change(issue: _Issue, valued_by: Account | None, at: str) -> TaskChange:
    """Return how an issue stands; its value only beside who set it."""
    is_ended = issue.state.type in _ENDED
    ended_at = issue.completed_at or issue.canceled_at
    owner = _account(issue.assignee)
    value: Decimal | None = None
    if valued_by is not None:
        value = payload.amount(issue.estimate, at=f"{at}.estimate")
    return TaskChange(
        task=issue.identifier,
        at=payload.seconds(issue.updated_at),
        title=issue.title,
        status="closed" if is_ended else "open",
        opened_at=payload.seconds(issue.created_at),
        closed_at=payload.seconds(ended_at) if is_ended and ended_at else None,
        parent=_parent(issue),
        creator=_creator(issue),
        owner=owner,
        members=() if owner is None else (owner,),
        value=value,
        valued_by=None if value is None else valued_by,
        url=issue.url or None,
    )


def _parent(issue: _Issue) -> str | None:
    """Return its parent's name; a webhook may tell a parent's inner id alone, which names none."""
    if issue.parent is not None:
        return issue.parent.identifier
    return "" if issue.parent_id is None else None


def _creator(issue: _Issue) -> Account | None:
    known = _account(issue.creator)
    if issue.bot_actor is not None and known is None:
        return Account(handle=issue.bot_actor.id or "", is_bot=True)
    if known is None and issue.creator_id:
        return Account(handle=issue.creator_id)
    return known


def _account(user: _User | None) -> Account | None:
    if user is None:
        return None
    email = user.email or ""
    is_bot = user.app or user.type != "user" or email.endswith(_BOTS)
    return Account(handle=user.id, email=email, is_bot=is_bot)


def _actor(past: _Past) -> Account | None:
    if past.bot_actor is not None:
        return Account(handle=past.bot_actor.id or "", is_bot=True)
    return _account(past.actor)


def _setter(issue: _Found, past: Sequence[_Past]) -> Account | None:
    """Return who last set the estimate; its creator where nobody did since."""
    for one in reversed(past):
        if one.from_estimate != one.to_estimate:
            return _actor(one)
    return None if issue.history.page_info.has_next_page else _creator(issue)


def _outcomes_of_update(event: _Event, before: _Before) -> Iterator[OutcomeEvent]:
    issue, undone = event.data, before.completed_at
    done = issue.completed_at if issue.state.type == _COMPLETED else None
    if done is not None and undone is None:
        handed_on = Account(handle=before.assignee_id) if before.assignee_id else None
        author = handed_on or _account(issue.assignee)
        yield _closed(issue, done, author, _account(event.actor))
    elif done is None and isinstance(undone, datetime):
        yield _reopened(issue, undone, issue.updated_at, _account(event.actor))


def _outcomes_of_history(issue: _Issue, past: Sequence[_Past]) -> Iterator[OutcomeEvent]:
    authors = _authors(issue, past)
    turns = [index for index, one in enumerate(past) if _is_turn(one)]
    done: datetime | None = None
    for index in turns:
        one = past[index]
        if one.to_state is not None and one.to_state.type == _COMPLETED:
            done = one.created_at
            if index == turns[-1] and issue.completed_at is not None:
                done = issue.completed_at
            yield _closed(issue, done, authors[index], _actor(one))
        else:
            yield _reopened(issue, done or one.created_at, one.created_at, _actor(one))


def _is_turn(past: _Past) -> bool:
    """Return whether it made the issue complete, or made it so no more."""
    if past.from_state is None or past.to_state is None:
        return False
    return (past.from_state.type == _COMPLETED) != (past.to_state.type == _COMPLETED)


def _authors(issue: _Issue, past: Sequence[_Past]) -> list[Account | None]:
    """Return whose the issue was at each change; where the change hands it on, whose it was."""
    found: list[Account | None] = []
    owner = _account(issue.assignee)
    for one in reversed(past):
        after = owner
        if one.from_assignee is not None or one.to_assignee is not None:
            owner = _account(one.from_assignee)
        found.append(owner or after)
    return found[::-1]


def _closed(
    issue: _Issue, done: datetime, author: Account | None, by: Account | None
) -> OutcomeEvent:
    at = payload.seconds(done)
    return OutcomeEvent(
        event_id=f"{issue.id}:completed:{int(at)}",
        kind="closed",
        at=at,
        subject=issue.identifier,
        url=issue.url,
        author=author,
        reviewers=() if by is None else (by,),
        tasks=(issue.identifier,),
        title=issue.title,
    )


def _reopened(issue: _Issue, undone: datetime, at: datetime, by: Account | None) -> OutcomeEvent:
    return OutcomeEvent(
        event_id=f"{issue.id}:reopened:{int(payload.seconds(undone))}",
        kind="reopened",
        at=payload.seconds(at),
        subject=issue.identifier,
        url=issue.url,
        author=_account(issue.assignee),
        reviewers=() if by is None else (by,),
        tasks=(issue.identifier,),
        title=issue.title,
    )
