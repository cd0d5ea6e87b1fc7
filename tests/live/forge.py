"""A tracker that is scripted: pages of GitHub's shape, with ETags, links and limits."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

KEY = "ghp-a-key-of-the-tests"


class Forge:
    """Serves lists, a few rows a page; whatever was asked is remembered."""

    def __init__(self, per_page: int = 2) -> None:
        self.lists: dict[str, Any] = {}
        """What is served at a path: a list is paged, anything else is one page."""
        self.asked: list[tuple[str, int]] = []
        """Path with its query, and the status it was answered with."""
        self.sent: list[Any] = []
        """Bodies of what was asked by POST."""
        self.authorization = f"Bearer {KEY}"
        """What is shown by whoever may ask."""
        self.limits: list[dict[str, str]] = []
        """Headers of answers that come before the next pages; 403 and `{}`, unless they say."""
        self.fails: list[int] = []
        """Statuses of the next answers."""
        self.per_page = per_page
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                forge._answer(self)

            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                forge.sent.append(json.loads(self.rfile.read(size)))
                forge._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, to: BaseHTTPRequestHandler) -> None:
        status, headers, body = self._page(to)
        self.asked.append((to.path, status))
        to.send_response(status)
        for name, value in headers.items():
            to.send_header(name, value)
        to.send_header("content-length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)

    def _page(self, to: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        if to.headers.get("authorization") != self.authorization:
            return 401, {}, b"{}"
        if self.limits:
            limit = self.limits.pop(0)
            return int(limit.pop(":status", "403")), limit, limit.pop(":body", "{}").encode()
        if self.fails:
            return self.fails.pop(0), {}, b"{}"
        parts = urlsplit(to.path)
        found = self.lists.get(parts.path)
        if found is None:
            return 404, {}, b"{}"
        query = parse_qs(parts.query)
        headers: dict[str, str] = {}
        if isinstance(found, list):
            since = query.get("since", [""])[0]
            rows = [row for row in found if row.get("updated_at", "9") >= since]
            number = int(query.get("page", ["1"])[0])
            first = (number - 1) * self.per_page
            if first + self.per_page < len(rows):
                rest = "&".join(each for each in parts.query.split("&") if each[:5] != "page=")
                following = f"{self.url}{parts.path}?{rest}&page={number + 1}"
                headers["link"] = f'<{following}>; rel="next", <{self.url}>; rel="last"'
            found = rows[first : first + self.per_page]
        body = json.dumps(found).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if to.headers.get("if-none-match") == etag:
            return 304, {"etag": etag}, b""
        return 200, headers | {"etag": etag}, body


def issue(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": 500 + number,
        "number": number,
        "title": f"Issue {number}",
        "state": "open",
        "created_at": "2026-09-01T10:00:00Z",
        "updated_at": f"2026-09-2{number}T13:20:00Z",
        "user": {"login": "carol-gh"},
        "assignees": [{"login": "alice-gh"}],
    } | fields


def pull(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": 900 + number,
        "number": number,
        "title": "Add it",
        "body": "Closes #7",
        "updated_at": "2026-09-28T14:00:05Z",
        "user": {"login": "alice-gh"},
        "merged_at": "2026-09-28T14:00:00Z",
        "merged_by": {"login": "alice-gh"},
    } | fields


def served(forge: Forge) -> None:
    """Serve a project of seven issues and one merge that somebody had approved."""
    here = "/repos/acme/web"
    forge.lists = {
        f"{here}/issues": [issue(number) for number in range(1, 8)],
        f"{here}/pulls": [pull(3), pull(2, merged_at=None, updated_at="2026-09-20T10:00:00Z")],
        f"{here}/pulls/3": pull(3),
        f"{here}/pulls/3/reviews": [
            {"state": "APPROVED", "user": {"login": "bob-gh"}}
            | {"submitted_at": "2026-09-28T13:50:00Z"}
        ],
        f"{here}/issues/events": [
            {"event": "labeled", "created_at": "2026-09-27T10:00:00Z"},
            {"event": "closed", "created_at": "2026-09-26T10:00:00Z"}
            | {"actor": {"login": "bob-gh"}, "issue": issue(1, state="closed")},
        ],
    }
