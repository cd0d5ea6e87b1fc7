"""What the gateway says itself, in the caller's own shape."""

import json

import pytest

from gateway import wire


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
    ],
)
def test_a_problem_is_told_in_the_callers_shape(status, kind):
    about = {"status": status, "code": "task_required", "message": "Say which.", "request_id": "r"}
    assert json.loads(wire.problem("openai", **about)) == {
        "error": {"message": "Say which.", "type": kind, "param": None, "code": "task_required"}
    }
    assert json.loads(wire.problem("anthropic", **about)) == {
        "type": "error",
        "error": {
            "type": kind,
            "message": "Say which.",
            "details": {"error_code": "task_required"},
        },
        "request_id": "r",
    }


def test_models_are_listed_in_the_callers_shape():
    openai = json.loads(wire.models("openai", ["a", "b"]))
    assert openai["object"] == "list"
    assert [entry["id"] for entry in openai["data"]] == ["a", "b"]
    assert openai["data"][0]["object"] == "model"
    anthropic = json.loads(wire.models("anthropic", ["a", "b"]))
    assert (anthropic["first_id"], anthropic["last_id"], anthropic["has_more"]) == ("a", "b", False)
    assert anthropic["data"][1] == json.loads(wire.model("anthropic", "b"))
    assert json.loads(wire.models("anthropic", []))["first_id"] is None


def test_a_model_is_told_in_the_callers_shape():
    assert json.loads(wire.model("openai", "a"))["object"] == "model"
    assert json.loads(wire.model("anthropic", "a"))["type"] == "model"
