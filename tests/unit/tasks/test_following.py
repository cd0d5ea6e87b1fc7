"""What a tracker says of tasks, and what becomes of the catalogue."""

import itertools
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import tasks
from gateway.tasks import following
from gateway.values import Account, Task, TaskChange

PEOPLE = {"ann": "ann", "bob": "bob", "cfo": "cfo"}


def who(account: Account | None) -> str:
    if account is None or account.is_bot:
        return ""
    return PEOPLE.get(account.handle, "")


def change(task: str = "P-1", at: float = 10.0, **said: Any) -> TaskChange:
    return TaskChange(task=task, at=at, **said)


def taken(changes: Sequence[TaskChange], before: Iterable[Task] = ()) -> dict[str, Task]:
    """Return the catalogue after some changes in one message."""
    there = {task.id: task for task in before}
    known = tasks.Known(
        find=there.get,
        children=lambda above: [task.id for task in there.values() if task.parent_id == above],
    )
    found = tasks.followed(known, changes, tracker="jira", who=who, team="payments")
    return there | {task.id: task for task in found}


def one(*changes: TaskChange, before: Iterable[Task] = ()) -> Task:
    [task] = taken(changes, before).values()
    return task


def test_a_task_that_was_not_known_is_made() -> None:
    made = one(change("acme/web#12", title=" Log \u202e in\n"))
    assert (made.id, made.spelling, made.title) == ("ACME.WEB-12", "acme/web#12", "Log  in")
    assert (made.root_id, made.team, made.tracker) == ("ACME.WEB-12", "payments", "jira")
    assert (made.opened_at, made.changed_at, made.status) == (10.0, 10.0, "open")
    assert one(change(opened_at=3.0)).opened_at == 3.0


def test_what_can_be_no_task_is_passed() -> None:
    assert taken([change("no task at all")]) == {}


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    before = one(change(at=20.0, title="new"))
    assert one(change(at=19.0, title="old"), before=[before]) == before
    assert one(change(at=20.0, title="again"), before=[before]).title == "again"


def test_nothing_that_is_not_said_changes() -> None:
    before = one(
        change(
            title="t",
            url="https://x.example/1",
            owner=Account(handle="ann"),
            reviewers=(Account(handle="bob"),),
            creator=Account(handle="cfo"),
            value=Decimal(1),
            valued_by=Account(handle="cfo"),
            team="web",
        )
    )
    after = one(change(at=11.0), before=[before])
    assert after == tasks_replaced(before, changed_at=11.0)


def tasks_replaced(task: Task, **fields: Any) -> Task:
    names = {name: getattr(task, name) for name in task.__struct_fields__}
    return Task(**{**names, **fields})


def test_people_are_those_we_know() -> None:
    made = one(
        change(
            creator=Account(handle="ann"),
            owner=Account(handle="bob"),
            members=(Account(handle="ann"), Account(handle="stranger")),
            reviewers=(Account(handle="cfo"), Account(handle="stranger")),
        )
    )
    assert (made.creator, made.owner, made.by_bot) == ("ann", "bob", False)
    assert made.members == {"ann", "bob"}
    assert made.reviewers == {"cfo"}


def test_reviewers_nobody_knows_let_nobody_review() -> None:
    strangers = (Account(handle="stranger"),)
    assert one(change(reviewers=strangers)).reviewers == following.NOBODY
    assert one(change(reviewers=())).reviewers == frozenset()


def test_a_bot_is_nobody_and_is_remembered() -> None:
    made = one(change(creator=Account(handle="ann", is_bot=True)))
    assert (made.creator, made.by_bot) == ("", True)


def test_an_owner_is_a_member_too() -> None:
    before = one(change(members=(Account(handle="ann"),)))
    assert one(change(owner=Account(handle="bob")), before=[before]).members == {"ann", "bob"}


def test_a_value_is_worth_what_its_setter_is() -> None:
    before = one(change(value=Decimal(1), valued_by=Account(handle="cfo")))
    assert before.valued_by == "cfo"
    assert one(change(value=Decimal(1)), before=[before]).valued_by == "cfo"
    assert one(change(value=Decimal(9)), before=[before]).valued_by == ""
    stranger = Account(handle="stranger")
    assert one(change(value=Decimal(1), valued_by=stranger), before=[before]).valued_by == ""


@pytest.mark.parametrize("value", ["-1", "1000001", "NaN", "Infinity"])
def test_a_value_that_is_none_is_passed(value: str) -> None:
    assert one(change(value=Decimal(value))).value is None


def test_addresses_are_of_the_web() -> None:
    assert one(change(url="https://x.example/1")).url == "https://x.example/1"
    assert one(change(url="javascript:alert(1)")).url == ""
    assert one(change(url="https://x.example/\u202e")).url == ""


def test_spans_in_which_a_task_was_open_are_kept() -> None:
    task = one(change(at=1.0))
    for at, status in enumerate(["closed", "open"] * 40, 2):
        task = one(change(at=float(at), status=status), before=[task])
    assert len(task.intervals) == following.INTERVALS_MAX
    assert task.intervals[-1] == (79.0, 80.0)
    assert (task.opened_at, task.closed_at) == (81.0, None)


def test_when_a_task_was_closed_is_the_trackers_to_say() -> None:
    closed = one(change(status="closed", closed_at=8.0))
    assert closed.closed_at == 8.0
    again = one(change(at=12.0, status="closed"), before=[closed])
    assert again.closed_at == 8.0
    assert one(change(at=12.0, status="closed")).closed_at == 12.0


def test_one_whose_times_are_not_known_has_no_span() -> None:
    before = Task(id="P-1", spelling="P-1", root_id="P-1", status="closed")
    assert one(change(status="open"), before=[before]).intervals == ()


def test_a_task_below_another_has_its_root() -> None:
    found = taken([change("P-3", parent="P-2"), change("P-2", 11.0, parent="P-1")])
    assert [found[each].root_id for each in sorted(found)] == ["P-1", "P-1"]
    moved = taken([change("P-2", 12.0, parent="")], found.values())
    assert [moved[each].root_id for each in sorted(moved)] == ["P-2", "P-2"]
    assert moved["P-2"].parent_id == ""


def test_a_circle_is_nobodys_root() -> None:
    found = taken(
        [change("P-1", parent="P-2"), change("P-2", parent="P-1"), change("P-3", parent="P-3")]
    )
    assert [found[each].root_id for each in sorted(found)] == ["P-1", "P-2", "P-3"]


def test_what_an_earlier_version_wrote_keeps_its_root() -> None:
    before = Task(id="P-2", spelling="P-2", root_id="P-1")
    assert one(change("P-2", title="x"), before=[before]).root_id == "P-1"


def test_no_chain_is_followed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "DEPTH_MAX", 3)
    chain = [change(f"P-{number}", parent=f"P-{number + 1}") for number in range(9)]
    assert taken(chain)["P-0"].root_id == "P-0"
    monkeypatch.setattr(following, "BELOW_MAX", 2)
    assert taken(chain)["P-0"].parent_id == "P-1"


parents = st.sampled_from(["", "P-1", "P-2", "P-3", "P-4"])


@given(st.dictionaries(st.sampled_from(["P-1", "P-2", "P-3", "P-4"]), parents, min_size=1))
def test_the_order_in_which_tasks_are_told_does_not_matter(above: dict[str, str]) -> None:
    changes = [change(task, parent=parent) for task, parent in above.items()]
    expected = taken(changes)
    for order in itertools.permutations(changes):
        there: dict[str, Task] = {}
        for each in order:
            there = taken([each], there.values())
        assert there == expected
