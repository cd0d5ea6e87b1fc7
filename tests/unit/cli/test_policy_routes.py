"""`goodgate policy check --config`: `route` rules held against goodgate.yaml."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command

CONFIG = """\
providers:
  claude: {format: anthropic, base_url: "http://127.0.0.1:9/v1", api_key: "${CLAUDE_KEY}"}
models:
  claude-haiku: {provider: claude}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "goodgate.yaml").write_text(CONFIG)
    (tmp_path / "policies").mkdir()
    return tmp_path


def rule(folder: Path, text: str) -> None:
    (folder / "policies" / "a.yaml").write_text(f"version: 1\nrules:\n  - {{id: r, {text}}}\n")


def test_a_route_is_held_against_the_goodgate_yaml_that_is_known(
    run: Command, folder: Path
) -> None:
    rule(folder, "route: {model: claude-haiku}")
    policies, config = str(folder / "policies"), str(folder / "goodgate.yaml")
    note = "note: policies/a.yaml:3: the rule 'r' sends calls to claude-haiku at claude"

    assert note not in run("policy", "check", policies)[1]
    code, out, err = run("policy", "check", policies, "--config", config, CLAUDE_KEY="k")
    assert (code, err) == (0, "")
    assert note in out
    assert note in run("policy", "check", policies, GOODGATE_CONFIG=config, CLAUDE_KEY="k")[1]
    asked = run("policy", "check", policies, "--config", config, "--json", CLAUDE_KEY="k")[1]
    assert "will be refused" in json.loads(asked)["notes"][0]


def test_a_route_to_nobody_is_a_no(run: Command, folder: Path) -> None:
    rule(folder, "route: {model: claude-hiku}")
    policies, config = str(folder / "policies"), str(folder / "goodgate.yaml")

    assert run("policy", "check", policies)[0] == 0
    code, out, err = run("policy", "check", policies, "--config", config, CLAUDE_KEY="k")
    assert (code, out) == (1, "")
    assert "policies/a.yaml:3: the rule 'r' sends calls to the model 'claude-hiku'" in err
    assert "did you mean 'claude-haiku'?" in err


def test_only_who_checks_a_route_needs_the_secrets_goodgate_yaml_names(
    run: Command, folder: Path
) -> None:
    policies, config = str(folder / "policies"), str(folder / "goodgate.yaml")
    rule(folder, "effect: forbid")
    assert run("policy", "check", policies, GOODGATE_CONFIG=config)[0] == 0
    rule(folder, "route: {provider: claude}")
    code, _, err = run("policy", "check", policies, GOODGATE_CONFIG=config)
    assert code == 1
    assert "CLAUDE_KEY" in err


def test_a_teams_own_file_is_checked_with_the_others(run: Command, folder: Path) -> None:
    rule(folder, "effect: forbid")
    teams = folder / "policies" / "teams"
    teams.mkdir()
    (teams / "payments.yaml").write_text("version: 1\nteam: sales\nrules: []\n")
    code, _, err = run("policy", "check", str(folder / "policies"))
    assert code == 1
    assert "policies/teams/payments.yaml:2" in err
