"""The benchmark of attacks, small: against two gateways, and its own arithmetic."""

import json
import re
from pathlib import Path
from random import Random

import pytest

from benchmarks.goodhart import __main__ as program
from benchmarks.goodhart import meters, spendlogs, statistics, table, trial
from benchmarks.goodhart.attacks import ATTACKS, ELSEWHERE
from benchmarks.goodhart.honest import honest
from benchmarks.goodhart.stage import Stage
from benchmarks.goodhart.statistics import Figure

SMALL = (
    *("A01", "A02", "A03", "A12", "A13", "A15", "A18", "A24", "A26", "A36", "A37", "A40"),
    *("A41", "A42", "A43", "A46", "A54", "A55", "B08", "A36b"),
)


def test_what_attacks_gain_on_two_gateways(tmp_path: Path) -> None:
    """Counts rise with the calls; credit does not, but for a reviewer who plays along."""
    with Stage(tmp_path) as stage:
        reads = trial.run(stage, trial.trials([0], trial.chosen(SMALL), [3]))
        credit, reported = stage.credit(), stage.reported()
    assert {root: credit[root] for root in reported} == dict(reported)
    rows = {row.attack: row for row in table.rows(reads)}
    assert set(rows) == set(SMALL)
    assert [row.attack for row in table.failed(rows.values())] == []
    assert rows["A01"].inflation["raw requests"].mean == pytest.approx(2)
    assert rows["A42"].inflation["task-checked"].mean == pytest.approx(2, abs=0.2)
    assert 0 < rows["A42"].inflation["credit"].mean < 0.03
    assert rows["A36b"].inflation["credit"].mean > 0.05
    suffered = table.honest(reads)
    assert (suffered.blocked, suffered.zero) == (0, 0)
    said = table.suffering([read for read in reads if read.attack == trial.HONEST])
    assert said.startswith(f"0 of {suffered.calls} calls blocked")
    assert "0 of 11 accepted roots without credit" in said
    assert re.search(r"credit [12]\.\d+ % below what they are worth", said)
    page = table.text(list(rows.values()), suffered)
    assert "NOT held" not in page
    assert table.plot(list(rows.values())).startswith("<svg")


def test_the_whole_catalogue_is_there() -> None:
    numbered = {f"A{number:02}" for number in range(1, 58)}
    assert numbered - {name[:3] for name in ATTACKS} == set(ELSEWHERE)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack_leaves_honest_work_as_it_is_and_comes_again_from_its_seed(name: str) -> None:
    scene = honest(1, "X")
    made = [ATTACKS[name].make(scene, Random("1"), 30) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].requests[: len(scene.requests)] == scene.requests
    assert set(scene.results) <= set(made[0].results)
    added = [*made[0].first, *made[0].requests[len(scene.requests) :]]
    assert not any(request.kind for request in added)


def test_honest_work_is_the_same_under_each_prefix() -> None:
    one, other = honest(3, "X"), honest(3, "Y")
    assert [each.body for each in one.requests] == [each.body for each in other.requests]
    assert [each.body for each in honest(4, "X").requests] != [each.body for each in one.requests]


def test_inflation_is_relative_and_paired() -> None:
    assert statistics.inflation([2, 4], [1, 2]) == Figure(1.0, 1.0, 1.0)
    found = statistics.inflation([1, 3, 1], [1, 1, 1])
    assert found.low <= found.mean <= found.high
    assert found.mean == pytest.approx(2 / 3)
    assert statistics.inflation([0], [0]) == Figure(0, 0, 0)
    assert statistics.gaming_gain(Figure(0.1, 0, 0.2), Figure(10, 9, 11)) == Figure(0.01, 0, 0.02)
    assert statistics.gaming_gain(found, Figure(0, 0, 0)) is None
    assert statistics.wilson_upper(0, 100) == pytest.approx(0.037, abs=1e-3)
    assert statistics.wilson_upper(0, 0) == 1


def test_an_attack_that_gains_too_much_is_told() -> None:
    """A check that could not fail would be none."""
    gained = {name: Figure(0.01, 0.01, 0.01) for name in meters.NAMES}
    row = table.Row(
        attack="A01",
        budget=3,
        inflation=gained,
        gain=Figure(0.5, 0.5, 0.5),
        others=Figure(0, 0, 0),
        seeds=1,
    )
    assert table.failed([row]) == [row]
    assert "NOT held" in table.text([row], table.Honest(blocked=0, calls=1, zero=0, worked=1))


LOG = [
    {"user": "ann", "total_tokens": 10, "request_tags": '["task:PAY-1"]', "model": "m"}
    | {"messages": [{"role": "user", "content": "why does the parser drop the last line of it"}]},
    {"user": "ann", "total_tokens": 10, "request_tags": ["task:PAY-1"], "model": "m"}
    | {"messages": '[{"role": "user", "content": "why does the parser drop the last line of it"}]'},
    {"user": "bob", "total_tokens": 5, "request_tags": None, "messages": "{}", "model": "m"},
]


def test_a_foreign_log_is_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "logs.jsonl"
    file.write_text("\n".join(map(json.dumps, LOG)) + "\n\n")
    found = spendlogs.scored(file)
    assert (found.meters["raw requests"], found.meters["raw tokens"]) == (3, 25)
    assert found.meters["exact hash"] == 1
    assert (found.with_text, found.with_task, found.credit_max) == (2, 2, None)
    best = spendlogs.scored(file, ["PAY-1"]).credit_max
    assert best == pytest.approx(0.451, abs=0.01)
    assert program.main(["--spendlogs", str(file), "--accepted", "PAY-1"]) == 0
    assert "at most 0.451" in capsys.readouterr().out
    assert program.main(["--spendlogs", str(file)]) == 0
    assert "no call has a verified task" in capsys.readouterr().out


def test_a_log_that_is_none_is_told_by_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "logs.jsonl"
    file.write_text("{}\nno json\n")
    assert program.main(["--spendlogs", str(file)]) == 2
    assert ":2: this is no JSON object" in capsys.readouterr().err
    assert program.main(["--spendlogs", str(tmp_path / "none")]) == 2
