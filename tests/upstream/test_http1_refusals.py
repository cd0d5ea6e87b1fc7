"""What the HTTP/1.1 client refuses: heads that are unclear, bodies that break the rules."""

import pytest

from gateway.upstream import connection as connections
from gateway.upstream.http1 import Failure, HttpError
from tests.upstream.wires import client, cut, far_side, saying, whole

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        OK + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        OK + b"content-length: +3\r\n\r\nabc",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        OK + b"x: a\r\n folded: b\r\ncontent-length: 0\r\n\r\n",
        OK + b"content-length : 0\r\n\r\n",
        OK + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        OK + b"x: y\r\n" * 201 + b"\r\n",
        OK + b"x: " + b"y" * 33_000 + b"\r\ncontent-length: 0\r\n\r\n",
        OK + b"x: " + b"y" * 300_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000,
    ],
)
async def test_a_head_that_is_unclear_or_too_large_is_refused(answer):
    async with far_side(saying(answer)) as address, client(address) as found:
        with pytest.raises(HttpError) as caught:
            await whole(found)
    assert caught.value.failure is Failure.GARBAGE


async def test_a_head_that_comes_with_a_large_body_is_not_too_large():
    answer = OK + b"content-length: 200000\r\n\r\n" + b"a" * 200_000
    async with far_side(saying(answer)) as address, client(address) as found:
        _connection, seen = await whole(found)
    assert len(seen) == 200_000


@pytest.mark.parametrize(
    ("answer", "arrived"),
    [
        (CHUNKED + b"zz\r\nabc\r\n", b""),
        (CHUNKED + b"3\r\nabcd\r\n", b"abc"),
        (CHUNKED + b"3\r\nabc\r\nffffffffffffffffff\r\n", b"abc"),
        (CHUNKED + b"1\r\na\r\n0\r\n" + b"x: y\r\n" * 100_000, b"a"),
    ],
)
async def test_a_body_that_breaks_the_rules_is_cut_after_what_arrived(answer, arrived):
    async with far_side(saying(answer)) as address, client(address) as found:
        seen, failure = await cut(found)
    assert seen == arrived
    assert failure is Failure.GARBAGE


@pytest.mark.parametrize(
    "answer", [OK + b"content-length: 3\r\n\r\nab", CHUNKED + b"3\r\nab", CHUNKED + b"2\r\nab\r\n"]
)
async def test_a_body_that_ends_before_its_length_is_cut_after_what_arrived(answer):
    async with far_side(saying(answer, hold=False)) as address, client(address) as found:
        seen, failure = await cut(found)
    assert seen == b"ab"
    assert failure is Failure.BROKEN


async def test_a_connection_that_ends_before_a_head_is_told():
    async with far_side(saying(b"HTTP/1.1 200", hold=False)) as address, client(address) as found:
        with pytest.raises(HttpError) as caught:
            await whole(found)
    assert caught.value.failure is Failure.BROKEN


def test_the_limits_are_those_documented():
    assert (connections.HEAD_BYTES_MAX, connections.HEADERS_MAX) == (32_768, 200)
