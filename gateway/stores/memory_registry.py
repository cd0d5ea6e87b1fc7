"""
Keys, catalogue, active tasks and session pins in memory: the reference.

It is what the other stores read through, too: a snapshot that answers the line without a
query, also while another thread takes in what changed. No answer shows half of a change: a
dictionary is replaced or filled in one step that no other thread can come between, and what a
key's owner works on and the sessions pinned to it change together, under a lock.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from gateway import identity, tasks
from gateway.errors import ConfigError, NotFound
from gateway.values import Account, Key, Principal, Task, TaskChange, TaskStatus

PIN_S = 24 * 3600.0
FORGET_S = 3600.0
PINS_MAX = 256
"""Sessions remembered per principal, so that nobody can push out another's."""


class ImportCounts(Struct, frozen=True, kw_only=True):
    """What an import came to, in tasks."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


class MemoryKeys:
    """`ports.Keys` over a dictionary."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    async def find(self, key_id: str) -> Key | None:
        """Return the key filed under an id, whether live or revoked."""
        return self._keys.get(key_id)

    def get(self, key_id: str) -> Key:
        """Return the key filed under an id; raises NotFound when there is none."""
        key = self._keys.get(key_id)
        if key is None:
            raise NotFound("no key has this id: `goodgate keys list` shows those there are")
        return key

    def put(self, key: Key) -> None:
        """File a key, in place of what stood under its id."""
        self._keys[key.id] = key

    def take(self, changed: Iterable[Key], *, is_all: bool) -> None:
        """File keys in one step, each in place of what stood under its id, or of all keys."""
        found = {key.id: key for key in changed}
        if is_all:
            self._keys = found
        else:
            self._keys.update(found)

    def listed(self) -> list[Key]:
        """Return every key, oldest first."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))


class MemoryTasks:
    """`ports.Tasks` over dictionaries."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._below: dict[str, dict[str, set[str]]] = {"parent_id": {}, "root_id": {}}
        """Ids of tasks, by what is right above them and by their root; not of roots themselves."""
        self._digest = tasks.CatalogueDigest()
        self._digest_text = self._digest.text()
        self.stale_trackers: frozenset[str] = frozenset()
        """Trackers nobody has heard of lately: tasks that follow them are given as stale."""
        self._active: dict[str, str] = {}
        self._pins: dict[tuple[str, str], dict[str, tuple[str, float]]] = {}
        self._forget_at = 0.0
        # Over `_active` and `_pins`: held for some dictionary look-ups, never for I/O.
        self._lock = threading.Lock()

    @property
    def digest(self) -> str:
        """Digest of the catalogue as it is now: `sha256:` and 16 hex digits."""
        return self._digest_text

    async def find(self, task_id: str) -> Task | None:
        """Return the task with a canonical id."""
        return self.get(task_id)

    async def recall(self, principal: Principal, session: str, now: float) -> tuple[str, str]:
        """Return the task pinned to the session, and the key's active task; empty for none."""
        with self._lock:
            active = self._active.get(principal.key_id, "")
            pins = self._pins.get((principal.tenant, principal.id)) if session else None
            task, until = pins.get(session, ("", 0.0)) if pins else ("", 0.0)
        return (task if now < until else ""), active

    async def pin(self, principal: Principal, session: str, task: str, now: float) -> None:
        """Remember for 24 h which task a session named."""
        if not session:
            return
        with self._lock:
            pins = self._pins.setdefault((principal.tenant, principal.id), {})
            pins.pop(session, None)  # the one named last stands last
            if len(pins) >= PINS_MAX:
                del pins[next(iter(pins))]
            pins[session] = (task, now + PIN_S)

    def get(self, task_id: str) -> Task | None:
        """Return the task with a canonical id."""
        task = self._tasks.get(task_id)
        if task is not None and task.tracker in self.stale_trackers:
            return msgspec.structs.replace(task, stale=True)
        return task

    def under(self, root_id: str) -> list[Task]:
        """Return all tasks with a root, itself among them, in the order of their ids."""
        ids = sorted({root_id, *self._below["root_id"].get(root_id, ())})
        return [task for each in ids if (task := self._tasks.get(each)) is not None]

    def follow(
        self,
        changes: Sequence[TaskChange],
        *,
        tracker: str,
        who: Callable[[Account | None], str],
        team: str = "",
    ) -> list[Task]:
        """Return what a tracker's changes make of the catalogue; nothing is taken in yet."""
        children = self._below["parent_id"]
        known = tasks.Known(find=self._tasks.get, children=lambda above: children.get(above, ()))
        return tasks.followed(known, changes, tracker=tracker, who=who, team=team)

    def put(self, changed: Iterable[Task]) -> None:
        """Take in tasks, each in place of what stood under its id."""
        self.take(changed, is_all=False)

    def take(self, changed: Iterable[Task], *, is_all: bool) -> None:
        """Take in tasks in one step, each in place of what stood under its id, or of all tasks."""
        found = {task.id: task for task in changed}
        if is_all:
            self._digest = tasks.CatalogueDigest()
            self._below = {"parent_id": {}, "root_id": {}}
        for task in found.values():
            self._digest.put(task)
            self._put_below(task, None if is_all else self._tasks.get(task.id))
        text = self._digest.text()  # now, and not during some call
        if is_all:
            self._tasks = found
        else:
            self._tasks.update(found)
        self._digest_text = text

    def listed(
        self, *, principal: Principal | None = None, status: TaskStatus | None = None
    ) -> list[Task]:
        """Return tasks in the order of their ids; with `principal`, those it is a member of."""
        return sorted(
            (
                msgspec.structs.replace(task, stale=True)
                if task.tracker in self.stale_trackers
                else task
                for task in list(self._tasks.values())  # an import may go on in a thread
                if (status is None or task.status == status)
                and (principal is None or tasks.is_member(principal, task))
            ),
            key=lambda task: task.id,
        )

    def active(self, key_id: str) -> str:
        """Return a key's active task; empty for none."""
        with self._lock:
            return self._active.get(key_id, "")

    def start(self, principal: Principal, task: str) -> None:
        """Make a task the active one of the principal's key; its sessions are unpinned."""
        with self._lock:
            self._start(principal, task)

    def stop(self, key_id: str) -> None:
        """Leave a key without an active task."""
        with self._lock:
            self._active.pop(key_id, None)

    def take_active(self, changed: Iterable[tuple[Principal, str]], *, is_all: bool) -> None:
        """
        Take in what keys' owners work on, an empty task for nothing.

        With `is_all`, keys that are not named have none, and what is as it was unpins nothing.
        """
        with self._lock:
            before, wanted = self._active, list(changed)
            if is_all:
                self._active = {}
            for principal, task in wanted:
                key_id = principal.key_id
                if not task:
                    self._active.pop(key_id, None)
                elif is_all and before.get(key_id) == task:
                    self._active[key_id] = task
                else:
                    self._start(principal, task)

    def forget_pins(self, now: float) -> None:
        """Drop the pins whose time is over; looks once an hour, however often it is asked."""
        if now < self._forget_at:
            return
        self._forget_at = now + FORGET_S
        for owner in list(self._pins):
            with self._lock:  # for each owner anew: calls wait for no more than one
                pins = self._pins.pop(owner, {})
                live = {session: pin for session, pin in pins.items() if now < pin[1]}
                if live:
                    self._pins[owner] = live

    def _put_below(self, task: Task, old: Task | None) -> None:
        for name, below in self._below.items():
            before, above = getattr(old, name, ""), getattr(task, name)
            if before and before != above:
                below.get(before, set()).discard(task.id)
            if above and above != task.id:
                below.setdefault(above, set()).add(task.id)

    def _start(self, principal: Principal, task: str) -> None:
        self._active[principal.key_id] = task
        self._pins.pop((principal.tenant, principal.id), None)


class MemoryRegistry:
    """The registry as the commands and the server's API use it; gone when the process is."""

    def __init__(self) -> None:
        self.keys = MemoryKeys()
        self.tasks = MemoryTasks()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def refresh(self, now: float) -> bool:
        """Return False: nobody else can have changed anything."""
        self.tasks.forget_pins(now)
        return False

    def add_key(self, key: Key) -> None:
        """File a new key."""
        self.keys.put(key)

    def list_keys(self) -> list[Key]:
        """Return every key, oldest first."""
        return self.keys.listed()

    def revoke_key(self, key_id: str, now: float) -> Key:
        """Return a key, revoked now (or before); raises NotFound when there is none."""
        key = revoked(self.keys.get(key_id), now)
        self.keys.put(key)
        return key

    def rotate_key(self, key_id: str, *, pepper: bytes, now: float) -> tuple[str, Key]:
        """
        Return a new credential and key in place of one that is revoked now.

        Raises:
            NotFound: there is no such key.
            ConfigError: it is revoked or expired, so there is nothing to replace.

        """
        old = self.keys.get(key_id)
        credential, key = rotated(old, pepper=pepper, now=now)
        self.keys.put(key)
        self.keys.put(revoked(old, now))
        if active := self.tasks.active(key_id):
            self.tasks.start(key.principal, active)
        return credential, key

    def import_tasks(self, imported: Iterable[Task], *, now: float) -> ImportCounts:
        """Take in a catalogue; what it does not name stays as it is."""
        changed, counts = difference(self.tasks, imported, now)
        self.tasks.put(changed)
        return counts

    def follow(
        self,
        changes: Sequence[TaskChange],
        *,
        tracker: str,
        who: Callable[[Account | None], str],
        team: str = "",
    ) -> ImportCounts:
        """Take in what a tracker says of tasks; what is older than what is known is passed."""
        changed = self.tasks.follow(changes, tracker=tracker, who=who, team=team)
        counts = counted(self.tasks, changed)
        self.tasks.put(changed)
        return counts

    def list_tasks(
        self, *, principal: Principal | None = None, status: TaskStatus | None = None
    ) -> list[Task]:
        """Return tasks in the order of their ids; with `principal`, those it is a member of."""
        return self.tasks.listed(principal=principal, status=status)

    def set_active(self, key_id: str, task: str, now: float) -> None:
        """Make a task the key's active one and unpin its principal's sessions."""
        self.tasks.start(self.keys.get(key_id).principal, task)

    def clear_active(self, key_id: str, now: float) -> None:
        """Leave a key without an active task; raises NotFound when there is no such key."""
        self.tasks.stop(self.keys.get(key_id).id)


def revoked(key: Key, now: float) -> Key:
    """Return a key as revoked now; one revoked before stays as it is."""
    return key if key.revoked_at is not None else msgspec.structs.replace(key, revoked_at=now)


def rotated(key: Key, *, pepper: bytes, now: float) -> tuple[str, Key]:
    """Return a new credential and key for the principal of a live one, or a ConfigError."""
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise ConfigError(
            "the key is revoked or expired: make a new one with `goodgate keys create`"
        )
    old = key.principal
    credential, new = identity.mint(
        pepper=pepper,
        principal_id=old.id,
        team=old.team,
        role=old.role,
        models=old.models,
        now=now,
        expires_at=key.expires_at,
    )
    principal = msgspec.structs.replace(new.principal, tenant=old.tenant)
    return credential, msgspec.structs.replace(new, principal=principal)


def difference(
    known: MemoryTasks, imported: Iterable[Task], now: float
) -> tuple[list[Task], ImportCounts]:
    """Return the tasks an import adds or changes, and how many of each there are."""
    changed: list[Task] = []
    new = unchanged = 0
    for task in imported:
        old = known.get(task.id)
        taken = task if old is None else _closed_when(old, task, now)
        if taken == old:
            unchanged += 1
            continue
        new += old is None
        changed.append(taken)
    return changed, ImportCounts(new=new, changed=len(changed) - new, unchanged=unchanged)


def counted(known: MemoryTasks, changed: Sequence[Task]) -> ImportCounts:
    """Return how many of some tasks are new, and how many are not."""
    new = sum(known.get(task.id) is None for task in changed)
    return ImportCounts(new=new, changed=len(changed) - new)


def _closed_when(old: Task, task: Task, now: float) -> Task:
    """Return an imported task with what files do not say: whom it follows, and when it closed."""
    task = msgspec.structs.replace(
        task, tracker=old.tracker, changed_at=old.changed_at, intervals=old.intervals
    )
    if task.status == "open":
        return tasks.closed_anew(old, task)
    if task.closed_at is not None:
        return task
    closed_at = now if old.status == "open" else old.closed_at
    return msgspec.structs.replace(task, closed_at=closed_at)
