"""
The deployment's own secrets: from the environment, or from a file only its owner can read.

A secret that is not given is made once, at random, and kept in the data folder; the keys
and hashes that rest on it are worth nothing without it, so it is never overwritten.
"""

import os
import secrets
import stat
from pathlib import Path

from gateway.errors import ConfigError

SIZE = 32
TEXT_LENGTH_MAX = 4096


def load_or_create(data_dir: Path, name: str, given: str) -> bytes:
    """
    Return a secret of 32 bytes or more: `given` if it is set, else the file's, made if need be.

    Args:
        data_dir: the folder of the file.
        name: the file's name, and that of the variable: `pepper` is GOODGATE_PEPPER.
        given: what the variable holds; empty when it is not set.

    Raises:
        ConfigError: it is too short, or a file that others can read or that cannot be used.

    """
    if given:
        if len(given.encode()) < SIZE:
            raise ConfigError(
                f"GOODGATE_{name.upper()} is shorter than {SIZE} bytes: make one with"
                " `python -c 'import secrets; print(secrets.token_hex(32))'`"
            )
        return given.encode()
    path = data_dir / name
    try:
        if not path.exists():
            _create(path)
        return _read(path)
    except OSError as error:
        raise ConfigError(f"{path}: this secret cannot be used: {error.strerror}") from None


def find(data_dir: Path, name: str, given: str) -> bytes | None:
    """Return a secret as `load_or_create` does; None when there is none yet, and none is made."""
    if not given and not (data_dir / name).exists():
        return None
    return load_or_create(data_dir, name, given)


def load_or_create_key(data_dir: Path, name: str, given: str) -> bytes:
    """Return a signing key, 32 bytes, as `load_or_create` does; `given` holds it in hexadecimal."""
    return _key(name, given) if given else load_or_create(data_dir, name, "")


def find_key(data_dir: Path, name: str, given: str) -> bytes | None:
    """Return a signing key as `load_or_create_key` does; None when there is none."""
    return _key(name, given) if given else find(data_dir, name, "")


def _key(name: str, given: str) -> bytes:
    try:
        key = bytes.fromhex(given)
    except ValueError:
        key = b""
    if len(key) != SIZE:
        variable = f"GOODGATE_{name.upper().replace('.', '_')}"
        raise ConfigError(
            f"{variable} is not {SIZE} bytes in hexadecimal, 64 digits: make one with"
            " `openssl rand -hex 32`"
        )
    return key


def _create(path: Path) -> None:
    """Write a whole new file and only then give it its name, so that nobody reads half of one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(SIZE).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            return  # another process was first, and its secret is the one
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"{path}: others can read this secret, so it is none: run `chmod 600 {path}`"
            )
        text = file.read(TEXT_LENGTH_MAX)
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) < SIZE:
        raise ConfigError(
            f"{path}: this is no secret of {SIZE} bytes in hexadecimal: put back the one that was"
            " here (with a new one, what rested on the old one is lost)"
        )
    return secret
