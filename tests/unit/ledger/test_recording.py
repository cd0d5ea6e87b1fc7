"""From what is known of a call to the records it leaves."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from gateway import ledger
from gateway.ledger import recording
from gateway.values import (
    Attempt,
    Call,
    Decision,
    Draw,
    Inbound,
    Principal,
    Reading,
    Refusal,
    Reserve,
    Result,
    Route,
    Target,
    TaskLink,
    Usage,
    Verdict,
)

STAMP = ("r1", 7)
VERIFIED = TaskLink(task_id="A-1", root_id="A-0", evidence="verified", source="header")
RESULT = Result(
    usage=Usage(input_tokens=10, output_tokens=5),
    cost_usd=Decimal("0.00000125"),
    completion="complete",
    status=200,
    settled_at_us=7_200_500_000,
    first_token_us=2_999,
)


def weekly(name: str, at_us: int) -> str:
    """Return what stands for a name: readable, so that a test can tell whose it is."""
    assert at_us == 7_199_500_000
    return f"week of {name}"


def attempt(link: TaskLink = VERIFIED, **changes: Any) -> Attempt:
    route = Route(name="chat", path="/", wire_format="openai", upstream_path="/")
    headers = changes.pop("headers", {})
    inbound = Inbound(route=route, path_task="", query=b"", headers=headers, body=b"{}")
    call = Call(
        inbound=inbound,
        model="m",
        stream=False,
        include_usage=False,
        output_tokens_max=None,
        choices=1,
        body_task="",
        session_hint="",
        branch_hint="",
        input_tokens_estimate=10,
    )
    plain = Attempt(
        request_id="req_1",
        attempt_id="att_1",
        received_at_us=7_199_500_000,
        call=call,
        principal=Principal(id="alice", team="t", key_id="k"),
        link=link,
        target=Target(provider="p", model="served", format="openai"),
        reserve=Reserve(input_tokens=10, output_tokens=90, cost_usd=Decimal("1E-7")),
        decision=Decision(effect="permit", policy="sha256:1"),
        catalogue="c",
        prices="b",
    )
    return msgspec.structs.replace(plain, **changes)


def refused(link: TaskLink) -> Attempt:
    why = Refusal(code="task_closed", message="…")
    return attempt(link, decision=Decision(effect="forbid", reasons=("r",), refusal=why))


def test_a_linked_call_is_a_pair_of_leaves() -> None:
    intent = ledger.intent(attempt(), "commitment", STAMP)
    settle = ledger.settle(attempt(), RESULT, STAMP)

    assert isinstance(intent, ledger.Intent)
    assert isinstance(settle, ledger.Settle)
    assert (intent.principal, intent.task_id, intent.root_id) == ("commitment", "A-1", "A-0")
    assert (intent.model_requested, intent.model_served) == ("m", "served")
    assert (settle.latency_ms, settle.first_token_ms) == (1000, 2)


def test_money_is_written_in_plain_digits() -> None:
    intent = ledger.intent(attempt(), "c", STAMP)
    settle = ledger.settle(attempt(), RESULT, STAMP)

    assert isinstance(intent, ledger.Intent)
    assert isinstance(settle, ledger.Settle)
    assert intent.reserved_cost_usd == "0.0000001"
    assert settle.cost_usd == "0.00000125"
    assert recording.money(Decimal("0E-9")) == "0"


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (TaskLink(), "none"),
        (TaskLink(task_id="A-1", evidence="inferred", source="branch"), "inferred"),
        (TaskLink(task_id="A-1", evidence="claimed", problem="closed"), "closed"),
    ],
)
def test_an_unlinked_call_leaves_its_cost_and_no_person(link: TaskLink, reason: str) -> None:
    intent = ledger.intent(attempt(link), "", STAMP)
    settle = ledger.settle(attempt(link), RESULT, STAMP)

    assert isinstance(intent, ledger.CostIntent)
    assert isinstance(settle, ledger.CostSettle)
    assert (intent.reason, intent.hour, intent.settled) == (reason, 3600, False)
    assert (intent.reserved_tokens, settle.tokens) == (100, 15)
    assert b"alice" not in ledger.encode(intent) + ledger.encode(settle)


def test_a_refusal_is_an_entry_only_when_its_task_was_verified() -> None:
    linked = ledger.refusal(refused(VERIFIED), "c", STAMP)
    unlinked = ledger.refusal(refused(TaskLink()), "", STAMP)

    assert isinstance(linked, ledger.Refusal)
    assert (linked.code, linked.rules) == ("task_closed", ("r",))
    assert isinstance(unlinked, ledger.CostIntent)
    assert (unlinked.reason, unlinked.settled, unlinked.reserved_tokens) == ("task_closed", True, 0)


@pytest.mark.parametrize(
    ("header", "count"), [(b"2", 2), (b"1000", 0), (b"-1", 0), (b"x", 0), (b"", 0)]
)
def test_what_an_sdk_says_of_its_retries_is_kept_when_it_is_a_number(
    header: bytes, count: int
) -> None:
    intent = ledger.intent(attempt(headers={b"x-stainless-retry-count": header}), "c", STAMP)

    assert isinstance(intent, ledger.Intent)
    assert intent.retry_count == count


def test_the_decision_log_names_a_pseudonym() -> None:
    facts = {"principal.id": "alice", "principal.key_id": "k", "call.model": "m"}

    permitted = ledger.decision(attempt(), facts, (), weekly)
    refusal = ledger.decision(refused(VERIFIED), facts, (), weekly)

    assert permitted.facts == {
        "principal.id": "week of alice",
        "principal.key_id": f"week of key {attempt().principal.key_id}",
        "call.model": "m",
        "likeness.cluster": "",
    }
    assert permitted.principal == "week of alice"
    assert (permitted.effect, permitted.code, permitted.by_key) == ("permit", "", False)
    assert (refusal.effect, refusal.code) == ("forbid", "task_closed")


def test_the_decision_log_says_what_each_quota_said_but_the_meters() -> None:
    quota = Draw(rule="rate", key="rate/calls/", unit="calls", amount=1, limit=9, window_s=60.0)
    meter = msgspec.structs.replace(quota, rule="usage.task.day.calls", meter=True)
    readings = [
        Reading(draw=quota, taken=False, retry_after_s=2.5, remaining=0),
        Reading(draw=meter, taken=True, remaining=7),
    ]

    made = ledger.decision(attempt(), {}, readings, weekly)

    assert made.levels == (
        ledger.Level(rule="rate", amount=1, remaining=0, taken=False, retry_after_s=2.5),
    )
    assert (made.model, made.provider) == (attempt().target.model, attempt().target.provider)
    assert made.reserved_input_tokens == attempt().reserve.input_tokens
    assert not made.compared


def test_a_call_its_key_refused_is_marked_so() -> None:
    """No rule refused it, so no other policy would have served it."""
    by_key = Decision(effect="forbid", refusal=Refusal(code="model_not_allowed", message="no"))

    made = ledger.decision(msgspec.structs.replace(attempt(), decision=by_key), {}, (), weekly)

    assert made.by_key


def test_an_outcome_says_what_became_of_the_draws() -> None:
    result = Result(
        usage=Usage(input_tokens=3, output_tokens=4),
        cost_usd=Decimal("0.5"),
        completion="truncated",
        status=200,
        settled_at_us=77,
    )

    made = ledger.settled(attempt(), result, 500_000_000)
    back = ledger.released(attempt(), 78)

    assert (made.at_us, made.input_tokens, made.output_tokens) == (77, 3, 4)
    assert (made.cost_nano_usd, made.failed, made.released) == (500_000_000, True, False)
    assert made.request_id == back.request_id == attempt().request_id
    assert (back.at_us, back.cost_nano_usd, back.failed, back.released) == (78, 0, False, True)
    assert not ledger.settled(
        attempt(), msgspec.structs.replace(result, completion="complete"), 1
    ).failed


def test_a_cluster_links_no_two_pseudonyms_of_a_person() -> None:
    """A prompt repeated next month would otherwise tie the two commitments together."""
    verdict = Verdict(kind="exact", cluster="0123456789abcdef")
    made = msgspec.structs.replace(attempt(), verdict=verdict)

    entries = [ledger.intent(made, commitment, ("r", 1)) for commitment in ("m1", "m1", "m2")]

    assert isinstance(entries[0], ledger.Intent)
    clusters = [entry.cluster for entry in entries if isinstance(entry, ledger.Intent)]
    assert clusters[0] == clusters[1]
    assert len({*clusters, verdict.cluster}) == 3
