"""Keys and tasks as rows of the registry's tables, and back."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from gateway.values import Key, Principal, Task

Row: TypeAlias = tuple[Any, ...]
"""What SQLite hands out; the tables are STRICT, so a column's type is its declaration's."""

_names = msgspec.json.Decoder(frozenset[str])


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
        revision,
    )


def task_reader() -> Callable[[Row], Task]:
    """Return a function from rows to tasks; tasks with the same members share one set."""
    shared: dict[str, frozenset[str]] = {}

    def task(row: Row) -> Task:
        task_id, spelling, title, status, opened, closed, root, names, team, value, by, url = row
        members = shared.get(names)
        if members is None:
            members = shared[names] = _names.decode(names)
        return Task(
            id=task_id,
            spelling=spelling,
            title=title,
            status=status,
            opened_at=opened,
            closed_at=closed,
            root_id=root,
            members=members,
            team=team,
            value=None if value is None else Decimal(value),
            creator=by,
            url=url,
        )

    return task


def _list(names: frozenset[str]) -> str:
    return msgspec.json.encode(sorted(names)).decode()
