"""
Prompts as developers and office workers send them, all written for this project.

Some are alike on purpose (exercises, long templates with another task in them): they
are different requests, and no judge may take one for another.
"""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BETWEEN = "\n----8<----\n"
SOURCES = (
    "bugs",
    "code",
    "reviews",
    "data",
    "office",
    "exercises",
    "languages",
    "loose",
)


@cache
def prompts() -> tuple[str, ...]:
    """Every prompt of the corpus, in a fixed order, no two of them equal."""
    found = [text for source in SOURCES for text in _parts(_read(source))]
    return (*found, *(text for pair in templates() for text in pair))


@cache
def templates() -> tuple[tuple[str, ...], ...]:
    """For each long template, its prompts: all alike but for the task."""
    kinds = _read("tasks").split("\n====\n")
    forms = _parts(_read("templates"))
    return tuple(
        tuple(form.replace("{task}", task) for task in _parts(tasks))
        for form, tasks in zip(forms, kinds, strict=True)
    )


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of a list of words or sentences."""
    return tuple((FOLDER / "words" / f"{name}.txt").read_text(encoding="utf-8").splitlines())


@cache
def pairs(name: str) -> tuple[tuple[str, str], ...]:
    """The lines of a list of `this|that`."""
    found = (line.partition("|") for line in lines(name))
    return tuple((left, right) for left, _, right in found)


def _read(source: str) -> str:
    return (FOLDER / "corpus" / f"{source}.txt").read_text(encoding="utf-8")


def _parts(text: str) -> list[str]:
    return [part.strip("\n") for part in text.split(BETWEEN)]
