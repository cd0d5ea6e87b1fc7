"""What GitLab says, as its payloads are."""

import json
from typing import Any

import pytest

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import gitlab, proof
from gateway.values import Account, Approval, Delivery, OutcomeEvent, TaskChange

TOKEN = b"a secret token of the lab"
NOW = 1_790_000_000.0
AT = 1_789_999_200.0
ANN = {"id": 51, "name": "Ann", "username": "ann-gl", "email": "[REDACTED]"}
BOB = {"id": 6, "name": "Bob", "username": "bob-gl", "email": "bob@acme.test"}


def issue(**said: Any) -> dict[str, Any]:
    return {
        "id": 301,
        "iid": 23,
        "title": "Log in",
        "description": "secret words",
        "state": "opened",
        "action": "update",
        "author_id": 6,
        "created_at": "2026-09-01 10:00:00 UTC",
        "updated_at": "2026-09-21T14:00:00Z",
        "closed_at": None,
        "url": "https://lab.example/acme/web/-/issues/23",
    } | said


def request(**said: Any) -> dict[str, Any]:
    return {
        "id": 99,
        "iid": 3,
        "title": "Add it",
        "description": "Closes #23",
        "source_branch": "23-log-in",
        "state": "merged",
        "action": "merge",
        "author_id": 51,
        "created_at": "2026-09-01T10:00:00Z",
        "updated_at": "2026-09-21T14:00:00Z",
        "url": "https://lab.example/acme/web/-/merge_requests/3",
    } | said


def read(kind: str, thing: dict[str, Any], **changes: Any) -> Delivery:
    headers = {b"x-gitlab-token": TOKEN, b"idempotency-key": b"d1"}
    headers |= changes.pop("headers", {})
    secret, previous = changes.pop("secret", TOKEN), changes.pop("previous_secret", b"")
    said = {
        "object_kind": kind,
        "user": BOB,
        "project": {"path_with_namespace": "acme/web"},
        "object_attributes": thing,
        "assignees": [ANN],
    } | changes
    body = json.dumps(said).encode()
    return gitlab.read(headers, body, secret=secret, previous_secret=previous, now=NOW)


@pytest.mark.parametrize("kind", ["issue", "work_item"])
def test_a_closed_issue_closes_its_task_and_is_an_outcome(kind: str) -> None:
    found = read(kind, issue(state="closed", action="close", closed_at="2026-09-21T14:00:00Z"))
    url = "https://lab.example/acme/web/-/issues/23"
    ann, bob = Account(handle="ann-gl"), Account(handle="bob-gl", email="bob@acme.test")
    assert found == Delivery(
        delivery_id="d1",
        changes=(
            TaskChange(
                task="acme/web#23",
                at=AT,
                title="Log in",
                status="closed",
                opened_at=1_788_256_800.0,
                closed_at=AT,
                creator=bob,
                members=(ann,),
                url=url,
            ),
        ),
        outcomes=(
            OutcomeEvent(
                event_id="issue:301:closed:1789999200",
                kind="closed",
                at=AT,
                subject="acme/web#23",
                url=url,
                author=ann,
                reviewers=(bob,),
                tasks=("acme/web#23",),
                title="Log in",
            ),
        ),
    )


def test_an_issue_opened_again_is_told() -> None:
    found = read("issue", issue(action="reopen"), assignees=[])
    assert [(each.kind, each.at, each.author) for each in found.outcomes] == [
        ("reopened", AT, None)
    ]


def test_a_closing_without_its_time_is_of_the_change() -> None:
    [event] = read("issue", issue(state="closed", action="close")).outcomes
    assert (event.kind, event.at) == ("closed", AT)


def test_another_change_of_an_issue_says_how_it_stands() -> None:
    found = read("issue", issue(url=""))
    assert (found.changes[0].status, found.changes[0].url, found.outcomes) == ("open", None, ())


def test_a_merged_request_is_an_outcome() -> None:
    assert read("merge_request", request()).outcomes == (
        OutcomeEvent(
            event_id="merge_request:99:merged",
            kind="merged",
            at=AT,
            subject="acme/web!3",
            url="https://lab.example/acme/web/-/merge_requests/3",
            author=Account(handle="ann-gl"),
            reviewers=(Account(handle="bob-gl", email="bob@acme.test"),),
            title="Add it",
            text="Closes #23",
            branch="23-log-in",
        ),
    )


@pytest.mark.parametrize(
    ("text", "reverts"),
    [
        ("This reverts merge request !2", "acme/web!2"),
        ("It broke.\n\nThis reverts merge request acme/api!2", "acme/api!2"),
    ],
)
def test_a_merged_revert_undoes_what_it_names(text: str, reverts: str) -> None:
    [event] = read("merge_request", request(description=text)).outcomes
    assert (event.kind, event.subject, event.reverts) == ("reverted", "acme/web!3", reverts)


@pytest.mark.parametrize(
    ("action", "stands"),
    [("approved", True), ("approval", True), ("unapproved", False), ("unapproval", False)],
)
def test_approvals_stand_or_are_taken_back(action: str, *, stands: bool) -> None:
    bob = Account(handle="bob-gl", email="bob@acme.test")
    assert read("merge_request", request(action=action)) == Delivery(
        delivery_id="d1",
        approvals=(Approval(subject="acme/web!3", by=bob, at=AT, stands=stands),),
    )


@pytest.mark.parametrize("action", ["open", "update", "close"])
def test_a_request_that_is_not_merged_says_nothing(action: str) -> None:
    assert read("merge_request", request(action=action)) == Delivery(delivery_id="d1")


def test_an_author_is_named_where_the_message_names_them() -> None:
    cases = (
        (read("merge_request", request(author_id=77)), Account(handle="77")),
        (read("merge_request", request(author_id=None, description=None)), None),
        (
            read("merge_request", request(author_id=8), reviewers=[{"id": 8, "username": "eve"}]),
            Account(handle="eve"),
        ),
    )
    for found, author in cases:
        assert found.outcomes[0].author == author


@pytest.mark.parametrize("name", ["project_12_bot", "group_3_bot_ab12", "ghost", "renovate-bot"])
def test_bots_are_known_by_their_names(name: str) -> None:
    [event] = read("merge_request", request(), user={"id": 1, "username": name}).outcomes
    assert event.reviewers == (Account(handle=name, is_bot=True),)


def test_other_events_say_nothing() -> None:
    assert read("push", {}) == Delivery(delivery_id="d1")


def test_a_signed_message_is_proved_by_its_signature() -> None:
    body = b'{"object_kind": "push"}'
    signed = proof.hmac_base64(b"0123456789abcdef", b"d2.1790000000." + body)
    headers = {
        b"webhook-id": b"d2",
        b"webhook-timestamp": b"1790000000",
        b"webhook-signature": f"v1,{signed}".encode(),
    }
    secret = b"whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
    assert gitlab.read(headers, body, secret=secret, now=NOW) == Delivery(delivery_id="d2")
    with pytest.raises(WebhookRefused):
        gitlab.read(headers, body + b" ", secret=secret, now=NOW)
    with pytest.raises(WebhookRefused):
        gitlab.read(headers, body, secret=secret, now=NOW + 3600)


def test_a_token_is_compared_whole() -> None:
    assert read("push", {}, secret=b"the new one", previous_secret=TOKEN).delivery_id == "d1"
    for headers in ({b"x-gitlab-token": b"another"}, {b"x-gitlab-token": b""}):
        with pytest.raises(WebhookRefused):
            read("push", {}, headers=headers)


@pytest.mark.parametrize("time", ["secret words", "2026-09-21T14:00:00", ""])
def test_what_is_no_time_is_told_without_its_words(time: str) -> None:
    with pytest.raises(WebhookRefused, match="a time of the message is none") as caught:
        read("issue", issue(updated_at=time))
    assert "secret" not in str(caught.value)
