"""Moments as people type them."""

import pytest

from gateway import reports
from gateway.errors import InvalidRequest

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("text", "moment_us"),
    [
        ("7d", 1_794_395_200_000_000),
        (" 24H ", 1_794_913_600_000_000),
        ("2026-11-18", 1_794_960_000_000_000),
        ("2026-11-18T11:06:40Z", 1_795_000_000_000_000),
        ("2026-11-18T12:06:40.000001+01:00", 1_795_000_000_000_001),
    ],
)
def test_moments(text: str, moment_us: int) -> None:
    assert reports.moment_us(text, NOW) == moment_us


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-7d", "7d ago", "2026-13-01"])
def test_no_moment(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"write 7d \(ago\)"):
        reports.moment_us(text, NOW)
