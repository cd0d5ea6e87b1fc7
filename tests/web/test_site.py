"""What anybody may read of a gateway, without a key."""

import pytest

from gateway.web import site

ASK = ": `goodgate doctor` with an admin's key says what is wrong there"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("", ""),
        ("policies/a.yaml:3:7: read 'sk-secret', expected a name", f"policies/a.yaml:3:7{ASK}"),
        ("a.yaml:1:1: x\nb.yaml:2:2: sk-secret: y\nc.yaml:3:3: z", f"a.yaml:1:1 and 2 more{ASK}"),
        ("/etc/goodgate/goodgate.yaml:2:1: x", f"goodgate/goodgate.yaml:2:1{ASK}"),
        ("sk-secret is not a mapping", f"a file{ASK}"),
    ],
)
def test_a_refused_reload_is_told_by_its_places_alone(error: str, told: str) -> None:
    """A mistake quotes the file, and a key may stand there."""
    assert site.where(error) == told
