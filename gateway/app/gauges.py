"""What `/metrics` says of a gateway's state, beside what it counted."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from gateway.app.stores import FileLedger

if TYPE_CHECKING:
    from gateway.app import Application

Gauges: TypeAlias = Mapping[str, tuple[str, Callable[[], float]]]
"""Help text and value, by name."""


def of(application: "Application") -> Gauges:
    """Return all there are."""
    return {
        **_policy(application),
        **_ledger(application),
        "goodgate_flights": (
            "Provider calls under way whose reply others may share.",
            lambda: float(application.flights.under_way),
        ),
        **_fleet(application),
        **_store(application),
    }


def _policy(application: "Application") -> Gauges:
    reloader = application.reloader
    return {
        "goodgate_policy_reload_success": (
            "Whether the last reload was put in force.",
            lambda: float(reloader.state.succeeded),
        ),
        "goodgate_policy_reload_timestamp_seconds": (
            "When a reload was last put in force, Unix time.",
            lambda: reloader.state.succeeded_at,
        ),
        "goodgate_policy_rules": (
            "Rules in force.",
            lambda: float(len(application.gateway.snapshot.policies.rules)),
        ),
    }


def _ledger(application: "Application") -> Gauges:
    ledger = application.ledger
    return {
        "goodgate_ledger_backlog": (
            "Records that are durable and not yet in order.",
            lambda: float(ledger.backlog),
        ),
        "goodgate_ledger_set_aside": (
            "Records set aside since the start: one number or attempt twice, with other bytes.",
            lambda: float(ledger.clashes),
        ),
    }


def _fleet(application: "Application") -> Gauges:
    ledger = application.ledger
    if isinstance(ledger, FileLedger):
        return {}
    return {
        "goodgate_ledger_leads": (
            "Whether this replica puts the records of all in order.",
            lambda: float(ledger.state.epoch is not None),
        ),
        "goodgate_ledger_away": (
            "Whether PostgreSQL cannot be reached from here.",
            lambda: float(ledger.state.away_since_s is not None),
        ),
        "goodgate_ledger_spooled": (
            "Records that wait in this replica's folder for PostgreSQL.",
            lambda: float(ledger.state.spooled),
        ),
    }


def _store(application: "Application") -> Gauges:
    if application.shared is None:
        return {}
    quotas = application.shared.quotas
    return {
        "goodgate_store_shared": (
            "Whether Redis decides for all replicas now (1), or this one by itself (0).",
            lambda: float(quotas.state.is_shared),
        ),
        "goodgate_store_replicas": (
            "Replicas that share the store, as last known.",
            lambda: float(quotas.state.replicas),
        ),
        "goodgate_store_outages": (
            "How often the store was gone.",
            lambda: float(quotas.state.outages),
        ),
        "goodgate_store_fallbacks": (
            "Calls this replica decided without the store.",
            lambda: float(quotas.state.fallbacks),
        ),
    }
