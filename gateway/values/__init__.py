"""
The values that travel the line.

Nothing here does anything. Every room takes some of these and returns others, so
a reader who knows these files can open any room first. All of them are frozen: a
stage that wants to change something returns something new. They are msgspec
structs because the line makes a dozen of them per call.
"""

from gateway.values.attempts import Attempt, Completion, Result
from gateway.values.calls import Call, Inbound, Route, Turn, WireFormat
from gateway.values.decisions import (
    Decision,
    DecisionKind,
    DisconnectMode,
    Effect,
    Facts,
    Obligations,
    Refusal,
    ServedKind,
    Terms,
)
from gateway.values.draws import BudgetUnit, Draw, DrawUnit, Reading, Reservation
from gateway.values.outcomes import (
    Account,
    Approval,
    Delivery,
    OutcomeEvent,
    OutcomeKind,
    TaskChange,
    Telling,
)
from gateway.values.people import (
    EVIDENCE_RANK,
    Claim,
    Evidence,
    Key,
    Principal,
    Role,
    Task,
    TaskLink,
    TaskProblem,
    TaskSource,
    TaskStatus,
)
from gateway.values.replies import Figures, Price, Reply, Reserve, Target, Usage, UsageBasis
from gateway.values.sightings import (
    Earlier,
    LikenessKind,
    Observation,
    Offer,
    Offers,
    Sighting,
    Verdict,
)

__all__ = [
    "EVIDENCE_RANK",
    "Account",
    "Approval",
    "Attempt",
    "BudgetUnit",
    "Call",
    "Claim",
    "Completion",
    "Decision",
    "DecisionKind",
    "Delivery",
    "DisconnectMode",
    "Draw",
    "DrawUnit",
    "Earlier",
    "Effect",
    "Evidence",
    "Facts",
    "Figures",
    "Inbound",
    "Key",
    "LikenessKind",
    "Obligations",
    "Observation",
    "Offer",
    "Offers",
    "OutcomeEvent",
    "OutcomeKind",
    "Price",
    "Principal",
    "Reading",
    "Refusal",
    "Reply",
    "Reservation",
    "Reserve",
    "Result",
    "Role",
    "Route",
    "ServedKind",
    "Sighting",
    "Target",
    "Task",
    "TaskChange",
    "TaskLink",
    "TaskProblem",
    "TaskSource",
    "TaskStatus",
    "Telling",
    "Terms",
    "Turn",
    "Usage",
    "UsageBasis",
    "Verdict",
    "WireFormat",
]
