"""
What a policy set says once, for all calls: the keys of the language, and their reading.

Each setting is a top-level key of a policy file; two files may say the same, and no two
files something else.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from gateway.policy.language.bonds import Bond, Has, Is, NotAll, without
from gateway.policy.language.forms import Form
from gateway.policy.language.kinds import Choice, Either, Key, Number, Shape, Time, Whole
from gateway.policy.rules import CreditParameters, OnStoreFailure, Reuse, Settings
from gateway.values import Obligations

TEAM_SIZE = "team_size"
"""What `unvalued_budget` says to stand for the size of the team."""

_ON_STORE_FAILURE = Shape(
    what="on_store_failure",
    about="What happens while a store cannot be reached.",
    keys=(
        Key(
            name="quotas",
            kind=Choice(
                names={
                    "share": "each replica enforces its share of a limit by itself",
                    "closed": "no calls are taken",
                }
            ),
            about="While quotas cannot be counted.",
            default="share",
        ),
        Key(
            name="ledger",
            kind=Choice(
                names={
                    "closed": "no calls are taken",
                    "spool": "each replica records them in a file of its own, and moves them over"
                    " once PostgreSQL is back",
                }
            ),
            about="While PostgreSQL cannot be reached.",
            default="closed",
        ),
    ),
)
_REUSE = Shape(
    what="reuse",
    like="{exact: coalesce, share: principal}",
    about="Which calls may be answered by the reply to another that is exactly alike.",
    keys=(
        Key(
            name="exact",
            kind=Choice(
                names={
                    "off": "none: each call is sent",
                    "coalesce": "those under way at once, unless answers are to differ",
                    "coalesce_sampled": "those under way at once, even then",
                    "store": "as coalesce, and later ones for the ttl",
                }
            ),
            about="Which identical calls share a reply.",
            default="off",
        ),
        Key(
            name="share",
            kind=Choice(
                names={
                    "principal": "the calls of one person",
                    "team": "the calls of one team",
                    "tenant": "all calls of a tenant",
                }
            ),
            about="Among whose calls.",
            default="principal",
        ),
        Key(
            name="ttl",
            kind=Time(days_max=7),
            about="How long `exact: store` keeps a reply.",
            examples=("10m", "1h", "1d"),
        ),
    ),
    bonds=(
        Bond(
            must=NotAll((Is("exact", ("store",)), without("ttl"))),
            at="exact",
            said="'exact: store' needs 'ttl', how long a reply is kept: such as ttl: 10m",
        ),
        Bond(
            must=NotAll((Has("ttl"), NotAll((Is("exact", ("store",)),)))),
            at="ttl",
            said="'ttl' goes with 'exact: store' alone: nothing else keeps replies",
        ),
    ),
)
_UMBRELLA = Shape(
    what="umbrella",
    about="When a root is marked as holding too much.",
    keys=(
        Key(
            name="days",
            kind=Whole(least=1, most=3_650),
            about="Open for longer than this many days.",
            default=90,
        ),
        Key(
            name="cost_share",
            kind=Number(least=Decimal("0.01"), most=Decimal(1)),
            about="More than this share of its team's cost, and no outcome.",
            default=0.2,
        ),
    ),
)
_CREDIT = Shape(
    what="credit",
    about="The parameters of credit: part of the digest, so versioned with the rules.",
    keys=(
        Key(
            name="saturation",
            kind=Number(least=Decimal("0.1"), most=Decimal(1_000)),
            about="S of 1 - e^(-x/S): how fast new work of one root earns less.",
            default=10,
        ),
        Key(
            name="settle_days",
            kind=Whole(least=0, most=365),
            about="How many days an acceptance is provisional.",
            default=7,
        ),
        Key(
            name="unvalued_budget",
            kind=Either(
                name=TEAM_SIZE,
                number=Number(least=Decimal(0), most=Decimal(1_000_000)),
            ),
            about="What the roots of a team that nobody valued share in a month.",
            default=TEAM_SIZE,
        ),
        Key(
            name="boilerplate_roots",
            kind=Whole(least=2, most=1_000_000),
            about="What so many roots say in a month counts for none, from the next version on.",
            default=20,
        ),
        Key(
            name="umbrella",
            kind=_UMBRELLA,
            about="When a root is marked as holding too much.",
        ),
    ),
)
SETTINGS = (
    Key(
        name="disconnect",
        kind=Choice(
            names={
                "drain": "its reply is read to the end, so that its cost is known",
                "cancel": "the provider is stopped; what was used is counted",
            }
        ),
        about="What happens to a reply whose caller hung up.",
        default="drain",
    ),
    Key(
        name="on_store_failure",
        kind=_ON_STORE_FAILURE,
        about="What happens while a store cannot be reached.",
    ),
    Key(
        name="reuse",
        kind=_REUSE,
        about="Which calls may be answered by the reply to another that is exactly alike.",
    ),
    Key(
        name="credit",
        kind=_CREDIT,
        about="The parameters of credit: part of the digest, so versioned with the rules.",
    ),
)


def settings_of(found: Mapping[str, Any]) -> Settings:
    """Return the settings files give, by key, and the default of every other."""
    return Settings(
        obligations=Obligations(disconnect=found.get("disconnect", "drain")),
        credit=found.get("credit", CreditParameters()),
        on_store_failure=found.get("on_store_failure", OnStoreFailure()),
        reuse=found.get("reuse", Reuse()),
    )


def read_settings(form: Form) -> dict[str, Any]:
    """Return what a file sets, by key; what is wrong is among the form's problems."""
    return {key: read(form) for key, read in _READERS.items() if key in form}


def _disconnect(form: Form) -> str:
    return form.get("disconnect", "drain")


def _on_store_failure(form: Form) -> OnStoreFailure:
    inner = Form(_ON_STORE_FAILURE, form.at("on_store_failure"), form.problems)
    return OnStoreFailure(**inner.values)


def _reuse(form: Form) -> Reuse:
    found = Form(_REUSE, form.at("reuse"), form.problems).values
    ttl_s = found.pop("ttl", 0)
    return Reuse(**found, ttl_s=ttl_s)


def _credit(form: Form) -> CreditParameters:
    inner = Form(_CREDIT, form.at("credit"), form.problems)
    default = CreditParameters()
    umbrella = {}
    if "umbrella" in inner:
        umbrella = Form(_UMBRELLA, inner.at("umbrella"), form.problems).values
    unvalued: Decimal | str = inner.get("unvalued_budget", TEAM_SIZE)
    return CreditParameters(
        saturation=inner.get("saturation", default.saturation),
        settle_days=inner.get("settle_days", default.settle_days),
        unvalued_budget=unvalued if isinstance(unvalued, Decimal) else None,
        boilerplate_roots=inner.get("boilerplate_roots", default.boilerplate_roots),
        umbrella_days=umbrella.get("days", default.umbrella_days),
        umbrella_cost_share=umbrella.get("cost_share", default.umbrella_cost_share),
    )


_READERS: Mapping[str, Callable[[Form], Any]] = {
    "disconnect": _disconnect,
    "on_store_failure": _on_store_failure,
    "reuse": _reuse,
    "credit": _credit,
}
