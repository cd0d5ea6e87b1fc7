"""What was finished with AI's help, and the documents that say so."""

from typing import Any

import pytest

from gateway.reports import own, wins, wins_text
from gateway.reports.months import months
from tests.stores.ledgers import refusal
from tests.unit.credit.stories import DAY_US, NOW_US, outcome
from tests.unit.reports.work import AS_OF_US, Log, task

HOSTILE = "<script>alert(1)</script> | [x](javascript:1)"
CATALOGUE = [
    task("PAY-1", team="payments", use_case="search", title=HOSTILE, url="https://t.example/1"),
    task("PAY-2", team="payments", url="javascript:alert(1)"),
]


@pytest.fixture
def log() -> Log:
    made = Log()
    made.calls("PAY-1", ["ann"], each=2)
    made.calls("PAY-2", ["ben"])
    made.calls("PAY-3", ["ben"])
    made.accepted("PAY-1", at_us=NOW_US + 2 * DAY_US)
    made.accepted("PAY-2", at_us=NOW_US + 15 * DAY_US)
    made.accepted("PAY-9")
    return made


def found(log: Log, **changes: Any) -> dict[str, Any]:
    given = {"months": months("", ""), "as_of_us": AS_OF_US} | changes
    return wins.wins(log.store, CATALOGUE, **given)


def test_a_win_is_an_accepted_task_that_ai_was_used_for(log: Log) -> None:
    """PAY-3 was not accepted, and for PAY-9 nothing was asked."""
    rows = found(log)["wins"]
    shown = [(row["task_id"], row["state"], row["calls"], row["cost_usd"]) for row in rows]
    assert shown == [("PAY-2", "provisional", 1, "0.5"), ("PAY-1", "settled", 2, "1")]
    first = rows[1]
    assert first["hours"] in {48, 49}
    assert first["evidence"] == ["https://tracker.example/acme/web/pull/7"]
    assert first["accepted_by_others"] == 1
    [entry] = first["entries"]
    assert dict(log.store.outcomes())[entry].task_id == "PAY-1"


def test_what_was_asked_after_the_acceptance_alone_makes_no_win(log: Log) -> None:
    log.accepted("PAY-7", at_us=NOW_US + DAY_US)
    log.calls("PAY-7", ["ann"], received_at_us=NOW_US + 3 * DAY_US)
    assert "PAY-7" not in [row["task_id"] for row in found(log)["wins"]]


def test_nobody_is_named(log: Log) -> None:
    told = repr(found(log))
    for name in ("ann", "ben", *log.store.persons()):
        assert f"'{name}'" not in told


def test_what_was_undone_is_no_win(log: Log) -> None:
    undone = outcome(
        7, "reverted", root_id="PAY-1", task_id="PAY-1", subject="PAY-1", at_us=AS_OF_US
    )
    log.add(undone)
    assert [row["task_id"] for row in found(log)["wins"]] == ["PAY-2"]


def test_wins_are_asked_for_by_period_team_and_use_case(log: Log) -> None:
    assert [row["task_id"] for row in found(log, use_case="search")["wins"]] == ["PAY-1"]
    assert found(log, team="web")["wins"] == []
    assert [row["task_id"] for row in found(log, months=months("2026-12", ""))["wins"]] == ["PAY-2"]


def test_use_cases_are_summed(log: Log) -> None:
    groups = {each["use_case"]: each for each in found(log)["use_cases"]}
    assert set(groups) == {"", "search"}
    assert (groups["search"]["tasks"], groups["search"]["cost_per_task"]) == (1, "1")


def test_an_unscored_win_says_so(log: Log) -> None:
    log.store._policies.clear()
    assert {row["state"] for row in found(log)["wins"]} == {"unscored"}


def test_titles_and_links_from_trackers_do_nothing_in_a_document(log: Log) -> None:
    page, text = wins_text.html(found(log)), wins_text.markdown(found(log))
    assert "<script" not in page
    assert 'href="javascript' not in page
    assert "](javascript" not in text.replace("\\](javascript", "").replace("\\]\\(javascript", "")
    assert 'href="https://t.example/1"' in page
    assert "[PAY\\-1]" in text or "[PAY-1]" in text
    line = next(each for each in text.splitlines() if "t.example/1" in each)
    assert line.replace("\\|", "").count("|") == 7


def test_documents_say_what_they_rest_on(log: Log) -> None:
    shown = found(log)
    for text in (wins_text.html(shown), wins_text.markdown(shown)):
        assert shown["evidence"]["root"] in text
        assert "credit recompute" in text
        assert "Not proven" in text
        assert "accepted by 1 other person" in text


def test_a_document_of_nothing_says_that(log: Log) -> None:
    shown = found(log, team="nobody")
    assert wins_text.NOTHING in wins_text.html(shown)
    assert wins_text.NOTHING in wins_text.markdown(shown)


def test_a_link_that_would_break_its_cell_is_no_link(log: Log) -> None:
    shown = found(log)
    shown["wins"][0]["evidence"] = ["https://t.example/a|b", "x:y"]
    assert "a|b" not in wins_text.markdown(shown)


def test_a_person_sees_their_own_and_nobody_else_s(log: Log) -> None:
    log.add(refusal(900, principal=log.store.commitment("ben", NOW_US), root_id="PAY-2"))
    rows = own.own(log.store, "ben", AS_OF_US)["rows"]
    assert [(row["root_id"], row["calls"], row["accepted_tasks"]) for row in rows] == [
        ("PAY-2", 1, 1),
        ("PAY-3", 1, 0),
    ]
    assert own.own(log.store, "nobody", AS_OF_US)["rows"] == []
