"""
How is a call like an earlier one: disguised copies are recognised, and nothing else is.

`Observer` reduces a turn to keyed hashes, so that all a store keeps of it says nothing to
whoever lacks the key. Similarity only proposes candidates; `Observer.judge` compares word
by word, and its verdict can be explained.
"""

from gateway.likeness.explanation import Explanation, explain, judge_pair
from gateway.likeness.learning import Learning, widespread
from gateway.likeness.lexicon import Lexicon, WordClass
from gateway.likeness.signature import Observer, Signature
from gateway.likeness.verdict import prepare

__all__ = [
    "Explanation",
    "Learning",
    "Lexicon",
    "Observer",
    "Signature",
    "WordClass",
    "explain",
    "judge_pair",
    "prepare",
    "widespread",
]
