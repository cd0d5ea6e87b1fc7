"""A call as auditors ask for it: the row that its leaves come to."""

from operator import attrgetter
from typing import Any

from msgspec import Struct

from gateway.ledger.entry import Intent, Refusal
from gateway.ledger.rollups import RollupKey, RollupSum


class CallRow(Struct):
    """A call as auditors ask for it: one row of `entry`, which the leaves can rebuild."""

    index_intent: int
    """The refusal's, for a refused call."""
    attempt_id: str
    received_at_us: int
    principal: str
    team: str
    tenant: str
    task_id: str
    root_id: str
    model_requested: str
    model_served: str
    """Empty for a refused call."""
    provider: str
    decision: str
    rules: tuple[str, ...]
    replica: str
    """Whose call it is: when that is gone, the call is given up as lost."""
    index_settle: int | None = None
    """None while the call is open; of the last adjust, when there is one."""
    completion: str = ""
    adjusts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0


_OF_INTENT = attrgetter(*CallRow.__struct_fields__[1:14])
_OF_REFUSAL = attrgetter(*CallRow.__struct_fields__[1:9])


def row_of(call: Intent | Refusal, index: int) -> CallRow:
    """Return the row of a call that begins with the leaf at an index."""
    if isinstance(call, Intent):
        return CallRow(index, *_OF_INTENT(call))
    values: list[Any] = [index, *_OF_REFUSAL(call), "", "", "refused", call.rules, call.replica]
    row = CallRow(*values)
    row.index_settle = index
    return row


def sum_key(row: CallRow) -> RollupKey:
    """Return what a call is summed under."""
    hour = row.received_at_us // 3_600_000_000 * 3_600
    return RollupKey(hour, row.team, row.root_id, row.task_id, row.model_served, row.decision)


def figures(row: CallRow) -> RollupSum:
    """Return what the settle of a call adds to the sums."""
    return RollupSum(
        settled=1,
        failed=int(row.completion != "complete"),
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
        cost_nano_usd=row.cost_nano_usd,
    )
