"""Entries: each is canonical bytes of a kind that is known, and goes on from those before it."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from gateway.ledger import codec
from gateway.ledger.codec import Leaf
from gateway.ledger.entry import SCHEMA_VERSION, CostIntent, CostSettle, Intent, Refusal, Settle
from gateway.ledger.happenings import CostHour, PolicyInForce, Reveal
from gateway.ledger.outcomes import Outcome, Valuation
from gateway.ledger.verification.calls import Calls
from gateway.ledger.verification.report import Wrong
from gateway.ledger.verification.series import AllSeries

UNREADABLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
"""What reading hostile bytes as a record can raise."""

_DECIDED = (Intent, Refusal, Outcome, Valuation)
_EARLY = (Intent, Settle, Refusal, Reveal)
_INTEGER_MAX = 2**53 - 1
_LARGE = re.compile(rb'":-?(?:9[0-9]{15}|[0-9]{17})')
"""What may be too large a number as a field: a search that begins with plain text is quick."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class _Named(Struct):
    request_id: str = ""


class Policies:
    """The policy sets that were put in force."""

    def __init__(self) -> None:
        """Begin with none."""
        self.in_force: dict[str, dict[str, int]] = {}
        """By digest: hashes of their texts, and the index of the first entry that says so."""
        self.lenient = False
        """Whether entries before these were not to be had."""

    def take(self, index: int, leaf: Leaf) -> None:
        """Put a set in force, or look for the one that decided a call; raises Wrong."""
        if isinstance(leaf, _DECIDED):
            if leaf.policy not in self.in_force and not self.lenient:
                raise Wrong(
                    "policy", f"the policy {leaf.policy[:80]} that decided this was never in force"
                )
        elif type(leaf) is PolicyInForce:
            if not _DIGEST.fullmatch(leaf.digest) or not _SHA256.fullmatch(leaf.files_sha256):
                raise Wrong("policy", "this puts a policy in force whose digest is none")
            self.in_force.setdefault(leaf.digest, {}).setdefault(leaf.files_sha256, index)


class Leaves:
    """The entries read so far, as far as later ones depend on them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.series = AllSeries()
        self.calls = Calls()
        self.policies = Policies()
        self.early = 0
        """Entries of schema 1."""
        self.on: dict[type[Leaf], Callable[[int, Any], None]] = {}
        """What else is done with entries of a kind."""

    def be_lenient(self) -> None:
        """Take no offence at what refers to entries that were not to be had."""
        self.series.lenient = self.calls.lenient = self.policies.lenient = True

    def take(self, index: int, line: bytes) -> Leaf:
        """Return an entry that may stand at this index; raises Wrong."""
        leaf = read(line)
        if leaf.schema == SCHEMA_VERSION:
            self.series.take(leaf)
            self.policies.take(index, leaf)
        else:
            self._take_early(leaf)
        self.calls.take(leaf)
        also = self.on.get(type(leaf))
        if also is not None:
            also(index, leaf)
        return leaf

    def _take_early(self, leaf: Leaf) -> None:
        if leaf.schema != 1 or not isinstance(leaf, _EARLY):
            raise Wrong("schema", f"there is no {leaf.kind} of schema {leaf.schema}")
        if self.series.begun:
            raise Wrong("schema", "an entry of schema 1, after gateways of schema 2 had started")
        self.early += 1


def read(line: bytes) -> Leaf:
    """Return the entry some bytes are; raises Wrong unless they are written in the one way."""
    try:
        leaf = codec.decode(line)
        again = codec.encode(leaf)
    except UNREADABLE as wrong:
        said = str(wrong)[:200] or type(wrong).__name__
        raise Wrong("leaf", f"this is no entry of a kind that is known: {said}") from None
    if isinstance(leaf, CostIntent | CostSettle):
        raise Wrong("leaf", f"a {leaf.kind} is no entry: such records are folded into hours")
    if (again != line and not _is_older(leaf, line, again)) or _has_large_integer(leaf, line):
        raise Wrong("canonical", f"the bytes of this {leaf.kind} are not in the canonical form")
    return leaf


def request_id(line: bytes) -> str:
    """Return the request an entry is about, as far as it can be read at all."""
    try:
        return msgspec.json.decode(line, type=_Named).request_id[:80]
    except UNREADABLE:
        return ""


def _is_older(leaf: Leaf, line: bytes, again: bytes) -> bool:
    """Whether an entry of schema 1 only lacks fields that came later."""
    if leaf.schema != 1:
        return False
    has = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    full = msgspec.json.decode(again, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: full[name] for name in full if name in has}) == line


def _has_large_integer(leaf: Leaf, line: bytes) -> bool:
    """Whether a number stands there that JSON's readers do not agree on (RFC 8785, 3.2.2.3)."""
    if not _LARGE.search(line) and type(leaf) is not CostHour:
        return False
    stack: list[Any] = [msgspec.json.decode(line)]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, int) and abs(value) > _INTEGER_MAX:
            return True
    return False
