"""
What says too little to be compared: approvals, and anything under 20 characters.

People and agents send these over and over in honest work; they are neither new nor abuse.
"""

from collections.abc import Sequence

SHORT_CHARACTERS = 20
"""A normal form under this many characters is short."""

THIN_CHARACTERS = 60
"""One under this many is compared together with the turn before it."""

_APPROVALS = frozenset(
    (
        "yes proceed with the plan",
        "yes go ahead with the plan",
        "proceed with the plan",
        "go ahead with the plan",
        "continue with the plan",
        "continue from where you left off",
        "please continue from where you left off",
        "continue where you left off",
        "yes please go ahead and do it",
        "yes go ahead and do it",
        "go ahead and implement it",
        "yes please go ahead and implement",
        "that looks good to me",
        "looks good to me please proceed",
        "sounds good to me please proceed",
        "i approve the plan please proceed",
    )
)
_APPROVING_MAX = 4
_APPROVING = frozenset(
    (
        *("yes", "y", "ok", "okay", "k", "sure", "yep", "yup", "yeah", "ya", "right", "correct"),
        *("proceed", "continue", "resume", "retry", "go", "on", "ahead", "do", "it", "that", "so"),
        *("please", "pls", "lgtm", "approve", "approved", "accept", "accepted", "agreed", "agree"),
        *("next", "done", "thanks", "thank", "you", "thx", "great", "good", "fine", "perfect"),
        *("nice", "cool", "awesome", "excellent", "sounds", "looks", "works", "absolutely"),
        *("definitely", "certainly", "exactly", "alright", "i", "confirm", "confirmed", "and"),
    )
)


def is_short(tokens: Sequence[str]) -> bool:
    """Return whether a normal form is an approval or under 20 characters."""
    if is_under(tokens, SHORT_CHARACTERS):
        return True
    if len(tokens) <= _APPROVING_MAX:
        return _APPROVING.issuperset(tokens)
    return is_under(tokens, THIN_CHARACTERS) and " ".join(tokens) in _APPROVALS


def is_under(tokens: Sequence[str], characters: int) -> bool:
    """Return whether the tokens, joined by spaces, are fewer characters than that."""
    return 2 * len(tokens) <= characters + 1 and len(" ".join(tokens)) < characters
