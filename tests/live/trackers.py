"""Trackers as gateways meet them: who signs what they say, and sends it."""

import base64
import hashlib
import hmac
import json
import os
import time
from typing import Any

from tests.live.server import Answer, RunningGateway

SECRET = "a-secret-of-the-tracker-1"
FORGE_SECRET = "a-secret-of-the-forge-22"
TRACKERS = """
trackers:
  tickets: {kind: standard, secret: "${TICKETS_SECRET}"}
  forge: {kind: github, secret: "${FORGE_SECRET}", team: payments}
people:
  alice: {tickets: alice, forge: alice-gh}
  bob: {tickets: bob, forge: bob-gh}
"""


def tell(
    gateway: RunningGateway, data: dict[str, Any], *, kind: str = "outcome", **changes: str
) -> Answer:
    """Send a message as Standard Webhooks says."""
    body = json.dumps({"type": f"goodgate.{kind}", "data": data}).encode()
    sent = {"id": os.urandom(8).hex(), "at": str(int(time.time())), "secret": SECRET} | changes
    signed = f"{sent['id']}.{sent['at']}.".encode() + body
    mac = hmac.digest(sent["secret"].encode(), signed, hashlib.sha256)
    return gateway.ask(
        "/webhooks/tickets",
        body,
        key="",
        headers={
            "webhook-id": sent["id"],
            "webhook-timestamp": sent["at"],
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        },
    )


def forge(gateway: RunningGateway, event: str, said: dict[str, Any]) -> Answer:
    """Send a message as GitHub does."""
    body = json.dumps({"repository": {"full_name": "acme/web"}} | said).encode()
    mac = hmac.new(FORGE_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return gateway.ask(
        "/webhooks/forge",
        body,
        key="",
        headers={
            "x-github-event": event,
            "x-github-delivery": os.urandom(8).hex(),
            "x-hub-signature-256": f"sha256={mac}",
        },
    )


def accepted(subject: str, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "event_id": f"event of {subject}",
        "kind": "accepted",
        "at": time.time(),
        "subject": subject,
        "author": {"handle": "alice"},
        "reviewers": [{"handle": "bob"}],
    }
    return fields | changes


ENV = {"TICKETS_SECRET": SECRET, "FORGE_SECRET": FORGE_SECRET}
"""What a gateway needs around it."""
