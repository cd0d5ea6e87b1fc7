"""
One task, one name: the canonical form of an id.

`proj-1`, `PROJ-1` with a typographer's dash and `PROJ-1` in full-width letters are one
task, so that no spelling makes a second of it. `owner/repo#12` is `OWNER.REPO-12`.
"""

import re
import unicodedata
from functools import lru_cache

TEXT_LENGTH_MAX = 256
"""Characters of a name as written; an id itself has at most 128."""

EXAMPLE = "an id is letters, digits, `.`, `_` and `-`, such as PROJ-123 or owner/repo#12"

DASHES = (
    "\u00ad\u02d7\u058a\u05be\u1400\u1806\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2053"
    "\u207b\u208b\u2212\u2796\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030\u30a0"
    "\ufe31\ufe32\ufe58\ufe63\uff0d\U00010d6e\U00010ead"
)
"""Unicode's dash punctuation (category Pd), its minus signs, and what word processors insert."""

_TO_HYPHEN = str.maketrans(dict.fromkeys(DASHES, "-"))
_ID = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,127}")
_ISSUE = re.compile(r"([A-Z0-9][A-Z0-9._-]*(?:/[A-Z0-9._-]+)+)#([0-9]+)")

_KEY_IN_BRANCH = re.compile(r"(?<![A-Za-z0-9])([A-Z][A-Z0-9_]*-[0-9]{1,9})(?![A-Za-z0-9])")
_ANY_KEY_IN_BRANCH = re.compile(
    r"(?<![A-Za-z0-9])([A-Za-z][A-Za-z0-9_]*-[0-9]{1,9})(?![A-Za-z0-9])"
)
_NUMBER_IN_BRANCH = re.compile(r"(?:^|/)([0-9]{1,9})[-_]")


def canonical(text: str) -> str:
    """Return the canonical form of a task's name; empty when it can be no id."""
    return "" if len(text) > TEXT_LENGTH_MAX else _canonical(text)


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_TO_HYPHEN)
        if not text.isascii():
            return ""
    text = text.strip().upper()
    if _ID.fullmatch(text):
        return text
    issue = _ISSUE.fullmatch(text)
    if issue is None:
        return ""
    text = f"{issue[1].replace('/', '.')}-{issue[2]}"
    return text if _ID.fullmatch(text) else ""


def in_branch(branch: str) -> str:
    """
    Return the task a branch seems to be named after; empty when it names none.

    `feature/PROJ-123-login` gives `PROJ-123`, `ann/eng-12-title` gives `eng-12`, and
    `12-title` gives `12`. A guess, and only ever recorded as one.
    """
    if len(branch) > TEXT_LENGTH_MAX:
        return ""
    for pattern in (_KEY_IN_BRANCH, _ANY_KEY_IN_BRANCH, _NUMBER_IN_BRANCH):
        found = pattern.search(branch)
        if found:
            return found[1] if canonical(found[1]) else ""
    return ""
