"""One task, one name."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tasks import canonical
from gateway.tasks.identifier import DASHES, in_branch

ID = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,127}")


@pytest.mark.parametrize(
    "text",
    [
        "PROJ-1",
        "proj-1",
        " Proj-1\t",
        "PROJ\u20111",
        "PROJ\u22121",
        "PROJ\u20131",
        "PROJ\u2014" + "1",
        "\uff30\uff32\uff2f\uff2a\uff0d\uff11",
        "\u00a0PROJ-1\u3000",
        "PROJ\ufe63" + "1",
    ],
)
def test_every_spelling_of_an_id_is_one_id(text: str) -> None:
    """Case, dashes and full-width letters are how people write, not different tasks."""
    assert canonical(text) == "PROJ-1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("owner/repo#12", "OWNER.REPO-12"),
        ("Owner/My_Repo.js#7", "OWNER.MY_REPO.JS-7"),
        ("group/sub/repo#3", "GROUP.SUB.REPO-3"),
        ("GH-12", "GH-12"),
        ("12", "12"),
        ("a", "A"),
        ("OWNER.REPO-12", "OWNER.REPO-12"),
        ("x" * 128, "X" * 128),
    ],
)
def test_trackers_ids_have_a_canonical_form(text: str, expected: str) -> None:
    """Jira's, Linear's, GitHub's, GitLab's."""
    assert canonical(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "#12",
        "-1",
        ".hidden",
        "PROJ 1",
        "PROJ-1\nPROJ-2",
        "${TASK_ID}",
        "owner/repo#",
        "owner/repo#x",
        "owner/repo",
        "https://tracker.example/PROJ-1",
        "PRÖJ-1",
        "STRA\u00dfE-1",
        "\u0131d-1",
        "PROJ-\u0661",
        "x" * 129,
        "x" * 257,
        " " * 300 + "PROJ-1",
        "o" * 100 + "/" + "r" * 100 + "#1",
    ],
)
def test_what_can_be_no_id_has_no_canonical_form(text: str) -> None:
    """Empty means no; letters outside ASCII never fold into another task's id."""
    assert canonical(text) == ""


def test_every_dash_of_unicode_is_known() -> None:
    """A later Unicode may add one: then this fails and the list grows."""
    pd = {chr(at) for at in range(sys.maxunicode) if unicodedata.category(chr(at)) == "Pd"}

    assert pd - {"-"} <= set(DASHES)
    assert all(canonical(f"PROJ{dash}1") == "PROJ-1" for dash in DASHES)


@given(st.text(max_size=300))
def test_a_canonical_id_is_one_of_the_pattern_and_its_own_canonical_form(text: str) -> None:
    """Idempotent, whatever comes in."""
    once = canonical(text)

    assert once == "" or ID.fullmatch(once)
    assert canonical(once) == once


@given(st.from_regex(ID, fullmatch=True), st.sampled_from(["-", *DASHES]))
def test_case_dash_and_space_make_no_difference(task_id: str, dash: str) -> None:
    """Not for any id."""
    assert canonical(f" {task_id.lower().replace('-', dash)}\t") == task_id


@pytest.mark.parametrize(
    ("branch", "task"),
    [
        ("feature/PROJ-123-login", "PROJ-123"),
        ("PROJ-123", "PROJ-123"),
        ("ann/eng-12-some-title", "eng-12"),
        ("fix/utf-8/PROJ-9", "PROJ-9"),
        ("12-title", "12"),
        ("ann/42_title", "42"),
        ("main", ""),
        ("release/2026.11", ""),
        ("feature/PROJ-", ""),
        ("HEAD (detached)", ""),
        ("", ""),
        ("x" * 250 + "/PROJ-1", ""),
        ("a" * 150 + "-1", ""),
    ],
)
def test_a_branch_named_after_a_task_gives_its_id(branch: str, task: str) -> None:
    """A guess: Jira's, Linear's and GitHub's ways of naming branches."""
    assert in_branch(branch) == task


@given(st.text(max_size=300))
def test_what_a_branch_gives_is_always_an_id_or_nothing(branch: str) -> None:
    """So it can be looked up and shown."""
    found = in_branch(branch)

    assert found == "" or canonical(found)
