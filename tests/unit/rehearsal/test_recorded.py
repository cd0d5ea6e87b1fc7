"""A record asked again: its facts, and what it can come to on other terms."""

from decimal import Decimal

from gateway.metering import PriceBook
from gateway.policy.facts import DECLARED, USAGE
from gateway.rehearsal.replays.people import People
from gateway.rehearsal.replays.recorded import Place, Places, Recorded
from gateway.settings.deployment import Deployment, ModelEntry
from gateway.values import Reserve, Terms
from tests.unit.rehearsal.records import decision, rules

PLAIN = rules()
ROUTING = rules("{id: cheap, route: {model: gpt-5-mini}}")
DEPLOYMENT = Deployment(
    providers={},
    models={
        "fast": ModelEntry(provider="openai", model="gpt-5-mini"),
        "gpt-5": ModelEntry(provider="openai"),
        "*": ModelEntry(provider="local"),
    },
)


def recorded(people: People | None = None, *, prices: bool = True) -> Recorded:
    book = PriceBook({}) if prices else None
    return Recorded(people or People(), Places(DEPLOYMENT), book)


def test_a_model_is_answered_by_whom_goodgate_yaml_says() -> None:
    places = Places(DEPLOYMENT)
    assert places.of("gpt-5", Terms()) == Place(provider="openai", model="gpt-5")
    fast = Terms(rule="r", model="fast")
    assert places.of("gpt-5", fast) == Place(provider="openai", model="gpt-5-mini")
    elsewhere = Terms(rule="r", provider="azure")
    assert places.of("gpt-5", elsewhere) == Place(provider="azure", model="gpt-5")
    assert places.of("other", Terms()) == Place(provider="local", model="other")
    unknown = Places().of("gpt-5", Terms(rule="r", model="fast"))
    assert unknown == Place(provider="", model="fast")


def test_under_its_own_policy_a_call_comes_to_what_was_recorded() -> None:
    record = decision(1, policy=ROUTING.digest, reserved_cost_usd="0.123", reserved_input_tokens=7)
    asked = recorded().asked(record, ROUTING)
    assert (asked.reserve.cost_usd, asked.reserve.input_tokens) == (Decimal("0.123"), 7)
    assert asked.reserve_for is None
    assert asked.usage_known
    assert asked.held
    for at_us in (record.at_us + 1, 1_795_000_000_123_457):
        assert recorded().asked(decision(1, at_us=at_us), ROUTING).now == at_us / 1_000_000


def test_under_another_policy_that_sends_it_as_asked_it_comes_to_what_was_asked() -> None:
    record = decision(1, route="cheap", model="gpt-5-mini", reserved_cost_usd="0.001")
    asked = recorded().asked(record, PLAIN)
    assert asked.reserve == Reserve(
        input_tokens=1_000, output_tokens=1_000, cost_usd=Decimal("0.01")
    )
    assert asked.reserve_for is None
    assert not asked.usage_known


def test_a_call_sent_as_it_was_comes_to_exactly_what_it_came_to() -> None:
    record = decision(1, reserved_cost_usd="0.0100000001")
    assert recorded().asked(record, PLAIN).reserve.cost_usd == Decimal("0.0100000001")
    routed = decision(1, route="cheap", model="gpt-5-mini", reserved_cost_usd="0.002")
    asked = recorded().asked(routed, ROUTING)
    assert asked.reserve_for is not None
    assert asked.reserve_for(Terms(rule="cheap", model="fast")).cost_usd == Decimal("0.002")


def test_a_call_sent_elsewhere_comes_to_the_price_there() -> None:
    terms = Terms(rule="cheap", model="fast", output_tokens_max=500)
    reserve = recorded().reserve(decision(1), terms)
    assert (reserve.input_tokens, reserve.output_tokens) == (1_000, 500)
    assert reserve.cost_usd == Decimal("0.00125")
    unpriced = recorded(prices=False).reserve(decision(1), terms)
    assert unpriced.cost_usd == Decimal("0.01")


def test_a_shorter_answer_comes_to_less_where_it_was_sent() -> None:
    record = decision(1, facts={"call.choices": 2})
    reserve = recorded().reserve(record, Terms(output_tokens_max=100))
    assert (reserve.output_tokens, reserve.cost_usd) == (200, Decimal("0.00325"))


def test_a_price_nobody_knows_is_none() -> None:
    assert recorded().cost_nano_usd("nobody-knows-it", 1, 1) is None
    assert recorded().cost_nano_usd("gpt-5-mini", 1_000, 0) == 250_000


def test_a_person_who_is_known_is_named_to_conditions_and_to_nobody_else() -> None:
    people = People(lambda name, _: f"~{name}", principals=["alice"], keys=["k1"])
    made = recorded(people)
    facts = {"principal.id": "~alice", "principal.key_id": "~key k1"}
    record = decision(1, facts=facts)
    asked = made.asked(record, PLAIN)
    assert (asked.facts["principal.id"], asked.facts["principal.key_id"]) == ("alice", "k1")
    assert record.facts["principal.id"] == "~alice"
    unknown_key = decision(2, facts=facts | {"principal.key_id": "~key k2"})
    assert made.asked(unknown_key, PLAIN).facts["principal.key_id"] == "~key k2"
    assert made.unnamed == 0
    assert made.asked(decision(3), PLAIN).facts["principal.id"] == "alice"
    assert made.unnamed == 1


def test_facts_that_were_not_declared_then_say_nothing() -> None:
    record = decision(1)
    for name in ("call.client", "task.lenient", "likeness.kind", "task.value"):
        del record.facts[name]
    made = recorded()
    facts = made.asked(record, PLAIN).facts
    assert (facts["call.client"], facts["task.lenient"]) == ("", False)
    assert (facts["likeness.kind"], facts["task.value"]) == ("new", 0.0)
    assert made.incomplete == 1
    assert {name for name in DECLARED if not name.startswith(USAGE)} <= facts.keys()


def test_calls_nobody_compared_are_like_no_other() -> None:
    made = recorded()
    one, two = (
        made.asked(decision(n, compared=False, facts={"likeness.cluster": ""}), PLAIN).facts[
            "likeness.cluster"
        ]
        for n in (1, 2)
    )
    assert one != two
    short = decision(3, compared=False, facts={"likeness.kind": "short"})
    assert made.asked(short, PLAIN).facts["likeness.cluster"] == ""
