"""Programs a benchmark starts: on a core of their own, watched, and ended by process id."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = dict(os.environ)  # noqa: TID251 - what the programs started here inherit
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int]:
    """Return the core for what is measured and the core for what measures (the same if alone)."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


class Program:
    """A running program, pinned to one core; its output goes to a file."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        core: int,
        ready: str | int,
        log: Path,
        env: Mapping[str, str] | None = None,
        within_s: float = 60.0,
    ) -> None:
        """Start it and wait for a line that matches `ready`, or until it listens on that port."""
        self.log = log
        self._pattern = re.compile(ready if isinstance(ready, str) else "(?!)")
        self._found: list[re.Match[str]] = []
        self._ready = threading.Event()
        started = time.perf_counter()
        self._process = _spawn(argv, core, env)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if isinstance(ready, int):
            became_ready = self._listens(ready, within_s)
        else:
            became_ready = self._ready.wait(within_s) and bool(self._found)
        if not became_ready:
            self.stop()
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"{argv[0]} did not become ready: {' '.join(last)[:300]}")
        self.start_s = time.perf_counter() - started

    def __enter__(self) -> Self:
        """Return itself: it runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    @property
    def port(self) -> int:
        """The port its ready line named (the pattern's first group)."""
        return int(self._found[0].group(1))

    def cpu_s(self) -> float:
        """Return the processor time it and all it started have used, in seconds."""
        return sum(_cpu_ticks(pid) for pid in _family(self._process.pid)) / _TICKS_PER_S

    def resident_mb(self) -> float:
        """Return the resident memory of it and all it started, in MB (10⁶ bytes)."""
        return sum(_resident_kib(pid) for pid in _family(self._process.pid)) * 1024 / 1e6

    def interrupt(self, within_s: float = 20.0) -> None:
        """End it as Ctrl-C would, and wait: a profiler writes its file only then."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(within_s)

    def stop(self, within_s: float = 20.0) -> None:
        """End it gently, and then not."""
        family = _family(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in family[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._reader.join(5)

    def _listens(self, port: int, within_s: float) -> bool:
        deadline = time.perf_counter() + within_s
        while time.perf_counter() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            if self._ready.wait(0.05):  # its output ended, and so did it
                return False
        return False

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("w") as log:
            for line in self._process.stdout:
                log.write(line)
                log.flush()
                if not self._found and (found := self._pattern.search(line)):
                    self._found.append(found)
                    self._ready.set()
        self._ready.set()


def run(argv: Sequence[str], *, core: int | None, within_s: float) -> str:
    """Run a program to its end, on one core or (None) on any, and return what it printed."""
    process = _spawn(argv, core, None, stderr=None)
    try:
        printed, _ = process.communicate(timeout=within_s)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv[1:3])} ended with {process.returncode}")
    return printed


def _spawn(
    argv: Sequence[str],
    core: int | None,
    env: Mapping[str, str] | None,
    stderr: int | None = subprocess.STDOUT,
) -> "subprocess.Popen[str]":
    """Start a program on a core: it inherits the affinity this thread has for a moment."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if core is None else {core})
    try:
        return subprocess.Popen(
            argv,
            cwd=ROOT,
            env=dict(env if env is not None else ENVIRONMENT),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
        )
    finally:
        os.sched_setaffinity(0, before)


def _family(pid: int) -> list[int]:
    """Return a process id and those of all its descendants."""
    found = [pid]
    for parent in found:
        with suppress(FileNotFoundError):
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                with suppress(FileNotFoundError):
                    found.extend(int(child) for child in children.read_text().split())
    return found


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return int(fields[11]) + int(fields[12])  # utime and stime, proc(5)


def _resident_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found.group(1)) if found else 0
