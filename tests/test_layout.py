"""The house keeps its shape: small files, honest names, a test for every module."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GATEWAY = ROOT / "gateway"
LINES_MAX = 400
LINE_LINES_MAX = 200
FORBIDDEN = {
    "utils", "util", "helpers", "helper", "common", "core", "base",
    "manager", "managers", "handler", "handlers", "service", "services",
}  # fmt: skip
PURE_ROOMS = (
    "wire", "identity", "tasks", "likeness", "policy", "quota", "metering", "ledger", "documents",
)  # fmt: skip
"""The rooms that do no I/O, right of `ports` in the contracts of pyproject.toml."""

NEVER_AT_START = ("litellm", "typer", "rich", "hiredis", "redis", "psycopg")


def is_front(path: Path) -> bool:
    """Whether a module is an `__init__.py` that holds imports and constants, no behaviour."""
    return path.name == "__init__.py" and not any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in tree(path).body
    )


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules() -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in GATEWAY.rglob("*.py"))


def pure_modules() -> list[Path]:
    """Every module of a pure room, but for the fronts that only say what the room offers."""
    return [
        path
        for path in modules()
        if path.parts[1].removesuffix(".py") in PURE_ROOMS and not is_front(ROOT / path)
    ]


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_stays_under_400_lines(path: Path) -> None:
    lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    assert lines <= LINES_MAX, f"{path} has {lines} lines; split it by what it answers"


def test_the_line_fits_a_few_screens() -> None:
    lines = (GATEWAY / "pipeline.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINE_LINES_MAX


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    for part in path.with_suffix("").parts[1:]:
        assert not FORBIDDEN & set(part.split("_")), f"{path}: say what it is instead"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_says_what_it_answers(path: Path) -> None:
    assert ast.get_docstring(tree(ROOT / path)), f"{path} has no docstring"


@pytest.mark.parametrize("path", pure_modules(), ids=str)
def test_a_pure_room_has_its_tests_where_it_stands(path: Path) -> None:
    """File for file would say less: `make check` wants every branch of a room covered."""
    room = path.relative_to("gateway").parts[0].removesuffix(".py")
    beside = ROOT / "tests" / "unit" / room
    alone = ROOT / "tests" / "unit" / f"test_{room}.py"
    assert alone.exists() or list(beside.glob("test_*.py")), f"{path} wants {beside}"


def test_every_pure_room_is_known_here() -> None:
    """So that a new room cannot slip past the mirror."""
    contracts = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for room in PURE_ROOMS:
        assert f'"gateway.{room}"' in contracts, f"{room} is missing from 'The rooms do no I/O'"


def test_the_server_imports_nothing_it_does_not_use() -> None:
    program = (
        "import sys; import gateway.app; "
        f"print(' '.join(m for m in {NEVER_AT_START!r} if m in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == []
