"""Which path is which route."""

import pytest

from gateway import wire


def test_there_are_six_routes_and_only_counting_tokens_is_free():
    assert [route.name for route in wire.ROUTES] == [
        "chat",
        "completions",
        "responses",
        "embeddings",
        "messages",
        "count_tokens",
    ]
    assert [route.name for route in wire.ROUTES if not route.metered] == ["count_tokens"]
    assert {route.name for route in wire.ROUTES if route.wire_format == "anthropic"} == {
        "messages",
        "count_tokens",
    }
    assert all(wire.ROUTES_BY_PATH[route.path] is route for route in wire.ROUTES)
    assert all(route.path == "/v1" + route.upstream_path for route in wire.ROUTES)


@pytest.mark.parametrize(
    ("raw", "task", "path"),
    [
        (b"/v1/chat/completions", "", "/v1/chat/completions"),
        (b"/chat/completions", "", "/v1/chat/completions"),
        (b"/openai/v1/responses", "", "/v1/responses"),
        (b"/openai/embeddings", "", "/v1/embeddings"),
        (b"/anthropic/v1/messages", "", "/v1/messages"),
        (b"/messages/count_tokens", "", "/v1/messages/count_tokens"),
        (b"/t/PROJ-1/v1/messages", "PROJ-1", "/v1/messages"),
        (b"/t/PROJ-1/anthropic/messages", "PROJ-1", "/v1/messages"),
        (b"/t/owner%2Frepo%2312/openai/v1/completions", "owner/repo#12", "/v1/completions"),
        (b"/t/%C3%BC-1/v1/messages", "ü-1", "/v1/messages"),
        (b"/v1/models", "", "/v1/models"),
        (b"/openai/v1/models", "", "/v1/models"),
        (b"/anthropic/models/claude-x", "", "/v1/models/claude-x"),
        (b"/t/P-1/v1/models/a%2Fb", "P-1", "/v1/models/a%2Fb"),
    ],
)
def test_every_spelling_of_a_route_is_found(raw, task, path):
    assert wire.locate(raw) == (task, path)


@pytest.mark.parametrize(
    "raw",
    [
        b"/",
        b"",
        b"/v1/messages/",
        b"//v1/messages",
        b"/v1//messages",
        b"/a/%2e%2e/v1/messages",
        b"/a/../v1/messages",
        b"/v1/%6dessages",
        b"/V1/messages",
        b"/v1/v1/messages",
        b"/openai/v1/messages",
        b"/anthropic/v1/responses",
        b"/openai/openai/v1/responses",
        b"/openai/api/tasks",
        b"/t//v1/messages",
        b"/t/%FF/v1/messages",
        b"/t/P-1",
        b"/t/P-1/health/live",
        b"/t/P-1/t/P-2/v1/messages",
        b"/openai/t/P-1/v1/responses",
        b"/v1/models/",
        b"/v1/messages\xff",
    ],
)
def test_nothing_else_is_a_route(raw):
    task, path = wire.locate(raw)
    assert task == ""
    assert path == raw.decode("latin-1")
    assert path not in wire.ROUTES_BY_PATH


def test_a_path_without_bound_is_not_remembered():
    path = b"/t/" + b"P" * 5000 + b"/v1/messages"
    assert wire.locate(path) == ("", path.decode())
