"""Which files of a folder are policies."""

import os
from pathlib import Path

import pytest

from gateway.app import folders
from gateway.errors import ConfigError

TEXT = "version: 1\nrules: []\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "policies"
    for name in ("teams", "tests", "examples", "recipes", "teams/old"):
        (made / name).mkdir(parents=True)
        (made / name / "inner.yaml").write_text(TEXT)
    (made / "teams" / "inner.yaml").unlink()
    (made / "b.yaml").write_text(TEXT)
    return made


def names(folder: Path) -> list[str]:
    return [name for name, _text in folders.policy_files(folder)]


def test_the_folder_and_its_teams_are_read_and_nothing_else(folder: Path) -> None:
    (folder / "a.yml").write_text(TEXT)
    (folder / "teams" / "payments.yaml").write_text("team: payments\n")
    for name in (".hidden.yaml", "b.yaml~", "#b.yaml#", "b.yaml.swp", "notes.md", "schema.json"):
        (folder / name).write_text("no policy")
        (folder / "teams" / name).write_text("no policy")
    (folder / ".#b.yaml").symlink_to("nobody@nowhere.1")
    (folder / "folder.yaml").mkdir()
    assert folders.policy_files(folder) == [
        ("policies/a.yml", TEXT),
        ("policies/b.yaml", TEXT),
        ("policies/teams/payments.yaml", "team: payments\n"),
    ]


def test_a_folder_is_named_however_it_was_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert names(Path()) == ["policies/b.yaml"]
    monkeypatch.chdir(folder / "teams")
    assert names(Path("..")) == ["policies/b.yaml"]


def test_teams_alone_are_policies_too(folder: Path) -> None:
    (folder / "b.yaml").rename(folder / "teams" / "payments.yaml")
    assert names(folder) == ["policies/teams/payments.yaml"]


def test_links_are_followed_as_kubernetes_makes_them(folder: Path) -> None:
    real = folder / "..2026_11_23"
    real.mkdir()
    (folder / "b.yaml").rename(real / "b.yaml")
    (folder / "..data").symlink_to(real.name)
    (folder / "b.yaml").symlink_to("..data/b.yaml")
    assert names(folder) == ["policies/b.yaml"]


def test_line_ends_are_what_they_are_everywhere(folder: Path) -> None:
    (folder / "b.yaml").write_bytes(b"version: 1\r\nrules: []\r")
    assert folders.policy_files(folder) == [("policies/b.yaml", TEXT)]


def test_what_cannot_be_read_is_told_a_line_each(folder: Path) -> None:
    (folder / "c.yaml").symlink_to("c.yaml")
    (folder / "d.yaml").symlink_to("nowhere.yaml")
    os.mkfifo(folder / "e.yaml")
    (folder / "f.yaml").write_bytes(b"\xff")
    (folder / "g.yaml").write_text("#" * (folders.POLICY_BYTES_MAX + 1))
    with pytest.raises(ConfigError) as caught:
        folders.policy_files(folder)
    lines = str(caught.value).splitlines()
    wanted = [
        "symbolic links",
        "No such file",
        "no plain file",
        "f.yaml:1:1: read the byte 0xFF, expected UTF-8: save the file as UTF-8",
        "larger than",
    ]
    assert [part for line, part in zip(lines, wanted, strict=True) if part in line] == wanted
    assert all(line.startswith(f"{folder}/") for line in lines)


def test_a_folder_of_teams_that_cannot_be_read_is_told(folder: Path) -> None:
    for path in sorted((folder / "teams").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (folder / "teams").rmdir()
    (folder / "teams").symlink_to("teams")
    with pytest.raises(ConfigError, match=r"teams: cannot be read as a folder: .*symbolic links"):
        folders.policy_files(folder)
    (folder / "teams").unlink()
    (folder / "teams").write_text("")
    with pytest.raises(ConfigError, match="teams: cannot be read as a folder: Not a directory"):
        folders.policy_files(folder)


def test_all_files_of_a_folder_together_are_bounded(folder: Path) -> None:
    left = folders.FOLDER_BYTES_MAX - len(TEXT)
    for number in range(4):
        (folder / f"{number}.yaml").write_text("#" * (left // 4))
    assert len(folders.policy_files(folder)) == 5
    (folder / "teams" / "x.yaml").write_text("team: x\n")
    with pytest.raises(ConfigError, match="larger than 4000000 bytes"):
        folders.policy_files(folder)


def test_a_file_is_its_own_folder_and_no_folder_is_none(folder: Path, tmp_path: Path) -> None:
    assert names(folder / "b.yaml") == [str(folder / "b.yaml")]
    with pytest.raises(ConfigError, match="no such folder"):
        folders.policy_files(tmp_path / "gone")
    (folder / "b.yaml").unlink()
    with pytest.raises(ConfigError, match="no policy file"):
        folders.policy_files(folder)


def test_without_a_folder_the_shipped_set_is_read() -> None:
    assert "policies/default.yaml" in [name for name, _ in folders.policy_files(None)]


def test_a_teams_file_is_no_link_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("version: 1\n")
    link = folder / "teams" / "payments.yaml"
    link.symlink_to(secret)
    with pytest.raises(ConfigError, match=r"payments\.yaml: a link out of the folder of policies"):
        folders.policy_files(folder)


@pytest.mark.parametrize("place", ["..data", "teams/..data"])
def test_a_teams_file_may_be_a_link_as_kubernetes_makes_them(folder: Path, place: str) -> None:
    (folder / place).mkdir()
    (folder / place / "payments.yaml").write_text("team: payments\n")
    (folder / "teams" / "payments.yaml").symlink_to(folder / place / "payments.yaml")
    assert ("policies/teams/payments.yaml", "team: payments\n") in folders.policy_files(folder)


@pytest.mark.parametrize("name", ["team", "Teams", "TEAM"])
def test_a_folder_of_teams_with_another_name_is_a_mistake(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    assert "policies/b.yaml" in names(folder), "without a policy in it, it is anything"
    (folder / name / "payments.yaml").write_text(TEXT)
    with pytest.raises(ConfigError) as caught:
        folders.policy_files(folder)
    assert str(caught.value) == (
        f"{folder / name}: a folder that is not read, expected teams/: "
        "rules that are passed over bind nobody"
    )


def test_a_byte_that_is_no_utf_8_is_told_with_its_line_and_column(folder: Path) -> None:
    (folder / "b.yaml").write_bytes("version: 1\r\n# Gr\u00fc\u00dfe".encode() + b" \xfc\n")
    with pytest.raises(ConfigError) as caught:
        folders.policy_files(folder)
    assert str(caught.value) == (
        f"{folder / 'b.yaml'}:2:9: read the byte 0xFC, expected UTF-8: save the file as UTF-8"
    )
