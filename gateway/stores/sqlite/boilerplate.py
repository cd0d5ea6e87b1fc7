"""What roots were heard to say, and what of it was boilerplate: in a file of the data folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from gateway.stores import queries
from gateway.stores.memory_boilerplate import READ_MAX, ROOT_BYTES_MAX
from gateway.stores.sqlite.file import File

FILE = "boilerplate.sqlite"


class Boilerplate:
    """Hashes by period and root, and the frozen ones by policy version. No text, no person."""

    def __init__(self, file: File) -> None:
        self._file = file

    @classmethod
    def open(cls, folder: Path) -> "Boilerplate":
        """Return that of a data folder, made if need be; raises ConfigError."""
        return cls(File(folder, FILE, queries.load("boilerplate.sql")))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, period: str, seen: Iterable[tuple[str, bytes]]) -> None:
        """Add what roots were heard to say in a period: root, 8 bytes a run."""
        with self._file.writing() as run:
            for root, grams in seen:
                run("add", (period, root, grams, ROOT_BYTES_MAX))

    def seen(self, period: str) -> Sequence[tuple[str, bytes]]:
        """Return what was added in a period, a root perhaps more than once; the newest first."""
        return [(root, grams) for root, grams in self._file.ask("seen", (period, READ_MAX))]

    def forget(self, before: str) -> int:
        """Forget the periods before one; return how much that was."""
        return len(self._file.ask("forget", (before,)))

    def freeze(self, policy: str, grams: bytes, now: float) -> bytes:
        """Keep what is boilerplate under a policy version; return what was kept for it first."""
        self._file.ask("freeze", (policy, grams, now))
        return self.frozen(policy) or b""

    def frozen(self, policy: str) -> bytes | None:
        """Return what was kept for a policy version; None: nothing yet."""
        found = self._file.ask("frozen", (policy,))
        return bytes(found[0][0]) if found else None
