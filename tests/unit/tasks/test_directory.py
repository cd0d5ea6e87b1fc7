"""Who stands behind a tracker's account."""

import pytest

from gateway.errors import ConfigError
from gateway.tasks import Directory, Person
from gateway.values import Account

ANN = Person(
    principal="ann", handles={"forge": ("Ann-GH",), "jira": ("5b1",)}, emails=("ann@acme.test",)
)
BOB = Person(principal="bob", handles={"forge": ("bob-gh",)}, emails=("bob@acme.test",))
DIRECTORY = Directory({"ann": ANN, "bob": BOB})


@pytest.mark.parametrize(
    ("tracker", "account", "principal"),
    [
        ("forge", Account(handle="ann-gh"), "ann"),
        ("jira", Account(handle="5B1"), "ann"),
        ("jira", Account(handle="ann-gh"), ""),
        ("jira", Account(handle="other", email="Ann@ACME.test"), "ann"),
        ("forge", Account(handle="bob-gh", email="bob@acme.test"), "bob"),
        ("forge", Account(handle="bob-gh", email="ann@acme.test"), ""),
        ("forge", Account(handle="ann-gh", is_bot=True), ""),
        ("forge", Account(), ""),
        ("forge", None, ""),
    ],
)
def test_an_account_is_somebody_when_all_of_it_says_so(
    tracker: str, account: Account | None, principal: str
) -> None:
    assert DIRECTORY.who(tracker, account) == principal


def test_nobody_shares_a_handle_or_an_address() -> None:
    with pytest.raises(ConfigError, match="a handle of forge is given to both ann and eve"):
        Directory({"ann": ANN, "eve": Person(principal="eve", handles={"forge": ("ann-gh",)})})
    with pytest.raises(ConfigError, match="an e-mail is given to both bob and eve"):
        Directory({"bob": BOB, "eve": Person(principal="eve", emails=("Bob@acme.test",))})


def test_a_person_shows_no_address() -> None:
    assert repr(ANN) == "Person('ann')"
