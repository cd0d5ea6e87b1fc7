"""
Why one call was decided as it was.

For whoever made the call, and for admins and auditors; to all others a call is as unknown as one
that never was. Others than its caller see pseudonyms, as the decision log keeps them.
"""

import asyncio
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from gateway import policy
from gateway.errors import ConfigError, NotFound
from gateway.ledger import DecisionRecord, decision_log
from gateway.rehearsal.explanations import explanation
from gateway.rehearsal.explanations.explanation import Explanation
from gateway.web.api_terms import Api, Ask, Caller, query_of

UNWRITTEN_S: Final = 60.0
"""A decision younger than this may still be in memory."""
_SETS_KEPT = 8
_compiling = threading.Lock()
"""One set at a time, and each once: whoever asks for many must not hold up the line."""


async def explain(api: Api, ask: Ask) -> Explanation:
    """Return what each rule made of a call, and what the policies in force make of it now."""
    query_of(ask, ())
    record = await _find(api, ask.place["id"])
    names: Mapping[str, str] = {}
    if record is not None:
        names = _names(api, ask.caller, record)
    if record is None or not (names or ask.caller.may("audit")):
        raise NotFound(
            "no decision is kept under this id that is yours to see: check it (it is in the "
            "refusal, behind `Ref`); decisions are kept for 30 days"
        )
    # Compiling a thousand rules takes a while, and calls are being served meanwhile.
    return await asyncio.to_thread(_explained, api, record, names)


async def _find(api: Api, request_id: str) -> DecisionRecord | None:
    made_ms = decision_log.received_ms(request_id)
    if made_ms is None:
        return None
    found = await asyncio.to_thread(api.decisions.decision, request_id)
    if found is None and abs(api.clock() - made_ms / 1_000) < UNWRITTEN_S:
        await api.flush()
        found = await asyncio.to_thread(api.decisions.decision, request_id)
    return found


def _names(api: Api, caller: Caller, record: DecisionRecord) -> Mapping[str, str]:
    """Return the facts a caller may see as they are: who they are themselves; none for others."""
    weekly, principal = api.weekly, caller.principal
    if caller.key is None or weekly(principal.id, record.at_us) != record.principal:
        return {}
    names = {"principal.id": principal.id}
    if weekly(f"key {principal.key_id}", record.at_us) == record.facts["principal.key_id"]:
        names["principal.key_id"] = principal.key_id
    return names


def _explained(api: Api, record: DecisionRecord, names: Mapping[str, str]) -> Explanation:
    in_force = api.policies()
    then = in_force
    if then is None or then.digest != record.policy:
        then = _policies(api, record.policy)
    return explanation.explain_record(record, then, names=names, in_force=in_force)


def _policies(api: Api, digest: str) -> policy.PolicySet | None:
    """Return the policies behind a digest; None when they are lost, or of a language since left."""
    files = api.decisions.policy_files(digest)
    if files is None:
        return None
    try:
        with _compiling:
            return _loaded(tuple((name, text) for name, text in files))
    except ConfigError:
        return None


@lru_cache(maxsize=_SETS_KEPT)
def _loaded(files: tuple[tuple[str, str], ...]) -> policy.PolicySet:
    return policy.load(files)
