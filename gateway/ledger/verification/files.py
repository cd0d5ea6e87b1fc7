"""
Files: what a source holds, and the manifest an export is signed with.

Every file that is read is hashed on the way, so that the manifest costs no second reading.
"""

import re
from hashlib import sha256

from gateway.ledger import notes
from gateway.ledger.verification.report import Source, Wrong

MANIFEST = "manifest"
_LINE = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]{0,17}) ([!-~]+)")
_TITLE = "goodgate manifest v1"
_HEAD = 3
"""Lines before the first file: title, origin and size."""


class Files:
    """A source, and what its files were when they were read."""

    def __init__(self, source: Source, *, hashing: bool) -> None:
        """Read from a source; `hashing` when there will be a manifest to compare with."""
        self._source = source
        self._hashing = hashing
        self._seen: dict[str, tuple[str, int]] = {}

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, None when there is none."""
        data = self._source.read(path)
        if data is not None and self._hashing:
            self._seen[path] = sha256(data).hexdigest(), len(data)
        return data

    def there(self) -> set[str]:
        """Return the paths of all files."""
        return set(self._source.paths())

    def check_tiles(self, expected: set[str]) -> None:
        """Refuse a file under `tile/` that belongs to no tree of this size."""
        strays = sorted(path for path in self.there() - expected if path.startswith("tile/"))
        if strays:
            raise Wrong("file", "a log of this size has no such file", where=strays[0][:200])

    def check_manifest(self, key: notes.Verifier, origin: str, size: int) -> None:
        """Refuse files that are not exactly those the manifest was signed over."""
        listed = self._listed(key, origin, size)
        there = self.there() - {MANIFEST}
        for path, stated in listed.items():
            if path not in self._seen and path in there:
                self.read(path)
            if self._seen.get(path) != stated or path not in there:
                what = "differs from what the manifest says" if path in there else "is missing"
                raise Wrong("manifest", f"this file {what}", where=path)
        for path in sorted(there - listed.keys()):
            raise Wrong("manifest", "the manifest does not list this file", where=path[:200])

    def _listed(self, key: notes.Verifier, origin: str, size: int) -> dict[str, tuple[str, int]]:
        data = self._source.read(MANIFEST)
        if data is None:
            raise Wrong("manifest", "an export has a manifest; this has none", where=MANIFEST)
        try:
            return _parse(data, key, origin, size)
        except ValueError as wrong:
            raise Wrong(
                "manifest", f"the manifest cannot be used: {wrong}", where=MANIFEST
            ) from None


def _parse(data: bytes, key: notes.Verifier, origin: str, size: int) -> dict[str, tuple[str, int]]:
    text, _, signatures = data.decode().rpartition("\n\n")
    # A manifest may be longer than any other note: only its signatures are parsed as one's.
    parsed = notes.Note.parse(f"-\n\n{signatures}")
    if not notes.Note(text=f"{text}\n", signatures=parsed.signatures).signed_by(key):
        raise ValueError(f"it is not signed by {key.vkey}")
    lines = text.split("\n")
    if lines[:_HEAD] != [_TITLE, origin, str(size)]:
        raise ValueError(f"it is not one of {origin} at {size:,} entries")
    listed: dict[str, tuple[str, int]] = {}
    for line in lines[_HEAD:]:
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"the line {line[:80]!r} is not a hash, a length and a path")
        listed[found[3]] = found[1], int(found[2])
    if list(listed) != sorted(listed) or len(listed) != len(lines) - _HEAD or MANIFEST in listed:
        raise ValueError("its files are not in order, each once")
    return listed
