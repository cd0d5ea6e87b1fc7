"""A mapping read by its shape: what is wrong is told once, and what is right comes back."""

from gateway.documents import Problems, parse
from gateway.policy.language.bonds import Bond, Has, Is, NotAll, One, Some, has, without
from gateway.policy.language.forms import Form
from gateway.policy.language.kinds import Choice, Key, Shape, Text, Whole

SHAPE = Shape(
    what="a thing",
    about="A thing.",
    keys=(
        Key(name="name", kind=Text(), about="Its name.", required=True),
        Key(name="size", kind=Whole(least=1, most=9), about="Its size."),
        Key(name="colour", kind=Choice(names={"red": "", "blue": ""}), about="Its colour."),
    ),
    bonds=(
        Bond(must=Some(has("size", "colour")), said="a thing has 'size' or 'colour'"),
        Bond(must=NotAll((Is("colour", ("red",)), Has("size"))), at="size", expected="no size"),
    ),
)


def read(text: str) -> tuple[Form, list[str]]:
    problems = Problems()
    form = Form(SHAPE, parse("a", text), problems)
    return form, [f"{line}:{col}: {said}" for _, line, col, said in sorted(problems._found)]


def test_what_is_right_comes_back_by_key() -> None:
    form, told = read("{name: x, size: 3}")
    assert told == []
    assert form.values == {"name": "x", "size": 3}
    assert (form.get("size", 0), form.get("colour", "none")) == (3, "none")
    assert "size" in form
    assert "colour" not in form
    assert form.at("size").value == 3
    assert form.nodes("colour") == []


def test_what_is_wrong_is_told_at_its_place_and_missing_from_what_comes_back() -> None:
    form, told = read("{name: 5, size: 10, colour: rd, x: 1}")
    assert form.values == {}
    assert told == [
        "1:8: read the number '5' in 'name', expected a text (put it in quotes)",
        "1:17: read the number '10' in 'size', expected a whole number from 1 to 9",
        "1:29: read the text 'rd' in 'colour', expected one of red, blue; did you mean 'red'?",
        "1:33: unknown key 'x' in a thing; a thing has: name, size, colour",
    ]


def test_a_bond_that_is_broken_is_told_at_its_key_or_at_the_mapping() -> None:
    assert read("{name: x}")[1] == ["1:1: a thing has 'size' or 'colour'"]
    assert read("{name: x, size: 5, colour: red}")[1] == [
        "1:17: read the number '5' in 'size', expected no size"
    ]


def test_nothing_is_said_of_a_bond_whose_key_is_wrong_or_misspelt() -> None:
    assert read("{name: x, size: 10, colour: red}")[1] == [
        "1:17: read the number '10' in 'size', expected a whole number from 1 to 9"
    ]
    assert read("{name: x, sise: 5}")[1] == [
        "1:11: unknown key 'sise' in a thing; did you mean 'size'?"
    ]


def test_a_bond_is_told_beside_a_key_that_is_like_none_of_its_own() -> None:
    assert len(read("{name: x, zzz: 5}")[1]) == 2


def test_what_is_no_mapping_is_told_once() -> None:
    form, told = read("[]")
    assert told == ["1:1: read a list, expected a thing: a mapping"]
    assert form.values == {}


def test_predicates_say_which_keys_they_look_at() -> None:
    predicate = One((Has("a"), NotAll((Is("b", ("x",)), without("c")))))
    assert predicate.keys == {"a", "b", "c"}
    items = parse("a", "{a: 1, b: x}").value
    assert isinstance(items, dict)
    assert predicate.holds(items)
    assert not predicate.holds({"a": items["a"]})
    assert without("c").holds(items)
    assert not without("a").holds(items)
