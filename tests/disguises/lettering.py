"""Disguises that change how the letters, spaces and marks of a prompt look."""

import re
import unicodedata
from collections.abc import Mapping
from random import Random

INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
UNSEEN = "\u00ad\u200e\u200f\u2061\u034f\ufe0f"
SPACES = "\u00a0\u2009\u202f\u3000\u2003"
SIGHTS = ["😀", "🚀", "✅", "🔥", "🙏", "✨", "💡", "👍"]

COMMON = {
    "a": "\u0430\u03b1",
    "c": "\u0441",
    "e": "\u0435",
    "i": "\u0456\u03b9",
    "o": "\u043e\u03bf",
    "p": "\u0440\u03c1",
    "x": "\u0445\u03c7",
    "y": "\u0443",
    "s": "\u0455",
    "j": "\u0458",
    "A": "\u0410\u0391",
    "B": "\u0412\u0392",
    "E": "\u0415\u0395",
    "H": "\u041d\u0397",
    "K": "\u041a\u039a",
    "M": "\u041c\u039c",
    "O": "\u041e\u039f",
    "P": "\u0420\u03a1",
    "T": "\u0422\u03a4",
    "X": "\u0425\u03a7",
}
RARE = {
    "a": "\u0251\u237a",
    "b": "\u13cf",
    "c": "\u1d04\u217d",
    "d": "\u0501\u217e",
    "e": "\u212e\u04bd",
    "f": "\ua799",
    "g": "\u0261\u0581",
    "h": "\u04bb\u0570",
    "i": "\u0131\u13a5",
    "l": "\u04cf\u217c",
    "m": "\u217f",
    "n": "\u0578",
    "o": "\u0585\u1d0f",
    "p": "\u2374",
    "q": "\u051b",
    "r": "\u1d26\uab47",
    "s": "\ua731\u01bd",
    "u": "\u057d\u028b",
    "v": "\u1d20\u2174",
    "w": "\u051d\u1d21",
    "y": "\u0263\u1eff",
    "z": "\u1d22",
    "A": "\u13aa",
    "D": "\u13a0",
    "G": "\u13c0",
    "M": "\u13b7",
    "R": "\u13a1",
    "S": "\u13da",
    "T": "\u13a2",
    "W": "\u13b3",
}
SMALL_CAPITALS = dict(
    zip(
        "abcdefghijklmnoprtuvwyz",
        "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274"
        "\u1d0f\u1d18\u0280\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22",
        strict=True,
    )
)
LEET = dict(zip("aeiostbg", "43105789", strict=True))
LEET_MORE = {**LEET, "l": "1", "z": "2", "t": "7", "s": "$", "a": "@", "b": "8", "g": "9"}


def letters(text: str, random: Random, table: Mapping[str, str], share: float) -> str:
    """Put a letter's look-alike in its place, for a share of the letters."""
    return "".join(
        random.choice(table[c]) if c in table and random.random() < share else c for c in text
    )


def shifted(text: str, starts: Mapping[str, int]) -> str:
    """Move letters (and digits) into other blocks: `A`, `a` and `0` say where those begin."""
    found = []
    for c in text:
        first = "A" if "A" <= c <= "Z" else "a" if "a" <= c <= "z" else "0" if c.isdigit() else ""
        known = c.isascii() and first in starts
        found.append(chr(starts[first] + ord(c) - ord(first)) if known else c)
    return "".join(found)


def full_width(text: str) -> str:
    """Every printable ASCII character in its full-width form."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def random_case(text: str, random: Random) -> str:
    """Each letter in upper or lower case as the dice fall."""
    return "".join(c.upper() if random.random() < 0.5 else c.lower() for c in text)


def leet(text: str, random: Random, table: Mapping[str, str], share: float) -> str:
    """Digits for letters, for a share of the letters."""
    return "".join(
        table[c.lower()] if c.lower() in table and random.random() < share else c for c in text
    )


def invisible(text: str, random: Random, signs: str, share: float) -> str:
    """Characters nobody sees after a share of the characters."""
    return "".join(c + (random.choice(signs) if random.random() < share else "") for c in text)


def accented(text: str, random: Random, share: float) -> str:
    """Accents on a share of the vowels."""
    marks = "\u0301\u0300\u0302\u0308\u0303"
    found = (
        c + random.choice(marks) if c in "aeiouAEIOU" and random.random() < share else c
        for c in text
    )
    return unicodedata.normalize("NFC", "".join(found))


def spaces(text: str, random: Random, choices: tuple[str, ...], share: float) -> str:
    """Something else in place of a share of the blanks."""
    return "".join(
        random.choice(choices) if c == " " and random.random() < share else c for c in text
    )


def trailing(text: str, random: Random) -> str:
    """Blanks at the ends of lines, and around everything."""
    lines = (line + " " * random.randrange(4) for line in text.split("\n"))
    return "\n" * random.randrange(3) + "  " + "\n".join(lines) + " \n\n"


def broken_words(text: str, random: Random) -> str:
    """Hyphens inside long words, as if they had been typeset."""

    def cut(match: re.Match[str]) -> str:
        word = match[0]
        at = random.randrange(3, len(word) - 2)
        return f"{word[:at]}-{word[at:]}" if random.random() < 0.5 else word

    return re.sub(r"[^\W\d_]{7,}", cut, text)


def spaced_out(text: str, random: Random) -> str:
    """A blank between the letters of a third of the words."""
    return " ".join(
        " ".join(word) if word.isalpha() and random.random() < 0.35 else word
        for word in text.split(" ")
    )


def glued(text: str, random: Random) -> str:
    """A fifth of the blanks between words left out."""
    return re.sub(
        r"(?<=[^\W\d_]) (?=[^\W\d_])", lambda _: "" if random.random() < 0.2 else " ", text
    )


def marks_added(text: str, random: Random) -> str:
    """Commas, dots and dashes where none belong."""
    signs = (",", ".", " -", ";", "!", "...", "?!", ":")
    return " ".join(
        w + (random.choice(signs) if random.random() < 0.2 else "") for w in text.split(" ")
    )


def marks_removed(text: str) -> str:
    """No punctuation at the ends of words."""
    return re.sub(r"[.,;:!?\"'()]+(?=\s|$)|(?<=\s)[\"'(]+", "", text)


def marks_changed(text: str, random: Random) -> str:
    """Other punctuation at the ends of words."""
    return re.sub(r"[.,;:!?](?=\s|$)", lambda _: random.choice(".,;:!?"), text)


def typographic(text: str, random: Random) -> str:
    """Curly quotes, long dashes, one character for three dots."""
    text = re.sub(r"(?<=\w)'(?=\w)", "\u2019", text)
    text = re.sub(r'"([^"\n]*)"', random.choice(("\u201c\\1\u201d", "\u00ab\\1\u00bb")), text)
    return text.replace(" - ", " \u2014 ").replace("...", "\u2026").replace("-", "\u2010")


def bold(text: str, random: Random) -> str:
    """Some words in bold, italics or code marks."""
    signs = ("**", "*", "__", "`")
    words = []
    for word in text.split(" "):
        sign = random.choice(signs) if word.isalpha() and random.random() < 0.2 else ""
        words.append(f"{sign}{word}{sign}")
    return " ".join(words)


def bullets(text: str, random: Random) -> str:
    """A bullet before every line and sentence."""
    sign = random.choice(("- ", "* ", "\u2022 ", "+ "))
    return sign + re.sub(r"(?<=[.!?]) |\n(?=\S)", "\n" + sign, text)


def heading(text: str, random: Random) -> str:
    """A rule above, and the first line as a heading."""
    return random.choice(("# ", "## ", "### ", "---\n\n# ")) + text + random.choice(("", "\n\n---"))


def fenced(text: str, random: Random) -> str:
    """Everything inside a code fence."""
    return f"```{random.choice(('', 'text', 'md'))}\n{text}\n```"


def quoted(text: str) -> str:
    """Every line as a quotation."""
    return "\n".join("> " + line for line in text.split("\n"))


def tagged(text: str, random: Random) -> str:
    """Paragraphs and some words in HTML tags."""
    words = []
    for word in text.split(" "):
        tag = random.choice(("b", "em", "span")) if word.isalpha() and random.random() < 0.1 else ""
        words.append(f"<{tag}>{word}</{tag}>" if tag else word)
    return "<p>" + " ".join(words).replace("\n\n", "</p>\n<p>") + "</p>"


def emoji(text: str, random: Random) -> str:
    """Pictures between words and at both ends."""
    words = (
        w + (" " + random.choice(SIGHTS) if random.random() < 0.1 else "") for w in text.split(" ")
    )
    return f"{random.choice(SIGHTS)} {' '.join(words)} {random.choice(SIGHTS)}"
