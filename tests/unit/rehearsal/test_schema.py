"""The JSON Schema of test files says what their reader says."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.documents import Node, parse
from gateway.policy.facts import DECLARED
from gateway.rehearsal.trials import schema
from tests.unit.rehearsal import files

POLICIES = Path(__file__).parents[3] / "policies"
SCHEMA = json.loads(schema.schema_json())
SET = files.policies("{id: x, when: call.stream, effect: forbid}")


def plain(node: Node) -> Any:
    """Return what a document says, as JSON would."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def fits(text: str) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(plain(parse("t.yaml", text))))


def test_the_file_beside_the_policies_is_up_to_date() -> None:
    written = (POLICIES / "test.schema.json").read_text("utf-8")

    assert written == schema.schema_json(), (
        "run `goodgate policy schema --tests > policies/test.schema.json`"
    )


def test_it_is_a_schema_and_names_every_fact() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    facts = SCHEMA["properties"]["cases"]["items"]["properties"]["facts"]["properties"]
    assert set(facts) == set(DECLARED)


@pytest.mark.parametrize("path", sorted(POLICIES.rglob("tests/*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_test_file_fits_it_and_names_it(path: Path) -> None:
    text = path.read_text("utf-8")

    assert fits(text)
    first = text.splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == POLICIES / "test.schema.json"


@pytest.mark.parametrize(
    "line",
    [
        "{name: A, fcats: {}, expect: {effect: permit}}",
        "{name: A, facts: {cal.model: x}, expect: {effect: permit}}",
        "{name: A, facts: {call.choices: x}, expect: {effect: permit}}",
        "{name: A, facts: {task.evidence: verifed}, expect: {effect: permit}}",
        "{name: A, expect: {}}",
        "{name: A, expect: {effect: deny}}",
        "{name: A, expect: {code: none_such}}",
        "{name: A, expect: {route: {modle: x}}}",
        "{name: A, expect: {obligations: {tokens: 1}}}",
        "{name: A, at: monday, expect: {effect: permit}}",
        "{name: A}",
        "{expect: {effect: permit}}",
        "{name: A, steps: []}",
        "{name: A, expect: {effect: permit}, steps: [{}]}",
        "{name: A, steps: [{after: soon}, {expect: {effect: permit}}]}",
        "{name: A, steps: [{times: 10001}, {expect: {effect: permit}}]}",
        "{name: A, steps: [{shared: yes}, {expect: {effect: permit}}]}",
        "{name: A, steps: [{used: {tokens: 1}}, {expect: {effect: permit}}]}",
    ],
)
def test_it_refuses_what_the_reader_refuses(line: str) -> None:
    text = files.case_file(line)

    assert files.mistakes(SET, text) != []
    assert not fits(text)


@pytest.mark.parametrize(
    "line",
    [
        "{name: A, expect: {effect: permit}}",
        "{name: A, description: B, at: '2026-03-02T10:00:00.5+01:00', expect: {code: ''}}",
        "{name: A, steps: [{open: a, times: 0}, {close: a, expect: {remaining: {x: 0.5}}}]}",
        "{name: A, expect: {obligations: {max_output_tokens: null, reply_headers: {}}}}",
    ],
)
def test_it_takes_what_the_reader_takes(line: str) -> None:
    text = files.case_file(line)

    assert files.mistakes(SET, text) == []
    assert fits(text)
