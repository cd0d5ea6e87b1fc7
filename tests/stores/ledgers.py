"""Records and ledgers for the tests of every store."""

from pathlib import Path

import msgspec

from gateway import ledger
from gateway.stores.sqlite.ledger import Ledger

NOW = 1_795_000_000.0
NOW_US = int(NOW * 1_000_000)
HOUR = int(NOW) - int(NOW) % 3_600
SECRET = b"s" * 32


def fixed_clock() -> float:
    return NOW


def open_ledger(folder: Path) -> Ledger:
    return Ledger.open(folder, secret=SECRET, clock=fixed_clock)


def intent(number: int, **changes: object) -> ledger.Intent:
    record = ledger.Intent(
        attempt_id=f"att_{number:032x}",
        catalogue="sha256:0123456789abcdef",
        cluster=None,
        coalesced_into=None,
        decision="forwarded",
        evidence="verified",
        likeness=None,
        model_requested="fast",
        model_served="gpt-5-mini",
        policy="sha256:0123456789abcdef",
        principal="c" * 32,
        prices="sha256:fedcba9876543210",
        provider="local",
        received_at_us=NOW_US + number,
        replica="r0",
        replica_seq=2 * number + 1,
        request_id=f"req_{number:032x}",
        reserved_cost_usd="0.5",
        reserved_input_tokens=100,
        reserved_output_tokens=900,
        retry_count=0,
        root_id="PROJ-1",
        route="chat",
        rules=("require-task",),
        stream=False,
        task_id="PROJ-2",
        task_source="header",
        team="payments",
        tenant="default",
    )
    return msgspec.structs.replace(record, **changes)


def settle(number: int, **changes: object) -> ledger.Settle:
    record = ledger.Settle(
        attempt_id=f"att_{number:032x}",
        cache_read_tokens=0,
        cache_write_tokens=0,
        completion="complete",
        cost_usd="0.0000000015",
        first_token_ms=3,
        input_tokens=10,
        latency_ms=12,
        output_tokens=20,
        prices="sha256:fedcba9876543210",
        reasoning_tokens=0,
        replica="r0",
        replica_seq=2 * number + 2,
        request_id=f"req_{number:032x}",
        settled_at_us=NOW_US + number + 12_000,
        status=200,
        usage_basis="reported",
    )
    return msgspec.structs.replace(record, **changes)


def refusal(number: int, **changes: object) -> ledger.Refusal:
    record = ledger.Refusal(
        attempt_id=f"att_{number:032x}",
        catalogue="sha256:0123456789abcdef",
        code="quota_exceeded",
        evidence="verified",
        model_requested="fast",
        policy="sha256:0123456789abcdef",
        principal="c" * 32,
        received_at_us=NOW_US + number,
        replica="r0",
        replica_seq=2 * number + 1,
        request_id=f"req_{number:032x}",
        root_id="PROJ-1",
        route="chat",
        rules=("team-budget",),
        stream=False,
        task_id="PROJ-2",
        task_source="header",
        team="payments",
        tenant="default",
    )
    return msgspec.structs.replace(record, **changes)


def cost_intent(number: int, **changes: object) -> ledger.CostIntent:
    record = ledger.CostIntent(
        attempt_id=f"att_{number:032x}",
        hour=HOUR,
        model="fast",
        reason="unknown",
        replica="r0",
        replica_seq=2 * number + 1,
        reserved_cost_usd="0.5",
        reserved_tokens=1_000,
        settled=False,
        team="payments",
    )
    return msgspec.structs.replace(record, **changes)


def cost_settle(number: int, **changes: object) -> ledger.CostSettle:
    record = ledger.CostSettle(
        attempt_id=f"att_{number:032x}",
        cost_usd="0.1",
        replica="r0",
        replica_seq=2 * number + 2,
        tokens=30,
    )
    return msgspec.structs.replace(record, **changes)


def reveal(number: int) -> ledger.Reveal:
    return ledger.Reveal(
        at_us=NOW_US,
        attempt_id=f"att_{number:032x}",
        auditor="key-1",
        filters="{}",
        reason="ticket SEC-42",
        replica="r0",
        replica_seq=number,
    )


def decision(number: int, **changes: object) -> ledger.DecisionRecord:
    record = ledger.DecisionRecord(
        at_us=NOW_US + number,
        code="",
        effect="permit",
        facts={"call.model": "fast"},
        policy="sha256:0123456789abcdef",
        principal="weekly",
        reasons=(),
        request_id=f"req_{number:032x}",
        would_have=(),
    )
    return msgspec.structs.replace(record, **changes)


def settled(number: int, **changes: object) -> ledger.SettledRecord:
    record = ledger.SettledRecord(
        at_us=NOW_US + number + 12_000,
        cost_nano_usd=2,
        input_tokens=10,
        output_tokens=20,
        request_id=f"req_{number:032x}",
    )
    return msgspec.structs.replace(record, **changes)
