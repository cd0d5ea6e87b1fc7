"""Who answers a call: the table goodgate.yaml makes."""

import subprocess
import sys
from typing import Any

import pytest

from gateway import wire
from gateway.errors import ModelUnknown, RouteUnsupported
from gateway.settings import Deployment, Provider
from gateway.settings.providers import ModelEntry
from gateway.upstream import Providers
from gateway.values import Call
from tests.upstream import calls

FORMATS: Any = ("openai", "anthropic", "simulated", "litellm")
SERVED = {
    "openai": {"chat", "completions", "responses", "embeddings"},
    "anthropic": {"messages", "count_tokens"},
    "simulated": {route.name for route in wire.ROUTES},
    "litellm": {"chat", "messages"},
}


def deployment(**models: ModelEntry) -> Providers:
    known = {
        name: Provider(name=name, format=name, base_url="http://127.0.0.1:9") for name in FORMATS
    }
    return Providers(Deployment(providers=known, models=models))


def call_of(route: str, model: str = "m") -> Call:
    turns = [{"role": "user", "content": "hi"}]
    body: dict[str, Any] = {"model": model, "messages": turns, "max_tokens": 5}
    path = next(each.path for each in wire.ROUTES if each.name == route)
    if route in ("embeddings", "responses"):
        body = {"model": model, "input": "hi"}
    if route == "completions":
        body = {"model": model, "prompt": "hi"}
    return calls.call(path, body)


def test_an_exact_name_wins_over_the_catch_all():
    upstream = deployment(
        **{
            "fast": ModelEntry(provider="openai", model="gpt-5-mini"),
            "gpt-5": ModelEntry(provider="openai"),
        },
        **{"*": ModelEntry(provider="simulated")},
    )
    fast = upstream.target(calls.chat("fast"))
    assert (fast.provider, fast.model, fast.format) == ("openai", "gpt-5-mini", "openai")
    assert upstream.target(calls.chat("gpt-5")).model == "gpt-5"
    assert upstream.names() == ("fast", "gpt-5")
    other = upstream.target(calls.chat("anything"))
    assert (other.provider, other.model) == ("simulated", "anything")


def test_a_catch_all_may_name_the_model():
    upstream = deployment(**{"*": ModelEntry(provider="openai", model="one")})
    assert upstream.target(calls.chat("anything")).model == "one"


@pytest.mark.parametrize(
    ("model", "shown"), [("gpt-9", "'gpt-9'"), ("a <b>", "that model"), ("x" * 200, "that model")]
)
def test_a_model_nobody_serves_is_unknown_and_the_error_says_where_to_look(model, shown):
    upstream = deployment(known=ModelEntry(provider="openai"))
    with pytest.raises(ModelUnknown) as caught:
        upstream.target(calls.chat(model))
    assert shown in str(caught.value)
    assert "GET /v1/models" in str(caught.value)
    assert "known" not in str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("route", [route.name for route in wire.ROUTES])
def test_a_provider_serves_the_routes_of_its_format(kind, route):
    upstream = deployment(m=ModelEntry(provider=kind))
    call = call_of(route)
    if route in SERVED[kind]:
        assert upstream.target(call).provider == kind
    else:
        with pytest.raises(RouteUnsupported) as caught:
            upstream.target(call)
        text = str(caught.value)
        assert "/v1/chat/completions" in text or "/v1/messages" in text
        assert "litellm" in text


def test_a_simulated_deployment_imports_no_http_client_and_no_litellm():
    code = (
        "import sys; from gateway import settings, upstream;"
        "upstream.Providers(settings.load(None, {}));"
        "names = ('gateway.upstream.http1', 'httptools', 'litellm', 'openai');"
        "print([m for m in names if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
