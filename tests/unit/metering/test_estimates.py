"""What a call may come to, and what it came to."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import metering
from gateway.metering import PriceBook
from gateway.values import Call, Figures, Price, Reserve, Target, Usage
from tests.unit.wire.calls import call

BOOK = PriceBook(
    {
        "m": Price(
            input=Decimal(1),
            output=Decimal(10),
            cache_write=Decimal(2),
            input_tokens_max=1000,
            output_tokens_max=500,
        ),
        "open": Price(input=Decimal(1), output=Decimal(10)),
    }
)
M = Target(provider="p", model="m", format="openai")
OPEN = Target(provider="p", model="open", format="openai")
UNKNOWN = Target(provider="p", model="nobody", format="openai")


def test_a_reservation_is_what_was_asked_for():
    asked = call("chat", messages=[], max_tokens=100, n=2)
    reserve = metering.reserve(asked, M, BOOK)
    assert reserve.output_tokens == 200
    assert reserve.input_tokens == asked.input_tokens_estimate
    assert reserve.cost_usd == (Decimal(asked.input_tokens_estimate) + 2000) / 10**6


def test_a_reservation_is_never_more_than_the_model_can_use():
    asked = call("chat", messages=["x" * 9000], max_tokens=10**9, n=3)
    reserve = metering.reserve(asked, M, BOOK)
    assert (reserve.input_tokens, reserve.output_tokens) == (1000, 1500)


@pytest.mark.parametrize(("target", "output"), [(M, 500), (OPEN, 4096), (UNKNOWN, 4096)])
def test_without_a_limit_the_models_own_is_reserved(target, output):
    assert metering.reserve(call("chat"), target, BOOK).output_tokens == output


def test_a_model_without_a_known_limit_may_use_what_was_asked_for():
    asked = call("chat", max_tokens=9000)
    assert metering.reserve(asked, OPEN, BOOK).output_tokens == 9000
    assert metering.reserve(asked, UNKNOWN, BOOK).cost_usd == 0


@pytest.mark.parametrize(
    ("asked", "ceiling", "output"),
    [
        (100, 50, 50),
        (100, 200, 100),
        (None, 50, 50),
        (None, 900, 500),
        (10**6, 900, 500),
        (0, 50, 0),
    ],
)
def test_what_a_rule_lets_an_answer_have_bounds_every_answer(asked, ceiling, output):
    target = msgspec.structs.replace(M, output_tokens_max=ceiling)
    made = call("chat", max_tokens=asked, n=3)
    assert metering.reserve(made, target, BOOK).output_tokens == 3 * output


def test_a_model_without_a_known_limit_may_use_all_a_rule_lets_it():
    target = msgspec.structs.replace(UNKNOWN, output_tokens_max=9000)
    assert metering.reserve(call("chat"), target, BOOK).output_tokens == 9000


def test_embeddings_make_no_output_and_may_carry_many_inputs():
    reserve = metering.reserve(call("embeddings", input=["x" * 600] * 10), M, BOOK)
    assert reserve.output_tokens == 0
    assert reserve.input_tokens > 1000


def test_counting_tokens_reserves_nothing():
    reserve = metering.reserve(call("count_tokens", messages=[]), M, BOOK)
    assert reserve == Reserve(input_tokens=0, output_tokens=0, cost_usd=Decimal(0))


def test_a_prompt_to_be_cached_is_reserved_at_the_rate_of_writing_it():
    marked = call("messages", max_tokens=0, system=[{"cache_control": {"type": "ephemeral"}}])
    assert metering.reserve(marked, M, BOOK).cost_usd == (
        Decimal(2 * marked.input_tokens_estimate) / 10**6
    )


@given(st.integers(0, 10**6) | st.none(), st.integers(1, 50), st.integers(0, 5000))
def test_a_reservation_stays_between_what_can_be_and_what_was_asked(limit, n, text):
    asked = call("chat", max_tokens=limit, n=n, messages=["x" * text])
    reserve = metering.reserve(asked, M, BOOK)
    assert 0 <= reserve.output_tokens <= n * 500
    assert limit is None or reserve.output_tokens == n * min(limit, 500)
    assert 0 < reserve.input_tokens <= 1000
    used = Usage(input_tokens=reserve.input_tokens, output_tokens=reserve.output_tokens)
    assert reserve.cost_usd == BOOK.cost_usd("m", used)


CHAT = call("chat", messages=["x" * 300])
REPORT = Usage(input_tokens=20, output_tokens=7, cache_read_tokens=3)


def test_the_providers_report_counts_when_the_reply_ended():
    figures = Figures(usage=REPORT, text_bytes=3000, text_events=90, ended=True)
    assert metering.usage(figures, CHAT) == REPORT


def test_a_report_of_a_cut_reply_is_raised_to_what_went_by():
    figures = Figures(usage=REPORT, text_bytes=300, text_events=10)
    assert metering.usage(figures, CHAT) == Usage(
        input_tokens=20, output_tokens=100, cache_read_tokens=3, basis="estimated"
    )
    assert metering.usage(Figures(usage=REPORT), CHAT).output_tokens == 7


def test_a_report_of_a_reply_that_failed_half_way_is_raised_too():
    figures = Figures(usage=REPORT, text_bytes=300, text_events=10, ended=True, failed=True)
    assert metering.usage(figures, CHAT).output_tokens == 100


@pytest.mark.parametrize(
    ("text_bytes", "text_events", "output"), [(0, 0, 0), (1, 1, 1), (7, 1, 3), (9, 5, 5)]
)
def test_without_a_report_usage_is_estimated_upwards(text_bytes, text_events, output):
    figures = Figures(text_bytes=text_bytes, text_events=text_events, ended=True)
    assert metering.usage(figures, CHAT) == Usage(
        input_tokens=CHAT.input_tokens_estimate, output_tokens=output, basis="estimated"
    )


def test_a_call_that_failed_before_the_first_word_used_nothing():
    assert metering.usage(Figures(failed=True, ended=True), CHAT) == Usage(basis="estimated")
    spoken = Figures(failed=True, text_bytes=3, text_events=1)
    assert metering.usage(spoken, CHAT).input_tokens == CHAT.input_tokens_estimate


def test_embeddings_never_use_output():
    asked: Call = call("embeddings", input="x")
    assert metering.usage(Figures(text_bytes=900, text_events=1), asked).output_tokens == 0


def test_counting_tokens_uses_nothing():
    asked = call("count_tokens", messages=[])
    assert metering.usage(Figures(), asked) == Usage()
    assert metering.usage(Figures(usage=Usage(), ended=True), asked) == Usage()


def test_what_a_message_reports_at_its_start_is_no_final_figure() -> None:
    """A stream whose `message_delta` has no usage is estimated, however well it ended."""
    begun = Usage(input_tokens=0, output_tokens=1, basis="estimated")
    figures = Figures(usage=begun, text_bytes=30, text_events=5, ended=True)

    used = metering.usage(figures, call("messages"))

    assert (used.output_tokens, used.basis) == (10, "estimated")
    assert used.input_tokens == call("messages").input_tokens_estimate
