"""Rows as auditors read them."""

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger
from gateway.errors import ConfigError
from gateway.ledger import projection
from tests.stores.ledgers import NOW_US, intent, refusal, settle


@given(st.decimals(0, 10**6, allow_nan=False, places=None))
def test_nano_dollars_are_rounded_up(cost: Decimal) -> None:
    expected = int((cost * 10**9).to_integral_value(ROUND_CEILING))
    assert projection.nano_usd(f"{cost:f}") == expected
    assert projection.nano_usd(str(cost)) == expected


@pytest.mark.parametrize(
    ("cost_usd", "nano"), [("0", 0), ("0.000000001", 1), ("0.0000000001", 1), ("1E-7", 100)]
)
def test_nano_dollars_of_some_amounts(cost_usd: str, nano: int) -> None:
    assert projection.nano_usd(cost_usd) == nano


def test_a_row_has_every_name_in_order() -> None:
    for call, settled in ((intent(1), None), (intent(1), settle(1)), (refusal(1), None)):
        assert tuple(projection.row(call, settled, 3)) == tuple(projection.COLUMNS)


def test_an_orphan_settles_at_its_bound() -> None:
    settled = projection.orphan(intent(1), ("r1", 7), NOW_US)
    assert settled.completion == "unknown_crash"
    assert (settled.input_tokens, settled.output_tokens) == (100, 900)
    assert (settled.cost_usd, settled.usage_basis, settled.status) == ("0.5", "estimated", 0)
    assert (settled.replica, settled.replica_seq) == ("r1", 7)


def test_a_refusal_matches_the_model_that_was_asked_for_only() -> None:
    assert projection.matches(ledger.Query(model="fast"), refusal(1), None)
    assert not projection.matches(ledger.Query(model="gpt-5-mini"), refusal(1), None)
    assert projection.matches(ledger.Query(model="gpt-5-mini"), intent(1), None)


def test_only_the_people_asked_for_match() -> None:
    assert projection.matches(ledger.Query(), intent(1), {"c" * 32})
    assert not projection.matches(ledger.Query(), intent(1), set())


def test_budgets_name_facts_or_columns() -> None:
    assert projection.spent_columns(["principal.id", "team"]) == ("principal", "team")
    with pytest.raises(ConfigError):
        projection.spent_columns(["attempt_id"])


def test_totals_add_what_has_the_same_values() -> None:
    parts = [(("b",), 1), (("a",), 2), (("b",), 3)]
    assert projection.total(parts) == [(("a",), 2), (("b",), 4)]


def test_a_call_adds_to_the_budgets_of_who_made_it() -> None:
    call, settled = intent(1), settle(1, cost_usd="0.0000000015")
    names = {call.principal: "alice"}

    by_person = projection.part(call, settled, ["principal", "task_id"], "cost_usd", names)
    by_stranger = projection.part(call, settled, ["principal"], "calls", {})

    assert by_person == (("alice", call.task_id), 2)
    assert by_stranger == ((call.principal,), 1)
    tokens = settled.input_tokens + settled.output_tokens
    assert projection.part(call, settled, [], "tokens", names) == ((), tokens)
