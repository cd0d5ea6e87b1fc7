"""The meter over a log: who makes more calls without more coming of it is seen."""

import pytest

from gateway.reports import meter
from gateway.reports.account import account
from gateway.reports.meter import week_of
from tests.unit.credit.stories import DAY_US, NOW_US, outcome, valuation
from tests.unit.reports.work import Log, task

WEEK_US = 7 * DAY_US
TEAMS = ("pay", "web")


def test_a_week_begins_on_monday() -> None:
    monday = 1_795_392_000
    assert week_of(monday) == week_of(monday + 6 * 86_400) == week_of(monday - 1) + 1
    assert meter._date(week_of(monday)) == "2026-11-23"


def test_calls_that_bring_no_outcomes_drift_and_credit_does_not() -> None:
    """Eight weeks of work as it should be; then the calls of who finishes nothing rise."""
    log, tasks = Log(), []
    first = week_of(NOW_US // 1_000_000) // 8 * 8
    for week in range(16):
        at_us = (first + week) * WEEK_US - 3 * DAY_US + DAY_US
        for team_number, team in enumerate(TEAMS):
            done = (week * 7 + team_number * 3) % 5 + 1
            for number in range(done):
                name = f"{team.upper()}-{week}{number}"
                tasks.append(task(name, team=team))
                log.calls(name, ["ann"], received_at_us=at_us)
                log.accepted(name, team=team, at_us=at_us + 60_000_000)
            if week >= 8:
                waste = f"{team.upper()}-W{week}"
                tasks.append(task(waste, team=team))
                log.calls(waste, ["ann"], each=3 * (6 - done), received_at_us=at_us)
    found = meter.meter(log.store, tasks, NOW_US + 17 * WEEK_US)
    drifted = {name: each["drifted"] for name, each in found["metrics"].items()}
    assert drifted == {"calls": True, "tokens": True, "credit": False}
    assert "calls goes with outcomes less" in found["metrics"]["calls"]["warning"]
    assert [each["cells"] for each in found["metrics"]["calls"]["windows"]] == [16, 16]
    assert found["metrics"]["credit"]["warning"] == ""


def test_each_task_of_a_root_is_an_outcome_and_has_its_part_of_the_credit() -> None:
    log = Log()
    log.calls("PAY-1", ["ann"], task_id="PAY-11")
    log.add(valuation(weights=(("PAY-11", "0.5"), ("PAY-12", "0.5"))))
    for number, week in ((11, 0), (12, 1)):
        name = f"PAY-{number}"
        at_us = NOW_US + DAY_US + week * WEEK_US
        log.add(outcome(number, task_id=name, subject=name, at_us=at_us))
    found = account(log.store, [], NOW_US + 30 * DAY_US)
    of: dict[str, dict[tuple[str, int], float]] = {"accepted": {}, "credit": {}}
    meter._add_outcomes(found, of)
    assert list(of["accepted"].values()) == [1, 1]
    assert sum(of["credit"].values()) == pytest.approx(float(found.statement.total))


def test_a_log_of_nothing_has_no_windows() -> None:
    found = meter.meter(Log().store, [], NOW_US)
    assert [each["windows"] for each in found["metrics"].values()] == [[], [], []]
