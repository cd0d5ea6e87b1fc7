"""A gateway's answers by heart: a loopback server that says what a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway import cli
from tests.unit.cli import folders
from tests.unit.cli.folders import Folder

Command = Callable[..., tuple[int, str, str]]


class Scripted:
    """Answers by `METHOD /path`, and what was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    def says(self, line: str, value: object, status: int = 200) -> None:
        """Answer `GET /api/whoami` (without its query) with a value from now on."""
        self.answers[line] = (status, value)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """Return a running server that knows no answer yet."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            line = f"{self.command} {self.path}"
            size = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.asked.append((line, headers, self.rfile.read(size)))
            found = script.answers.get(line.partition("?")[0])
            nothing = {"error": {"code": "not_found", "message": "nothing here"}}
            status, value = found or (404, nothing)
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs `goodgate …` in this process: (code, stdout, stderr)."""

    def command(*argv: str, **environ: str) -> tuple[int, str, str]:
        code = cli.main(list(argv), environ)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture(scope="session")
def kept_folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Return a data folder nobody may change."""
    return folders.make(tmp_path_factory.mktemp("ledger") / "data")


@pytest.fixture
def ledger_folder(kept_folder: Folder, tmp_path: Path) -> Folder:
    """Return a data folder of the test's own."""
    return kept_folder.copy(tmp_path / "data")
