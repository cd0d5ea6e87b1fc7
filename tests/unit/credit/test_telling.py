"""From what a tracker told to leaves: who gains, who may take it, what it is worth."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import credit, ledger
from gateway.credit import telling
from gateway.credit.telling import Around
from gateway.values import Account, OutcomeEvent, Task, Telling

AT_US = 1_790_000_000_000_000
TEAMS = {"payments": frozenset({"ann", "bob", "cat"}), "": frozenset[str]()}


def task(task_id: str, parent: str = "", **said: Any) -> Task:
    root = said.pop("root_id", parent or task_id)
    return Task(id=task_id, spelling=task_id, parent_id=parent, root_id=root, **said)


def who(account: Account | None) -> str:
    return "" if account is None or account.is_bot else account.handle


def around(*catalogue: Task, last: tuple[int, str] = (-1, ""), taken: Sequence[str] = ()) -> Around:
    there = {each.id: each for each in catalogue}
    return Around(
        find=there.get,
        under=lambda root: [each for each in there.values() if each.root_id == root],
        team=lambda name: TEAMS.get(name, frozenset()),
        who=who,
        accepted_for=lambda _: taken,
        last_valuation=lambda _: last,
    )


def event(**said: Any) -> OutcomeEvent:
    fields: dict[str, Any] = {
        "event_id": "e1",
        "kind": "merged",
        "at": 1_789_999_000.5,
        "subject": "acme/web!3",
        "url": "https://user:pass@forge.example:8443/acme/web/pull/3?key=secret#x",
        "author": Account(handle="ann"),
        "reviewers": (Account(handle="bob"), Account(handle="robot", is_bot=True)),
        "tasks": ("PAY-2",),
    }
    return OutcomeEvent(**fields | said)


ROOT = task(
    "PAY-1", team="payments", value=Decimal("2.5"), valued_by="cfo", creator="pm", owner="olga"
)
BELOW = task("PAY-2", "PAY-1", members=frozenset({"ann", "dan"}), creator="pm")


def told(*catalogue: Task, said: OutcomeEvent | None = None, **more: Any) -> list[ledger.Leaf]:
    found = telling.told(
        said or event(), tracker="forge", around=around(*catalogue, **more), at_us=AT_US
    )
    return [leaf(each) for each in found]


def leaf(each: Telling, commitment: Callable[[str, int], str] = lambda who, _: who) -> ledger.Leaf:
    return telling.leaf(
        each, commitment=commitment, policy="sha256:p", catalogue="sha256:c", stamp=("r1", 9)
    )


def only(*catalogue: Task, said: OutcomeEvent | None = None, **more: Any) -> ledger.Outcome:
    found = told(*catalogue, said=said, **more)[-1]
    assert isinstance(found, ledger.Outcome)
    return found


def test_an_acceptance_is_told_after_what_its_root_is_worth() -> None:
    valuation, outcome = told(ROOT, BELOW)
    assert valuation == ledger.Valuation(
        at_us=AT_US,
        attempt_id=telling.valuation_id("PAY-1"),
        beneficiaries=("ann", "bob", "cat", "dan", "olga"),
        by_bot=False,
        catalogue="sha256:c",
        n=0,
        policy="sha256:p",
        replica="r1",
        replica_seq=9,
        root_id="PAY-1",
        team="payments",
        team_size=3,
        value="2.5",
        valued_by="cfo",
        weights=(ledger.Weight("PAY-2", "1.000000000000"),),
    )
    assert outcome == ledger.Outcome(
        at_us=AT_US,
        attempt_id=telling.outcome_id("forge", "e1"),
        author="ann",
        beneficiaries=("ann", "bob", "cat", "dan", "olga"),
        catalogue="sha256:c",
        creator="pm",
        event="merged",
        evidence="https://forge.example:8443/acme/web/pull/3",
        linked_by="tracker",
        occurred_at_us=1_789_999_000_500_000,
        policy="sha256:p",
        replica="r1",
        replica_seq=9,
        reviewers=("bob",),
        root_id="PAY-1",
        subject="ACME.WEB!3",
        task_id="PAY-2",
        team="payments",
        tracker="forge",
    )
    assert credit.judged(outcome) == ""
    folded = credit.Credit()
    for each in (valuation, outcome):
        folded.take(each)
    assert folded.roots["PAY-1"].worth[0].is_independent


def test_people_are_commitments_of_the_month_it_was_learnt_in() -> None:
    [first, outcome] = telling.told(
        event(), tracker="forge", around=around(ROOT, BELOW), at_us=AT_US
    )
    hidden = leaf(outcome, lambda person, at_us: f"{at_us}/{person}")
    assert isinstance(hidden, ledger.Outcome)
    assert hidden.author == f"{AT_US}/ann"
    assert hidden.reviewers == (f"{AT_US}/bob",)
    worth = leaf(first, lambda person, _: f"#{person}")
    assert isinstance(worth, ledger.Valuation)
    assert worth.valued_by == "#cfo"
    assert "ann" not in repr(outcome)


def test_what_is_no_acceptance_is_told_without_a_worth() -> None:
    self_taken = event(reviewers=(Account(handle="ann"),))
    assert [type(each) for each in told(ROOT, BELOW, said=self_taken)] == [ledger.Outcome]
    undone = event(kind="reopened")
    assert [type(each) for each in told(ROOT, BELOW, said=undone)] == [ledger.Outcome]


def test_a_worth_that_was_told_is_not_told_again() -> None:
    [first, _] = telling.told(event(), tracker="f", around=around(ROOT, BELOW), at_us=AT_US)
    known = (0, first.mark)
    assert len(told(ROOT, BELOW, last=known)) == 1
    assert telling.valued("PAY-1", around(ROOT, BELOW, last=known), AT_US) is None
    dearer = msgspec.structs.replace(ROOT, value=Decimal(9))
    again = telling.valued("PAY-1", around(dearer, BELOW, last=known), AT_US)
    assert again is not None
    later = leaf(again)
    assert isinstance(later, ledger.Valuation)
    assert (later.n, later.value, later.weights) == (1, "9", ())


def test_no_worth_is_told_before_an_acceptance() -> None:
    assert telling.valued("PAY-1", around(ROOT, BELOW), AT_US) is None
    assert telling.valued("PAY-1", around(), AT_US, is_first=True) is None


def test_what_is_for_no_task_or_for_two_names_nobody() -> None:
    for said, how in ((event(tasks=()), "nothing"), (event(tasks=("PAY-1", "PAY-2")), "ambiguous")):
        outcome = only(ROOT, BELOW, said=said)
        assert (outcome.linked_by, outcome.task_id, outcome.root_id) == (how, "", "")
        assert (outcome.author, outcome.reviewers, outcome.beneficiaries) == ("", (), ())


def test_a_root_that_is_kept_elsewhere_is_one_all_the_same() -> None:
    alone = task("PAY-2", "PAY-1", members=frozenset({"ann", "dan"}), creator="pm", team="payments")
    valuation, outcome = told(alone)
    assert isinstance(valuation, ledger.Valuation)
    assert isinstance(outcome, ledger.Outcome)
    assert (valuation.root_id, valuation.team, valuation.value) == ("PAY-1", "payments", "")
    assert outcome.team == "payments"


def test_a_task_without_a_root_is_its_own() -> None:
    bare = msgspec.structs.replace(BELOW, root_id="", parent_id="")
    assert only(bare).root_id == "PAY-2"


def test_only_named_reviewers_take_what_is_done() -> None:
    named = msgspec.structs.replace(ROOT, reviewers=frozenset({"cat"}))
    assert only(named, BELOW).reviewers == ()
    both = msgspec.structs.replace(BELOW, reviewers=frozenset({"bob"}))
    assert only(named, both).reviewers == ("bob",)


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ({"owner": "olga"}, "olga"),
        ({"members": frozenset({"ann"})}, "ann"),
        ({"members": frozenset({"ann", "dan"})}, ""),
    ],
)
def test_who_worked_on_what_is_closed_is_its_owner_or_its_one_member(
    fields: dict[str, Any], author: str
) -> None:
    closed = event(kind="closed", author=None)
    assert only(ROOT, task("PAY-2", "PAY-1", **fields), said=closed).author == author
    assert only(ROOT, task("PAY-2", "PAY-1", **fields), said=event(author=None)).author == ""


def test_a_bots_task_is_a_bots() -> None:
    assert only(ROOT, msgspec.structs.replace(BELOW, by_bot=True, creator="pm")).creator == "bot"
    worth = told(msgspec.structs.replace(ROOT, by_bot=True), BELOW)[0]
    assert isinstance(worth, ledger.Valuation)
    assert worth.by_bot


def test_what_undoes_something_is_told_of_that() -> None:
    said = event(kind="reverted", subject="acme/web!9", reverts="acme/web!3", tasks=())
    outcome = only(ROOT, BELOW, said=said, taken=["PAY-2"])
    assert (outcome.event, outcome.subject, outcome.task_id) == ("reverted", "ACME.WEB!3", "PAY-2")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://forge.example/a b", ""),
        ("javascript:alert(1)", ""),
        ("https://[::1", ""),
        ("https://forge.example:port/", ""),
        ("", ""),
        ("https:///path", ""),
        ("https://forge.example/" + "a" * 500, ""),
        ("http://Forge.example/a", "http://forge.example/a"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert only(ROOT, BELOW, said=event(url=url)).evidence == shown


def test_those_who_matter_are_kept_among_very_many() -> None:
    crowd = frozenset(f"p{number:04}" for number in range(telling.PEOPLE_MAX + 50))
    large = task("PAY-2", "PAY-1", members=crowd | {"zoe"}, creator="zoe")
    root = msgspec.structs.replace(ROOT, valued_by="p0560")
    valuation, outcome = told(root, large)
    assert isinstance(valuation, ledger.Valuation)
    assert isinstance(outcome, ledger.Outcome)
    assert len(outcome.beneficiaries) == len(valuation.beneficiaries) == telling.PEOPLE_MAX
    assert "zoe" in outcome.beneficiaries
    assert "p0560" in valuation.beneficiaries


def test_the_largest_valuation_fits_into_a_leaf() -> None:
    crowd = frozenset(f"person-{number:03}" for number in range(600))
    tasks = [task(f"PAY-{number}", "PAY-1", members=crowd) for number in range(1000, 1900)]
    valuation = told(ROOT, BELOW, *tasks)[0]
    assert isinstance(valuation, ledger.Valuation)
    assert len(valuation.weights) == 901
    wide = msgspec.structs.replace(valuation, beneficiaries=("c" * 32,) * telling.PEOPLE_MAX)
    assert len(ledger.encode(wide)) <= ledger.LEAF_BYTES_MAX


def shares(*family: Task) -> dict[str, Decimal]:
    return {each.task_id: Decimal(each.weight) for each in telling.weights("R-1", family)}


def test_a_root_alone_has_all_of_its_worth() -> None:
    assert shares(task("R-1")) == {"R-1": 1}


def test_shares_that_were_set_stand_and_the_rest_is_even() -> None:
    family = [task(f"T-{number}", "R-1") for number in range(3)]
    family[1] = msgspec.structs.replace(family[1], weight=Decimal("0.5"))
    assert shares(task("R-1"), *family) == {
        "T-0": Decimal("0.25"),
        "T-1": Decimal("0.5"),
        "T-2": Decimal("0.25"),
    }


def test_only_the_lowest_tasks_have_shares() -> None:
    assert shares(task("R-1"), task("T-1", "R-1"), task("T-2", "T-1", root_id="R-1")) == {"T-2": 1}


def test_shares_that_sum_to_something_else_stand_as_they_are() -> None:
    family = [task(f"T-{number}", "R-1", weight=Decimal("0.7")) for number in range(2)]
    assert sum(shares(task("R-1"), *family).values()) == Decimal("1.4")
    more = [*family, task("T-9", "R-1")]
    assert shares(task("R-1"), *more)["T-9"] == 0


def test_more_tasks_than_fit_have_no_shares() -> None:
    assert shares(*[task(f"T-{number}", "R-1") for number in range(2000)]) == {}


weights = st.none() | st.decimals("0", "0.1", places=20)


@given(st.lists(weights, min_size=1, max_size=9))
def test_shares_sum_to_one_exactly(given_weights: list[Decimal | None]) -> None:
    family = [task(f"T-{at}", "R-1", weight=each) for at, each in enumerate(given_weights)]
    made = shares(task("R-1"), *family)
    assert all(share >= 0 for share in made.values())
    if None in given_weights:
        assert sum(made.values()) == 1


def test_ids_are_one_for_each_event_and_root() -> None:
    assert telling.outcome_id("forge", "e1") == telling.outcome_id("forge", "e1")
    ids = {telling.outcome_id("forge", "e1"), telling.outcome_id("forg", "ee1")}
    assert len(ids | {telling.outcome_id("jira", "e1")}) == 3
    assert all(len(each) == 36 for each in ids)
