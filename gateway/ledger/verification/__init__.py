"""
Whether a log is what it says it is, found by reading all of it: `verify`.

It is checked in the order of docs/verifier/format.md, section 7, and the first thing that is wrong
is the answer: the notes can be read · each entry by its index, with the root at every checkpoint ·
the tiles above · policy texts · keys and signatures · the manifest of an export · receipts and
promises · a store's rollups. A finding about an entry so comes before one about a file, except
for the checkpoints, without which nothing says how many entries there are.
"""

from gateway.ledger.verification.report import (
    CONSISTENT,
    WRONG,
    Finding,
    Report,
    Source,
    Sums,
    Trust,
)
from gateway.ledger.verification.verifying import verify

__all__ = ["CONSISTENT", "WRONG", "Finding", "Report", "Source", "Sums", "Trust", "verify"]
