"""Keys and tasks as rows of the registry's tables in PostgreSQL, and back."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

from gateway.values import Key, Principal, Task

Row: TypeAlias = tuple[Any, ...]
"""What psycopg hands out: a column's type is its declaration's."""


def key_row(key: Key, revision: int) -> Row:
    """Return the columns of a key, in the order of `add_key`."""
    principal = key.principal
    return (
        key.id,
        key.digest,
        principal.id,
        principal.team,
        principal.tenant,
        principal.role,
        sorted(principal.models),
        key.created_at,
        key.revoked_at,
        key.expires_at,
        revision,
    )


def key(row: Row) -> Key:
    """Return the key a row of `keys_since` holds."""
    key_id, digest, principal, team, tenant, role, models, created, revoked, expires = row
    return Key(
        id=key_id,
        digest=digest,
        principal=Principal(
            id=principal,
            team=team,
            key_id=key_id,
            role=role,
            models=frozenset(models),
            tenant=tenant,
        ),
        created_at=created,
        revoked_at=revoked,
        expires_at=expires,
    )


def task_row(task: Task, revision: int) -> Row:
    """Return the columns of a task, in the order of `put_task`."""
    return (
        task.id,
        task.spelling,
        task.title,
        task.status,
        task.opened_at,
        task.closed_at,
        task.root_id,
        sorted(task.members),
        task.team,
        None if task.value is None else str(task.value),
        task.creator,
        task.url,
        task.parent_id,
        task.owner,
        sorted(task.reviewers),
        task.valued_by,
        None if task.weight is None else str(task.weight),
        task.by_bot,
        task.use_case,
        task.canary,
        task.tracker,
        task.changed_at,
        [moment for span in task.intervals for moment in span],
        revision,
    )


def task_reader() -> Callable[[Row], Task]:
    """Return a function from rows of `tasks_since` to tasks; equal sets of members are one set."""
    shared: dict[frozenset[str], frozenset[str]] = {}

    def task(row: Row) -> Task:
        members, reviewers = frozenset[str](row[7]), frozenset[str](row[14])
        moments = row[22]
        return Task(
            id=row[0],
            spelling=row[1],
            title=row[2],
            status=row[3],
            opened_at=row[4],
            closed_at=row[5],
            root_id=row[6],
            members=shared.setdefault(members, members),
            team=row[8],
            value=None if row[9] is None else Decimal(row[9]),
            creator=row[10],
            url=row[11],
            parent_id=row[12],
            owner=row[13],
            reviewers=shared.setdefault(reviewers, reviewers),
            valued_by=row[15],
            weight=None if row[16] is None else Decimal(row[16]),
            by_bot=row[17],
            use_case=row[18],
            canary=row[19],
            tracker=row[20],
            changed_at=row[21],
            intervals=tuple(zip(moments[::2], moments[1::2], strict=True)),
        )

    return task
