"""The digest of a catalogue."""

import hashlib
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.tasks import CatalogueDigest
from gateway.values import Task
from tests.unit.tasks.calls import task


def digest(*tasks: Task) -> str:
    """Return the digest of these tasks, taken in one by one."""
    made = CatalogueDigest()
    for one in tasks:
        made.put(one)
    return made.text()


def test_a_digest_is_sixteen_hex_digits_and_never_the_same_for_other_tasks() -> None:
    """Empty has one too."""
    digests = {
        digest(),
        digest(task()),
        digest(task(), task("PROJ-2")),
        digest(task(title="x")),
        digest(task(members=frozenset())),
        digest(task(status="closed")),
    }

    assert len(digests) == 6
    assert all(re.fullmatch("sha256:[0-9a-f]{16}", text) for text in digests)


def test_how_fresh_a_tracker_is_changes_no_digest() -> None:
    """It is no part of what the catalogue says."""
    assert digest(task(stale=True)) == digest(task())


def test_the_digest_is_what_its_definition_says() -> None:
    """Recomputed here by hand: a leaf, its bucket, all buckets."""
    leaf = hashlib.sha256(
        b'{"by_bot":false,"canary":false,"changed_at":0.0,"closed_at":null,"creator":"",'
        b'"id":"PROJ-1","intervals":[],"members":["alice","bob"],"opened_at":null,"owner":"",'
        b'"parent_id":"","reviewers":[],"root_id":"PROJ-1","spelling":"PROJ-1","stale":false,'
        b'"status":"open","team":"","title":"","tracker":"","url":"","use_case":"","value":null,'
        b'"valued_by":"","weight":null}'
    ).digest()
    bucket = int(hashlib.sha256(b"PROJ-1").hexdigest()[:3], 16)
    buckets = [bytes(32)] * 4096
    buckets[bucket] = hashlib.sha256(leaf).digest()
    expected = hashlib.sha256(b"".join(buckets)).hexdigest()[:16]

    assert digest(task(members=frozenset({"bob", "alice"}))) == f"sha256:{expected}"


steps = st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3)), max_size=20)


@given(steps, st.randoms(use_true_random=False))
def test_only_what_stands_at_the_end_counts(changes: list[tuple[int, str]], random: Any) -> None:
    """Not the order in which it came, nor what stood there before, nor when it was asked."""
    made = CatalogueDigest()
    last: dict[str, Task] = {}
    for number, title in changes:
        one = task(f"P-{number}", title=title)
        made.put(one)
        last[one.id] = one
        if random.random() < 0.3:
            made.text()
    tasks = list(last.values())
    random.shuffle(tasks)

    assert made.text() == digest(*tasks)
