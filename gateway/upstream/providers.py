"""Who answers a call: the table goodgate.yaml makes, and the connections behind it."""

import re
from typing import Protocol

from gateway import settings
from gateway.errors import ModelUnknown, RouteUnsupported
from gateway.settings import Deployment
from gateway.upstream.fingerprints import Fingerprints
from gateway.values import Call, Reply, Route, Target

TRANSLATED_ROUTES = ("chat", "messages")
"""What `format: litellm` serves."""

_SHOWABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")
_USUAL_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


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
        self._targets: dict[str, Target] = {}
        self._catch_all: Target | None = None
        self._senders = {name: _sender(provider) for name, provider in deployment.providers.items()}
        self._fingerprints = Fingerprints(deployment.providers)
        for name, entry in deployment.models.items():
            kind = deployment.providers[entry.provider].format
            if name == "*":
                self._catch_all = Target(provider=entry.provider, model=entry.model, format=kind)
            else:
                model = entry.model or name
                self._targets[name] = Target(provider=entry.provider, model=model, format=kind)

    def names(self) -> tuple[str, ...]:
        """Return the models callers may ask for by name, sorted; a catch-all is none."""
        return tuple(sorted(self._targets))

    def target(self, call: Call) -> Target:
        """
        Return who answers a call: the entry of its model, else the catch-all.

        Raises:
            ModelUnknown: nobody serves the model, and there is no catch-all.
            RouteUnsupported: its provider does not speak the route's format.

        """
        target = self._targets.get(call.model)
        if target is None:
            target = self._caught(call.model)
        if target.format != "simulated":
            _check_route(call.inbound.route, target)
        return target

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
            shown = f"the model {model!r}" if _SHOWABLE.fullmatch(model) else "that model"
            raise ModelUnknown(f"Nobody serves {shown}; GET /v1/models lists those that are served")
        if catch_all.model:
            return catch_all
        return Target(provider=catch_all.provider, model=model, format=catch_all.format)


def _check_route(route: Route, target: Target) -> None:
    if target.format == "litellm":
        if route.name not in TRANSLATED_ROUTES:
            raise RouteUnsupported(
                f"This model is served by {target.provider!r} through litellm, which does not "
                f"serve {route.path}; call /v1/chat/completions or /v1/messages"
            )
    elif target.format != route.wire_format:
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
