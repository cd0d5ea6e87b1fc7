"""
Both verifiers behind one face: docs/verifier/verify.py, and the gateway's.
"""

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from gateway.ledger import verification
from tests.verifier.exports import Files

SCRIPT = Path(__file__).parents[2] / "docs" / "verifier" / "verify.py"


@dataclass(frozen=True)
class Case:
    """A log that was tampered with, and what whoever verifies it kept from before."""

    files: Files
    vkey: str
    kept: Sequence[str] = ()
    promises: Sequence[str] = ()
    receipts: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """What a verifier says."""

    wrong: bool
    index: int | None
    how: str


def load() -> ModuleType:
    """Return docs/verifier/verify.py, and what it imports, as modules of their own."""
    spec = importlib.util.spec_from_file_location("independent_verifier", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPT.parent))
        sys.modules.pop("tlog", None)
    return module


INDEPENDENT = load()


class Memory:
    """A log as files in memory."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def read(self, path: str) -> bytes | None:
        return self._files.get(path)

    def paths(self) -> Sequence[str]:
        return list(self._files)


def independent(case: Case, module: ModuleType = INDEPENDENT) -> Verdict:
    """Return what docs/verifier/verify.py says."""
    kept = {"kept": case.kept, "promises": case.promises, "receipts": case.receipts}
    found = module.verify(
        case.files.__getitem__, set(case.files), module.tlog.key_of(case.vkey), **kept
    )
    return Verdict(found["verdict"] == "wrong", found.get("index"), found.get("how", ""))


def gateways(case: Case) -> Verdict:
    """Return what `goodgate audit verify` says."""
    trust = verification.Trust(
        vkey=case.vkey,
        checkpoints=case.kept,
        promises=case.promises,
        receipts=case.receipts,
        whole_folder=True,
    )
    report = verification.verify(Memory(case.files), trust)
    first = report.first
    if first is None:
        return Verdict(report.verdict == verification.WRONG, None, report.verdict)
    return Verdict(
        report.verdict == verification.WRONG, first.index, f"{first.where}: {first.what}"
    )
