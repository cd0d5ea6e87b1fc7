"""What a call says it is for: sources, their order, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, TaskConflict
from gateway.tasks import Claims, TaskCredentials, canonical, choose, read_claims
from gateway.values import Call, Claim
from tests.unit.tasks.calls import NOW, call

CREDENTIALS = TaskCredentials(b"s" * 32)
SIGNED = CREDENTIALS.issue(key_id="k1", task_id="PROJ-1", expires_at=NOW + 60)


def claims(made: Call, task_credential: str = "") -> Claims:
    """Return what the key k1 claims with a call."""
    return read_claims(
        made, key_id="k1", task_credential=task_credential, credentials=CREDENTIALS, now=NOW
    )


def sources(made: Call, task_credential: str = "") -> list[tuple[str, str]]:
    """Return the explicit claims as pairs."""
    return [(claim.source, claim.text) for claim in claims(made, task_credential).explicit]


def test_a_call_that_says_nothing_claims_nothing() -> None:
    """And nothing is chosen for it."""
    said = claims(call())

    assert said == Claims()
    assert choose(said, pinned="", active="") is None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-litellm-tags", "prod, task:proj-1,x"),
        ("x-litellm-spend-logs-metadata", '{"task_id": "proj-1"}'),
        ("x-litellm-spend-logs-metadata", '{"task": "proj-1", "task_id": null}'),
        ("x-portkey-metadata", '{"_user": "u", "task_id": "proj-1"}'),
        ("cf-aig-metadata", '{"task": "proj-1"}'),
        ("Helicone-Property-Task", "proj-1"),
        ("Helicone-Property-Task-Id", "proj-1"),
        ("baggage", "session.id=1, task.id=proj-1;ttl=3,x=y"),
        ("baggage", "task.id=%70roj%2D1"),
    ],
)
def test_other_gateways_spellings_are_understood(header: str, value: str) -> None:
    """Whoever comes from one of them need not change a line."""
    assert sources(call(headers={header: value})) == [("foreign", "proj-1")]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-litellm-tags", "prod,task,tasks:x"),
        ("x-portkey-metadata", '{"_user": "u"}'),
        ("x-portkey-metadata", '["task_id"]'),
        ("cf-aig-metadata", '{"task_id": ""}'),
        ("baggage", "session.id=1,task.ids=2,,=,x"),
        ("X-Task-Id", ""),
        ("X-Task-Id", "  "),
    ],
)
def test_a_header_that_names_no_task_is_nobodys_business(header: str, value: str) -> None:
    """It was sent for another reason, or from a variable that is not set."""
    assert claims(call(headers={header: value})) == Claims()


def test_a_number_in_metadata_is_an_id() -> None:
    """Cloudflare's metadata may hold numbers."""
    assert sources(call(headers={"cf-aig-metadata": '{"task_id": 12}'})) == [("foreign", "12")]


def test_names_stand_strongest_first() -> None:
    """The credential, the path, the header, the body, another gateway's spelling."""
    made = call(
        path_task="proj-1",
        headers={"X-Task-Id": "PROJ\u20111", "x-litellm-tags": "task:Proj-1"},
        body_task="PROJ-1",
    )

    assert sources(made, SIGNED) == [
        ("credential", "PROJ-1"),
        ("path", "proj-1"),
        ("header", "PROJ\u20111"),
        ("body", "PROJ-1"),
        ("foreign", "Proj-1"),
    ]


@pytest.mark.parametrize(
    ("made", "suffix"),
    [
        (call(), SIGNED),
        (call(path_task=SIGNED), ""),
        (call(headers={"X-Task-Id": SIGNED}), ""),
        (call(headers={"X-Task-Id": SIGNED}, path_task=SIGNED), SIGNED),
    ],
)
def test_a_task_credential_is_read_behind_the_key_in_the_path_and_in_the_header(
    made: Call, suffix: str
) -> None:
    """All three say the same thing, and may say it at once."""
    assert set(sources(made, suffix)) == {("credential", "PROJ-1")}


def test_a_task_credential_that_does_not_hold_is_refused() -> None:
    """Falling back to a weaker name would hide the mistake."""
    others = CREDENTIALS.issue(key_id="k2", task_id="PROJ-1", expires_at=NOW + 60)
    late = CREDENTIALS.issue(key_id="k1", task_id="PROJ-1", expires_at=NOW)

    for text in (others, late, SIGNED[:-5], "gt1.x"):
        with pytest.raises(InvalidRequest, match="goodgate task token"):
            claims(call(headers={"X-Task-Id": text}, path_task="PROJ-1"))


@pytest.mark.parametrize(
    ("made", "where"),
    [
        (call(path_task="PROJ-1", headers={"X-Task-Id": "PROJ-2"}), "X-Task-Id"),
        (call(headers={"X-Task-Id": "PROJ-1"}, body_task="PROJ-2"), "body"),
        (call(body_task="PROJ-1", headers={"x-litellm-tags": "task:PROJ-2"}), "metadata header"),
        (call(headers={"X-Task-Id": "PROJ-1\nPROJ-2"}), "X-Task-Id"),
        (call(headers={"X-Task-Id": SIGNED}, body_task="PROJ-2"), "task credential"),
        (call(headers={"cf-aig-metadata": '{"task": "PROJ-1", "task_id": "PROJ-2"}'}), "header"),
    ],
)
def test_two_different_tasks_are_a_conflict_that_names_both(made: Call, where: str) -> None:
    """In canonical form, which holds nothing that could not be shown."""
    with pytest.raises(TaskConflict, match=where) as caught:
        claims(made)

    assert caught.value.code == "task_conflict"
    assert "PROJ-1" in str(caught.value)
    assert "PROJ-2" in str(caught.value)


def test_one_task_in_two_spellings_is_no_conflict() -> None:
    """Also when the header was sent twice."""
    assert len(sources(call(headers={"X-Task-Id": "owner/repo#12\nOWNER.REPO-12"}))) == 2


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (call(headers={"X-Task-Id": "PROJ-1\r\n"}), "control"),
        (call(headers={"X-Task-Id": "PROJ-1\x00"}), "control"),
        (call(headers={"X-Task-Id": "PROJ\t-1"}), "control"),
        (call(headers={"X-Task-Id": "\tPROJ-1"}), "control"),
        (call(headers={"X-Task-Id": "P" * 257}), "longer than 256"),
        (call(headers={"X-Task-Id": "P" * 129}), "no task's id"),
        (call(headers={"X-Task-Id": b"PROJ\x961"}), "UTF-8"),
        (call(headers={"X-Task-Id": "${TASK_ID}"}), "no task's id"),
        (call(headers={"X-Task-Id": "#12"}), "no task's id"),
        (call(path_task="a b"), "the path"),
        (call(path_task="PROJ-1\n"), "control"),
        (call(body_task="evil\x1b[31m"), "the body"),
        (call(headers={"x-litellm-tags": "task:a b"}), "metadata header"),
        (call(headers={"x-litellm-tags": b"\xff"}), "x-litellm-tags"),
        (call(headers={"x-portkey-metadata": "{"}), "x-portkey-metadata"),
        (call(headers={"x-portkey-metadata": b'{"a": "\xff"}'}), "x-portkey-metadata"),
        (call(headers={"cf-aig-metadata": "[" * 100_000}), "cf-aig-metadata"),
        (call(headers={"cf-aig-metadata": '{"task_id": true}'}), "in quotes"),
        (call(headers={"cf-aig-metadata": '{"task_id": ["a"]}'}), "in quotes"),
        (call(headers={"baggage": "task.id=%ff"}), "percent-encoded"),
        (call(headers={"baggage": b"task.id=\xff"}), "baggage"),
    ],
)
def test_a_name_that_can_be_none_is_refused_and_not_echoed(made: Call, said: str) -> None:
    """The answer says where it stood and what an id looks like."""
    with pytest.raises(InvalidRequest, match=said) as caught:
        claims(made)

    text = str(caught.value)
    assert text.isprintable()
    assert not any(word in text for word in ("PPP", "${", "evil", "a b"))


@pytest.mark.parametrize(
    ("headers", "hint", "session"),
    [
        (
            {"x-claude-code-session-id": "claude-code-1", "session-id": "codex-123"},
            "",
            "claude-code-1",
        ),
        ({"session-id": "codex-12345", "x-session-id": "other-123"}, "", "codex-12345"),
        ({"x-session-id": "opencode-1", "x-parent-session-id": "opencode-0"}, "", "opencode-1"),
        ({"x-litellm-session-id": "vendor-01"}, "", "vendor-01"),
        ({"x-b-session-id": "bbbbbbbb", "x-a-session-id": "aaaaaaaa"}, "", "aaaaaaaa"),
        ({"x-a-session-id": "no good!", "x-b-session-id": "bbbbbbbb"}, "", "bbbbbbbb"),
        ({"session-id": "short", "x-session-id": "long-enough"}, "", "long-enough"),
        ({"x-parent-session-id": "opencode-0"}, "", ""),
        ({"x-session-id": b"\xff" * 8}, "from-the-body", "from-the-body"),
        ({"x-session-id": "one-one-1\ntwo-two-2"}, "", ""),
        ({"x-session-id": "x" * 129}, "", ""),
        ({"session-identity": "not-a-session"}, "", ""),
        ({}, "from-the-body", "from-the-body"),
        ({}, "no session", ""),
    ],
)
def test_the_session_is_found_wherever_agents_put_it(
    headers: dict[str, str | bytes], hint: str, session: str
) -> None:
    """And what does not look like one is no error: it is not a task's name."""
    assert claims(call(headers=headers, session_hint=hint)).session == session


def test_a_branch_is_read_for_the_task_in_its_name() -> None:
    """And chosen only when there is nothing better."""
    assert claims(call(branch_hint="feature/PROJ-7-x")).branch == "PROJ-7"
    assert claims(call(branch_hint="main")).branch == ""


def test_the_strongest_claim_is_chosen() -> None:
    """Explicit, then pinned, then active, then the branch."""
    explicit = (Claim(source="header", text="A-1"), Claim(source="body", text="a-1"))
    said = Claims(explicit=explicit, branch="D-4")

    assert choose(said, pinned="B-2", active="C-3") == explicit[0]
    said = Claims(branch="D-4")
    assert choose(said, pinned="B-2", active="C-3") == Claim(source="session", text="B-2")
    assert choose(said, pinned="", active="C-3") == Claim(source="active", text="C-3")
    assert choose(said, pinned="", active="") == Claim(source="branch", text="D-4")


values = st.text(max_size=40) | st.sampled_from(["PROJ-1", "proj-1", SIGNED, "gt1.a.b"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | values, lambda inner: st.lists(inner, max_size=2)
)


@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["x-task-id", "x-litellm-tags", "helicone-property-task", "baggage", "x-session-id"]
        ),
        values.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=40),
    ),
    metadata=st.dictionaries(st.sampled_from(["task", "task_id", "x"]), json_values),
    path=values,
    body=values,
    suffix=values,
)
def test_whatever_is_sent_is_claimed_canonically_or_refused_in_words(
    headers: dict[str, Any], metadata: dict[str, Any], path: str, body: str, suffix: str
) -> None:
    """No other error, all explicit names are one task, and no refusal holds raw bytes."""
    made = call(
        path_task=path,
        headers=headers | {"x-portkey-metadata": json.dumps(metadata)},
        body_task=body,
    )

    told, said = "", Claims()
    try:
        said = claims(made, suffix)
    except (InvalidRequest, TaskConflict) as error:
        told = str(error)

    assert told.isprintable()
    assert len({canonical(claim.text) for claim in said.explicit}) <= 1
    assert all(canonical(claim.text) for claim in said.explicit)
