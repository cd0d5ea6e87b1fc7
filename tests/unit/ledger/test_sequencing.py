"""Putting records in order: which become leaves, and what follows from them."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger
from gateway.ledger import merkle, rollups, sequencing, series
from gateway.ledger.call_rows import CallRow
from gateway.ledger.sequencing import Group, Known, Plan, Series, Unique
from tests.stores.ledgers import (
    NOW_US,
    cost_intent,
    cost_settle,
    intent,
    numbered,
    refusal,
    reveal,
    settle,
)

START = series.start("r0", "gateway", at_us=NOW_US, version="1")
BOUND = {"completion": "unknown_crash", "cost_usd": "0.5", "output_tokens": 900}


class Book:
    """A log that is nothing but its plans."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.rows: dict[str, CallRow] = {}
        self.others: dict[Unique, int] = {}
        self.series: dict[str, Series] = {}
        self.sums = rollups.Rollups()
        self.set_aside: list[str] = []
        self.costs: list[ledger.Record] = []
        self.gaps = 0
        self.retired = 0

    def take(self, *records: ledger.Record) -> Plan:
        return self.take_groups([Group(None, [ledger.encode(each) for each in records], records)])

    def take_groups(self, groups: Sequence[Group]) -> Plan:
        wanted = sequencing.wanted(groups)
        before = msgspec.json.encode(self.rows)
        known = Known(
            calls={name: self.rows[name] for name in wanted.attempts if name in self.rows},
            others={key: self.others[key] for key in wanted.others if key in self.others},
            series={name: self.series[name] for name in wanted.replicas if name in self.series},
            leaf=lambda index: None if index < self.retired else self.lines[index],
        )
        plan = sequencing.plan(groups, len(self.lines), known)
        assert msgspec.json.encode(self.rows) == before, "what is known is not changed"
        assert not set(plan.rows) & set(plan.changed)
        assert plan.hashes == [merkle.leaf_hash(line) for line in plan.lines]
        self.lines += plan.lines
        self.rows |= plan.rows | plan.changed
        self.others |= plan.others
        self.series |= plan.series
        for key, came_to in plan.rollups.sums.items():
            self.sums.at(key).add(came_to)
        for rule, calls in plan.rollups.rules.items():
            self.sums.rules[rule] = self.sums.rules.get(rule, 0) + calls
        self.set_aside += [reason for reason, _ in plan.set_aside]
        self.costs += plan.costs
        self.gaps += plan.gaps
        assert plan.next_index == len(self.lines)
        return plan

    @property
    def leaves(self) -> list[ledger.Record]:
        return [ledger.decode(line) for line in self.lines]


def test_a_call_is_one_row_and_two_leaves() -> None:
    book = Book()
    book.take(START, *numbered(intent(1), settle(1), first=2))
    row = book.rows[intent(1).attempt_id]
    assert (row.index_intent, row.index_settle, row.completion) == (1, 2, "complete")
    assert (row.input_tokens, row.output_tokens, row.cost_nano_usd) == (10, 20, 2)
    assert (row.team, row.rules, row.replica) == ("payments", ("require-task",), "r0")
    assert book.series == {"r0": Series(last_seq=3)}
    assert (book.gaps, book.set_aside) == (0, [])


def test_a_refused_call_is_one_row_and_one_leaf() -> None:
    book = Book()
    book.take(START, *numbered(refusal(1), first=2))
    row = book.rows[refusal(1).attempt_id]
    assert (row.index_intent, row.index_settle, row.decision) == (1, 1, "refused")
    assert (row.model_requested, row.model_served, row.provider) == ("fast", "", "")
    [late] = numbered(settle(1), first=3)
    book.take(late)
    assert book.set_aside == ["other bytes"]


def test_records_of_unlinked_calls_are_no_leaves_and_counted_by_themselves() -> None:
    book = Book()
    costs = numbered(cost_intent(1), cost_settle(1), cost_intent(2), cost_intent(3))
    book.take(START, costs[0], costs[1])
    book.take(costs[1], costs[0])  # again
    book.take(costs[3])
    assert book.costs == [costs[0], costs[1], costs[3]]
    assert book.series["r0"] == Series(last_seq=1, last_cost_seq=4)
    assert (len(book.lines), book.gaps) == (1, 1)


def test_a_missing_number_is_a_gap_and_a_used_one_is_set_aside() -> None:
    book = Book()
    book.take(START, intent(1, replica_seq=3), intent(2, replica_seq=3))
    assert book.gaps == 1
    book.take(settle(1, replica_seq=3), reveal(3, replica_seq=2))
    assert book.set_aside == ["a number its series used before"] * 3
    assert len(book.lines) == 2


def test_an_adjust_under_a_number_that_was_used_is_set_aside() -> None:
    book = Book()
    late = given_up(book)
    book.take(*numbered(reveal(7), first=late.replica_seq))
    book.take(late)
    assert book.set_aside == ["a number its series used before"]
    assert book.rows[late.attempt_id].adjusts == 0


def test_what_is_there_already_changes_nothing() -> None:
    records = [START, *numbered(intent(1), settle(1), reveal(2), refusal(3), first=2)]
    book = Book()
    book.take(*records, *records)
    before = list(book.lines)
    book.take(*reversed(records))
    assert book.lines == before == [ledger.encode(each) for each in records]
    assert (book.set_aside, book.gaps) == ([], 0)
    assert book.sums == rollups.fold(records)  # type: ignore[arg-type]  # these are leaves


def test_other_bytes_in_a_leafs_place_are_set_aside() -> None:
    book = Book()
    book.take(START, *numbered(intent(1), settle(1), reveal(2), first=2))
    book.take(
        intent(1, replica_seq=5, team="other"),
        settle(1, replica_seq=6, output_tokens=1),
        reveal(2, replica_seq=7, reason="other"),
        refusal(1, replica_seq=8),
        settle(9, replica_seq=9),
    )
    assert book.set_aside == ["other bytes"] * 4 + ["settles no intent"]
    assert len(book.lines) == 4


def test_a_leaf_that_is_too_large_for_a_bundle_is_set_aside() -> None:
    book = Book()
    book.take(START, intent(1, replica_seq=2, model_requested="m" * ledger.LEAF_BYTES_MAX))
    assert book.set_aside == ["too large"]


def test_lines_that_are_no_records_are_set_aside() -> None:
    blob = b"\n".join([ledger.encode(START), b"{}", b'{"kind":"other"}'])
    group = sequencing.read(7, blob)
    assert (group.key, group.records, group.lines) == (7, [START], [ledger.encode(START)])
    plan = Book().take_groups([group])
    assert plan.set_aside == [("unreadable", b"{}"), ("unreadable", b'{"kind":"other"}')]


def given_up(book: Book) -> ledger.Settle:
    """Give a call up as lost, and return its own settle, which was on its way."""
    begun, ended = numbered(intent(1), settle(1), first=2)
    book.take(START, begun)
    book.take(series.start("s1", "sequencer", at_us=1, version="1", epoch=1))
    book.take(settle(1, replica="s1", replica_seq=2, **BOUND))
    assert isinstance(ended, ledger.Settle)
    return ended


def test_a_settle_that_comes_after_its_call_was_given_up_replaces_the_figures() -> None:
    book = Book()
    late = given_up(book)
    book.take(late)
    made = book.leaves[-1]
    assert isinstance(made, ledger.Adjust)
    assert (made.n, made.reason, made.replica_seq) == (1, sequencing.LATE, late.replica_seq)
    row = book.rows[late.attempt_id]
    assert (row.adjusts, row.index_settle, row.completion) == (1, 4, "complete")
    assert book.sums == rollups.fold(book.leaves)  # type: ignore[arg-type]  # no costs here
    [came_to] = book.sums.sums.values()
    assert (came_to.settled, came_to.failed, came_to.output_tokens) == (1, 0, 20)


def test_a_late_settle_and_the_one_it_replaced_can_come_again() -> None:
    book = Book()
    late = given_up(book)
    lost = book.leaves[-1]
    book.take(lost)
    book.take(late, late)
    book.take(late, lost, book.leaves[-1])
    assert (len(book.lines), book.set_aside) == (5, [])
    book.take(settle(1, replica_seq=4))
    assert book.set_aside == ["other bytes"]


def test_a_call_is_given_up_once() -> None:
    book = Book()
    given_up(book)
    book.take(settle(1, replica="s1", replica_seq=3, **BOUND))
    assert book.set_aside == ["other bytes"]


def test_a_call_can_be_adjusted_in_the_slice_it_was_settled_in() -> None:
    book = Book()
    begun, late = numbered(intent(1), settle(1), first=2)
    lost = settle(1, replica="s1", replica_seq=1, **BOUND)
    plan = book.take(START, begun, lost, late)
    assert list(plan.rows) == [begun.attempt_id]
    assert plan.changed == {}
    assert book.sums == rollups.fold(book.leaves)  # type: ignore[arg-type]  # no costs here


def test_an_adjust_needs_a_settle() -> None:
    book = Book()
    given_up(book)
    book.take(*numbered(settle(1), first=3))
    adjust = book.leaves[-1]
    assert isinstance(adjust, ledger.Adjust)
    other = Book()
    other.take(START, *numbered(intent(1), refusal(2), first=2))
    fields = {"attempt_id": refusal(2).attempt_id, "replica_seq": 4}
    other.take(
        msgspec.structs.replace(adjust, replica_seq=4), msgspec.structs.replace(adjust, **fields)
    )
    assert other.set_aside == ["adjusts no settle"] * 2


def test_leaves_of_schema_1_have_no_series() -> None:
    book = Book()
    book.take(intent(1, schema=1, replica_seq=9), intent(2, schema=1, replica_seq=9))
    book.take(cost_intent(3, replica_seq=10), cost_settle(3, replica_seq=10))
    assert (len(book.lines), len(book.costs), book.gaps) == (2, 2, 0)
    assert book.series == {}


def test_a_series_ends_by_itself_or_by_another() -> None:
    book = Book()
    book.take(START, series.start("r1", "gateway", at_us=1, version="1"))
    book.take(series.stopped(("r0", 2), 0, 1))
    book.take(series.ended("r1", (1, 0), "crashed", stamp=("s1", 1), at_us=1))
    assert {name: each.ended for name, each in book.series.items()} == {
        "r0": True,
        "r1": True,
        "s1": False,
    }


def test_what_was_retired_is_not_compared_any_more() -> None:
    book = Book()
    late = given_up(book)
    book.retired = len(book.lines)
    book.take(*numbered(intent(1), first=2), late, START)
    assert (len(book.lines), book.set_aside) == (4, [])


# What several replicas append, however it reaches the sequencer.

NAMES = ("r1", "r2", "r3")


def story(replica: str, calls: Sequence[str], base: int) -> list[ledger.Record]:
    """Return all that a replica appends, in its order, for calls of some sorts."""
    records: list[ledger.Record] = []
    for number, sort in enumerate(calls, base):
        if sort == "refused":
            records.append(refusal(number))
        elif sort == "unlinked":
            records += [cost_intent(number), cost_settle(number)]
        elif sort == "looked":
            records.append(reveal(number))
        else:
            records.append(
                intent(number, team=f"team-{number % 2}", rules=("a", "b")[: number % 3])
            )
            if sort == "settled":
                records.append(settle(number, cost_usd=f"0.00000000{number % 7}5"))
    start = series.start(replica, "gateway", at_us=NOW_US, version="1")
    made = [start, *numbered(*records, replica=replica, first=1)]
    leaf, cost = 1, 0
    renumbered: list[ledger.Record] = [start]
    for record in made[1:]:
        if isinstance(record, ledger.CostIntent | ledger.CostSettle):
            cost += 1
            renumbered.append(msgspec.structs.replace(record, replica_seq=cost))
        else:
            leaf += 1
            renumbered.append(msgspec.structs.replace(record, replica_seq=leaf))
    return [*renumbered, series.stopped((replica, leaf + 1), cost, NOW_US)]


SORTS = st.lists(st.sampled_from(["settled", "open", "refused", "unlinked", "looked"]), max_size=12)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[ledger.Record]], list[Sequence[ledger.Record]]]:
    """Draw what replicas append, and the groups it arrives in: interleaved, and some again."""
    stories = [story(name, draw(SORTS), 100 * at) for at, name in enumerate(NAMES)]
    left = [list(each) for each in stories]
    arrived: list[Sequence[ledger.Record]] = []
    while any(left):
        at = draw(st.sampled_from([at for at, each in enumerate(left) if each]))
        size = draw(st.integers(1, 5))
        group, left[at] = left[at][:size], left[at][size:]
        arrived.append(group)
        if draw(st.booleans()):
            again = draw(st.sampled_from(arrived))
            arrived.append(draw(st.permutations(list(again))))
    return stories, arrived


@given(deliveries(), st.integers(1, 6))
def test_however_records_arrive_each_is_in_the_log_once(
    drawn: tuple[list[list[ledger.Record]], list[Sequence[ledger.Record]]], at_once: int
) -> None:
    stories, arrived = drawn
    book = Book()
    groups = [Group(None, [ledger.encode(each) for each in some], some) for some in arrived]
    for start in range(0, len(groups), at_once):
        book.take_groups(groups[start : start + at_once])

    costs = (ledger.CostIntent, ledger.CostSettle)
    for records in stories:
        name = records[0].replica
        leaves = [each for each in records if not isinstance(each, costs)]
        found = [each for each in book.leaves if each.replica == name]
        assert found == leaves
        assert [each.replica_seq for each in found] == list(range(1, len(leaves) + 1))
        folded = [each for each in book.costs if each.replica == name]
        assert folded == [each for each in records if isinstance(each, costs)]
        assert book.series[name] == Series(len(leaves), len(folded), ended=True)
    assert (book.gaps, book.set_aside) == (0, [])
    assert book.sums == rollups.fold(book.leaves)  # type: ignore[arg-type]  # leaves alone
