"""How large a pattern is: small ones pass, large ones are refused before RE2 reads them."""

import pytest

from gateway.policy.conditions import cel, patterns


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("", 0),
        ("^gpt-5", 6),
        ("é", 12),
        (".", 20),
        (r"\d", 20),
        ("[a-z]", 25),
        ("[]é]", 35),
        (r"\pL", 1_000),
        (r"[^\p{Greek}a]", 1_033),
        ("ab{3}", 5),
        ("(ab){3}", 8),
        ("(ab){3,}", 14),
        ("(ab){0,3}", 14),
        ("a{2}{3}", 12),
        ("a{99999999999}", 1_001),
        ("(a(b)", 2),
        ("a)b", 2),
        ("a|b*", 4),
        ("a{x}", 4),
    ],
)
def test_a_pattern_has_a_size(pattern: str, size: int) -> None:
    assert patterns.size(pattern) == size


@pytest.mark.parametrize("count", [1, 60, 999])
def test_a_pattern_within_the_bound_is_accepted(count: int) -> None:
    condition = cel.compile_condition(f"call.model.matches('a{{{count}}}')")
    assert condition.cost < 10_000


@pytest.mark.parametrize(
    "pattern", ["a{1000}", r"\\pL\\pL", "(a{40}){40}", "x{500}" * 3, "(" * 300 + "a" + "){9}" * 300]
)
def test_a_large_pattern_is_refused_and_never_tried(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cel, "_environment_of_patterns", None)
    with pytest.raises(cel.Mistakes, match=r"expected at most 1000: use smaller counts"):
        cel.compile_condition(f"call.model.matches('{pattern}')")
