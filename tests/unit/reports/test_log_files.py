"""A store's log as files: an export, whatever size is asked for."""

import json

import pytest

from gateway.errors import NotFound
from gateway.ledger import notes, tiles
from gateway.ledger.verification import Trust, verify
from gateway.reports.log_files import LogFiles, manifest
from gateway.stores.memory_ledger import MemoryLedger
from tests.stores.ledgers import fixed_clock, intent, settle

POLICY = "sha256:0123456789abcdef"


def log_of(*steps: int) -> MemoryLedger:
    """Return a log that was signed after so many more calls each time."""
    made = MemoryLedger(clock=fixed_clock)
    made.policy_in_force(POLICY, [("a.yaml", "version: 1\n")])
    number = 0
    for step in steps:
        for _ in range(step):
            number += 1
            replica, seq = made.stamp()
            made.add(intent(number, replica=replica, replica_seq=seq))
            replica, seq = made.stamp()
            made.add(settle(number, replica=replica, replica_seq=seq))
        made._sign()
    return made


class Export:
    """Files with their manifest."""

    def __init__(self, files: LogFiles, log: MemoryLedger) -> None:
        self._files = files
        self._manifest = manifest(files, files.size, log._signer).encode()

    def read(self, path: str) -> bytes | None:
        return self._manifest if path == "manifest" else self._files.read(path)

    def paths(self) -> list[str]:
        return [*self._files.paths(), "manifest"]


@pytest.mark.parametrize("steps", [(0,), (1,), (126, 1, 1), (300, 300), (600, 1)])
def test_at_every_checkpoint_it_is_an_export_that_verifies(steps: tuple[int, ...]) -> None:
    log = log_of(*steps)

    for size, _ in log.checkpoints():
        files = LogFiles(log, size=size)
        report = verify(Export(files, log), Trust(vkey=log.log().vkey, whole_folder=True))
        assert (report.first, report.size) == (None, size)


def test_retired_bundles_are_no_files_and_all_tiles_are() -> None:
    log = log_of(300, 10)
    log._drop(512)
    files = LogFiles(log)

    paths = set(files.paths())

    assert files.first_bundle == 2
    assert {path for path in paths if "entries" in path} == {
        tiles.path("entries", 2, log.size() - 512)
    }
    assert {"tile/0/000", "tile/0/001"} < paths
    assert files.read("tile/entries/001") is None
    assert json.loads(files.read("log.json") or b"")["first_bundle"] == 2


def test_a_log_without_a_checkpoint_is_not_there_yet() -> None:
    log = MemoryLedger()

    with pytest.raises(NotFound, match="in a second"):
        LogFiles(log)
    with pytest.raises(NotFound, match="no checkpoint of 3 entries"):
        LogFiles(log_of(5), size=3)


def test_more_checkpoints_than_a_page_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.reports.log_files._PAGE", 2)
    log = log_of(1, 1, 1, 1, 1)
    sizes = [size for size, _ in log.checkpoints()]

    for number, size in enumerate(sizes, 1):
        lines = (LogFiles(log, size=size).read("checkpoints.jsonl") or b"").splitlines()
        found = [int(json.loads(line).split("\n")[1]) for line in lines]
        assert found == sizes[:number]


async def test_cosignatures_are_in_both_places() -> None:
    log = log_of(1)
    witness = notes.Signer.from_seed("w", b"w" * 32, notes.COSIGNATURE)
    text = notes.Note.parse(log.checkpoint()).text
    await log.cosign(log.size(), witness.cosign(text, 9))
    files = LogFiles(log)

    last = json.loads((files.read("checkpoints.jsonl") or b"").splitlines()[-1])

    assert last.encode() == files.read("checkpoint")
    assert notes.Note.parse(last).cosigned_at(witness.verifier) == 9


def test_the_manifest_of_a_log_larger_than_a_note_may_be_is_signed_all_the_same() -> None:
    class Many:
        def read(self, path: str) -> bytes | None:
            return b"" if path == "gone" else path.encode()

        def paths(self) -> list[str]:
            return [*(f"tile/0/{number:08}" for number in range(12_000)), "manifest", "gone"]

    signer = notes.Signer.from_seed("goodgate/x", b"k" * 32)

    text = manifest(Many(), 7, signer)

    body = text.rpartition("\n\n")[0] + "\n"
    assert len(text) > notes.NOTE_BYTES_MAX
    assert body.startswith("goodgate manifest v1\ngoodgate/x\n7\n")
    made = notes.Note(text=body, signatures=notes.Note.parse("-\n" + text[len(body) :]).signatures)
    assert made.signed_by(signer.verifier)
    assert " manifest\n" not in body
