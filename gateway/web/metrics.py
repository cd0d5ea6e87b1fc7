"""
Counters for `/metrics`, in Prometheus' text format.

The line only adds to plain integers; the families are made when somebody asks
(prometheus_client's `Collector` interface). Labels have few values each: never a
task, a principal, or anything a caller may choose.
"""

import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.values import LikenessKind, Usage

_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Tally:
    """Implements `ports.Tally`."""

    def __init__(self) -> None:
        self.open_calls = 0
        self.calls: Counter[tuple[str, str]] = Counter()
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.cost_nano_usd: Counter[str] = Counter()
        self.provider_errors: Counter[tuple[str, str]] = Counter()
        self.condition_errors = 0
        self.likeness: Counter[tuple[str]] = Counter()
        self.shadows: Counter[tuple[str]] = Counter()
        self.unpriced_calls = 0
        self.duration_s = Histogram()

    def began(self) -> None:
        """Count a call that is now open."""
        self.open_calls += 1

    def ended(self, route: str, decision: str, seconds: float) -> None:
        """Count a call that was open: how it was decided, and how long it took."""
        self.open_calls -= 1
        self.calls[route, decision] += 1
        self.duration_s.observe(seconds)

    def spent(self, usage: Usage, cost_nano_usd: int, *, linked: bool, priced: bool) -> None:
        """Count what a call used."""
        label = "yes" if linked else "no"
        self.tokens["input", label] += usage.input_tokens
        self.tokens["output", label] += usage.output_tokens
        self.cost_nano_usd[label] += cost_nano_usd
        if not priced:
            self.unpriced_calls += 1

    def provider_failed(self, provider: str, kind: str) -> None:
        """Count a failure of a provider, by the code of its error."""
        self.provider_errors[provider, kind] += 1

    def condition_failed(self, count: int) -> None:
        """Count conditions of rules that erred at run time."""
        self.condition_errors += count

    def would_have(self, rules: Sequence[str]) -> None:
        """Count what shadow rules would have refused or sent elsewhere, by their ids."""
        for rule in rules:
            self.shadows[(rule,)] += 1

    def recognised(self, kind: LikenessKind) -> None:
        """Count a call by how it is like an earlier one."""
        self.likeness[(kind,)] += 1


class Histogram:
    """Observations in fixed buckets, cheaper than a labelled one."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self._counts[bisect.bisect_left(_BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def family(self, name: str, help_text: str) -> Metric:
        """Return the family Prometheus reads: cumulative buckets and their sum."""
        total, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        family = HistogramMetricFamily(name, help_text)
        family.add_metric([], buckets, self._sum_s)
        return family


class Exposition(Collector):
    """What `/metrics` shows: the tally, and gauges read when asked."""

    def __init__(self, tally: Tally, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self._tally = tally
        self._gauges = gauges
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the page, in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield every family (prometheus_client calls this)."""
        tally = self._tally
        yield _counter(
            "goodgate_calls", "Calls by route and decision.", ("route", "decision"), tally.calls
        )
        yield _counter(
            "goodgate_tokens",
            "Tokens by kind, and whether a verified task stands behind them.",
            ("kind", "linked"),
            tally.tokens,
        )
        cost = {(linked,): nano / 1e9 for linked, nano in tally.cost_nano_usd.items()}
        yield _counter(
            "goodgate_cost_usd",
            "Cost in US dollars, and whether a verified task stands behind it.",
            ("linked",),
            cost,
        )
        yield _counter(
            "goodgate_upstream_errors",
            "Failures of providers, by the code of the error.",
            ("provider", "kind"),
            tally.provider_errors,
        )
        yield _counter(
            "goodgate_policy_condition_errors",
            "Conditions of rules that erred while a call was decided.",
            (),
            {(): tally.condition_errors},
        )
        yield _counter(
            "goodgate_policy_would_have",
            "Calls that a rule in shadow mode would have refused or sent elsewhere.",
            ("rule",),
            tally.shadows,
        )
        yield _counter(
            "goodgate_likeness",
            "Calls by how they are like an earlier one of the same person and task.",
            ("kind",),
            tally.likeness,
        )
        yield _counter(
            "goodgate_unpriced_calls",
            "Calls to a model the price table does not have: they cost 0 in every figure.",
            (),
            {(): tally.unpriced_calls},
        )
        yield tally.duration_s.family("goodgate_call_duration_seconds", "How long calls were open.")
        yield GaugeMetricFamily(
            "goodgate_open_calls", "Calls being served now.", value=tally.open_calls
        )
        for name, (help_text, read) in self._gauges.items():
            yield GaugeMetricFamily(name, help_text, value=read())


Labels = TypeVar("Labels", bound=tuple[str, ...])


def _counter(
    name: str, help_text: str, labels: tuple[str, ...], values: Mapping[Labels, float]
) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family
