"""docker-compose.yml, its dashboard and its scrape: checked without a container."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from gateway.settings import Settings
from gateway.values import Usage
from gateway.web.metrics import Exposition, Tally

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "tests" / "vendor" / "compose-spec.json"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "goodgate.json"

SUFFIXES = ("", "_total", "_bucket", "_count", "_sum")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = load(ROOT / "docker-compose.yml")
    return found


def mounts(compose: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for name, container in compose["services"].items():
        for mount in container.get("volumes", []):
            yield name, mount


def test_it_is_a_compose_file(compose: dict[str, Any]) -> None:
    """By the Compose Specification's own schema (see NOTICE)."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    problems = [
        f"{e.json_path}: {e.message}" for e in Draft202012Validator(schema).iter_errors(compose)
    ]
    assert problems == []


def test_the_schema_finds_a_misspelt_key(compose: dict[str, Any]) -> None:
    """A schema that accepts anything would prove nothing."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    broken = compose | {"services": compose["services"] | {"gateway": {"imagee": "x"}}}
    assert list(Draft202012Validator(schema).iter_errors(broken))


def test_every_image_is_pinned(compose: dict[str, Any]) -> None:
    for name, container in compose["services"].items():
        _, _, tag = container["image"].partition(":")
        assert re.search(r"\d+\.\d+", tag), f"{name}: {container['image']} names no version"


def test_everything_mounted_exists(compose: dict[str, Any]) -> None:
    for name, mount in mounts(compose):
        if mount["type"] == "bind":
            assert (ROOT / mount["source"]).exists(), f"{name}: {mount['source']} is not there"
            assert mount["read_only"] is True, f"{name}: {mount['source']} could be written to"
        else:
            assert mount["source"] in compose["volumes"], f"{name}: {mount['source']}"


def test_ports_are_bound_to_loopback(compose: dict[str, Any]) -> None:
    for name, container in compose["services"].items():
        for port in container.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port} would be open to the network"


def test_every_container_has_a_healthcheck(compose: dict[str, Any]) -> None:
    without = [name for name, it in compose["services"].items() if "healthcheck" not in it]
    assert without == []


def test_there_is_no_default_password(compose: dict[str, Any]) -> None:
    """A secret is asked for by name; the only default is an empty provider key."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for variable in re.findall(r"\$\{(\w*PASSWORD\w*)([^}]*)\}", text):
        assert variable[1].startswith(":?"), f"{variable[0]} has a default"
    for name, container in compose["services"].items():
        for key, value in container.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|PEPPER|API_KEY|AUTH", key) and "INITDB" not in key:
                assert value.startswith("${"), f"{name}: {key} is written down"


def test_every_variable_is_explained() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    example = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8")
    needed = set(re.findall(r"\$\{(\w+)(?::\?[^}]*|:-)\}", text))
    assert {f"{name}=" for name in needed} <= set(example.splitlines())


GATEWAYS = ("gateway-1", "gateway-2")


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateway_is_given_time_to_drain(compose: dict[str, Any], name: str) -> None:
    gateway = compose["services"][name]
    grace_s = int(gateway["stop_grace_period"].removesuffix("s"))
    assert grace_s > float(gateway["environment"]["GOODGATE_DRAIN_S"])


def test_the_two_gateways_differ_only_in_what_is_their_own(compose: dict[str, Any]) -> None:
    """One secret, one database, one Valkey; a volume and a port for each."""
    first, second = (dict(compose["services"][name]) for name in GATEWAYS)
    assert first.pop("ports") != second.pop("ports")
    volumes = [
        {mount["source"] for mount in gateway.pop("volumes") if mount["type"] == "volume"}
        for gateway in (first, second)
    ]
    assert not volumes[0] & volumes[1]
    assert first == second
    for store in ("DATABASE", "REDIS"):
        host = first["environment"][f"GOODGATE_{store}_URL"].rpartition("@")[2].partition(":")[0]
        assert first["depends_on"][host] == {"condition": "service_healthy"}
        assert set(compose["services"][host]["networks"]) & set(first["networks"])


def test_what_the_gateways_are_told_is_what_they_read(compose: dict[str, Any]) -> None:
    told = set(compose["services"]["gateway-1"]["environment"])
    known = {f"GOODGATE_{name.upper()}" for name in Settings.__struct_fields__}
    assert {name for name in told if name.startswith("GOODGATE_")} <= known


def test_prometheus_scrapes_both_gateways(compose: dict[str, Any]) -> None:
    scrape = load(ROOT / "deploy" / "prometheus.yml")["scrape_configs"][0]
    targets = scrape["static_configs"][0]["targets"]
    assert {target.split(":")[0] for target in targets} == set(GATEWAYS)
    for target in targets:
        host, port = target.split(":")
        assert compose["services"][host]["ports"][0].endswith(f":{port}")
        shared = set(compose["services"]["prometheus"]["networks"])
        assert shared & set(compose["services"][host]["networks"])


def test_grafana_finds_its_dashboard(compose: dict[str, Any]) -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    folder = load(provisioning / "dashboards" / "goodgate.yml")["providers"][0]["options"]["path"]
    targets = {m["source"]: m["target"] for n, m in mounts(compose) if n == "grafana"}
    assert targets["./deploy/grafana/dashboards"] == folder
    home = compose["services"]["grafana"]["environment"][
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"
    ]
    assert home == f"{folder}/{DASHBOARD.name}"
    source = load(provisioning / "datasources" / "prometheus.yml")["datasources"][0]
    assert all(panel["datasource"]["uid"] == source["uid"] for panel in panels())


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_the_dashboard_asks_only_for_what_is_exported() -> None:
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "gateway").rglob("*.py"))
    declared = set(re.findall(r'"(goodgate_[a-z_]+)"', sources))
    exported = {name + suffix for name in declared for suffix in SUFFIXES}
    asked = {name for e in expressions() for name in re.findall(r"goodgate_\w+", e)}
    assert asked <= exported, asked - exported


def test_the_dashboard_groups_only_by_labels_that_exist() -> None:
    labels = exported_labels()
    for expression in expressions():
        names = set(re.findall(r"goodgate_\w+", expression))
        found = set().union(*(labels.get(name, set()) for name in names))
        for group in re.findall(r"by \(([^)]*)\)", expression):
            assert set(group.split(", ")) <= found, expression


def test_the_dashboard_shows_every_counter() -> None:
    asked = {name for e in expressions() for name in re.findall(r"goodgate_\w+", e)}
    for name in exported_labels():
        if name.endswith(("_total", "_bucket")):
            assert name in asked, f"{name} is exported and nobody looks at it"


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & mine, panel["title"]
        assert max(x for x, _ in mine) < 24
        cells |= mine


def exported_labels() -> dict[str, set[str]]:
    """Return the label names of every metric of the tally, as `/metrics` really shows them."""
    tally = Tally()
    tally.began()
    tally.ended("chat", "forwarded", 0.1)
    tally.spent(Usage(input_tokens=1, output_tokens=1), 1, linked=True, priced=False)
    tally.provider_failed("openai", "provider_timeout")
    tally.condition_failed(1)
    tally.recognised("new")
    tally.would_have(["try-it"])
    found: dict[str, set[str]] = {}
    page = Exposition(tally, {}).text().decode()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found
