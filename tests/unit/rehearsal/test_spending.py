"""What the ledger would say budgets have spent."""

from gateway import policy
from gateway.rehearsal.spending import Spending
from gateway.rehearsal.trials.situations import AT, whole
from gateway.values import Usage
from tests.unit.rehearsal.records import rules

USED = Usage(input_tokens=100, output_tokens=50)
TEXT = (
    "{id: all, budget: {calls: 10, period: hour, by: []}}",
    "{id: dear, budget: {cost_usd: 10, period: day, by: [team]}}",
    "{id: long, when: call.stream, budget: {tokens: 1000, period: day, by: [principal, task]}}",
)
BUDGETS = {each.rule: each for each in rules(*TEXT).budgets}
LINKED = {"task.evidence": "verified", "principal.id": "ann", "task.id": "A-1"}


def spent(sums: Spending, rule: str, at: float = AT) -> dict[str, int]:
    budget: policy.Budget = BUDGETS[rule]
    return dict(sums.of_budget(budget, budget.bounds(at)[0]))


def called(sums: Spending, at: float = AT, **facts: str) -> None:
    told = LINKED | {name.replace("_", "."): value for name, value in facts.items()}
    for each in sums.of_call(whole(told, at), at):
        each.add(USED, 7)


def kept() -> Spending:
    sums = Spending()
    sums.under(tuple(BUDGETS.values()))
    return sums


def test_all_calls_count_whatever_the_rule_asks_for() -> None:
    sums = kept()
    called(sums)
    called(sums, principal_team="blue")
    called(sums, principal_team="blue")
    team = whole({}, AT)["principal.team"]
    assert spent(sums, "all") == {BUDGETS["all"].key(()): 3}
    assert spent(sums, "dear") == {
        BUDGETS["dear"].key((team,)): 7,
        BUDGETS["dear"].key(("blue",)): 14,
    }
    assert spent(sums, "long") == {BUDGETS["long"].key(("ann", "A-1")): 450}


def test_a_call_without_a_verified_task_has_no_name() -> None:
    sums = kept()
    called(sums, task_evidence="claimed")
    assert spent(sums, "long") == {}
    assert list(spent(sums, "all").values()) == [1]


def test_a_period_begins_with_nothing_and_takes_no_call_of_the_one_before() -> None:
    sums = kept()
    called(sums)
    later = BUDGETS["all"].bounds(AT)[1]
    assert spent(sums, "all", later) == {}
    called(sums, later)
    called(sums, AT)
    assert list(spent(sums, "all", later).values()) == [1]
    assert spent(sums, "all") == {}
    assert list(spent(sums, "long", later).values()) == [450]


def test_what_is_kept_already_goes_on_under_other_policies() -> None:
    sums = kept()
    called(sums)
    sums.under([BUDGETS["long"]])
    called(sums)
    assert list(spent(sums, "long").values()) == [300]
