"""Disguised copies are near, and a request with one change that means something is new."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import findings
from gateway.likeness.findings import (
    ATTACHMENT,
    CUT,
    DROPPED,
    FILLER,
    LITTLE,
    NAME,
    NEGATION,
    NONCE,
    NUMBER,
    OPERATOR,
    ORDER,
    POLITENESS,
    REPEATED,
    SAME,
    SPACING,
    SWAPPED,
    SYNONYMS,
    TYPOS,
    WORDS,
)
from gateway.likeness.lexicon import dictionary
from tests.unit.likeness.compared import compare

ASK = (
    "the upload page shows an error message when a customer selects a picture larger than ten "
    "megabytes although the settings allow twenty please find the cause and write a test for it"
)
OTHER = "sort the orders of a customer by date and print the total amount of each month"
LONG = " ".join(f"{ASK} {OTHER} part {word}" for word in ("alpha", "beta", "gamma", "delta"))
BLOB = "x" * 80
SLIPS = {
    "upload": "uplaod",
    "message": "mesage",
    "customer": "custmoer",
    "picture": "pictuure",
    "settings": "settigns",
    "twenty": "twentty",
}


def changed(text: str, words: dict[str, str]) -> str:
    return " ".join(words.get(word, word) for word in text.split())


def without(text: str, every: int) -> str:
    return " ".join(word for at, word in enumerate(text.split()) if at % every)


@pytest.mark.parametrize(
    ("earlier", "later", "reason"),
    [
        (ASK, ASK, SAME),
        (ASK, f"hello {ASK} thanks", POLITENESS),
        (f"good morning {ASK}", f"hi {ASK}", POLITENESS),
        (ASK, f"{ASK} k3j9x2q7z", NONCE),
        (f"{ASK} k3j9x2q7z", f"{ASK} q8w2m4n6t", NONCE),
        (f"{ASK} nonce 123456", f"{ASK} nonce 654321", NONCE),
        (ASK, f"{ASK} i hope you are having a great day", FILLER),
        (f"take your time with this one {ASK}", ASK, FILLER),
        (ASK, changed(ASK, {"upload": "up load"}), SPACING),
        (ASK, changed(ASK, {"to": "70", "ten": "t3n"}), SPACING),
        (ASK, changed(ASK, {"shows": "displays", "cause": "reason"}), SYNONYMS),
        (ASK, changed(ASK, {"selects": "chooses", "write": "writing"}), SYNONYMS),
        (ASK, changed(ASK, {"message": "mesage"}), TYPOS),
        (ASK, changed(ASK, SLIPS), TYPOS),
        (changed(ASK, {"message": "mesage"}), ASK, TYPOS),
        (f"{ASK} specstory", f"{ASK} specsotry", TYPOS),
        (ASK, " ".join(ASK.split()[14:] + ASK.split()[:14]), ORDER),
        (ASK, " ".join(sorted(ASK.split())), ORDER),
        (ASK, f"{ASK} {ASK}", REPEATED),
        (f"{ASK} {ASK}", ASK, REPEATED),
        (ASK, changed(ASK, {"the": "the the"}), POLITENESS),
        (ASK, changed(ASK, {"error": "error error"}), REPEATED),
        (ASK, " ".join(ASK.split()[:-8]), CUT),
        (ASK, " ".join(ASK.split()[8:]), CUT),
        (ASK, without(ASK, 5), DROPPED),
        (without(LONG, 6), LONG, DROPPED),
        (LONG, changed(LONG, SLIPS), TYPOS),
        (f"{BLOB} {ASK}", f"{BLOB} hello {ASK}", POLITENESS),
    ],
)
def test_a_disguised_copy_is_near(earlier: str, later: str, reason: str) -> None:
    found = compare(earlier, later)

    assert found.near
    assert found.reason == reason


@pytest.mark.parametrize(
    ("earlier", "later", "reason"),
    [
        ("fix issue 123 of the parser today", "fix issue 124 of the parser today", NUMBER),
        (f"{ASK} 17", f"{ASK} 18", NUMBER),
        (ASK, changed(ASK, {"ten": "5"}), NUMBER),
        (f"b5 {ASK}", f"zz9 {ASK}", NAME),
        (ASK, changed(ASK, {"allow": "do not allow"}), NEGATION),
        (changed(ASK, {"allow": "do not allow"}), changed(ASK, {"allow": "do allow"}), NEGATION),
        (ASK, changed(ASK, {"when": "never"}), NEGATION),
        (f"{ASK} a < b", f"{ASK} a > b", OPERATOR),
        (f"{ASK} c + d", f"{ASK} c d", OPERATOR),
        (ASK, changed(ASK, {"customer": "blorvex"}), NAME),
        (f"blorvex loads {ASK}", f"quanip loads {ASK}", NAME),
        (ASK, f"{ASK} in rust", WORDS),
        (f"{ASK} 錯", f"{ASK} 対", WORDS),
        (ASK, changed(ASK, {"larger": "smaller"}), WORDS),
        (ASK, changed(ASK, {"page": "pane"}), WORDS),
        (ASK, changed(ASK, {"page": "pages", "test": "plan"}), WORDS),
        (ASK, changed(ASK, {"picture": ""}), WORDS),
        (ASK, f"{ASK} and also {OTHER}", WORDS),
        (f"{ASK} then {OTHER}", f"{ASK} then translate all of it into portuguese", WORDS),
        ("convert miles to kilometres in this sheet", "convert kilometres to miles in this sheet",
         SWAPPED),
        (f"{BLOB} {ASK}", f"{BLOB[:-1]}y {ASK}", ATTACHMENT),
        (ASK, "tell me a joke about compilers and the moon", LITTLE),
        (LONG, " ".join(f"w{at}" for at in range(300)), LITTLE),
    ],
)  # fmt: skip
def test_one_change_that_means_something_makes_it_new(
    earlier: str, later: str, reason: str
) -> None:
    found = compare(earlier, later)

    assert not found.near
    assert found.reason == reason


def test_a_name_that_is_another_wherever_it_stands_is_another_name() -> None:
    earlier = f"specstory {ASK} specstory"

    assert compare(earlier, changed(earlier, {"specstory": "specsotry"})).reason == NAME


def test_many_typing_errors_do_not_hide_another_number() -> None:
    earlier = f"{ASK} 1234 of them"

    assert not compare(earlier, changed(earlier, SLIPS | {"1234": "4321"})).near


def test_a_few_typing_errors_do_not_hide_a_negation_but_very_many_drown_it() -> None:
    denied = changed(ASK, {"allow": "never allow"})
    few = dict(list(SLIPS.items())[:3])

    assert not compare(denied, changed(ASK, few)).near
    assert compare(denied, changed(ASK, SLIPS)).near


def test_a_copy_of_a_copy_is_near_as_well() -> None:
    """Both are mistyped, each in its own places."""
    first = changed(ASK, {"upload": "uplaod", "message": "mesage", "picture": "pictuure"})
    second = changed(ASK, {"customer": "custmoer", "settings": "settigns", "twenty": "twentty"})

    assert compare(first, second).near


def test_a_cut_copy_with_something_added_is_new() -> None:
    cut = " ".join(ASK.split()[:-8])

    assert not compare(ASK, f"{cut} translate all of it into portuguese").near


def test_what_hangs_in_the_air_was_cut() -> None:
    assert compare(f"{OTHER} in descending order", f"{OTHER} in").reason == CUT
    assert not compare(f"{OTHER} urgent shipments", OTHER).near


def test_most_of_a_text_must_be_left() -> None:
    assert not compare(ASK, " ".join(ASK.split()[:10])).near


def test_a_repetition_with_another_number_in_it_is_new() -> None:
    earlier = f"{OTHER} and keep 12 of the rows"
    later = f"{earlier} {OTHER} and keep 13 of the rows"

    assert not compare(earlier, later).near
    assert compare(earlier, f"{earlier} {changed(earlier, {'orders': 'ordres'})}").near
    assert not compare(earlier, f"{earlier} {OTHER} and drop all of the rows").near
    assert not compare(f"{earlier} {OTHER} and keep 13 of the rows", earlier).near


def test_a_number_or_negation_said_twice_is_no_stutter() -> None:
    assert not compare(f"{OTHER} 7", f"{OTHER} 7 7").near
    assert not compare(f"do not {OTHER}", f"do not not {OTHER}").near


def test_list_numbers_lost_where_lines_moved_are_forgiven() -> None:
    first, second = " ".join(ASK.split()[:15]), " ".join(ASK.split()[15:])

    assert compare(f"{first} 2 {second}", f"{second} {first}").near
    assert compare(f"{second} {first}", f"{first} 2 {second}").near


def test_some_words_moved_here_and_there_are_noise() -> None:
    words = LONG.split()
    for word in ("settings", "amount", "print", "orders"):
        at = words.index(word)
        words.insert(at - 5, words.pop(at))

    assert compare(LONG, " ".join(words)).near


def test_another_text_of_many_words_is_given_up_early() -> None:
    words = LONG.split()
    other = ("river", "lamp", "violin", "bridge", "harvest", "candle", "saddle", "meadow", "kettle")
    for at in range(9):
        words[at * 9 + 3] = other[at]

    found = compare(LONG, " ".join(words))

    assert not found.near
    assert found.similarity > 0.8


def test_long_runs_that_differ_throughout_are_not_paired() -> None:
    one = "river lamp violin bridge harvest candle saddle meadow kettle basket carpet mirror button"
    two = (
        "forest window guitar tunnel orchard lantern stable valley teapot drawer blanket glass coat"
    )
    kept = f"{ASK} {{}} {OTHER}"

    assert compare(kept.format(one), kept.format(two)).reason == WORDS
    assert compare(kept.format(f"{one} 4"), kept.format(f"9 {two}")).reason == NUMBER
    assert compare(kept.format(f"{one} not"), kept.format(two)).reason == NEGATION


def test_words_are_paired_in_the_likeliest_way_where_their_number_differs() -> None:
    later = changed(ASK, {"error": "erorr mes", "message": "sage whne", "when": ""})

    assert compare(ASK, " ".join(later.split())).near
    assert compare(ASK, changed(ASK, {"allow": "does alow", "twenty": "twnety"})).near


def test_contractions_are_the_same_words() -> None:
    denied = changed(ASK, {"allow": "do not allow", "shows": "is not"})

    assert compare(denied, changed(denied, {"do": "dont", "not": ""})).near is False
    assert compare(denied, denied.replace("do not", "dont").replace("is not", "isnt")).near


WORDS_OF_ASK = st.lists(st.sampled_from(f"{ASK} {OTHER}".split()), min_size=4, max_size=40)


@given(words=WORDS_OF_ASK, at=st.integers(0, 40), numbers=st.tuples(*[st.integers(0, 99999)] * 2))
def test_a_number_in_place_of_another_is_never_near(
    words: list[str], at: int, numbers: tuple[int, int]
) -> None:
    one, two = (" ".join([*words[:at], str(number), *words[at:]]) for number in numbers)

    assert compare(one, two).near is (one == two)


@given(words=WORDS_OF_ASK)
def test_a_text_is_near_to_itself_and_a_greeting_works_both_ways(words: list[str]) -> None:
    text = " ".join(words)

    assert compare(text, text).near
    assert compare(text, f"hello {text} thanks").near
    assert compare(f"hello {text} thanks", text).near


@given(words=WORDS_OF_ASK, others=WORDS_OF_ASK)
def test_every_pair_is_judged_and_every_reason_is_a_known_one(
    words: list[str], others: list[str]
) -> None:
    found = compare(" ".join(words), " ".join(others))

    assert found.reason in findings.REASONS
    assert 0 <= found.similarity <= 1
    assert found.near is (found.reason in findings.REASONS[: findings.REASONS.index(NUMBER)])


def test_of_very_many_differences_some_are_weighed_and_every_number() -> None:
    known = [word for word in sorted(dictionary()) if len(word) == 8 and word.isalpha()][::30]
    words = [p for at, word in enumerate(known) for p in (word, *(f"k{at}{x}" for x in "vwxyz"))]
    later = [part[:2] + part[3] + part[2] + part[4:] if len(part) == 8 else part for part in words]

    assert len(known) > 120
    assert compare(" ".join([*words, "7", "soon"]), " ".join([*later, "7", "soon"])).near
    changed_too = compare(" ".join([*words, "7", "soon"]), " ".join([*later, "8", "soon"]))
    assert changed_too.reason == NUMBER
    lost = [part for at, part in enumerate(later) if at not in range(102, 300, 18)]
    assert compare(" ".join(words), " ".join(lost)).near


def test_two_proven_slips_vouch_for_two_others_but_not_for_three() -> None:
    two = {"message": "mesage", "picture": "pictuure"}

    assert compare(f"qorv {ASK} blux", changed(f"qorf {ASK} bluz", two)).near
    assert not compare(f"qorv {ASK} blux now zerd", changed(f"qorf {ASK} bluz now zerf", two)).near


def test_words_that_stand_for_others_in_pairs_are_read_one_by_one() -> None:
    assert compare(ASK, changed(ASK, {"upload": "the", "page": "uploadpage"})).near
    assert compare(ASK, changed(ASK, {"error": "錯"})).reason == WORDS
    assert compare(f"{ASK} 錯 now", f"{ASK} parser now").reason == WORDS
    assert compare(f"{ASK} blorvex now", f"{ASK} 12 now").reason == NUMBER
    assert compare(f"{ASK} 2 now", f"{ASK} b2 now").reason == NUMBER


def test_what_stands_before_the_first_repeated_word_repeats_nothing() -> None:
    assert not compare(OTHER, f"{OTHER} parser {OTHER}").near


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (f"{ASK} it is about booking k3j9x2q7z", f"{ASK} it is about booking q8w2m4n6t"),
        (f"{ASK} use order k3j9x2q7z for it", f"{ASK} use order q8w2m4n6t for it"),
        (f"blorvex quanip {ASK}", f"zerdin quanip {ASK}"),
        (f"{ASK} at 9 each morning", f"{ASK} at 9 each evening"),
        ("describe how alice pays bob and alice thanks bob",
         "describe how bob pays alice and bob thanks alice"),
    ],
)  # fmt: skip
def test_a_name_is_a_name_wherever_it_stands_and_however_random_it_looks(
    earlier: str, later: str
) -> None:
    assert not compare(earlier, later).near


def test_salts_at_both_ends_may_differ_and_so_may_greetings() -> None:
    assert compare(f"k3j9x2q7z {ASK} q8w2m4n6t", f"q8w2m4n6t {ASK} k3j9x2q7z").near
    assert compare(f"good morning {ASK} thanks", f"good evening {ASK} cheers").near


def test_long_texts_of_the_same_words_in_which_nothing_can_be_followed_are_given_up() -> None:
    known = [word for word in sorted(dictionary()) if len(word) == 9 and word.isalpha()][:1500]
    later = [*known[900:1300], *known[700:100:-1]]

    assert compare(" ".join(known[:900]), " ".join(later)).reason == LITTLE
