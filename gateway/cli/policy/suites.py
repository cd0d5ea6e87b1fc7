"""
Which test files there are, and what each is about: read from disk, checked all together.

Tests lie in a folder `tests/` beside the policies they are about, unless they name others.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway import policy
    from gateway.documents import Problems
    from gateway.rehearsal.trials.cases import Case, Outline

TESTS = "tests"
_SUFFIXES = frozenset({".yaml", ".yml"})


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """All cases about one set of policies."""

    label: str
    policies: "policy.PolicySet"
    cases: tuple["Case", ...]


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """A test file, not read against its policies yet."""

    path: Path
    outline: "Outline"


def load(paths: Sequence[Path], default: Path | None) -> list[Suite]:
    """
    Return the suites of folders and test files, in their order.

    Raises:
        WrongUse: there is no test, or no such path.
        ConfigError: every mistake in all policies and tests, a line each.

    """
    # Imported here: no other command needs them, nor the compiler of conditions they bring.
    from gateway.documents import Problems  # noqa: PLC0415  # as above
    from gateway.rehearsal.trials import cases  # noqa: PLC0415  # as above

    problems = Problems()
    groups: dict[tuple[Path, ...], list[_Found]] = {}
    for path in _test_files(paths, default):
        outline = cases.outline(_shown(path), _text(path), problems)
        if outline is not None:
            found = _Found(path=path, outline=outline)
            groups.setdefault(_policies_of(found), []).append(found)
    suites: list[Suite] = []
    mistakes: list[str] = []
    for about, read in groups.items():
        try:
            suites.append(_suite(about, read, problems))
        except ConfigError as error:
            mistakes.append(str(error))
    try:
        problems.raise_if_any()
    except ConfigError as error:
        mistakes.append(str(error))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return suites


def _suite(about: tuple[Path, ...], found: Sequence[_Found], problems: "Problems") -> Suite:
    from gateway import policy  # noqa: PLC0415  # as above
    from gateway.app import sources  # noqa: PLC0415  # the composition root brings the server
    from gateway.rehearsal.trials import cases  # noqa: PLC0415  # as above

    policies = policy.load([file for path in about for file in sources.policy_files(path)])
    read = [case for each in found for case in cases.read(each.outline, policies, problems)]
    return Suite(label=_label(about), policies=policies, cases=tuple(read))


def _test_files(paths: Sequence[Path], default: Path | None) -> list[Path]:
    """Return the test files of some folders and files, each once."""
    from gateway.app import sources  # noqa: PLC0415  # as above

    found: dict[Path, None] = {}
    for path in paths or [sources.policy_folder(default)]:
        if path.is_file():
            found[_straight(path)] = None
            continue
        folder = path if path.name == TESTS else path / TESTS
        inside = sorted(each for each in _inside(folder) if each.suffix in _SUFFIXES)
        if not inside:
            said = f"{path}: there are no tests: write some in {folder / 'NAME.yaml'}"
            raise WrongUse(said)
        found.update(dict.fromkeys(map(_straight, inside)))
    return list(found)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _policies_of(found: _Found) -> tuple[Path, ...]:
    """Return the files and folders of policies a test file is about."""
    folder = found.path.parent
    if not found.outline.policies:
        return (_straight(folder.parent),)
    return tuple(dict.fromkeys(_straight(folder / each) for each in found.outline.policies))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path}: cannot be read as UTF-8 text: {error}") from None


def _straight(path: Path) -> Path:
    """Return a path without `..`, as seen from here where it lies below."""
    whole, here = path.resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def _shown(path: Path) -> str:
    return path.as_posix()


def _label(about: Sequence[Path]) -> str:
    return ", ".join(f"{_shown(path)}/" if path.is_dir() else _shown(path) for path in about)
