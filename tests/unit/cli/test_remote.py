"""Asking a gateway over HTTP: what can go wrong, and what is said about it."""

import http.client
import socket

import pytest

from gateway.cli.remote import Remote
from gateway.cli.terminal import Answered, Unreachable, WrongUse
from tests.unit.cli.conftest import Scripted


def closed_port() -> int:
    """Return a loopback port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_the_key_travels_as_a_bearer_and_nothing_else_does(scripted: Scripted) -> None:
    scripted.says("POST /api/keys", {"key": "k"})

    Remote(scripted.url, " gg_x \n").ask("POST", "/api/keys", body={"a": 1})

    (line, headers, body) = scripted.asked[0]
    assert (line, body) == ("POST /api/keys", b'{"a": 1}')
    assert headers["authorization"] == "Bearer gg_x"
    assert "cookie" not in headers


def test_a_query_is_encoded(scripted: Scripted) -> None:
    scripted.says("GET /api/audit/entries", [])

    Remote(scripted.url, "k").ask("GET", "/api/audit/entries", query={"reveal": "a&b=c d"})

    assert scripted.asked[0][0] == "GET /api/audit/entries?reveal=a%26b%3Dc+d"


def test_a_gateway_behind_a_path_is_reached(scripted: Scripted) -> None:
    scripted.says("GET /llm/api/whoami", {"ok": 1})

    assert Remote(scripted.url + "/llm/", "k").ask("GET", "/api/whoami") == {"ok": 1}


def test_a_refusal_keeps_its_code_and_its_words(scripted: Scripted) -> None:
    error = {"error": {"code": "not_allowed", "message": "ask an admin"}}
    scripted.says("GET /api/keys", error, status=403)

    with pytest.raises(Answered, match=r"^ask an admin$") as caught:
        Remote(scripted.url, "k").ask("GET", "/api/keys")

    assert (caught.value.code, caught.value.status) == ("not_allowed", 403)


def test_nobody_there_says_what_to_set() -> None:
    with pytest.raises(Unreachable, match=r"no gateway answers at .*refused.*GOODGATE_URL"):
        Remote(f"http://127.0.0.1:{closed_port()}", "k").ask("GET", "/api/whoami")


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>hello"), (502, b"Bad Gateway"), (302, b"{}"), (200, b"")],
)
def test_something_else_at_the_url_is_told_apart(
    scripted: Scripted, status: int, body: bytes
) -> None:
    scripted.says("GET /api/whoami", body, status=status)

    with pytest.raises(Unreachable, match=f"answered {status} .* is GOODGATE_URL the gateway"):
        Remote(scripted.url, "k").ask("GET", "/api/whoami")


def test_a_server_that_does_not_speak_http_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def garbled(*_: object, **__: object) -> None:
        raise http.client.BadStatusLine("SSH-2.0")

    monkeypatch.setattr(http.client.HTTPConnection, "request", garbled)

    with pytest.raises(Unreachable, match="does not speak HTTP"):
        Remote("http://127.0.0.1:1", "k").ask("GET", "/api/whoami")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gateway.example",
        "ftp://gateway.example",
        "http://",
        "http://host:99999",
        "http://host/?q=1",
        "http://user:secret@host",
        "http://host/a b",
        "http://host/\r\nx: y",
    ],
)
def test_a_wrong_url_is_wrong_use(url: str) -> None:
    with pytest.raises(WrongUse, match="GOODGATE_URL must be"):
        Remote(url, "k")


def test_a_key_that_could_break_a_header_is_never_sent() -> None:
    with pytest.raises(WrongUse, match="GOODGATE_KEY is not a key"):
        Remote("http://host", "gg_x\r\nx-admin: 1")


def test_no_key_is_wrong_use_and_says_where_to_get_one() -> None:
    with pytest.raises(WrongUse, match=r"set GOODGATE_KEY .*goodgate keys create"):
        Remote("http://host", "").ask("GET", "/api/whoami")


def test_proxies_of_the_environment_are_not_used(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    scripted.says("GET /api/whoami", {"ok": 1})

    assert Remote(scripted.url, "k").ask("GET", "/api/whoami") == {"ok": 1}
