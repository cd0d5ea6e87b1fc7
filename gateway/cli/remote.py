"""
A gateway asked over HTTP, as developers' commands do.

The standard library and nothing more: no proxies, no redirects, a timeout on every
request. What cannot be reached or understood is told in one line that says what to set.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec
from msgspec import Struct

from gateway.cli.terminal import Answered, Unreachable, WrongUse

TIMEOUT_S = 10.0
_BODY_BYTES_MAX = 256 * 1024 * 1024
_OK = 200
_BAD_REQUEST = 400
_REDIRECT = 300


class Answer(Struct, frozen=True, kw_only=True):
    """A reply as it came: status, headers in lower case, whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def fields(self) -> Mapping[str, Any]:
        """Return the body's fields, where it is a JSON object; else none."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}


class Remote:
    """The gateway at a URL, asked with a key."""

    def __init__(self, url: str, key: str) -> None:
        """
        Check the URL and keep the key.

        Raises:
            WrongUse: the URL is no http(s) URL, or the key cannot be sent in a header.

        """
        self.url = url.strip().rstrip("/")
        self._parts = _split(self.url)
        self._key = key.strip()
        if not self._key.isascii() or not (self._key.isprintable()):
            raise WrongUse("GOODGATE_KEY is not a key: it holds characters no key has")

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        raw: bytes | None = None,
    ) -> Any:  # what JSON holds is for the command to know
        """
        Return the JSON a route answers with.

        Raises:
            WrongUse: there is no key to ask with.
            Answered: the gateway said no.
            Unreachable: nothing that speaks as a gateway does is there.

        """
        self._need_key()
        payload = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        answer = self.fetch(method, _target(path, query), payload)
        return self._read(answer)

    def document(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> bytes:
        """Return the bytes a route answers with that answers no JSON; raises as `ask` does."""
        self._need_key()
        answer = self.fetch("GET", _target(path, query), timeout_s=timeout_s)
        if answer.status != _OK:
            self._read(answer)  # which tells what is wrong
        return answer.body

    def fetch(
        self,
        method: str,
        path: str,
        payload: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """Return the reply to one request, whatever its status; raises Unreachable."""
        connection = self._connection(timeout_s)
        try:
            connection.request(
                method,
                f"{self._parts.path}{path}",
                payload or None,
                {**self._headers(payload), **(headers or {})},
            )
            reply = connection.getresponse()
            body = reply.read(_BODY_BYTES_MAX)
        except OSError as error:
            raise Unreachable(
                f"no gateway answers at {self.url} ({_reason(error)}); start one with"
                " `goodgate serve`, or set GOODGATE_URL to where yours is"
            ) from None
        except http.client.HTTPException:
            raise Unreachable(
                f"what answers at {self.url} does not speak HTTP as a gateway does; is"
                " GOODGATE_URL right (http or https, host, port)?"
            ) from None
        finally:
            connection.close()
        names = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(status=reply.status, headers=names, body=body)

    def _need_key(self) -> None:
        if not self._key:
            raise WrongUse(
                "no key to ask with: set GOODGATE_KEY to yours (an admin makes one with"
                " `goodgate keys create --principal NAME --team TEAM`)"
            )

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
        return http.client.HTTPConnection(host, port, timeout=timeout_s)

    def _headers(self, payload: bytes) -> dict[str, str]:
        headers = {"accept": "application/json", "user-agent": "goodgate-cli"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        if payload:
            headers["content-type"] = "application/json"
        return headers

    def _read(self, answer: Answer) -> Any:  # as in `ask`
        try:
            value = json.loads(answer.body)
        except ValueError:
            value = None
        if value is None or _REDIRECT <= answer.status < _BAD_REQUEST:
            raise Unreachable(
                f"{self.url} answered {answer.status} with something no gateway says; is"
                " GOODGATE_URL the gateway itself, with nothing in front of it?"
            )
        if answer.status < _REDIRECT:
            return value
        error = answer.fields.get("error")
        if not isinstance(error, dict):
            raise Answered(answer.status, "gateway_error", f"the gateway answered {answer.status}")
        said = cast("dict[str, Any]", error)
        code, message = said.get("code", "gateway_error"), said.get("message", "")
        raise Answered(answer.status, str(code), str(message))


def _target(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _split(url: str) -> SplitResult:
    wrong = WrongUse(f"GOODGATE_URL must be an http or https URL, and it is {url!r}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise wrong
    if parts.username or parts.password or " " in url:
        raise wrong
    return parts


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return error.strerror or type(error).__name__
