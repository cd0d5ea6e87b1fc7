"""
Bodies of about a kilobyte, no two alike, from a fixed seed.

Half the words are those any English text has, half come from the dictionary: as with real prompts,
two of them share little that tells texts apart.
"""

import json
import random

from benchmarks.programs import ROOT
from benchmarks.provider import MODEL

_TEXT = """
the of and to in a is that for it as was with be by on not he his but at are this have from or had
an they which one you were her all she there would their we him been has when who will more no if
out so said what up its about into than them can only other new some could these two may then do
"""
_WORDS = _TEXT.split()
_DICTIONARY = ROOT / "gateway" / "likeness" / "words.txt"

COMMON_SHARE = 0.5
SKEW = 3


def chat_bodies(count: int, *, stream: bool, words: int = 140, seed: int = 20261122) -> list[bytes]:
    """Return `count` bodies of chat calls, of about `words` words of user text each."""
    chance = random.Random(seed)
    lines = _DICTIONARY.read_text(encoding="utf-8").splitlines()
    rarer = [line for line in lines if line.isalpha()]
    bodies = []
    for _ in range(count):
        text = " ".join(
            chance.choice(_WORDS) if chance.random() < COMMON_SHARE else _rarer(chance, rarer)
            for _ in range(words)
        )
        value: dict[str, object] = {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "You are a careful engineer. Be brief."},
                {"role": "user", "content": f"{text} #{chance.getrandbits(40):x}"},
            ],
            "max_tokens": 256,
        }
        value |= {"stream": True} if stream else {}
        # Without spaces, as the openai and anthropic SDKs write JSON.
        bodies.append(json.dumps(value, separators=(",", ":")).encode())
    return bodies


def _rarer(chance: random.Random, words: list[str]) -> str:
    """Return a word: the list has the frequent ones first, and they come more often."""
    return words[int(len(words) * chance.random() ** SKEW)]
