"""The first candidate that asks for the same decides; none makes a turn new."""

import msgspec

from gateway.likeness import Lexicon, verdict
from gateway.likeness.findings import LITTLE, NOTHING, NUMBER, POLITENESS
from gateway.likeness.signature import Signature
from gateway.values import Earlier
from tests.unit.likeness.compared import LEXICON, words

ASK = "sort the orders of a customer by date and print the total amount of each month"


def signature(text: str) -> Signature:
    return Signature(
        kind="new",
        tool_results_only=False,
        exact=bytes(range(16)),
        words=words(text),
        tokens=text.split(),
    )


def earlier(text: str, number: int = 1) -> Earlier:
    return Earlier(request_id=f"req-{number}", cluster=f"c{number}", words=words(text))


def test_a_near_turn_joins_the_cluster_of_what_it_is_like() -> None:
    found = verdict.judge(
        signature(f"hi {ASK}"), [earlier("write a poem"), earlier(ASK, 2)], LEXICON
    )

    assert found.kind == "near"
    assert (found.cluster, found.earlier, found.reason) == ("c2", "req-2", POLITENESS)


def test_a_new_turn_begins_a_cluster_and_says_why_it_is_not_the_likest() -> None:
    known = [earlier("write a poem about the sea"), earlier(f"{ASK} 17")]

    found = verdict.judge(signature(f"{ASK} 18"), known, LEXICON)

    assert found.kind == "new"
    assert (found.cluster, found.earlier) == ("0001020304050607", "")
    assert found.reason == NUMBER


def test_without_candidates_there_is_nothing_to_say() -> None:
    assert verdict.judge(signature(ASK), [], LEXICON).reason == NOTHING


def test_only_three_candidates_are_looked_at() -> None:
    known = [earlier("write a poem about the sea")] * 3 + [earlier(ASK)]

    assert verdict.judge(signature(ASK), known, LEXICON).reason == LITTLE


def test_what_is_too_long_to_be_compared_is_like_nothing() -> None:
    longest = msgspec.structs.replace(signature(ASK), words=b"")

    assert verdict.judge(longest, [earlier(ASK)], LEXICON).reason == NOTHING
    assert verdict.judge(signature(ASK), [earlier("")], LEXICON).reason == NOTHING


def test_a_lexicon_is_prepared_once_and_only_some_are_kept() -> None:
    prepared = verdict.prepare(LEXICON)

    assert verdict.prepare(LEXICON) is prepared
    for at in range(verdict._PREPARED_MAX + 1):
        verdict.prepare(Lexicon(bytes([at]) * 32))
    assert len(verdict._prepared) <= verdict._PREPARED_MAX
