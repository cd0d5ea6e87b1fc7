"""Every attack there is, by its number; and those that no traffic can show."""

from collections.abc import Mapping
from typing import Final

from benchmarks.goodhart.attacks import claims, novel, repeats
from benchmarks.goodhart.attacks.registry import ATTACKS, Attack, Class

ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = {
    "A33": ("calls that go past the gateway", "no credit; shows as a difference to the bill"),
    "A34": ("a log that was changed", "tests/unit/ledger/test_verification.py, docs/verifier"),
    "A35": ("the best window, the best part", "tests/unit/reports/test_report.py: whole months"),
    "A44": ("a service account that hides cost", "cost is by the key's principal and team"),
    "A51": ("just above what others have", "tests/unit/reports/test_report.py: no ranking"),
    "A52": ("accepted and deleted later", "acceptance of suggestions is not counted"),
    "A53": ("a policy changed before the month ends", "tests/unit/credit/test_fold.py"),
}
"""Attacks that are none of traffic: what they are, and what shows what becomes of them."""

__all__ = ["ATTACKS", "ELSEWHERE", "Attack", "Class", "claims", "novel", "repeats"]
