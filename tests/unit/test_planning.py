"""What rules make of a call before anybody asks what it repeats, told on the whole line."""

import pytest

from gateway import ledger
from tests.playbook import Playbook

OPEN = "version: 1\nrules:\n"

ROUTED = f"""{OPEN}
  - id: cheap
    when: call.model == "gpt-4o"
    route: {{model: gpt-4o-mini, provider: other}}
"""

CAPPED = f"""{OPEN}
  - id: short-answers
    effect: permit
    obligations:
      max_output_tokens: 50
      provider_headers: {{x-purpose: trial}}
      reply_headers: {{x-cost-centre: "7"}}
      note: Answers are short here.
"""


def decided(play: Playbook) -> ledger.DecisionRecord:
    """Return the last line of the decision log about a decision."""
    return play.decisions()[-1]


async def test_a_call_goes_where_a_rule_sends_it_and_the_entry_says_so() -> None:
    play = Playbook(ROUTED)

    await play.asks()

    intent = play.entries()[0]
    assert isinstance(intent, ledger.Intent)
    assert (intent.model_requested, intent.model_served) == ("gpt-4o", "gpt-4o-mini")
    assert (intent.provider, intent.rules) == ("other", ("cheap",))
    assert play.upstream.targets[0].model == "gpt-4o-mini"
    assert (decided(play).route, decided(play).model) == ("cheap", "gpt-4o-mini")


async def test_a_call_costs_what_the_model_costs_it_was_sent_to() -> None:
    routed, plain = Playbook(ROUTED), Playbook(OPEN.replace("rules:\n", "rules: []\n"))

    await routed.asks()
    await plain.asks()

    cheap, dear = routed.entries()[1], plain.entries()[1]
    assert isinstance(cheap, ledger.Settle)
    assert isinstance(dear, ledger.Settle)
    assert float(cheap.cost_usd) < float(dear.cost_usd)


async def test_a_rule_sees_the_call_as_asked_and_quotas_count_it_as_sent() -> None:
    """Else a rule that routes what is dear would no longer match once it had routed it."""
    play = Playbook(ROUTED + "  - {id: spend, quota: {cost_usd: 5, per: 1h, by: [principal]}}\n")

    await play.asks(max_tokens=1000)

    made = decided(play)
    (level,) = made.levels
    assert made.facts["call.model"] == "gpt-4o"
    assert made.facts["call.cost_usd_max"] * 1e9 > level.amount
    assert level.amount == pytest.approx(float(made.reserved_cost_usd) * 1e9, abs=1)


async def test_obligations_go_to_the_provider_and_to_the_caller() -> None:
    play = Playbook(CAPPED)

    admission = await play.admits(max_tokens=1000)
    await play.asks(max_tokens=1000)

    made = admission.attempt.decision
    assert made.reasons == ("short-answers",)
    assert made.obligations.note == "Answers are short here."
    assert made.obligations.reply_headers == (("x-cost-centre", "7"),)
    target = play.upstream.targets[0]
    assert target.output_tokens_max == 50
    assert target.headers == (("x-purpose", "trial"),)
    assert admission.attempt.reserve.output_tokens == 50


async def test_what_has_been_used_is_a_fact_where_a_rule_asks_for_it() -> None:
    play = Playbook(
        OPEN
        + "  - id: enough\n    when: usage.task.day.tokens >= 24\n    effect: forbid\n"
        + "    message: Enough for today.\n"
    )

    await play.asks("one")
    await play.asks("two")
    admission = await play.admits("three")

    assert admission.attempt.decision.reasons == ("enough",)
    assert decided(play).facts["usage.task.day.tokens"] == 24
    assert "usage.task.day.calls" not in decided(play).facts
    play.now += 86_400
    assert (await play.admits("four")).attempt.decision.effect == "permit"


async def test_a_call_its_key_may_not_make_gives_back_what_was_drawn() -> None:
    play = Playbook(OPEN + "  - {id: rate, quota: {calls: 2, per: 1h, by: [principal]}}\n")
    key = play.new_key("alice", models=["gpt-4o-mini"])

    for _ in range(5):
        await play.admits(key=key)

    assert decided(play).by_key
    assert decided(play).levels[0].remaining == 1
    assert [
        each.released
        for each in play.ledger.decision_log(0, 2**62)
        if isinstance(each, ledger.SettledRecord)
    ]
