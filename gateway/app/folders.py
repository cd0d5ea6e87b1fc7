"""
Which files of a folder are policies, and what stands in them.

The rule it keeps: `*.yaml` in the folder and in its `teams/`, nothing else, and nothing
passed over in silence. A file that cannot be read is an error: without its rules the
gateway would let through what they forbid. What lies below in other folders (tests,
examples, recipes), hidden files and what editors leave behind are no policies.
"""

import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.errors import ConfigError

POLICY_BYTES_MAX = 1_000_000
"""The largest file."""
FOLDER_BYTES_MAX = 4_000_000
"""The most all files of a folder may hold together."""
TEAMS = "teams"
"""The folder with a file for each team that has rules of its own."""

_PACKAGE = Path(__file__).resolve().parent.parent
_SUFFIXES = frozenset({".yaml", ".yml"})


def policy_folder(given: Path | None) -> Path:
    """Return the folder of policies: the one given, else the set shipped with Goodgate."""
    if given is not None:
        return given
    shipped = _PACKAGE / "_policies"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "policies"


def policy_files(given: Path | None) -> list[tuple[str, str]]:
    """
    Return the name and the text of every policy file: `policies/teams/payments.yaml`.

    Raises:
        ConfigError: a line for each file that cannot be read, or for a folder without any.

    """
    folder = policy_folder(given)
    if folder.is_file():
        return [(str(folder), _text(folder, _raw(folder)))]
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder of policies")
    paths = _paths(folder)
    if not paths:
        raise ConfigError(f"{folder}: no policy file (*.yaml) is in it")
    name = folder.name if folder.name not in {"", ".."} else folder.resolve().name
    files: list[tuple[str, str]] = []
    mistakes: list[str] = []
    left = FOLDER_BYTES_MAX
    for path in paths:
        try:
            raw = _raw(path)
            files.append((f"{name}/{path.relative_to(folder).as_posix()}", _text(path, raw)))
        except ConfigError as error:
            mistakes.append(str(error))
            continue
        left -= len(raw)
        if left < 0:
            raise ConfigError(
                f"{folder}: its policy files are larger than {FOLDER_BYTES_MAX} bytes"
            )
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return files


def _paths(folder: Path) -> list[Path]:
    """Return the paths of policy files, those of teams last."""
    teams = folder / TEAMS
    paths = sorted(_inside(folder))
    if teams.is_symlink() or teams.exists():
        paths += sorted(_inside(teams))
    return paths


def _inside(folder: Path) -> Iterator[Path]:
    """Yield what is named like a policy, whether or not it can be read."""
    try:
        for path in folder.iterdir():
            named = path.suffix in _SUFFIXES and not path.name.startswith(".")
            if named and not path.is_dir():
                yield path
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read as a folder: {error.strerror}") from None


def _raw(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be read for ever
            raise ConfigError(f"{path}: is no plain file, and policies are read from files only")
        with path.open("rb") as file:
            raw = file.read(POLICY_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > POLICY_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {POLICY_BYTES_MAX} bytes")
    return raw


def _text(path: Path, raw: bytes) -> str:
    try:
        return raw.decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
