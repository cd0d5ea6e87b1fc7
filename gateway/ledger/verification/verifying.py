"""The one pass over a log, and what is compared before and after it."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256

import msgspec

from gateway.errors import GatewayError
from gateway.ledger import codec, notes, tiles
from gateway.ledger.entry import Adjust, Intent, Refusal, Settle
from gateway.ledger.happenings import Erasure, Retirement, Rotation
from gateway.ledger.verification.claims import Promises, Receipts
from gateway.ledger.verification.files import Files
from gateway.ledger.verification.keys import SIGNING_KEY, Chain
from gateway.ledger.verification.leaves import UNREADABLE, Leaves, request_id
from gateway.ledger.verification.report import (
    WRONG,
    Kept,
    Progress,
    Report,
    Source,
    Trust,
    Wrong,
)
from gateway.ledger.verification.retained import Checkpoints
from gateway.ledger.verification.sums import Fold
from gateway.ledger.verification.tree import Bundle, Bundles, Growing


def _nobody_looks(_done: int, _of: int) -> None:
    """Show nothing."""


def verify(
    source: Source,
    trust: Trust,
    progress: Progress = _nobody_looks,
    kept: Kept | None = None,
) -> Report:
    """
    Return whether a log is consistent, and else the first thing that is wrong.

    Args:
        source: the log's files; whatever they hold, nothing is raised but what reading raises.
        trust: the key, and what else the auditor has of their own.
        progress: is told how many of how many entries are behind us.
        kept: what a store's rollups hold, to be compared with the entries.

    """
    report = Report()
    try:
        _Verifying(source, trust, report, kept).run(progress)
    except Wrong as wrong:
        report.verdict, report.first = WRONG, wrong.finding
    return report


class _Verifying:
    """One log being verified."""

    def __init__(self, source: Source, trust: Trust, report: Report, kept: Kept | None) -> None:
        self._trust = trust
        self._report = report
        self._kept = kept
        self._files = Files(source, hashing=trust.whole_folder)
        self._chain = Chain(_trusted(trust.vkey))
        report.origin = self._chain.origin
        self._checkpoints = Checkpoints(self._files, trust, self._chain.origin)
        newest = self._checkpoints.newest
        report.size, report.root = newest.size, notes.to_base64(newest.root)
        report.checkpoints = len(self._checkpoints.retained)
        self._promises = Promises(trust.promises)
        self._receipts = Receipts(trust.receipts, self._checkpoints, self._chain.origin)
        self._tree = Growing(self._checkpoints.roots())
        self._bundles = Bundles(self._files, trust.archives, newest.size)
        self._leaves = Leaves()
        self._fold = Fold()
        self._covered = 0
        """Entries below it may be missing: the log says that they were retired."""
        self._follow()

    def run(self, progress: Progress) -> None:
        """Check all of it; raises Wrong."""
        for bundle in self._bundles:
            self._pass(bundle)
            progress(self._tree.size, self._report.size)
        self._tell()
        if self._bundles.retired > self._covered:
            raise Wrong(
                "bundle",
                f"the entries below {self._bundles.retired:,} are missing, and no retirement says"
                f" that those from {self._covered:,} on were exported",
                index=self._covered,
            )
        self._check_tiles()
        self._check_policies()
        self._check_keys()
        self._check_claims()
        self._check_rollups()
        self._say_who_witnessed()

    def _follow(self) -> None:
        """Have done with some kinds of entries what their kind asks for."""
        on = self._leaves.on
        on[Rotation] = self._rotate
        on[Retirement] = self._retire
        on[Erasure] = self._erase
        if self._kept is not None:
            for kind in (Intent, Refusal, Settle, Adjust):
                on[kind] = self._fold.take

    def _pass(self, bundle: Bundle) -> None:
        self._promises.pass_hashes(bundle.first, bundle.hashes)
        self._receipts.pass_hashes(bundle.first, bundle.hashes)
        if bundle.lines or bundle.wrong:
            take: Callable[[int], object] = partial(self._take, bundle)
        else:
            self._leaves.be_lenient()
            take = _pass_over
        self._tree.add(bundle.hashes, take)
        if bundle.wrong is not None:
            raise bundle.wrong

    def _take(self, bundle: Bundle, at: int) -> None:
        line = bundle.lines[at]
        index = bundle.first + at
        try:
            leaf = self._leaves.take(index, line)
        except Wrong as wrong:
            self._tell()
            raise wrong.at(index, bundle.path, request_id(line)) from None
        if self._promises:
            self._promises.pass_leaf(index, leaf)

    def _rotate(self, index: int, leaf: Rotation) -> None:
        if leaf.what == SIGNING_KEY:
            self._chain.rotate(index, leaf)

    def _retire(self, index: int, leaf: Retirement) -> None:
        if leaf.size % tiles.WIDTH or not 0 < leaf.size <= index:
            raise Wrong("retirement", f"no period ends with the first {leaf.size} entries")
        if leaf.root != notes.to_base64(self._tree.root_at(leaf.size // tiles.WIDTH)):
            raise Wrong(
                "retirement", f"the first {leaf.size:,} entries have another root than this says"
            )
        self._covered = max(self._covered, leaf.size)

    def _erase(self, _index: int, _leaf: Erasure) -> None:
        self._report.erasures += 1

    def _tell(self) -> None:
        """Put into the report how far the entries have come."""
        report, leaves = self._report, self._leaves
        report.early = leaves.early
        report.open_series = leaves.series.open()
        report.open_calls = leaves.calls.open
        report.retired, report.unread = self._bundles.retired, self._bundles.unread
        report.rotations, report.key = self._chain.rotations, self._chain.keys[-1].vkey

    def _check_tiles(self) -> None:
        expected = {tiles.path(*each) for each in tiles.hash_tiles(self._report.size)}
        for path, data, first in self._tree.tiles_above():
            found = self._files.read(path)
            if found != data:
                what = "is missing" if found is None else "does not hold the hashes of those below"
                raise Wrong("tile", f"this tile {what}", where=path, index=first)
        if self._trust.whole_folder:
            expected |= {path.replace("tile/0/", "tile/entries/", 1) for path in expected}
            self._files.check_tiles(expected)

    def _check_policies(self) -> None:
        for digest, texts in self._leaves.policies.in_force.items():
            path = f"policies/{digest.partition(':')[2]}.json"
            data = self._files.read(path)
            index = min(texts.values())
            if data is None:
                raise Wrong("policy", f"the text of {digest} is missing", where=path, index=index)
            if sha256(data).hexdigest() not in texts:
                raise Wrong(
                    "policy",
                    f"this is not the text of {digest} that was put in force",
                    where=path,
                    index=index,
                )
            self._check_digest(digest, data, path, index)
            self._report.policies += 1

    def _check_digest(self, digest: str, data: bytes, path: str, index: int) -> None:
        try:
            files = msgspec.json.decode(data, type=list[tuple[str, str]])
            canonical = codec.policy_document(files)
        except UNREADABLE:
            canonical, files = b"", []
        if canonical != data:
            raise Wrong("policy", "this is no document of names and texts", where=path, index=index)
        compute = self._trust.policy_digest
        try:
            computed = digest if compute is None else compute(files)
        except GatewayError:
            self._report.policies_not_recomputed += 1
            return
        if computed != digest:
            raise Wrong(
                "policy",
                f"what these texts say has the digest {computed}, and not {digest}",
                where=path,
                index=index,
            )

    def _check_keys(self) -> None:
        chain, report = self._chain, self._report
        chain.vouch(unread=bool(report.unread))
        report.unvouched = self._checkpoints.check_signatures(chain, report.unread)
        if self._trust.whole_folder:
            self._files.check_manifest(chain.in_use(report.size), report.origin, report.size)

    def _check_claims(self) -> None:
        report = self._report
        report.receipts, wrong = self._receipts.judge()
        judged = self._promises.judge(self._chain, self._leaves.series, self._trust)
        report.kept, report.pending = judged.kept, judged.pending
        report.broken = [name for name, _ in judged.broken]
        for first in (*wrong, *(finding for _, finding in judged.broken)):
            raise Wrong.of(first)

    def _check_rollups(self) -> None:
        if self._kept is None:
            return
        if self._report.unread:
            below = f"{self._report.unread:,}"
            self._report.rollups = f"not compared: they count the entries below {below} too"
            return
        sums = self._kept(self._report.size)
        if sums is None:
            self._report.rollups = "not compared: the log is being written faster than it is read"
            return
        self._fold.take_lines(sums.beyond)
        differs = self._fold.difference(sums.rollups)
        if differs:
            raise Wrong("rollups", differs, where="the store's rollups")
        self._report.rollups = "equal"

    def _say_who_witnessed(self) -> None:
        report = self._report
        names, report.witnessed = self._checkpoints.witnessed(self._trust.witnesses)
        report.witnesses = names
        if names:
            report.verdict = f"consistent, witnessed by {len(names)}"


def _trusted(vkey: str) -> notes.Verifier:
    try:
        found = notes.Verifier.parse(vkey)
    except ValueError as wrong:
        raise Wrong("key", f"the key given cannot be used: {wrong}") from None
    if found.kind != notes.ED25519:
        raise Wrong("key", "the key given is that of a witness, not of a log")
    return found


def _pass_over(_at: int) -> None:
    """Read nothing of an entry that is not to be had."""
