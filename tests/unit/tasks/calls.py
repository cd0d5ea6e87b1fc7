"""Calls, principals and tasks to link, with everything beside the point left out."""

from typing import Any

from gateway.values import Call, Inbound, Principal, Route, Task

NOW = 1_800_000_000.0
HOUR = 3600.0

ROUTE = Route(
    name="chat",
    path="/v1/chat/completions",
    wire_format="openai",
    upstream_path="/chat/completions",
)


def call(path_task: str = "", headers: dict[str, str | bytes] | None = None, **read: Any) -> Call:
    """Return a call with these headers; `read` is what wire has read from its body."""
    raw = {
        name.lower().encode(): value if isinstance(value, bytes) else value.encode()
        for name, value in (headers or {}).items()
    }
    said: dict[str, Any] = {
        "model": "gpt-5-mini",
        "stream": False,
        "include_usage": False,
        "output_tokens_max": None,
        "choices": 1,
        "body_task": "",
        "session_hint": "",
        "branch_hint": "",
        "input_tokens_estimate": 1,
    }
    inbound = Inbound(route=ROUTE, path_task=path_task, query=b"", headers=raw, body=b"")
    return Call(inbound=inbound, **(said | read))


def principal(name: str = "alice", team: str = "payments") -> Principal:
    """Return somebody with a key."""
    return Principal(id=name, team=team, key_id=f"key-of-{name}")


def task(task_id: str = "PROJ-1", **fields: Any) -> Task:
    """Return an open task that is alice's."""
    defaults: dict[str, Any] = {
        "spelling": task_id,
        "root_id": task_id,
        "members": frozenset({"alice"}),
    }
    return Task(id=task_id, **(defaults | fields))
