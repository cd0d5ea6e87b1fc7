"""
What GitLab tells in a webhook: issues (work items too) and merge requests.

A merge request that is merged is an outcome, and so is an issue that is closed or opened again. One
that GitLab's own button made to revert another (`This reverts merge request !3`) undoes that one.
Whoever approved is remembered until the merge. GitLab gives an author by number alone: the number
is looked up among those the message names, and stands as it is where none has it, so that
`people:` may give it as a handle.

A message is proved by a signing token (`whsec_…`, as Standard Webhooks says) or, by an older
GitLab, by the secret token itself, which shows nothing about the body or the time.

Sources: docs.gitlab.com, "Webhooks" (signing and secret tokens, Idempotency-Key) and "Webhook
events" (issue and merge request events).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import payload, standard
from gateway.values import Account, Approval, Delivery, OutcomeEvent, OutcomeKind, TaskChange

REVERTS: Final = re.compile(
    r"^\s*This reverts merge request (?:([\w./-]+))?!([0-9]{1,9})\b", re.MULTILINE | re.ASCII
)
BOT: Final = re.compile(r"(?:project|group)_[0-9]+_bot(?:_\w+)?|ghost|\w*-bot", re.ASCII)
_HIDDEN: Final = "[REDACTED]"
_APPROVED: Final = frozenset(("approved", "approval"))
_TAKEN_BACK: Final = frozenset(("unapproved", "unapproval"))


class _User(Struct):
    id: int = 0
    username: str = ""
    email: str | None = None


class _Project(Struct):
    path_with_namespace: str


class _Thing(Struct, kw_only=True):
    """An issue or a merge request."""

    id: int
    iid: int
    title: str
    created_at: str
    updated_at: str
    state: str = ""
    action: str = ""
    description: str | None = None
    url: str = ""
    author_id: int | None = None
    closed_at: str | None = None
    source_branch: str = ""


class _Kind(Struct):
    object_kind: str = ""


class _Event(Struct, rename={"thing": "object_attributes"}, kw_only=True):
    user: _User
    project: _Project
    thing: _Thing
    assignees: tuple[_User, ...] = ()
    reviewers: tuple[_User, ...] = ()


def read(
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    secret: bytes,
    previous_secret: bytes = b"",
    now: float,
) -> Delivery:
    """
    Return what a webhook says; nothing, for events that are no issue's and no merge request's.

    Raises:
        WebhookRefused: it is not proved with either secret, it was signed more than 5 minutes
            ago, or a field is not as GitLab sends it.

    """
    delivery_id = _proved(headers, body, (secret, previous_secret), now)
    kind = payload.decode(body, _Kind).object_kind
    if kind in {"issue", "work_item"}:
        return _of_issue(payload.decode(body, _Event), delivery_id)
    if kind == "merge_request":
        return _of_request(payload.decode(body, _Event), delivery_id)
    return Delivery(delivery_id=delivery_id)


def _proved(
    headers: Mapping[bytes, bytes], body: bytes, secrets: tuple[bytes, bytes], now: float
) -> str:
    if headers.get(b"webhook-signature"):
        return standard.prove(headers, body, secrets, now)
    given = payload.header(headers, b"x-gitlab-token")
    payload.check_signed([given], [each.decode("latin-1") for each in secrets if each])
    # Without a signature the id proves nothing; whatever is sent again changes nothing either.
    return headers.get(b"idempotency-key", b"").decode("latin-1")


def _of_issue(said: _Event, delivery_id: str) -> Delivery:
    thing = said.thing
    subject = f"{said.project.path_with_namespace}#{thing.iid}"
    is_closed = thing.state == "closed"
    workers = tuple(map(_account, said.assignees))
    change = TaskChange(
        task=subject,
        at=_seconds(thing.updated_at),
        title=thing.title,
        status="closed" if is_closed else "open",
        opened_at=_seconds(thing.created_at),
        closed_at=_seconds(thing.closed_at) if is_closed and thing.closed_at else None,
        creator=_author(said),
        members=workers,
        url=thing.url or None,
    )
    kinds: dict[str, OutcomeKind] = {"close": "closed", "reopen": "reopened"}
    kind = kinds.get(thing.action)
    if kind is None:
        return Delivery(delivery_id=delivery_id, changes=(change,))
    at = _seconds(thing.closed_at or thing.updated_at) if kind == "closed" else change.at
    event = OutcomeEvent(
        event_id=f"issue:{thing.id}:{kind}:{at:.0f}",
        kind=kind,
        at=at,
        subject=subject,
        url=thing.url,
        author=workers[0] if len(workers) == 1 else None,
        reviewers=(_account(said.user),),
        tasks=(subject,),
        title=thing.title,
    )
    return Delivery(delivery_id=delivery_id, changes=(change,), outcomes=(event,))


def _of_request(said: _Event, delivery_id: str) -> Delivery:
    thing, project = said.thing, said.project.path_with_namespace
    subject, at = f"{project}!{thing.iid}", _seconds(thing.updated_at)
    if thing.action in _APPROVED | _TAKEN_BACK:
        stands = thing.action in _APPROVED
        approval = Approval(subject=subject, by=_account(said.user), at=at, stands=stands)
        return Delivery(delivery_id=delivery_id, approvals=(approval,))
    if thing.action != "merge":
        return Delivery(delivery_id=delivery_id)
    text = thing.description or ""
    reverts = REVERTS.search(text)
    event = OutcomeEvent(
        event_id=f"merge_request:{thing.id}:merged",
        kind="reverted" if reverts else "merged",
        at=at,
        subject=subject,
        url=thing.url,
        author=_author(said),
        reviewers=(_account(said.user),),
        title=thing.title,
        text=text,
        branch=thing.source_branch,
        reverts=f"{reverts[1] or project}!{reverts[2]}" if reverts else "",
    )
    return Delivery(delivery_id=delivery_id, outcomes=(event,))


def _author(said: _Event) -> Account | None:
    """Return who made it, by the name of whoever in the message has that number."""
    number = said.thing.author_id
    if not number:
        return None
    named: Iterable[_User] = (said.user, *said.assignees, *said.reviewers)
    found = (_account(each) for each in named if each.id == number and each.username)
    return next(found, Account(handle=str(number)))


def _account(user: _User) -> Account:
    email = user.email or ""
    return Account(
        handle=user.username,
        email="" if email == _HIDDEN else email,
        is_bot=BOT.fullmatch(user.username) is not None,
    )


def _seconds(text: str) -> float:
    """Return Unix seconds; GitLab writes ISO 8601, or `2013-12-03 17:23:34 UTC`."""
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC") + ("Z" * text.endswith(" UTC")))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise WebhookRefused(
            "a time of the message is none; check that the webhook comes from GitLab and has its"
            " usual form"
        )
    return payload.seconds(moment)
