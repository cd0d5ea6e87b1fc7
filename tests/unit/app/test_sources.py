"""Policies held against goodgate.yaml: a rule sends calls only where somebody answers."""

from pathlib import Path

import pytest

from gateway.app import sources
from gateway.errors import ConfigError
from gateway.settings import Settings

CONFIG = """\
providers:
  cloud: {format: openai, base_url: "http://127.0.0.1:9/v1"}
  claude: {format: anthropic, base_url: "http://127.0.0.1:9/v1"}
  other: {format: litellm}
  local: {format: simulated}
models:
  gpt-5: {provider: cloud}
  claude-haiku: {provider: claude}
  gemini: {provider: other}
  sim: {provider: local}
"""
CATCH_ALL = '  "*": {provider: claude}\n'


@pytest.fixture
def options(tmp_path: Path) -> Settings:
    (tmp_path / "policies").mkdir()
    (tmp_path / "goodgate.yaml").write_text(CONFIG)
    return Settings(config=tmp_path / "goodgate.yaml", policies=tmp_path / "policies")


def rules(options: Settings, *routes: str) -> None:
    lines = [
        f"  - {{id: r{number}, when: 'call.choices == {number}', route: {{{route}}}}}"
        for number, route in enumerate(routes)
    ]
    assert options.policies is not None
    (options.policies / "a.yaml").write_text("\n".join(["version: 1", "rules:", *lines, ""]))


def mistakes(options: Settings) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        sources.read(options, {})
    return str(caught.value).splitlines()


def test_a_rule_that_sends_calls_to_nobody_is_a_mistake_at_its_place(options: Settings) -> None:
    rules(options, "model: gpt-6", "model: gpt-5", "provider: clod", "provider: x, model: gpt-5")
    assert mistakes(options) == [
        (
            "policies/a.yaml:3: the rule 'r0' sends calls to the model 'gpt-6', expected one of "
            f"`models` in {options.config}; did you mean 'gpt-5'?"
        ),
        (
            "policies/a.yaml:5: the rule 'r2' sends calls to the provider 'clod', expected one of "
            f"`providers` in {options.config}; did you mean 'cloud'?"
        ),
        (
            "policies/a.yaml:6: the rule 'r3' sends calls to the provider 'x', expected one of "
            f"`providers` in {options.config}; there are: claude, cloud, local, other"
        ),
    ]


def test_a_catch_all_serves_every_model_and_a_provider_knows_its_own(options: Settings) -> None:
    rules(options, "model: unheard-of")
    assert len(mistakes(options)) == 1
    assert options.config is not None
    options.config.write_text(CONFIG + CATCH_ALL)
    assert "(`format: anthropic`)" in sources.read(options, {}).notes[0]
    rules(options, "model: unheard-of, provider: local")
    assert sources.read(options, {}).notes == ()


def test_formats_that_a_rule_cannot_serve_are_told_in_a_note(options: Settings) -> None:
    rules(
        options,
        "model: gpt-5",
        "model: claude-haiku",
        "model: gemini",
        "model: sim",
        "provider: claude, model: gpt-5",
        "provider: claude",
    )
    refused = "calls that match it will be refused"
    chat = f"chat, completions, responses and embeddings {refused}"
    where = "policies/a.yaml"
    assert sources.read(options, {}).notes == (
        (
            f"{where}:3: the rule 'r0' sends calls to gpt-5 at cloud (`format: openai`): "
            f"messages and count_tokens {refused}"
        ),
        f"{where}:4: the rule 'r1' sends calls to claude-haiku at claude (`format: anthropic`): "
        + chat,
        (
            f"{where}:5: the rule 'r2' sends calls to gemini at other (`format: litellm`): "
            f"completions, responses, embeddings and count_tokens {refused}"
        ),
        f"{where}:7: the rule 'r4' sends calls to gpt-5 at claude (`format: anthropic`): " + chat,
        f"{where}:8: the rule 'r5' sends calls to claude (`format: anthropic`): " + chat,
    )


def test_mistakes_of_both_are_told_together(options: Settings) -> None:
    assert options.config is not None
    assert options.policies is not None
    options.config.write_text(CONFIG + "modles: {}\n")
    rules(options, "model: gpt-5")
    assert len(mistakes(options)) == 1
    (options.policies / "a.yaml").write_text("version: 2\nrules: []\n")
    found = mistakes(options)
    assert len(found) == 2
    assert "goodgate.yaml" in found[0]
    assert found[1].startswith("policies/a.yaml:1:")


def test_notes_of_the_policies_themselves_come_first(options: Settings) -> None:
    rules(options, "model: gpt-5")
    assert options.policies is not None
    (options.policies / "b.yaml").write_text("version: 1\nreuse: {exact: off, share: team}\n")
    notes = sources.read(options, {}).notes
    assert len(notes) == 2
    assert "has no effect" in notes[0]


def test_without_goodgate_yaml_the_simulated_provider_serves_every_route(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nrules:\n  - {id: r, route: {model: any}}\n")
    found = sources.read(Settings(policies=tmp_path), {})
    assert found.notes == ()
    assert found.deployment.models["*"].provider == "local"
