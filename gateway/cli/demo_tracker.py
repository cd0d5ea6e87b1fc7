"""
What became of the demo's work: a tracker's signed word, and what an auditor's report makes of it.

The people's tasks are taken by colleagues; the climber takes her own. Every message goes in by
`POST /webhooks/reviews`, as a tracker of one's own would send it (docs/trackers.md).
"""

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from gateway.cli.demo_traffic import CLIMBER
from gateway.cli.remote import Remote
from gateway.cli.terminal import Unreachable

TAKEN: Final[Sequence[tuple[str, str, str]]] = (
    ("GROW-1", CLIMBER, CLIMBER),
    ("PAY-101", "alice", "bob"),
    ("SRCH-7", "carol", "dan"),
    ("OPS-3", "erin", "alice"),
)
"""Task, who did it, who took it; the first is told first, and counts for nothing."""
WAIT_S: Final = 15.0
PAUSE_S: Final = 0.2
VARIABLE: Final = "DEMO_TRACKER_SECRET"
CONFIG: Final = (
    f'trackers:\n  reviews: {{kind: standard, secret: "${{{VARIABLE}}}"}}\n'
    "people:\n"
    + "".join(f"  {who}: {{reviews: {who}}}\n" for who in ("alice", "bob", "carol", "dan", "erin"))
    + f"  {CLIMBER}: {{reviews: {CLIMBER}}}\n"
)
"""What goodgate.yaml says of it."""
_OK: Final = 200


def tell(remote: Remote, secret: str, now: Callable[[], float]) -> None:
    """Say what became of each task; raises Unreachable when the gateway does not believe it."""
    for task, author, reviewer in TAKEN:
        data = {
            "event_id": f"demo-{task}",
            "kind": "accepted",
            "at": int(now()),
            "subject": task,
            "tasks": [task],
            "author": {"handle": author},
            "reviewers": [{"handle": reviewer}],
        }
        body = json.dumps({"type": "goodgate.outcome", "data": data}).encode()
        answer = remote.fetch("POST", "/webhooks/reviews", body, headers=_signed(body, secret, now))
        if answer.status != _OK:
            raise Unreachable(f"the demo's gateway answered its tracker {answer.status}")


def credit(remote: Remote) -> list[dict[str, Any]]:
    """Return task, accepted, credit, calls and cost of each root, once all that was told is in."""
    until = time.monotonic() + WAIT_S
    while True:
        found = remote.ask("GET", "/api/audit/report", query={"by": "root", "reveal": "the demo"})
        if found["total"]["accepted_tasks"] == len(TAKEN) - 1:
            return [_shown(row) for row in found["rows"]]
        if time.monotonic() > until:
            raise Unreachable("the demo's gateway did not put in order what its tracker told")
        time.sleep(PAUSE_S)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "task": row["root_id"],
        "accepted": row["accepted_tasks"],
        "credit": f"{Decimal(row['provisional']):.3f}",
        "calls": row["calls"],
        "cost_usd": row["cost_usd"],
    }


def _signed(body: bytes, secret: str, now: Callable[[], float]) -> Mapping[str, str]:
    """Return the headers of Standard Webhooks."""
    named, at = f"msg_{os.urandom(8).hex()}", str(int(now()))
    mac = hmac.digest(secret.encode(), f"{named}.{at}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": named,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
