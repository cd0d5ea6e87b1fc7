"""The JSON Schema and the loader say the same of a file, as far as its structure goes."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from gateway import policy
from gateway.documents import Node, parse
from gateway.errors import ConfigError
from gateway.policy.facts import DECLARED, KEPT, SHORT_NAMES
from gateway.policy.language.clauses import BUDGET, QUOTA
from gateway.policy.language.kinds import (
    Choice,
    Either,
    Entries,
    Exactly,
    Items,
    Key,
    Kind,
    Names,
    Number,
    Shape,
    Text,
    Time,
    Whole,
)
from gateway.policy.language.model import CODES, FILE, RULE
from gateway.policy.rules import CreditParameters, OnStoreFailure, Reuse, Rule
from tests.unit.policy import cases
from tests.unit.policy.test_reading import MISTAKES

SCHEMA: dict[str, Any] = json.loads(policy.schema_json(), parse_float=Decimal)
VALIDATOR = Draft202012Validator(SCHEMA)
FOLDER = cases.DEFAULT.parent


def plain(node: Node) -> Any:
    """Return what a document says, as a schema sees it."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    return [plain(each) for each in node.value] if isinstance(node.value, list) else node.value


def loads(document: object) -> bool:
    try:
        policy.load([("a.yaml", written(document))])
    except ConfigError:
        return False
    return True


def written(value: Any) -> str:
    """Return a document as YAML in flow style."""
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(key)}: {written(each)}" for key, each in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def test_the_file_that_is_shipped_is_the_one_the_model_makes() -> None:
    assert (FOLDER / "schema.json").read_text("utf-8") == policy.schema_json()


def test_it_is_a_schema_of_its_draft_and_of_the_one_editors_know() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


SHIPPED = sorted(path for path in FOLDER.rglob("*.yaml") if path.parent.name != "tests")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_policy_that_is_shipped_validates(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(plain(parse(path.name, path.read_text("utf-8"))))) == []


def schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schema of every mapping whose keys are known."""
    if "properties" in schema and "additionalProperties" in schema:
        yield schema
    for each in schema.get("properties", {}).values():
        yield from schemas(each)
    if isinstance(schema.get("items"), dict):
        yield from schemas(schema["items"])


def test_every_key_is_described_and_no_other_is_allowed() -> None:
    found = list(schemas(SCHEMA))
    assert len(found) == 10
    for schema in found:
        assert schema["additionalProperties"] is False
        assert all(each["description"].strip() for each in schema["properties"].values())


def test_what_a_condition_may_read_is_listed_where_one_is_written() -> None:
    when = SCHEMA["properties"]["rules"]["items"]["properties"]["when"]
    for fact in DECLARED.values():
        if not fact.name.startswith("usage.") and not fact.counted_only:
            assert f"- {fact.name} ({fact.type}): {fact.about}" in when["description"]
            assert f"- `{fact.name}` ({fact.type}): {fact.about}" in when["markdownDescription"]
            assert all(f'`"{member}"`' in when["markdownDescription"] for member in fact.members)
    assert (
        "`usage.W.P.U` (W: principal, team, task, root; P: day, month; U: calls, "
        in (when["markdownDescription"])
    )


def test_every_example_of_a_condition_is_one() -> None:
    (key,) = [key for key in RULE.keys if key.name == "when"]
    assert len(key.examples) >= 5
    for example in key.examples:
        assert cases.load(f"{{id: a, effect: forbid, when: {json.dumps(example)}}}").rules


def filled(value: Any) -> Any:
    """Return a snippet as it is when nothing is changed in it."""
    if isinstance(value, dict):
        return {key: filled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each) for each in value]
    if isinstance(value, str) and "${" in value:
        text = value.split(":", 1)[1].removesuffix("}")
        return int(text) if value.startswith("^") else text
    return value


@pytest.mark.parametrize("snippet", RULE.snippets, ids=lambda each: each["label"])
def test_every_rule_an_editor_offers_is_one(snippet: Mapping[str, Any]) -> None:
    document = {"version": 1, "rules": [filled(snippet["body"])]}
    assert loads(document)
    assert VALIDATOR.is_valid(document)


def test_the_file_an_editor_offers_is_one() -> None:
    (snippet,) = FILE.snippets
    document = filled(snippet["body"])
    assert loads(document)
    assert VALIDATOR.is_valid(document)


DEFAULTS = {
    "mode": "enforce",
    "priority": 0,
    "disconnect": "drain",
    "quotas": OnStoreFailure().quotas,
    "ledger": OnStoreFailure().ledger,
    "exact": Reuse().exact,
    "share": Reuse().share,
    "saturation": CreditParameters().saturation,
    "settle_days": CreditParameters().settle_days,
    "unvalued_budget": "team_size",
    "boilerplate_roots": CreditParameters().boilerplate_roots,
    "days": CreditParameters().umbrella_days,
    "cost_share": CreditParameters().umbrella_cost_share,
}


def test_every_default_is_the_one_the_reader_takes() -> None:
    said = {
        name: each["default"]
        for schema in schemas(SCHEMA)
        for name, each in schema["properties"].items()
        if "default" in each
    }
    assert said == DEFAULTS


NOT_STRUCTURE = (*(": in 'when': ", "is counted by already"),)


@pytest.mark.parametrize(("rule", "said"), MISTAKES, ids=[rule for rule, _ in MISTAKES])
def test_what_the_loader_refuses_for_its_structure_the_schema_refuses(
    rule: str, said: list[str]
) -> None:
    document = plain(parse("a.yaml", f"version: 1\nrules:\n  - {rule}\n"))
    structural = [line for line in said if not any(each in line for each in NOT_STRUCTURE)]
    assert VALIDATOR.is_valid(document) == (not structural)


# --- documents made of the model, right and slightly wrong -----------------------------------

CONDITIONS = ("call.stream", 'task.evidence == "none"', "task.value < 0.5")
LETTERS = st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=("Cc", "Cf"))
JUNK = st.sampled_from(
    [
        *(None, True, 0, -1, 1, 7, 10**16, Decimal("0.5"), Decimal("-2.5"), "", "x", "1m", "0s"),
        *("07m", "32d", "8d", "2678401s", "day", "permit", "shadow", "store", "usage.x", "No"),
        *([], {}, ["task"], [5], ["task", "task"], {"x-a": "b"}, {"X-A": "b"}, {"host": "b"}),
        *({"x-a": 5}, {"x-a": " b"}, {"x-a": ""}, {f"x-{n}": "b" for n in range(21)}),
        *({"version": 1}, {"calls": 5}, {"model": "m"}, "é", "a b", "*", "a\nb", "x" * 301),
    ]
)
UNKNOWN = st.sampled_from(["efect", "x", "", "Version", "rule", "team2", "note"])


def value_of(key: Key) -> st.SearchStrategy[Any]:
    if key.name == "when":
        return st.sampled_from(CONDITIONS)
    return value(key.kind)


def value(kind: Kind) -> st.SearchStrategy[Any]:
    match kind:
        case Shape():
            return mapping(kind)
        case Items():
            return st.lists(mapping(kind.of), max_size=1)
        case Names():
            short = [name for name in kind.names if name in SHORT_NAMES]
            return st.lists(st.sampled_from(short), unique=True, max_size=3)
        case Entries():
            keys = st.sampled_from(["x-a", "x-b", "x-team", "a"])
            return st.dictionaries(keys, value(kind.value), min_size=1)
        case _:
            return scalar(kind)


def scalar(
    kind: Text | Choice | Whole | Number | Either | Time | Exactly,
) -> st.SearchStrategy[Any]:
    match kind:
        case Text():
            pattern = kind.pattern or ".{0,20}"
            return st.from_regex(pattern, fullmatch=True, alphabet=LETTERS)
        case Choice():
            return st.sampled_from(sorted(kind.names))
        case Whole():
            return st.integers(kind.least, kind.most) | st.sampled_from([kind.least, kind.most])
        case Number():
            return number(kind)
        case Either():
            return st.just(kind.name) | number(kind.number)
        case Time():
            return st.from_regex(kind.pattern, fullmatch=True)
        case Exactly():
            return st.just(kind.value)


def number(kind: Number) -> st.SearchStrategy[Any]:
    edges = st.sampled_from([kind.least, kind.most]).map(
        lambda each: int(each) if each == int(each) else each
    )
    return edges | st.integers(int(kind.least) + 1, int(kind.most))


def holds(shape: Shape, document: Mapping[str, Any]) -> bool:
    items = {key: Node(each, "", 1, 1) for key, each in document.items()}
    return all(bond.must.holds(items) for bond in shape.bonds)


def mapping(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Return mappings of a shape whose keys are right for each other."""
    required = {key.name: value_of(key) for key in shape.keys if key.required}
    others = [key for key in shape.keys if not key.required]

    def some(chosen: list[Key]) -> st.SearchStrategy[dict[str, Any]]:
        more = {key.name: value_of(key) for key in chosen}
        return st.fixed_dictionaries(required | more)

    chosen = st.lists(st.sampled_from(others), unique_by=lambda key: key.name, max_size=4)
    return chosen.flatmap(some).filter(lambda made: holds(shape, made))


def harm(draw: Callable[..., Any], shape: Shape, document: dict[str, Any]) -> None:
    """Do one thing to a mapping, or to one below it, that may be wrong."""
    below = list(mappings_below(shape, document))
    deed = draw(st.sampled_from(["inside", "inside", "drop", "unknown", "junk", "more"]))
    if deed == "inside" and below:
        harm(draw, *draw(st.sampled_from(below)))
    elif deed == "drop" and document:
        del document[draw(st.sampled_from(sorted(document)))]
    elif deed == "unknown":
        document[draw(UNKNOWN)] = copy.deepcopy(draw(JUNK))
    elif deed == "junk" and document:
        document[draw(st.sampled_from(sorted(document)))] = copy.deepcopy(draw(JUNK))
    else:
        key = draw(st.sampled_from(shape.keys))
        document[key.name] = draw(value_of(key))


def mappings_below(
    shape: Shape, document: Mapping[str, Any]
) -> Iterator[tuple[Shape, dict[str, Any]]]:
    for key in shape.keys:
        inside = document.get(key.name)
        if isinstance(key.kind, Shape) and isinstance(inside, dict):
            yield key.kind, inside
        elif isinstance(key.kind, Items) and isinstance(inside, list):
            yield from ((key.kind.of, each) for each in inside if isinstance(each, dict))


@st.composite
def documents(draw: Callable[..., Any]) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(draw(mapping(FILE)))
    for _ in range(draw(st.integers(0, 2))):
        harm(draw, FILE, document)
    return document


def reaches_beyond_its_team(document: Mapping[str, Any]) -> bool:
    """Return whether a team's file holds what only the loader can refuse there."""
    text = written(document)
    return "team" in document and ("provider_headers" in text or "route" in text)


@given(mapping(FILE))
@settings(max_examples=150, deadline=None)
def test_what_is_made_of_the_model_is_loaded_and_validates(document: dict[str, Any]) -> None:
    assert loads(document) or reaches_beyond_its_team(document)
    assert VALIDATOR.is_valid(document)


@given(documents())
@settings(max_examples=300, deadline=None)
def test_the_schema_and_the_loader_agree_on_documents_that_are_nearly_right(
    document: dict[str, Any],
) -> None:
    if not reaches_beyond_its_team(document):
        assert VALIDATOR.is_valid(document) == loads(document), written(document)


# --- the model and the structs it is read into -----------------------------------------------


def test_a_rule_says_nothing_the_model_does_not_know() -> None:
    known = {"when", "effect", "route", "id", "description", "message", "team"}
    derived = {"condition", "limit", "duties", "meter", "shadow", "refusal"}
    assert set(Rule.__struct_fields__) == known | derived
    assert known - {"team"} <= set(RULE.names)
    assert {"quota", "budget", "obligations", "mode", "code"} <= set(RULE.names)


def test_quotas_and_budgets_count_by_what_can_be_counted() -> None:
    quota = next(key.kind for key in QUOTA.keys if key.name == "by")
    budget = next(key.kind for key in BUDGET.keys if key.name == "by")
    assert isinstance(quota, Names)
    assert isinstance(budget, Names)
    assert set(SHORT_NAMES) <= set(quota.names)
    assert set(KEPT) <= set(budget.names) <= set(quota.names)
    assert all(CODES.values())
