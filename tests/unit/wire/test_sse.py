"""Server-sent events, split where the standard splits them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import sse
from tests.unit.wire.calls import pieces


def _split(stream: bytes, size: int, event_bytes_max: int = sse.EVENT_BYTES_MAX) -> list[bytes]:
    splitter = sse.Splitter(event_bytes_max)
    events = [event for chunk in pieces(stream, size) for event in splitter.feed(chunk)]
    return [*events, splitter.close()]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"data: a\n\n", b"data: b\n\n", b""]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"data: a\r\n\r\n", b"data: b\r\n\r\n", b""]),
        (b"data: a\r\rdata: b\r\r", [b"data: a\r\r", b"data: b\r\r"]),
        (b"data: a\n\r\ndata: b\r\n\n", [b"data: a\n\r\n", b"data: b\r\n\n", b""]),
        (b"data: a\n\n\ndata: b\n\n", [b"data: a\n\n", b"\ndata: b\n\n", b""]),
        (b"data: a\ndata: b\r\ndata: c", [b"data: a\ndata: b\r\ndata: c"]),
        (b"\n\n\n\n", [b"\n\n", b"\n\n", b""]),
        (b"", [b""]),
    ],
)
def test_events_end_at_blank_lines_whatever_ends_a_line(stream, events):
    for size in range(1, len(stream) + 2):
        assert _split(stream, size) == events


@given(st.text(alphabet="d:\r\n ", max_size=40), st.integers(1, 41), st.integers(4, 20))
def test_no_byte_is_lost_and_no_event_depends_on_the_chunks(text, size, event_bytes_max):
    stream = text.encode()
    whole = _split(stream, len(stream) + 1, event_bytes_max)
    cut = _split(stream, size, event_bytes_max)
    assert b"".join(cut) == b"".join(whole) == stream
    assert [e for e in cut if type(e) is not sse.Unread] == [
        e for e in whole if type(e) is not sse.Unread
    ]


def test_an_event_too_large_is_passed_on_unread():
    stream = b"data: small\n\ndata: " + b"x" * 100 + b"\ndata: [DONE]\n\ndata: after\n\n"
    for size in (1, 7, 64, 1000):
        split = _split(stream, size, 50)
        assert b"".join(split) == stream
        assert [e for e in split if type(e) is not sse.Unread] == [
            b"data: small\n\n",
            b"data: after\n\n",
            b"",
        ]


def test_an_event_too_large_that_never_ends_is_still_unread():
    splitter = sse.Splitter(10)
    passed = splitter.feed(b"data: " + b"x" * 20)
    rest = splitter.close()
    assert b"".join([*passed, rest]) == b"data: " + b"x" * 20
    assert type(rest) is sse.Unread


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data:  a\n\n", b" a"),
        (b"event: x\ndata: a\n\n", b"a"),
        (b"event:x\ndata: a\n\n", b"a"),
        (b"event: x\r\ndata: a\r\n\r\n", b"a"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data\ndata: b\n\n", b"\nb"),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
        (b"id: 1\nretry: 5\ndata: a\n\n", b"a"),
        (b": data: a\n\n", b""),
        (b": ping\n\n", b""),
        (b"event: ping\n\n", b""),
        (b"datas: a\n\n", b""),
        (b"\n\n", b""),
        (b"data: a", b"a"),
    ],
)
def test_the_data_of_an_event_is_its_data_lines(event, data):
    assert sse.data(event) == data
