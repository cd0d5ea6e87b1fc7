"""The benchmarks run; what they find is nobody's test."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.measures import Throughput
from benchmarks.report import Figures, targets
from tests.live.server import ROOT, environment


def test_a_short_run_measures_everything(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--seconds", "0.2", "--rounds", "1"),
            *("--leaves", "3000", "--entries", "3000", "--json", str(file)),
        ],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    assert figures["problems"] == []
    for measure in ("throughput", "latency", "streaming"):
        assert set(figures[measure]) >= {"bare", "goodgate"}
        assert all(found["failed"] == 0 for found in figures[measure].values())
    assert figures["resident_mb"]["goodgate"] > 10
    assert "reached" in done.stdout


def test_a_target_is_reached_at_its_bound() -> None:
    def rate(calls_per_s: float) -> Throughput:
        return Throughput(calls_per_s=calls_per_s, cpu_us_per_call=1, p50_ms=1, failed=0)

    figures = Figures(
        cores=(0, 1),
        throughput={"bare": rate(100), "goodgate": rate(45), "goodgate+valkey": rate(39)},
        resident_mb={"goodgate": 91},
    )

    assert {line.name: line.reached for line in targets(figures)} == {
        "calls/s, of bare": True,
        "calls/s with Valkey, of bare": False,
        "resident, MB": False,
    }
