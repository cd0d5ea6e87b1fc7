"""What GitHub says, as its payloads are: signed messages and pages of its interface."""

import json
from typing import Any

import pytest

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import github, proof
from gateway.values import Account, Approval, Delivery, OutcomeEvent, TaskChange

SECRET = b"a secret of the forge"
NOW = 1_790_000_000.0
ANN = {"login": "ann-gh", "id": 1, "type": "User"}
BOB = {"login": "bob-gh", "id": 2, "type": "User"}
ROBOT = {"login": "renovate[bot]", "id": 3, "type": "Bot"}
CLOSED = 1_789_999_200.0


def issue(**said: Any) -> dict[str, Any]:
    return {
        "id": 500,
        "number": 7,
        "title": "Log in",
        "body": "secret words",
        "state": "open",
        "state_reason": None,
        "created_at": "2026-09-01T10:00:00Z",
        "updated_at": "2026-09-21T13:20:00Z",
        "closed_at": None,
        "html_url": "https://forge.example/acme/web/issues/7",
        "user": BOB,
        "assignees": [ANN],
        "labels": [],
    } | said


CLOSED_ISSUE = issue(state="closed", state_reason="completed", closed_at="2026-09-21T14:00:00Z")


def pull(**said: Any) -> dict[str, Any]:
    return {
        "id": 900,
        "number": 3,
        "title": "Add it",
        "body": "Closes #7",
        "state": "closed",
        "updated_at": "2026-09-21T14:00:05Z",
        "merged_at": "2026-09-21T14:00:00Z",
        "merged_by": BOB,
        "html_url": "https://forge.example/acme/web/pull/3",
        "user": ANN,
        "head": {"ref": "7-log-in", "sha": "0"},
    } | said


def read(event: str, said: dict[str, Any], **changes: Any) -> Delivery:
    body = json.dumps({"repository": {"full_name": "acme/web"}} | said).encode()
    headers = {
        b"x-hub-signature-256": f"sha256={proof.hmac_hex(SECRET, body)}".encode(),
        b"x-github-delivery": b"72d3162e",
        b"x-github-event": event.encode(),
    } | changes.pop("headers", {})
    return github.read(headers, body, **{"secret": SECRET, "now": NOW} | changes)


def test_a_closed_issue_closes_its_task_and_is_an_outcome() -> None:
    found = read("issues", {"action": "closed", "issue": CLOSED_ISSUE, "sender": BOB})
    assert found == Delivery(
        delivery_id="72d3162e",
        changes=(
            TaskChange(
                task="acme/web#7",
                at=1_789_996_800.0,
                title="Log in",
                status="closed",
                opened_at=1_788_256_800.0,
                closed_at=CLOSED,
                creator=Account(handle="bob-gh"),
                members=(Account(handle="ann-gh"),),
                url="https://forge.example/acme/web/issues/7",
            ),
        ),
        outcomes=(
            OutcomeEvent(
                event_id="issue:500:closed:1789999200",
                kind="closed",
                at=CLOSED,
                subject="acme/web#7",
                url="https://forge.example/acme/web/issues/7",
                author=Account(handle="ann-gh"),
                reviewers=(Account(handle="bob-gh"),),
                tasks=("acme/web#7",),
                title="Log in",
            ),
        ),
    )


@pytest.mark.parametrize("reason", ["not_planned", "duplicate"])
def test_an_issue_closed_for_another_reason_makes_nothing(reason: str) -> None:
    closed = CLOSED_ISSUE | {"state_reason": reason}
    found = read("issues", {"action": "closed", "issue": closed, "sender": BOB})
    assert (found.changes[0].status, found.outcomes) == ("closed", ())


def test_an_issue_opened_again_is_told() -> None:
    found = read("issues", {"action": "reopened", "issue": issue(assignees=[]), "sender": None})
    [event] = found.outcomes
    assert (event.kind, event.at, event.author, event.reviewers) == (
        "reopened",
        1_789_996_800.0,
        None,
        (),
    )


@pytest.mark.parametrize("action", ["deleted", "transferred"])
def test_an_issue_that_is_gone_is_closed(action: str) -> None:
    found = read("issues", {"action": action, "issue": issue()})
    assert found.changes == (TaskChange(task="acme/web#7", at=1_789_996_800.0, status="closed"),)


@pytest.mark.parametrize("action", ["opened", "edited", "assigned", "labeled"])
def test_other_actions_say_how_it_stands(action: str) -> None:
    found = read("issues", {"action": action, "issue": issue(user=ROBOT)})
    assert (found.changes[0].status, found.outcomes) == ("open", ())
    assert found.changes[0].creator == Account(handle="renovate[bot]", is_bot=True)


def test_parents_are_told_by_both_ways() -> None:
    above = issue(number=1, id=1)
    said = {"sub_issue": issue(), "parent_issue": above, "parent_issue_repo": {"full_name": "a/b"}}
    added = read("sub_issues", {"action": "parent_issue_added", **said})
    assert added.changes == (TaskChange(task="acme/web#7", at=1_789_996_800.0, parent="a/b#1"),)
    removed = read("sub_issues", {"action": "sub_issue_removed", **said})
    assert removed.changes[0].parent == ""
    url = "https://api.forge.example/repos/acme/web/issues/1"
    page = github.issues_page(
        json.dumps([issue(parent_issue_url=url)]).encode(), project="acme/web"
    )
    assert page.changes[0].parent == "acme/web#1"


def test_a_merged_pull_request_is_an_outcome() -> None:
    [event] = read("pull_request", {"action": "closed", "pull_request": pull()}).outcomes
    assert event == OutcomeEvent(
        event_id="pull:900:merged",
        kind="merged",
        at=CLOSED,
        subject="acme/web!3",
        url="https://forge.example/acme/web/pull/3",
        author=Account(handle="ann-gh"),
        reviewers=(Account(handle="bob-gh"),),
        title="Add it",
        text="Closes #7",
        branch="7-log-in",
    )


@pytest.mark.parametrize(
    ("body", "reverts"),
    [
        ("Reverts acme/web#3", "acme/web!3"),
        ("Reverts #3\n\nIt broke", "acme/web!3"),
        ("Reverts acme/api#4", "acme/api!4"),
    ],
)
def test_a_merged_revert_undoes_what_it_names(body: str, reverts: str) -> None:
    found = pull(body=body, number=9)
    [event] = read("pull_request", {"action": "closed", "pull_request": found}).outcomes
    assert (event.kind, event.subject, event.reverts) == ("reverted", "acme/web!9", reverts)


@pytest.mark.parametrize("body", [None, "It Reverts nothing", "This is not Reverts #3"])
def test_other_words_revert_nothing(body: str | None) -> None:
    found = pull(body=body, merged_by=None, head=None, user=None)
    [event] = read("pull_request", {"action": "closed", "pull_request": found}).outcomes
    assert (event.kind, event.reverts, event.reviewers, event.author) == ("merged", "", (), None)


def test_a_pull_request_that_is_not_merged_says_nothing() -> None:
    for said in (
        {"action": "closed", "pull_request": pull(merged_at=None)},
        {"action": "opened", "pull_request": pull()},
    ):
        assert read("pull_request", said) == Delivery(delivery_id="72d3162e")


@pytest.mark.parametrize(
    ("state", "stands"), [("approved", True), ("dismissed", False), ("changes_requested", False)]
)
def test_reviews_are_approvals_or_take_them_back(state: str, *, stands: bool) -> None:
    review = {"state": state, "user": BOB, "submitted_at": "2026-09-21T14:00:00Z"}
    said = {"action": "submitted", "review": review, "pull_request": pull()}
    expected = Approval(subject="acme/web!3", by=Account(handle="bob-gh"), at=CLOSED, stands=stands)
    assert read("pull_request_review", said).approvals == (expected,)
    page = github.reviews(json.dumps([review]).encode(), project="acme/web", number=3)
    assert page.approvals == (expected,)


@pytest.mark.parametrize(
    "review",
    [
        {"state": "commented", "user": BOB, "submitted_at": "2026-09-21T14:00:00Z"},
        {"state": "approved", "user": None, "submitted_at": "2026-09-21T14:00:00Z"},
        {"state": "PENDING", "user": BOB},
    ],
)
def test_other_reviews_say_nothing(review: dict[str, Any]) -> None:
    page = github.reviews(json.dumps([review]).encode(), project="acme/web", number=3)
    assert page.approvals == ()


def test_other_events_say_nothing() -> None:
    assert read("ping", {"zen": "Design for failure."}) == Delivery(delivery_id="72d3162e")


def test_pages_tell_the_same_events_as_webhooks() -> None:
    closed = read("issues", {"action": "closed", "issue": CLOSED_ISSUE, "sender": BOB})
    opened = read("issues", {"action": "reopened", "issue": issue(), "sender": BOB})
    past = [
        {
            "event": "closed",
            "actor": BOB,
            "created_at": "2026-09-21T14:00:00Z",
            "issue": CLOSED_ISSUE,
        },
        {"event": "reopened", "actor": BOB, "created_at": "2026-09-21T13:20:00Z", "issue": issue()},
        {"event": "labeled", "actor": BOB, "created_at": "2026-09-21T13:20:00Z", "issue": issue()},
        {"event": "closed", "actor": BOB, "created_at": "2026-09-21T13:20:00Z", "issue": None},
        {
            "event": "closed",
            "actor": BOB,
            "created_at": "2026-09-21T13:20:00Z",
            "issue": issue(pull_request={}),
        },
        {
            "event": "closed",
            "actor": BOB,
            "created_at": "2026-09-21T13:20:00Z",
            "issue": issue(state_reason="not_planned"),
        },
    ]
    page = github.events_page(json.dumps(past).encode(), project="acme/web")
    assert page.outcomes == closed.outcomes + opened.outcomes

    page = github.issues_page(
        json.dumps([CLOSED_ISSUE, issue(pull_request={})]).encode(), project="acme/web"
    )
    assert page.changes == closed.changes

    merged = read("pull_request", {"action": "closed", "pull_request": pull()})
    assert github.pull(json.dumps(pull()).encode(), project="acme/web").outcomes == merged.outcomes
    unmerged = json.dumps(pull(merged_at=None)).encode()
    assert github.pull(unmerged, project="acme/web") == Delivery()
    pulls = json.dumps([pull(), pull(merged_at=None)]).encode()
    assert github.merged(pulls) == [(3, CLOSED + 5)]


@pytest.mark.parametrize(
    "headers",
    [
        {b"x-hub-signature-256": b"sha256=" + b"0" * 64},
        {b"x-hub-signature-256": b""},
        {b"x-github-delivery": b""},
        {b"x-github-event": b""},
    ],
)
def test_what_is_not_proved_is_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(WebhookRefused):
        read("ping", {}, headers=headers)


def test_a_secret_that_is_replaced_is_good_for_a_while() -> None:
    found = read("ping", {}, secret=b"the new one of them", previous_secret=SECRET)
    assert found.delivery_id == "72d3162e"
    with pytest.raises(WebhookRefused):
        read("ping", {}, secret=b"the new one of them")


def test_what_is_not_as_it_must_be_is_told_without_its_words() -> None:
    with pytest.raises(WebhookRefused) as caught:
        read("issues", {"action": "closed", "issue": issue(number="secret words")})
    assert "issue.number" in str(caught.value)
    assert "secret words" not in str(caught.value)
