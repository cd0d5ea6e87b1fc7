"""Fields read by type: what comes back, and every mistake with its place and its remedy."""

from decimal import Decimal

import pytest

from gateway import documents
from gateway.documents import Fields, Problems
from gateway.errors import ConfigError


def fields(text: str) -> tuple[Fields, Problems]:
    problems = Problems()
    return Fields(documents.parse("a.yaml", text), problems, "a thing"), problems


def told(problems: Problems) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    return str(caught.value).split("\n")


def test_fields_of_the_right_type_are_returned() -> None:
    found, problems = fields(
        "{text: a, texts: [b, c], kind: one, whole: 3, cost: 1.5, number: 2, on: true}"
    )
    found.only("text", "texts", "kind", "whole", "cost", "number", "on")
    assert found.need("text", "on")
    assert found.text("text") == "a"
    assert found.texts("texts") == ("b", "c")
    assert found.choice("kind", ("one", "two"), "two") == "one"
    assert found.integer("whole") == 3
    assert found.decimal("cost") == Decimal("1.5")
    assert found.decimal("number") == Decimal(2)
    assert found.flag("on", default=False) is True
    assert "text" in found
    problems.raise_if_any()
    assert len(problems) == 0


def test_missing_fields_are_their_defaults() -> None:
    found, problems = fields("{}")
    assert found.text("a", "d") == "d"
    assert found.texts("a") == ()
    assert found.choice("a", ("one",), "one") == "one"
    assert found.integer("a", 7) == 7
    assert found.decimal("a") is None
    assert found.flag("a", default=True) is True
    problems.raise_if_any()
    assert len(problems) == 0


def test_every_mistake_is_told_in_the_order_of_the_file() -> None:
    found, problems = fields(
        "text: 1\ntexts: [a, 2]\nkind: oen\nwhole: -1\nflag: yes\ncost: true\nlist: {}\nclr: x\n"
    )
    found.only("text", "texts", "kind", "whole", "flag", "cost", "list", "color")
    found.need("id")
    assert found.text("text", "d") == "d"
    assert found.texts("texts") == ("a",)
    assert found.choice("kind", ("one", "two"), "two") == "two"
    assert found.integer("whole", 7) == 7
    assert found.flag("flag", default=False) is False
    assert found.decimal("cost") is None
    assert found.nodes("list") == []
    assert told(problems) == [
        "a.yaml:1:1: a thing needs 'id', and it is missing",
        "a.yaml:1:7: read the number '1' in 'text', expected a text (put it in quotes)",
        "a.yaml:2:12: read the number '2' in 'texts', expected a text",
        "a.yaml:3:7: read the text 'oen' in 'kind', expected one of one, two; did you mean 'one'?",
        "a.yaml:4:8: read the number '-1' in 'whole', expected a whole number, at least 0",
        "a.yaml:5:7: read the text 'yes' in 'flag', expected true or false",
        "a.yaml:6:7: read the flag 'true' in 'cost', expected a number, at least 0",
        "a.yaml:7:7: read a mapping in 'list', expected a list",
        "a.yaml:8:1: unknown key 'clr' in a thing; did you mean 'color'?",
    ]


def test_what_is_no_mapping_is_told_once() -> None:
    found, problems = fields("[1]")
    found.only("a")
    assert not found.need("a")
    assert told(problems) == ["a.yaml:1:1: read a list, expected a thing: a mapping"]


def test_an_unknown_key_near_to_none_is_told_what_there_is() -> None:
    found, problems = fields("{zzz: 1}")
    found.only("a", "b")
    assert told(problems) == ["a.yaml:1:2: unknown key 'zzz' in a thing; a thing has: a, b"]


def test_long_values_and_long_lists_of_mistakes_are_cut() -> None:
    found, problems = fields("\n".join(f"k{i}: 1" for i in range(120)) + f"\nlong: {'x' * 500}")
    found.integer("long")
    found.only("other")
    lines = told(problems)
    assert len(lines) == 101
    assert lines[-1] == "… and 22 more"
    assert all(len(line) < 200 for line in lines)


def test_the_mistake_of_a_file_that_is_no_yaml_keeps_its_place() -> None:
    problems = Problems()
    problems.add_error(ConfigError("b.yaml:3:4: broken: badly, expected better"))
    problems.add_error(ConfigError("no place"))
    problems.add_at("a.yaml", 2, 1, "wrong")
    assert told(problems) == [
        "a.yaml:2:1: wrong",
        "b.yaml:3:4: broken: badly, expected better",
        "no place:0:0: no place",
    ]
