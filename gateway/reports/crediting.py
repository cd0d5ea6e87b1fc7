"""
Credit from a log's files alone: what an auditor works out again on another machine.

Whoever calls this has verified the files before: nothing is checked here but what is read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from gateway import credit, ledger, policy
from gateway.errors import ConfigError
from gateway.ledger import notes, tiles
from gateway.ledger.merkle import leaf_hash
from gateway.policy import CreditParameters


class _Source(Protocol):
    """A log as files, where they are."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None when there is none at this path."""
        ...


def stated(
    source: _Source, size: int, as_of_us: int | None = None, entries: int | None = None
) -> credit.Statement:
    """
    Return the credit of a log of `size` entries, or of the first of them.

    As of a moment, or of the newest entry that counts.

    Raises:
        ConfigError: entries or a policy are missing, or the policy cannot be loaded.

    """
    count = size if entries is None else entries

    def leaves() -> Iterator[ledger.Leaf]:
        return islice(_leaves(source, size), count)

    folded = credit.recompute(leaves)
    moment = as_of_us
    if moment is None:
        moment = max(map(_moment, leaves()), default=0)
    return credit.statement(folded.roots, _parameters(source, leaves()), moment)


def root_of(source: _Source, size: int, entries: int) -> str:
    """Return the root of the tree over the first entries of a log of `size`, in base64."""
    tree = tiles.Tree.empty()
    for lines in _bundles(source, size):
        count = min(len(lines), entries - tree.size)
        tree.extend([leaf_hash(line) for line in lines[:count]])
        if tree.size == entries:
            break
    return notes.to_base64(tree.root())


def _leaves(source: _Source, size: int) -> Iterator[ledger.Leaf]:
    for lines in _bundles(source, size):
        yield from map(ledger.leaf, lines)


def _bundles(source: _Source, size: int) -> Iterator[Sequence[bytes]]:
    for first in range(0, size, tiles.WIDTH):
        path = tiles.path("entries", first // tiles.WIDTH, min(tiles.WIDTH, size - first))
        data = source.read(path)
        if data is None:
            raise ConfigError(
                f"{path} is not there: credit needs every entry, so put the exports of retired"
                " periods into the same folder"
            )
        yield list(tiles.lines(data))


def _moment(leaf: ledger.Leaf) -> int:
    for name in ("received_at_us", "settled_at_us", "at_us"):
        found = getattr(leaf, name, None)
        if found is not None:
            return int(found)
    return 0


def _parameters(source: _Source, leaves: Iterable[ledger.Leaf]) -> Mapping[str, CreditParameters]:
    named = {leaf.policy for leaf in leaves if isinstance(leaf, ledger.Outcome)}
    found: dict[str, CreditParameters] = {}
    for digest in sorted(named):
        data = source.read(f"policies/{digest.partition(':')[2]}.json")
        if data is not None:
            files = msgspec.json.decode(data, type=list[tuple[str, str]])
            found[digest] = policy.load(files).settings.credit
    return found
