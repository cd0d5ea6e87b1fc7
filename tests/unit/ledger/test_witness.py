"""The witness: it cosigns what goes on from all it has seen, and nothing else."""

import pytest

from gateway.ledger import checkpoints, merkle, notes, witness
from gateway.ledger.checkpoints import Checkpoint
from gateway.ledger.witness import Refused, Unproven
from tests.unit.ledger.exported import FIRST, ORIGIN, STRANGER, WITNESS, Folder, Log

KEY = FIRST.verifier


def grown(calls: int) -> Log:
    """Return a log of some calls, signed."""
    log = Log().begin()
    for number in range(calls):
        log.call(number)
    return log.sign()


def follow(known: str, folder: Folder) -> witness.Next:
    """Follow a folder's checkpoint."""
    return witness.follow(known, folder["checkpoint"], KEY, folder.read)


def refused(known: str, folder: Folder) -> str:
    """Return why a folder is refused."""
    with pytest.raises(Refused) as caught:
        follow(known, folder)
    return str(caught.value)


def unproven(known: str, folder: Folder) -> str:
    """Return why nothing can be said of a folder."""
    with pytest.raises(Unproven) as caught:
        follow(known, folder)
    return str(caught.value)


def test_the_first_checkpoint_is_taken_and_the_same_one_is_not_new() -> None:
    folder = grown(3).folder()

    first = follow("", folder)
    assert first.is_new
    assert first.checkpoint.size == 8

    again = follow(first.note.encode(), folder)
    assert not again.is_new
    assert again.checkpoint == first.checkpoint


@pytest.mark.parametrize(("before", "after"), [(0, 1), (3, 4), (127, 128), (130, 400), (1, 700)])
def test_a_log_that_goes_on_is_followed(before: int, after: int) -> None:
    known = grown(before).folder()["checkpoint"].decode()

    found = follow(known, grown(after).folder())

    assert found.is_new
    assert found.checkpoint.size == 2 + 2 * after


def test_another_history_is_refused_at_the_same_size_and_at_a_larger_one() -> None:
    other = Log().begin()
    for number in range(3):
        other.call(number + 1)
    known = other.sign().folder()["checkpoint"].decode()

    assert "another history" in refused(known, grown(3).folder())
    assert "8 entries of the log do not begin with the 8" in refused(known, grown(3).folder())
    assert "the 1,002 entries of the log do not begin with the 8" in refused(
        known, grown(500).folder()
    )


def test_a_smaller_log_is_refused() -> None:
    known = grown(3).folder()["checkpoint"].decode()

    assert "6 entries now, and had 8" in refused(known, grown(2).folder())


def test_what_is_no_checkpoint_of_this_log_is_neither_cosigned_nor_called_a_fork() -> None:
    folder = grown(3).folder()
    known = folder["checkpoint"].decode()
    strange = Log(STRANGER).begin().sign().folder()

    assert "cannot be used" in unproven(known, Folder({"checkpoint": b"\xff"}))
    assert "audit verify" in unproven(known, strange)
    assert "none of this log" in unproven("nonsense", folder)


@pytest.mark.parametrize("path", ["tile/0/000.p/10", "tile/0/001.p/146"])
def test_without_its_tiles_nothing_is_proven(path: str) -> None:
    known = grown(3).folder()["checkpoint"].decode()
    folder = grown(4 if path == "tile/0/000.p/10" else 200).folder()

    assert path in unproven(known, Folder({**folder, path: b"short"}))
    del folder[path]
    assert path in unproven(known, folder)


def test_wrong_tiles_prove_nothing_true() -> None:
    known = grown(3).folder()["checkpoint"].decode()
    folder = grown(200).folder()
    folder["tile/0/000"] = bytes(256 * merkle.HASH_BYTES)

    assert "another history" in refused(known, folder)


def test_a_cosignature_verifies_and_is_found_again() -> None:
    found = follow("", grown(3).folder())

    note, line = witness.cosign(found, WITNESS, 1_700_000_000)

    parsed = notes.Note.parse(note)
    assert parsed.cosigned_at(WITNESS.verifier) == 1_700_000_000
    assert parsed.signed_by(KEY)
    assert witness.line_of(note, WITNESS.verifier) == line
    assert witness.line_of(found.note.encode(), WITNESS.verifier) == ""


def test_evidence_holds_both_notes_as_they_came() -> None:
    made = Checkpoint(origin=ORIGIN, size=1, root=b"r" * 32)
    before, now = checkpoints.sign(made, FIRST), grown(1).folder()["checkpoint"]
    why = Refused("two histories")

    kept = witness.evidence(why, before, now)

    assert kept == f"two histories\n\nSeen before:\n\n{before}\nShown now:\n\n{now.decode()}"
    assert witness.evidence(why, before, now.decode()) == kept
