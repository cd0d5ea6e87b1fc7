"""`goodgate policy schema`: the JSON Schema of policy files, for editors."""

from typing import Annotated

import typer

from gateway.cli.desk import AsJson


def schema(
    *,
    tests: Annotated[bool, typer.Option("--tests", help="That of test files instead.")] = False,
    as_json: AsJson = False,  # noqa: ARG001  # it prints JSON with and without
) -> int:
    """
    Print the JSON Schema of policy files, so that an editor completes and checks them.

    \b
    goodgate policy schema > policies/schema.json
    goodgate policy schema --tests > policies/test.schema.json
    # and as the first line of each file: # yaml-language-server: $schema=./schema.json
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    # Imported here: no other command needs a compiler of conditions.
    from gateway import policy  # noqa: PLC0415  # as above
    from gateway.rehearsal.trials import schema as of_tests  # noqa: PLC0415  # as above

    print(of_tests.schema_json() if tests else policy.schema_json(), end="")
    return 0
