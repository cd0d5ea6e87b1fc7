"""Quotas, budgets and calls under way: the arithmetic, and the counters of one process."""

from gateway.quota.bucket import SLACK, Bucket, actual, retry_after_s, stand
from gateway.quota.counters import (
    AWAIT_END_S,
    PERIOD_S_MAX,
    CounterKey,
    Counters,
    Drawn,
    Held,
)

__all__ = [
    "AWAIT_END_S",
    "PERIOD_S_MAX",
    "SLACK",
    "Bucket",
    "CounterKey",
    "Counters",
    "Drawn",
    "Held",
    "actual",
    "retry_after_s",
    "stand",
]
