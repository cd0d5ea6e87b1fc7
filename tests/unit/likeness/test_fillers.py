"""What asks for nothing is known by all its words; one that means something spoils it."""

import pytest

from gateway.likeness.fillers import Run
from gateway.likeness.findings import FILLER, NONCE, POLITENESS
from tests.unit.likeness.compared import tools, value


def run(
    text: str,
    *,
    at_end: bool = True,
    at_start: bool = False,
    before: str = "parser",
    after: str = "",
    beside: int = 20,
    digits: int = 0,
) -> Run:
    return Run(
        values=[value(word) for word in text.split()],
        at_start=at_start,
        at_end=at_end,
        before=value(before) if before else 0,
        after=value(after) if after else 0,
        tokens_beside=beside,
        digits=digits,
    )


def harmless(text: str, **facts: object) -> str:
    return tools().fillers.harmless(run(text, **facts))  # type: ignore[arg-type] # facts of a run


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("please", POLITENESS),
        ("thank you so much", POLITENESS),
        ("good morning", POLITENESS),
        ("question", POLITENESS),
        ("i hope you are having a great day", FILLER),
        ("take your time with this one", FILLER),
        ("no rush at all", FILLER),
        ("i am not sure who to ask", FILLER),
        ("could you have a look at this", FILLER),
        ("i wish you a truly marvellous weekend and luck", FILLER),
        ("id 4711", NONCE),
        ("attempt 3", NONCE),
        ("ref xkqw", NONCE),
        ("session", NONCE),
        ("12 nov 2026 17 24", NONCE),
        ("xkqjzwvpt", NONCE),
        ("blorvex quanip", NONCE),
        ("hello 17", POLITENESS),
        ("17", NONCE),
    ],
)
def test_fillers_and_nonces_at_an_end_ask_for_nothing(text: str, reason: str) -> None:
    assert harmless(text) == reason


def test_strays_are_known_at_the_start_too() -> None:
    assert harmless("blorvex hello", at_end=False, at_start=True, before="", after="fix") != ""
    assert harmless("blorvex", at_end=False, at_start=True, before="", after="fix") == NONCE


@pytest.mark.parametrize(
    "text",
    [
        "in rust",
        "answer in french please",
        "not",
        "please do not",
        "never explain your answer",
        "and reverse the list",
        "issue 124",
        "step 3 thanks",
        "json",
        "i need it in rust",
        "sort it",
        "on this",
        "no",
    ],
)
def test_what_changes_the_request_does_not(text: str) -> None:
    assert harmless(text) == ""


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("17", {"before": "issue"}),
        ("17", {"before": "123"}),
        ("17", {"beside": 5}),
        ("1234567", {"before": "ticket", "digits": 7}),
        ("1234567", {"beside": 2, "digits": 7}),
        ("foobar77", {"before": "ticket", "digits": 8}),
        ("blorvex", {"before": "in"}),
        ("blorvex", {"before": "sqlfluff"}),
        ("blorvex", {"beside": 5}),
        ("session", {"before": "the"}),
        ("ref aaxq bbxq ccxq", {}),
        ("17", {"at_end": False, "after": "parser"}),
    ],
)
def test_a_number_or_name_that_may_name_something_does_not(
    text: str, facts: dict[str, object]
) -> None:
    assert harmless(text, **facts) == ""


def test_a_long_number_counts_nothing_even_beside_a_short_text_or_a_number() -> None:
    assert harmless("8231964", digits=7, beside=4, before="123") == NONCE
    assert harmless("k9x2jq77", digits=8, before="parser") == NONCE


def test_inside_a_text_only_manners_and_whole_sentences_are_harmless() -> None:
    inside = {"at_end": False, "after": "parser"}

    assert harmless("please", **inside) == POLITENESS
    assert harmless("i really appreciate your help with this", **inside) == FILLER
    assert harmless("question", **inside) == ""


def test_figures_may_differ_behind_a_label_of_nothing_but_nonces() -> None:
    fillers = tools().fillers
    figures = [value("123456"), value("654321")]

    assert fillers.are_nonces(figures, value("nonce"))
    assert not fillers.are_nonces(figures, value("issue"))
    assert not fillers.are_nonces([value("parser")], value("nonce"))
