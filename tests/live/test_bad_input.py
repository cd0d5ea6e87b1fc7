"""What no client should send: a clear error, no stack trace, no entry, no growth."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.raw import RawCaller, post, statuses
from tests.live.scripted import ProviderThread
from tests.live.server import Answer, RunningGateway, Site, chat, message

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
GOOD = json.dumps(chat()).encode()

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{model: gpt}",
    "cut short": GOOD[:-5],
    "something behind it": GOOD + b"{}",
    "no object": b'["gpt-5-mini"]',
    "a model twice": b'{"model": "a", "model": "gpt-5-mini", "messages": []}',
    "a stream twice": b'{"model": "gpt-5-mini", "stream": false, "stream": true, "messages": []}',
    "a task twice": b'{"model": "gpt-5-mini", "metadata": {"task_id": "PROJ-1",'
    b' "task_id": "PROJ-2"}, "messages": []}',
    "metadata twice": b'{"model": "gpt-5-mini", "metadata": {"task_id": "PROJ-1"},'
    b' "metadata": {"task_id": "PROJ-2"}, "messages": []}',
    "an escaped twin": b'{"model": "a", "\\u006dodel": "gpt-5-mini", "messages": []}',
    "NaN": b'{"model": "gpt-5-mini", "messages": [], "temperature": NaN}',
    "Infinity": b'{"model": "gpt-5-mini", "messages": [], "max_tokens": Infinity}',
    "a thousand deep": b'{"model": "gpt-5-mini", "messages": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    "a hundred thousand deep": b'{"model": "gpt-5-mini", "messages": ' + b"[" * 100_000,
    "bad UTF-8": b'{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "a model that is a number": b'{"model": 5, "messages": []}',
    "no model": b'{"messages": []}',
    "a stream that is a word": b'{"model": "gpt-5-mini", "messages": [], "stream": "yes"}',
    "n that is negative": b'{"model": "gpt-5-mini", "messages": [], "n": -1}',
}


@pytest.fixture(scope="module")
def strict(seeded: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway of this module's own; whatever happens here, its ledger must stay empty."""
    site = seeded.copy(tmp_path_factory.mktemp("strict") / "site").providers("http://127.0.0.1:9")
    with site.running() as running:
        yield running
        assert "Traceback" not in running.said
        assert running.stop() in {0, -15}
        assert site.entries() == []
        assert site.unlinked() == []


def message_of(answer: Answer, path: str) -> str:
    """Return an error's message, having checked that its shape is that of the path's format."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.request_id.startswith("req_")
    said: dict[str, Any] = answer.json
    error = said["error"]
    if path.startswith("/v1/messages"):
        assert said["type"] == "error"
        assert error["details"]["error_code"]
    else:
        assert error["code"]
        assert "param" in error
    text: str = error["message"]
    assert "\n" not in text
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_body_is_refused_in_the_callers_shape(
    strict: RunningGateway, path: str, name: str
) -> None:
    answer = strict.ask(path, BROKEN[name], task="PROJ-1", method="POST")

    assert answer.status == 400, answer.body
    assert message_of(answer, path)
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_body_of_33_mb_is_refused_before_it_is_read(
    strict: RunningGateway, path: str
) -> None:
    async with RawCaller(strict.port) as caller:
        await caller.send(
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {33 * 1024 * 1024}\r\n"
            f"authorization: Bearer {strict.site.keys['alice']}\r\n\r\n".encode()
        )
        received = await caller.read_until(b"body_too_large")

    assert statuses(received) == [413]
    assert b"MiB" in received


async def test_a_body_that_grows_past_the_limit_is_cut_off(strict: RunningGateway) -> None:
    """A chunked body names no length, so it is counted as it comes."""
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    async with RawCaller(strict.port) as caller:
        await caller.send(
            f"POST {CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n"
            f"authorization: Bearer {strict.site.keys['alice']}\r\n\r\n".encode()
        )
        sending = asyncio.ensure_future(_send_until_cut(caller, piece, 40))
        received = await caller.read_until(b"body_too_large")
        sending.cancel()
        await asyncio.wait([sending])

    assert statuses(received) == [413]


async def _send_until_cut(caller: RawCaller, piece: bytes, times: int) -> None:
    try:
        for _ in range(times):
            await caller.send(piece)
    except ConnectionError:
        return


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip"])
def test_a_compressed_body_is_not_supported(strict: RunningGateway, encoding: str) -> None:
    answer = strict.ask(CHAT, GOOD, task="PROJ-1", headers={"content-encoding": encoding})

    assert answer.status == 415
    assert "Content-Encoding" in message_of(answer, CHAT)


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/v1/nothing", "POST", 404, "not_found"),
        ("/v1/chat/completions/", "POST", 404, "not_found"),
        ("/v2/messages", "POST", 404, "not_found"),
        ("/v1//chat/completions", "POST", 404, "not_found"),
        ("/v1/%2e%2e/v1/messages", "POST", 404, "not_found"),
        ("/t/PROJ-1", "POST", 404, "not_found"),
        (CHAT, "GET", 405, "method_not_allowed"),
        (CHAT, "DELETE", 405, "method_not_allowed"),
        (MESSAGES, "PUT", 405, "method_not_allowed"),
        ("/v1/models", "POST", 405, "method_not_allowed"),
        ("/health/live", "POST", 405, "method_not_allowed"),
    ],
)
def test_an_unknown_route_or_method_is_said_in_the_callers_shape(
    strict: RunningGateway, path: str, method: str, status: int, code: str
) -> None:
    answer = strict.ask(path, GOOD, task="PROJ-1", method=method)

    assert answer.status == status
    assert message_of(answer, path)
    assert code.encode() in answer.body
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "lines",
    [
        "host: 127.0.0.1\r\nhost: other\r\n",
        "host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
        "",
        "host:\r\n",
        "host: 127.0.0.1\r\n" + "".join(f"x-{n}: y\r\n" for n in range(200)),
        "host: 127.0.0.1\r\nx-long: " + "y" * 70_000 + "\r\n",
    ],
    ids=["two hosts", "one host twice", "no host", "an empty host", "200 headers", "70 kB header"],
)
async def test_wrong_headers_are_refused(strict: RunningGateway, lines: str) -> None:
    async with RawCaller(strict.port) as caller:
        await caller.send(
            f"POST {CHAT} HTTP/1.1\r\n{lines}connection: close\r\n"
            f"authorization: Bearer {strict.site.keys['alice']}\r\nx-task-id: PROJ-1\r\n"
            f"content-length: {len(GOOD)}\r\n\r\n".encode()
            + GOOD
        )
        received = await caller.read_all()

    assert statuses(received) == [400]


@pytest.mark.parametrize(
    "value",
    [b"PROJ-1\rx-injected: yes", b"PROJ-1\x00", b"PROJ-1\x1b[31m", b"PROJ 1", b"\xff\xfe", b"-"],
)
async def test_a_task_header_with_control_characters_is_refused(
    strict: RunningGateway, value: bytes
) -> None:
    async with RawCaller(strict.port) as caller:
        request = post(
            CHAT,
            GOOD,
            {
                "authorization": f"Bearer {strict.site.keys['alice']}",
                "connection": "close",
                "x-task-id": "@",
            },
        )
        await caller.send(request.replace(b"x-task-id: @", b"x-task-id: " + value))
        received = await caller.read_all()

    assert statuses(received) == [400]
    assert b"x-injected" not in received


async def test_a_line_break_in_a_task_header_makes_another_header_not_another_task(
    strict: RunningGateway,
) -> None:
    """A full CRLF is framing: what follows is a header of its own, and is never echoed."""
    async with RawCaller(strict.port) as caller:
        headers = {
            "authorization": f"Bearer {strict.site.keys['alice']}",
            "connection": "close",
            "x-task-id": "NOPE 1\r\nx-injected: yes",
        }
        await caller.send(post(CHAT, GOOD, headers))
        received = await caller.read_all()

    assert statuses(received) == [400]
    assert b"x-injected" not in received


@pytest.mark.parametrize("where", ["/t/PROJ-1%0d%0ax-injected:%20yes/v1/chat/completions"])
def test_a_line_break_in_the_path_never_becomes_a_header(
    strict: RunningGateway, where: str
) -> None:
    answer = strict.ask(where, GOOD)

    assert answer.status in {400, 404}
    assert "x-injected" not in answer.headers


SMUGGLED = b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
SMUGGLING: dict[str, bytes] = {
    "CL and TE": b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "CL twice": b"content-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
    "CL with a sign": b"content-length: +4\r\n\r\nabcd",
    "CL with a comma": b"content-length: 4, 4\r\n\r\nabcd",
    "CL negative": b"content-length: -1\r\n\r\n",
    "CL in hex": b"content-length: 0x4\r\n\r\nabcd",
    "TE misspelt": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE with a tab": b"transfer-encoding:\tchunked, identity\r\n\r\n0\r\n\r\n",
    "space before the colon": b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "folded header": b"x-a: b\r\n c\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"x-a: b\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "NUL": b"x-a: b\x00c\r\ncontent-length: 0\r\n\r\n",
    "chunk size with a sign": b"transfer-encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n",
    "chunk size with letters": b"transfer-encoding: chunked\r\n\r\n4z\r\nabcd\r\n0\r\n\r\n",
    "chunk with a bare LF": b"transfer-encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
async def test_a_smuggled_request_is_never_answered(strict: RunningGateway, name: str) -> None:
    async with RawCaller(strict.port) as caller:
        await caller.send(
            f"POST {CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {strict.site.keys['alice']}\r\n".encode()
            + SMUGGLING[name]
            + SMUGGLED
        )
        received = await caller.read_all()

    assert statuses(received) == [400]
    assert b"live" not in received


def test_nothing_bad_makes_the_memory_grow(strict: RunningGateway) -> None:
    bodies = [*BROKEN.values()] * 5
    for body in bodies:
        strict.ask(CHAT, body, task="PROJ-1", method="POST")
    before = strict.resident_kib()

    for body in bodies * 3:
        strict.ask(CHAT, body, task="PROJ-1", method="POST")

    assert strict.resident_kib() - before < 4 * 1024


@pytest.mark.parametrize("body", [chat(stream=True), message(stream=True)])
def test_a_reply_that_is_no_http_is_a_bad_gateway(
    site: Site, provider: ProviderThread, body: dict[str, Any]
) -> None:
    provider.script.append("garbage_head")
    path = MESSAGES if body["model"].startswith("claude") else CHAT
    with site.running() as gateway:
        answer = gateway.ask(path, body, task="PROJ-1")
        assert answer.status == 502, answer.body
        assert message_of(answer, path)
        assert "Traceback" not in gateway.said
