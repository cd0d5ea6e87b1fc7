"""Verifying entries: canonical, numbered without gap, in pairs, under policies and keys known."""

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import ledger
from gateway.ledger import merkle, notes
from gateway.ledger.verification import WRONG, leaves
from gateway.ledger.verification.report import Wrong
from tests.unit.ledger.exported import (
    FIRST,
    HOUR_US,
    POLICY,
    SECOND,
    STRANGER,
    Log,
    adjust,
    end,
    found,
    intent,
    policy,
    refusal,
    report,
    retirement,
    rotation,
    sequencer,
    settle,
    start,
)


def log() -> Log:
    """Return a log with a gateway at work."""
    return Log().begin().call(1)


def cost_hour(n: int, calls: int = 1, **stamp: object) -> ledger.CostHour:
    """Return a leaf of a closed hour."""
    row = ledger.CostRow("payments", "gpt", "unclaimed", calls, 0, 30, "0.1")
    fields: dict[str, object] = {"attempt_id": "hour_3600", "hour": 3600, "n": n, "rows": (row,)}
    return ledger.CostHour(**{**fields, **stamp})  # type: ignore[arg-type]  # as given


def valuation(n: int, **changes: object) -> ledger.Valuation:
    """Return a leaf that says what a root is worth."""
    fields: dict[str, object] = {
        "at_us": HOUR_US,
        "attempt_id": "val_1",
        "beneficiaries": ("a1",),
        "by_bot": False,
        "catalogue": "sha256:1",
        "n": n,
        "policy": POLICY,
        "root_id": "PAY-1",
        "team": "payments",
        "team_size": 7,
        "value": "2.5",
        "valued_by": "c3",
        "weights": (ledger.Weight("PAY-1", "1"),),
    }
    return ledger.Valuation(**{**fields, **changes})  # type: ignore[arg-type]  # as given


def all_kinds() -> Log:
    """Return a log with an entry of each kind, one early one, and nothing wrong."""
    made = Log().add(intent(90, schema=1, replica="old", replica_seq=7))
    made.add(sequencer(1, **made.next("s1")))
    made.add(settle(90, schema=1, replica="old", replica_seq=9))
    made.begin().call(1).add(refusal(2, **made.next()), intent(3, **made.next()))
    made.add(settle(3, completion="unknown_crash", **made.next("s1")))
    made.add(adjust(3, n=1, **made.next()), cost_hour(0, **made.next("s1")))
    made.add(cost_hour(1, **made.next("s1")))
    made.add(valuation(0, **made.next()), valuation(1, value="3", **made.next()))
    made.add(ledger.Reveal(
        at_us=HOUR_US, attempt_id="v", auditor="k", filters="team=a", reason="x", **made.next()
    ))  # fmt: skip
    made.add(ledger.Erasure(
        at_us=HOUR_US, attempt_id="e", auditor="k", reason="asked", salts=2, **made.next()
    ))  # fmt: skip
    made.add(rotation(FIRST, SECOND, attempt_id="x", what="pepper", **made.next()))
    made.begin("r2").end("r1").add(intent(4, **made.next("r2")))
    made.add(sequencer(2, previous="s1", **made.next("s2")))
    return made.add(end("s1", 4, reason="crashed", **made.next("s2")))


def test_a_log_of_every_kind_is_consistent_and_told() -> None:
    said = report(all_kinds().sign())

    assert (said.verdict, said.first) == ("consistent, unwitnessed", None)
    assert said.size == len(all_kinds().lines)
    assert (said.early, said.erasures, said.policies, said.open_calls) == (2, 1, 1, 1)
    assert said.open_series == ["r2", "s2"]
    assert said.key == FIRST.verifier.vkey


BROKEN: dict[str, tuple[Callable[[Log], ledger.Leaf], str, str]] = {
    "gap": (lambda _: intent(2, replica="r1", replica_seq=6), "gap", "number 5 of it was"),
    "wide gap": (
        lambda _: intent(2, replica="r1", replica_seq=9), "gap", "numbers 5 to 8 of it",
    ),
    "repeat": (
        lambda _: intent(2, replica="r1", replica_seq=4), "repeat", "stands here after number 4",
    ),
    "no start": (lambda log: intent(2, **log.next("r9")), "start", "r9 never started"),
    "start of 2": (lambda _: start(replica="r9", replica_seq=2), "start", "number 2, not with 1"),
    "two starts": (lambda log: start(**log.next()), "start", "starts a second time"),
    "gateway's epoch": (lambda log: start(epoch=3, **log.next("r9")), "start", "has an epoch"),
    "epoch 0": (lambda log: sequencer(0, **log.next("s0")), "start", "the sequencer of epoch 0"),
    "other name": (
        lambda log: sequencer(4, **log.next("s5")), "start", "epoch 4 is named 's5'",
    ),
    "end unknown": (lambda log: end("r9", 1, **log.next()), "end", "which never started"),
    "end too late": (lambda log: end("r1", 4, **log.next()), "end", "its last entry in the log is"),
    "attempt twice": (lambda log: intent(1, **log.next()), "unique", "begins a second time"),
    "refused after": (lambda log: refusal(1, **log.next()), "unique", "begins a second time"),
    "settled twice": (lambda log: settle(1, **log.next()), "unique", "settled a second time"),
    "n of an intent": (lambda log: intent(2, n=1, **log.next()), "leaf", "no intent has n 1"),
    "n of a settle": (lambda log: settle(1, n=1, **log.next()), "leaf", "has n 1"),
    "n of an adjust": (lambda log: adjust(1, n=0, **log.next()), "leaf", "no adjust has n 0"),
    "n of a policy": (
        lambda log: policy("p", n=1, **log.next()), "leaf", "no policy has n 1",
    ),
    "n of an hour": (lambda log: cost_hour(-1, **log.next()), "leaf", "has n -1"),
    "other twice": (
        lambda log: policy("p-r1", **log.next()), "unique", "there is a policy p-r1 of n 0 before",
    ),
    "settles nothing": (lambda log: settle(2, **log.next()), "pair", "no intent of it"),
    "adjusts nothing": (lambda log: adjust(2, **log.next()), "pair", "no settle of it"),
    "unknown policy": (
        lambda log: intent(2, policy="sha256:other", **log.next()), "policy", "was never in force",
    ),
    "refused by unknown": (
        lambda log: refusal(2, policy="", **log.next()), "policy", "was never in force",
    ),
    "valued by unknown": (
        lambda log: valuation(0, policy="", **log.next()), "policy", "was never in force",
    ),
    "n of a valuation": (lambda log: valuation(-1, **log.next()), "leaf", "has n -1"),
    "no digest": (
        lambda log: policy("p", digest="../../key", **log.next()), "policy", "whose digest is none",
    ),
    "no hash": (
        lambda log: policy("p", files_sha256="AB", **log.next()), "policy", "whose digest is none",
    ),
    "early too late": (
        lambda _: intent(2, schema=1, replica="r0", replica_seq=1), "schema", "had started",
    ),
    "schema 3": (lambda log: intent(2, schema=3, **log.next()), "schema", "no intent of schema 3"),
    "early start": (
        lambda log: start(schema=1, **log.next("r9")), "schema", "no replica_start of schema 1",
    ),
    "large": (lambda log: intent(2, retry_count=2**53, **log.next()), "canonical", "this intent"),
    "large negative": (
        lambda log: cost_hour(0, -(2**53), **log.next()), "canonical", "this cost_hour",
    ),
    "key unknown": (
        lambda log: rotation(FIRST, SECOND, previous="x", **log.next()), "rotation", "names no key",
    ),
    "key of another": (
        lambda log: rotation(
            FIRST, notes.Signer.from_seed("else", b"1" * 32), **log.next()
        ), "rotation", "none that can sign for this log",
    ),
    "retires the future": (
        lambda log: retirement(log, 256, **log.next()), "retirement", "the first 256 entries",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_the_entry_that_breaks_a_rule_is_named(name: str) -> None:
    make, kind, words = BROKEN[name]
    made = log()
    made.add(make(made))
    made.sign()

    index, said, what = found(made)

    assert (index, said) == (4, kind)
    assert words in what


def test_the_finding_names_request_and_file() -> None:
    made = log()
    made.add(intent(2, replica="r1", replica_seq=6)).sign()

    first = report(made).first

    assert first is not None
    assert (first.request_id, first.where) == ("req_2", "tile/entries/000.p/5")


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (lambda log: settle(2, **log.next()), "no intent of it stands before"),
        (lambda log: adjust(2, **log.next()), "no settle of it stands before"),
    ],
)
def test_a_refused_call_is_never_settled(leaf: Callable[[Log], ledger.Leaf], words: str) -> None:
    made = log()
    made.add(refusal(2, **made.next()))
    made.add(leaf(made)).sign()

    assert words in found(made)[2]


def test_an_open_call_is_not_adjusted() -> None:
    made = log()
    made.add(intent(2, **made.next())).add(adjust(2, **made.next())).sign()

    assert found(made)[:2] == (5, "pair")


def test_nothing_follows_the_end_of_a_series() -> None:
    made = log().end().call(2).sign()

    assert found(made) == (5, "end", "number 6 of replica r1 follows its end (number 5)")


def test_a_series_ends_once_and_with_its_last_number() -> None:
    made = log().begin("r2")
    made.add(end("r1", 4, reason="lost", **made.next("r2")))
    made.add(end("r1", 4, attempt_id="again", **made.next("r2"))).sign()
    assert found(made) == (7, "end", "replica r1 ends a second time")

    made = log().begin("r2")
    made.add(end("r1", 3, reason="lost", **made.next("r2"))).sign()
    assert found(made)[:2] == (6, "end")

    assert found(log().end(last_seq=9).sign())[1] == "end"


def test_two_sequencers_at_once_are_a_clash() -> None:
    made = Log()
    made.add(sequencer(1, **made.next("s1")), sequencer(2, **made.next("s2")))
    made.add(cost_hour(0, **made.next("s1"))).sign()
    assert found(made)[:2] == (2, "clash")

    made = Log()
    made.add(sequencer(1, **made.next("s1")), sequencer(3, **made.next("s3"))).sign()
    assert found(made)[:2] == (1, "clash")


NOT_CANONICAL = {
    "blank": lambda line: line.replace(b":", b": ", 1),
    "order": lambda line: json.dumps(dict(reversed(json.loads(line).items()))).encode(),
    "escaped": lambda line: line.replace(b'"chat"', b'"\\u0063hat"'),
    "twice": lambda line: line.replace(b'"n":0', b'"n":0,"n":0'),
    "more": lambda line: line[:-1] + b',"zzz":1}',
    "integral": lambda line: line.replace(b'"n":0', b'"n":-0'),
}


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize("name", NOT_CANONICAL)
def test_bytes_in_another_than_the_one_form_are_found(name: str, schema: int) -> None:
    made = Log() if schema == 1 else Log().begin()
    line = NOT_CANONICAL[name](ledger.encode(intent(1, schema=schema, **made.next())))
    made.add_bytes(line).sign()

    index, kind, _ = found(made)

    assert (index, kind) == (len(made.lines) - 1, "canonical")


def test_an_early_entry_may_lack_what_came_later() -> None:
    line = ledger.encode(intent(1, schema=1, replica="r", replica_seq=3))
    made = Log().add_bytes(line.replace(b',"units":[]', b"")).sign()

    assert report(made).first is None
    assert report(made).early == 1

    later = log()
    line = ledger.encode(intent(2, **later.next()))
    assert found(later.add_bytes(line.replace(b',"units":[]', b"")).sign())[:2] == (4, "canonical")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "no entry of a kind that is known"),
        (b"\xff\xfe", "no entry of a kind that is known"),
        (b"[" * 60_000, "no entry of a kind that is known"),
        (b'{"kind":"gift"}', "'gift'"),
        (
            ledger.encode(intent(9, replica="r1", replica_seq=3)).replace(b'"n":0', b'"n":0.0'),
            "int",
        ),
        (b'{"kind":"settle"}', "missing required field"),
        (b'{"a":' + b"9" * 400 + b',"kind":"settle"}', "missing required field"),
    ],
)
def test_what_is_no_entry_is_found(line: bytes, words: str) -> None:
    made = log().add_bytes(line).sign()

    index, kind, what = found(made)

    assert (index, kind) == (4, "leaf")
    assert words in what


def test_integers_no_encoder_writes_are_found() -> None:
    line = ledger.encode(intent(1, replica="r1", replica_seq=3))
    made = Log().begin().add_bytes(line.replace(b'"n":0', b'"n":' + b"9" * 30)).sign()

    assert found(made)[0] == 2


def test_a_record_of_an_unlinked_call_is_no_entry() -> None:
    cost = ledger.CostSettle(attempt_id="a", cost_usd="0", replica="r1", replica_seq=1, tokens=1)
    made = log().add_bytes(ledger.encode(cost)).sign()

    assert found(made)[:2] == (4, "leaf")


def test_a_text_that_looks_like_a_large_number_is_none() -> None:
    made = log()
    made.add(intent(2, task_id='x":9999999999999999', **made.next())).sign()

    assert report(made).first is None


def test_a_retirement_states_the_root_there_was() -> None:
    made = Log().begin()
    for number in range(130):
        made.call(number)
    made.sign().add(retirement(made, 256, **made.next())).sign()
    assert report(made).first is None

    made.add(retirement(made, 256, attempt_id="again", root="AAAA", **made.next())).sign()
    assert found(made)[:2] == (263, "retirement")
    for size in (0, 255):
        broken = log()
        broken.add(retirement(made, 0, size=size, **broken.next())).sign()
        assert found(broken)[:2] == (4, "retirement")


def rotated(*, also: tuple[notes.Signer, ...] = (FIRST,)) -> Log:
    """Return a log whose key was replaced."""
    made = log().sign()
    made.add(rotation(FIRST, SECOND, **made.next()))
    made.signer = SECOND
    return made.sign(*also).call(2).sign()


def test_any_key_of_a_chain_vouches_for_the_others() -> None:
    for key in (FIRST, SECOND):
        said = report(rotated(), vkey=key.verifier.vkey)
        assert said.first is None
        assert (said.rotations, said.key) == (1, SECOND.verifier.vkey)


def test_a_key_no_rotation_vouches_for_is_refused() -> None:
    assert found(rotated(), vkey=STRANGER.verifier.vkey)[:2] == (None, "key")
    assert found(log().sign(), vkey=SECOND.verifier.vkey)[1] == "signature"


def test_the_first_checkpoint_after_a_rotation_has_both_signatures() -> None:
    index, kind, what = found(rotated(also=()))

    assert (index, kind) == (4, "signature")
    assert FIRST.verifier.vkey in what


def test_a_rotation_replaces_the_key_in_use() -> None:
    made = rotated()
    made.add(rotation(FIRST, STRANGER, attempt_id="again", **made.next())).sign()

    assert found(made)[:2] == (7, "rotation")


def test_a_log_signed_by_the_old_key_after_its_rotation_is_refused() -> None:
    made = log().sign()
    made.add(rotation(FIRST, SECOND, **made.next())).sign(SECOND).call(2).sign()

    assert found(made)[:2] == (6, "signature")


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
@settings(max_examples=200)
def test_hostile_bytes_are_read_or_refused(line: bytes) -> None:
    with pytest.raises(Wrong):
        leaves.read(line)
    assert isinstance(leaves.request_id(line), str)


@given(st.data())
@settings(max_examples=150)
def test_any_changed_value_is_read_back_alike_or_refused(data: st.DataObject) -> None:
    fields = json.loads(ledger.encode(intent(1, replica="r1", replica_seq=3)))
    name = data.draw(st.sampled_from(sorted(fields)))
    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    fields[name] = data.draw(values)
    line = msgspec.json.encode(fields)
    made = Log().begin().add_bytes(line).sign()

    said = report(made)

    assert said.verdict == WRONG or made.hashes[2] == merkle.leaf_hash(
        ledger.encode(ledger.decode(line))
    )


def test_policy_names_are_those_put_in_force_before() -> None:
    made = Log().begin()
    other = "sha256:" + "0" * 16
    made.add(intent(1, policy=other, **made.next()))
    made.add(policy("later", digest=other, **made.next())).sign()

    assert found(made)[:2] == (2, "policy")
    assert other != POLICY
