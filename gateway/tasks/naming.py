"""
Which task something that happened is for: what names it, strongest first, and never a guess.

The tracker itself, then closing keywords in title and text, then trailers of commits, then the
branch. The strongest that names a known task decides; where it names two, the event stands for
none. What is quoted, commented out or code says nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.tasks.identifier import TEXT_LENGTH_MAX, canonical, in_branch
from gateway.values import OutcomeEvent

LinkedBy: TypeAlias = Literal["tracker", "keyword", "branch", "trailer", "ambiguous", "nothing"]

CANDIDATES_MAX = 10
NAMES_MAX = 100
"""Different names looked up at one strength; who writes more has named none in particular."""
TEXT_CHARS_MAX = 262_144
"""Of a text, as much is read; GitHub takes a quarter of it."""

_UNDOING = frozenset(("reverted", "reversed", "reopened"))

# docs.github.com, "Linking a pull request to an issue"; docs.gitlab.com, "Default closing pattern".
_KEYWORD = re.compile(
    r"(?<![A-Z0-9_-])(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?|implement(?:s|ed)?)"
    r"(?::[ \t]*|[ \t]+)(?:issues?[ \t]+)?",
    re.IGNORECASE | re.ASCII,
)
_REFERENCE = re.compile(
    r"""\[?(?:
      https?://[A-Z0-9.-]{1,253}(?::[0-9]{1,5})?/
        (?: (?P<path>[A-Z0-9][A-Z0-9._-]{0,99}(?:/[A-Z0-9._-]{1,100}){1,20}?)
            (?:/-)?/(?:issues|work_items)/(?P<number>[0-9]{1,9})
          | (?:browse|[A-Z0-9-]{1,100}/issue)/(?P<page>[A-Z][A-Z0-9_]{0,49}-[0-9]{1,9}) )
    | (?P<full>[A-Z0-9][A-Z0-9._-]{0,99}(?:/[A-Z0-9._-]{1,100}){1,20}\#[0-9]{1,9})
    | \#(?P<here>[0-9]{1,9})
    | (?P<key>[A-Z][A-Z0-9_]{0,49}-[0-9]{1,9})
    )(?![A-Z0-9_]|[.-][A-Z0-9])""",
    re.IGNORECASE | re.ASCII | re.VERBOSE,
)
_NEXT = re.compile(
    r"(?:\](?:\([^()\s]{0,500}\))?)?(?:[ \t]*,?[ \t]+and[ \t]+|[ \t]*,[ \t]*|[ \t]+)",
    re.IGNORECASE,
)
_REPOSITORY = re.compile(
    r"([A-Z0-9][A-Z0-9._-]*(?:/[A-Z0-9._-]+)+)[#!][0-9]+", re.IGNORECASE | re.ASCII
)
_MERGE_REQUEST = re.compile(r"([^!]+)!([0-9]+)", re.ASCII)

# CommonMark 0.31: fenced code, block quotes, HTML comments, code spans.
_FENCE = r"[ \t]*(?:`{3,}[^`\n]*|~{3,}[^\n]*)$"
_MARK = re.compile(
    rf"(?P<fence>^{_FENCE})|(?P<quote>^[ \t]*>[^\n]*)|(?P<comment><!--)|(?P<ticks>`+)",
    re.MULTILINE,
)
_FENCE_END = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*$", re.MULTILINE)
_BREAK_OR_TICKS = re.compile(rf"^(?:[ \t]*$|[ \t]*>|{_FENCE})|(?P<ticks>`+)", re.MULTILINE)

_TRAILER = re.compile(r"([A-Za-z0-9-]+)[ \t]*:(?!//)(.*)")
_TASK_TRAILERS = frozenset(("task", "task-id", "fixes", "closes", "resolves", "implements"))
_OF_GIT = ("Signed-off-by: ", "(cherry picked from commit ")


class Named(Struct, frozen=True, kw_only=True):
    """Which task an event is for, and how that is known."""

    task_id: str = ""
    """Canonical; empty when it is none, or more than one."""
    linked_by: LinkedBy
    candidates: tuple[str, ...] = ()
    """The known tasks that were named where it was decided, at most ten."""


NOTHING = Named(linked_by="nothing")


def _of_none(_subject: str) -> tuple[str, ...]:
    return ()


def named(
    event: OutcomeEvent,
    is_known: Callable[[str], bool],
    accepted_for: Callable[[str], Iterable[str]] = _of_none,
) -> Named:
    """
    Return which task an event is for; `is_known` says whether a canonical id is in the catalogue.

    `accepted_for` gives the tasks a subject (canonical) was accepted for before: what undoes it
    is for the same, whatever is written in it.
    """
    taken: Iterable[str] = ()
    if event.kind in _UNDOING:
        taken = accepted_for(subject_of(event.reverts or event.subject))
    found = _decided("tracker", taken, is_known) or _decided(
        "tracker", (*event.tasks, event.subject), is_known
    )
    if found is not None:
        return found
    if canonical(event.subject) in {canonical(task) for task in event.tasks if canonical(task)}:
        return NOTHING  # a task nobody imported: what it says of others does not make it theirs
    repository = _repository(event.subject)
    return (
        _decided("keyword", _in_prose(event, repository), is_known)
        or _decided("trailer", _in_trailers(event.commits, repository), is_known)
        or _decided("branch", _in_branch(event.branch, repository), is_known)
        or NOTHING
    )


def subject_of(text: str) -> str:
    """
    Return the canonical form of a subject as spelt; empty when it can be none.

    A task's id is `canonical`; a merge request `acme/web!3` is `ACME.WEB!3`, which is no task's.
    """
    subject = canonical(text)
    request = _MERGE_REQUEST.fullmatch(text) if len(text) <= TEXT_LENGTH_MAX else None
    if subject or request is None:
        return subject
    project, _, number = canonical(f"{request[1]}#{request[2]}").rpartition("-")
    return f"{project}!{number}" if project else ""


def _decided(
    linked_by: LinkedBy, names: Iterable[str], is_known: Callable[[str], bool]
) -> Named | None:
    """Return what these names decide; None when no known task is among them."""
    seen: set[str] = set()
    known: list[str] = []
    is_whole = True
    for task in filter(None, map(canonical, names)):
        if task in seen:
            continue
        is_whole = len(seen) < NAMES_MAX and len(known) < CANDIDATES_MAX
        if not is_whole:
            break
        seen.add(task)
        if is_known(task):
            known.append(task)
    if not known:
        return None
    if is_whole and len(known) == 1:
        return Named(task_id=known[0], linked_by=linked_by, candidates=(known[0],))
    return Named(linked_by="ambiguous", candidates=tuple(known))


def _repository(subject: str) -> str:
    """Return where `#12` is looked for; empty when the subject is in no repository."""
    found = _REPOSITORY.fullmatch(subject) if len(subject) <= TEXT_LENGTH_MAX else None
    return found[1] if found else ""


def _in_prose(event: OutcomeEvent, repository: str) -> Iterator[str]:
    for written in (event.title, event.text):
        text = _prose(written)
        for keyword in _KEYWORD.finditer(text):
            yield from _references(text, keyword.end(), repository)


def _references(text: str, at: int, repository: str) -> Iterator[str]:
    """Yield the tasks listed from a place on: `#1, acme/web#2 and PAY-3`."""
    while found := _REFERENCE.match(text, at):
        if found["path"]:
            yield f"{found['path']}#{found['number']}"
        elif not found["here"]:
            yield found["page"] or found["full"] or found["key"]
        elif repository:
            yield f"{repository}#{found['here']}"
        between = _NEXT.match(text, found.end())
        if between is None:
            return
        at = between.end()


def _prose(text: str) -> str:
    """Return a text without what is quoted, commented out, or code."""
    text = text[:TEXT_CHARS_MAX].replace("\r\n", "\n").replace("\r", "\n")
    span_ends = _span_ends(text)
    kept: list[str] = []
    at = 0
    while mark := _MARK.search(text, at):
        kept.append(text[at : mark.start()])
        if mark.lastgroup == "comment":
            close = text.find("-->", mark.start() + 2)
            at = len(text) if close < 0 else close + 3
            kept.append(" ")
            continue
        kept.append("`")  # so that what stands on both sides of code is not read as one
        if mark.lastgroup == "fence":
            at = _fence_end(text, mark)
        else:
            at = span_ends.get(mark.start(), mark.end())
    kept.append(text[at:])
    return "".join(kept)


def _fence_end(text: str, opening: re.Match[str]) -> int:
    marks = opening[0].lstrip()
    marks = marks[: len(marks) - len(marks.lstrip(marks[0]))]
    for closing in _FENCE_END.finditer(text, opening.end()):
        if closing[1].startswith(marks):
            return closing.end()
    return len(text)


def _span_ends(text: str) -> dict[int, int]:
    """Return where each code span ends, by where it begins; one never leaves its paragraph."""
    ends: dict[int, int] = {}
    nearest: dict[int, int] = {}
    runs = [
        (found.start(), found.end() if found["ticks"] else -1)
        for found in _BREAK_OR_TICKS.finditer(text)
    ]
    for start, end in reversed(runs):
        if end < 0:
            nearest.clear()
            continue
        if end - start in nearest:
            ends[start] = nearest[end - start]
        nearest[end - start] = end
    return ends


def _in_trailers(commits: Iterable[str], repository: str) -> Iterator[str]:
    for message in commits:
        for name, value in _trailers(message):
            if name.lower() not in _TASK_TRAILERS:
                continue
            if canonical(value):
                yield value
            else:
                yield from _references(value, 0, repository)


def _trailers(message: str) -> list[tuple[str, str]]:
    """Return the trailers of a commit's message, as git-interpret-trailers(1) finds them."""
    trailers: list[tuple[str, list[str]]] = []
    is_open = is_of_git = False
    others = 0
    for line in _last_paragraph(message):
        is_of_git = is_of_git or line.startswith(_OF_GIT)
        found = _TRAILER.match(line)
        if is_open and line[0] in " \t":
            trailers[-1][1].append(line)
        elif found:
            trailers.append((found[1], [found[2]]))
            is_open = True
        else:
            is_open = False
            others += not line.startswith(_OF_GIT)
    if others and (not is_of_git or len(trailers) * 3 < others):
        return []
    return [(name, " ".join(map(str.strip, lines)).strip()) for name, lines in trailers]


def _last_paragraph(message: str) -> list[str]:
    """Return its lines; none when the message is its title alone."""
    lines = message.replace("\r\n", "\n").strip().split("\n")
    blank = next((at for at in range(len(lines) - 1, -1, -1) if not lines[at].strip()), None)
    return [] if blank is None else lines[blank + 1 :]


def _in_branch(branch: str, repository: str) -> Iterator[str]:
    """Yield what a branch seems to be named after, the likeliest first."""
    for _ in range(CANDIDATES_MAX):
        found = in_branch(branch)
        if not found:
            return
        yield f"{repository}#{found}" if repository and found.isdigit() else found
        branch = branch.replace(found, " ", 1)
