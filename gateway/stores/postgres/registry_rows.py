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
        revision,
    )


def task_reader() -> Callable[[Row], Task]:
    """Return a function from rows of `tasks_since` to tasks; equal sets of members are one set."""
    shared: dict[frozenset[str], frozenset[str]] = {}

    def task(row: Row) -> Task:
        task_id, spelling, title, status, opened, closed, root, names, team, value, by, url = row
        members = frozenset[str](names)
        return Task(
            id=task_id,
            spelling=spelling,
            title=title,
            status=status,
            opened_at=opened,
            closed_at=closed,
            root_id=root,
            members=shared.setdefault(members, members),
            team=team,
            value=None if value is None else Decimal(value),
            creator=by,
            url=url,
        )

    return task
