"""A gateway of the demo's own: its folder, its process, and calls sent to it over HTTP."""

import http.client
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

import gateway
from gateway.cli.demo_traffic import CHAT, Shot
from gateway.cli.remote import TIMEOUT_S, Remote
from gateway.cli.terminal import Unreachable

START_S = 30.0
STOP_S = 10.0
CALLERS = 4
"""People type at the same time."""
_OK = 200

CONFIG = """\
providers:
  local: {format: simulated, options: {tokens: 200}}
models:
  "*": {provider: local}
"""


class Outcome(Struct, frozen=True):
    """What came of one call."""

    shot: Shot
    status: int
    code: str
    """Of the refusal; empty for an answer."""
    tokens: int
    """In and out, as the reply said."""


@contextmanager
def serving(
    folder: Path, environ: Mapping[str, str], *options: str, config: str = ""
) -> Generator[str]:
    """
    Yield the URL of a gateway on a free loopback port; it is stopped, by its pid, at the end.

    `config` is what its goodgate.yaml says beside its provider.

    Raises:
        Unreachable: it did not start.

    """
    file, log = folder / "goodgate.yaml", folder / "serve.log"
    file.write_text(CONFIG + config, encoding="utf-8")
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603  # this program itself
            [sys.executable, "-m", "gateway", "serve", "--host", "127.0.0.1", "--port", "0",
             "--config", str(file), "--data", str(folder / "data"), *options],
            env=_environment(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )  # fmt: skip
        try:
            yield _url(process, log)
        finally:
            _stop(process)


def send(
    url: str, keys: Mapping[str, str], shots: Sequence[Shot], sent: Callable[[], object]
) -> list[Outcome]:
    """Send calls, a few at a time; `sent` is told of each one that came back."""
    parts = [shots[at::CALLERS] for at in range(CALLERS)]
    with ThreadPoolExecutor(CALLERS) as pool:
        jobs = [pool.submit(_send_in_turn, url, keys, part, sent) for part in parts]
        return [outcome for job in jobs for outcome in job.result()]


def ask(url: str, key: str, path: str, **query: str) -> Any:
    """Return what the gateway's API answers with."""
    return Remote(url, key).ask("GET", path, query=query)


def _send_in_turn(
    url: str, keys: Mapping[str, str], shots: Sequence[Shot], sent: Callable[[], object]
) -> list[Outcome]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    outcomes: list[Outcome] = []
    try:
        for shot in shots:
            outcomes.append(_send(connection, keys[shot.person], shot))
            sent()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"the demo's gateway stopped answering: {error}") from None
    finally:
        connection.close()
    return outcomes


def _send(connection: http.client.HTTPConnection, key: str, shot: Shot) -> Outcome:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    if shot.task:
        headers["x-task-id"] = shot.task
    model = "gpt-5-mini" if shot.path == CHAT else "claude-haiku-4-5"
    body = {
        "model": model,
        "max_tokens": shot.tokens_max,
        "messages": [{"role": "user", "content": shot.prompt}],
    }
    connection.request("POST", shot.path, json.dumps(body), headers)
    reply = connection.getresponse()
    said = json.loads(reply.read())
    if reply.status == _OK:
        return Outcome(shot, reply.status, "", _tokens(said["usage"]))
    return Outcome(shot, reply.status, _code(said["error"]), 0)


def _tokens(usage: Mapping[str, Any]) -> int:
    names = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")
    return sum(int(usage.get(name) or 0) for name in names)


def _code(error: Mapping[str, Any]) -> str:
    details: Mapping[str, Any] = error.get("details", {})
    return str(error.get("code") or details.get("error_code", ""))


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without a word for Goodgate, and with this very package in it."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GOODGATE_")}
    package = str(Path(gateway.__file__).resolve().parent.parent)
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (package, kept.get("PYTHONPATH"))))
    return kept


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_S)
    line = process.stdout.readline().decode() if ready else ""
    _, found, url = line.strip().partition("listening on ")
    if not found:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
        raise Unreachable(
            f"the demo's gateway did not start: {' '.join(said) or 'no reason given'}"
        )
    return url


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
