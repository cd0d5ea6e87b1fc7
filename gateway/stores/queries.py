"""
SQL by name: statements live in `stores/sql/*.sql`, never between lines of Python.

A file is a row of blocks, each under a line `-- name: fetch_key`; what stands before
the first such line is for readers. A block may hold several statements.
"""

import re
from importlib import resources

_BLOCK = re.compile(r"^-- name: *([a-z][a-z0-9_]*) *$", re.MULTILINE)


def load(package_file: str) -> dict[str, str]:
    """
    Return the named blocks of a file in `gateway/stores/sql`, in their order.

    Raises:
        ValueError: two blocks have one name, or a block is empty.

    """
    text = resources.files("gateway.stores").joinpath("sql", package_file).read_text("utf-8")
    return blocks(text, package_file)


def blocks(text: str, name: str) -> dict[str, str]:
    """Return the named blocks of a text; `name` is for the message of a ValueError."""
    parts = _BLOCK.split(text)
    found: dict[str, str] = {}
    for query, sql in zip(parts[1::2], parts[2::2], strict=True):
        if query in found or not sql.strip():
            raise ValueError(f"{name}: the block {query!r} is empty or there twice")
        found[query] = sql.strip()
    return found


def migrations(found: dict[str, str]) -> list[str]:
    """Return the blocks named `migration_<number>`, in the order of their numbers from 1."""
    numbered = {int(key[10:]): sql for key, sql in found.items() if key.startswith("migration_")}
    if sorted(numbered) != list(range(1, len(numbered) + 1)):
        raise ValueError("migrations are numbered 1, 2, 3, … without a gap")
    return [numbered[number] for number in sorted(numbered)]
