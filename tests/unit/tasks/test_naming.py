"""Which task an event is for: what names it, strongest first, and never a guess."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tasks import Named, named, naming, subject_of
from gateway.values import OutcomeEvent

KNOWN = frozenset({"PAY-1", "PAY-2", "ACME.WEB-7", "ACME.WEB-8", "ACME.API-7"})


def event(**said: Any) -> OutcomeEvent:
    fields: dict[str, Any] = {"event_id": "e", "kind": "merged", "at": 1.0, "subject": "acme/web!3"}
    return OutcomeEvent(**fields | said)


def decided(**said: Any) -> tuple[str, str]:
    found = named(event(**said), KNOWN.__contains__)
    return found.linked_by, found.task_id


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Closes #7", "ACME.WEB-7"),
        ("fixed: #7.", "ACME.WEB-7"),
        ("This resolves acme/api#7", "ACME.API-7"),
        ("Implements PAY-1", "PAY-1"),
        ("fixes pay-1", "PAY-1"),
        ("Closes https://forge.example/acme/web/issues/7", "ACME.WEB-7"),
        ("Closes https://lab.example/acme/web/-/issues/7", "ACME.WEB-7"),
        ("Fixes https://acme.example/browse/PAY-1", "PAY-1"),
        ("Fixes https://linear.example/acme/issue/PAY-1/some-title", "PAY-1"),
        ("Fixes [PAY-1](https://acme.example/browse/PAY-1)", "PAY-1"),
        ("Closes #999 and #7", "ACME.WEB-7"),
        ("closes issue #7", "ACME.WEB-7"),
    ],
)
def test_a_closing_keyword_names_its_task(text: str, task: str) -> None:
    assert decided(text=text) == ("keyword", task)
    assert decided(title=text) == ("keyword", task)


@pytest.mark.parametrize(
    "text",
    [
        "See #7",
        "Not closes: nothing",
        "`closes #7`",
        "``closes `x` #7``",
        "> closes #7",
        "<!-- closes #7 -->",
        "<!-- closes #7",
        "```\ncloses #7\n```",
        "~~~~ text\ncloses #7\n~~~\n~~~~",
        "```\ncloses #7",
        "encloses #7",
        "closes #7x",
        "closes #999",
        "closes",
        "closes: \n#7",
        "",
    ],
)
def test_what_is_quoted_or_only_mentioned_names_nothing(text: str) -> None:
    assert decided(text=text) == ("nothing", "")


@pytest.mark.parametrize(
    "text",
    [
        "Closes #7 and #8",
        "Closes #7, closes #8",
        "fixes PAY-1, PAY-2",
        "fixes #7\nfixes acme/api#7",
    ],
)
def test_two_tasks_are_ambiguous_and_never_guessed(text: str) -> None:
    assert decided(text=text) == ("ambiguous", "")


def test_unclosed_ticks_are_no_code() -> None:
    assert decided(text="a ` b\ncloses #7") == ("keyword", "ACME.WEB-7")
    assert decided(text="a ` b\n\ncloses #7 ` c") == ("keyword", "ACME.WEB-7")


def test_a_number_alone_needs_a_repository() -> None:
    assert decided(text="closes #7", subject="PAY-9") == ("nothing", "")
    assert decided(text="closes #7", subject="x" * 9999) == ("nothing", "")


def test_the_strongest_that_names_a_task_decides() -> None:
    trailer = "Add it\n\nTask: PAY-2"
    assert decided(tasks=("PAY-1",), text="closes #7", branch="PAY-2") == ("tracker", "PAY-1")
    assert decided(text="closes #7", commits=(trailer,), branch="PAY-1") == (
        "keyword",
        "ACME.WEB-7",
    )
    assert decided(commits=(trailer,), branch="feature/PAY-1-x") == ("trailer", "PAY-2")
    assert decided(branch="feature/PAY-1-x") == ("branch", "PAY-1")
    assert decided(branch="feature/none") == ("nothing", "")
    assert decided(branch="PAY-999-PAY-1") == ("branch", "PAY-1")
    assert decided(branch="-".join(f"ABC-{number}" for number in range(30))) == ("nothing", "")
    assert decided(kind="reverted", text="closes #7") == ("keyword", "ACME.WEB-7")
    assert decided(branch="7-fix-it") in {("branch", "ACME.WEB-7"), ("nothing", "")}


def test_a_subject_that_is_a_task_is_its_own() -> None:
    assert decided(subject="pay-1", text="closes #7") == ("tracker", "PAY-1")
    assert decided(subject="pay-77", tasks=("PAY-77",), text="closes PAY-1") == ("nothing", "")


@pytest.mark.parametrize(
    ("message", "task"),
    [
        ("Add it\n\nFixes: PAY-1", "PAY-1"),
        ("Add it\n\nFixes: #7", "ACME.WEB-7"),
        ("Add it\n\nCloses: acme/api#7,\n  acme/api#999", "ACME.API-7"),
        ("Add it\r\n\r\nTask-Id: PAY-1\r\nSigned-off-by: Ann <a@x>", "PAY-1"),
        ("Add it\n\ntext\nTask: PAY-1\nSigned-off-by: Ann <a@x>", "PAY-1"),
        ("Add it\n\nTask: PAY-1\n(cherry picked from commit abc)", "PAY-1"),
        ("Add it\n\nReviewed-by: Ann\nTask: PAY-1", "PAY-1"),
    ],
)
def test_a_commits_trailers_name_its_task(message: str, task: str) -> None:
    assert decided(commits=(message,)) == ("trailer", task)


@pytest.mark.parametrize(
    "message",
    [
        "Task: PAY-1",
        "Add it\n\nTask: PAY-1\n\nand more",
        "Add it\n\nsome prose\nTask: PAY-1",
        "Add it\n\n  indented\nTask: PAY-1",
        "Add it\n\nSee: PAY-1",
        "Add it\n\nTask: nothing at all",
        "",
    ],
)
def test_what_is_no_trailer_names_nothing(message: str) -> None:
    assert decided(commits=(message,)) == ("nothing", "")


def test_what_undoes_something_is_for_what_that_was_for() -> None:
    taken = {"ACME.WEB!3": ["PAY-1"], "ACME.WEB!4": ["PAY-1", "PAY-2"]}
    undoing = event(kind="reverted", reverts="acme/web!3", text="closes #8")
    assert named(undoing, KNOWN.__contains__, lambda of: taken.get(of, ())) == Named(
        task_id="PAY-1", linked_by="tracker", candidates=("PAY-1",)
    )
    twice = event(kind="reversed", subject="acme/web!4")
    found = named(twice, KNOWN.__contains__, lambda of: taken.get(of, ()))
    assert (found.linked_by, found.candidates) == ("ambiguous", ("PAY-1", "PAY-2"))


def test_whoever_names_too_many_names_none() -> None:
    many = "closes " + ", ".join(f"PAY-{number}" for number in range(3, 200)) + ", PAY-1"
    assert decided(text=many) == ("nothing", "")
    assert decided(text="closes PAY-1, " + many.removeprefix("closes ")) == ("ambiguous", "")
    dozen = "closes " + ", ".join(f"PAY-{number}" for number in range(1, 20))
    found = named(event(text=dozen), lambda _: True)
    assert (found.linked_by, len(found.candidates)) == ("ambiguous", naming.CANDIDATES_MAX)


@pytest.mark.parametrize(
    ("spelt", "subject"),
    [
        ("acme/web#12", "ACME.WEB-12"),
        ("acme/web!12", "ACME.WEB!12"),
        ("pay-1", "PAY-1"),
        ("no subject", ""),
        ("!12", ""),
        ("a b!12", ""),
        ("x" * 5000 + "!1", ""),
    ],
)
def test_subjects_have_one_form(spelt: str, subject: str) -> None:
    assert subject_of(spelt) == subject


PIECES = (
    *("closes ", "#7", ", ", " and ", "`", "```\n", "> ", "<!--", "-->", "\n", "\n\n", "[", "](x)"),
    *("acme/web#8", "PAY-1", "Task: ", "https://x.example/browse/PAY-1", " ", "~~~\n", "x"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_no_text_breaks_it(text: str) -> None:
    found = named(event(title=text, text=text, branch=text, commits=(text,)), KNOWN.__contains__)
    assert (found.task_id in KNOWN) == (found.linked_by not in {"ambiguous", "nothing"})


@pytest.mark.parametrize("piece", ["`", "closes ", "a/", "#7, ", "[", "> ", "<!--", "``` \n", "x:"])
def test_long_hostile_texts_are_read_in_one_pass(piece: str) -> None:
    """Not a matter of time here, but quadratic work would take minutes."""
    text = piece * (200_000 // len(piece))
    assert named(event(text=text, commits=(text[:60_000],)), KNOWN.__contains__).task_id in {
        "",
        "ACME.WEB-7",
    }
