"""SQL by name."""

import pytest

from gateway.stores import queries


def test_the_blocks_of_a_file_are_found_by_name() -> None:
    """In the order they stand in."""
    found = queries.load("registry.sql")

    assert next(iter(found)) == "migration_1"
    assert found["last_revision"] == "SELECT last FROM revision;"
    assert queries.migrations(found) == [found["migration_1"], found["migration_2"]]


def test_what_stands_before_the_first_block_is_for_readers() -> None:
    """And a block goes to the next one's name."""
    text = "words\n-- name: one\nSELECT 1;\n-- a remark\nSELECT 2;\n\n-- name:  two \nSELECT 3;\n"

    assert queries.blocks(text, "x.sql") == {
        "one": "SELECT 1;\n-- a remark\nSELECT 2;",
        "two": "SELECT 3;",
    }


@pytest.mark.parametrize(
    "text", ["-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;", "-- name: one\n\n"]
)
def test_a_block_that_is_empty_or_there_twice_is_an_error(text: str) -> None:
    """At start, not when it is first needed."""
    with pytest.raises(ValueError, match=r"x\.sql: the block 'one'"):
        queries.blocks(text, "x.sql")


def test_migrations_are_in_the_order_of_their_numbers_without_a_gap() -> None:
    """Ten comes after nine."""
    found = {f"migration_{number}": str(number) for number in (10, *range(1, 10))}
    assert queries.migrations(found | {"other": "x"}) == [str(n) for n in range(1, 11)]

    del found["migration_3"]
    with pytest.raises(ValueError, match="without a gap"):
        queries.migrations(found)
