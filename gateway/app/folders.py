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
_ALIKE = frozenset({"teams", "team"})


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
        paths += [_within(path, folder, teams) for path in sorted(_inside(teams))]
    for misspelt in sorted(_misspelt(folder)):
        raise ConfigError(
            f"{misspelt}: a folder that is not read, expected {TEAMS}/: rules that are passed "
            "over bind nobody"
        )
    return paths


def _within(path: Path, *folders: Path) -> Path:
    """
    Return the path of a team's file.

    A link out of the folder would have a team read what is not its own: mistakes quote it.
    """
    if not any(path.resolve().is_relative_to(each.resolve()) for each in folders):
        raise ConfigError(f"{path}: a link out of the folder of policies, expected a file in it")
    return path


def _misspelt(folder: Path) -> Iterator[Path]:
    """Yield folders of policies that must have been meant as `teams`."""
    for each in folder.iterdir():
        alike = each.name.lower() in _ALIKE and each.name != TEAMS
        if alike and each.is_dir() and any(_inside(each)):
            yield each


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
        before = raw[: error.start].decode().replace("\r\n", "\n").replace("\r", "\n")
        line, col = before.count("\n") + 1, len(before) - before.rfind("\n")
        said = f"read the byte 0x{raw[error.start]:02X}, expected UTF-8: save the file as UTF-8"
        raise ConfigError(f"{path}:{line}:{col}: {said}") from None
