"""Settings from the environment: each with its variable, its default and its unit."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from gateway.errors import ConfigError


class Settings(Struct, frozen=True, kw_only=True):
    """What `goodgate serve` and the commands are told from outside."""

    config: Path | None = None
    """GOODGATE_CONFIG: goodgate.yaml; without one, a single `simulated` provider serves all."""
    policies: Path | None = None
    """GOODGATE_POLICIES: the folder of policy files; without one, the shipped default set."""
    data: Path | None = None
    """GOODGATE_DATA: the folder the stores live in (`serve` defaults to `./data`)."""
    host: str = "127.0.0.1"
    """GOODGATE_HOST."""
    port: int = 8080
    """GOODGATE_PORT; 0 picks a free one, and the line printed at start says which."""
    workers: int = 1
    """GOODGATE_WORKERS; above 1 needs Redis and PostgreSQL."""
    worker: int = 0
    """Which of several workers this process is, from 1; 0: there is only one."""
    database_url: str = ""
    """GOODGATE_DATABASE_URL."""
    redis_url: str = ""
    """GOODGATE_REDIS_URL."""
    secret: str = ""
    """GOODGATE_SECRET: derives the keyed hashes; else a 0600 file in the data folder."""
    pepper: str = ""
    """GOODGATE_PEPPER: keys the digests of credentials; else a 0600 file in the data folder."""
    ledger_key: str = ""
    """GOODGATE_LEDGER_KEY: signs the ledger, 32 bytes in hex; else a 0600 file in the folder."""
    ledger_key_previous: str = ""
    """GOODGATE_LEDGER_KEY_PREVIOUS: the one before it, for the start that records the change."""
    drain_s: float = 600.0
    """GOODGATE_DRAIN_S: how long streams may go on after SIGTERM."""
    body_bytes_max: int = 32 * 1024 * 1024
    """GOODGATE_BODY_BYTES_MAX: a larger request body is refused with 413."""
    url: str = "http://127.0.0.1:8080"
    """GOODGATE_URL: where developers' commands find the gateway."""
    key: str = ""
    """GOODGATE_KEY: the key they use."""

    def __repr__(self) -> str:
        """Show where things are, and no secret."""
        return f"Settings(config={self.config!r}, policies={self.policies!r}, data={self.data!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Show the same when rich prints it (in a traceback, say)."""
        return [("config", self.config), ("policies", self.policies), ("data", self.data)]


def from_environment(environ: Mapping[str, str]) -> Settings:
    """
    Return the settings an environment describes.

    Raises:
        ConfigError: a variable holds something that is not of its type.

    """
    found: dict[str, object] = {}
    for name, convert in _CONVERT.items():
        variable = f"GOODGATE_{name.upper()}"
        text = environ.get(variable, "")
        if text == "":
            continue
        try:
            found[name] = convert(text)
        except ValueError:
            kind = "a number" if convert in (int, float) else "a path"
            raise ConfigError(f"{variable} must be {kind}, and it is {text!r}") from None
    return Settings(**found)  # type: ignore[arg-type]  # each value was just converted


_CONVERT: Mapping[str, type] = {
    "config": Path,
    "policies": Path,
    "data": Path,
    "host": str,
    "port": int,
    "workers": int,
    "database_url": str,
    "redis_url": str,
    "secret": str,
    "pepper": str,
    "ledger_key": str,
    "ledger_key_previous": str,
    "drain_s": float,
    "body_bytes_max": int,
    "url": str,
    "key": str,
}
