"""Standard Webhooks: Goodgate's own messages, from anything that can sign them."""

import base64
import hashlib
import hmac
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import standard
from gateway.values import Account, Delivery, OutcomeEvent, TaskChange
from tests.unit.tasks.trackers.messages import OLD_SECRET, SECRET, Edit, comes_to, load

NOW = 1794068431.0
VECTOR_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_ID = b"msg_p5jXN8AQM9LWM0D4loKWxJek"
VECTOR_AT = 1614265330
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR_SIGNATURE = b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def signature(body: bytes, key: bytes = SECRET, at: bytes = b"1794068431") -> bytes:
    """Return the signature of a message with the id msg_1."""
    digest = hmac.new(key, b"msg_1." + at + b"." + body, hashlib.sha256).digest()
    return b"v1," + base64.b64encode(digest)


def signed(body: bytes, key: bytes = SECRET, at: bytes = b"1794068431") -> dict[bytes, bytes]:
    """Return the headers of a message."""
    return {
        b"webhook-id": b"msg_1",
        b"webhook-timestamp": at,
        b"webhook-signature": signature(body, key, at),
    }


def read_body(body: bytes) -> Delivery:
    """Read a body, truly signed and on time."""
    return standard.read(signed(body), body, secret=SECRET, now=NOW)


def read(name: str, edit: Edit | None = None) -> Delivery:
    """Read a recorded message."""
    return read_body(load(f"standard/{name}", edit))


def with_data(**fields: Any) -> Edit:
    """Return an edit of a message's data."""

    def edit(said: Any) -> None:
        said["data"].update(fields)

    return edit


def vector(**changed: Any) -> dict[bytes, bytes]:
    """Return the headers of the specification's own example."""
    return {
        b"webhook-id": changed.get("id", VECTOR_ID),
        b"webhook-timestamp": changed.get("at", b"1614265330"),
        b"webhook-signature": changed.get("signature", VECTOR_SIGNATURE),
    }


@pytest.mark.parametrize(
    "signatures",
    [
        VECTOR_SIGNATURE,
        b"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= " + VECTOR_SIGNATURE,
        VECTOR_SIGNATURE + b" v1a,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=",
    ],
)
@pytest.mark.parametrize(
    "secret", [VECTOR_SECRET, base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
)
def test_the_specifications_own_example_is_proven(signatures: bytes, secret: bytes) -> None:
    """Signed by the reference libraries; what it says is none of ours."""
    with pytest.raises(WebhookRefused, match="missing required field `type`"):
        standard.read(vector(signature=signatures), VECTOR_BODY, secret=secret, now=VECTOR_AT + 299)


@pytest.mark.parametrize(
    ("headers", "body", "wrong"),
    [
        (vector(), VECTOR_BODY + b" ", "signature"),
        (vector(id=b"msg_other"), VECTOR_BODY, "signature"),
        (vector(at=b"1614265331"), VECTOR_BODY, "signature"),
        (vector(signature=VECTOR_SIGNATURE.replace(b"v1,", b"v2,")), VECTOR_BODY, "signature"),
        (vector(signature=VECTOR_SIGNATURE[3:]), VECTOR_BODY, "signature"),
        (vector(signature=b"v1,"), VECTOR_BODY, "signature"),
        (vector(signature=VECTOR_SIGNATURE.replace(b" ", b",")[:-2]), VECTOR_BODY, "signature"),
        (vector(signature="v1,é".encode()), VECTOR_BODY, "signature"),
        (vector(signature=b""), VECTOR_BODY, "webhook-signature is missing"),
        (vector(id=b" "), VECTOR_BODY, "webhook-id is missing"),
        (vector(at=b""), VECTOR_BODY, "webhook-timestamp is missing"),
    ],
)
def test_the_example_with_any_part_changed_is_refused(
    headers: dict[bytes, bytes], body: bytes, wrong: str
) -> None:
    """By its signature, or for the header it lacks."""
    with pytest.raises(WebhookRefused, match=wrong):
        standard.read(headers, body, secret=VECTOR_SECRET, now=VECTOR_AT)


@pytest.mark.parametrize("late_s", [-301, 301])
def test_what_was_sent_long_ago_or_in_the_future_is_refused(late_s: int) -> None:
    """Five minutes either way are taken."""
    with pytest.raises(WebhookRefused, match="300 s"):
        standard.read(vector(), VECTOR_BODY, secret=VECTOR_SECRET, now=VECTOR_AT + late_s)


@pytest.mark.parametrize(
    "at", [b"soon", b"1e9", b"-1", b"1794068431.5", "²".encode("latin-1"), b"9" * 400]
)
def test_a_time_that_is_no_number_is_refused(at: bytes) -> None:
    """Although it is signed."""
    body = load("standard/outcome")
    with pytest.raises(WebhookRefused, match=r"Unix seconds|check both clocks"):
        standard.read(signed(body, at=at), body, secret=SECRET, now=NOW)


def test_the_previous_secret_is_taken_and_no_other() -> None:
    """Whichever form either has."""
    body = load("standard/outcome")
    headers = signed(body, OLD_SECRET)
    encoded = b"whsec_" + base64.b64encode(OLD_SECRET).rstrip(b"=")

    for previous in (OLD_SECRET, encoded):
        taken = standard.read(headers, body, secret=SECRET, previous_secret=previous, now=NOW)
        assert len(taken.outcomes) == 1
    with pytest.raises(WebhookRefused, match="signature is not good"):
        standard.read(headers, body, secret=SECRET, now=NOW)


def test_an_empty_secret_takes_nothing() -> None:
    """Not even what is signed with it."""
    body = load("standard/outcome")
    with pytest.raises(WebhookRefused, match="no secret"):
        standard.read(signed(body, b""), body, secret=b"", now=NOW)


@pytest.mark.parametrize("secret", [b"whsec_", b"whsec_====", b"whsec_A", b"whsec_no base64!"])
def test_a_secret_that_is_no_base64_proves_nothing(secret: bytes) -> None:
    """Nor does an empty one behind the prefix; it is not shown."""
    body = load("standard/outcome")
    with pytest.raises(WebhookRefused, match="no base64;") as refused:
        standard.read(signed(body, b""), body, secret=secret, now=NOW)
    assert "!" not in str(refused.value)


@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_bit_of_the_body_can_be_changed(position: int, bit: int) -> None:
    """Wherever it is."""
    body = load("standard/outcome")
    flipped = bytearray(body)
    flipped[position % len(body)] ^= 1 << bit

    with pytest.raises(WebhookRefused, match="signature is not good"):
        standard.read(signed(body), bytes(flipped), secret=SECRET, now=NOW)


def test_an_outcome_is_read_as_it_is_written() -> None:
    """Field by field."""
    assert read("outcome") == Delivery(
        delivery_id="msg_1",
        outcomes=(
            OutcomeEvent(
                event_id="review-board/771",
                kind="accepted",
                at=1794068430.25,
                subject="RB-771",
                url="https://reviews.quillworks.example/771",
                author=Account(handle="omar", email="omar@quillworks.example"),
                reviewers=(Account(handle="ines"), Account(handle="checker", is_bot=True)),
                tasks=("QUILL-42",),
                title="Count pages before the footer",
                branch="omar/quill-42",
            ),
        ),
    )


def test_a_task_is_read_as_it_is_written() -> None:
    """Field by field; what is left out stays as it was."""
    petra, omar = Account(handle="petra"), Account(handle="omar")
    (change,) = read("task").changes
    assert change == TaskChange(
        task="QUILL-42",
        at=1794068430,
        title="Export drops the last page",
        status="closed",
        opened_at=1793610900,
        closed_at=1794068430,
        parent="QUILL-7",
        creator=petra,
        owner=omar,
        members=(omar,),
        reviewers=(Account(handle="ines"),),
        team="payments",
        value=Decimal("2.5"),
        valued_by=petra,
        url="https://plans.quillworks.example/QUILL-42",
    )

    (change,) = read_body(b'{"type":"goodgate.task","data":{"task":"A-1","at":1}}').changes
    assert change == TaskChange(task="A-1", at=1)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("outcome", {"reviewer": []}, r"reviewer of \$\.data is unknown; did you mean reviewers"),
        ("outcome", {"zzz": 1}, r"zzz of \$\.data is unknown; the fields are event_id, kind"),
        ("outcome", {"sk-live-1": 1}, r"a field of \$\.data is unknown"),
        ("outcome", {"author": {"mail": "x"}}, r"mail of \$\.data\.author .* mean email"),
        ("outcome", {"reviewers": [{}, {"bot": 1}]}, r"bot of \$\.data\.reviewers\[1\] is unk"),
        ("task", {"valuedby": {}}, r"valuedby of \$\.data is unknown; did you mean valued_by"),
        ("task", {"members": [{"name": "x"}]}, r"name of \$\.data\.members\[0\] is unknown"),
        ("task", {"valued_by": {"is_robot": 1}}, r"is_robot of \$\.data\.valued_by .* is_bot"),
    ],
)
def test_an_unknown_field_is_refused_with_the_one_that_was_meant(
    name: str, fields: dict[str, Any], message: str
) -> None:
    """What looks like no name is not shown."""
    with pytest.raises(WebhookRefused, match=message) as refused:
        read(name, with_data(**fields))
    assert "sk-live" not in str(refused.value)


@pytest.mark.parametrize("name", ["outcome", "task"])
def test_an_unknown_field_beside_the_data_is_refused(name: str) -> None:
    """The message is ours as a whole."""

    def add(said: Any) -> None:
        said["dta"] = {}

    with pytest.raises(WebhookRefused, match=r"dta of \$ is unknown; did you mean data\?"):
        read(name, add)


@pytest.mark.parametrize(
    ("name", "fields", "path"),
    [
        ("outcome", {"kind": "PRIVATE"}, r"\$\.data\.kind is not as expected: not one of"),
        ("outcome", {"kind": 3}, r"\$\.data\.kind"),
        ("outcome", {"at": "PRIVATE"}, r"\$\.data\.at .* expected `float`, got `str`"),
        ("outcome", {"at": 0}, r"\$\.data\.at is no time"),
        ("outcome", {"at": NOW + 301}, r"\$\.data\.at is no time"),
        ("outcome", {"event_id": ""}, r"\$\.data\.event_id is empty"),
        ("outcome", {"subject": ""}, r"\$\.data\.subject is empty"),
        ("outcome", {"author": "PRIVATE"}, r"\$\.data\.author"),
        ("outcome", {"reviewers": ["PRIVATE"]}, r"\$\.data\.reviewers\[0\]"),
        ("outcome", {"tasks": "PRIVATE"}, r"\$\.data\.tasks"),
        ("task", {"at": NOW + 301}, r"\$\.data\.at is no time"),
        ("task", {"task": ""}, r"\$\.data\.task is empty"),
        ("task", {"task": None}, r"\$\.data\.task"),
        ("task", {"status": "PRIVATE"}, r"\$\.data\.status"),
        ("task", {"opened_at": -1}, r"\$\.data\.opened_at is no time"),
        ("task", {"closed_at": 1e300}, r"\$\.data\.closed_at is no time"),
        ("task", {"value": -0.5}, r"\$\.data\.value is no amount"),
        ("task", {"value": "Infinity"}, r"\$\.data\.value is no amount"),
        ("task", {"value": "PRIVATE"}, r"\$\.data\.value"),
        ("task", {"members": 5}, r"\$\.data\.members"),
    ],
)
def test_a_field_that_is_not_as_it_must_be_is_named_and_never_shown(
    name: str, fields: dict[str, Any], path: str
) -> None:
    """By its path."""
    with pytest.raises(WebhookRefused, match=path) as refused:
        read(name, with_data(**fields))
    assert "PRIVATE" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "field"),
    [("outcome", "event_id"), ("outcome", "kind"), ("outcome", "at"), ("outcome", "subject"),
     ("task", "task"), ("task", "at")],
)  # fmt: skip
def test_a_required_field_must_be_there(name: str, field: str) -> None:
    """And is named when it is not."""

    def remove(said: Any) -> None:
        del said["data"][field]

    with pytest.raises(WebhookRefused, match=rf"\$\.data .* required field `{field}`"):
        read(name, remove)


def test_a_type_of_somebody_else_comes_to_nothing_and_a_misspelt_one_is_refused() -> None:
    """A sender may tell others things as well."""

    def to(name: str) -> Edit:
        def edit(said: Any) -> None:
            said["type"] = name

        return edit

    assert read("outcome", to("invoice.paid")) == Delivery(delivery_id="msg_1")
    with pytest.raises(WebhookRefused, match=r"either goodgate\.outcome or goodgate\.task"):
        read("outcome", to("goodgate.outcomes"))


def test_the_reference_names_every_field() -> None:
    """The module's own text is what senders are pointed to."""
    reference = standard.__doc__ or ""
    for form in (OutcomeEvent, TaskChange, Account):
        for field in msgspec.structs.fields(form):
            assert field.name in reference


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"type":"goodgate.task","data":"\xff"}', b"{}{}",
     b'{"type":"goodgate.task","data":null}', b'{"type":"goodgate.outcome","data":[1]}',
     b'{"type":"goodgate.task","data":' + b"[" * 100_000],
)  # fmt: skip
def test_garbage_is_refused(body: bytes) -> None:
    """Although it is signed."""
    with pytest.raises(WebhookRefused):
        read_body(body)


@given(
    st.binary()
    | st.binary().map(lambda some: load("standard/outcome")[:-20] + some)
    | st.dictionaries(
        st.sampled_from([field.name for field in msgspec.structs.fields(TaskChange)]),
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.just([{}]),
    ).map(lambda data: msgspec.json.encode({"type": "goodgate.task", "data": data}))
)
def test_any_bytes_come_to_a_delivery_or_a_refusal(body: bytes) -> None:
    """Nothing else is ever raised."""
    assert comes_to(read_body, body) in ("a delivery", "a refusal")


def test_nothing_a_person_wrote_or_is_shows_in_a_traceback() -> None:
    event = OutcomeEvent(event_id="e1", kind="merged", at=1.0, subject="PAY-1", text="secret plan")
    assert repr(event) == "OutcomeEvent('e1', 'merged')"
    assert repr(Account(handle="alice", email="alice@corp.example")) == "Account(…)"
