"""
What anything else tells: Goodgate's own messages, signed as Standard Webhooks says.

Three headers (github.com/standard-webhooks, specification 1.0): `webhook-id`, the same for every
try; `webhook-timestamp`, Unix seconds, taken for 5 minutes; `webhook-signature`, one or more of
`v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`, with a space between. The secret is
`whsec_` and base64, or, without that prefix, the bytes as they are.

The body is JSON with `type`, `data` and, unread, `timestamp`. A `type` that does not begin with
`goodgate.` is answered and changes nothing. All times are Unix seconds, by the sender's clock.

`"type": "goodgate.outcome"`: something came of a task, or was undone.

    event_id   required; the same however often it is told
    kind       required; merged, closed, accepted, reverted, reopened or reversed
    at         required; when it happened, not later than 5 minutes from now
    subject    required; the thing it happened to: PAY-12, acme/web!3
    tasks      the tasks it is for; without them `title`, `text`, `branch` and `commits` are read
    author     an account: who made it
    reviewers  accounts: who approved, merged or closed it
    url, title, text, branch, commits
    reverts    the subject that this one undoes

`"type": "goodgate.task"`: how a task stands. A field left out changes nothing.

    task       required: PAY-12, acme/web#12
    at         required; when this was so: what was so later is never undone by it
    title, url, team
    status     open or closed
    opened_at, closed_at
    parent     another task; empty: it has none
    creator, owner, valued_by
               an account
    members, reviewers
               accounts
    value      not negative, a number or a decimal in quotes

An account is `{"handle": "ann", "email": "ann@example.com", "is_bot": false}`, each part optional.
A field that is not among these is refused: misspelt, it would be lost.
"""

import binascii
import difflib
import math
import re
from collections.abc import Collection, Mapping

import msgspec
from msgspec import Raw, Struct

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import payload, proof
from gateway.values import Account, Delivery, OutcomeEvent, TaskChange

FRESH_S = 5 * 60
SECRET_PREFIX = b"whsec_"

_OUTCOME, _TASK = "goodgate.outcome", "goodgate.task"
_OURS = "goodgate."
_SEEN_NAME = re.compile(r"[A-Za-z_]{1,40}")
"""Names that may be shown: one with digits might be a secret in the wrong place."""


class _Envelope(Struct):
    type: str
    data: Raw
    timestamp: Raw = Raw(b"null")


def read(
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    secret: bytes,
    previous_secret: bytes = b"",
    now: float,
) -> Delivery:
    """
    Return what a message says of a task, or of what came of one.

    Raises:
        WebhookRefused: it is not signed with either secret, is older than 5 minutes, or a field
            is unknown, missing, or not what it must be.

    """
    delivery_id = prove(headers, body, (secret, previous_secret), now)
    said = payload.decode(body, _Envelope)
    if said.type == _OUTCOME:
        _check_names(body, _names(_Envelope), "$")
        outcome = _outcome(said.data, now)
        return Delivery(delivery_id=delivery_id, outcomes=(outcome,))
    if said.type == _TASK:
        _check_names(body, _names(_Envelope), "$")
        change = _change(said.data, now)
        return Delivery(delivery_id=delivery_id, changes=(change,))
    if said.type.startswith(_OURS):
        raise WebhookRefused(f"$.type is none of ours; it is either {_OUTCOME} or {_TASK}")
    return Delivery(delivery_id=delivery_id)


def prove(
    headers: Mapping[bytes, bytes], body: bytes, secrets: tuple[bytes, bytes], now: float
) -> str:
    """Return a message's id when it is signed with a secret, and new enough; WebhookRefused."""
    delivery_id = payload.header(headers, b"webhook-id")
    sent_at = payload.header(headers, b"webhook-timestamp")
    signatures = payload.header(headers, b"webhook-signature").split()
    message = f"{delivery_id}.{sent_at}.".encode("latin-1") + body
    payload.check_signed(
        [one.removeprefix("v1,") for one in signatures if one.startswith("v1,")],
        [proof.hmac_base64(_key(one), message) for one in secrets if one],
    )
    if not sent_at.isdecimal():
        raise WebhookRefused("webhook-timestamp is no number; send Unix seconds")
    payload.check_fresh(float(sent_at[:20]), now=now, within_s=FRESH_S)
    return delivery_id


def _key(secret: bytes) -> bytes:
    if not secret.startswith(SECRET_PREFIX):
        return secret
    encoded = secret.removeprefix(SECRET_PREFIX).rstrip(b"=")
    try:
        key = binascii.a2b_base64(encoded + b"=" * (-len(encoded) % 4), strict_mode=True)
    except ValueError:
        key = b""
    if not key:
        raise WebhookRefused("the webhook's secret is whsec_ and no base64; set it as it was given")
    return key


def _outcome(data: Raw, now: float) -> OutcomeEvent:
    _check_names(data, _names(OutcomeEvent), "$.data")
    _check_accounts(data, ("author", "reviewers"))
    event = payload.decode(data, OutcomeEvent, at="$.data")
    _check_time(event.at, now, "$.data.at")
    _check_filled(event.event_id, "$.data.event_id")
    _check_filled(event.subject, "$.data.subject")
    return event


def _change(data: Raw, now: float) -> TaskChange:
    _check_names(data, _names(TaskChange), "$.data")
    _check_accounts(data, ("creator", "owner", "members", "reviewers", "valued_by"))
    change = payload.decode(data, TaskChange, at="$.data")
    _check_time(change.at, now, "$.data.at")
    _check_filled(change.task, "$.data.task")
    for name, time in (("opened_at", change.opened_at), ("closed_at", change.closed_at)):
        if time is not None:
            _check_time(time, math.inf, f"$.data.{name}")
    if change.value is not None:
        payload.check_amount(change.value, at="$.data.value")
    return change


def _names(form: type[Struct]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(form))


def _check_names(body: bytes | Raw, known: Collection[str], at: str) -> None:
    """Refuse a field that would be passed over, and name the one that was meant."""
    for name in payload.decode(body, dict[str, Raw], at=at):
        if name in known:
            continue
        shown = f"the field {name}" if _SEEN_NAME.fullmatch(name) else "a field"
        near = difflib.get_close_matches(name[:40], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(known)}"
        raise WebhookRefused(f"{shown} of {at} is unknown; {hint}")


def _check_accounts(data: Raw, fields: Collection[str]) -> None:
    """Refuse unknown fields in accounts; what is no account at all is refused when it is read."""
    told = payload.decode(data, dict[str, Raw], at="$.data")
    for field in fields:
        raw = told.get(field, Raw(b"null"))
        at = f"$.data.{field}"
        if bytes(raw)[:1] == b"{":
            _check_names(raw, _names(Account), at)
        elif bytes(raw)[:1] == b"[":
            for index, one in enumerate(payload.decode(raw, list[dict[str, Raw]], at=at)):
                _check_names(msgspec.json.encode(one), _names(Account), f"{at}[{index}]")


def _check_time(at_s: float, latest_s: float, at: str) -> None:
    if not 0 < at_s <= min(latest_s + FRESH_S, payload.SECONDS_MAX):
        raise WebhookRefused(f"{at} is no time that was; send Unix seconds, in UTC")


def _check_filled(text: str, at: str) -> None:
    if not text:
        raise WebhookRefused(f"{at} is empty; say which it is")
