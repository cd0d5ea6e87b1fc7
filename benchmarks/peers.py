"""
Peers, installed into folders of their own under `.bench/` and started like the rest.

LiteLLM's proxy at the release the project trusts (requirements/litellm.in), with its
own message log off; Portkey's open-source gateway. Neither links tasks or keeps a
ledger here: they do less than what they are compared with.
"""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.programs import ENVIRONMENT, ROOT, Program
from benchmarks.provider import MODEL

FOLDER = ROOT / ".bench"
_PORTKEY = "@portkey-ai/gateway"


def start_litellm(folder: Path, *, core: int, provider: int) -> Contender:
    """Install LiteLLM's proxy if it is not there yet, and start it."""
    home = FOLDER / "litellm"
    command = home / "bin" / "litellm"
    if not command.exists():
        pinned = re.search(r"^litellm==(\S+)", _trusted(), re.MULTILINE)
        assert pinned is not None
        _run([sys.executable, "-m", "venv", "--clear", str(home)])
        _run([str(home / "bin" / "pip"), "install", "-q", f"litellm[proxy]=={pinned.group(1)}"])
    config = folder / "litellm.yaml"
    config.write_text(
        f"model_list:\n  - model_name: {MODEL}\n    litellm_params:\n"
        f"      model: openai/{MODEL}\n      api_base: http://127.0.0.1:{provider}/v1\n"
        "      api_key: k\ngeneral_settings:\n  master_key: sk-benchmark\n"
    )
    port = _free_port()
    env = ENVIRONMENT | {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "PATH": f"{home / 'bin'}:{ENVIRONMENT['PATH']}",
    }
    program = Program(
        [str(command), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
        core=core,
        ready=port,
        log=folder / "litellm.log",
        env=env,
        within_s=120,
    )
    headers = {"authorization": "Bearer sk-benchmark"}
    return Contender(name="litellm", program=program, port=port, headers=headers)


def start_portkey(folder: Path, *, core: int, provider: int) -> Contender:
    """Install Portkey's gateway if it is not there yet, and start it."""
    home = FOLDER / "portkey"
    script = home / "node_modules" / _PORTKEY / "build" / "start-server.js"
    if not script.exists():
        home.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("npm is not installed")
        _run([npm, "install", "--silent", "--no-fund", "--prefix", str(home), _PORTKEY])
    port = _free_port()
    program = Program(
        ["node", str(script), f"--port={port}", "--headless"],
        core=core,
        ready=port,
        log=folder / "portkey.log",
        # It refuses private addresses unless they are named, and the provider is on one.
        env=ENVIRONMENT | {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"},
    )
    return Contender(
        name="portkey",
        program=program,
        port=port,
        headers={
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{provider}/v1",
            "authorization": "Bearer k",
        },
    )


def _trusted() -> str:
    return (ROOT / "requirements" / "litellm.in").read_text()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def _run(argv: Sequence[str]) -> None:
    print(f"  installing: {' '.join(argv[-2:])}", file=sys.stderr)
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=900)
