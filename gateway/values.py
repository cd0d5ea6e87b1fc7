"""
The values that travel the line.

Nothing here does anything. Every room takes some of these and returns others, so
a reader who knows this file can open any room first. All of them are frozen: a
stage that wants to change something returns something new. They are msgspec
structs because the line makes a dozen of them per call.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from msgspec import Struct

WireFormat: TypeAlias = Literal["openai", "anthropic"]
"""Which language the caller speaks: the shape of requests, replies and errors."""

Role: TypeAlias = Literal["developer", "admin", "auditor"]
Evidence: TypeAlias = Literal["none", "inferred", "claimed", "verified"]
TaskProblem: TypeAlias = Literal["", "unknown", "closed", "not_yours", "stale"]
TaskSource: TypeAlias = Literal[
    "", "credential", "path", "header", "body", "foreign", "session", "active", "branch"
]
TaskStatus: TypeAlias = Literal["open", "closed"]
Effect: TypeAlias = Literal["permit", "throttle", "forbid"]
DrawUnit: TypeAlias = Literal["calls", "tokens", "cost_usd"]
UsageBasis: TypeAlias = Literal["reported", "estimated"]
Completion: TypeAlias = Literal["complete", "truncated", "cancelled", "failed", "unknown_crash"]
DecisionKind: TypeAlias = Literal["forwarded", "coalesced", "reused", "refused"]
ServedKind: TypeAlias = Literal["forwarded", "coalesced", "reused"]
DisconnectMode: TypeAlias = Literal["drain", "cancel"]
LikenessKind: TypeAlias = Literal["new", "short", "near", "exact", "retry", "continuation"]

EVIDENCE_RANK: Mapping[str, int] = {"none": 0, "inferred": 1, "claimed": 2, "verified": 3}


class Route(Struct, frozen=True, kw_only=True):
    """One path callers use, and what the gateway knows about it."""

    name: str
    """Short and stable, as policies and the ledger name it: `chat`, `messages`, …"""
    path: str
    """As callers write it, without prefixes: `/v1/chat/completions`."""
    wire_format: WireFormat
    upstream_path: str
    """What is appended to a provider's `base_url`: `/chat/completions`."""
    metered: bool = True
    """Whether a call here costs tokens."""


class Inbound(Struct, frozen=True, kw_only=True):
    """One HTTP request to a model route as it arrived: nothing parsed, nothing trusted."""

    route: Route
    path_task: str
    """The `{task}` of `/t/{task}/…`, percent-decoded; empty when the path names none."""
    query: bytes
    headers: Mapping[bytes, bytes]
    """Names in lower case. A name sent twice is joined by `\\n` (a byte no header can carry)."""
    body: bytes


class Turn(Struct, frozen=True, kw_only=True):
    """What a call says since the model last spoke, as it stands in the body."""

    texts: tuple[str, ...] = ()
    """The caller's own words, in order; client boilerplate still among them."""
    results: tuple[str, ...] = ()
    """What tools answered, in order."""
    attachments: tuple[bytes, ...] = ()
    """SHA-256 of each image, document, sound or file: of its content, or of the name it goes by."""
    before: str = ""
    """The end of the turn before it, for a turn that says little by itself."""


class Call(Struct, frozen=True, kw_only=True):
    """One call to a model, whichever wire format it arrived in."""

    inbound: Inbound
    model: str
    stream: bool
    include_usage: bool
    """Whether the caller itself asked for the usage chunk of a stream."""
    output_tokens_max: int | None
    """What the caller set as the most tokens to answer with; None when it set nothing."""
    choices: int
    """How many answers were asked for (`n`), at least 1."""
    body_task: str
    """`metadata.task_id` or `task` of the body, as written; empty when there is none."""
    session_hint: str
    """A session id found in the body (Anthropic's `metadata.user_id`); empty when none."""
    branch_hint: str
    """A branch name found in the prompt's environment block; empty when none."""
    input_tokens_estimate: int
    """An upper estimate of the input, made from its size, for reservations."""
    turn: Turn = Turn()
    """What was said since the last assistant turn: all that likeness looks at."""
    variety: bool = False
    """Whether answers are meant to differ: `temperature` or `top_p` above 0 given, or n > 1."""
    stateful: bool = False
    """Whether the call changes something at its provider: two of them are not one."""


class Principal(Struct, frozen=True, kw_only=True):
    """Who is calling, as far as the gateway could establish: the owner of a key."""

    id: str
    team: str
    key_id: str
    role: Role = "developer"
    models: frozenset[str] = frozenset()
    """Models the key may use, as callers name them; empty means every one."""
    tenant: str = "default"


class Key(Struct, frozen=True, kw_only=True):
    """A credential as it is kept: never the secret, only its digest."""

    id: str
    digest: bytes
    """HMAC-SHA-256 of the whole credential under the deployment's pepper."""
    principal: Principal
    created_at: float
    revoked_at: float | None = None
    expires_at: float | None = None


class Task(Struct, frozen=True, kw_only=True):
    """A piece of business work, as its tracker reports it."""

    id: str
    """Canonical (design section 4): NFKC, dashes to `-`, upper case."""
    spelling: str
    """As the tracker writes it, for people to read."""
    title: str = ""
    status: TaskStatus = "open"
    opened_at: float | None = None
    closed_at: float | None = None
    """When it was last closed (Unix seconds); None while it is open."""
    root_id: str = ""
    """Canonical id of the root task; its own id when it has no parent."""
    members: frozenset[str] = frozenset()
    team: str = ""
    value: Decimal | None = None
    creator: str = ""
    url: str = ""
    stale: bool = False
    """Whether its tracker has not been heard of lately."""


class Claim(Struct, frozen=True, kw_only=True):
    """One naming of a task by a call."""

    source: TaskSource
    text: str
    """As written; not canonical yet."""


class TaskLink(Struct, frozen=True, kw_only=True):
    """What a call is for, and how we know."""

    task_id: str = ""
    """Canonical; empty when nothing was named."""
    root_id: str = ""
    evidence: Evidence = "none"
    problem: TaskProblem = ""
    source: TaskSource = ""
    team: str = ""
    """The team that owns the task."""
    value: float = 0.0
    lenient: bool = False
    """Served although not verified: closed less than 24 h ago, or its tracker is stale."""


Facts: TypeAlias = dict[str, Any]
"""Everything a policy may look at, by dotted name (`call.model`); see policy.facts."""


class Draw(Struct, frozen=True, kw_only=True):
    """A wish to take `amount` from one quota or budget, for one key."""

    rule: str
    """The id of the rule that asks."""
    key: str
    """Which counter: the rule id and the values of its `by` facts."""
    unit: DrawUnit
    amount: int
    """Calls, tokens, or nano-dollars (10⁻⁹ USD, rounded up)."""
    limit: int
    """In the same unit as `amount`."""
    window_s: float
    """A quota's `per`; for a budget the length of its current period."""
    period_start: float | None = None
    """None: a quota (GCRA). Else a budget, and its calendar period began here (Unix seconds)."""
    shadow: bool = False
    """Count, and say what it would have done, but never refuse."""
    by_cluster: bool = False
    """Whether the likeness cluster is part of the key: only the store knows it."""


class Reading(Struct, frozen=True, kw_only=True):
    """What a quota or budget said to a draw."""

    draw: Draw
    taken: bool
    retry_after_s: float = 0.0
    """When the same draw would fit, if nothing else happened; 0 when it was taken."""
    remaining: int = 0


class Reservation(Struct, frozen=True, kw_only=True):
    """All of a call's readings, and the handle with which they are settled."""

    id: int
    readings: tuple[Reading, ...] = ()


class Sighting(Struct, frozen=True, kw_only=True):
    """A call as the store of likeness sees it: keyed hashes only."""

    tenant: str
    scope: bytes
    """16 bytes that stand for (tenant, principal, task)."""
    request_id: str
    comparable: bool
    """False for short turns and continuations: nothing is looked up, nothing remembered."""
    exact: bytes = b""
    """16 bytes: equal when the normal forms (and the attachments) are, within a scope."""
    features: tuple[bytes, ...] = ()
    """At most 12 of 3 bytes: texts alike share some."""
    words: bytes = b""
    """3 bytes a token: 20 bits of keyed hash and 4 bits of class, big-endian."""
    canonical: bytes = b""
    """16 bytes of all that a retry repeats."""
    share: bytes = b""
    """32 bytes of all that two calls must agree on to share a reply; empty: shares none."""
    stored: bool = False
    """Whether a reply kept for others may answer it."""
    following: bool = False
    """Whether it waits for a reply that is under way in this process already."""

    @property
    def cluster(self) -> str:
        """Return the cluster a text begins when it is like none before it: 16 hex digits."""
        return self.exact[:8].hex()


class Offer(Struct, frozen=True, kw_only=True):
    """What a call draws if it turns out to be of some kind."""

    draws: tuple[Draw, ...] = ()
    forbidden: bool = False
    """A rule refuses calls of that kind: nothing is drawn and nothing remembered."""


class Offers(Struct, frozen=True, kw_only=True):
    """One offer for each thing the store can find out in one round trip."""

    new: Offer
    exact: Offer
    retry: Offer
    shared: Offer
    """For a call that will share a reply, whatever its kind."""


class Earlier(Struct, frozen=True, kw_only=True):
    """A call that is remembered."""

    request_id: str
    cluster: str
    words: bytes = b""


class Observation(Struct, frozen=True, kw_only=True):
    """What the store found out about a sighting, and drew for it."""

    kind: Literal["new", "exact", "retry", "undecided", "unknown"]
    """undecided: there are candidates, and nothing was drawn yet. unknown: not comparable."""
    reservation: Reservation
    earlier: Earlier | None = None
    """For `exact` and `retry`: whom it repeats."""
    candidates: tuple[Earlier, ...] = ()
    """For `undecided`: at most 3, likest first."""
    leader: str = ""
    """The replica that waits for the same reply now; empty: nobody else does."""
    reply: bytes = b""
    """A reply kept for calls like this one, as `keep` was given it."""


class Verdict(Struct, frozen=True, kw_only=True):
    """How a call is like an earlier one of its scope."""

    kind: LikenessKind
    cluster: str = ""
    """What alike calls have in common; 16 hex digits, empty when it was not compared."""
    earlier: str = ""
    """Request id of the call it is like."""
    reason: str = ""
    """Why, as a short stable phrase; never a word of the prompt."""


class Obligations(Struct, frozen=True, kw_only=True):
    """What a permit still demands. (Later work adds to this.)"""

    disconnect: DisconnectMode = "drain"


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a call was turned away, in words its caller can act on."""

    code: str
    message: str
    rule: str = ""
    place: str = ""
    """`policies/default.yaml:14`"""
    retry_after_s: float = 0.0
    """Above 0 only for a throttle."""


class Decision(Struct, frozen=True, kw_only=True):
    """An effect, the rules that brought it about, and the policy that holds them."""

    effect: Effect
    reasons: tuple[str, ...] = ()
    """Ids of the rules that brought the effect about, sorted."""
    would_have: tuple[str, ...] = ()
    """Ids of shadow rules that would have refused."""
    refusal: Refusal | None = None
    obligations: Obligations = Obligations()
    policy: str = ""
    """Digest of the policy set: `sha256:` and 16 hex digits."""


class Usage(Struct, frozen=True, kw_only=True):
    """
    Tokens used, named and normalised as OpenTelemetry's GenAI conventions do.

    `input_tokens` includes what was read from and written to a provider's cache,
    and `output_tokens` includes reasoning; the last three are parts of the first two.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    basis: UsageBasis = "reported"


class Target(Struct, frozen=True, kw_only=True):
    """Who will answer a call, and under which name."""

    provider: str
    model: str
    """The provider's name for the model: what `model` is replaced with when it differs."""
    format: str
    """`openai`, `anthropic`, `simulated` or `litellm`."""


class Reply(Struct, frozen=True, kw_only=True):
    """What a provider answers: its head now, its body as it arrives."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Already through the allow-list; names in lower case."""
    chunks: AsyncIterator[bytes]
    """The body, untouched. Ends early by raising `errors.ProviderCut`."""
    close: Callable[[], Awaitable[None]]
    """Give the connection up at once (needed only when `chunks` was not read to its end)."""
    stream: bool
    """Whether the body is a stream of server-sent events."""
    resumable: bool = False
    """Whether `chunks` can be read on by another job when the job that read it was cancelled."""


class Figures(Struct, frozen=True, kw_only=True):
    """What reading a reply told, whole or cut short."""

    usage: Usage | None = None
    """As the provider reported it, normalised; None when it sent none."""
    text_bytes: int = 0
    """UTF-8 bytes of generated content (text, reasoning, tool arguments) that went by."""
    text_events: int = 0
    """Stream events that carried generated content."""
    ended: bool = False
    """Whether the reply came to its proper end (terminal event, or the whole body)."""
    failed: bool = False
    """Whether the reply is an error: an error status, or an error event in a stream."""


class Price(Struct, frozen=True, kw_only=True):
    """USD per million tokens of one model, and its limits."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    """None: as input."""
    cache_write: Decimal | None = None
    """None: as input."""
    input_tokens_max: int | None = None
    output_tokens_max: int | None = None


class Reserve(Struct, frozen=True, kw_only=True):
    """The most a call can come to: what quotas reserve and orphans settle at."""

    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


class Attempt(Struct, frozen=True, kw_only=True):
    """One attempt to serve a call: all that is known before anything is sent."""

    request_id: str
    attempt_id: str
    received_at_us: int
    call: Call
    principal: Principal
    link: TaskLink
    target: Target
    reserve: Reserve
    decision: Decision
    verdict: Verdict | None = None
    """None: a rule had refused the call before its likeness was asked for."""
    units: tuple[str, ...] = ()
    """The 64 smallest keyed hashes of the turn's own 5-grams, 16 hex digits each, sorted."""
    served: ServedKind = "forwarded"
    """`coalesced` or `reused` when another call's reply answers it."""
    shares: str = ""
    """Request id of the call whose reply answers it; empty for a forwarded one."""
    catalogue: str
    """Digest of the catalogue the link was judged by."""
    prices: str
    """Digest of the price table."""


class Result(Struct, frozen=True, kw_only=True):
    """What an attempt came to."""

    usage: Usage
    cost_usd: Decimal
    completion: Completion
    status: int
    """HTTP status of the provider's reply; 0 when there was none."""
    settled_at_us: int
    first_token_us: int | None = None
    """From receipt to the first byte of the body; None when there was none."""
