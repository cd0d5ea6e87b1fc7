"""
What Jira Cloud tells, in a signed webhook or in a page of a search with `expand=changelog`.

An issue stands accepted while its status is of the category `done` and its resolution is not one
of those that mean nothing was made of it. Who brings that about closes it, who ends it by moving
it back reopens it, and who ends it by another resolution reverses it. Jira numbers its changes, so
that a change is one event by whichever way it is told.

Sources: developer.atlassian.com/cloud/jira/platform/webhooks (signed admin webhooks, retries) and
developer.atlassian.com/cloud/jira/platform/rest/v3 (issue search, changelog, statuses).
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct

from gateway.tasks.trackers import payload
from gateway.values import Account, Delivery, OutcomeEvent, OutcomeKind, TaskChange

FRESH_S = 15 * 60
"""Atlassian tries again for some minutes, with the identifier and the time of the first try."""

FIELDS = (
    "summary,status,created,updated,resolution,resolutiondate,statuscategorychangedate,"
    "assignee,creator,parent"
)
"""What a search must ask for, besides the field with the value."""

REFUSED = frozenset(
    {"won't do", "won't fix", "wont do", "wont fix", "duplicate", "cannot reproduce"}
    | {"declined", "rejected", "invalid", "not a bug", "incomplete", "abandoned", "obsolete"}
    | {"canceled", "cancelled"}
)
"""Resolutions of what nobody made, in lower case."""

NO_CATEGORIES: Mapping[str, str] = MappingProxyType({})
_CREATED, _UPDATED, _DELETED = "jira:issue_created", "jira:issue_updated", "jira:issue_deleted"
_DONE = "done"
_SAME_MOMENT_S = 5.0
"""How far apart Jira's times of one change may lie."""


class _User(Struct, rename="camel"):
    account_id: str = ""
    name: str = ""
    email_address: str | None = None
    account_type: str = ""


class _Category(Struct):
    key: str


class _Status(Struct):
    id: str
    category: _Category = msgspec.field(name="statusCategory")


class _Resolution(Struct):
    name: str


class _Parent(Struct):
    key: str


class _Fields(Struct):
    summary: str
    status: _Status
    created: payload.Time
    updated: payload.Time
    resolution: _Resolution | None = None
    resolutiondate: payload.Time | None = None
    statuscategorychangedate: payload.Time | None = None
    assignee: _User | None = None
    creator: _User | None = None
    parent: _Parent | None = None


class _Item(Struct):
    field: str
    field_id: str = msgspec.field(name="fieldId", default="")
    before: str | None = msgspec.field(name="from", default=None)
    before_name: str | None = msgspec.field(name="fromString", default=None)


class _Change(Struct):
    id: str
    items: tuple[_Item, ...]


class _History(_Change, kw_only=True):
    created: payload.Time
    author: _User | None = None


class _Histories(Struct):
    histories: tuple[_History, ...]
    total: int = 0


class _Issue(Struct, kw_only=True):
    id: str
    key: str
    fields: Raw
    address: str = msgspec.field(name="self", default="")


class _Found(_Issue, kw_only=True):
    changelog: _Histories


class _Said(Struct):
    timestamp: int
    event: str = msgspec.field(name="webhookEvent")


class _Event(Struct):
    issue: _Issue
    user: _User | None = None
    changelog: _Change | None = None


class _Page(Struct):
    issues: tuple[_Found, ...]


class _Step(Struct, frozen=True):
    """One change of an issue, and when and by whom."""

    id: str
    at: float
    by: Account | None
    items: Mapping[str, _Item]


class _Standing(Struct, frozen=True):
    """How an issue stood at one time, as far as its outcome goes."""

    category: str
    resolution: str
    assignee: Account | None

    @property
    def is_accepted(self) -> bool:
        name = self.resolution.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        return self.category == _DONE and name.strip().casefold() not in REFUSED


class _Known(Struct, frozen=True):
    """An issue as it stands, and what helps to know how it stood."""

    issue: _Issue
    fields: _Fields
    categories: Mapping[str, str]
    value: Decimal | None


def read(
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    secret: bytes,
    previous_secret: bytes = b"",
    now: float,
    value_field: str = "",
    categories: Mapping[str, str] = NO_CATEGORIES,
) -> Delivery:
    """
    Return what a webhook says of an issue; nothing, for events that are not an issue's.

    `value_field` is the id of the field with a task's value (`customfield_10016`), empty when
    there is none; `categories` gives the category of each status by its id (see `statuses`).

    Raises:
        WebhookRefused: it is not signed with either secret, is older than 15 minutes, or a field
            is not as Jira sends it.

    """
    signed = payload.header(headers, b"x-hub-signature")
    payload.check_hex(signed.removeprefix("sha256="), body, (secret, previous_secret))
    delivery_id = payload.header(headers, b"x-atlassian-webhook-identifier")
    said = payload.decode(body, _Said)
    payload.check_fresh(said.timestamp / 1000, now=now, within_s=FRESH_S)
    if said.event == _DELETED:
        gone = _gone(payload.decode(body, _Event).issue, at=said.timestamp / 1000)
        return Delivery(delivery_id=delivery_id, changes=(gone,))
    if said.event not in (_CREATED, _UPDATED):
        return Delivery(delivery_id=delivery_id)
    event = payload.decode(body, _Event)
    known = _know(event.issue, "$.issue.fields", value_field, categories)
    steps = _steps_of_event(event, known)
    valued_by = _setter(steps, value_field)
    if said.event == _CREATED:
        valued_by = valued_by or _account(event.user) or Account()
    return Delivery(
        delivery_id=delivery_id,
        changes=(_change(known, valued_by),),
        outcomes=tuple(_outcomes(known, steps)),
    )


def issues_page(
    body: bytes, *, value_field: str = "", categories: Mapping[str, str] = NO_CATEGORIES
) -> Delivery:
    """
    Return what a reply to `/rest/api/3/search/jql` with `expand=changelog` and `FIELDS` says.

    Raises:
        WebhookRefused: a field is not as Jira sends it.

    """
    changes: list[TaskChange] = []
    outcomes: list[OutcomeEvent] = []
    for index, issue in enumerate(payload.decode(body, _Page).issues):
        known = _know(issue, f"$.issues[{index}].fields", value_field, categories)
        past = sorted(issue.changelog.histories, key=lambda one: (one.created, len(one.id), one.id))
        steps = [_step(one, payload.seconds(one.created), _account(one.author)) for one in past]
        valued_by = _setter(steps, value_field)
        if valued_by is None and issue.changelog.total <= len(past):
            valued_by = _account(known.fields.creator)
        changes.append(_change(known, valued_by or Account()))
        outcomes.extend(_outcomes(known, steps))
    return Delivery(changes=tuple(changes), outcomes=tuple(outcomes))


def statuses(body: bytes) -> dict[str, str]:
    """Return the category of each status by its id, from a reply to `/rest/api/3/status`."""
    return {one.id: one.category.key for one in payload.decode(body, tuple[_Status, ...])}


def _know(issue: _Issue, at: str, value_field: str, categories: Mapping[str, str]) -> _Known:
    value = None
    if value_field:
        raw = payload.decode(issue.fields, dict[str, Raw], at=at).get(value_field)
        value = None if raw is None else payload.amount(raw, at=f"{at}.{value_field}")
    return _Known(
        issue=issue,
        fields=payload.decode(issue.fields, _Fields, at=at),
        categories=categories,
        value=value,
    )


def _steps_of_event(event: _Event, known: _Known) -> list[_Step]:
    if event.changelog is None:
        return []
    return [_step(event.changelog, payload.seconds(known.fields.updated), _account(event.user))]


def _step(change: _Change, at: float, by: Account | None) -> _Step:
    items = {item.field_id or item.field: item for item in change.items}
    return _Step(id=change.id, at=at, by=by, items=items)


def _setter(steps: Sequence[_Step], value_field: str) -> Account | None:
    """Return who last set the value in these steps; nobody known when its setter is not told."""
    for step in reversed(steps):
        if value_field in step.items:
            return step.by or Account()
    return None


def _gone(issue: _Issue, at: float) -> TaskChange:
    return TaskChange(task=issue.key, at=at, status="closed", closed_at=at)


def _change(known: _Known, valued_by: Account | None) -> TaskChange:
    """Return how an issue stands; its value only beside who set it."""
    fields = known.fields
    is_done = fields.status.category.key == _DONE
    closed_at = fields.resolutiondate or fields.statuscategorychangedate
    owner = _account(fields.assignee)
    is_valued = known.value is not None and valued_by is not None
    return TaskChange(
        task=known.issue.key,
        at=payload.seconds(fields.updated),
        title=fields.summary,
        status="closed" if is_done else "open",
        opened_at=payload.seconds(fields.created),
        closed_at=payload.seconds(closed_at) if is_done and closed_at else None,
        parent="" if fields.parent is None else fields.parent.key,
        creator=_account(fields.creator),
        owner=owner,
        members=() if owner is None else (owner,),
        value=known.value if is_valued else None,
        valued_by=valued_by if is_valued else None,
        url=_url(known.issue) or None,
    )


def _outcomes(known: _Known, steps: Sequence[_Step]) -> Iterator[OutcomeEvent]:
    """
    Yield what the steps (oldest first) made of the issue.

    Jira tells how an issue stands now and what each change replaced: its past is unrolled.
    """
    fields = known.fields
    after = _Standing(
        category=fields.status.category.key,
        resolution="" if fields.resolution is None else fields.resolution.name,
        assignee=_account(fields.assignee),
    )
    found: list[OutcomeEvent] = []
    for step in reversed(steps):
        before = _before(after, step, known)
        if before.is_accepted != after.is_accepted:
            found.append(_outcome(known, step, before, after))
        after = before
    yield from reversed(found)


def _before(after: _Standing, step: _Step, known: _Known) -> _Standing:
    resolved, assigned = step.items.get("resolution"), step.items.get("assignee")
    resolution = after.resolution if resolved is None else resolved.before_name or ""
    assignee = after.assignee
    if assigned is not None:
        assignee = Account(handle=assigned.before) if assigned.before else None
    return _Standing(
        category=_category_before(after.category, resolution, step, known),
        resolution=resolution,
        assignee=assignee,
    )


def _category_before(after: str, resolution: str, step: _Step, known: _Known) -> str:
    """Return the category a step began with; Jira names the status it replaced, and no more."""
    status = step.items.get("status")
    if status is None:
        return after
    told = known.categories.get(status.before or "")
    if told:
        return told
    moved = known.fields.statuscategorychangedate
    if moved is not None:
        apart_s = step.at - payload.seconds(moved)
        if apart_s > _SAME_MOMENT_S:
            return after
        if after == _DONE and apart_s >= -_SAME_MOMENT_S:
            return ""
    return _DONE if resolution else ""


def _outcome(known: _Known, step: _Step, before: _Standing, after: _Standing) -> OutcomeEvent:
    issue = known.issue
    kind: OutcomeKind = "reversed" if after.category == _DONE else "reopened"
    return OutcomeEvent(
        event_id=f"{issue.id}:{step.id}",
        kind="closed" if after.is_accepted else kind,
        at=step.at,
        subject=issue.key,
        url=_url(issue),
        # A closing step often hands the issue back to its reporter: the work was done before.
        author=before.assignee or after.assignee,
        reviewers=() if step.by is None else (step.by,),
        tasks=(issue.key,),
        title=known.fields.summary,
    )


def _account(user: _User | None) -> Account | None:
    if user is None:
        return None
    return Account(
        handle=user.account_id or user.name,
        email=user.email_address or "",
        is_bot=user.account_type == "app",
    )


def _url(issue: _Issue) -> str:
    site, rest, _ = issue.address.partition("/rest/")
    return f"{site}/browse/{issue.key}" if rest and site.startswith("https://") else ""
