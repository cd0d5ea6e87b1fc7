"""A small fleet and what it writes into the ledger: gateways, sequencers, a command."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

from gateway import ledger

START_US = 1_795_000_000_000_000
HOUR_US = 3_600_000_000
FIRST_POLICY = (("default.yaml", "rules:\n- id: require-task\n"), ("limits.yaml", "limits: []\n"))
SECOND_POLICY = (("default.yaml", "rules:\n- id: require-task\n- id: no-repeats\n"),)


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    return f"sha256:{ledger.policy_sha256(files)[:16]}"


class Fleet:
    """Writes leaves as gateways, sequencers and commands do."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.leaves: list[ledger.Leaf] = []
        self.numbers: dict[str, int] = {}
        self.open: dict[str, ledger.Intent] = {}
        self.at_us = START_US
        self.policy = digest_of(FIRST_POLICY)

    def name(self, prefix: str) -> str:
        return f"{prefix}{self.random.getrandbits(128):032x}"

    def stamp(self, replica: str) -> dict[str, Any]:
        """Return what a leaf of a replica has, at the next number and moment."""
        self.at_us += self.random.randrange(1_000, 400_000)
        self.numbers[replica] = self.numbers.get(replica, 0) + 1
        return {"replica": replica, "replica_seq": self.numbers[replica]}

    def add(self, leaf: ledger.Leaf) -> None:
        self.leaves.append(leaf)

    def happen(self, kind: type[ledger.Leaf], replica: str, **fields: Any) -> None:
        """Write a leaf about no call."""
        stamp = self.stamp(replica)
        named: dict[str, Any] = {"attempt_id": self.name("evt_"), "at_us": self.at_us}
        if kind is ledger.CostHour:
            named = {"attempt_id": f"hour_{fields['hour']}"}
        self.add(kind(**(named | stamp | fields)))

    def start(self, replica: str, role: str = "gateway", **fields: Any) -> None:
        self.happen(ledger.ReplicaStart, replica, role=role, version="0.2.0", **fields)

    def end(self, replica: str, ended: str, reason: str) -> None:
        own = 1 if replica == ended else 0
        self.happen(
            ledger.ReplicaEnd,
            replica,
            ended=ended,
            last_cost_seq=self.random.randrange(9),
            last_seq=self.numbers[ended] + own,
            reason=reason,
        )

    def put_in_force(self, replica: str, files: Sequence[tuple[str, str]]) -> None:
        self.policy = digest_of(files)
        self.happen(
            ledger.PolicyInForce,
            replica,
            digest=self.policy,
            files_sha256=ledger.policy_sha256(files),
        )

    def _call(self, replica: str) -> dict[str, Any]:
        pick = self.random
        return self.stamp(replica) | {
            "attempt_id": self.name("att_"),
            "catalogue": "sha256:00112233445566ff",
            "cluster": pick.choice([None, "9f2c"]),
            "evidence": "verified",
            "likeness": pick.choice([None, "new", "near"]),
            "model_requested": pick.choice(["fast", "smart"]),
            "policy": self.policy,
            "principal": f"{pick.getrandbits(128):032x}",
            "received_at_us": self.at_us,
            "request_id": self.name("req_"),
            "root_id": "PROJ-1",
            "route": pick.choice(["chat", "messages"]),
            "rules": ("require-task",),
            "stream": pick.random() < 0.5,
            "task_id": f"PROJ-{pick.randrange(1, 40)}",
            "task_source": "header",
            "team": pick.choice(["payments", "search", 'größer "quoted"\n']),
            "tenant": "default",
        }

    def refuse(self, replica: str) -> None:
        self.add(ledger.Refusal(code="quota_exceeded", **self._call(replica)))

    def begin(self, replica: str) -> None:
        pick = self.random
        intent = ledger.Intent(
            coalesced_into=None,
            decision="forwarded",
            model_served="gpt-5-mini",
            prices="sha256:fedcba9876543210",
            provider="openai",
            reserved_cost_usd="0.0105",
            reserved_input_tokens=pick.randrange(10, 4_000),
            reserved_output_tokens=1_000,
            retry_count=0,
            units=tuple(f"{pick.getrandbits(64):016x}" for _ in range(pick.randrange(4))),
            **self._call(replica),
        )
        self.open[intent.attempt_id] = intent
        self.add(intent)

    def settle(self, replica: str, intent: ledger.Intent, **fields: Any) -> None:
        """Write a settle, or with a `reason` an adjust."""
        pick = self.random
        stamp = self.stamp(replica)
        figures: dict[str, Any] = {
            "attempt_id": intent.attempt_id,
            "cache_read_tokens": 0,
            "cache_write_tokens": 0,
            "completion": "complete",
            "cost_usd": f"0.{pick.randrange(10_000):06}",
            "first_token_ms": pick.choice([None, 210]),
            "input_tokens": pick.randrange(1, 4_000),
            "latency_ms": pick.randrange(20_000),
            "output_tokens": pick.randrange(1_000),
            "prices": intent.prices,
            "reasoning_tokens": 0,
            "request_id": intent.request_id,
            "settled_at_us": self.at_us,
            "status": 200,
            "usage_basis": "reported",
        }
        kind = ledger.Adjust if "reason" in fields else ledger.Settle
        self.add(kind(**(figures | stamp | fields)))
        self.open.pop(intent.attempt_id, None)

    def work(self, replicas: Sequence[str], calls: int) -> None:
        """Let calls come in and be answered, several at a time."""
        for _ in range(calls):
            replica = self.random.choice(replicas)
            if self.random.random() < 0.1:
                self.refuse(replica)
            else:
                self.begin(replica)
            waiting = [each for each in self.open.values() if each.replica in replicas]
            while len(waiting) > 3:
                intent = waiting.pop(self.random.randrange(len(waiting)))
                self.settle(intent.replica, intent)

    def cost_hour(self, replica: str, hour: int, n: int) -> None:
        row = ledger.CostRow("payments", "fast", "unlinked", 12, 1, 4_000 + n, "0.12")
        self.happen(ledger.CostHour, replica, hour=hour, n=n, rows=(row, row))


class Story:
    """What happens to two gateways, two sequencers and a command. A third gateway follows one."""

    def __init__(self, seed: int) -> None:
        self.fleet = Fleet(seed)
        self.first, self.second, self.third, self.desk = (
            self.fleet.name("r")[:17] for _ in range(4)
        )
        self.hour = START_US // HOUR_US * 3_600
        self.rotated: list[int] = []
        """Where the signing key was rotated."""

    def told(
        self, calls: int, rotate: Sequence[tuple[str, str]] = ()
    ) -> tuple[list[ledger.Leaf], list[int]]:
        """Return what happened, and where the signing key was rotated."""
        self._begin(calls // 3)
        self._lose()
        self._replace(rotate)
        self.fleet.work([self.second, self.third], calls // 3)
        self._accept()
        self._look()
        self._stop(calls - 2 * (calls // 3))
        return self.fleet.leaves, self.rotated

    def _begin(self, calls: int) -> None:
        fleet = self.fleet
        fleet.start("s1", "sequencer", epoch=1)
        for replica in (self.first, self.second):
            fleet.start(replica)
            fleet.put_in_force(replica, FIRST_POLICY)
        fleet.work([self.first, self.second], calls)

    def _lose(self) -> None:
        """Lose the first gateway and the sequencer together; another sequencer takes over."""
        fleet = self.fleet
        fleet.begin(self.first)
        lost = [each for each in fleet.open.values() if each.replica == self.first]
        fleet.start("s2", "sequencer", epoch=2, previous="s1")
        fleet.end("s2", "s1", "crashed")
        fleet.end("s2", self.first, "lost")
        gone = {"completion": "unknown_crash", "usage_basis": "estimated", "status": 0}
        for intent in lost:
            fleet.settle("s2", intent, **gone)
        fleet.settle("s2", lost[-1], n=1, reason="the call had been given up as lost")
        fleet.cost_hour("s2", self.hour, 0)

    def _replace(self, rotate: Sequence[tuple[str, str]]) -> None:
        fleet, replica = self.fleet, self.third
        fleet.start(replica, previous=self.first)
        fleet.put_in_force(replica, SECOND_POLICY)
        for previous, current in rotate:
            self.rotated.append(len(fleet.leaves))
            keys = {"what": "signing_key", "previous": previous, "current": current}
            fleet.happen(ledger.Rotation, replica, **keys)
        marks = {"what": "pepper", "previous": "a1" * 8, "current": "b2" * 8}
        fleet.happen(ledger.Rotation, replica, **marks)

    def _accept(self) -> None:
        """Let a root be worth something, and something come of it."""
        fleet, people = self.fleet, tuple(sorted(self.fleet.name("") for _ in range(3)))
        judged = {
            "beneficiaries": people[:2],
            "catalogue": "sha256:" + "0" * 16,
            "policy": digest_of(SECOND_POLICY),
            "root_id": "PAY-1",
            "team": "payments",
        }
        for n, value in enumerate(("", "2.5")):
            fleet.happen(
                ledger.Valuation,
                self.second,
                attempt_id="val_1",
                by_bot=False,
                n=n,
                team_size=7,
                value=value,
                valued_by=people[2] if value else "",
                weights=(ledger.Weight("PAY-2", "0.25"), ledger.Weight("PAY-3", "0.75")),
                **judged,
            )
        for event in ("merged", "reverted"):
            fleet.happen(
                ledger.Outcome,
                self.third,
                author=people[0],
                creator="bot",
                event=event,
                evidence="https://tracker.example/acme/web/pull/7",
                linked_by="keyword",
                occurred_at_us=START_US,
                reviewers=people[1:],
                subject="ACME.WEB-7",
                task_id="PAY-2",
                tracker="forge",
                **judged,
            )

    def _look(self) -> None:
        fleet, desk = self.fleet, self.desk
        fleet.start(desk, "command")
        fleet.happen(ledger.Reveal, desk, auditor="key-1", filters="{}", reason="ticket SEC-42")
        fleet.end(desk, desk, "stopped")
        fleet.happen(ledger.Erasure, self.second, auditor="root", reason="asked to", salts=3)
        fleet.cost_hour("s2", self.hour, 1)

    def _stop(self, calls: int) -> None:
        """Let the second gateway end in good order; the third is still at work."""
        fleet = self.fleet
        fleet.work([self.second, self.third], calls)
        for intent in [each for each in fleet.open.values() if each.replica == self.second]:
            fleet.settle(self.second, intent)
        fleet.end(self.second, self.second, "stopped")
