"""
What a call says it is for.

Explicit names, strongest first: a signed task credential, the path, `X-Task-Id`, the
body, the spellings of other gateways. They must agree. Where there is none, the session
a call belongs to and the branch it is on are what is left to go by.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from gateway.errors import InvalidRequest, TaskConflict
from gateway.tasks import foreign
from gateway.tasks.credential import PREFIX, TaskCredentials
from gateway.tasks.identifier import EXAMPLE, TEXT_LENGTH_MAX, canonical, in_branch
from gateway.values import Call, Claim, TaskSource

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SESSION = re.compile(r"[A-Za-z0-9_-]{8,128}")

# Claude Code, Codex, opencode; then whatever another vendor calls its own.
_SESSION_HEADERS = (b"x-claude-code-session-id", b"session-id", b"x-session-id")
_VENDOR_SESSION = b"-session-id"
_PARENT_SESSION = b"x-parent-session-id"

_WHERE: Mapping[TaskSource, str] = {
    "credential": "the task credential",
    "path": "the path",
    "header": "X-Task-Id",
    "body": "the body's `metadata.task_id` or `task`",
    "foreign": "a metadata header",
}


class Claims(Struct, frozen=True, kw_only=True):
    """Every naming of a task by one call."""

    explicit: tuple[Claim, ...] = ()
    """Strongest first; all of them name one task."""
    session: str = ""
    """The session the call belongs to; empty when it says none."""
    branch: str = ""
    """The task its branch seems to be named after; a guess."""


def read_claims(
    call: Call, *, key_id: str, task_credential: str, credentials: TaskCredentials, now: float
) -> Claims:
    """
    Return what a call claims; `task_credential` is what followed its key.

    Raises:
        TaskConflict: it names two different tasks.
        InvalidRequest: a name can be no task's, or a task credential does not hold.

    """
    headers = call.inbound.headers
    signed = [task_credential] if task_credential else []
    named: list[Claim] = []
    path = call.inbound.path_task
    if path:
        _sort("path", path, signed, named)
    header = headers.get(b"x-task-id")
    if header:
        for text in foreign.texts("X-Task-Id", header):
            _sort("header", text, signed, named)
    if call.body_task:
        named.append(Claim(source="body", text=call.body_task))
    if not foreign.HEADERS.isdisjoint(headers):
        named.extend(Claim(source="foreign", text=text) for text in foreign.tasks(headers))
    if signed:
        named[:0] = [
            Claim(source="credential", text=credentials.verify(text, key_id=key_id, now=now))
            for text in signed
        ]
    return Claims(
        explicit=_agreed(named) if named else (),
        session=_session(headers, call.session_hint),
        branch=in_branch(call.branch_hint) if call.branch_hint else "",
    )


def _sort(source: TaskSource, text: str, signed: list[str], named: list[Claim]) -> None:
    """Put a text where it belongs: with the task credentials or with the plain names."""
    if text.startswith(PREFIX):
        signed.append(text)
    else:
        named.append(Claim(source=source, text=text))


def _agreed(named: list[Claim]) -> tuple[Claim, ...]:
    agreed: list[Claim] = []
    first = ""
    for claim in named:
        if not claim.text or claim.text.isspace():
            continue
        task = _checked(claim)
        if not first:
            first = task
        elif task != first:
            raise TaskConflict(
                f"the call names two tasks, {first} in {_WHERE[agreed[0].source]}"
                f" and {task} in {_WHERE[claim.source]}: name one"
            )
        agreed.append(claim)
    return tuple(agreed)


def _checked(claim: Claim) -> str:
    """Return the canonical id of a claim; nothing of a text that is none is ever shown."""
    task = canonical(claim.text)
    if task and not _CONTROL.search(claim.text):
        return task
    where = _WHERE[claim.source]
    if len(claim.text) > TEXT_LENGTH_MAX:
        raise InvalidRequest(
            f"the task in {where} is longer than {TEXT_LENGTH_MAX} characters: {EXAMPLE}"
        )
    if _CONTROL.search(claim.text):
        raise InvalidRequest(f"the task in {where} holds a control character: {EXAMPLE}")
    raise InvalidRequest(f"the task in {where} can be no task's id: {EXAMPLE}")


def _session(headers: Mapping[bytes, bytes], hint: str) -> str:
    if b"session-id" in b" ".join(headers):  # one search over all names; most calls have none
        for name in _SESSION_HEADERS:
            session = _session_text(headers.get(name, b""))
            if session:
                return session
        for name in sorted(headers):
            if (
                name.startswith(b"x-")
                and name.endswith(_VENDOR_SESSION)
                and name != _PARENT_SESSION
            ):
                session = _session_text(headers[name])
                if session:
                    return session
    return hint if hint and _SESSION.fullmatch(hint) else ""


def _session_text(value: bytes) -> str:
    text = value.decode("latin-1")
    return text if _SESSION.fullmatch(text) else ""


def choose(claims: Claims, *, pinned: str, active: str) -> Claim | None:
    """
    Return the claim to go by; None when nothing names a task.

    `pinned` is the task an explicit name gave this session earlier, `active` the one the
    key's owner started.
    """
    if claims.explicit:
        return claims.explicit[0]
    if pinned:
        return Claim(source="session", text=pinned)
    if active:
        return Claim(source="active", text=active)
    if claims.branch:
        return Claim(source="branch", text=claims.branch)
    return None
