"""Calls, links and files that tests of the policy room start from."""

from decimal import Decimal
from pathlib import Path

from gateway import policy
from gateway.values import Call, Facts, Inbound, Principal, Reserve, Route, TaskLink

NOW = 1_795_348_800.0
"""Sunday, 2026-11-22, 12:00 UTC."""

ALICE = Principal(id="alice", team="payments", key_id="k1")
LINKED = TaskLink(
    task_id="PROJ-1", root_id="PROJ-0", evidence="verified", source="header", team="web", value=0.5
)
RESERVE = Reserve(input_tokens=100, output_tokens=900, cost_usd=Decimal("0.0123"))
DEFAULT = Path(__file__).parents[3] / "policies" / "default.yaml"


def call(
    *, route: str = "chat", metered: bool = True, model: str = "gpt-5-mini", stream: bool = False
) -> Call:
    """Return a call by a route."""
    served = Route(
        name=route, path="/v1/x", wire_format="openai", upstream_path="/x", metered=metered
    )
    inbound = Inbound(route=served, path_task="", query=b"", headers={}, body=b"")
    return Call(
        inbound=inbound,
        model=model,
        stream=stream,
        include_usage=False,
        output_tokens_max=None,
        choices=1,
        body_task="",
        session_hint="",
        branch_hint="",
        input_tokens_estimate=100,
    )


def facts(
    link: TaskLink = LINKED,
    *,
    metered: bool = True,
    model: str = "gpt-5-mini",
    principal: Principal = ALICE,
    reserve: Reserve = RESERVE,
    now: float = NOW,
    tool_results_only: bool = False,
) -> Facts:
    """Return the facts of one call."""
    made = call(metered=metered, model=model)
    return policy.facts(made, principal, link, reserve, now, tool_results_only=tool_results_only)


def load(*rules: str, extra: str = "") -> policy.PolicySet:
    """Return the policy set of one file with rules in flow style."""
    lines = "".join(f"  - {rule}\n" for rule in rules)
    return policy.load([("a.yaml", f"version: 1\nrules:\n{lines}{extra}")])
