"""The catalogue an admin imports: three formats, one forest, every mistake at once."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.tasks import catalogue, read_catalogue, record, rows
from gateway.tasks.identifier import EXAMPLE
from gateway.values import Task

YAML = """\
tasks:
  - {id: PROJ-100, title: Log in, members: [carol], team: payments, value: 1.0}
  - id: proj-123
    title: "Login  times\\tout"
    status: In Progress
    root: PROJ-100
    members: [alice, bob]
    value: 0.5
    creator: pm
    url: https://tracker.example/PROJ-123
    opened_at: 2026-11-01T09:30:00Z
  - {id: PROJ-124, status: Done, root: proj-123, closed_at: 2026-11-02}
"""

CSV = """\
id,title,status,root,members,team,value,creator,url,opened_at,closed_at
PROJ-100,Log in,,,carol,payments,1.0,,,,

proj-123,"Login  times
out",in_progress,PROJ-100,alice;bob,,0.5,pm,https://tracker.example/PROJ-123,2026-11-01T10:30:00+01:00,
PROJ-124,,done,proj-123,,,,,,,2026-11-02T00:00:00
"""

JSON = json.dumps(
    {
        "tasks": [
            {
                "id": "PROJ-100",
                "title": "Log in",
                "members": ["carol"],
                "team": "payments",
                "value": 1.0,
            },
            {
                "id": "proj-123",
                "title": "Login  times\nout",
                "status": "IN PROGRESS",
                "root": "PROJ-100",
                "members": "alice bob",
                "value": "0.5",
                "creator": "pm",
                "url": "https://tracker.example/PROJ-123",
                "opened_at": "2026-11-01T09:30:00",
                "team": None,
            },
            {"id": "PROJ-124", "status": "done", "root": "proj-123", "closed_at": "2026-11-02"},
        ]
    },
    indent=1,
)

TASKS = [
    Task(
        id="PROJ-100",
        spelling="PROJ-100",
        title="Log in",
        root_id="PROJ-100",
        members=frozenset({"carol"}),
        team="payments",
        value=Decimal("1.0"),
    ),
    Task(
        id="PROJ-123",
        spelling="proj-123",
        title="Login times out",
        opened_at=1_793_525_400.0,
        root_id="PROJ-100",
        parent_id="PROJ-100",
        members=frozenset({"alice", "bob"}),
        value=Decimal("0.5"),
        creator="pm",
        url="https://tracker.example/PROJ-123",
    ),
    Task(
        id="PROJ-124",
        spelling="PROJ-124",
        status="closed",
        closed_at=1_793_577_600.0,
        root_id="PROJ-100",
        parent_id="PROJ-123",
        members=frozenset({"alice", "bob"}),
        value=Decimal("0.5"),
    ),
]


def mistakes(name: str, text: str) -> list[str]:
    """Return what is said of a catalogue, line by line."""
    with pytest.raises(ConfigError) as caught:
        read_catalogue(name, text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", YAML),
        ("c.YML", YAML),
        ("c.csv", CSV),
        ("c.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("c.json", JSON),
        ("c.json", json.dumps(json.loads(JSON)["tasks"])),
    ],
)
def test_the_three_formats_read_to_the_same_tasks(name: str, text: str) -> None:
    """Roots at the top, and the parent's members and value where a task has none."""
    assert read_catalogue(name, text) == (TASKS, [])


@pytest.mark.parametrize(
    ("name", "text"),
    [("c.yaml", "[]"), ("c.yaml", "tasks: []"), ("c.csv", "id\n"), ("c.json", "[ ]")],
)
def test_a_catalogue_may_be_empty(name: str, text: str) -> None:
    """An import of nothing changes nothing."""
    assert read_catalogue(name, text) == ([], [])


def test_an_id_is_read_as_it_is_written() -> None:
    """007 is not 7, and 1.10 is not 1.1."""
    tasks, _ = read_catalogue("c.yaml", "[{id: 007, team: t}, {id: 1.10, team: t}]")
    assert [task.id for task in tasks] == ["007", "1.10"]

    tasks, _ = read_catalogue("c.json", '[{"id": 12, "team": "t"}, {"id": 1.10, "team": true}]')
    assert [(task.id, task.team) for task in tasks] == [("12", "t"), ("1.10", "true")]


@pytest.mark.parametrize("word", ["open", "To Do", "todo", "IN-PROGRESS", "in_review", "Reopened"])
def test_trackers_words_for_open_are_understood(word: str) -> None:
    """Whatever the case and the dashes."""
    assert read_catalogue("c.csv", f"id,team,status\nA-1,t,{word}\n")[0][0].status == "open"


@pytest.mark.parametrize(
    "word", ["closed", "Done", "RESOLVED", "merged", "Won't Do", "won\u2019t fix"]
)
def test_trackers_words_for_closed_are_understood(word: str) -> None:
    """Whatever became of it, no work is done for it any more."""
    assert read_catalogue("c.csv", f"id,team,status\nA-1,t,{word}\n")[0][0].status == "closed"


def test_an_open_task_has_no_time_of_closing() -> None:
    """Trackers keep the last resolution of what was reopened."""
    text = "id,team,status,closed_at\nA-1,t,reopened,2026-11-01\n"

    assert read_catalogue("c.csv", text)[0][0].closed_at is None


def test_a_task_with_nobody_is_a_warning() -> None:
    """Its calls could never be verified, and the importer should know."""
    tasks, warnings = read_catalogue("c.csv", "id,members\nA-1,\nA-2,alice\n")

    assert len(tasks) == 2
    assert warnings == [
        (
            "c.csv:2: A-1 has neither members nor team: nobody is a member of it,"
            " and no call for it can be verified"
        )
    ]


def test_a_thousand_warnings_are_summed_up() -> None:
    """Twenty are enough to see what is wrong."""
    text = "id\n" + "".join(f"A-{number}\n" for number in range(1000))

    warnings = read_catalogue("c.csv", text)[1]

    assert len(warnings) == 21
    assert "980 more" in warnings[-1]


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    """In YAML to the column."""
    text = """\
tasks:
  - {id: A-1, statsu: open, value: -1}
  - {title: no id}
  - {id: a b}
  - {id: A-1}
  - id: A-2
    status: opne
    root: B-1
    members: {alice: 1}
    value: lots
    url: javascript:alert(1)
    opened_at: yesterday
  - plain
taks: []
"""
    assert mistakes("c.yaml", text) == [
        "c.yaml:2:15: unknown key 'statsu' in a task; did you mean 'status'?",
        "c.yaml:2:36: a value is a number from 0 to 1000000, such as 1.0",
        "c.yaml:3:5: a task needs an id",
        "c.yaml:4:10: this can be no task's id: " + EXAMPLE,
        "c.yaml:5:10: A-1 is there twice (first on line 2)",
        "c.yaml:7:13: unknown status 'opne'; did you mean 'opened'?",
        "c.yaml:9:14: read a mapping in 'members', expected a text",
        "c.yaml:10:12: a value is a number from 0 to 1000000, such as 1.0",
        "c.yaml:11:10: a url starts with https:// or http://",
        "c.yaml:12:16: 'opened_at' is no time, expected ISO 8601 such as 2026-11-22T09:30:00Z",
        "c.yaml:13:5: read the text 'plain', expected a task: a mapping",
        "c.yaml:14:1: unknown key 'taks' in a catalogue; did you mean 'tasks'?",
    ]


def test_a_root_that_is_kept_elsewhere_is_a_root_all_the_same() -> None:
    """The design's own example: PROJ-123 under PROJ-100, and only PROJ-123 in the file."""
    text = "tasks:\n  - {id: PROJ-123, root: PROJ-100, members: [alice]}\n"

    (task,), warnings = read_catalogue("c.yaml", text)

    assert task.root_id == "PROJ-100"
    assert warnings == ["c.yaml: roots that are not in this file: PROJ-100"]


def test_mistakes_in_csv_name_the_line_a_record_begins_on() -> None:
    """Also behind a title of several lines."""
    text = 'id,titel,id\nA-1,"two\nlines",\nA-2\n,x,a b\n'

    assert (
        mistakes("c.csv", text)
        == [
            "c.csv:1:1: the column 'id' is there twice",
            "c.csv:1:1: unknown key 'titel' in a task; did you mean 'title'?",
            "c.csv:2:1: a task needs an id",
            "c.csv:4:1: 1 columns, expected 3 as in the header",
            # The second column of the name wins, so the first line's id is empty.
            "c.csv:5:1: a task needs an id",
        ]
        or text
    )


def test_mistakes_in_json_name_the_line_of_their_task() -> None:
    """A list may stand in an object beside nothing else."""
    text = """\
{"version": 1, "tasks": [
  {"id": "A-1", "id": "A-2", "nonsense": 1},
  7,
  {"id": {"a": 1}, "members": [["a"], "b"]},
  {"id": "A-3", "title": ["a"]}
], "tasks": []}"""

    assert mistakes("c.json", text) == [
        "c.json:1:2: read the key 'version', " + rows.FORM,
        "c.json:2:3: unknown key 'nonsense' in a task; a task has: " + ", ".join(rows.FIELDS),
        "c.json:2:44: the key 'id' is there twice",
        "c.json:3:3: task 1 is no object, expected one",
        "c.json:4:3: 'id' is an object or a nested list, expected a text",
        "c.json:4:3: 'members' is an object or a nested list, expected a text",
        "c.json:4:3: a task needs an id",
        "c.json:5:3: 'title' is a list, expected a text",
        "c.json:6:4: read the key 'tasks', " + rows.FORM,
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.txt", "", "c.txt:1:1: a catalogue ends in"),
        ("catalogue", "", "a catalogue ends in"),
        ("c.csv", "", "c.csv:1:1: no header line"),
        ("c.csv", ",,\n", "c.csv:1:1: no header line"),
        ("c.csv", 'id\n"A-1"x\n', "c.csv:2:1: "),
        ("c.csv", 'id\n"A-1\n', "expected CSV"),
        ("c.yaml", "a: [", "c.yaml:1:"),
        ("c.yaml", "7", "c.yaml:1:1: read the number '7', expected a list of tasks"),
        ("c.yaml", "", "c.yaml:1:1: read nothing, expected a list of tasks"),
        ("c.yaml", "tasks: 7", "expected a list of tasks"),
        ("c.yaml", "[[[[[[[[[[]]]]]]]]]]", "nesting"),
        ("c.json", "", "c.json:1:1: expected a list of tasks"),
        ("c.json", "7", "expected a list of tasks"),
        ("c.json", "{}", "c.json:1:1: no list of tasks"),
        ("c.json", '{"tasks": 7}', "c.json:1:1: no list of tasks"),
        ("c.json", "{tasks: []}", "c.json:1:2: this is no JSON"),
        ("c.json", '{"tasks" []}', "expected a key and a colon"),
        ("c.json", "{7: []}", "expected a key and a colon"),
        ("c.json", "[\n{]", "c.json:2:2: this is no JSON"),
        ("c.json", "[{} {}]", "expected a comma or ]"),
        ("c.json", "[{}", "expected a comma or ]"),
        ("c.json", "[", "this is no JSON"),
        ("c.json", "[] x", "c.json:1:4: something follows"),
        ("c.json", '[{"id": ' + "[" * 100_000, "nested too deeply"),
        ("c.json", '[{"id": NaN, "value": Infinity}]', "a value is a number"),
    ],
)
def test_what_cannot_be_read_is_one_mistake_with_its_place(name: str, text: str, said: str) -> None:
    """Never an error of Python's."""
    assert said in mistakes(name, text)[0]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("id", "x" * 200, "no task's id"),
        ("title", "\x1b[31mred", "not for reading"),
        ("title", "\u202eright to left", "not for reading"),
        ("title", "x" * 5000, "longer than 4096"),
        ("members", "al\x00ice", "control characters"),
        ("members", "x" * 5000, "too long"),
        ("value", "NaN", "a number from 0"),
        ("value", "1e400", "a number from 0"),
        ("value", "9" * 50, "a number from 0"),
        ("value", "-0.1", "a number from 0"),
        ("root", "a b", "no task's id"),
        ("status", "?", "open or closed is what counts"),
        ("url", "ftp://x", "https://"),
        ("closed_at", "2026-13-01", "ISO 8601"),
    ],
)
def test_texts_that_could_do_harm_are_refused(column: str, value: str, said: str) -> None:
    """They end up in terminals, pages and sums."""
    fields = {"id": "A-1", "team": "t"} | {column: value}

    told = mistakes("c.json", json.dumps([fields]))

    assert len(told) == 1
    assert said in told[0]


def test_roots_in_a_circle_are_a_mistake() -> None:
    """Told once, with those in it; a task that is its own root is none."""
    text = "id,root,team\nA,C,t\nB,A,t\nC,B,t\nD,A,t\nE,E,t\n"

    assert mistakes("c.csv", text) == ["c.csv:2:1: the roots of A, C, B go in a circle"]
    assert read_catalogue("c.csv", "id,root,team\nE,E,t\n")[0][0].root_id == "E"


def test_a_long_chain_of_roots_is_resolved() -> None:
    """Without recursion, and in any order."""
    lines = [f"T-{number},T-{number - 1}," for number in range(3000, 0, -1)]
    tasks, _ = read_catalogue("c.csv", "id,root,members\n" + "\n".join([*lines, "T-0,,alice"]))

    assert {task.root_id for task in tasks} == {"T-0"}
    assert {task.members for task in tasks} == {frozenset({"alice"})}


def test_a_catalogue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In characters and in tasks."""
    monkeypatch.setattr(catalogue, "TASKS_MAX", 2)
    assert mistakes("c.csv", "id\nA\nB\nC\n") == ["c.csv:4:1: more than 2 tasks: split the file"]

    monkeypatch.setattr(catalogue, "SIZE_MAX", 5)
    assert "larger than 5 characters" in mistakes("c.csv", "id\nA\nB\n")[0]


def test_tasks_with_the_same_members_share_one_set() -> None:
    """Memory stays small with two hundred thousand tasks."""
    tasks, _ = read_catalogue("c.csv", "id,members\nA,x;y\nB,x;y\n")

    assert tasks[0].members is tasks[1].members


def test_no_word_for_a_status_means_both() -> None:
    """The two lists have nothing in common."""
    assert not set(record._OPEN.split(", ")) & set(record._CLOSED.split(", "))


@given(st.sampled_from(["c.yaml", "c.csv", "c.json"]), st.text(max_size=80))
def test_any_text_is_a_catalogue_or_a_mistake(name: str, text: str) -> None:
    """With its place; nothing else ever comes out."""
    told = ""
    try:
        read_catalogue(name, text)
    except ConfigError as error:
        told = str(error)

    assert all(line.startswith(f"{name}:") for line in told.splitlines())


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9)),
        unique_by=lambda pair: pair[0],
    )
)
def test_every_root_is_a_top_of_the_catalogue(pairs: list[tuple[int, int | None]]) -> None:
    """Or the catalogue is refused because roots are missing or go in a circle."""
    listed = [
        {"id": f"T-{own}", "team": "t"} | ({} if root is None else {"root": f"T-{root}"})
        for own, root in pairs
    ]
    tasks: list[Task] = []
    told = "root"
    try:
        tasks, _ = read_catalogue("c.json", json.dumps(listed))
    except ConfigError as error:
        told = str(error)

    roots = {task.id: task.root_id for task in tasks}
    assert all(roots.get(root, root) == root for root in roots.values())
    assert "root" in told


FULL = """\
tasks:
  - id: PROJ-1
    members: [alice]
    owner: olga
    reviewers: [bob, carol]
    value: 2
    valued_by: cfo
    weight: 0.25
    by_bot: true
    use_case: test writing
    canary: "yes"
"""


def test_what_credit_rests_on_is_read() -> None:
    """Owner, reviewers, who set the value, weight, bot, use case and canary."""
    [task], _ = read_catalogue("c.yaml", FULL)

    assert (task.owner, task.reviewers) == ("olga", frozenset({"bob", "carol"}))
    assert (task.value, task.valued_by, task.weight) == (Decimal(2), "cfo", Decimal("0.25"))
    assert (task.by_bot, task.use_case, task.canary) == (True, "test writing", True)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("weight: 1.5", "a weight is a number from 0 to 1"),
        ("weight: much", "a weight is a number from 0 to 1"),
        ("by_bot: perhaps", "'by_bot' is either true or false"),
        ('reviewers: ["a\\u0007"]', "a name in 'reviewers' is too long"),
    ],
)
def test_what_credit_rests_on_is_checked(field: str, said: str) -> None:
    """Each in its place."""
    assert said in mistakes("c.yaml", f"- id: P-1\n  members: [a]\n  {field}\n")[0]
