"""Signed notes: the examples of the specifications, of Go's `note`, and of logs that exist."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import notes
from gateway.ledger.notes import Note, Signer, Verifier

DASH = "\N{EM DASH} "

# Go's golang.org/x/mod/sumdb/note: its two keys and what they signed.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_LINE = (
    f"{DASH}PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    f"{DASH}EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)

# A checkpoint of the checksum database of Go.
SUM_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUM_NOTE = (
    "go.sum database tree\n31700353\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n\n"
    f"{DASH}sum.golang.org "
    "Az3grnmrIUEDFqHzAElIQCPNoRFRAAdFo47fooyWKMHb89k11GJh5zHIfNCOBmwn/C3YI8oW9/C8DJ87F61QqspBYwM=\n"
)

# A checkpoint of a Certificate Transparency log under test, with kinds of signature we do not know
# and the cosignatures of witnesses.
CT_KEY = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
WITNESS_KEY = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
CT_NOTE = Path(__file__).with_name("vectors").joinpath("arche2025h1.checkpoint").read_text("utf-8")
CT_AT_S = 0x6A122120

LOG = Signer.from_seed("goodgate/0123456789abcdef", bytes(range(32)))
WITNESS = Signer.from_seed("witness.example/w1", bytes(range(1, 33)), notes.COSIGNATURE)


def note_of(*lines: str, text: str = TEXT) -> Note:
    return Note.parse(text + "\n" + "".join(lines))


def test_the_example_of_the_specification_verifies() -> None:
    verifier = Verifier.parse(
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    )
    note = note_of(
        f"{DASH}example.com/foo "
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
        text="This is an example message.\n",
    )
    assert (verifier.name, verifier.kind) == ("example.com/foo", notes.ED25519)
    assert verifier.key_id.hex() == "530d903a"
    assert note.signed_by(verifier)


def test_a_text_with_empty_lines_is_parted_from_its_signatures_at_the_last() -> None:
    text = (
        "Ognuno sta solo sul cuor della terra\n"
        "trafitto da un raggio di sole:\n\ned è subito sera.\n"
    )
    line = (
        f"{DASH}quasimodo.example/salvatore "
        "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
    )
    note = Note.parse(f"{text}\n{line}".encode())
    assert note.text == text
    assert [(name, key_id.hex(), len(raw)) for name, key_id, raw in note.signatures] == [
        ("quasimodo.example/salvatore", "367ba04b", 64)
    ]


@pytest.mark.parametrize(("vkey", "line"), [(PETER, PETER_LINE), (ENOCH, ENOCH_LINE)])
def test_a_note_of_two_signatures_is_signed_by_both(vkey: str, line: str) -> None:
    note = note_of(PETER_LINE, ENOCH_LINE)
    verifier = Verifier.parse(vkey)
    assert verifier.vkey == vkey
    assert note.signed_by(verifier)
    assert note_of(line).signed_by(verifier)
    assert not note_of(line, text=TEXT + "more\n").signed_by(verifier)
    assert note.encode() == f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}"


def test_signing_is_what_go_does() -> None:
    peter = Signer.from_seed("PeterNeumann", PETER_SEED)
    enoch = Signer.from_seed("EnochRoot", bytes(32))
    assert (peter.verifier.vkey, enoch.verifier.vkey) == (PETER, ENOCH)
    assert (peter.sign(TEXT), enoch.sign(TEXT)) == (PETER_LINE, ENOCH_LINE)


def test_checkpoints_of_logs_that_exist_verify() -> None:
    assert Note.parse(SUM_NOTE).signed_by(Verifier.parse(SUM_KEY))
    note = Note.parse(CT_NOTE)
    log, witness = Verifier.parse(CT_KEY), Verifier.parse(WITNESS_KEY)
    assert note.encode() == CT_NOTE
    assert note.signed_by(log)
    assert note.cosigned_at(witness) == CT_AT_S
    assert not Note.parse(CT_NOTE.replace("1432088532", "1432088533")).signed_by(log)
    assert Note.parse(CT_NOTE.replace("1432088532", "1432088533")).cosigned_at(witness) is None
    # One key does not do the other's work.
    assert not note.signed_by(witness)
    assert note.cosigned_at(log) is None


def test_a_witness_states_when_it_saw_a_checkpoint() -> None:
    line = WITNESS.cosign(TEXT, 1_679_315_147)
    note = note_of(PETER_LINE).with_signature(line)
    raw = note.signatures[1][2]
    assert raw[:8] == (1_679_315_147).to_bytes(8, "big")
    signed = f"cosignature/v1\ntime 1679315147\n{TEXT}".encode()
    assert WITNESS.verifier.verify_bytes(signed, raw[8:])
    assert note.cosigned_at(WITNESS.verifier) == 1_679_315_147
    assert note.cosigned_at(Verifier.parse(WITNESS_KEY)) is None
    assert Note.parse(note.encode()) == note


@pytest.mark.parametrize("at_s", [0, 2**63 - 1])
def test_a_cosignature_takes_every_time_the_specification_allows(at_s: int) -> None:
    assert note_of(WITNESS.cosign(TEXT, at_s)).cosigned_at(WITNESS.verifier) == at_s


@pytest.mark.parametrize("at_s", [-1, 2**63])
def test_a_cosignature_states_no_other_time(at_s: int) -> None:
    with pytest.raises(ValueError, match="Unix time"):
        WITNESS.cosign(TEXT, at_s)


def line_of(signer: Signer, signature: bytes) -> str:
    data = base64.b64encode(signer.verifier.key_id + signature).decode()
    return f"{DASH}{signer.verifier.name} {data}\n"


@pytest.mark.parametrize("size", [1, 7, 8, 9, 63, 64, 71, 72, 73, 200])
def test_a_signature_of_any_size_that_is_wrong_is_no_exception(size: int) -> None:
    assert not note_of(line_of(LOG, b"x" * size)).signed_by(LOG.verifier)
    assert note_of(line_of(WITNESS, b"x" * size)).cosigned_at(WITNESS.verifier) is None
    assert not LOG.verifier.verify_bytes(b"", b"x" * size)


def test_a_time_past_the_limit_is_no_cosignature_though_its_signature_is_right() -> None:
    at_s = 2**63
    message = f"cosignature/v1\ntime {at_s}\n{TEXT}".encode()
    note = note_of(line_of(WITNESS, at_s.to_bytes(8, "big") + WITNESS.sign_bytes(message)))
    assert note.cosigned_at(WITNESS.verifier) is None


def test_one_wrong_signature_of_a_key_spoils_its_right_one() -> None:
    right, wrong = LOG.sign(TEXT), line_of(LOG, LOG.sign_bytes(b"another"))
    assert note_of(right, right).signed_by(LOG.verifier)
    assert not note_of(right, wrong).signed_by(LOG.verifier)
    assert not note_of(wrong, right).signed_by(LOG.verifier)
    first, second = WITNESS.cosign(TEXT, 5), WITNESS.cosign(TEXT, 4)
    assert note_of(first, second).cosigned_at(WITNESS.verifier) == 5
    assert note_of(first, line_of(WITNESS, b"x" * 72)).cosigned_at(WITNESS.verifier) is None


def test_a_signature_of_a_key_that_shares_only_name_or_id_is_ignored() -> None:
    right = LOG.sign(TEXT)
    id_only = right.replace(LOG.verifier.name, "another")
    name_only = f"{DASH}{LOG.verifier.name} {base64.b64encode(b'abcdxyz').decode()}\n"
    assert note_of(right, id_only, name_only).signed_by(LOG.verifier)
    assert not note_of(id_only, name_only).signed_by(LOG.verifier)


def test_adding_a_signature_keeps_what_a_key_said_first() -> None:
    note = note_of(LOG.sign(TEXT))
    both = note.with_signature(PETER_LINE)
    assert both == note_of(LOG.sign(TEXT), PETER_LINE)
    assert both.with_signature(PETER_LINE.rstrip("\n")) == both
    assert both.with_signature(line_of(LOG, b"x" * 64)) == both
    with pytest.raises(ValueError, match="signature line"):
        note.with_signature(PETER_LINE * 2)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.binary(min_size=32))
def test_what_is_signed_verifies_and_is_read_back(text: str, seed: bytes) -> None:
    signer = Signer.from_seed("a.example", seed[:32])
    text = "".join(each for each in text if each >= " " or each == "\n") + "\n"
    note = note_of(signer.sign(text), text=text)
    assert note.text == text
    assert note.signed_by(signer.verifier)
    assert Note.parse(note.encode().encode()) == note


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("", "an empty line"),
        (TEXT, "an empty line"),
        (f"{TEXT}\n", "to its end"),
        (f"{TEXT}\n{PETER_LINE[:-1]}", "to its end"),
        (f"{TEXT}\n{PETER_LINE}\n", "to its end"),
        (f"{TEXT}{PETER_LINE}", "an empty line"),
        (f"{TEXT}\n{PETER_LINE[1:]}", "a signature line"),
        (f"{TEXT}\n{PETER_LINE.replace(DASH, '- ')}", "a signature line"),
        (f"{TEXT}\n{PETER_LINE.replace(' P', '  P')}", "a signature line"),
        (f"{TEXT}\n{DASH} AAAAAAA=\n", "name of a key"),
        (f"{TEXT}\n{PETER_LINE[:-1]} \n", "a signature line"),
        (f"{TEXT}\n{DASH}PeterNeumann\n", "a signature line"),
        (f"{TEXT}\n{DASH}Peter+Neumann AAAAAAA=\n", "name of a key"),
        (f"{TEXT}\n{DASH}Peter\N{NO-BREAK SPACE}N AAAAAAA=\n", "name of a key"),
        (f"{TEXT}\n{DASH}Peter AAAAAA==\n", "ends before it begins"),
        (f"{TEXT}\n{DASH}Peter AAAAAAA\n", "not base64"),
        (f"{TEXT}\n{DASH}Peter AAAAAAB=\n", "not base64"),
        (f"{TEXT}\n{DASH}Peter AAAAA-A=\n", "not base64"),
        (f"{TEXT}\n{DASH}Peter AAAAAAA=é\n", "not base64"),
        (f"{TEXT}\tx\n\n{PETER_LINE}", "control"),
        (f"{TEXT}\r\n\n{PETER_LINE}", "control"),
        (f"{TEXT}\0\n\n{PETER_LINE}", "control"),
        (f"{TEXT}\n{PETER_LINE}".encode("utf-16"), "UTF-8"),
        (f"{TEXT}\n{PETER_LINE}".encode() + b"\xff", "UTF-8"),
        (f"\ud800\n\n{PETER_LINE}", "UTF-8"),
        ("x" * 1_000_000 + f"\n\n{PETER_LINE}", "up to 1000000 bytes"),
        (f"{TEXT}\n{PETER_LINE * 101}", "up to 100 signatures, not 101"),
    ],
)
def test_what_is_no_note_is_refused(data: str | bytes, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Note.parse(data)


def test_a_hundred_signatures_are_read() -> None:
    assert len(note_of(PETER_LINE * 100).signatures) == 100


@pytest.mark.parametrize(
    ("vkey", "match"),
    [
        ("", "written <name>"),
        ("PeterNeumann", "written <name>"),
        ("PeterNeumann+c74f20a3", "not the one|ends before|base64"),
        ("PeterNeumann+c74f20a3+", "ends before its key"),
        (PETER.replace("c74f20a3", "C74F20A3"), "written <name>"),
        (PETER.replace("c74f20a3", "c74f20a"), "written <name>"),
        (PETER.replace("c74f20a3", "c74f20a4"), "key id is not"),
        (PETER.replace("Peter", "Petra"), "key id is not"),
        (PETER.replace("Peter", "Peter "), "name of a key"),
        (PETER.removeprefix("PeterNeumann"), "name of a key"),
        (PETER + "=", "not base64"),
        (PETER[:-1], "not base64"),
        (PETER[:-4], "32 bytes, not 29"),
        (PETER.replace("+ARpc", "+Aipc"), "kind 0x02 is not known"),
        (PETER.replace("+ARpc", "+BRpc"), "kind 0x05 is not known"),
        (PETER + "\n", "not base64"),
    ],
)
def test_what_is_no_verifier_key_is_refused_by_what_is_wrong(vkey: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Verifier.parse(vkey)


def test_a_verifier_key_may_have_a_plus_in_its_base64() -> None:
    vkey = "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6"
    assert Verifier.parse(vkey).vkey == vkey


@pytest.mark.parametrize("kind", [notes.ED25519, notes.COSIGNATURE])
def test_a_verifier_is_made_of_name_key_and_kind(kind: int) -> None:
    signer = Signer.from_seed("a.example", bytes(32), kind)
    made = Verifier.of("a.example", signer.verifier.key, kind)
    assert made == signer.verifier == Verifier.parse(made.vkey)
    assert made.kind == kind


def test_a_signer_shows_its_public_half_only() -> None:
    seed = bytes(range(32))
    shown = repr(LOG) + str(LOG)
    assert LOG.verifier.vkey in shown
    assert seed.hex() not in shown
    assert base64.b64encode(seed).decode() not in shown


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"32 bytes, not {size}"):
        Signer.from_seed("a.example", b"x" * size)


def test_a_key_signs_as_its_kind_says() -> None:
    with pytest.raises(ValueError, match="0x01, not 0x04"):
        WITNESS.sign(TEXT)
    with pytest.raises(ValueError, match="0x04, not 0x01"):
        LOG.cosign(TEXT, 1)
    with pytest.raises(ValueError, match="kind 0x02"):
        Signer.from_seed("a.example", bytes(32), 2)


@pytest.mark.parametrize(
    ("text", "match"), [("", "newline"), ("x", "newline"), ("\t\n", "control"), ("\ud800\n", "UTF")]
)
def test_what_is_no_text_of_a_note_is_not_signed(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        LOG.sign(text)
    with pytest.raises(ValueError, match=match):
        WITNESS.cosign(text, 1)


@pytest.mark.parametrize("text", ["", "-1", "+1", "01", "00", " 1", "1 ", "1_0", "٣", str(2**63)])
def test_a_number_is_written_in_one_way(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        notes.from_decimal(text)


@pytest.mark.parametrize("number", [0, 1, 10, 2**63 - 1])
def test_a_number_is_read(number: int) -> None:
    assert notes.from_decimal(str(number)) == number
