"""Who answers a call: the table goodgate.yaml makes, and the connections behind it."""

import re
from typing import Final, NoReturn, Protocol

from msgspec import structs

from gateway import settings
from gateway.errors import ModelUnknown, RouteUnsupported
from gateway.settings import Deployment
from gateway.upstream.fingerprints import Fingerprints
from gateway.values import Call, Reply, Route, Target, Terms

TRANSLATED_ROUTES: Final = ("chat", "messages")
"""What `format: litellm` serves."""

_AS_ASKED: Final = Terms()
_SHOWABLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")
_USUAL_PATHS: Final = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


class Sender(Protocol):
    """One way of reaching a provider."""

    async def send(self, call: Call, target: Target) -> Reply:
        """Send a call and return the reply once its head is there."""
        ...

    async def close(self) -> None:
        """Return once every reply was read or given up, and nothing is left open."""
        ...


class Providers:
    """
    One deployment's providers; implements `ports.Upstream`.

    A reload builds a new one and closes the old: calls under way end on the old.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._senders = {name: _sender(provider) for name, provider in deployment.providers.items()}
        self._fingerprints = Fingerprints(deployment.providers)
        self._unnamed = {name: _unnamed(each) for name, each in deployment.providers.items()}
        self._targets = {
            name: structs.replace(self._unnamed[entry.provider], model=entry.model or name)
            for name, entry in deployment.models.items()
        }
        self._catch_all: Target | None = None
        if "*" in deployment.models:
            del self._targets["*"]
            entry = deployment.models["*"]
            self._catch_all = structs.replace(self._unnamed[entry.provider], model=entry.model)

    def names(self) -> tuple[str, ...]:
        """Return the models callers may ask for by name, sorted; a catch-all is none."""
        return tuple(sorted(self._targets))

    def target(self, call: Call, terms: Terms = _AS_ASKED) -> Target:
        """
        Return who answers a call: the entry of its model, else the catch-all, else a rule's choice.

        A rule that names a model sends the call to that model's entry (or the catch-all). One
        that names a provider sends it there, under the name the model's entry gives it if that
        provider is in it, and else under the model's own. What cannot be sent where a rule wants
        it is sent nowhere: the rule may be there for compliance.

        Raises:
            ModelUnknown: nobody serves the model, and there is no catch-all.
            RouteUnsupported: its provider does not speak the route's format, or a rule sends it
                to somebody who does not, or who is not in goodgate.yaml any more.

        """
        if terms.model or terms.provider:
            target = self._elsewhere(call, terms)
        else:
            target = self._targets.get(call.model) or self._caught(call.model)
            route = call.inbound.route
            if target.format != route.wire_format:
                _check_route(route, target)
        if terms is _AS_ASKED:
            return target
        return structs.replace(
            target, output_tokens_max=terms.output_tokens_max, headers=terms.headers
        )

    def fingerprint(self, call: Call, target: Target) -> bytes:
        """
        Return all of a call that its provider will see, but for how often its SDK has tried.

        No two calls that differ share one. It may hold a prompt: it is only to be hashed.
        """
        return self._fingerprints.of(call, target)

    async def send(self, call: Call, target: Target) -> Reply:
        """
        Send a call and return the reply once its head is there.

        Raises:
            ProviderUnreachable, ProviderTimeout, ExtraMissing

        """
        return await self._senders[target.provider].send(call, target)

    async def close(self) -> None:
        """Close every connection, once all replies under way were read or given up."""
        for sender in self._senders.values():
            await sender.close()

    def _caught(self, model: str) -> Target:
        catch_all = self._catch_all
        if catch_all is None:
            raise ModelUnknown(
                f"Nobody serves {_shown(model)}; GET /v1/models lists those that are served"
            )
        return catch_all if catch_all.model else structs.replace(catch_all, model=model)

    def _elsewhere(self, call: Call, terms: Terms) -> Target:
        """Return who answers a call that a rule sends somewhere."""
        model, route = terms.model or call.model, call.inbound.route
        served = self._targets.get(model, self._catch_all)
        if terms.provider:
            unnamed = self._unnamed.get(terms.provider)
            if unnamed is None:
                _refuse(terms, f"the provider {terms.provider!r}, which is not in goodgate.yaml")
            if served is None or served.provider != terms.provider:
                served = unnamed
        if served is None:
            _refuse(terms, f"{_shown(model)}, which nobody serves")
        if not speaks(served.format, route):
            where = f"{_shown(model)} at {served.provider!r} (`format: {served.format}`)"
            _refuse(terms, f"{where}, which does not serve {route.path}")
        return served if served.model else structs.replace(served, model=model)


def speaks(kind: str, route: Route) -> bool:
    """Return whether providers of a format serve a route."""
    if kind == "litellm":
        return route.name in TRANSLATED_ROUTES
    return kind in ("simulated", route.wire_format)


def _refuse(terms: Terms, where: str) -> NoReturn:
    raise RouteUnsupported(
        f"A rule sends this call to {where}: an admin must change the rule. "
        f"Policy: {terms.rule} ({terms.place})."
    )


def _shown(model: str) -> str:
    return f"the model {model!r}" if _SHOWABLE.fullmatch(model) else "that model"


def _unnamed(provider: settings.Provider) -> Target:
    """Return how a provider is asked, but for the name of a model."""
    # litellm knows each provider's own name for `max_tokens`; for the newer field it does not.
    usual = "max_tokens" if provider.format == "litellm" else ""
    field = provider.options.get("limit_field", usual) if provider.format == "openai" else usual
    return Target(provider=provider.name, model="", format=provider.format, limit_field=field)


def _check_route(route: Route, target: Target) -> None:
    if speaks(target.format, route):
        return
    if target.format == "litellm":
        raise RouteUnsupported(
            f"This model is served by {target.provider!r} through litellm, which does not "
            f"serve {route.path}; call /v1/chat/completions or /v1/messages"
        )
    raise RouteUnsupported(
        f"This model is served by {target.provider!r}, which does not speak the format of "
        f"{route.path}; call {_USUAL_PATHS[target.format]}, or have an admin give the provider "
        "`format: litellm`"
    )


def _sender(provider: settings.Provider) -> Sender:
    # Imported when used: a gateway with only a simulated provider stays small and starts fast.
    if provider.format == "simulated":
        from gateway.upstream.simulated import Simulated  # noqa: PLC0415 - see above

        return Simulated(provider)
    if provider.format == "litellm":
        from gateway.upstream.translated import Translated  # noqa: PLC0415 - see above

        return Translated(provider)
    from gateway.upstream.native import Native  # noqa: PLC0415 - see above

    return Native(provider)
