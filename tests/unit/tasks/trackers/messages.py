"""Recorded-shape payloads, and a way to change one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.errors import WebhookRefused

PAYLOADS = Path(__file__).parent / "payloads"
SECRET = b"an-agreed-secret"
OLD_SECRET = b"the-secret-before"

Edit = Callable[[Any], None]


def load(name: str, edit: Edit | None = None) -> bytes:
    """Return a payload by its path, after `edit` had its parsed form."""
    message = json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))
    if edit is not None:
        edit(message)
    return json.dumps(message, ensure_ascii=False).encode()


def comes_to(read: Callable[[bytes], object], body: bytes) -> str:
    """Return what reading a body comes to; anything raised but a refusal goes through."""
    try:
        read(body)
    except WebhookRefused as refused:
        return "a refusal" if "\n" not in str(refused) else "a refusal of several lines"
    return "a delivery"
