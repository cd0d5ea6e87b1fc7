"""goodgate.yaml: what it comes to, and how its mistakes are told."""

from decimal import Decimal
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings import load

SECRET = "sk-test-0123456789"
ENVIRON = {"OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": "sk-ant-1", "EMPTY": ""}

GOOD = """
providers:
  openai:
    format: openai
    base_url: "https://api.openai.com/v1/"
    api_key: "${OPENAI_API_KEY}"
    headers: {X-Team: "team-${ANTHROPIC_API_KEY}"}
    connect_s: 2
    first_byte_s: 1.5
    idle_s: 30
    options: {auth: bearer}
  anthropic: {format: anthropic, base_url: "https://api.anthropic.com/v1", api_key: "file:key"}
  local: {format: simulated, options: {latency_ms: 5, error_rate: 0.25, error_status: 529}}
  other: {format: litellm, options: {api_version: "2026-01-01"}}
models:
  gpt-5-mini: {provider: openai}
  fast: {provider: anthropic, model: claude-haiku-4-5}
  "*": {provider: local}
prices:
  gpt-5-mini: {input: 0.25, output: 2, cache_read: 0.025, input_tokens_max: 400000}
pepper: "${OPENAI_API_KEY}"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "goodgate.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(tmp_path: Path, text: str) -> list[str]:
    """Return the mistakes told about a file, without its folder."""
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), ENVIRON)
    assert SECRET not in str(caught.value)
    return str(caught.value).replace(f"{tmp_path}/", "").split("\n")


def test_every_setting_of_a_provider_is_read(tmp_path):
    (tmp_path / "key").write_text("sk-from-file\n")
    (tmp_path / "key").chmod(0o600)
    deployment = load(written(tmp_path, GOOD), ENVIRON)

    openai = deployment.providers["openai"]
    assert openai.base_url == "https://api.openai.com/v1"
    assert openai.api_key == SECRET
    assert openai.headers == {"x-team": "team-sk-ant-1"}
    assert (openai.connect_s, openai.first_byte_s, openai.idle_s) == (2.0, 1.5, 30.0)
    assert deployment.providers["anthropic"].api_key == "sk-from-file"
    assert deployment.providers["local"].options == {
        "latency_ms": 5,
        "error_rate": 0.25,
        "error_status": 529,
    }
    assert deployment.models["fast"].model == "claude-haiku-4-5"
    assert deployment.models["*"].provider == "local"
    price = deployment.prices["gpt-5-mini"]
    assert (price.input, price.output) == (Decimal("0.25"), Decimal(2))
    assert price.cache_read == Decimal("0.025")
    assert price.cache_write is None
    assert price.input_tokens_max == 400_000
    assert deployment.pepper == SECRET
    assert deployment.warnings == ()


def test_without_a_file_one_simulated_provider_serves_everything():
    deployment = load(None, {})
    assert [provider.format for provider in deployment.providers.values()] == ["simulated"]
    assert set(deployment.models) == {"*", "sim-large", "sim-small"}


def test_secrets_are_in_no_repr(tmp_path):
    (tmp_path / "key").write_text("sk-from-file")
    deployment = load(written(tmp_path, GOOD), ENVIRON)
    shown = repr(deployment) + repr(deployment.providers) + str(deployment.__rich_repr__())
    shown += "".join(str(each.__rich_repr__()) for each in deployment.providers.values())
    assert "openai" in shown
    for hidden in (SECRET, "sk-ant-1", "sk-from-file"):
        assert hidden not in shown


def test_a_key_file_others_may_read_is_warned_about(tmp_path):
    (tmp_path / "key").write_text("sk-from-file")
    (tmp_path / "key").chmod(0o644)
    warnings = load(written(tmp_path, GOOD), ENVIRON).warnings
    assert len(warnings) == 1
    assert "0600" in warnings[0]
    assert "goodgate.yaml:12" in warnings[0]


def test_all_mistakes_are_told_at_once_each_with_its_place(tmp_path):
    told = refused(
        tmp_path,
        "providers:\n"
        "  openai: {format: opnai, base_url: ftp://x, api_key: '${MISSING}', idle: 3}\n"
        "  two: {base_url: 'http://x', connect_s: 0}\n"
        "models:\n"
        "  a: {provider: opanai}\n"
        "  b: 3\n"
        "prices:\n"
        "  a: {input: -1, outptu: 2}\n"
        "model: {}\n",
    )
    expected = [
        ("2:20", "read the text 'opnai' in 'format', expected one of openai, anthropic, simulated"),
        ("2:37", "'base_url' of provider 'openai' is no address; expected https://host[:port]/pa"),
        ("2:55", "'api_key' of provider 'openai' needs the environment variable MISSING, and it "),
        ("2:69", "unknown key 'idle' in provider 'openai'; did you mean 'idle_s'?"),
        ("3:8", "provider 'two' needs 'format', and it is missing"),
        ("3:42", "read the number '0' in 'connect_s', expected seconds, above 0 and at most 864"),
        ("5:17", "read the text 'opanai' in 'provider', expected a name from `providers`; did yo"),
        ("6:6", "read the number '3', expected a model: a mapping"),
        ("8:6", "the price of 'a' needs 'output', and it is missing"),
        ("8:14", "read the number '-1' in 'input', expected a number, at least 0"),
        ("8:18", "unknown key 'outptu' in the price of 'a'; did you mean 'output'?"),
        ("9:1", "unknown key 'model' in goodgate.yaml; did you mean 'models'?"),
    ]
    assert [line[: len(start)] for line, start in zip(told, _starts(expected), strict=True)] == [
        *_starts(expected)
    ]


def _starts(expected: list[tuple[str, str]]) -> list[str]:
    return [f"goodgate.yaml:{place}: {said}" for place, said in expected]


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        (f"format: openai, base_url: 'https://x', api_key: {SECRET}", "must not hold the secret"),
        ("format: openai, base_url: 'https://x', api_key: '${EMPTY}'", "variable EMPTY"),
        ("format: openai, base_url: 'https://x', api_key: 'file:none'", "needs the file 'none'"),
        ("format: simulated, base_url: 'https://x'", "has no 'base_url'"),
        ("format: openai, base_url: 'https://x', api_key: '${1}'", "no name of a variable"),
        ("format: openai, base_url: 'https://x', api_key: 'file:/dev/null'", "is empty"),
        ("format: openai, base_url: 'https://x', api_key: 'file:/dev/zero'", "over 16 kB"),
        ("format: openai, base_url: 'https://x', api_key: 12345", "must not hold the secret"),
        (f"format: openai, base_url: 'https://u:{SECRET}@x'", "must hold no credentials"),
        ("format: openai, base_url: 'https://x/#f'", "no fragment"),
        ("format: openai, base_url: 'https://x?k=1'", "no query"),
        ("format: openai, base_url: 'https://x:port/'", "is no address"),
        ("format: openai, base_url: 'https://a b/'", "is no address"),
        ("format: openai, base_url: 'https:///v1'", "is no address"),
        ("format: openai", "https://api.openai.com/v1"),
        ("format: simulated, headers: {Host: x}", "'Host' is no header"),
        ("format: simulated, headers: {'a b': x}", "'a b' is no header"),
        ("format: simulated, headers: {x-n: 3}", "expected a text"),
        ("format: simulated, headers: {x-n: '${NOPE}'}", "variable NOPE"),
        ("format: simulated, headers: 3", "expected a mapping"),
        ("format: simulated, options: {latency: 3}", "did you mean 'latency_ms'"),
        ("format: simulated, options: {error_rate: 2}", "from 0 to 1"),
        ("format: simulated, options: {tokens: true}", "whole number"),
        ("format: openai, base_url: 'https://x', options: {auth: basic}", "bearer, x-api-key"),
        ("format: openai, base_url: 'https://x', options: {limit_field: n}", "max_tokens"),
        ("format: anthropic, base_url: 'https://x', options: {limit_field: max_tokens}", "auth"),
    ],
)
def test_a_mistake_in_a_provider_says_what_to_write(tmp_path, provider, said):
    text = f"providers: {{p: {{{provider}}}}}\nmodels: {{'*': {{provider: p}}}}\n"
    told = refused(tmp_path, text)
    assert len(told) == 1
    assert said in told[0]
    assert told[0].startswith("goodgate.yaml:1:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "needs 'models', and it is missing"),
        ("- 1\n", "a mapping"),
        ("providers: {}\nmodels: {}\n", "at least one entry"),
        ("providers: {'a b': {format: simulated}}\nmodels: {x: {provider: a b}}", "letters"),
        ("providers: {a: {format: simulated}}\nmodels: {x: {}}", "needs 'provider'"),
        ("providers: {a: {format: simulated}}\nproviders: {}\n", "goodgate.yaml:2:1"),
    ],
)
def test_a_mistake_in_the_file_has_a_place(tmp_path, text, said):
    told = "\n".join(refused(tmp_path, text))
    assert said in told
    assert told.startswith("goodgate.yaml:")


def test_a_secret_that_fits_in_no_header_is_refused(tmp_path):
    path = written(tmp_path, GOOD)
    with pytest.raises(ConfigError, match="no header can carry"):
        load(path, ENVIRON | {"OPENAI_API_KEY": "a\r\nx: y"})


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read: No such file"):
        load(tmp_path / "none.yaml", {})
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "bad.yaml", {})
