"""
Where goodgate.yaml points outside itself: secrets by reference, and addresses.

A secret is never written in the file: `${VARIABLE}` takes it from the environment,
`file:PATH` from a file beside it. Both are resolved once, at load, and no message here
ever shows what they resolve to.
"""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

SECRET_BYTES_MAX = 16_384

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS = re.compile(r"[!-~]+")
"""What may be in an address: printable ASCII, no spaces."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """What references are looked up in."""

    environ: Mapping[str, str]
    folder: Path
    """What `file:` paths are relative to: the folder goodgate.yaml is in."""


def secret(text: str, around: Surroundings) -> str:
    """
    Return the secret that `${VARIABLE}` or `file:PATH` stands for.

    Raises:
        ValueError: it is no reference, or points at nothing; the text names the
            variable or the path, never a value.

    """
    if text.startswith("file:"):
        return _from_file(Path(text[len("file:") :]), around.folder)
    if not _VARIABLE.fullmatch(text):
        raise ValueError(
            "must not hold the secret itself: write ${VARIABLE} and set that variable, "
            "or file:PATH and keep it in a file of mode 0600"
        )
    return interpolated(text, around)


def interpolated(text: str, around: Surroundings) -> str:
    """
    Return a text with every `${VARIABLE}` in it replaced.

    Raises:
        ValueError: a variable is not set (or empty), or the result fits in no header.

    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not _VARIABLE_NAME.fullmatch(name):
            raise ValueError("holds ${…} with no name of a variable in it")
        found = around.environ.get(name, "")
        if not found:
            raise ValueError(f"needs the environment variable {name}, and it is not set")
        return found

    return _fit_for_a_header(_VARIABLE.sub(value, text))


def readable_by_others(text: str, around: Surroundings) -> bool:
    """Return whether a `file:PATH` reference points at a file that others may read."""
    if not text.startswith("file:"):
        return False
    mode = (around.folder / text[len("file:") :]).stat().st_mode
    return bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def address(text: str) -> str:
    """
    Return a provider's base address without its last slash.

    Raises:
        ValueError: it is not http(s), or holds credentials, a query or a fragment.

    """
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port  # .port checks the port
    except ValueError:
        raise ValueError("is no address; expected https://host[:port]/path") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no credentials: put the key in `api_key`")
    if parts.scheme not in {"http", "https"} or not host or not _ADDRESS.fullmatch(text):
        raise ValueError("is no address; expected https://host[:port]/path")
    if "?" in text or "#" in text:
        raise ValueError("must hold no query and no fragment: the caller's query is appended")
    return text.rstrip("/")


def _from_file(path: Path, folder: Path) -> str:
    try:
        with (folder / path).open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"needs the file {str(path)!r}: {error.strerror}") from None
    if len(content) > SECRET_BYTES_MAX:
        raise ValueError(f"needs a secret in {str(path)!r}, and the file is over 16 kB")
    found = content.decode("ascii", "replace").strip()
    if not found:
        raise ValueError(f"needs a secret in {str(path)!r}, and the file is empty")
    return _fit_for_a_header(found)


def _fit_for_a_header(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("stands for a value with characters that no header can carry")
    return value
