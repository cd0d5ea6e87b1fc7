"""Keys and tasks as rows of the registry's tables, and back."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from gateway.values import Key, Principal, Task

Row: TypeAlias = tuple[Any, ...]
"""What SQLite hands out; the tables are STRICT, so a column's type is its declaration's."""

_names = msgspec.json.Decoder(frozenset[str])
_spans = msgspec.json.Decoder(tuple[tuple[float, float], ...])


def key_row(key: Key, revision: int) -> Row:
    """Return the columns of a key, in the table's order."""
    principal = key.principal
    return (
        key.id,
        key.digest,
        principal.id,
        principal.team,
        principal.tenant,
        principal.role,
        _list(principal.models),
        key.created_at,
        key.revoked_at,
        key.expires_at,
        revision,
    )


def key(row: Row) -> Key:
    """Return the key a row holds."""
    key_id, digest, principal, team, tenant, role, models, created, revoked, expires = row
    return Key(
        id=key_id,
        digest=digest,
        principal=Principal(
            id=principal,
            team=team,
            key_id=key_id,
            role=role,
            models=_names.decode(models),
            tenant=tenant,
        ),
        created_at=created,
        revoked_at=revoked,
        expires_at=expires,
    )


def task_row(task: Task, revision: int) -> Row:
    """Return the columns of a task, in the table's order."""
    return (
        task.id,
        task.spelling,
        task.title,
        task.status,
        task.opened_at,
        task.closed_at,
        task.root_id,
        _list(task.members),
        task.team,
        None if task.value is None else str(task.value),
        task.creator,
        task.url,
        task.parent_id,
        task.owner,
        _list(task.reviewers),
        task.valued_by,
        None if task.weight is None else str(task.weight),
        task.by_bot,
        task.use_case,
        task.canary,
        task.tracker,
        task.changed_at,
        msgspec.json.encode(task.intervals).decode(),
        revision,
    )


def task_reader() -> Callable[[Row], Task]:
    """Return a function from rows to tasks; tasks with the same members share one set."""
    shared: dict[str, frozenset[str]] = {}

    def task(row: Row) -> Task:
        names, reviewers = row[7], row[14]
        for each in (names, reviewers):
            if each not in shared:
                shared[each] = _names.decode(each)
        return Task(
            id=row[0],
            spelling=row[1],
            title=row[2],
            status=row[3],
            opened_at=row[4],
            closed_at=row[5],
            root_id=row[6],
            members=shared[names],
            team=row[8],
            value=None if row[9] is None else Decimal(row[9]),
            creator=row[10],
            url=row[11],
            parent_id=row[12],
            owner=row[13],
            reviewers=shared[reviewers],
            valued_by=row[15],
            weight=None if row[16] is None else Decimal(row[16]),
            by_bot=bool(row[17]),
            use_case=row[18],
            canary=bool(row[19]),
            tracker=row[20],
            changed_at=row[21],
            intervals=_spans.decode(row[22]),
        )

    return task


def _list(names: frozenset[str]) -> str:
    return msgspec.json.encode(sorted(names)).decode()
