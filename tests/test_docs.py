"""What the documents say is there, is there; and what is there is in the documents."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from gateway import errors, metering, policy, settings
from gateway.cli import application, serve
from gateway.cli.policy import suites
from gateway.policy.facts import DECLARED
from gateway.policy.language.model import CODES, FILE, RULE
from gateway.rehearsal.explanations import request
from gateway.rehearsal.trials import testing
from gateway.settings import Settings
from gateway.settings.deployment import ModelEntry, Provider
from gateway.settings.providers import _OPTIONS
from gateway.values import Price

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path.relative_to(ROOT)
    for folder, pattern in ((ROOT, "*.md"), (ROOT / "docs", "**/*.md"), (ROOT / "policies", "*.md"))
    for path in folder.glob(pattern)
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"(?<![\w./-])goodgate ((?:[a-z][a-z-]*)(?: [^\n#|)`]*)?)")
IN_PROSE = {"and", "or", "takes", "is", "manifest", "promise"}
"""What follows the name where no command is meant."""


def read(page: str | Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fences(page: str | Path, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(read(page)) if name == language]


def code(page: Path) -> Iterator[str]:
    """Yield every piece of a page that is set as code: spans, fenced and indented lines."""
    text = read(page)
    for _, body in FENCE.findall(text):
        yield from body.splitlines()
    rest = FENCE.sub("", text)
    yield from (line for line in rest.splitlines() if line.startswith("    "))
    yield from (" ".join(span.split()) for span in SPAN.findall(rest))


def spelled_out(pattern: str) -> list[str]:
    """Return the names a pattern such as `usage.{task,root}.calls` stands for."""
    parts = [part.split(",") for part in re.split(r"[{}]", pattern)]
    return ["".join(names) for names in itertools.product(*parts)]


def first_column(page: str) -> set[str]:
    """Return what stands as code at the head of the rows of a page's tables."""
    cells = re.findall(r"^\| ([^|]+) \|", read(page), re.MULTILINE)
    return {name for cell in cells for name in SPAN.findall(cell)}


# What is there is documented.


@pytest.mark.parametrize("field", sorted({*Settings.__struct_fields__} - {"worker"}))
def test_every_setting_is_documented(field: str) -> None:
    assert f"GOODGATE_{field.upper()}" in first_column("docs/configuration.md")


def test_no_other_variable_is_documented() -> None:
    known = {f"GOODGATE_{field.upper()}" for field in Settings.__struct_fields__}
    for page in PAGES:
        found = set(re.findall(r"GOODGATE_[A-Z][A-Z_]*[A-Z]", read(page)))
        assert found <= known, (page, found - known)


def test_every_key_of_goodgate_yaml_is_documented() -> None:
    keys = {"providers", "models", "prices", "trackers", "people", "pepper"}
    keys |= {*Provider.__struct_fields__} - {"name"}
    keys |= {*ModelEntry.__struct_fields__, *Price.__struct_fields__}
    keys |= {option for options in _OPTIONS.values() for option in options}
    assert keys - first_column("docs/configuration.md") == set()


def test_every_default_of_a_setting_is_the_real_one() -> None:
    rows = re.findall(
        r"^\| `GOODGATE_(\w+)` \|[^|]*\| `([^`]+)`", read("docs/configuration.md"), re.MULTILINE
    )
    assert len(rows) >= 6
    for name, said in rows:
        default = getattr(Settings(), name.lower())
        if default is not None:
            assert str(default).removesuffix(".0") == said, name


def test_every_fact_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z]+\.[a-z_.{},]+)` \|", read("docs/policies.md"), re.MULTILINE)
    assert {name for row in rows for name in spelled_out(row)} == set(DECLARED)


def test_every_key_of_a_policy_is_documented() -> None:
    keys = {*FILE.names, *RULE.names}
    assert keys - first_column("docs/policies.md") == set()


def test_every_recipe_stands_in_the_guide_as_it_is_tested() -> None:
    guide = fences("docs/policies.md", "yaml")
    recipes = [*(ROOT / "policies" / "recipes").glob("*.yaml")]
    recipes += (ROOT / "policies" / "recipes").glob("*/teams/*.yaml")
    assert len(recipes) >= 10
    for path in recipes:
        text = path.read_text(encoding="utf-8")
        assert text[text.index("version: 1") :] in guide, path.name


def every_error() -> Iterator[type[errors.GatewayError]]:
    waiting: list[type[errors.GatewayError]] = [errors.GatewayError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__ == errors.__name__:
            yield kind


@pytest.mark.parametrize("kind", sorted(every_error(), key=lambda k: k.code), ids=lambda k: k.code)
def test_every_error_is_documented_with_its_status(kind: type[errors.GatewayError]) -> None:
    row = re.search(rf"^\| `{kind.code}` \| ([^|]+) \|", read("docs/errors.md"), re.MULTILINE)
    assert row, f"{kind.code} is not in docs/errors.md"
    assert str(kind.status) in row[1]


def test_every_code_a_rule_may_refuse_with_is_documented_and_no_other_error() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", read("docs/errors.md"), re.MULTILINE))
    assert documented == {*CODES, *(kind.code for kind in every_error())}


# What is documented is there.


def commands(page: Path) -> Iterator[str]:
    for piece in code(page):
        for match in COMMAND.finditer(piece):
            if match[1].split()[0] not in IN_PROSE:
                yield match[1].strip().rstrip('"')


def options_of(parameters: Any) -> set[str]:
    return {name for one in parameters for name in (*one.opts, *one.secondary_opts)}


def unknown(words: list[str]) -> str:
    """Return what of a command line the program does not know; empty when it knows all."""
    given = words[: words.index("--")] if "--" in words else words
    wanted = [word.split("=")[0] for word in given if word.startswith("--")]
    if given[0] == "serve":
        known = {
            name for action in serve.parser(Settings())._actions for name in action.option_strings
        }
        return next((option for option in wanted if option not in known), "")
    here = typer.main.get_command(application.build())
    for word in given:
        if not hasattr(here, "commands"):
            break
        if word not in here.commands:
            return word
        here = here.commands[word]
    return next((option for option in wanted if option not in options_of(here.params)), "")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_in_the_documents_exists(page: Path) -> None:
    missing = {line: what for line in commands(page) if (what := unknown(line.split()))}
    assert missing == {}


def test_commands_are_found_in_the_documents() -> None:
    """So that the test above cannot pass by finding none."""
    found = {line.split()[0] for page in PAGES for line in commands(page)}
    assert {"serve", "demo", "doctor", "env", "run", "task", "keys", "policy", "audit"} <= found
    assert unknown(["task", "invent"]) == "invent"
    assert unknown(["audit", "query", "--nonsense"]) == "--nonsense"
    assert unknown(["serve", "--nonsense"]) == "--nonsense"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for piece in code(page):
        for target in re.findall(r"^\s*make ([a-z]+)", piece):
            assert target in targets, f"make {target}"


def test_every_target_of_make_says_what_it_does() -> None:
    makefile = read("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


def test_every_decision_the_program_cites_is_there() -> None:
    there = {path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")}
    for path in [*(ROOT / "gateway").rglob("*.py"), *(ROOT / "requirements").glob("*.in")]:
        cited = set(re.findall(r"docs/decisions/(\d{4})", path.read_text(encoding="utf-8")))
        assert cited <= there, (path, cited - there)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda path: path.name[:4]
)
def test_a_decision_is_one_page_of_three_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(rf"# {path.name[:4]} \S", text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= 60


def test_the_refusals_in_the_readme_are_those_of_the_default_policy() -> None:
    text = read("policies/default.yaml")
    rules = {r.refusal.code: r.message for r in policy.load([("default.yaml", text)]).rules}
    rows = re.findall(
        r"^\|[^|]*\| refused, 400 \| `(task_\w+)` \| ([^|]*) \|", read("README.md"), re.MULTILINE
    )
    assert len(rows) == 5
    for code_, message in rows:
        assert code_ == "task_conflict" or rules[code_] == message


# What can be run is right.


def test_the_python_in_the_readme_compiles() -> None:
    found = fences("README.md", "python")
    assert len(found) == 2
    for snippet in found:
        assert compile(snippet, "README.md", "exec").co_code


ENVIRON = {"OPENAI_API_KEY": "o", "ANTHROPIC_API_KEY": "a", "MISTRAL_API_KEY": "m"}


def test_the_example_of_goodgate_yaml_can_be_loaded(tmp_path: Path) -> None:
    for number, example in enumerate(fences("docs/configuration.md", "yaml")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(example, encoding="utf-8")
        assert settings.load(path, ENVIRON).providers


def test_the_goodgate_yaml_of_make_run_needs_no_key() -> None:
    found = settings.load(ROOT / "goodgate.yaml", {})
    assert {provider.format for provider in found.providers.values()} == {"simulated"}
    assert set(found.models) == {"*", "sim-large", "sim-small"}


def test_what_goodgate_yaml_offers_can_be_switched_on(tmp_path: Path) -> None:
    """Each commented line is good once its `#` is gone."""
    text = re.sub(r"^  # (\S+: +\{)", r"  \1", read("goodgate.yaml"), flags=re.MULTILINE)
    secret = tmp_path / "vllm"
    secret.write_text("v", encoding="utf-8")
    secret.chmod(0o600)
    path = tmp_path / "goodgate.yaml"
    path.write_text(text.replace("file:/run/secrets/vllm", "file:vllm"), encoding="utf-8")
    found = settings.load(path, ENVIRON)
    assert {"openai", "anthropic", "vllm", "mistral"} <= set(found.providers)
    assert "fast" in found.models


def examples(key: str) -> list[str]:
    """Return the YAML in the guide to policies that has a key at its top, in no other's file."""
    begins = re.compile(rf"^{key}:", re.MULTILINE)
    return [text for text in fences("docs/policies.md", "yaml") if begins.search(text)]


def test_every_example_in_the_guide_to_policies_is_one_of_three_kinds() -> None:
    kinds = [set(examples(key)) for key in ("rules|reuse", "cases", "facts")]
    assert all(kinds)
    assert sum(map(len, kinds)) == len(set.union(*kinds)) == len(fences("docs/policies.md", "yaml"))


@pytest.mark.parametrize("text", examples("rules|reuse"))
def test_the_policies_in_the_guide_can_be_loaded(text: str) -> None:
    assert policy.load([("example.yaml", text)]).digest


@pytest.mark.parametrize("text", examples("cases"))
def test_the_test_cases_in_the_guide_hold_for_the_shipped_policy(text: str, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "default.yaml").write_text(read("policies/default.yaml"), encoding="utf-8")
    (tmp_path / "tests" / "example.yaml").write_text(text, encoding="utf-8")
    (suite,) = suites.load([tmp_path], None)
    assert suite.cases
    for case in suite.cases:
        assert testing.run(case, suite.policies).failure is None


@pytest.mark.parametrize("text", examples("facts"))
def test_the_facts_in_the_guide_can_be_explained(text: str) -> None:
    recipe = "policies/recipes/quiet-hours-for-agents.yaml"
    policies = policy.load([(recipe, read(recipe))])
    prices = metering.PriceBook({})
    asked = request.read("f.yaml", text, given={}, route="", prices=prices, now=0.0)
    made = policy.plan(policies, asked.facts, asked.reserve, asked.now)
    assert policy.decide(made, ()).reasons == ("quiet-hours",)


def test_the_changelog_is_in_its_form() -> None:
    headings = re.findall(r"^## (.*)$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    for heading in headings[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading), heading
    kinds = set(re.findall(r"^### (.*)$", read("CHANGELOG.md"), re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
