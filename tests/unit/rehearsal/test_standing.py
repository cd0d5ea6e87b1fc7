"""How quotas and budgets stood, in figures and in words."""

import pytest

from gateway.ledger import Level
from gateway.policy import Limit, plan
from gateway.rehearsal.explanations import standing
from gateway.rehearsal.explanations.standing import Standing
from gateway.values import Draw
from tests.unit.policy.cases import NOW, RESERVE, facts, load


def drawn(text: str) -> tuple[Limit, Draw]:
    policies = load(f"{{id: x, {text}}}")
    limit = policies.rule("x").limit
    assert limit is not None
    return limit, plan(policies, facts(), RESERVE, NOW).draws[0]


def stood(text: str, said: Level | None) -> Standing:
    return standing.standing(*drawn(text), said, NOW)


def level(amount: int, remaining: int, *, taken: bool, wait_s: float) -> Level:
    return Level("x", amount, remaining, taken, wait_s)


QUOTA = "quota: {calls: 10, per: 1m, by: [principal]}"
BUDGET = "budget: {cost_usd: 4, period: day, by: [team]}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (QUOTA, "10 calls per 1m for each principal"),
        (BUDGET, "4 USD per day for each team"),
        ("quota: {concurrent: 3, by: [principal]}", "3 calls at once for each principal"),
    ],
)
def test_a_limit_is_told_in_words(text: str, words: str) -> None:
    assert standing.words(drawn(text)[0]) == words


def test_what_nobody_asked_has_no_level() -> None:
    found = stood(QUOTA, None)
    assert (found.asked, found.before, found.fits) == (1, None, None)
    assert found.words == "10 calls per 1m for each principal; this call counts 1 call"
    assert stood(BUDGET, None).words == "4 USD per day for each team; this call counts 0.0123 USD"


def test_a_level_is_told_before_and_after_the_call() -> None:
    found = stood(QUOTA, level(1, 6, taken=True, wait_s=0.0))
    assert (found.before, found.after, found.fits, found.frees_at) == (3, 4, True, None)
    assert found.words == "3 of 10 calls used; with this call 4"


def test_what_had_room_and_was_not_taken_stays_as_it_was() -> None:
    found = stood(QUOTA, level(1, 6, taken=False, wait_s=0.0))
    assert (found.before, found.after, found.fits) == (4, 4, True)
    assert found.words == "4 of 10 calls used"


def test_a_full_quota_says_when_the_call_would_fit() -> None:
    found = stood(QUOTA, level(1, 0, taken=False, wait_s=6.0))
    assert (found.fits, found.frees_at) == (False, "2026-11-22 12:00:06 UTC")
    assert found.words == (
        "10 of 10 calls used; this call would need 1 more; free for it again at "
        "2026-11-22 12:00:06 UTC"
    )


def test_a_budget_says_when_its_period_ends_and_counts_in_usd() -> None:
    found = stood(BUDGET, level(50_000_000, 40_000_000, taken=False, wait_s=3_600.0))
    assert (found.before, found.limit, found.asked) == (3.96, 4, 0.05)
    assert found.words.startswith("3.96 of 4 USD used; this call would need 0.05 more; free")
    assert found.frees_at == "2026-11-23 00:00:00 UTC"


def test_a_call_larger_than_the_whole_limit_never_fits() -> None:
    found = stood(BUDGET, level(5_000_000_000, 4_000_000_000, taken=False, wait_s=3_600.0))
    assert found.words == (
        "0 of 4 USD used; this call would need 5 more, more than the whole limit: it can never fit"
    )


def test_a_recorded_level_stands_for_what_the_store_said() -> None:
    _, draw = drawn(QUOTA)
    said = standing.reading(draw, level(2, 1, taken=False, wait_s=6.0))
    assert (said.draw.amount, said.taken, said.remaining, said.retry_after_s) == (2, False, 1, 6.0)
    assert said.draw.key == draw.key
