"""Tasks over HTTP: a developer learns nothing of what is not theirs."""

import pytest

from gateway import tasks
from tests.web.api_client import NOW, World

CREDENTIALS = tasks.TaskCredentials(b"s" * 32)


def test_a_started_task_is_the_keys_own_and_nobody_elses() -> None:
    world = World()
    world.add_key("second", principal="developer", role="developer")

    started = world.ask("developer", "POST", "/api/tasks/start", {"task": "proj\u20111"}).json

    assert (started["id"], started["active"], started["evidence"]) == ("PROJ-1", True, "verified")
    assert world.ask("developer", "GET", "/api/whoami").json["active_task"]["id"] == "PROJ-1"
    assert world.ask("second", "GET", "/api/whoami").json["active_task"] is None
    assert world.ask("developer", "POST", "/api/tasks/stop").json == {"stopped": "PROJ-1"}
    assert world.ask("developer", "POST", "/api/tasks/stop").json == {"stopped": None}
    assert world.ask("developer", "GET", "/api/whoami").json["active_task"] is None


def test_a_developer_lists_the_tasks_they_belong_to_and_no_others() -> None:
    world = World()

    listed = world.ask("developer", "GET", "/api/tasks?status=all").json

    assert [task["id"] for task in listed] == ["NEW-1", "OLD-1", "PROJ-1", "PROJ-2"]
    assert all("members" not in task for task in listed)
    everything = world.ask("admin", "GET", "/api/tasks?status=all").json
    assert len(everything) == 5
    assert everything[-2]["members"] == ["developer"]


def test_the_active_task_stands_first_even_when_it_is_no_longer_theirs() -> None:
    world = World()
    world.registry.set_active(world.ids["developer"], "OPS-7", NOW)

    listed = world.ask("developer", "GET", "/api/tasks").json

    assert [(task["id"], task["active"]) for task in listed][:2] == [
        ("OPS-7", True),
        ("PROJ-1", False),
    ]
    assert (listed[0]["usable"], listed[0]["problem"]) == (False, "not_yours")


@pytest.mark.parametrize("task", ["OPS-7", "NO-SUCH-1", "..", "no id"])
def test_anothers_task_looks_just_like_one_that_is_not_there(task: str) -> None:
    """Whoever guesses ids must not learn which exist."""
    world = World()

    replies = [
        world.ask("developer", "POST", "/api/tasks/start", {"task": task}),
        world.ask("developer", "POST", "/api/tasks/token", {"task": task}),
        world.ask("developer", "GET", f"/api/tasks/{task.replace(' ', '%20')}"),
    ]

    assert {(reply.status, reply.code) for reply in replies} == {(404, "task_unknown")}
    assert len({reply.body for reply in replies}) == 1
    assert world.registry.tasks.active(world.ids["developer"]) == ""


def test_a_task_closed_for_longer_than_a_day_cannot_be_started() -> None:
    world = World()

    reply = world.ask("developer", "POST", "/api/tasks/start", {"task": "OLD-1"})

    assert (reply.status, reply.code) == (400, "task_closed")


def test_a_task_closed_lately_is_usable_and_says_what_that_means() -> None:
    shown = World().ask("developer", "GET", "/api/tasks/new-1").json

    assert (shown["usable"], shown["evidence"], shown["problem"]) == (True, "claimed", "closed")
    assert "served for 24 h" in shown["said"]


def test_an_admin_sees_a_task_of_others_and_cannot_work_on_it() -> None:
    world = World()

    assert world.ask("admin", "GET", "/api/tasks/OPS-7").json["problem"] == "not_yours"
    reply = world.ask("admin", "POST", "/api/tasks/start", {"task": "OPS-7"})
    assert (reply.status, reply.code) == (400, "task_not_yours")


def test_a_task_credential_names_the_task_for_the_asking_key_alone() -> None:
    world = World()

    made = world.ask("developer", "POST", "/api/tasks/token", {"task": "PROJ-1", "ttl_s": 60}).json

    own = world.ids["developer"]
    assert CREDENTIALS.verify(made["credential"], key_id=own, now=NOW + 59) == "PROJ-1"
    assert made["expires_at"] == "2027-01-15T08:01:00Z"


@pytest.mark.parametrize(
    "body",
    [
        {"task": "PROJ-1", "ttl_s": 59},
        {"task": "PROJ-1", "ttl_s": 31 * 86_400},
        {"task": "PROJ-1", "key_id": "aaaaaaaaaaaa"},
        {"task": "PROJ-1", "principal": "admin"},
        {"task": ["PROJ-1"]},
        {},
    ],
)
def test_a_credential_for_another_key_or_for_ever_cannot_be_asked_for(
    body: dict[str, object],
) -> None:
    reply = World().ask("developer", "POST", "/api/tasks/token", body)

    assert (reply.status, reply.code) == (400, "invalid_request")


def test_an_import_counts_what_changed_and_takes_effect_at_once() -> None:
    world = World()
    catalogue = b"tasks:\n  - {id: PROJ-7, title: New, status: open, members: [developer]}\n"

    first = world.ask("admin", "POST", "/api/tasks/import?name=c.yaml", catalogue).json
    again = world.ask("admin", "POST", "/api/tasks/import?name=c.yaml", catalogue).json

    assert (first["tasks"], first["new"], first["changed"], first["unchanged"]) == (1, 1, 0, 0)
    assert (again["new"], again["unchanged"]) == (0, 1)
    assert world.ask("developer", "GET", "/api/tasks/PROJ-7").json["usable"] is True


def test_a_value_is_set_by_whoever_is_named_or_else_imports_it_first() -> None:
    world = World()
    world.add_key("second", principal="second", role="admin")
    tasks_of = world.registry.tasks

    def imported(who: str, fields: str) -> str:
        body = f"tasks: [{{id: PROJ-7, title: New, members: [developer], {fields}}}]\n".encode()
        assert world.ask(who, "POST", "/api/tasks/import?name=c.yaml", body).status == 200
        found = tasks_of.get("PROJ-7")
        assert found is not None
        return found.valued_by

    assert imported("admin", "team: search") == ""
    assert imported("admin", "value: 2") == "admin"
    assert imported("second", "value: 2") == "admin"
    assert imported("second", "value: 3") == "second"
    assert imported("admin", "value: 3, valued_by: cfo") == "cfo"


def test_a_task_nobody_belongs_to_is_a_warning() -> None:
    done = World().ask(
        "admin", "POST", "/api/tasks/import?name=c.yaml", b"tasks:\n  - {id: LONE-1}\n"
    )

    assert "nobody is a member" in done.json["warnings"][0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("?name=c.yaml", b"tasks: [\n"),
        ("?name=c.yaml", b"\xff\xfe"),
        ("?name=c.txt", b"tasks: []"),
        ("", b"tasks: []"),
        ("?name=c.yaml&force=1", b"tasks: []"),
        ("?name=a.yaml&name=b.yaml", b"tasks: []"),
        ("?name=%0d%0aa.yaml", b"tasks: []"),
    ],
)
def test_a_catalogue_that_cannot_be_read_changes_nothing(path: str, body: bytes) -> None:
    world = World()
    before = world.registry.tasks.digest

    reply = world.ask("admin", "POST", "/api/tasks/import" + path, body)

    assert reply.status == 400
    assert world.registry.tasks.digest == before


def test_a_list_can_be_cut_short() -> None:
    world = World()

    assert len(world.ask("admin", "GET", "/api/tasks?limit=2").json) == 2
    assert world.ask("admin", "GET", "/api/tasks?limit=0").code == "invalid_request"
    assert world.ask("admin", "GET", "/api/tasks?status=lost").code == "invalid_request"
