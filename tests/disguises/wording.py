"""Disguises that change, add, lose or move words: salts, manners, slips, order, cuts."""

import re
from collections.abc import Callable
from random import Random
from uuid import UUID

from tests.disguises import corpus

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEAR = {c: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in ROWS for i, c in enumerate(row)}
MONTHS = ("January", "March", "June", "September", "November")


def uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def timestamp(random: Random) -> str:
    day, hour, minute = random.randrange(1, 28), random.randrange(24), random.randrange(60)
    return random.choice(
        (
            f"2026-{random.randrange(1, 13):02}-{day:02}T{hour:02}:{minute:02}:09Z",
            f"2026-{random.randrange(1, 13):02}-{day:02} {hour:02}:{minute:02}:41",
            f"[{day:02}/Nov/2026:{hour:02}:{minute:02}:17 +0100]",
            f"{hour:02}:{minute:02}:{random.randrange(60):02}",
        )
    )


def date(random: Random) -> str:
    day, month = random.randrange(1, 28), random.choice(MONTHS)
    return random.choice(
        (f"{day} {month} 2026", f"{month} {day}, 2026", f"2026-05-{day:02}", f"{day:02}.06.2026")
    )


def unix_time(random: Random) -> str:
    return str(random.randrange(1_700_000_000, 1_900_000_000) * random.choice((1, 1000)))


def integer(random: Random) -> str:
    return str(random.randrange(1000, 10_000_000))


def hexadecimal(random: Random) -> str:
    return f"{random.getrandbits(64):016x}"[: random.choice((8, 12, 16))]


def characters(random: Random) -> str:
    alphabet = LETTERS + LETTERS.upper() + "0123456789"
    return "".join(random.choice(alphabet) for _ in range(random.randrange(8, 16)))


def lower_characters(random: Random) -> str:
    return "".join(random.choice(LETTERS) for _ in range(random.randrange(7, 13)))


def gibberish(random: Random) -> str:
    def word() -> str:
        return "".join(random.choice("bdfgklmnprstvz") + random.choice("aeiou") for _ in range(3))

    return f"{word()} {word()}"


def any_salt(random: Random) -> str:
    return random.choice((uuid, timestamp, unix_time, integer, hexadecimal, characters))(random)


def front(salt: Callable[[Random], str]) -> Callable[[str, Random], str]:
    return lambda text, random: salt(random) + random.choice((" ", "\n", ": ")) + text


def back(salt: Callable[[Random], str]) -> Callable[[str, Random], str]:
    return lambda text, random: text + random.choice((" ", "\n", "\n\n")) + salt(random)


def both(salt: Callable[[Random], str]) -> Callable[[str, Random], str]:
    return lambda text, random: back(salt)(front(salt)(text, random), random)


def labelled(text: str, random: Random) -> str:
    forms = (
        "[ref: {}]", "(request #{})", "nonce={}", "# run {}", "id: {}", "<!-- {} -->",
        "Session {}.", "trace-id {}", "[{}]", "Attempt {}:",
    )  # fmt: skip
    label = random.choice(forms).format(any_salt(random))
    return f"{label} {text}" if random.random() < 0.5 else f"{text} {label}"


def between(text: str, random: Random) -> str:
    """A salt between two sentences."""
    places = [m.end() for m in re.finditer(r"[.!?:]\s", text)] or [len(text)]
    at = random.choice(places)
    return f"{text[:at]} {characters(random)} {text[at:]}"


def greeting(text: str, random: Random) -> str:
    return (
        random.choice(corpus.lines("greetings")) + random.choice((", ", "! ", ",\n\n", " ")) + text
    )


def politeness(text: str, random: Random) -> str:
    return f"{random.choice(corpus.lines('openings'))} {text}"


def closing(text: str, random: Random) -> str:
    return text + random.choice((" ", "\n\n")) + random.choice(corpus.lines("closings"))


def filler(text: str, random: Random) -> str:
    """One sentence that says nothing, before or after."""
    sentence = random.choice(corpus.lines("fillers"))
    return f"{sentence} {text}" if random.random() < 0.5 else f"{text} {sentence}"


def fillers(text: str, random: Random) -> str:
    one, two = random.sample(corpus.lines("fillers"), 2)
    return random.choice((f"{one} {text} {two}", f"{one} {two} {text}", f"{text} {one} {two}"))


def swap_words(text: str, random: Random, table: dict[str, str], share: float) -> str:
    """Replace whole words by what the table has for them, for a share of them."""
    pattern = r"(?<![\w.])(?:" + "|".join(map(re.escape, table)) + r")(?![\w(])"

    def other(match: re.Match[str]) -> str:
        if random.random() >= share:
            return match[0]
        word = table.get(match[0]) or table[match[0].lower()]
        return word[0].upper() + word[1:] if match[0][0].isupper() else word

    return re.sub(pattern, other, text, flags=re.IGNORECASE)


def synonyms(share: float) -> Callable[[str, Random], str]:
    table = dict(corpus.pairs("synonyms"))
    return lambda text, random: swap_words(text, random, table, share)


def contractions(text: str, random: Random) -> str:
    pairs = corpus.pairs("contractions")
    table = {a.lower(): b for a, b in pairs} | {b.lower(): a for a, b in reversed(pairs)}
    return swap_words(text, random, table, 1.0)


def spelling(text: str, random: Random) -> str:
    pairs = corpus.pairs("spellings")
    table = dict(pairs[:-3]) | {b: a for a, b in pairs[:-8]}
    return swap_words(text, random, table, 1.0)


def slips(share: float) -> Callable[[str, Random], str]:
    """Wrong, missing, doubled, swapped letters: for a share of the letters, one at least."""

    def slip(text: str, random: Random) -> str:
        places = [i for i, c in enumerate(text) if c.isalpha() and c.isascii()]
        count = max(1, round(len(places) * share))
        found = list(text)
        for at in random.sample(places, min(count, len(places))):
            kind = random.choice(("leave", "double", "near", "swap", "insert"))
            if kind == "swap" and text[at + 1 : at + 2].isalpha():
                found[at], found[at + 1] = found[at + 1], found[at]
            else:
                found[at] = _slip(kind, text[at], random)
        return "".join(found)

    return slip


def _slip(kind: str, letter: str, random: Random) -> str:
    if kind == "leave":
        return ""
    if kind == "double":
        return letter + letter
    if kind == "insert":
        return letter + random.choice(LETTERS)
    return random.choice(NEAR.get(letter.lower(), "") or LETTERS)


def shuffled(text: str, random: Random) -> str:
    words = text.split()
    random.shuffle(words)
    return " ".join(words)


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+(?=\S)|\n{2,}", text) if part.strip()]


def sentences_moved(text: str, random: Random) -> str:
    parts = sentences(text)
    random.shuffle(parts)
    return " ".join(parts)


def lines_moved(text: str, random: Random) -> str:
    parts = text.split("\n")
    random.shuffle(parts)
    return "\n".join(parts)


def rotated(text: str, random: Random) -> str:
    """What stands behind a comma or full stop comes first."""
    parts = re.split(r"(?<=[,.;])\s+", text)
    at = random.randrange(1, len(parts)) if len(parts) > 1 else 0
    return " ".join(parts[at:] + parts[:at])


def repeated(times: int) -> Callable[[str, Random], str]:
    return lambda text, random: random.choice((" ", "\n\n", "\n")).join([text] * times)


def sentence_repeated(text: str, random: Random) -> str:
    return f"{text} {random.choice(sentences(text))}"


def words_dropped(text: str, random: Random) -> str:
    words = text.split(" ")
    gone = set(random.sample(range(len(words)), len(words) // 5))
    return " ".join(word for i, word in enumerate(words) if i not in gone)


def end_dropped(text: str) -> str:
    words = text.split(" ")
    return " ".join(words[: len(words) - len(words) // 5])


def start_dropped(text: str) -> str:
    words = text.split(" ")
    return " ".join(words[len(words) // 5 :])


def framed(text: str, random: Random) -> str:
    """Put into a frame, as a chat tool or a habit would."""
    forms = (
        "Question: {}\n\nAnswer:", "Task:\n{}\n\nBegin.", '"""{}"""', "User request: {}",
        "Here is my request.\n\n{}\n\nGo ahead.", "<request>{}</request>", "Q: {}\nA:",
    )  # fmt: skip
    return random.choice(forms).replace("{}", text)
