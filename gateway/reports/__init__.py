"""
What the ledger says, for people who may ask: usage per call, and the cost nobody is named on.

Reports show no ranking of people. (Merging rows of teams under five people needs to know how
many a team has; it comes with the list of people.)
"""

from gateway.reports.forms import csv_text, table_text
from gateway.reports.periods import moment_us
from gateway.reports.usage import ERASED, UNLINKED, Store, entries, unlinked

__all__ = [
    "ERASED",
    "UNLINKED",
    "Store",
    "csv_text",
    "entries",
    "moment_us",
    "table_text",
    "unlinked",
]
