"""
The language of policy files, its clauses: quota, budget, route and obligations.

The other half of the description is `policy.model`, which says what rules and files hold.
"""

from collections.abc import Mapping
from decimal import Decimal

from gateway.policy.facts import COUNTABLE, DECLARED, KEPT
from gateway.policy.language import headers
from gateway.policy.language.bonds import Bond, NotAll, One, Some, has
from gateway.policy.language.kinds import (
    Choice,
    Entries,
    Key,
    Names,
    Number,
    Shape,
    Text,
    Time,
    Whole,
)
from gateway.values import DrawUnit

AMOUNT_MAX = 10**15
COST_USD_MAX = 10**9
UNITS: tuple[DrawUnit, ...] = ("calls", "tokens", "cost_usd")


def _by(names: Mapping[str, str]) -> Names:
    about = {name: DECLARED[fact].about for name, fact in names.items()}
    return Names(names=about, meant=_MEANT)


_MEANT = dict.fromkeys(("user", "person", "developer", "caller"), "principal") | {
    "api_key": "key",
    "group": "team",
    "project": "root",
}


_KEPT = (*KEPT, *(COUNTABLE[name] for name in KEPT))
QUOTA_BY = _by(COUNTABLE)
BUDGET_BY = _by({name: COUNTABLE[name] for name in _KEPT})

_NONE = "; to allow none, use 'effect: forbid'"
_COST = Number(least=Decimal("0.000001"), most=Decimal(COST_USD_MAX), hint=_NONE)
_AMOUNTS = (
    Key(name="calls", kind=Whole(least=1, most=AMOUNT_MAX, hint=_NONE), about="So many calls."),
    Key(
        name="tokens",
        kind=Whole(least=1, most=AMOUNT_MAX, hint=_NONE),
        about="So many tokens, of input and output together.",
    ),
    Key(name="cost_usd", kind=_COST, about="So much money, in US dollars."),
)
_COUNT_BY = "What is counted apart: each value has a counter of its own. `[]`: one for all."
_BY_LIKE = "by: [principal], say, or by: [] to count all calls together"

QUOTA = Shape(
    what="a quota",
    like="{calls: 10, per: 1m, by: [principal]}",
    about="Slows calls down: so many at once, and at most twice as many in any window.",
    keys=(
        *_AMOUNTS,
        Key(
            name="concurrent",
            kind=Whole(least=1, most=1_000_000, hint=_NONE),
            about="So many calls under way at once; it goes without `per`.",
        ),
        Key(
            name="per",
            kind=Time(days_max=31),
            about="The window: a time such as `30s`, `1m`, `6h` or `1d`.",
            examples=("30s", "1m", "1h", "1d"),
        ),
        Key(name="by", kind=QUOTA_BY, about=_COUNT_BY, required=True, like=_BY_LIKE),
    ),
    bonds=(
        Bond(
            must=One(has(*UNITS, "concurrent")),
            said=f"a quota needs exactly one of {', '.join(UNITS)}, concurrent",
        ),
        Bond(
            must=Some(has("per", "concurrent")),
            said="a quota needs 'per', the window it counts in, and it is missing: write per: 1m",
        ),
        Bond(
            must=NotAll(has("concurrent", "per")),
            at="per",
            said="'per' does not go with 'concurrent', which counts calls under way: remove it",
        ),
    ),
)
BUDGET = Shape(
    what="a budget",
    like="{cost_usd: 10, period: day, by: [task]}",
    about="Refuses calls once it is used up; exact in its calendar period, in UTC.",
    keys=(
        *_AMOUNTS,
        Key(
            name="period",
            kind=Choice(
                names={
                    "hour": "begins anew each hour",
                    "day": "begins anew at midnight, UTC",
                    "week": "begins anew on Monday, UTC",
                    "month": "begins anew on the first, UTC",
                }
            ),
            about="The calendar period it is for.",
            required=True,
            like="period: hour, day, week or month",
        ),
        Key(name="by", kind=BUDGET_BY, about=_COUNT_BY, required=True, like=_BY_LIKE),
    ),
    bonds=(Bond(must=One(has(*UNITS)), said=f"a budget needs exactly one of {', '.join(UNITS)}"),),
)
_NAME = Text(pattern="[A-Za-z0-9][A-Za-z0-9._-]{0,63}", said="a provider's name from goodgate.yaml")
_MODEL = Text(pattern=r"(?!\*$)[!-~]{1,200}", said="a model's name from goodgate.yaml")
ROUTE = Shape(
    what="a route",
    like="{model: gpt-5-mini}",
    about="Who answers the call instead: a model, a provider, or both.",
    keys=(
        Key(
            name="model",
            kind=_MODEL,
            about="The model to ask for instead, one of `models` in goodgate.yaml.",
        ),
        Key(
            name="provider",
            kind=_NAME,
            about="The provider to ask instead, one of `providers` in goodgate.yaml.",
        ),
        Key(
            name="priority",
            kind=Whole(least=-1_000_000, most=1_000_000),
            about="Of the matching routes, the one with the highest priority has its way.",
            default=0,
        ),
    ),
    bonds=(Bond(must=Some(has("model", "provider")), said="a route needs 'model' or 'provider'"),),
)

_VALUE = Text(
    pattern="[!-~](?:[ -~]{0,1022}[!-~])?",
    said="printable ASCII in quotes, 1 to 1,024 characters, with no blank at either end",
)


def _headers(reserved: tuple[headers.Reserved, ...]) -> Entries:
    said = "a header that rules may set, in lower case"
    key = Text(pattern=headers.pattern(reserved), said=said)
    return Entries(key=key, value=_VALUE, most=headers.HEADERS_MAX)


PROVIDER_HEADERS = _headers(headers.PROVIDER)
REPLY_HEADERS = _headers(headers.REPLY)
OBLIGATIONS = Shape(
    what="obligations",
    like="{max_output_tokens: 4000}",
    about="What a call that is permitted still has to keep to.",
    keys=(
        Key(
            name="max_output_tokens",
            kind=Whole(least=1, most=10_000_000),
            about="The most tokens the answer may have; of several rules the least holds.",
        ),
        Key(
            name="provider_headers",
            kind=PROVIDER_HEADERS,
            about="Headers added to what the provider is sent. Not in a team's own file.",
        ),
        Key(name="reply_headers", kind=REPLY_HEADERS, about="Headers added to the reply."),
        Key(
            name="note",
            kind=Text(
                pattern=r"[\n -~]*[!-~][\n -~]*",
                said="some printable ASCII, in quotes",
                length_max=300,
            ),
            about="What the caller is told in `x-goodgate-note`.",
        ),
    ),
    bonds=(
        Bond(
            must=Some(has("max_output_tokens", "provider_headers", "reply_headers", "note")),
            said="obligations are 'max_output_tokens', 'provider_headers', 'reply_headers' or "
            "'note', and none is there",
        ),
    ),
)
