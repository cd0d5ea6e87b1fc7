"""`env`, `run`, and what they ask of the gateway."""

import json
import os
import shlex
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import developer
from tests.unit.cli.conftest import Command, Scripted

KEY = "gg_abcdefghijkl_" + "s" * 40
USABLE = {"id": "PROJ-1", "usable": True, "problem": "", "said": ""}


def gateway(scripted: Scripted) -> dict[str, str]:
    """Return the two variables a developer sets."""
    return {"GOODGATE_URL": scripted.url + "/", "GOODGATE_KEY": KEY}


def test_env_prints_what_every_sdk_and_agent_reads(run: Command, scripted: Scripted) -> None:
    scripted.says("GET /api/tasks/PROJ-1", USABLE)

    code, out, err = run("env", "--task", "proj-1", **gateway(scripted))

    assert (code, err) == (0, "")
    found = dict(shlex.split(line)[1].split("=", 1) for line in out.splitlines())
    assert found["OPENAI_BASE_URL"] == f"{scripted.url}/v1"
    assert found["ANTHROPIC_BASE_URL"] == scripted.url
    assert found["OPENAI_API_KEY"] == found["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert found["ANTHROPIC_API_KEY"] == found["GEMINI_API_KEY"] == KEY
    headers = {found[name] for name in found if name.endswith("_CUSTOM_HEADERS")}
    assert headers == {"X-Task-Id: PROJ-1"}
    assert found["TASK_ID"] == "PROJ-1"


def test_env_of_a_task_the_gateway_refuses_prints_no_exports(
    run: Command, scripted: Scripted
) -> None:
    """`eval "$(goodgate env …)"` must not half-work."""
    unknown = {"error": {"code": "task_unknown", "message": "no task with this id is yours"}}
    scripted.says("GET /api/tasks/PROJ-9", unknown, status=404)

    code, out, err = run("env", "--task", "PROJ-9", **gateway(scripted))

    assert (code, out) == (1, "")
    assert err == "goodgate: error: no task with this id is yours\n"


def test_env_of_a_closed_task_says_so(run: Command, scripted: Scripted) -> None:
    closed = USABLE | {"usable": False, "problem": "closed", "said": "PROJ-1 is closed: reopen it"}
    scripted.says("GET /api/tasks/PROJ-1", closed)

    code, out, err = run("env", "--task", "PROJ-1", **gateway(scripted))

    assert (code, out) == (1, "")
    assert "PROJ-1 is closed: reopen it" in err


def test_env_of_a_task_served_but_not_verified_warns(run: Command, scripted: Scripted) -> None:
    scripted.says("GET /api/tasks/PROJ-1", USABLE | {"problem": "stale", "said": "PROJ-1 is stale"})

    code, out, err = run("env", "--task", "PROJ-1", **gateway(scripted))

    assert code == 0
    assert "export TASK_ID=PROJ-1" in out
    assert err == "goodgate: warning: PROJ-1 is stale\n"


def test_env_offline_asks_nobody(run: Command, scripted: Scripted) -> None:
    code, out, _ = run("env", "--task", "PROJ-1", "--offline", "--json", **gateway(scripted))

    assert code == 0
    assert json.loads(out)["OPENAI_CUSTOM_HEADERS"] == "X-Task-Id: PROJ-1"
    assert scripted.asked == []


def test_env_needs_a_key_and_a_task_id(run: Command) -> None:
    code, _, err = run("env", "--task", "PROJ-1")
    assert (code, "GOODGATE_KEY" in err) == (2, True)

    code, _, err = run("env", "--task", "no id!", GOODGATE_KEY=KEY)
    assert (code, "no task id" in err) == (2, True)


def test_env_speaks_fish_and_powershell(run: Command) -> None:
    _, fish, _ = run("env", "--task", "P-1", "--offline", "--shell", "fish", GOODGATE_KEY=KEY)
    _, power, _ = run(
        "env", "--task", "P-1", "--offline", "--shell", "powershell", GOODGATE_KEY=KEY
    )

    assert "set -gx OPENAI_CUSTOM_HEADERS 'X-Task-Id: P-1'" in fish.splitlines()
    assert "$env:OPENAI_CUSTOM_HEADERS = 'X-Task-Id: P-1'" in power.splitlines()


@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=40))
def test_no_value_escapes_its_quotes_in_a_posix_shell(value: str) -> None:
    assert shlex.split(developer.exports({"V": value}, "sh")) == ["export", f"V={value}"]


@given(value=st.text(max_size=40))
def test_no_value_escapes_its_quotes_in_powershell(value: str) -> None:
    """PowerShell takes five characters for a single quote; each must be doubled."""
    text = developer.exports({"V": value}, "powershell").removeprefix("$env:V = ")

    inner = text[1:-1]
    for quote in "'\u2018\u2019\u201a\u201b":
        inner = inner.replace(quote * 2, "")
    assert not set(inner) & set("'\u2018\u2019\u201a\u201b")


@given(value=st.text(max_size=40))
def test_no_value_escapes_its_quotes_in_fish(value: str) -> None:
    """Between single quotes fish reads two escapes only: a backslash, and a quote."""
    text = developer.exports({"V": value}, "fish").removeprefix("set -gx V ")

    inner, read = text[1:-1], ""
    while inner:
        escaped = inner[:2] in ("\\\\", "\\'")
        assert escaped or inner[0] != "'"
        read += inner[1] if escaped else inner[0]
        inner = inner[2 if escaped else 1 :]
    assert read == value


def program(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `goodgate …` in a process of its own."""
    start = "import os, sys; from gateway import cli; sys.exit(cli.main(sys.argv[1:], os.environ))"
    inherited = {"PATH": os.defpath}
    return subprocess.run(
        [sys.executable, "-c", start, *argv],
        env=inherited | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_run_becomes_the_command_and_passes_its_exit_code() -> None:
    script = "import os, sys; print(os.environ['OPENAI_CUSTOM_HEADERS'], sys.argv[1]); sys.exit(7)"

    done = program(
        "run", "--task", "P-1", "--offline", "--", sys.executable, "-c", script, "--flag",
        GOODGATE_KEY=KEY,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (7, "X-Task-Id: P-1 --flag\n")


def test_run_of_no_command_says_so(run: Command) -> None:
    code, _, err = run(
        "run", "--task", "P-1", "--offline", "--", "no-such-command-x", GOODGATE_KEY=KEY
    )

    assert code == 127
    assert err == "goodgate: error: there is no command 'no-such-command-x' on the PATH\n"


def test_run_refuses_before_it_starts_anything(run: Command, scripted: Scripted) -> None:
    code, _, err = run("run", "--task", "P-1", "--", "false", **gateway(scripted))

    assert (code, err) == (1, "goodgate: error: nothing here\n")


def test_run_json_shows_what_would_run(run: Command) -> None:
    code, out, _ = run(
        "run", "--task", "P-1", "--offline", "--json", "--", "claude", "-p", GOODGATE_KEY=KEY
    )

    shown = json.loads(out)
    assert code == 0
    assert shown["command"] == ["claude", "-p"]
    assert shown["environment"]["TASK_ID"] == "P-1"
