"""What Prometheus reads."""

from gateway.values import Usage
from gateway.web.metrics import Exposition, Tally


def exposed(tally: Tally) -> str:
    return Exposition(tally, {"goodgate_answer": ("A gauge.", lambda: 42.0)}).text().decode()


def test_a_call_is_open_until_it_has_ended() -> None:
    tally = Tally()
    tally.began()
    assert "goodgate_open_calls 1.0" in exposed(tally)

    tally.ended("chat", "forwarded", 0.03)
    text = exposed(tally)

    assert "goodgate_open_calls 0.0" in text
    assert 'goodgate_calls_total{decision="forwarded",route="chat"} 1.0' in text
    assert 'goodgate_call_duration_seconds_bucket{le="0.025"} 0.0' in text
    assert 'goodgate_call_duration_seconds_bucket{le="0.05"} 1.0' in text
    assert 'goodgate_call_duration_seconds_bucket{le="+Inf"} 1.0' in text


def test_linked_and_unlinked_use_are_never_added_up() -> None:
    tally = Tally()
    tally.spent(Usage(input_tokens=5, output_tokens=7), 2_000_000_000, linked=True, priced=True)
    tally.spent(Usage(input_tokens=1), 0, linked=False, priced=False)
    text = exposed(tally)

    assert 'goodgate_tokens_total{kind="input",linked="yes"} 5.0' in text
    assert 'goodgate_tokens_total{kind="output",linked="yes"} 7.0' in text
    assert 'goodgate_tokens_total{kind="input",linked="no"} 1.0' in text
    assert 'goodgate_cost_usd_total{linked="yes"} 2.0' in text
    assert "goodgate_unpriced_calls_total 1.0" in text


def test_failures_and_gauges_are_shown() -> None:
    tally = Tally()
    tally.provider_failed("openai", "provider_timeout")
    tally.condition_failed(2)
    tally.recognised("near")
    text = exposed(tally)

    assert 'goodgate_upstream_errors_total{kind="provider_timeout",provider="openai"} 1.0' in text
    assert "goodgate_policy_condition_errors_total 2.0" in text
    assert "goodgate_answer 42.0" in text
    assert 'goodgate_likeness_total{kind="near"} 1.0' in text
