"""Who may do what: every role on every route, and nothing outside the table."""

import pytest
from starlette.routing import Route

from gateway import identity
from gateway.values import Role
from gateway.web import api, api_table
from tests.web.api_client import ROLES, World
from tests.web.test_api_decisions import ID as DECIDED
from tests.web.test_api_decisions import record
from tests.web.test_api_log import SIZE, WITNESS, fill, request_id

ALLOWED: dict[Role, set[str]] = {
    "developer": {"call", "tasks"},
    "admin": {"call", "tasks", "keys", "catalogue", "reload", "audit", "retire"},
    "auditor": {"call", "tasks", "audit", "erase"},
}
"""Said again here, so that a change of `identity` or of the table is seen twice."""

BODIES: dict[tuple[str, str], object] = {
    ("POST", "/api/tasks/start"): {"task": "PROJ-2"},
    ("POST", "/api/tasks/token"): {"task": "PROJ-2"},
    ("POST", "/api/tasks/import"): b"tasks: []\n",
    ("POST", "/api/tasks/sync"): {"tracker": "forge"},
    ("POST", "/api/keys"): {"principal": "dora", "team": "search"},
    ("POST", "/api/audit/erase"): {"principal": "alice", "reason": "request 7"},
    ("POST", "/api/audit/retire"): {"size": 256},
    ("POST", "/api/log/cosignatures"): {"size": SIZE, "line": WITNESS},
}


def concrete(world: World, path: str) -> str:
    """Return a path with its variable part filled in."""
    if path == "/api/tasks/import":
        return path + "?name=c.yaml"
    if path == "/api/decisions/{id}":
        world.decided.records[DECIDED] = record(world.policies)
        return path.replace("{id}", DECIDED)
    if path.startswith(("/api/log/", "/api/receipts/", "/api/audit/retire")):
        fill(world)
        return path.replace("{path:path}", "log.json").replace("{id}", request_id(0))
    return path.replace("{id}", "PROJ-2" if "tasks" in path else world.ids["developer"])


@pytest.mark.parametrize("route", sorted(api.ROUTES), ids=" ".join)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_what_it_may_and_nothing_else(role: Role, route: tuple[str, str]) -> None:
    world = World()
    method, path = route

    reply = world.ask(role, method, concrete(world, path), BODIES.get(route))

    if api.ROUTES[route] in ALLOWED[role]:
        assert reply.status == 200, reply.body
    else:
        assert (reply.status, reply.code) == (403, "not_allowed")


@pytest.mark.parametrize("route", sorted(api.ROUTES), ids=" ".join)
@pytest.mark.parametrize(
    "credential", ["", "gg_aaaaaaaaaaaa_" + "x" * 40, "sk-somebody-elses", "gg_"]
)
def test_without_a_live_key_every_route_is_401(credential: str, route: tuple[str, str]) -> None:
    world = World()
    method, path = route

    reply = world.ask(credential, method, concrete(world, path), BODIES.get(route))

    assert (reply.status, reply.code) == (401, "unknown_credential")
    assert reply.headers["www-authenticate"] == 'Bearer realm="goodgate"'


@pytest.mark.parametrize("route", sorted(api.ROUTES), ids=" ".join)
def test_a_revoked_key_reaches_nothing(route: tuple[str, str]) -> None:
    world = World()
    world.registry.revoke_key(world.ids["admin"], world.now)
    method, path = route

    assert world.ask("admin", method, concrete(world, path), BODIES.get(route)).status == 401


def test_a_cookie_is_no_credential() -> None:
    """A page in a browser cannot ask in somebody's name."""
    world = World()

    reply = world.ask(
        "", "POST", "/api/keys", {"principal": "x", "team": "y"},
        headers={"cookie": f"authorization=Bearer {world.keys['admin']}"},
    )  # fmt: skip

    assert reply.status == 401
    assert "set-cookie" not in reply.headers
    assert len(world.registry.list_keys()) == len(ROLES)


def test_every_route_that_is_served_is_in_the_table_with_its_method_alone() -> None:
    """Starlette would add HEAD to every GET; the table has none, so neither has the API."""
    routes = World().app.routes

    assert all(isinstance(route, Route) for route in routes)
    served = {
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    assert served == set(api.ROUTES) == set(api_table.OPERATIONS)


def test_every_permission_in_the_table_is_one_somebody_has() -> None:
    for permission in api.ROUTES.values():
        assert any(identity.may(role, permission) for role in ROLES), permission


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_are_405_before_anything_is_read(method: str) -> None:
    world = World()

    assert world.ask("admin", method, "/api/keys").status == 405


def test_replies_are_neither_kept_nor_guessed_at_by_browsers() -> None:
    world = World()

    for reply in (world.ask("admin", "GET", "/api/keys"), world.ask("", "GET", "/api/keys")):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["content-type"] == "application/json"
