"""The facts of a call: all declared, all of their type, and no others."""

import sys
from decimal import Decimal

import pytest
from msgspec import structs

from gateway import policy
from gateway.ledger.projection import SPENT_BY
from gateway.policy.facts import COUNTABLE, DECLARED, KEPT, METERED_WHO, NOTHING_USED
from gateway.values import Reserve, TaskLink
from tests.unit.policy import cases

TYPES = {"text": str, "whole": int, "number": float, "flag": bool}


def test_every_declared_fact_is_there_and_of_its_type() -> None:
    found = cases.facts()
    assert set(found) == set(DECLARED) - set(NOTHING_USED)
    found |= NOTHING_USED
    for name, value in found.items():
        assert type(value) is TYPES[DECLARED[name].type], name


def test_a_fact_with_fixed_values_holds_one_of_them() -> None:
    for link in (TaskLink(), cases.LINKED):
        found = cases.facts(link)
        for name, fact in DECLARED.items():
            assert not fact.members or found[name] in fact.members, name


def test_what_a_call_is_like_is_not_known_at_first() -> None:
    found = cases.facts(tool_results_only=True)
    assert (found["likeness.kind"], found["likeness.cluster"]) == ("new", "")
    assert found["call.tool_results_only"]
    assert not cases.facts()["call.tool_results_only"]


def test_a_budget_counts_by_what_the_ledger_can_count_by() -> None:
    assert {COUNTABLE[name] for name in KEPT} == set(SPENT_BY)


def test_amounts_come_from_the_reservation() -> None:
    found = cases.facts(reserve=Reserve(input_tokens=3, output_tokens=4, cost_usd=Decimal("0.5")))
    assert found["call.input_tokens"] == 3
    assert found["call.output_tokens_max"] == 4
    assert found["call.cost_usd_max"] == 0.5


def test_time_is_told_in_utc() -> None:
    found = cases.facts(now=cases.NOW + 3 * 3600 + 61)
    assert (found["now.year"], found["now.month"], found["now.day"]) == (2026, 11, 22)
    assert (found["now.weekday"], found["now.hour"], found["now.minute"]) == ("sunday", 15, 1)


def test_what_can_be_counted_by_is_a_name_or_a_flag() -> None:
    assert COUNTABLE["principal"] == "principal.id"
    assert COUNTABLE["task"] == "task.id"
    assert COUNTABLE["likeness.cluster"] == "likeness.cluster"
    assert "likeness.kind" not in COUNTABLE
    assert {DECLARED[name].type for name in COUNTABLE.values()} == {"text", "flag"}


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (b"claude-cli/2.0.1 (external, cli)", "claude-cli"),
        (b"OpenAI/Python 2.3.0", "openai"),
        (b"curl", "curl"),
        (b"(a comment first)", ""),
        (b"\xff\xfe", ""),
        (b"", ""),
        (b"x" * 65, "x" * 64),
    ],
)
def test_a_client_is_the_first_product_it_names_itself_by(sent: bytes, client: str) -> None:
    made = cases.call()
    headers = {b"user-agent": sent} if sent else {}
    made = structs.replace(made, inbound=structs.replace(made.inbound, headers=headers))
    found = policy.facts(
        made, cases.ALICE, cases.LINKED, cases.RESERVE, cases.NOW, tool_results_only=False
    )
    assert found["call.client"] == client


def test_little_of_a_user_agent_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def client(sent: bytes) -> str:
        looked_at.append(len(sent))
        return ""

    monkeypatch.setattr(sys.modules["gateway.policy.facts"], "_client", client)
    made = cases.call()
    headers = {b"user-agent": b"curl/8 " + b"x" * 30_000}
    made = structs.replace(made, inbound=structs.replace(made.inbound, headers=headers))
    policy.facts(made, cases.ALICE, cases.LINKED, cases.RESERVE, cases.NOW, tool_results_only=False)
    assert looked_at == [64]


def test_usage_is_told_of_those_the_ledger_can_count_again() -> None:
    assert set(METERED_WHO.values()) <= {COUNTABLE[name] for name in KEPT}
    assert len(NOTHING_USED) == 24
    assert {type(nothing) for nothing in NOTHING_USED.values()} == {int, float}
