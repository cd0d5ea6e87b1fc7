"""
The digest of a catalogue, kept up to date task by task.

Every task is hashed on its own (SHA-256 over its fields as canonical JSON), every bucket
over its tasks' hashes in the order of their ids, and the catalogue over its buckets in
their order; a task's bucket is the first twelve bits of the SHA-256 of its id. So whoever
has the tasks can recompute it, and a change costs one bucket, not the whole catalogue.
"""

import hashlib

import msgspec

from gateway.values import Task

BUCKETS = 4096
_EMPTY = bytes(32)

_encoder = msgspec.json.Encoder(decimal_format="string", order="sorted")


class CatalogueDigest:
    """The digest of a set of tasks that changes now and then."""

    def __init__(self) -> None:
        self._buckets: list[dict[str, bytes]] = [{} for _ in range(BUCKETS)]
        self._digests = bytearray(_EMPTY * BUCKETS)
        self._dirty: set[int] = set()
        self._text = ""

    def put(self, task: Task) -> None:
        """Take in a task, in place of what stood under its id."""
        bucket = _bucket(task.id)
        self._buckets[bucket][task.id] = hashlib.sha256(_bytes(task)).digest()
        self._dirty.add(bucket)

    def text(self) -> str:
        """Return the digest as it is now: `sha256:` and 16 hex digits."""
        if self._dirty or not self._text:
            for bucket in self._dirty:
                tasks = self._buckets[bucket]
                whole = hashlib.sha256(b"".join(tasks[task_id] for task_id in sorted(tasks)))
                self._digests[bucket * 32 : bucket * 32 + 32] = whole.digest()
            self._dirty.clear()
            self._text = f"sha256:{hashlib.sha256(self._digests).hexdigest()[:16]}"
        return self._text


def _bucket(task_id: str) -> int:
    first = hashlib.sha256(task_id.encode()).digest()
    return first[0] << 4 | first[1] >> 4


def _bytes(task: Task) -> bytes:
    # How fresh a tracker is, and what it told last, is nothing the catalogue says.
    is_plain = not (task.stale or task.changed_at)
    return _encoder.encode(
        task if is_plain else msgspec.structs.replace(task, stale=False, changed_at=0.0)
    )
