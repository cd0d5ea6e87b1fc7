"""
The files admins edit, read from disk: goodgate.yaml and the folder of policies.

What each says by itself is checked by its own room. Here the two are held against one
another: a rule that sends calls to a model or a provider nobody knows is a mistake of the
rule; one that sends them to a provider which does not speak every caller's format is told in
a note, for it may never meet the others.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from msgspec import Struct

from gateway import metering, policy, settings, upstream, wire
from gateway.app.folders import policy_files, policy_folder
from gateway.documents import nearest
from gateway.errors import ConfigError

MISTAKES_MAX: Final = 100

__all__ = ["Sources", "against", "policy_files", "policy_folder", "read"]


class Sources(Struct, frozen=True, kw_only=True):
    """All of it, checked; nothing of it is in force yet."""

    deployment: settings.Deployment
    policies: policy.PolicySet
    files: tuple[tuple[str, str], ...]
    """Name and text of each policy file: what the set was made of."""
    prices: metering.PriceBook
    notes: tuple[str, ...] = ()
    """What an admin should know although nothing is wrong: of the policies, and of both."""


def read(options: settings.Settings, environ: Mapping[str, str]) -> Sources:
    """
    Read and check everything.

    Raises:
        ConfigError: with every mistake, a line each.

    """
    mistakes: list[str] = []
    deployment: settings.Deployment | None = None
    try:
        deployment = settings.load(options.config, environ)
    except ConfigError as error:
        mistakes.append(str(error))
    try:
        files = policy_files(options.policies)
        policies = policy.load(files)
    except ConfigError as error:
        raise ConfigError("\n".join([*mistakes, str(error)])) from None
    if deployment is None:
        raise ConfigError("\n".join(mistakes))
    return Sources(
        deployment=deployment,
        policies=policies,
        files=tuple(files),
        prices=metering.PriceBook(deployment.prices),
        notes=policies.notes + against(policies, deployment),
    )


def against(policies: policy.PolicySet, deployment: settings.Deployment) -> tuple[str, ...]:
    """
    Return a note for each `route` rule that cannot serve every format under a deployment.

    Raises:
        ConfigError: a line for each rule that sends calls where nobody can answer them.

    """
    routed = [rule for rule in policies.rules if rule.route is not None]
    found = (line for rule in routed for line in _mistakes(rule, deployment))
    # Each looks for the nearest name: a hundred are enough to begin with.
    mistakes = list(islice(found, MISTAKES_MAX))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return tuple(note for rule in routed for note in _notes(rule, deployment))


def _mistakes(rule: policy.Rule, deployment: settings.Deployment) -> Iterator[str]:
    assert rule.route is not None
    model, provider = rule.route.model, rule.route.provider
    if provider:
        # Its models are for the provider to know: any name may be one of them.
        what, name, known = "provider", provider, list(deployment.providers)
    else:
        what, name, known = "model", model, [each for each in deployment.models if each != "*"]
    if name in known or (what == "model" and "*" in deployment.models):
        return
    hint = nearest(name, known) or f"; there are: {', '.join(sorted(known)[:10])}"
    yield (
        f"{rule.refusal.place}: the rule {rule.id!r} sends calls to the {what} {name!r}, expected "
        f"one of `{what}s` in {deployment.source or 'goodgate.yaml'}{hint}"
    )


def _notes(rule: policy.Rule, deployment: settings.Deployment) -> Iterator[str]:
    assert rule.route is not None
    model, provider = rule.route.model, rule.route.provider
    if not provider:
        entry = deployment.models.get(model) or deployment.models["*"]
        provider = entry.provider
    kind = deployment.providers[provider].format
    refused = [route.name for route in wire.ROUTES if not upstream.speaks(kind, route)]
    if refused:
        named = f"{model} at {provider}" if model else provider
        yield (
            f"{rule.refusal.place}: the rule {rule.id!r} sends calls to {named} "
            f"(`format: {kind}`): {_listed(refused)} calls that match it will be refused"
        )


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
