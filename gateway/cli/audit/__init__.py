"""`goodgate audit`: what the ledger holds, and what shows that nothing of it was changed."""

import typer

from gateway.cli.audit.query import query

group = typer.Typer(no_args_is_help=True, help="Ask the ledger, and check it (auditors, admins).")


@group.callback()
def about() -> None:
    """Ask the ledger, and check it (auditors, admins)."""


group.command()(query)

__all__ = ["group"]
