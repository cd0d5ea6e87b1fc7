"""
Pages of a tracker's interface, asked for over HTTP: never on the line, one at a time.

Each has a connection of its own. Redirects are not followed, and the key goes to the tracker's
own base URL alone.
"""

import asyncio
import http.client
import ssl
from typing import Final
from urllib.parse import urlsplit

from gateway import __version__
from gateway.errors import TrackerUnavailable
from gateway.tasks.trackers.paging import Ask, Page

TIMEOUT_S: Final = 30.0
BODY_BYTES_MAX: Final = 32 * 1024 * 1024


async def fetch(base_url: str, authorization: str, ask: Ask) -> Page:
    """
    Return a page, whatever its status; `authorization` is sent as it stands, empty: none is.

    Raises:
        TrackerUnavailable: it cannot be had; the text names no key and nothing of the page.

    """
    return await asyncio.to_thread(_fetch, base_url, authorization, ask)


def _fetch(base_url: str, authorization: str, ask: Ask) -> Page:
    url = ask.path if ask.path.startswith(f"{base_url}/") else base_url + ask.path
    if "://" in ask.path and url != ask.path:
        raise TrackerUnavailable("its next page is at another address: it is not asked there")
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
    try:
        target = f"{parts.path}?{parts.query}"
        method, sent = ("POST", ask.body) if ask.body else ("GET", None)
        connection.request(method, target, sent, _headers(authorization, ask))
        reply = connection.getresponse()
        body = reply.read(BODY_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise TrackerUnavailable(f"it cannot be reached ({type(error).__name__})") from None
    finally:
        connection.close()
    if len(body) > BODY_BYTES_MAX:
        raise TrackerUnavailable(f"a page has more than {BODY_BYTES_MAX} bytes")
    return Page(reply.status, {name.lower(): value for name, value in reply.getheaders()}, body)


def _headers(authorization: str, ask: Ask) -> dict[str, str]:
    headers = {
        "accept": "application/json",
        "user-agent": f"goodgate/{__version__}",
        "x-github-api-version": "2022-11-28",
    }
    if authorization:
        headers["authorization"] = authorization
    if ask.body:
        headers["content-type"] = "application/json"
    if ask.etag:
        headers["if-none-match"] = ask.etag
    return headers
