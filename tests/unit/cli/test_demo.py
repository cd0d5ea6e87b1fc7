"""`goodgate demo`: two gateways of its own, one minute of traffic, nothing left behind."""

import json
import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from gateway.cli import demo_stage, demo_traffic
from gateway.cli.terminal import Unreachable
from tests.unit.cli.conftest import Command


def test_every_run_sends_the_same_calls() -> None:
    assert demo_traffic.minute() == demo_traffic.minute()
    assert 300 <= len(demo_traffic.minute()) <= 600


def test_the_climber_leads_the_ranking_and_nothing_else(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes and real HTTP; the folders are gone afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    code, out, err = run("demo", "--json", PATH=os.defpath, GOODGATE_DATA="/nowhere")

    assert (code, err) == (0, "")
    shown = json.loads(out)
    shots = demo_traffic.minute()
    assert shown["raw"][0]["person"] == demo_traffic.CLIMBER
    assert sum(row["calls"] for row in shown["raw"]) == shown["calls"] == len(shots)
    assert shown["refused"]["task_not_yours"] == 40
    assert shown["refused"]["task_unknown"] == 20
    named = Counter(shot.task for shot in shots)
    assert shown["refused"]["task_required"] == named[""]
    usage = {row["task"]: row["calls"] for row in shown["tasks"]}
    assert usage["PAY-101"] == named["PAY-101"] - 40
    assert usage["SRCH-7"] == named["SRCH-7"]
    assert "SRCH-8" not in usage
    assert {row["reason"] for row in shown["unlinked"]} == {"closed"}
    assert sum(row["calls"] for row in shown["unlinked"]) == named["SRCH-8"]
    credit = {row["task"]: row for row in shown["credit"]}
    assert (credit["PAY-101"]["accepted"], credit["PAY-101"]["credit"]) == (1, "2.995")
    assert credit["SRCH-7"]["accepted"] == credit["OPS-3"]["accepted"] == 1
    assert credit["PAY-102"] | {"cost_usd": ""} == {
        "task": "PAY-102",
        "accepted": 0,
        "credit": "0.000",
        "calls": named["PAY-102"],
        "cost_usd": "",
    }
    climber = credit["GROW-1"]
    assert climber["calls"] > 0
    assert (climber["accepted"], climber["credit"]) == (0, "0.000")
    assert list(tmp_path.iterdir()) == []


def test_a_gateway_that_cannot_start_is_told_with_its_reason(tmp_path: Path) -> None:
    environ = {"PATH": os.defpath}

    with (
        pytest.raises(Unreachable, match=r"did not start: goodgate: error: .*no such folder"),
        demo_stage.serving(tmp_path, environ, "--policies", str(tmp_path / "none")),
    ):
        pytest.fail("it started")
