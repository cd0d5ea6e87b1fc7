"""What is checked in: locks that can be trusted, and nothing of the machine it was made on."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(path.relative_to(ROOT) for path in (ROOT / "requirements").glob("*.txt"))
COMPROMISED = ("1.82.7", "1.82.8", "1.107.0rc1", "1.107.0", "1.107.1", "1.107.9.post1")
MACHINE = re.compile(
    r"(?<![\w.$}/-])/(?:workspace|work|root|home/\w+|Users/\w+|tmp/\w[\w.-]*)(?=[/\s\"'`),:;]|$)"
)


def tracked() -> list[Path]:
    """Every text file git knows of, or would know of at the next `git add`."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def entries(lock: Path) -> list[str]:
    """Return the pinned requirements of a lock, each as one line with its hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    assert entries(lock)
    for entry in entries(lock):
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}(\s|$)", entry), entry[:80]


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(ROOT) for p in (ROOT / "requirements").glob("*.*")), ids=str
)
def test_no_lock_names_a_host(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not re.search(
        r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host", text
    )


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_no_lock_holds_a_prerelease(lock: Path) -> None:
    for entry in entries(lock):
        version = Version(entry.split("==")[1].split()[0])
        assert not version.is_prerelease, entry[:80]


def test_the_locks_agree_with_one_another() -> None:
    """So that an environment made for tests runs what is shipped."""
    run, test, litellm = (
        {e.split()[0] for e in entries(Path("requirements") / f"{name}.txt")}
        for name in ("run", "test", "litellm")
    )
    assert run <= test
    assert run <= litellm <= test


def test_the_lock_is_made_from_what_the_package_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = (ROOT / "requirements" / "run.in").read_text(encoding="utf-8").splitlines()
    declared = {str(Requirement(line)) for line in project["dependencies"]}
    locked = {str(Requirement(line)) for line in asked if line and not line.startswith("#")}
    assert {r for r in locked if not r.startswith("hatchling")} == declared


def test_compromised_releases_of_litellm_can_not_be_chosen() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["optional-dependencies"]["litellm"]]
    for lock in (ROOT / "requirements").glob("*"):
        asked += re.findall(r"^litellm[^\s;\\]*", lock.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(asked) >= 3
    for requirement in map(Requirement, asked):
        allowed = [v for v in COMPROMISED if requirement.specifier.contains(v, prereleases=True)]
        assert allowed == [], f"{requirement} would take {allowed}"


def test_there_is_no_second_kind_of_lock() -> None:
    assert not (ROOT / "uv.lock").exists()


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in MACHINE.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("cd /home/ann/goodgate", True),
        ("open('/root/.netrc')", True),
        ("see /tmp/brief.md", True),
        ("tmpfs: [/tmp]", False),
        ("mount it at /opt/goodgate", False),
        ("https://example.org/home/ann", False),
        ("gateway/root/x", False),
    ],
)
def test_the_search_for_places_finds_them(text: str, *, is_found: bool) -> None:
    assert bool(MACHINE.search(text)) is is_found


def test_no_secret_is_checked_in() -> None:
    """Keys of providers and of the gateway have shapes that can be looked for."""
    shapes = re.compile(r"sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}|-----BEGIN [A-Z ]*PRIVATE KEY-----")
    for path in tracked():
        if path.suffix in {".txt", ".gz"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not shapes.search(text), path.relative_to(ROOT)


def test_the_licence_is_the_apache_licence_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text


def test_ci_runs_what_people_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "chmod +x .ci/run"
    lanes = script.read_text(encoding="utf-8").partition("make install\n")[2]
    made = re.findall(r"^\s*make (\w+)(?: ARGS=\"(.*)\")?", lanes, re.MULTILINE)
    assert [target for target, _ in made] == ["test", "check", "test"]
    here, _, elsewhere = (arguments.split() for _, arguments in made)
    assert {f"--ignore={folder}" for folder in ["tests/unit", *here]} == set(elsewhere)


def test_what_ci_leaves_to_make_check_is_run_there() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ncheck:")[2]
    assert re.search(r"-m pytest -q tests/unit$", recipe.partition("\n\n")[0], re.MULTILINE)
