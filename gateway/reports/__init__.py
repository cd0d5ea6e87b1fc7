"""
What the ledger says, for people who may ask: usage per call and in sums, the cost nobody is
named on, the log as files, and receipts.

Reports show no ranking of people, and merge rows of teams that are as good as people.
"""

from gateway.reports.closing import closed_below
from gateway.reports.forms import csv_text, plain, table_text
from gateway.reports.log_files import Files, LogFiles, note_of, signed_manifest
from gateway.reports.periods import moment_us
from gateway.reports.receipts import Which, receipt
from gateway.reports.store import Store
from gateway.reports.teams import small
from gateway.reports.totals import FIGURES, columns, summed
from gateway.reports.usage import ERASED, UNLINKED, entries, unlinked

__all__ = [
    "ERASED",
    "FIGURES",
    "UNLINKED",
    "Files",
    "LogFiles",
    "Store",
    "Which",
    "closed_below",
    "columns",
    "csv_text",
    "entries",
    "moment_us",
    "note_of",
    "plain",
    "receipt",
    "signed_manifest",
    "small",
    "summed",
    "table_text",
    "unlinked",
]
