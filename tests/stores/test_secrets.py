"""The deployment's own secrets."""

import stat
import threading
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.stores import secrets


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    """In a file its owner alone can read; another name is another secret."""
    folder = tmp_path / "data"
    made = secrets.load_or_create(folder, "pepper", "")

    assert len(made) == 32
    assert secrets.load_or_create(folder, "pepper", "") == made
    assert secrets.load_or_create(folder, "secret", "") != made
    assert sorted(file.name for file in folder.iterdir()) == ["pepper", "secret"]
    assert stat.S_IMODE((folder / "pepper").stat().st_mode) == 0o600


def test_a_secret_that_is_given_is_used_and_not_written_down(tmp_path: Path) -> None:
    """It has a keeper already."""
    assert secrets.load_or_create(tmp_path, "pepper", "x" * 40) == b"x" * 40
    assert list(tmp_path.iterdir()) == []


def test_a_short_secret_is_refused_and_not_echoed(tmp_path: Path) -> None:
    """The message makes a good one."""
    with pytest.raises(ConfigError, match="GOODGATE_PEPPER is shorter than 32") as caught:
        secrets.load_or_create(tmp_path, "pepper", "hunter2")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """With the command that makes it private."""
    secrets.load_or_create(tmp_path, "pepper", "")
    (tmp_path / "pepper").chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        secrets.load_or_create(tmp_path, "pepper", "")


@pytest.mark.parametrize("text", [b"", b"abcd", b"not hex" * 10, b"\xff" * 64, b"00" * 31])
def test_a_damaged_secret_is_refused_and_never_replaced(tmp_path: Path, text: bytes) -> None:
    """What rests on the old one would be lost without a word."""
    file = tmp_path / "pepper"
    file.touch(0o600)
    file.write_bytes(text)

    with pytest.raises(ConfigError, match="no secret of 32 bytes"):
        secrets.load_or_create(tmp_path, "pepper", "")

    assert file.read_bytes() == text


def test_a_folder_that_cannot_hold_a_secret_is_refused(tmp_path: Path) -> None:
    """In words."""
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="this secret cannot be used"):
        secrets.load_or_create(tmp_path / "file", "pepper", "")


def test_processes_that_start_at_once_have_one_secret(tmp_path: Path) -> None:
    """Whoever is first; nobody reads half of it."""
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(secrets.load_or_create(tmp_path, "pepper", ""))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["pepper"]


def test_a_secret_that_appears_meanwhile_is_the_one(tmp_path: Path) -> None:
    """It is never overwritten."""
    first = secrets.load_or_create(tmp_path, "pepper", "")

    secrets._create(tmp_path / "pepper")

    assert secrets.load_or_create(tmp_path, "pepper", "") == first
    assert [file.name for file in tmp_path.iterdir()] == ["pepper"]
