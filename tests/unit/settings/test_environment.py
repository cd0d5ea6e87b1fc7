"""Settings from the environment."""

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings import Settings, from_environment

NO_VARIABLE = {"worker"}
"""What a parent process tells its workers, and nobody else."""


def test_an_empty_environment_gives_the_defaults():
    assert from_environment({}) == Settings()


def test_every_setting_has_a_variable_and_is_of_its_type():
    numbers = {"port": 0, "workers": 2, "drain_s": 1.5, "body_bytes_max": 10}
    environ = {
        f"GOODGATE_{name.upper()}": str(numbers.get(name, "x"))
        for name in Settings.__struct_fields__
        if name not in NO_VARIABLE
    }
    settings = from_environment(environ)
    assert {name: getattr(settings, name) for name in numbers} == numbers
    assert settings.config == settings.data == settings.policies == Path("x")
    paths = {"config", "data", "policies"}
    texts = set(Settings.__struct_fields__) - set(numbers) - paths - NO_VARIABLE
    assert {getattr(settings, name) for name in texts} == {"x"}


def test_a_variable_that_is_set_to_nothing_is_not_set():
    assert from_environment({"GOODGATE_PORT": ""}).port == Settings().port


@pytest.mark.parametrize("name", ["PORT", "WORKERS", "DRAIN_S", "BODY_BYTES_MAX"])
def test_a_variable_of_another_type_is_named(name):
    with pytest.raises(ConfigError, match=f"GOODGATE_{name} must be a number, and it is 'ten'"):
        from_environment({f"GOODGATE_{name}": "ten"})
