"""Where a closed period ends."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger, reports
from tests.stores.ledgers import NOW_US, intent, refusal, reveal, settle

BEFORE_US = NOW_US + 1_000_000


def bundles(leaves: list[ledger.Leaf]) -> list[list[bytes]]:
    lines = [ledger.encode(leaf) for leaf in leaves]
    return [lines[at : at + 256] for at in range(0, len(lines), 256)]


def calls(count: int, first: int = 0) -> list[ledger.Leaf]:
    found: list[ledger.Leaf] = []
    for number in range(first, first + count):
        found += [intent(number), settle(number)]
    return found


def late(number: int) -> ledger.Intent:
    return intent(number, received_at_us=BEFORE_US)


def test_it_ends_with_the_last_whole_bundle_before_the_moment() -> None:
    leaves = [*calls(300), late(9_000), *calls(300, 1_000)]

    assert reports.closed_below(bundles(leaves), 0, BEFORE_US) == 512
    assert reports.closed_below(bundles(calls(127)), 0, BEFORE_US) == 0
    assert reports.closed_below(bundles(calls(128)), 0, BEFORE_US) == 256
    assert reports.closed_below([], 0, BEFORE_US) == 0


def test_a_call_without_a_settle_holds_it_up() -> None:
    leaves = [*calls(200), intent(9_000), *calls(200, 1_000)]

    assert reports.closed_below(bundles(leaves), 0, BEFORE_US) == 256


def test_a_call_that_is_settled_after_the_moment_is_settled() -> None:
    leaves = [*calls(255), intent(9_000), refusal(9_001), late(9_002), *calls(400, 1_000)]

    assert reports.closed_below(bundles([*leaves, settle(9_000)]), 0, BEFORE_US) == 512
    assert reports.closed_below(bundles(leaves), 0, BEFORE_US) == 256


def test_what_happened_after_the_moment_ends_it_too() -> None:
    leaves = [*calls(128), reveal(1), *calls(200, 1_000)]

    assert reports.closed_below(bundles(leaves), 0, NOW_US) == 0
    assert reports.closed_below(bundles(leaves), 0, BEFORE_US) == 512


def test_it_goes_on_from_what_was_retired_before() -> None:
    assert reports.closed_below(bundles(calls(200)), 512, BEFORE_US) == 768
    assert reports.closed_below(bundles([late(1)]), 512, BEFORE_US) == 512


def test_no_more_is_read_than_it_takes() -> None:
    read: list[int] = []

    def told() -> Iterator[list[bytes]]:
        for number, each in enumerate(bundles([*calls(200), late(9_000), *calls(900, 1_000)])):
            read.append(number)
            yield each

    assert reports.closed_below(told(), 0, BEFORE_US) == 256
    assert read == [0, 1]


@given(st.lists(st.sampled_from(["call", "open", "late", "late settle"]), max_size=40))
def test_below_it_every_call_is_from_before_and_settled(kinds: list[str]) -> None:
    leaves: list[ledger.Leaf] = []
    owed: list[ledger.Leaf] = []
    for number, kind in enumerate(kinds):
        leaves += calls(60, 1_000 * (number + 1))
        if kind == "late":
            leaves.append(late(number))
            owed.append(settle(number))
        elif kind != "call":
            leaves.append(intent(number))
            owed += [settle(number)] if kind == "late settle" else []
    leaves += owed
    settled = {leaf.attempt_id for leaf in leaves if isinstance(leaf, ledger.Settle)}

    size = reports.closed_below(bundles(leaves), 0, BEFORE_US)

    assert size % 256 == 0
    for leaf in leaves[:size]:
        if isinstance(leaf, ledger.Intent):
            assert leaf.received_at_us < BEFORE_US
            assert leaf.attempt_id in settled
