"""
Bring a virtual environment in line with a lock, and do nothing when it is already.

`install.py VENV LOCK [--also LOCK] [--package]`: with `--also`, an environment that
was made from that other lock (a superset) will do. `--package` installs the gateway
itself, editable. Only the standard library is used: this runs before anything else
is there. What was installed is remembered by its hash in `VENV/.installed`, not by
file times, which a fresh clone does not keep; an environment that was moved, or made
by another Python, is made again.
"""

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = ("-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-input")


def main() -> None:
    """Install what is missing, and say so in one line."""
    wanted = _arguments()
    if sys.version_info < (3, 11):  # noqa: UP036  # whichever Python make found
        sys.exit(f"Goodgate needs Python 3.11 or newer, and this is {sys.version.split()[0]}.")
    venv = Path(wanted.venv)
    stamp, python = venv / ".installed", venv / "bin" / "python"
    locks = [Path(wanted.lock), *map(Path, wanted.also)]
    made = f"{venv.resolve()} {sys.version_info[0]}.{sys.version_info[1]}\n"
    held = stamp.read_text(encoding="utf-8") if stamp.exists() else ""
    if python.exists() and held in {made + _state(k, package=wanted.package) for k in locks}:
        return
    if not python.exists() or (held and not held.startswith(made)):
        print(f"Making {venv} …", file=sys.stderr)
        _run(sys.executable, "-m", "venv", "--clear", str(venv))
    stamp.unlink(missing_ok=True)
    print(f"Installing {wanted.lock} into {venv} …", file=sys.stderr)
    _run(str(python), *PIP, "--require-hashes", "-r", wanted.lock)
    if wanted.package:
        _run(str(python), *PIP, "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    stamp.write_text(made + _state(locks[0], package=wanted.package), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venv")
    parser.add_argument("lock")
    parser.add_argument("--also", action="append", default=[])
    parser.add_argument("--package", action="store_true")
    return parser.parse_args()


def _state(lock: Path, *, package: bool) -> str:
    """Return what the stamp says of an environment made from this lock, here."""
    text = lock.read_bytes()
    if package:
        text += (ROOT / "pyproject.toml").read_bytes() + bytes(ROOT)
    return hashlib.sha256(text).hexdigest()


def _run(*command: str) -> None:
    """Run a step; its own words are enough when it fails."""
    done = subprocess.run(command, check=False)  # noqa: S603 - our own words, no shell
    if done.returncode:
        sys.exit(done.returncode)


main()
