"""What likeness is measured on: the project's own corpus, and real text where there is some."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from gateway.values import Turn
from gateway.wire import turns
from tests.disguises import corpus, disguises

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
SCOPE_MAX = 290
"""As many texts as one scope remembers, less a few."""

Session = list[Turn]


def own() -> list[str]:
    """The corpus that comes with the project."""
    return list(corpus.prompts())


def real(folder: Path) -> dict[str, list[str]]:
    """For each source of real prompts, those that differ in more than blanks and case."""
    path = folder / "prompts.jsonl.gz"
    found: dict[str, dict[str, str]] = {}
    if not path.exists():
        return {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            texts = found.setdefault(row["src"], {})
            texts.setdefault(" ".join(row["text"].casefold().split()), row["text"])
    return {source: list(texts.values()) for source, texts in sorted(found.items())}


def sample(
    sources: Mapping[str, Sequence[str]], count: int, *, chars_max: int = 8_000
) -> list[str]:
    """Some texts of every source, the same every time."""
    found: list[str] = []
    for source, texts in sources.items():
        fitting = [text for text in texts if 24 <= len(text) <= chars_max]
        each = count // max(1, len(sources))
        found += Random(source).sample(fitting, min(each, len(fitting)))
    return found


def pieces(texts: Sequence[str], size: int, count: int) -> list[str]:
    """So many texts of one size, none alike: cut from one long text, its words mixed anew."""
    random = Random(size)
    found: list[str] = []
    while len(found) < count:
        words = " ".join(random.sample(list(texts), len(texts))).split(" ")
        if found:
            random.shuffle(words)
        whole = " ".join(words)
        found += [whole[at : at + size] for at in range(0, len(whole) - size, size)]
    return found[:count]


def alike(pieces: Sequence[str], count: int) -> list[str]:
    """So many copies of a few texts, a salt and some slips in each."""
    few = pieces[:10]
    return [
        disguises.disguise("uuid_back", disguises.disguise("typo_1", few[n % len(few)], n), n)
        for n in range(count)
    ]


def sessions(folder: Path) -> Iterator[tuple[str, Session]]:
    """Every agent session of the data: its source, and its turns as the wire would read them."""
    for path in sorted(folder.glob("mint/*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                yield "mint", _turns(json.loads(line)["state"]["history"])
    for path in sorted(folder.glob("taubench/*.json.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in json.load(file):
                yield "taubench", _turns(row["traj"])
    for path in sorted(folder.glob("sweagent/*.traj.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield "sweagent", _turns(json.load(file)["history"])


def _turns(history: Sequence[dict[str, Any]]) -> Session:
    """One turn for each call the agent made: everything before each answer of the model."""
    return [
        turns.messages(json.dumps(history[:place]).encode())
        for place, message in enumerate(history)
        if message["role"] == "assistant" and place
    ]
