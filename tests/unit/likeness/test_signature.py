"""A turn's signature: its kind, and hashes that tell alike turns and nothing else."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import Observer, Signature, WordClass
from gateway.likeness.signature import TOKENS_MAX
from gateway.values import Earlier, Turn

_SCOPE = b"s" * 16
_OBSERVER = Observer(b"a secret of these tests")
_SAID = "Fix the failing parser of dates in issue 123 and keep all tests green"
_IMAGE, _OTHER_IMAGE = b"\x01" * 32, b"\x02" * 32


def _observe(*texts: str, root: str | None = "root", **more: object) -> Signature:
    turn = Turn(texts=texts, **more)  # type: ignore[arg-type]  # the fields of a turn
    return _OBSERVER.observe(turn, scope=_SCOPE, root=root)


def _earlier(signature: Signature) -> Earlier:
    return Earlier(request_id="req_1", cluster="c" * 16, words=signature.words)


@pytest.mark.parametrize(
    "text", ["", "yes", "OK, go ahead!", "  \n", "[Request interrupted by user]"]
)
def test_a_turn_that_says_too_little_is_short_and_not_compared(text: str) -> None:
    signature = _observe(text)
    assert signature.kind == "short"
    assert not signature.tool_results_only
    assert (signature.words, signature.features) == (b"", ())
    assert len(signature.exact) == 16


@pytest.mark.parametrize("texts", [(), ("",), ("<system-reminder>Go on.</system-reminder>",)])
def test_a_turn_of_results_only_is_a_continuation(texts: tuple[str, ...]) -> None:
    signature = _observe(*texts, results=("the test of dates failed in line 12",))
    assert signature.kind == "continuation"
    assert signature.tool_results_only
    assert (signature.words, signature.features, signature.tokens) == (b"", (), ())
    assert len(signature.units) == 4  # the last is that of the number
    assert not _observe(*texts, results=("the test failed",), root=None).units


def test_continuations_differ_by_results_and_attachments() -> None:
    exact = {
        _observe(results=results, attachments=attachments).exact
        for results in (("a", "b"), ("ab",))
        for attachments in ((), (_IMAGE,))
    }
    assert len(exact) == 4


def test_anything_else_is_to_be_compared() -> None:
    signature = _observe(_SAID)
    assert signature.kind == "new"
    assert signature.tokens == _SAID.lower().split()
    assert len(signature.words) == 3 * len(signature.tokens)
    assert 3 <= len(signature.features) <= 12
    assert all(len(feature) == 3 for feature in signature.features)
    assert len(signature.units) == len(signature.tokens) - 4
    assert not _observe(_SAID, root=None).units


def test_words_are_the_short_forms_of_values() -> None:
    signature = _observe(_SAID)
    values = [_OBSERVER.lexicon.value(token) for token in signature.tokens]
    forms = b"".join(((v >> 44) << 4 | v & 15).to_bytes(3, "big") for v in values)
    assert signature.words == forms


def test_features_are_the_least_of_each_group() -> None:
    signature = _observe(_SAID)
    values = [_OBSERVER.lexicon.value(token) for token in signature.tokens]
    least: dict[int, int] = {}
    for value in values:
        if value & 15 not in {WordClass.COMMON, WordClass.FILLER}:
            group = (value >> 32) * 12 >> 32
            least[group] = min(least.get(group, 1 << 20), value >> 4 & 0xFFFFF)
    assert signature.features == tuple(
        (group << 20 | least[group]).to_bytes(3, "big") for group in sorted(least)
    )


def test_a_text_of_common_words_has_features_too() -> None:
    signature = _observe("what is it that you would want me to do with all of this here then")
    assert len(signature.features) > 3


def test_the_order_of_words_does_not_change_the_features() -> None:
    shuffled = " ".join(sorted(_SAID.split()))
    assert _observe(shuffled).features == _observe(_SAID).features
    assert _observe(shuffled).exact != _observe(_SAID).exact


def test_exact_holds_within_a_scope_only() -> None:
    turn = Turn(texts=(_SAID,))
    one = _OBSERVER.observe(turn, scope=_SCOPE, root=None)
    other = _OBSERVER.observe(turn, scope=b"t" * 16, root=None)
    assert one.exact != other.exact
    assert one.words == other.words


def test_another_secret_makes_everything_other() -> None:
    turn = Turn(texts=(_SAID,), attachments=(_IMAGE,))
    one = _OBSERVER.observe(turn, scope=_SCOPE, root="root")
    other = Observer(b"another secret").observe(turn, scope=_SCOPE, root="root")
    assert one.exact != other.exact
    assert not set(one.features) & set(other.features)
    assert not set(one.units) & set(other.units)
    assert one.words != other.words
    assert one.attachments != other.attachments


def test_a_scope_is_of_all_three_names() -> None:
    names = [("t", "p", "k"), ("tp", "", "k"), ("t", "pk", ""), ("t", "p", "")]
    scopes = {_OBSERVER.scope(*each) for each in names}
    assert len(scopes) == 4
    assert {len(scope) for scope in scopes} == {16}
    assert Observer(b"another secret").scope("t", "p", "k") not in scopes


def test_an_attachment_is_a_long_word_before_the_others() -> None:
    signature = _observe(_SAID, attachments=(_IMAGE,))
    assert len(signature.attachments) == 8
    assert len(signature.words) == 3 * len(signature.tokens)
    assert signature.words[2] & 15 == WordClass.LONG
    assert signature.exact != _observe(_SAID).exact
    assert signature.units == _observe(_SAID).units
    assert _observe(_SAID).attachments == b""


def test_with_an_attachment_even_a_short_text_is_compared() -> None:
    one = _observe("why?", attachments=(_IMAGE,))
    other = _observe("why?", attachments=(_OTHER_IMAGE,))
    assert one.kind == other.kind == "new"
    assert one.exact != other.exact
    assert _OBSERVER.judge(other, [_earlier(one)]).kind == "new"
    assert _observe(attachments=(_IMAGE,)).kind == "new"


def test_a_thin_text_is_compared_together_with_the_turn_before() -> None:
    before = "The parser of dates drops the time zone in the second test"
    one = _observe("fix it in the second test too", before=before)
    other = _observe("fix it in the second test too", before="Something else went wrong there")
    alone = _observe("fix it in the second test too")
    assert len({one.exact, other.exact, alone.exact}) == 3
    assert one.tokens == [*before.lower().split(), *alone.tokens]
    assert one.units == other.units == alone.units
    assert _observe(_SAID, before=before).exact == _observe(_SAID).exact
    assert _observe("yes", before=before).kind == "short"


def test_results_beside_a_text_are_compared_and_counted() -> None:
    results = ("the test of dates failed in line 12",)
    both = _observe(_SAID, results=results)
    assert both.kind == "new"
    assert both.exact != _observe(_SAID).exact
    assert set(both.units) == set(_observe(_SAID).units) | set(_observe(results=results).units)
    assert _observe("yes", results=results).kind == "new"


def test_of_long_results_the_middle_is_one_word() -> None:
    signature = _observe(_SAID, results=("word after word and so on " * 4_000,))
    assert len(signature.tokens) < TOKENS_MAX
    assert sum(len(token) > 64 for token in signature.tokens) == 1


def test_a_text_of_hardly_more_than_masks_counts_as_it_stands() -> None:
    one, other = ("again " + f"{number:032x} " * 10 for number in (0xA1 << 90, 0xB2 << 90))
    assert _observe(one).kind == "new"
    assert len(_observe(one).tokens) == 1
    assert _observe(one).exact != _observe(other).exact
    assert _observe(one).exact == _observe(one.replace(" ", "\n")).exact


def test_of_a_very_long_text_only_an_exact_copy_is_recognised() -> None:
    names = itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=3)
    text = " ".join("".join(name) + "or" for name in itertools.islice(names, 5_000))
    signature = _observe(text)
    assert (signature.words, signature.features) == (b"", ())
    assert signature.exact == _observe(text.upper()).exact
    assert len(signature.units) == 64


def test_a_disguised_copy_is_near_and_another_text_is_not() -> None:
    earlier = [_earlier(_observe(_SAID))]
    near = _OBSERVER.judge(_observe(f"Hello! {_SAID}, thanks"), earlier)
    assert (near.kind, near.cluster, near.earlier) == ("near", "c" * 16, "req_1")
    other = _observe(_SAID.replace("123", "124"))
    assert _OBSERVER.judge(other, earlier).kind == "new"
    assert _OBSERVER.judge(other, earlier).cluster == other.exact[:8].hex()


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=())), max_size=3), st.booleans())
def test_every_turn_has_a_signature(texts: list[str], attached: bool) -> None:  # noqa: FBT001 - drawn
    signature = _observe(*texts, attachments=(_IMAGE,) if attached else ())
    assert len(signature.exact) == 16
    assert len(signature.words) in {0, 3 * len(signature.tokens)}
    assert signature == _observe(*texts, attachments=(_IMAGE,) if attached else ())
