"""Draws of every sort for the tests of every store of quotas."""

from gateway.values import Draw, DrawUnit, Reservation, Usage

NOW = 1_795_348_800.25
DAY_S = 86_400.0


def rate(
    amount: int = 1,
    *,
    limit: int = 10,
    window_s: float = 60,
    key: str = "rate",
    unit: DrawUnit = "calls",
    shadow: bool = False,
) -> Draw:
    return Draw(
        rule=key, key=key, unit=unit, amount=amount, limit=limit, window_s=window_s, shadow=shadow
    )


def budget(
    amount: int = 1,
    *,
    limit: int = 10,
    key: str = "budget",
    unit: DrawUnit = "calls",
    start: float = NOW - 100,
    shadow: bool = False,
) -> Draw:
    return Draw(
        rule=key,
        key=key,
        unit=unit,
        amount=amount,
        limit=limit,
        window_s=DAY_S,
        period_start=start,
        shadow=shadow,
    )


def tokens(used: int) -> Usage:
    return Usage(input_tokens=used)


def taken(reservation: Reservation) -> list[bool]:
    return [reading.taken for reading in reservation.readings]


def concurrent(
    limit: int = 10, *, key: str = "at once", shadow: bool = False, by_cluster: bool = False
) -> Draw:
    """A call under way, of so many at once."""
    return Draw(
        rule=key,
        key=key,
        unit="concurrent",
        amount=1,
        limit=limit,
        window_s=0,
        shadow=shadow,
        by_cluster=by_cluster,
    )


def meter(amount: int = 1, *, key: str = "usage.task.day.tokens") -> Draw:
    """An amount that is only counted."""
    return Draw(
        rule=key,
        key=key,
        unit="tokens",
        amount=amount,
        limit=2**52,
        window_s=DAY_S,
        period_start=NOW - 100,
        shadow=True,
        meter=True,
    )
