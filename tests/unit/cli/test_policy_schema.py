"""`goodgate policy schema`: what is shipped beside the policies."""

from pathlib import Path

from tests.unit.cli.conftest import Command

SHIPPED = Path(__file__).parents[3] / "policies" / "schema.json"


def test_the_schema_that_is_printed_is_the_one_that_is_shipped(run: Command) -> None:
    code, out, err = run("policy", "schema")

    assert (code, out, err) == (0, SHIPPED.read_text("utf-8"), "")
    assert run("policy", "schema", "--json") == (code, out, err)
