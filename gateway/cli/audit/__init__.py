"""`goodgate audit`: what the ledger holds, and what shows that nothing of it was changed."""

import typer

from gateway.cli.audit.erase import erase
from gateway.cli.audit.export import export
from gateway.cli.audit.query import query
from gateway.cli.audit.receipt import receipt
from gateway.cli.audit.report import meter, report
from gateway.cli.audit.retire import retire
from gateway.cli.audit.rotate import key, rotate_key
from gateway.cli.audit.usage import usage
from gateway.cli.audit.verify import verify
from gateway.cli.audit.watch import watch

group = typer.Typer(no_args_is_help=True, help="Ask the ledger, and check it (auditors, admins).")


@group.callback()
def about() -> None:
    """Ask the ledger, and check it (auditors, admins)."""


group.command()(query)
group.command()(usage)
group.command()(report)
group.command()(meter)
group.command()(receipt)
group.command()(export)
group.command()(verify)
group.command()(watch)
group.command()(key)
group.command()(erase)
group.command()(retire)
group.command("rotate-key")(rotate_key)

__all__ = ["group"]
