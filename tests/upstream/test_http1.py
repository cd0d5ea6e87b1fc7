"""The HTTP/1.1 client over real sockets: what it reads, what it refuses, what it keeps."""

import asyncio
import socket

import pytest
import uvloop

from gateway.upstream.http1 import Client, Failure, HttpError, Limits
from tests.provider import refused
from tests.upstream import wires
from tests.upstream.calls import until
from tests.upstream.wires import END, CutError, client, far_side, saying, send, whole

OK = b"HTTP/1.1 200 OK\r\n"
A = OK + b"content-length: 1\r\n\r\na"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (A, 200, b"a"),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b""),
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 200, b"abcde"),
        (CHUNKED + b"1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, b"a"),
        (b"HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nx: y\r\n\r\n" + A, 200, b"a"),
        (b"HTTP/1.1 503 \r\ncontent-length: 1\r\n\r\na", 503, b"a"),
    ],
)
async def test_a_reply_is_read_and_its_connection_kept(answer, status, body):
    async with far_side(saying(answer, answer)) as address, client(address) as found:
        first, seen = await whole(found)
        assert (first.status, seen) == (status, body)
        assert [name for name, _value in first.headers if name == b"x"] == []
        second, seen = await whole(found)
        assert seen == body
        assert second is first


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"connection: close\r\ncontent-length: 1\r\n\r\na",
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na",
        A + b"b",
        A + A,
        A + b"HTTP/1.1 2",
    ],
)
async def test_a_connection_in_an_unsure_state_is_not_used_again(answer):
    async with far_side(saying(answer, A)) as address, client(address) as found:
        first, seen = await whole(found)
        assert seen == b"a"
        second, seen = await whole(found)
        assert seen == b"a"
        assert second is not first


async def test_a_body_without_a_length_ends_with_its_connection():
    far = saying(OK + b"\r\nabc", hold=False)
    async with far_side(far) as address, client(address) as found:
        first, seen = await whole(found)
        assert seen == b"abc"
        assert not first.is_usable()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n"])
async def test_a_connection_that_ends_or_speaks_while_idle_is_dropped(said):
    async def far(reader, writer):
        await reader.readuntil(END)
        writer.write(A)
        await idle.wait()
        writer.write(said)

    idle = asyncio.Event()
    async with far_side(far) as address, client(address) as found:
        first, _seen = await whole(found)
        assert first.is_usable()
        assert found._pool._idle == [first]
        idle.set()
        await until(lambda: not found._pool._idle)
        assert not first.is_usable()
        second, seen = await whole(found)
        assert seen == b"a"
        assert second is not first


async def test_an_idle_connection_is_closed_after_a_while():
    async with far_side(saying(A, A)) as address, client(address, keep_alive_s=0.02) as found:
        first, _seen = await whole(found)
        await until(lambda: not first.is_usable())
        await until(lambda: not found._pool._idle)
        second, _seen = await whole(found)
    assert second is not first


async def test_a_connection_found_to_be_over_is_not_used():
    async with far_side(saying(A, A)) as address, client(address) as found:
        first, _seen = await whole(found)
        first._transport.abort()  # and the loop has not turned yet
        second, seen = await whole(found)
    assert seen == b"a"
    assert second is not first


async def test_the_connection_used_last_is_used_first():
    async with far_side(saying(A, A, A)) as address, client(address) as found:
        bodies = [await send(found), await send(found)]
        used = [body._connection for body in bodies]
        for body in bodies:
            assert await anext(body) == b"a"
        again, _seen = await whole(found)
    assert used[0] is not used[1]
    assert again is used[1]


async def test_a_slow_head_times_out_however_it_drips():
    async def far(reader, writer):
        await reader.readuntil(END)
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.wait((asyncio.ensure_future(reader.read(1)),), timeout=0.005)

    async with far_side(far) as address, client(address, first_byte_s=0.04) as found:
        with pytest.raises(HttpError) as caught:
            await whole(found)
    assert caught.value.failure is Failure.SILENT


async def test_a_reply_that_is_not_taken_is_no_silence():
    async with far_side(saying(A)) as address, client(address, idle_s=0.01) as found:
        body = await send(found)
        turned = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.03, turned.set_result, None)
        await turned
        assert await anext(body) == b"a"


async def test_who_does_not_read_stops_the_provider_and_is_not_timed_out():
    said = 0

    async def far(reader, writer):
        nonlocal said
        await reader.readuntil(END)
        writer.write(OK + b"content-length: 30000000\r\n\r\n")
        while said < 30_000_000:
            writer.write(b"a" * 100_000)
            said += 100_000
            await writer.drain()

    async with far_side(far) as address, client(address, idle_s=0.05) as found:
        body = await send(found)
        connection = body._connection
        await until(lambda: connection._is_paused)
        turned = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.15, turned.set_result, None)
        await turned
        assert said < 30_000_000
        assert sum(map(len, connection.parts)) < 1_000_000
        assert sum([len(chunk) async for chunk in body]) == 30_000_000


async def test_a_large_request_waits_for_the_provider_to_read():
    async def far(reader, writer):
        await reader.readuntil(END)
        await go.wait()
        received.append(await reader.readexactly(20_000_000))
        writer.write(A)
        await reader.read()

    go, received = asyncio.Event(), []
    sent = bytes(range(250)) * 80_000
    async with far_side(far) as address, client(address) as found:
        sending = asyncio.ensure_future(whole(found, sent))
        await asyncio.wait((sending,), timeout=0.05)
        go.set()
        connection, seen = await sending
        assert connection.is_usable()
    assert seen == b"a"
    assert received == [sent]


async def test_a_reply_that_comes_before_the_request_is_sent_is_read():
    early = b"HTTP/1.1 413 Too Large\r\ncontent-length: 1\r\n\r\na"
    async with far_side(saying(early, hold=False)) as address, client(address) as found:
        body = await send(found, b"x" * 30_000_000)
        connection = body._connection
        assert connection.status == 413
        assert await anext(body) == b"a"
        assert not connection.is_usable()
        with pytest.raises(StopAsyncIteration):
            await anext(body)


async def test_a_reply_may_begin_before_the_request_is_sent():
    async def far(reader, writer):
        await reader.readuntil(END)
        writer.write(OK + b"content-length: 2\r\n\r\na")
        await go.wait()
        await reader.readexactly(20_000_000)
        writer.write(b"b")
        await reader.read()

    go = asyncio.Event()
    async with far_side(far) as address, client(address) as found:
        body = await send(found, b"x" * 20_000_000)
        assert await anext(body) == b"a"
        go.set()
        assert await anext(body) == b"b"


async def test_a_body_larger_than_asked_for_is_cut():
    answer = OK + b"content-length: 100\r\n\r\n" + b"a" * 100
    async with far_side(saying(answer)) as address, client(address) as found:
        body = await send(found, bytes_max=99)
        for _again in range(2):
            with pytest.raises(CutError) as caught:
                await anext(body)
            assert caught.value.failure is Failure.TOO_LARGE
        body = await send(found, bytes_max=100)
        assert len(await anext(body)) == 100


async def test_closing_after_the_end_does_no_harm_to_the_next_call():
    far = saying(A, CHUNKED + b"1\r\nb\r\n0\r\n\r\n")
    async with far_side(far) as address, client(address) as found:
        first = await send(found)
        assert await anext(first) == b"a"
        second = await send(found)
        await first.close()
        assert [chunk async for chunk in second] == [b"b"]
        with pytest.raises(StopAsyncIteration):
            await anext(first)


async def test_a_connection_whose_body_was_not_read_is_not_used_again():
    async with far_side(saying(A, A)) as address, client(address) as found:
        body = await send(found)
        await body.close()
        assert found._pool._idle == []
        with pytest.raises(CutError):
            await anext(body)
        _connection, seen = await whole(found)
    assert seen == b"a"


async def test_giving_up_a_wait_leaves_the_body_readable():
    async def far(reader, writer):
        await reader.readuntil(END)
        writer.write(OK + b"content-length: 1\r\n\r\n")
        await go.wait()
        writer.write(b"a")
        await reader.read()

    go = asyncio.Event()
    async with far_side(far) as address, client(address) as found:
        body = await send(found)
        waiting = asyncio.ensure_future(anext(body))
        await asyncio.wait((waiting,), timeout=0.01)
        waiting.cancel()
        await asyncio.wait((waiting,))
        go.set()
        assert await anext(body) == b"a"


async def test_what_arrived_together_is_one_chunk():
    far = saying(CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
    async with far_side(far) as address, client(address) as found:
        assert [chunk async for chunk in await send(found)] == [b"ab"]


async def test_small_packets_are_sent_at_once():
    async with far_side(saying(A)) as address, client(address) as found:
        connection, _seen = await whole(found)
        raw = connection._transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_no_connection_is_told():
    async with refused() as address, client(address) as found:
        with pytest.raises(HttpError) as caught:
            await whole(found)
    assert caught.value.failure is Failure.UNREACHABLE


async def test_a_host_that_can_be_none_is_unreachable():
    async with client(f"http://{'a' * 70}.example") as found:
        with pytest.raises(HttpError) as caught:
            await whole(found)
    assert caught.value.failure is Failure.UNREACHABLE


@pytest.mark.parametrize(
    ("address", "authority", "path"),
    [
        ("http://Example.org/v1", b"example.org", b"/v1"),
        ("https://example.org:443", b"example.org", b""),
        ("http://example.org:8080/a/b", b"example.org:8080", b"/a/b"),
        ("http://[::1]:8080", b"[::1]:8080", b""),
    ],
)
async def test_the_host_header_names_the_origin(address, authority, path):
    found = Client(address, Limits(**wires.PATIENT))
    assert (found.authority, found.path) == (authority, path)


def test_it_works_on_uvloop_as_well():
    async def main() -> list[bytes]:
        sent = b"x" * 3_000_000

        async def far(reader, writer):
            await reader.readuntil(END)
            await reader.readexactly(len(sent))
            writer.write(CHUNKED + b"1\r\na\r\n0\r\n\r\n")
            await reader.readuntil(END)
            writer.write(OK + b"\r\nabc")
            await writer.drain()

        async with far_side(far) as address, client(address) as found:
            first, one = await whole(found, sent)
            second, two = await whole(found)
            assert first is second
            with pytest.raises(HttpError):
                await whole(Client("http://127.0.0.1:1", Limits(**wires.PATIENT)))
            return [one, two]

    assert uvloop.run(main()) == [b"a", b"abc"]
