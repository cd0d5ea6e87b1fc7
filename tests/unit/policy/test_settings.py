"""What a policy set says once for all calls: read, and its mistakes told whole."""

from decimal import Decimal

import pytest

from gateway import policy
from gateway.errors import ConfigError
from gateway.policy.rules import CreditParameters, OnStoreFailure, Settings
from tests.unit.policy import cases


def settings(text: str) -> Settings:
    return policy.load([("a.yaml", f"version: 1\n{text}\n")]).settings


def test_a_set_that_says_nothing_has_the_defaults() -> None:
    assert settings("") == Settings()
    assert settings("credit: {}\nreuse: {}\non_store_failure: {}") == Settings()
    assert settings("credit: {umbrella: {}, unvalued_budget: team_size}") == Settings()


def test_the_parameters_of_credit_are_read() -> None:
    text = (
        "credit: {saturation: 7.50, settle_days: 0, unvalued_budget: 12, boilerplate_roots: 3,"
        " umbrella: {days: 30}}"
    )
    assert settings(text).credit == CreditParameters(
        saturation=Decimal("7.5"),
        settle_days=0,
        unvalued_budget=Decimal(12),
        boilerplate_roots=3,
        umbrella_days=30,
    )
    umbrella = settings("credit: {umbrella: {cost_share: 1}}").credit
    assert umbrella == CreditParameters(umbrella_cost_share=Decimal(1))


def test_what_happens_when_a_store_fails_is_read() -> None:
    found = settings("on_store_failure: {quotas: closed}\ndisconnect: cancel")
    assert found.on_store_failure == OnStoreFailure(quotas="closed", ledger="closed")
    assert found.obligations.disconnect == "cancel"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("credit: 5", "2:9: read the number '5', expected credit: a mapping"),
        ("credit: {saturation: 0}",
         "2:22: read the number '0' in 'saturation', expected a number from 0.1 to 1,000"),
        ("credit: {settle_days: 366}",
         "2:23: read the number '366' in 'settle_days', expected a whole number from 0 to 365"),
        ("credit: {unvalued_budget: teamsize}",
         ("2:27: read the text 'teamsize' in 'unvalued_budget', expected team_size, "
         "or a number from 0 to 1,000,000; did you mean 'team_size'?")),
        ("credit: {umbrella: {days: 0}}",
         "2:27: read the number '0' in 'days', expected a whole number from 1 to 3,650"),
        ("credit: {umbrella: {cost_share: 1.1}}",
         "2:33: read the number '1.1' in 'cost_share', expected a number from 0.01 to 1"),
        ("credit: {umbrela: {}}",
         "2:10: unknown key 'umbrela' in credit; did you mean 'umbrella'?"),
        ("credit: {umbrella: 90}", "2:20: read the number '90', expected umbrella: a mapping"),
        ("disconnect: [drain]",
         "2:13: read a list in 'disconnect', expected one of drain, cancel"),
        ("on_store_failure: {ledger: open}",
         "2:28: read the text 'open' in 'ledger', expected one of closed, spool"),
        ("reuse: {exact: store}",
         "2:9: 'exact: store' needs 'ttl', how long a reply is kept: such as ttl: 10m"),
        ("reuse: {ttl: 1m}",
         "2:9: 'ttl' goes with 'exact: store' alone: nothing else keeps replies"),
        ("reuse: {exact: store, ttl: 8d}",
         ("2:28: read the text '8d' in 'ttl', "
         "expected a time such as 30s, 1m, 6h or 1d, at most 7d")),
    ],
)  # fmt: skip
def test_a_mistake_in_a_setting_is_told_whole(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy.load([("a.yaml", f"version: 1\n{text}\n")])
    assert str(caught.value) == f"a.yaml:{said}"


def test_credit_given_twice_must_be_equal() -> None:
    one, same = "version: 1\ncredit: {saturation: 5}\n", "version: 1\ncredit: {saturation: 5.0}\n"
    assert policy.load([("a.yaml", one), ("b.yaml", same)]).settings.credit.saturation == 5
    with pytest.raises(ConfigError, match=r"b\.yaml:2:9: 'credit' says otherwise than"):
        policy.load([("a.yaml", one), ("b.yaml", one.replace("5", "6"))])


def test_a_rule_and_a_setting_may_stand_in_one_file() -> None:
    found = cases.load("{id: a, effect: forbid}", extra="credit: {settle_days: 1}\n")
    assert (len(found.rules), found.settings.credit.settle_days) == (1, 1)
