"""What is asked of the ledger."""

from msgspec import Struct


class Query(Struct, frozen=True, kw_only=True):
    """What an auditor asks the ledger for. Empty means every one."""

    task: str = ""
    team: str = ""
    principal: str = ""
    model: str = ""
    decision: str = ""
    rule: str = ""
    """Id of a rule that had a say."""
    since_us: int | None = None
    until_us: int | None = None
    limit: int = 1000
