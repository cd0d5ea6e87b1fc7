"""
What a witness keeps in its folder: its key, its name, the last checkpoint it saw, and evidence.

The last checkpoint is durable before anybody is told of a cosignature: after a power cut a
witness still knows what it signed. One witness at a time works in a folder.
"""

import fcntl
import os
import secrets as random
import stat
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError
from gateway.ledger import notes
from gateway.stores import secrets

KEY = "key"
NAME = "name"
LAST = "checkpoint"
_LOCK = "lock"


class State:
    """A witness's folder, held while it works."""

    def __init__(self, folder: Path, name: str = "") -> None:
        """
        Open the folder, and make it, its key and its name when there are none.

        Raises:
            ConfigError: others can read it, another witness works in it, or it cannot be used.
            WrongUse: the name is none, or not the one this witness has.

        """
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError(
                    f"{folder}: others can look into this folder: run `chmod 700 {folder}`"
                )
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be used: {error.strerror}") from None
        try:
            self._hold()
            self.signer = self._signer(name)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Let another witness work here."""
        os.close(self._lock)

    def last(self) -> str:
        """Return the note of the last checkpoint seen, empty when there is none."""
        return self._read(LAST)

    def keep(self, note: str) -> None:
        """Make a note the last one, durably."""
        self._write(LAST, note)

    def accuse(self, text: str) -> Path:
        """Keep the evidence of a fork; return the file."""
        name = f"evidence-{sha256(text.encode()).hexdigest()[:16]}.txt"
        self._write(name, text)
        return self._folder / name

    def _hold(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"{self._folder}: another witness works in this folder: give each its own --state"
            ) from None

    def _signer(self, name: str) -> notes.Signer:
        there = self._read(NAME).strip()
        if there and name and there != name:
            raise WrongUse(f"this witness is named {there}: for another name, take a new --state")
        chosen = there or name or f"witness/{random.token_hex(4)}"
        seed = secrets.load_or_create(self._folder, KEY, "")
        try:
            signer = notes.Signer.from_seed(chosen, seed, notes.COSIGNATURE)
        except ValueError as wrong:
            raise WrongUse(f"--name cannot be used: {wrong}") from None
        if not there:
            self._write(NAME, f"{chosen}\n")
        return signer

    def _read(self, name: str) -> str:
        try:
            return (self._folder / name).read_bytes().decode()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError):
            raise ConfigError(
                f"{self._folder / name} cannot be read: a witness that forgot what it saw is none;"
                " put the file back, or begin with a new --state"
            ) from None

    def _write(self, name: str, text: str) -> None:
        """Give the whole new file its name only once it is durable."""
        fresh = self._folder / f".{name}.new"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._folder / name)
            opened = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
        except OSError as error:
            raise ConfigError(
                f"{self._folder / name} cannot be written ({error.strerror}): nothing was cosigned"
            ) from None
