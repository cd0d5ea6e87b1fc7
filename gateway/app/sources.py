"""The files admins edit, read from disk: goodgate.yaml and the folder of policies."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from gateway import metering, policy, settings
from gateway.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent
POLICY_BYTES_MAX = 1_000_000


class Sources(Struct, frozen=True, kw_only=True):
    """All of it, checked; nothing of it is in force yet."""

    deployment: settings.Deployment
    policies: policy.PolicySet
    prices: metering.PriceBook


def read(options: settings.Settings, environ: Mapping[str, str]) -> Sources:
    """
    Read and check everything.

    Raises:
        ConfigError: with every mistake, a line each.

    """
    deployment = settings.load(options.config, environ)
    return Sources(
        deployment=deployment,
        policies=policy.load(policy_files(options.policies)),
        prices=metering.PriceBook(deployment.prices),
    )


def policy_folder(given: Path | None) -> Path:
    """Return the folder of policies: the one given, else the set shipped with Goodgate."""
    if given is not None:
        return given
    shipped = _PACKAGE / "_policies"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "policies"


def policy_files(given: Path | None) -> list[tuple[str, str]]:
    """Return the name and the text of every policy file (`*.yaml` in the folder, not below)."""
    folder = policy_folder(given)
    if folder.is_file():
        return [(str(folder), _text(folder))]
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder of policies")
    paths = sorted(p for p in folder.iterdir() if p.suffix in {".yaml", ".yml"} and p.is_file())
    if not paths:
        raise ConfigError(f"{folder}: no policy file (*.yaml) is in it")
    return [(f"{folder.name}/{path.name}", _text(path)) for path in paths]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > POLICY_BYTES_MAX:
            raise ConfigError(f"{path}: larger than {POLICY_BYTES_MAX} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text: {error}") from None
