"""
Pairs that look alike and ask for different things: every one of them must be told apart.

`trap(kind, text, seed)` gives an earlier and a later prompt, or None when the text holds
nothing that this kind could change.
"""

import re
from collections.abc import Callable, Mapping
from random import Random

from tests.disguises import corpus

Pair = tuple[str, str]
Trap = Callable[[str, Random], str]

IDENTIFIER = r"(?<![\w./'-])(?:[a-z]+(?:_[a-z]+)+|[a-z]+(?:[A-Z][a-z]+)+)(?![\w'-])"
FILE = r"(?<![\w])(?:[\w-]+/)*([\w-]+)\.(?:py|ts|js|tsx|go|c|md|yaml|yml|json|css|sql|kt|rb|html)\b"
CODE_LINE = r"^(?=.*[=(;{])(?=.*[a-z]).{8,}$"
NEGATIONS = (
    (r"\bshould be\b", "should not be"),
    (r"\bmust be\b", "must not be"),
    (r"\bit must\b", "it must not"),
    (r"\bcan\b(?! you| I| we)", "cannot"),
    (r"\bis\b(?! not)(?=[^?]*\.)", "is not"),
    (r"\bwe use\b", "we do not use"),
    (r"\bwe want\b", "we do not want"),
    (r"\bhave\b(?! not)(?=[^?]*\.)", "have not"),
    (r"\bInclude\b", "Do not include"),
    (r"\band keep\b", "and do not keep"),
    (r"\bist\b", "ist nicht"),
    (r"\bläuft\b", "läuft nicht"),
)
AFFIRMATIONS = (
    (r"\bdoes not\b", "does"),
    (r"\bdo not\b", "do"),
    (r"\bis not\b", "is"),
    (r"\bwithout\b", "with"),
    (r"\bNever\b", "Always"),
    (r"\bnever\b", "always"),
    (r"\bnot\b ", ""),
    (r"\bNo\b ", ""),
    (r"\bno\b ", ""),
    (r"\bnicht\b ", ""),
    (r"\bno han\b", "han"),
)


def number(text: str, random: Random) -> str:
    """Another whole number."""
    return _one(
        r"(?<![\w.,:/-])(?!\d+\.\s)\d{1,6}(?![\w:/-]|[.,]\d)",
        text,
        random,
        lambda n: _number(n, random),
    )


def number_last(text: str, random: Random) -> str:
    """The prompt ends with a number, and it is another one."""
    return f"{text.rstrip('.')} for case {random.randrange(100, 999)}"


def number_first(text: str, random: Random) -> str:
    """The prompt begins with a number that says which one is meant."""
    return f"Case {random.randrange(100, 999)}: {text}"


def reference(text: str, random: Random) -> str:
    """The prompt says which booking, order or part is meant, and it is another one."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    name = "".join(random.choice(alphabet) for _ in range(6))
    forms = ("{} It is about booking {}.", "{} The serial number is {}.", "{} Use order {} for it.")
    return forms[len(text) % len(forms)].format(text, name)


def digits_inside(text: str, random: Random) -> str:
    """Another digit inside a name, a version, an amount, a time."""

    def other(match: re.Match[str]) -> str:
        places = [i for i, c in enumerate(match[0]) if c.isdigit()]
        at = random.choice(places)
        digit = str((int(match[0][at]) + random.randrange(1, 10)) % 10)
        return match[0][:at] + digit + match[0][at + 1 :]

    return _one(
        r"\b(?!0x|[\da-f]{8})(?=\w*\d)(?=[\w.,:-]*[^\d\s])\w[\w.,:-]*\w", text, random, other
    )


def identifier(text: str, random: Random) -> str:
    """One name of the code is another, wherever it stands."""
    names = sorted(set(re.findall(IDENTIFIER, text)))
    if not names:
        return text
    name = random.choice(names)
    parts = re.findall(r"[A-Z]?[a-z]+|_", name)
    parts[-1] = random.choice(
        ("Limit", "Owner", "Window") if "_" not in name else ("limit", "owner", "window")
    )
    return re.sub(rf"(?<!\w){name}(?!\w)", "".join(parts), text)


def swapped(text: str, random: Random) -> str:
    """Two things change places: from this to that becomes from that to this."""
    pattern = (
        r"(\bfrom )([\w-]{2,})( to )(?!the |a )([\w-]{2,})"
        r"|(\b)([A-Za-z]{4,})( into | instead of | against )"
        r"(?!the |a |its |our |this )([A-Za-z]{3,})"
        r"|(convert )(\w+)( to )(\w+)"
    )

    def other(match: re.Match[str]) -> str:
        before, one, between, two = (part for part in match.groups() if part is not None)
        return f"{before}{two}{between}{one}"

    return _one(pattern, text, random, other)


def roles(text: str, random: Random) -> str:
    """A clause in which two things stand in the roles of each other in the two prompts."""
    clauses = corpus.pairs("roles")
    return f"{text} {random.choice(clauses[len(text) % len(clauses)])}"


def negated(text: str, random: Random) -> str:
    return _rules(NEGATIONS, text, random)


def affirmed(text: str, random: Random) -> str:
    return _rules(AFFIRMATIONS, text, random)


def code_line(text: str, random: Random) -> str:
    """One line of the code does something else."""

    def other(match: re.Match[str]) -> str:
        words = re.findall(r"[A-Za-z_]{3,}", match[0])
        name = random.choice(("limit", "current", "fallback", "archive", "offset"))
        return (
            re.sub(rf"\b{random.choice(words)}\b", name, match[0], count=1) if words else match[0]
        )

    return _one(CODE_LINE, text, random, other) if _is_code(text) else text


def operator(text: str, random: Random) -> str:
    """One comparison, sign or assignment of the code is another."""
    others = {
        " < ": " <= ", " > ": " >= ", " == ": " != ", " + ": " - ", " - ": " + ", " * ": " / ",
        " += ": " -= ", "&&": "||", "||": "&&", " != ": " == ", " === ": " !== ", " = ": " += ",
    }  # fmt: skip
    if not _is_code(text):
        return text
    found = [sign for sign in others if sign in text]
    if not found:
        return text
    sign = random.choice(found)
    return _one(re.escape(sign), text, random, lambda _: others[sign])


def argument(text: str, random: Random) -> str:
    """One argument of one call is another."""

    def other(match: re.Match[str]) -> str:
        names = match[2].split(",")
        at = random.randrange(len(names))
        names[at] = (" " if at else "") + random.choice(("None", "offset", "window", "b0", "72"))
        return f"{match[1]}({','.join(names)})"

    return (
        _one(r"([a-zA-Z_]{2,})\(([^()\n]{1,60})\)", text, random, other) if _is_code(text) else text
    )


def request(text: str, random: Random) -> str:
    """The same material with another question."""
    _, gap, rest = text.partition("\n\n")
    if not gap or len(rest) < 80:
        return text
    return f"{random.choice(corpus.lines('requests'))}{gap}{rest}"


def added(text: str, random: Random) -> str:
    """Something more is asked for."""
    clause = random.choice(corpus.lines("requirements"))
    return f"{text} {clause}" if random.random() < 0.7 else f"{clause} {text}"


def file_name(text: str, random: Random) -> str:
    def other(match: re.Match[str]) -> str:
        name = random.choice(("archive", "session", "gateway", "banner", "mailer"))
        start, end = match.start(1) - match.start(), match.end(1) - match.start()
        return match[0][:start] + name + match[0][end:]

    return _one(FILE, text, random, other)


def tail(text: str, random: Random) -> str:
    """A long prompt that ends with something else to do."""
    if len(text) < 500:
        return text
    other = random.choice(corpus.prompts())
    parts = re.split(r"(?<=[.?:])\s", text)
    return " ".join(parts[:-1]) + " " + re.split(r"(?<=[.?])\s", other)[0]


def other_task(text: str, random: Random) -> str:
    """The same long template with another task in it."""
    for family in corpus.templates():
        if text in family:
            return random.choice([other for other in family if other != text])
    return text


def _table(name: str, *, any_case: bool = False) -> Trap:
    """One word of a list, everywhere in the text, becomes the one beside it."""
    flags = re.IGNORECASE if any_case else 0

    def change(text: str, random: Random) -> str:
        both = [*corpus.pairs(name)]
        if any_case:
            both += [(right, left) for left, right in both]
        found = [p for p in both if re.search(_word(p[0]), text, flags)]
        if not found:
            return text
        old, new = random.choice(found)
        return re.sub(_word(old), lambda _: new, text, count=1, flags=flags)

    return change


def _word(word: str) -> str:
    plain = word.isascii()
    return rf"(?<![\w.-]){re.escape(word)}(?![\w-])" if plain else re.escape(word)


def _answer_in(text: str, random: Random) -> str:
    return f"{text} Answer in {random.choice(('French', 'German', 'Polish', 'Spanish'))}."


def _number(match: re.Match[str], random: Random) -> str:
    return str(int(match[0]) + random.choice((1, 1, 2, 3, 10)))


def _one(pattern: str, text: str, random: Random, other: Callable[[re.Match[str]], str]) -> str:
    """Change one match of a pattern, any of them."""
    found = list(re.finditer(pattern, text, re.MULTILINE))
    if not found:
        return text
    match = random.choice(found)
    return text[: match.start()] + other(match) + text[match.end() :]


def _rules(rules: tuple[tuple[str, str], ...], text: str, random: Random) -> str:
    fitting = [(p, new) for p, new in rules if re.search(p, text)]
    if not fitting:
        return text
    pattern, new = random.choice(fitting)
    return _one(pattern, text, random, lambda _: new)


def _is_code(text: str) -> bool:
    return len(re.findall(CODE_LINE, text, re.MULTILINE)) >= 2 and bool(
        re.search(r"[;{}]|def |=", text)
    )


KINDS: Mapping[str, Trap] = {
    "number": number,
    "number_first": number_first,
    "number_last": number_last,
    "reference": reference,
    "digits_inside": digits_inside,
    "identifier": identifier,
    "swapped": swapped,
    "roles": roles,
    "name_changed": _table("people"),
    "negated": negated,
    "affirmed": affirmed,
    "language": _table("languages"),
    "framework": _table("frameworks"),
    "answer_in": _answer_in,
    "code_line": code_line,
    "operator": operator,
    "argument": argument,
    "request": request,
    "added": added,
    "antonym": _table("antonyms", any_case=True),
    "quantifier": _table("quantifiers"),
    "unit": _table("units"),
    "date": _table("months"),
    "noun": _table("nouns"),
    "file_name": file_name,
    "tail": tail,
    "template": other_task,
}
BOTH_CHANGED = ("number_first", "number_last", "answer_in", "roles", "reference")
"""Kinds whose earlier prompt is not the text itself, but the text with another ending."""


def trap(kind: str, text: str, seed: int) -> Pair | None:
    """Return an earlier and a later prompt that differ, or None."""
    random = Random(f"{kind} {seed} {text}")
    earlier = KINDS[kind](text, random) if kind in BOTH_CHANGED else text
    later = KINDS[kind](text, random)
    return None if " ".join(earlier.split()) == " ".join(later.split()) else (earlier, later)
