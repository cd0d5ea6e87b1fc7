"""What many tasks' calls say counts for nothing once it is frozen, on every gateway alike."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np

from gateway.stores.sqlite.boilerplate import Boilerplate
from tests.live.fleet import Fleet
from tests.live.server import RunningGateway, Site, until

CATALOGUE = "tasks:\n" + "".join(
    f"  - {{id: JOB-{number}, title: A change, status: open, members: [alice], team: payments}}\n"
    for number in range(1, 6)
)
FIRST = "version: 1\ncredit: {boilerplate_roots: 3}\n"
NEXT = "version: 1\ncredit: {boilerplate_roots: 3, settle_days: 8}\n"
TEMPLATE = (
    "You are the reviewer of this repository. Read the change below with care, say which of its"
    " tests are missing, and write the three worst mistakes as a list with their lines"
)
OWN = (
    "the parser of dates takes a month for a day when both are small",
    "an index on the tables of orders would make the nightly report faster",
    "passwords are compared before they were normalised to one form of unicode",
    "a queue that is full drops its oldest message and tells nobody about that",
)


def asked(gateway: RunningGateway, task: str, text: str) -> None:
    messages = [{"role": "user", "content": text}]
    body = {"model": "sim", "messages": messages}
    reply = gateway.ask("/v1/chat/completions", body, task=task, key="alice")
    assert (reply.status, reply.headers["x-goodgate-evidence"]) == (200, "verified")


def frozen(gateway: RunningGateway) -> int:
    return int(gateway.ask("/health/ready", method="GET", key="").json["boilerplate"])


def reloaded(gateway: RunningGateway, site: Site, text: str) -> int:
    site.policy(text)
    assert gateway.ask("/-/reload", b"", key="admin", method="POST").status == 200
    return frozen(gateway)


def units(leaves: list[dict[str, Any]]) -> list[int]:
    """Return how many each call has, in their order."""
    calls = [each for each in leaves if each["kind"] == "intent"]
    return [len(each["units"]) for each in sorted(calls, key=lambda each: each["received_at_us"])]


def test_a_template_counts_until_the_next_policy_and_its_own_words_ever_after(
    tmp_path: Path,
) -> None:
    site = Site.seed(tmp_path, catalogue=CATALOGUE).policy(FIRST).providers("http://127.0.0.1:9")
    with site.running() as gateway:
        for number in range(3):
            asked(gateway, f"JOB-{number + 1}", f"{TEMPLATE}\n{OWN[number]}")
        assert frozen(gateway) == 0
        size = reloaded(gateway, site, NEXT)
        asked(gateway, "JOB-4", f"{TEMPLATE}\n{OWN[3]}")
        asked(gateway, "JOB-4", TEMPLATE)
        asked(gateway, "JOB-5", OWN[3])
        assert reloaded(gateway, site, FIRST) == 0
        asked(gateway, "JOB-5", TEMPLATE)
        assert gateway.stop() == 0
    first, _, _, with_template, template_alone, own_alone, unfrozen = units(site.leaves())
    assert first > size > len(TEMPLATE.split()) - 5
    assert template_alone == 0
    # Four runs begin in the template and end in what is new.
    assert with_template == own_alone + 4
    assert unfrozen == size

    site.policy(NEXT)
    with site.running() as gateway:
        assert frozen(gateway) == size
        assert gateway.stop() == 0
    store = Boilerplate.open(site.data)
    seen = b"".join(grams for root, grams in store.seen(month(site)) if root == "JOB-5")
    store.close()
    hashes = {f"{each:016x}" for each in np.frombuffer(seen, "<u8").tolist()}
    said = {unit for leaf in site.leaves() for unit in leaf.get("units", ())}
    assert hashes
    assert said
    assert not hashes & said


def month(site: Site) -> str:
    at_us = max(leaf["received_at_us"] for leaf in site.leaves() if leaf["kind"] == "intent")
    return str(np.datetime64(at_us, "us").astype("datetime64[M]"))


def test_gateways_that_share_a_database_share_what_is_boilerplate(tmp_path: Path) -> None:
    """Whichever of them learnt it, and whichever froze it."""
    tasks = tmp_path / "jobs.yaml"
    tasks.write_text(CATALOGUE)
    with Fleet(tmp_path, "http://127.0.0.1:9", policy=FIRST) as fleet:
        fleet.command("task", "import", str(tasks))
        for gateway in fleet.gateways:
            until(lambda gateway=gateway: _knows(gateway, "JOB-5"), 30)
        for number in range(3):
            asked(fleet.one, f"JOB-{number + 1}", f"{TEMPLATE}\n{OWN[number]}")
        for gateway in fleet.gateways:
            gateway.site.policy(NEXT)
            gateway.signal(signal.SIGHUP)
            until(lambda gateway=gateway: frozen(gateway), 30)
        asked(fleet.two, "JOB-4", TEMPLATE)
        fleet.settled(4)
        assert frozen(fleet.one) == frozen(fleet.two) > len(TEMPLATE.split()) - 5
        vkey = json.loads(fleet.command("audit", "key", "--json"))["vkey"]
        database = ("--database", fleet.env["GOODGATE_DATABASE_URL"], "--key", vkey, "--json")
        roots = json.loads(fleet.command("credit", "recompute", *database))["roots"]
    counted = {each["root_id"]: (each["calls"], each["units"]) for each in roots}
    assert counted["JOB-4"] == (1, 0)
    assert counted["JOB-1"][1] > len(TEMPLATE.split()) - 5


def _knows(gateway: RunningGateway, task: str) -> bool:
    return gateway.ask(f"/api/tasks/{task}", key="auditor", method="GET").status == 200
