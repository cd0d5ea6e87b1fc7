"""`goodgate policy`: what policies say, and what a change to them would do."""

import typer

from gateway.cli.policy.checking import check
from gateway.cli.policy.comparing import diff
from gateway.cli.policy.explaining import explain
from gateway.cli.policy.replaying import replay
from gateway.cli.policy.schema import schema
from gateway.cli.policy.shadowing import shadow
from gateway.cli.policy.testing import run_tests

group = typer.Typer(no_args_is_help=True, help="Check, test, explain, compare and replay policies.")


@group.callback()
def about() -> None:
    """Check, test, explain, compare and replay policies."""


group.command()(check)
group.command()(schema)
group.command()(explain)
group.command()(diff)
group.command()(replay)
group.command()(shadow)
group.command("test")(run_tests)

__all__ = ["group"]
