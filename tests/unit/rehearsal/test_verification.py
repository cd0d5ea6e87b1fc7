"""Each call decided again by the policies that decided it."""

import msgspec
import pytest

from gateway.ledger.decision_log import Entry
from gateway.rehearsal.replays import verification
from gateway.rehearsal.replays.verification import same, verify
from tests.unit.rehearsal.records import decision, rules, settled, started

RATE = rules("{id: rate, quota: {concurrent: 1, by: [principal]}}")
FORBID = rules("{id: no, effect: forbid, code: task_closed}")
KNOWN = {RATE.digest: RATE, FORBID.digest: FORBID}


def test_calls_before_and_after_a_reload_are_decided_by_their_own_policies() -> None:
    first = decision(1, policy=RATE.digest)
    refused = {"effect": "forbid", "code": "task_closed", "reasons": ("no",)}
    log = [
        settled(decision(0)),
        first,
        decision(2, policy=FORBID.digest, **refused),
        decision(
            3, policy=RATE.digest, effect="throttle", code="quota_exceeded", reasons=("rate",)
        ),
        settled(first, after_s=0.5),
        decision(4, policy=RATE.digest, seconds=1),
    ]
    found = verify(log, KNOWN.get)
    assert (found.calls, found.same, found.unknown, found.differing) == (4, 4, 0, ())


@pytest.mark.parametrize("shared", [False, True])
def test_a_gateway_that_was_started_again_has_empty_quotas_unless_they_are_shared(
    shared: bool,  # noqa: FBT001  # a parameter of pytest's
) -> None:
    first, *others = (decision(n, policy=RATE.digest, seconds=n) for n in range(3))
    again = started(seconds=1, shared=shared)
    log: list[Entry] = [started(), first, again, others[0], settled(others[0])]
    found = verify([*log, others[1]], KNOWN.get)
    assert found.calls == 3
    assert (found.same == 3) is not shared


def test_calls_of_policies_nobody_knows_are_neither_the_same_nor_different() -> None:
    found = verify([decision(1), decision(2, policy=RATE.digest)], KNOWN.get)
    assert (found.calls, found.same, found.unknown) == (1, 1, 1)


def test_the_first_few_that_differ_are_named() -> None:
    log = [decision(n, policy=FORBID.digest) for n in range(7)]
    found = verify(log, KNOWN.get)
    assert (found.calls, found.same) == (7, 0)
    assert found.differing == tuple(each.request_id for each in log[:5])


def test_policies_are_found_again_when_many_were_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "KEPT_MAX", 1)
    asked: list[str] = []

    def find(digest: str) -> object:
        asked.append(digest)
        return KNOWN.get(digest)

    log = [decision(n, policy=digest) for n, digest in enumerate((*KNOWN, *KNOWN))]
    verify(log, find)  # type: ignore[arg-type]  # an object is a PolicySet or None here
    assert asked == [*KNOWN, *KNOWN]


def test_every_part_of_a_decision_counts() -> None:
    made = verification.Rerun(
        RATE, RATE, verification.Recorded(verification.People(), verification.Places(), None)
    )
    record = decision(1, policy=RATE.digest)
    decided = made.decide(record)
    assert same(record, decided)
    for changes in (
        {"effect": "forbid"},
        {"reasons": ("x",)},
        {"would_have": ("x",)},
        {"code": "x"},
        {"route": "x"},
    ):
        assert not same(msgspec.structs.replace(record, **changes), decided)
