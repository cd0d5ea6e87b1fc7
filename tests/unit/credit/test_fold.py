"""From leaves to roots: which calls count, and what is worked out of them."""

from decimal import Decimal

import msgspec
import pytest
from msgspec import structs

from gateway import credit, ledger
from gateway.credit import roots
from gateway.credit.statement import TeamCredit
from gateway.policy import CreditParameters
from tests.unit.credit.stories import (
    ACCEPTED,
    DAY_US,
    LATER_US,
    NOW_US,
    POLICIES,
    POLICY,
    adjust,
    call,
    outcome,
    recomputed,
    settle,
    stated,
    valuation,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"completion": "failed"},
        {"completion": "truncated"},
        {"completion": "unknown_crash"},
        {"route": "embeddings"},
        {"route": "count_tokens"},
        {"evidence": "claimed"},
        {"received_at_us": NOW_US + DAY_US},
    ],
)
def test_a_call_that_is_not_valid_asks_nothing_but_costs(changes: dict[str, object]) -> None:
    found = stated([*ACCEPTED, *call(1, {1, 2}, **changes)]).roots[0]
    assert found.units == 0
    assert found.settled == 0
    assert (found.calls, found.cost_nano_usd) == (1, 500_000_000)


def test_a_call_received_before_the_acceptance_counts_whenever_it_is_recorded() -> None:
    before = call(1, {1}, received_at_us=NOW_US + DAY_US - 1)
    assert stated([*ACCEPTED, *before]).roots[0].units == 1


def test_a_call_that_was_given_up_counts_once_its_settle_came_after_all() -> None:
    begun, _ = call(1, {1, 2})
    lost = settle(begun.attempt_id, completion="unknown_crash", cost_usd="2")
    came = adjust(begun.attempt_id, cost_usd="0.25", n=1)
    found = stated([*ACCEPTED, begun, lost, came]).roots[0]
    assert (found.units, found.cost_nano_usd) == (2, 250_000_000)
    assert stated([*ACCEPTED, begun, lost]).roots[0].cost_nano_usd == 2_000_000_000


def test_an_end_without_a_beginning_and_other_leaves_change_nothing() -> None:
    folded = credit.Credit()
    folded.take(settle("att_of_a_retired_period"))
    folded.take(ledger.Erasure(
        at_us=1, attempt_id="e", auditor="k", reason="r", salts=1, replica="r", replica_seq=1
    ))  # fmt: skip
    assert folded.roots == {}


@pytest.mark.parametrize(
    "units",
    [
        ("000000000000000A",),
        ("00000000 0000000",),
        ("0000000000000001", "00000000000002"),
        ("000000000000001", "00000000000000002"),
        ("g000000000000000",),
        ("\N{FULLWIDTH DIGIT ONE}000000000000000",),
        ("0000000000000001", "0000000000000002", "000000000000000\n"),
    ],
)
def test_units_that_are_none_ask_nothing(units: tuple[str, ...]) -> None:
    """No gateway writes such a leaf; whoever did must not stop the fold, or gain by it."""
    begun, ended = call(1, {1})
    assert isinstance(begun, ledger.Intent)
    wrong = structs.replace(begun, units=units)
    assert stated([*ACCEPTED, wrong, ended]).roots[0].units == 0
    assert stated([*ACCEPTED, begun, ended]).roots[0].units == 1


def test_the_64_smallest_units_are_kept() -> None:
    leaves = [*ACCEPTED, *call(1, range(100, 180)), *call(2, range(10)), *call(3, range(300, 320))]
    folded = credit.recompute(lambda: leaves).roots["PAY-1"]
    assert folded.units == tuple(f"{each:016x}" for each in (*range(10), *range(100, 154)))


def test_a_root_that_one_call_bears_is_thin() -> None:
    one = [*ACCEPTED, *call(1, {1, 2}), *call(2, ())]
    assert stated(one).roots[0].thin
    assert not stated([*one, *call(3, {1})]).roots[0].thin


def test_a_full_root_takes_less_than_2_kb() -> None:
    leaves = [*ACCEPTED, *call(1, range(2**63, 2**63 + 64)), outcome(1, "reverted"), outcome(2)]
    assert len(credit.pack(credit.recompute(lambda: leaves).roots["PAY-1"])) < 2_000


def test_what_is_no_root_is_not_unpacked() -> None:
    with pytest.raises(msgspec.ValidationError):
        credit.unpack(b"\x91\x01")


def test_a_root_with_too_many_events_is_not_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots, "EVENTS_MAX", 3)
    many: list[ledger.Leaf] = [outcome(n, at_us=NOW_US + n * DAY_US) for n in range(1, 7)]
    for leaves in ([valuation(), *many], [valuation(), *reversed(many)]):
        [found] = stated([*leaves, *call(1, {1})]).roots
        assert found.unscored == "its tasks were accepted and undone too often"
        assert found.settled == 0


def test_the_value_in_force_when_the_hold_ends_counts_and_a_later_one_does_not() -> None:
    in_time = valuation(1, "3", at_us=NOW_US + 8 * DAY_US)
    too_late = valuation(2, "900", at_us=NOW_US + 8 * DAY_US + 1)
    found = stated([*ACCEPTED, too_late, in_time, *call(1, range(64))]).roots[0]
    assert found.value == 3
    assert found.settled == 3 * found.phi


def test_weights_are_those_of_the_first_valuation() -> None:
    first = valuation(weights=[("PAY-2", "0.25"), ("PAY-3", "0.75")])
    later = valuation(1, weights=[("PAY-2", "1")])
    leaves = [first, later, outcome(task_id="PAY-2"), *call(1, {1})]
    assert stated(leaves).roots[0].accepted == Decimal("0.25")


@pytest.mark.parametrize("valued_by", ["", "alice", "owner"])
def test_a_value_set_by_who_profits_from_it_or_by_nobody_known_does_not_count(
    valued_by: str,
) -> None:
    found = stated([valuation(value="50", valued_by=valued_by), outcome(), *call(1, {1})]).roots[0]
    assert found.value == 1


def test_what_a_bot_made_is_worth_nothing_until_a_person_values_it() -> None:
    made = [valuation(value="", by_bot=True), outcome(), *call(1, {1})]
    assert stated(made).roots[0].value == 0
    assert stated([*made, valuation(1, "2", by_bot=True)]).roots[0].value == 2


def test_the_policy_s_budget_is_shared_and_the_least_counts() -> None:
    policies = {
        POLICY: CreditParameters(unvalued_budget=Decimal("0.9")),
        "sha256:later": CreditParameters(unvalued_budget=Decimal("0.5")),
    }
    leaves: list[ledger.Leaf] = []
    for number, digest in enumerate((POLICY, POLICY, "sha256:later")):
        task = {"root_id": f"R-{number}", "task_id": f"R-{number}"}
        leaves += [
            valuation(value="", root_id=task["root_id"]),
            outcome(number, policy=digest, **task),
        ]
    found = credit.statement(credit.recompute(lambda: leaves).roots, policies, LATER_US)
    assert {root.value for root in found.roots} == {Decimal("0.166666666666")}


def test_a_saturation_of_nothing_is_not_divided_by() -> None:
    policies = {POLICY: CreditParameters(saturation=Decimal(0))}
    roots_of = credit.recompute(lambda: ACCEPTED).roots
    [found] = credit.statement(roots_of, policies, LATER_US).roots
    assert found.unscored == "the policy it was accepted under has no saturation above 0"


def test_sums_are_by_owning_team_and_month_of_the_first_acceptance() -> None:
    other = {"root_id": "OPS-1", "task_id": "OPS-1"}
    leaves = [
        *ACCEPTED,
        *call(1, {1}),
        valuation(root_id="OPS-1", team="ops"),
        outcome(1, **other),
        *call(2, {1}, **other),
        *call(3, {1}, root_id="NEW-1", task_id="NEW-1"),
    ]
    found = stated(leaves)
    assert [root.root_id for root in found.roots] == ["NEW-1", "OPS-1", "PAY-1"]
    assert found.teams[1] == TeamCredit(
        team="payments",
        month="2026-11",
        roots=1,
        provisional=Decimal(0),
        settled=Decimal("0.095162581964"),
        reversed=Decimal(0),
        calls=1,
        cost_nano_usd=500_000_000,
    )
    assert found.encoded() == recomputed(leaves).encoded()
    assert b'"settled":"0.095162581964"' in found.encoded()


def test_a_root_is_folded_again_when_its_acceptance_turns_out_to_be_older() -> None:
    early, late = call(1, {1}), call(2, {2}, received_at_us=NOW_US + 2 * DAY_US)
    first, folded = outcome(at_us=NOW_US + DAY_US), credit.Credit()
    for leaf in (*early, *late, valuation()):
        assert folded.take(leaf) == ""
    assert folded.take(first) == "PAY-1"
    assert folded.roots["PAY-1"].calls == 2
    folded.refold("PAY-1", [*early, *late, first])
    assert folded.roots["PAY-1"].calls == 1
    assert folded.roots["PAY-1"].all_calls == 2
    assert credit.statement(folded.roots, POLICIES, LATER_US).roots[0].units == 1
