"""One rule of a policy file: from its node to a checked `Rule`, or to what is wrong with it."""

from gateway.documents import Node, Problems
from gateway.policy.conditions import cel
from gateway.policy.conditions.cel import Condition
from gateway.policy.facts import KIND
from gateway.policy.language.duties import read_obligations, read_route
from gateway.policy.language.forms import Form
from gateway.policy.language.limits import default_message, read_budget, read_quota
from gateway.policy.language.model import RULE
from gateway.policy.rules import Duties, Limit, Rerouting, Rule, named
from gateway.values import Effect, Refusal


def read_rule(node: Node, problems: Problems, *, team: str = "") -> Rule | None:
    """
    Return the rule a node states; None (and what is wrong in `problems`) when it cannot be.

    `team` is the team whose own file it stands in.
    """
    before = len(problems)
    form = Form(RULE, node, problems)
    rule_id = form.get("id", "")
    limit = _limit(form, rule_id)
    route = read_route(form.at("route"), problems) if "route" in form else None
    duties = read_obligations(form.at("obligations"), problems) if "obligations" in form else None
    condition = _condition(form)
    _check(form, condition, route, duties, team=team)
    if len(problems) > before:
        return None
    effect = _effect(form, limit)
    message = " ".join(form.get("message", "").split()) or default_message(limit)
    return Rule(
        id=rule_id,
        description=form.get("description", ""),
        when=condition.text if condition else "",
        condition=condition,
        effect=effect,
        limit=limit,
        route=route,
        duties=duties,
        team=team,
        shadow=form.get("mode", "enforce") == "shadow",
        message=message,
        refusal=Refusal(
            code=form.get("code", _default_code(effect, limit)),
            message=f"{message} {named(rule_id, node.place)}",
            rule=rule_id,
            place=node.place,
        ),
    )


def _limit(form: Form, rule_id: str) -> Limit | None:
    quota = read_quota(form.at("quota"), form.problems, rule_id) if "quota" in form else None
    budget = read_budget(form.at("budget"), form.problems, rule_id) if "budget" in form else None
    return quota or budget


def _condition(form: Form) -> Condition | None:
    text = form.get("when", "")
    if not text:
        return None
    node = form.at("when")
    try:
        condition = cel.compile_condition(text)
    except cel.Mistakes as mistakes:
        form.problems.spend(node, mistakes.cost)
        for mistake in mistakes.found:
            line, col = node.at(mistake.line, mistake.col)
            form.problems.add_at(node.name, line, col, f"in 'when': {mistake.message}")
        return None
    form.problems.spend(node, condition.cost)
    return condition


def _check(
    form: Form,
    condition: Condition | None,
    route: Rerouting | None,
    duties: Duties | None,
    *,
    team: str,
) -> None:
    """Note what no single key is wrong about."""
    settled_before = route is not None or (duties is not None and duties.change_what_is_sent)
    if settled_before and condition is not None and KIND in condition.reads:
        what = "a route" if route is not None else "max_output_tokens and provider_headers"
        said = (
            f"in 'when': {KIND} is known only once it is settled where the call goes, "
            f"so {what} cannot depend on it: remove it"
        )
        node = form.at("when")
        before = condition.text[: max(condition.text.find(KIND), 0)]
        at = node.at(before.count("\n") + 1, len(before) - before.rfind("\n"))
        form.problems.add_at(node.name, *at, said)
    if team and route is not None:
        # It could outdo a route that all calls are under, and forbids read the call as asked for.
        said = "a team's own file sends no calls elsewhere: set 'route' in a file without 'team'"
        form.wrong(said, key="route")
    if team and duties is not None and duties.provider_headers:
        said = "a team's own file adds no 'provider_headers': set them in a file without 'team'"
        form.problems.add(form.at("obligations"), said, key="provider_headers")


def _effect(form: Form, limit: Limit | None) -> Effect:
    """Return the effect; a quota throttles and a budget forbids, whether they say so or not."""
    if limit is not None:
        return "throttle" if limit.period is None else "forbid"
    permit: Effect = "permit"
    return form.get("effect", permit)


def _default_code(effect: Effect, limit: Limit | None) -> str:
    if limit is not None:
        by_cluster = limit.by_cluster and limit.unit != "concurrent"
        return "near_identical_rate" if by_cluster else "quota_exceeded"
    return "policy_forbids" if effect == "forbid" else ""
