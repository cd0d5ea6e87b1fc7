"""The scripts the store runs: constant text, known to the server by its SHA-1."""

import hashlib
from pathlib import Path
from typing import Final

from msgspec import Struct

FOLDER: Final = Path(__file__).parent.parent / "lua"


class Script(Struct, frozen=True):
    """A Lua script: its name (for errors), its text, and the name the server gives it."""

    name: str
    text: bytes
    sha1: bytes

    @classmethod
    def of(cls, name: str, text: str) -> "Script":
        """Return the script with a text."""
        raw = text.encode()
        # SHA-1 is what EVALSHA names scripts by (https://valkey.io/commands/evalsha/).
        return cls(name, raw, hashlib.sha1(raw, usedforsecurity=False).hexdigest().encode())


def load(name: str) -> Script:
    """Return the script in `stores/lua/NAME.lua`."""
    return Script.of(name, (FOLDER / f"{name}.lua").read_text(encoding="utf-8"))


def joined(*parts: str) -> Script:
    """Return the script in the last of some files, with its preludes before it."""
    texts = [(FOLDER / f"{part}.lua").read_text(encoding="utf-8") for part in parts]
    return Script.of(parts[-1], "\n".join(texts))
