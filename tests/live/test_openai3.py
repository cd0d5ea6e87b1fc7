"""The OpenAI SDK 3.x: in an environment of its own, because litellm needs openai < 3."""

import json
import os
import subprocess

import pytest

from tests.live.server import ROOT, RunningGateway, environment

PYTHON = ROOT / ".venv-openai3" / "bin" / "python"
TEXT = "word0 word1 wört2 word3 word4 "


@pytest.mark.usefixtures("provider")
def test_openai_3_chats_streams_and_is_refused(gateway: RunningGateway) -> None:
    if not PYTHON.exists():
        assert os.getenv("CI") != "true", f"{PYTHON} is missing: `make test` makes it"
        pytest.skip("the environment for openai 3.x is not made: run `make test`")

    done = subprocess.run(
        [
            *(str(PYTHON), str(ROOT / "tests" / "live" / "openai3_client.py")),
            *(f"{gateway.url}/v1", gateway.site.keys["alice"]),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("version").startswith("3.")
    assert found.pop("refusal") == "task_required"
    assert "gpt-5-mini" in found.pop("models")
    entries = {entry["request_id"]: entry for entry in gateway.site.entries()}
    assert set(found) == {"chat", "chat stream", "responses", "responses stream", "async"}
    for said, request_id in found.values():
        assert said == TEXT
        assert entries[request_id]["output_tokens"] == 5
        assert entries[request_id]["completion"] == "complete"
