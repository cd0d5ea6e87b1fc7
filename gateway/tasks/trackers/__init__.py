"""
What trackers say: proof that it is theirs, and their messages as changes and outcomes.

One file for each tracker; all pure. A message is believed only after its proof was checked over
its very bytes, and whether its id was seen before is for the store to say.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final, Protocol

from gateway.tasks.trackers import (
    github,
    github_pages,
    gitlab,
    gitlab_pages,
    jira,
    jira_pages,
    linear,
    linear_pages,
    standard,
)
from gateway.tasks.trackers.paging import Sync
from gateway.values import Delivery


class Reader(Protocol):
    """Reads a tracker's message; raises WebhookRefused when it is not proved, or is none."""

    def __call__(
        self,
        headers: Mapping[bytes, bytes],
        body: bytes,
        *,
        secret: bytes,
        previous_secret: bytes = b"",
        now: float,
    ) -> Delivery:
        """Return what the message says."""
        ...


_READERS: Final[Mapping[str, Reader]] = {
    "github": github.read,
    "gitlab": gitlab.read,
    "linear": linear.read,
    "standard": standard.read,
}


def reader(kind: str, value_field: str = "") -> Reader:
    """Return what reads a kind of tracker; `value_field` is Jira's, for a task's value."""
    return partial(jira.read, value_field=value_field) if kind == "jira" else _READERS[kind]


class Syncer(Protocol):
    """Says what to ask for, page by page; raises WebhookRefused when a page is none."""

    def __call__(self, project: str, places: Mapping[str, str]) -> Sync:
        """Yield the steps of a sync; `places` are what was kept of the last one."""
        ...


_SYNCERS: Final[Mapping[str, Syncer]] = {
    "github": github_pages.sync,
    "gitlab": gitlab_pages.sync,
    "linear": linear_pages.sync,
}


def syncer(kind: str, value_field: str = "") -> Syncer | None:
    """Return what asks a kind of tracker; None: it tells, and cannot be asked."""
    if kind == "jira":
        return partial(jira_pages.sync, value_field=value_field)
    return _SYNCERS.get(kind)


KEPT: Final = ("issues", "pulls", "events")
"""What places are kept of, by project."""
