"""Keys: made, listed, rotated, revoked. A credential is in one reply, ever."""

import asyncio
from typing import Annotated, Any

from msgspec import Meta, Struct

from gateway import identity
from gateway.values import Key, Role
from gateway.web.api_terms import Api, Ask, Name, body_of, query_of, utc

_TEN_YEARS_S = 10 * 366 * 86_400


class KeyWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an admin may say about a new key, and nothing more."""

    principal: Name
    team: Name
    role: Role = "developer"
    models: Annotated[list[Name], Meta(max_length=200)] = []
    expires_in_s: Annotated[int, Meta(ge=1, le=_TEN_YEARS_S)] | None = None


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """A body with no fields."""


async def create(api: Api, ask: Ask) -> dict[str, Any]:
    """Return a new key's credential, shown this once; it is filed hashed."""
    wish, now = body_of(ask, KeyWish), api.clock()
    credential, key = identity.mint(
        pepper=api.pepper,
        principal_id=wish.principal,
        team=wish.team,
        role=wish.role,
        models=wish.models,
        now=now,
        expires_at=None if wish.expires_in_s is None else now + wish.expires_in_s,
    )
    await asyncio.to_thread(api.registry.add_key, key)
    return {"key": credential, **_shown(key)}


async def listing(api: Api, ask: Ask) -> list[dict[str, Any]]:
    """Return every key, without its secret; newest first."""
    query_of(ask, ())
    return [_shown(key) for key in reversed(api.registry.list_keys())]


async def rotate(api: Api, ask: Ask) -> dict[str, Any]:
    """Return a credential in place of one that is revoked now; what it may do is the same."""
    body_of(ask, Nothing)
    old_id = ask.place["id"]
    credential, key = await asyncio.to_thread(
        api.registry.rotate_key, old_id, pepper=api.pepper, now=api.clock()
    )
    return {"key": credential, **_shown(key), "replaces": old_id}


async def revoke(api: Api, ask: Ask) -> dict[str, Any]:
    """Revoke a key: dead within five seconds on every server. A second time does nothing."""
    body_of(ask, Nothing)
    key = await asyncio.to_thread(api.registry.revoke_key, ask.place["id"], api.clock())
    return _shown(key)


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "principal": key.principal.id,
        "team": key.principal.team,
        "role": key.principal.role,
        "models": sorted(key.principal.models),
        "created_at": utc(key.created_at),
        "expires_at": utc(key.expires_at),
        "revoked_at": utc(key.revoked_at),
    }
