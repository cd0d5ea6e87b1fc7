"""
What in a text is there to differ and not to mean: identifiers, blobs, and stamps of time.

Universally unique ids, long hexadecimal and decimal numbers and blobs are taken out wherever
they stand; dates and times only at the edges, where nothing binds them to a sentence: inside
one they carry meaning, and so do shorter numbers.
"""

import re
from collections.abc import Sequence

_ID = re.compile(
    r"[0-9a-fA-F][0-9a-fA-F]{7,}(?:-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})?"
)
_OPENED = r"[\[({<\"'`]?(?:0x)?\Z"
_ID_OPENED = re.compile(_OPENED, re.IGNORECASE)
_ID_LABEL = re.compile(
    r"(?:(?<![A-Za-z0-9])(?:request|trace|session|correlation|run|message|msg|nonce|salt|seed|ref"
    r"|reference|tag|key|hash|uuid|guid|id|ts|timestamp|time)[ _-]?(?:id)? {0,2}[:=#] {0,2})?"
    + _OPENED,
    re.IGNORECASE,
)
_ID_LABEL_SIGN = re.compile(r"[:=#]")
_ID_OPENED_MAX = 3
_ID_LABEL_MAX = 40
_ID_SIGN_MAX = 6
_FRACTION = re.compile(r"\.[0-9]{1,9}(?![0-9A-Za-z])")
_DECIMAL_MIN = 10
_HEXADECIMAL_MIN = 16
_UUID_TAIL = 12
_UUID_CHARACTERS = 36
_HEXADECIMAL = re.compile(r"[0-9a-f]+")
_RUN = re.compile(r"[A-Za-z0-9+/=_-][A-Za-z0-9+/=_-]{64,}")
_DENSE = re.compile(r"[A-Za-z0-9]{20,}")
_DENSE_MIN = 20
_DIGITS = re.compile(r"[0-9]+")
_DIGIT_GROUPS_MIN = 3

_DAY = r"(?:mon|tue|tues|wed|wednes|thu|thurs|fri|sat|satur|sun)(?:day)?"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = (
    r"(?:[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}"
    rf"|(?:{_DAY},?\s)?[0-9]{{1,2}}(?:st|nd|rd|th)?[\s-]{_MONTH}\.?,?[\s-][0-9]{{4}}"
    rf"|(?:{_DAY},?\s)?{_MONTH}\.?\s[0-9]{{1,2}}(?:st|nd|rd|th)?,?\s[0-9]{{4}})"
)
_ZONE = r"(?:\s?(?:z|utc|gmt|cet|cest|est|edt|pst|pdt)\b)?(?:\s?[+-][0-9]{2}:?[0-9]{2}\b)?"
_CLOCK = (
    rf"[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]{{1,9}})?)?(?:\s?[ap]\.?m\b\.?)?{_ZONE}"
)
_CLOCK_ALONE = (
    r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?(?:\s?[ap]\.?m\b\.?)?|\s?[ap]\.?m\b\.?)"
    + _ZONE
)
_STAMP = (
    rf"(?:{_DATE}(?:t|,?\s(?:at\s)?)?(?:{_CLOCK})?"
    rf"|(?:{_DAY}\s{_MONTH}\s+[0-9]{{1,2}}\s)?{_CLOCK_ALONE}(?:,?\s(?:on\s)?(?:{_DATE}|[0-9]{{4}}\b))?"
    r"|[0-9]{8}t[0-9]{4,6}z?)"
)
_LABEL = (
    r"(?:(?:(?:current|local|request|sent|created|generated|asked|system|today'?s)\s)?"
    r"(?:date\s?(?:/|and|&)?\s?time|datetime|timestamp|time|date|ts|now|sent|today|as\sof)"
    r"(?:\sis)?\s?[:=]?\s?(?:at\s)?)?"
)
_FIRST = re.compile(rf"[\W_]{{0,12}}{_LABEL}[\[({{<\"'`]?{_STAMP}(?![A-Za-z0-9])", re.IGNORECASE)
_LAST = re.compile(
    rf"(?<![A-Za-z0-9:/.-]){_LABEL}[\[({{<\"'`]?{_STAMP}(?![A-Za-z0-9])[\W_]{{0,12}}\Z",
    re.IGNORECASE,
)
_WORD_BEFORE = re.compile(r"([A-Za-z]+)[ \t]{1,2}\Z")
_BINDING = frozenset(
    (
        *("since", "until", "till", "before", "after", "at", "on", "from", "to", "by", "of", "for"),
        *("is", "was", "between", "and", "or", "in", "than", "around", "about", "equals", "vs"),
        *("not", "date", "version", "released", "due", "starting", "ending", "through", "the"),
    )
)
"""After these a stamp is part of what is said."""

_NEAR_STAMP = re.compile(r"[0-9](?:[:/.-][0-9]{2}|[0-9]{3})")
_STAMP_END = re.compile(
    r"(?:(?<![0-9a-z])[0-9]{1,9}z?|[0-9](?:t[0-9]{4,6}z?|\s?[ap]\.?m|\s?z)"
    r"|(?:[0-9]|m\.?)\s?(?:utc|gmt|[cep]e?[sd]?t))[\W_]{0,12}\Z",
    re.IGNORECASE,
)
_STAMP_END_MAX = 24
_EDGE = 120
_STAMPS_MAX = 8


def without(text: str, odd: Sequence[str]) -> str:
    """Return `text` without either; `odd` are its words with anything but letters in them."""
    long = [word for word in odd if len(word) >= _DECIMAL_MIN]
    if any(map(_may_end_id, long)):
        text = _without_ids(text)
    if any(map(_may_be_encoded, long)):
        text = _RUN.sub(lambda run: " " if _is_blob(run[0]) else run[0], text)
    return without_stamps(text)


def _may_end_id(word: str) -> bool:
    if word.isdecimal():
        return True
    size = len(word.removeprefix("0x"))
    is_hexadecimal = _HEXADECIMAL.fullmatch(word.removeprefix("0x")) is not None
    return is_hexadecimal and (size >= _HEXADECIMAL_MIN or size == _UUID_TAIL)


def _may_be_encoded(word: str) -> bool:
    return len(word) >= _DENSE_MIN and len(_DIGITS.findall(word)) >= _DIGIT_GROUPS_MIN


def _without_ids(text: str) -> str:
    parts: list[str] = []
    at = 0
    for found in _ID.finditer(text):
        start, end = found.span()
        if not _is_id(found[0]) or text[end : end + 1].isalnum():
            continue
        label_start = _start_of_label(text, at, start)
        if text[label_start - 1 : label_start].isalnum():
            continue
        fraction = _FRACTION.match(text, end) if found[0].isdecimal() else None
        parts += (text[at:label_start], " ")
        at = end if fraction is None else fraction.end()
    return "".join((*parts, text[at:]))


def _start_of_label(text: str, least: int, start: int) -> int:
    """Return where what names or opens the id that starts there starts, or that very place."""
    may_be_named = _ID_LABEL_SIGN.search(text, max(least, start - _ID_SIGN_MAX), start)
    label, size = (_ID_LABEL, _ID_LABEL_MAX) if may_be_named else (_ID_OPENED, _ID_OPENED_MAX)
    found = label.search(text, max(least, start - size), start)
    return start if found is None else found.start()


def _is_id(run: str) -> bool:
    if run.isdecimal():
        return len(run) >= _DECIMAL_MIN
    if len(run) == _UUID_CHARACTERS and run[8] == "-":
        return True
    return len(run) >= _HEXADECIMAL_MIN and "-" not in run and not run.isalpha()


def _is_blob(run: str) -> bool:
    """Say whether it is encoded data rather than a path or a name."""
    return any(
        len(_DIGITS.findall(part)) >= _DIGIT_GROUPS_MIN
        and not part.islower()
        and not part.isupper()
        for part in _DENSE.findall(run)
    )


def without_stamps(text: str) -> str:
    """Return `text` without the dates and times that stand before or after everything else."""
    if _NEAR_STAMP.search(text[:_EDGE]):
        text = _without_first(text)
    if _NEAR_STAMP.search(text[-_EDGE:]) and _STAMP_END.search(text[-_STAMP_END_MAX:]):
        text = _without_last(text)
    return text


def _without_first(text: str) -> str:
    for _ in range(_STAMPS_MAX):
        found = _FIRST.match(text[:_EDGE])
        if found is None:
            break
        text = text[found.end() :]
    return text


def _without_last(text: str) -> str:
    for _ in range(_STAMPS_MAX):
        head, tail = text[:-_EDGE], text[-_EDGE:]
        found = _LAST.search(tail)
        if found is None:
            break
        before = _WORD_BEFORE.search(tail[: found.start()])
        if before is not None and before[1].lower() in _BINDING:
            break
        text = head + tail[: found.start()]
    return text
