"""What came of the work, by what may be asked."""

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.reports import report as reports
from gateway.reports.blocks import FEW
from gateway.reports.months import months
from gateway.stores.memory_ledger import MemoryLedger
from gateway.values import Task
from tests.stores.ledgers import cost_intent, cost_settle, refusal
from tests.unit.credit.stories import DAY_US, NOW_US, outcome
from tests.unit.reports.work import AS_OF_US, Log, task

FIVE = ("ann", "ben", "cem", "dia", "eli")
SEARCH = task("PAY-1", team="payments", use_case="search")
CATALOGUE = [
    SEARCH,
    task("PAY-2", team="payments", use_case="search"),
    task("WEB-1", team="web", opened_at=NOW_US / 1e6 - 95 * 86_400),
    task("CAN-1", team="web", canary=True),
]


@pytest.fixture
def log() -> Log:
    made = Log()
    made.calls("PAY-1", FIVE)
    made.calls("PAY-2", ["fay"], each=2)
    made.calls("WEB-1", [*FIVE, "gus"])
    made.calls("CAN-1", FIVE)
    made.accepted("PAY-1")
    made.accepted("PAY-2")
    return made


def asked(log: Log, by: str = "team,month", **changes: Any) -> dict[str, Any]:
    given = {"months": months("", ""), "as_of_us": AS_OF_US} | changes
    return reports.report(log.store, CATALOGUE, by=reports.columns(by), **given)


def rows(found: dict[str, Any], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in found["rows"]]


def test_accepted_tasks_their_credit_and_full_cost_are_by_owning_team_and_month(log: Log) -> None:
    found = asked(log)
    assert rows(found, "team", "month", "accepted_tasks", "tasks", "calls", "cost_usd") == [
        ("payments", "2026-11", 2, 2, 7, "3.5"),
        ("web", "", 0, 2, 11, "5.5"),
    ]
    assert rows(found, "cost_per_accepted_task") == [("1.75",), (None,)]
    assert float(found["rows"][0]["settled"]) > 1.5
    assert found["rows"][0]["provisional"] == "0"
    assert found["total"]["calls"] == 18


def test_what_is_about_few_people_is_shown_with_what_is_nearest(log: Log) -> None:
    """The one person's task can neither be seen nor be worked out."""
    found = asked(log, "root")
    assert rows(found, "root_id", "people") == [(FEW, 6), ("CAN-1", 5), ("WEB-1", 6)]
    assert rows(asked(log, "use_case"), "use_case") == [("",), ("search",)]


def test_names_and_small_cells_are_shown_to_who_may_see_them(log: Log) -> None:
    found = asked(log, "root", revealed=True)
    named = dict(rows(found, "root_id", "names"))
    assert named["PAY-2"] == ["fay"]
    assert named["PAY-1"] == list(FIVE)
    assert not {"names", "fay"} & set(repr(asked(log, "root")).split("'"))


def test_a_log_about_few_people_shows_no_row_and_says_why() -> None:
    made = Log()
    made.calls("PAY-1", FIVE[:4])
    found = asked(made)
    assert (found["rows"], found["total"]["calls"]) == ([], 0)
    assert "--reveal" in found["withheld"]
    assert asked(Log())["withheld"] == ""


def test_people_that_were_erased_count_as_one() -> None:
    made = Log()
    made.calls("PAY-1", FIVE)
    made.store._salts = made.store._salts[:3]
    assert asked(made)["rows"] == []


def test_a_period_holds_what_was_first_accepted_in_it(log: Log) -> None:
    assert rows(asked(log, months=months("2026-11", "2026-11")), "team") == [("payments",)]
    none = asked(log, months=months("2026-12", ""))
    assert none["rows"] == []
    assert none["unlinked_share"]["calls"] == {"unlinked": "0", "of": "0", "share": None}


def test_one_team_alone_can_be_asked_for(log: Log) -> None:
    assert rows(asked(log, team="web"), "team", "calls") == [("web", 11)]
    assert asked(log, team="nobody")["rows"] == []


def test_a_reversal_is_shown_beside_what_stands(log: Log) -> None:
    log.add(
        outcome(
            5, "reverted", root_id="PAY-1", task_id="PAY-1", subject="PAY-1", at_us=AS_OF_US - 1
        )
    )
    [row, _] = asked(log)["rows"]
    assert row["accepted_tasks"] == 1
    assert float(row["reversed"]) > 0.9


def test_what_had_no_verified_task_is_in_tiers_of_its_own(log: Log) -> None:
    for number, reason in enumerate(("not_yours", "inferred", "none", "task_required")):
        log.store.add(cost_intent(number, reason=reason))
        log.store.add(cost_settle(number))
    log.add(refusal(900))
    found = asked(log)
    assert [(each["evidence"], each["calls"]) for each in found["spent"]] == [
        ("verified", 18),
        ("claimed", 1),
        ("inferred", 1),
        ("none", 1),
        ("refused", 2),
    ]
    assert found["unlinked_share"]["calls"] == {"unlinked": "3", "of": "21", "share": "0.1429"}


def test_what_looks_odd_is_marked_with_the_reason(log: Log) -> None:
    log.calls("PAY-3", ["fay"])
    log.accepted("PAY-3")
    marks = {(each["root_id"], each["mark"]): each["why"] for each in asked(log)["marks"]}
    assert set(marks) == {
        ("PAY-3", "thin"),
        ("WEB-1", "umbrella"),
        ("CAN-1", "canary"),
        ("CAN-1", "umbrella"),
    }
    assert marks["WEB-1", "umbrella"] == "open for 115 days with nothing of it accepted"
    assert marks["CAN-1", "umbrella"].startswith("over 20 % of its team's cost")


def test_what_cannot_be_scored_says_why() -> None:
    made = Log()
    made.calls("PAY-1", FIVE)
    made.accepted("PAY-1")
    made.store._policies.clear()
    [mark] = asked(made)["marks"]
    assert (mark["mark"], mark["root_id"]) == ("unscored", "PAY-1")


def test_it_says_how_to_work_it_out_again(log: Log) -> None:
    log.store._sign()
    found = asked(log)["evidence"]
    assert found["entries"] == log.store.size()
    assert found["checkpoint"] == log.store.checkpoint()
    assert found["root"] in found["checkpoint"]
    assert f"--entries {found['entries']}" in found["reproduce"]


@pytest.mark.parametrize("by", ["person", "principal", "team,person", ""])
def test_there_is_no_report_by_person(by: str) -> None:
    with pytest.raises(InvalidRequest, match="nobody can be ranked"):
        reports.columns(by)


def test_names_of_columns_are_taken_as_people_write_them() -> None:
    assert reports.columns("use-case, root,period") == ("use_case", "root_id", "month")


def test_a_root_no_catalogue_knows_is_a_root_all_the_same() -> None:
    made = Log()
    made.calls("OLD-1", FIVE)
    found = reports.report(
        made.store, list[Task](), by=("root_id",), months=months("", ""), as_of_us=AS_OF_US
    )
    assert [(row["root_id"], row["roots"]) for row in found["rows"]] == [("OLD-1", 1)]


def test_an_empty_log_is_reported_as_one() -> None:
    store = MemoryLedger(clock=lambda: (NOW_US - DAY_US) / 1e6)
    found = reports.report(store, CATALOGUE, by=("team",), months=months("", ""), as_of_us=AS_OF_US)
    assert (found["rows"], found["marks"], found["withheld"]) == ([], [], "")
