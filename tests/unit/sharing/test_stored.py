"""What is kept of a reply, and what it says when it is asked again."""

import msgspec
import pytest

from gateway import sharing
from gateway.errors import ProviderCut
from tests.unit.sharing.source import SHARE, Source

HEADERS = ((b"content-type", b"text/event-stream"),)
CHAT = b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\ndata: [DONE]\n\n'
TOOL = b'data: {"choices":[{"delta":{"tool_calls":[{"id":"c","function":{"name":"f"}}]}}]}\n\n'


async def carried(source: Source, status: int = 200, *, stream: bool = True) -> sharing.Boarding:
    """Return a leader's boarding once its reply was read."""
    boarding = sharing.Flights().board(SHARE, "req_1")
    reply = boarding.carry(source.reply(status, stream=stream))
    try:
        async for chunk in reply.chunks:
            assert chunk
    except ProviderCut:
        pass
    return boarding


@pytest.mark.parametrize("body", [b"", b"{}", b"\x00\xff" * 1000])
async def test_a_reply_comes_back_as_it_was(body: bytes) -> None:
    kept = sharing.unpack(sharing.pack("req_1", stream=True, headers=HEADERS, body=body))
    assert kept is not None
    reply = kept.reply()
    got = b"".join([chunk async for chunk in reply.chunks])
    await reply.close()

    assert (kept.request_id, got) == ("req_1", body)
    assert (reply.status, reply.headers, reply.stream) == (200, HEADERS, True)


@pytest.mark.parametrize("kept", [b"", b"nonsense", msgspec.msgpack.encode([1, 2, 3])])
def test_bytes_of_another_making_are_as_good_as_none(kept: bytes) -> None:
    assert sharing.unpack(kept) is None


def test_another_version_of_the_format_is_as_good_as_none() -> None:
    parts = msgspec.msgpack.decode(sharing.pack("req_1", stream=True, headers=(), body=b"x"))

    assert sharing.unpack(msgspec.msgpack.encode([2, *parts[1:]])) is None
    assert sharing.unpack(msgspec.msgpack.encode([*parts, "more"])) is None


def test_half_a_reply_is_as_good_as_none() -> None:
    packed = sharing.pack("req_1", stream=True, headers=HEADERS, body=b"x" * 100)

    assert all(sharing.unpack(packed[:length]) is None for length in range(len(packed)))


async def test_a_complete_reply_can_be_kept() -> None:
    boarding = await carried(Source(CHAT[:20], CHAT[20:], ended=True))
    packed = boarding.complete_reply()
    assert packed is not None
    kept = sharing.unpack(packed)

    assert kept is not None
    assert (kept.request_id, kept.stream, kept.headers) == ("req_1", True, HEADERS)
    assert kept.body == CHAT


async def test_a_reply_still_under_way_is_not_kept() -> None:
    boarding = sharing.Flights().board(SHARE, "req_1")
    assert boarding.complete_reply() is None
    reply = boarding.carry(Source(CHAT).reply())
    assert await anext(reply.chunks) == CHAT

    assert boarding.complete_reply() is None


async def test_an_error_is_not_kept() -> None:
    assert (await carried(Source(b'{"error":{}}', ended=True), 400)).complete_reply() is None


async def test_a_reply_that_was_cut_is_not_kept() -> None:
    source = Source(CHAT)
    source.end(ProviderCut("broke off"))

    assert (await carried(source)).complete_reply() is None


async def test_a_large_reply_is_not_kept() -> None:
    body = b'{"choices":[{"message":{"content":"' + b"x" * 1024 * 1024 + b'"}}]}'

    assert (await carried(Source(body, ended=True), stream=False)).complete_reply() is None


async def test_a_reply_that_calls_tools_is_not_kept() -> None:
    """Running a tool again is not free, whoever asked for it."""
    assert (await carried(Source(TOOL, ended=True))).complete_reply() is None


async def test_a_kept_reply_answers_those_who_wait_and_is_not_kept_again() -> None:
    flights = sharing.Flights()
    leading = flights.board(SHARE, "req_2")
    following = flights.board(SHARE, "req_3")
    kept = sharing.unpack(sharing.pack("req_1", stream=True, headers=HEADERS, body=CHAT))
    assert kept is not None
    reply = leading.carry_stored(kept)

    assert b"".join([chunk async for chunk in reply.chunks]) == CHAT
    assert await following.departure()
    assert b"".join([chunk async for chunk in following.follow().chunks]) == CHAT
    assert (leading.shares, following.shares) == ("req_1", "req_1")
    assert leading.complete_reply() is None
