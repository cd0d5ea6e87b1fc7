"""The log over HTTP: its files, receipts for those who may have them, cosignatures."""

import json

import pytest

from gateway import ledger
from gateway.ledger import checkpoints, notes, tiles
from gateway.ledger.proofs import Receipt
from gateway.ledger.verification import Trust, verify
from gateway.stores.memory_ledger import MemoryLedger
from tests.stores.ledgers import intent, refusal, settle
from tests.web.api_client import World

CALLS = 260
POLICY = "sha256:0123456789abcdef"
SIZE = 2 * CALLS + 3
"""The starts of sequencer and gateway, the policy, and two entries a call."""
_TEXT = "goodgate/any\n1\n" + notes.to_base64(bytes(32)) + "\n"
WITNESS = notes.Signer.from_seed("witness.example/w", b"w" * 32, notes.COSIGNATURE).cosign(_TEXT, 7)


def request_id(number: int) -> str:
    return f"req_{number:032x}"


def fill(world: World) -> MemoryLedger:
    """Put a call of the developer and many of alice in the log, and sign it."""
    log = world.book.log_of
    if log.size() < SIZE:
        log.policy_in_force(POLICY, [("a.yaml", "version: 1\n"), ("b.yaml", "rules: []\n")])
        for number in range(CALLS):
            replica, seq = log.stamp()
            principal = "c1" if number else "c0"
            log.add(intent(number, principal=principal, replica=replica, replica_seq=seq))
            replica, seq = log.stamp()
            log.add(settle(number, replica=replica, replica_seq=seq))
        log._sign()
    world.book.people["c0"] = "developer"
    return log


def add(world: World, record: ledger.Leaf) -> None:
    """Put a record in the log that no checkpoint covers yet."""
    log = world.book.log_of
    replica, seq = log.stamp()
    log.add(type(record)(**{**as_fields(record), "replica": replica, "replica_seq": seq}))


def as_fields(record: ledger.Leaf) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


class Served:
    """The log as HTTP serves it, as a source to verify."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, path: str) -> bytes | None:
        found = self._world.ask("auditor", "GET", f"/api/log/{path}")
        return found.body if found.status == 200 else None

    def paths(self) -> list[str]:
        return [*self._world.ask("auditor", "GET", "/api/log/files").json, "manifest"]


def test_what_is_served_verifies_as_an_export() -> None:
    world = World()
    log = fill(world)

    report = verify(Served(world), Trust(vkey=log.log().vkey, whole_folder=True))

    assert (report.first, report.size, report.policies) == (None, SIZE, 1)


def test_files_come_with_their_types_and_only_finished_ones_may_be_kept() -> None:
    world = World()
    fill(world)

    kinds = {
        "checkpoint": ("text/plain; charset=utf-8", False),
        "checkpoints.jsonl": ("application/jsonl", False),
        "log.json": ("application/json", False),
        "policies/0123456789abcdef.json": ("application/json", False),
        "tile/0/000": ("application/octet-stream", True),
        "tile/entries/000": ("application/octet-stream", True),
        f"tile/0/002.p/{SIZE % 256}": ("application/octet-stream", False),
        "manifest": ("text/plain; charset=utf-8", False),
    }
    for path, (kind, is_final) in kinds.items():
        reply = world.ask("auditor", "GET", f"/api/log/{path}")
        assert (reply.status, reply.headers["content-type"]) == (200, kind), path
        kept = "private, max-age=31536000, immutable" if is_final else "no-store"
        assert reply.headers["cache-control"] == kept, path
        assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["", "tile/0/003", "tile/entries/002", "tile/0/0", "tile/0/000.p/0", "tile/9/000", "key",
     "policies/ffffffffffffffff.json", "policies/../log.json", "ledger.sqlite", "tile//000"],
)  # fmt: skip
def test_what_is_no_file_of_the_log_is_not_found(path: str) -> None:
    world = World()
    fill(world)

    reply = world.ask("auditor", "GET", f"/api/log/{path}")

    if path == "key":
        assert reply.json["origin"] == world.book.log_of.log().origin
    else:
        assert (reply.status, reply.code) == (404, "not_found")


def test_an_earlier_size_is_served_as_it_was() -> None:
    world = World()
    log = fill(world)
    add(world, intent(1000))
    log._sign()

    listed = world.ask("auditor", "GET", f"/api/log/files?size={SIZE}").json
    note = world.ask("auditor", "GET", f"/api/log/checkpoint?size={SIZE}").body
    newest = world.ask("developer", "GET", "/api/log/checkpoint").body

    assert f"tile/0/002.p/{SIZE % 256}" in listed
    assert checkpoints.read(note, log.log().origin)[0].size == SIZE
    assert checkpoints.read(newest, log.log().origin)[0].size == SIZE + 1
    for size in ("0", "-1", "x", str(SIZE - 1), str(SIZE + 9)):
        assert world.ask("auditor", "GET", f"/api/log/files?size={size}").status in (400, 404)


def test_any_key_may_have_the_log_s_public_key() -> None:
    world = World()

    found = world.ask("developer", "GET", "/api/log/key").json

    assert found == world.book.log_of.log()._asdict()


def test_without_the_signing_key_there_is_no_manifest() -> None:
    world = World()
    fill(world)
    world.signers = [notes.Signer.from_seed(world.book.log_of.log().origin, b"o" * 32)]

    reply = world.ask("auditor", "GET", "/api/log/manifest")

    assert (reply.status, reply.code) == (400, "config_error")
    assert "GOODGATE_LEDGER_KEY" in reply.json["error"]["message"]


def receipt(world: World, who: str, number: int, query: str = "") -> Receipt:
    reply = world.ask(who, "GET", f"/api/receipts/{request_id(number)}{query}")
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    return Receipt.parse(reply.body.decode())


@pytest.mark.parametrize(("query", "kind"), [("", "settle"), ("?leaf=intent", "intent")])
def test_a_receipt_verifies_with_the_public_key_alone(query: str, kind: str) -> None:
    world = World()
    log = fill(world)
    world.book.people["c1"] = "developer"
    verifier = notes.Verifier.parse(log.log().vkey)

    for who in ("developer", "admin", "auditor"):
        found = receipt(world, who, 7, query)
        found.verify(found.leaf, verifier, log.log().origin)
        assert json.loads(found.leaf)["kind"] == kind
        assert json.loads(found.leaf)["request_id"] == request_id(7)


def test_a_refused_call_has_one_entry_and_so_one_receipt() -> None:
    world = World()
    log = fill(world)
    add(world, refusal(900))
    log._sign()

    found = {receipt(world, "auditor", 900, query).leaf for query in ("", "?leaf=intent")}

    assert [json.loads(each)["kind"] for each in found] == ["refusal"]


def test_another_s_call_is_as_unknown_as_one_that_never_was() -> None:
    world = World()
    fill(world)

    theirs = world.ask("developer", "GET", f"/api/receipts/{request_id(7)}")
    never = world.ask("developer", "GET", f"/api/receipts/{request_id(7777)}")

    assert theirs.status == never.status == 404
    assert theirs.body == never.body


def test_an_entry_no_checkpoint_covers_yet_is_pending() -> None:
    world = World()
    log = fill(world)
    add(world, intent(800))

    opened = world.ask("auditor", "GET", f"/api/receipts/{request_id(800)}?leaf=intent")
    settled = world.ask("auditor", "GET", f"/api/receipts/{request_id(800)}")

    assert (opened.status, opened.code) == (409, "receipt_pending")
    assert "a second" in opened.json["error"]["message"]
    assert (settled.status, settled.code) == (409, "receipt_pending")
    assert "still open" in settled.json["error"]["message"]
    log._sign()
    assert json.loads(receipt(world, "auditor", 800, "?leaf=intent").leaf)["kind"] == "intent"


def test_without_any_checkpoint_every_entry_is_pending() -> None:
    world = World()
    add(world, intent(800))

    reply = world.ask("auditor", "GET", f"/api/receipts/{request_id(800)}?leaf=intent")

    assert reply.code == "receipt_pending"
    assert world.ask("auditor", "GET", "/api/log/checkpoint").code == "not_found"


def test_a_young_call_is_waited_for() -> None:
    """It may be durable, and not in order yet."""
    world = World()
    young = f"req_{int(world.now * 1_000):012x}7000a000000000000000"
    old = f"req_{int(world.now * 1_000) - 90_000:012x}7000a000000000000000"

    assert world.ask("developer", "GET", f"/api/receipts/{young}").code == "not_found"
    assert world.decided.flushes == 1
    assert world.ask("developer", "GET", f"/api/receipts/{old}").code == "not_found"
    assert world.decided.flushes == 1


def test_a_call_that_comes_into_order_meanwhile_has_its_receipt() -> None:
    world = World()
    young = f"req_{int(world.now * 1_000):012x}7000a000000000000000"
    log = fill(world)

    def arrive() -> None:
        add(world, intent(1, request_id=young, attempt_id=young.replace("req_", "att_")))
        log._sign()

    world.decided.then = arrive

    assert world.ask("auditor", "GET", f"/api/receipts/{young}?leaf=intent").status == 200


def test_a_retired_call_has_no_receipt_any_more() -> None:
    world = World()
    fill(world)
    world.ask("admin", "POST", "/api/audit/retire", {"size": 256})

    assert world.ask("admin", "GET", f"/api/receipts/{request_id(1)}").code == "not_found"
    assert receipt(world, "admin", 200).index > 256
    assert world.ask("admin", "GET", "/api/log/tile/entries/000").code == "not_found"
    assert world.ask("admin", "GET", "/api/log/tile/0/000").status == 200
    assert world.ask("admin", "GET", "/api/log/log.json").json["first_bundle"] == 1


def test_the_leaf_is_one_of_two() -> None:
    reply = World().ask("auditor", "GET", f"/api/receipts/{request_id(1)}?leaf=refusal")

    assert (reply.status, reply.code) == (400, "invalid_request")


def witness(number: int) -> notes.Signer:
    return notes.Signer.from_seed(f"w{number}.example", bytes([number]) * 32, notes.COSIGNATURE)


def checkpoint_text(log: MemoryLedger) -> str:
    return notes.Note.parse(log.checkpoint()).text


def test_a_cosignature_is_kept_with_its_checkpoint() -> None:
    world = World()
    log = fill(world)
    line = witness(1).cosign(checkpoint_text(log), 1_700_000_000)

    for _ in range(2):
        done = world.ask("auditor", "POST", "/api/log/cosignatures", {"size": SIZE, "line": line})
        assert done.json == {"size": SIZE, "witness": "w1.example"}

    note = notes.Note.parse(world.ask("developer", "GET", "/api/log/checkpoint").body)
    assert note.cosigned_at(witness(1).verifier) == 1_700_000_000
    assert len(note.signatures) == 2
    assert note.signed_by(notes.Verifier.parse(log.log().vkey))


def test_no_more_than_sixteen_witnesses_of_a_checkpoint_are_kept() -> None:
    world = World()
    text = checkpoint_text(fill(world))

    codes = [
        world.ask(
            "admin", "POST", "/api/log/cosignatures",
            {"size": SIZE, "line": witness(number).cosign(text, 7)},
        ).status
        for number in range(1, 19)
    ]  # fmt: skip

    assert codes == [200] * 16 + [400] * 2
    assert len(notes.Note.parse(world.book.log_of.checkpoint()).signatures) == 17


@pytest.mark.parametrize(
    "line",
    ["", "x", "— w.example", "— w.example AAAA", "w.example " + "A" * 100, WITNESS + WITNESS,
     WITNESS.replace("witness.example/w", "w" * 600), "— a b c", WITNESS + "\n\n"],
)  # fmt: skip
def test_what_is_no_signature_line_is_refused(line: str) -> None:
    world = World()
    fill(world)

    reply = world.ask("auditor", "POST", "/api/log/cosignatures", {"size": SIZE, "line": line})

    assert (reply.status, reply.code) == (400, "invalid_request")
    assert len(notes.Note.parse(world.book.log_of.checkpoint()).signatures) == 1


def test_a_signature_of_the_log_s_own_name_is_refused() -> None:
    """Nobody can put a signature under a checkpoint that spoils the log's own."""
    world = World()
    log = fill(world)
    own = notes.Signer.from_seed(log.log().origin, b"x" * 32, notes.COSIGNATURE)
    wish = {"size": SIZE, "line": own.cosign(checkpoint_text(log), 7)}

    assert world.ask("auditor", "POST", "/api/log/cosignatures", wish).code == "invalid_request"


@pytest.mark.parametrize("size", [0, 1, -1, 10**15])
def test_only_a_checkpoint_that_is_there_is_cosigned(size: int) -> None:
    world = World()
    fill(world)

    wish = {"size": size, "line": WITNESS}
    reply = world.ask("auditor", "POST", "/api/log/cosignatures", wish)

    assert (reply.status, reply.code) == (404, "not_found")


def test_a_bundle_on_the_edge_grows_with_the_log_and_stays_what_it_was() -> None:
    world = World()
    log = fill(world)
    path = tiles.path("entries", 2, SIZE % 256)
    before = world.ask("auditor", "GET", f"/api/log/{path}").body
    add(world, intent(1000))
    log._sign()

    assert world.ask("auditor", "GET", f"/api/log/{path}").body == before
    grown = world.ask("auditor", "GET", f"/api/log/{tiles.path('entries', 2, SIZE % 256 + 1)}").body
    assert grown.startswith(before)
    assert len(tiles.lines(grown)) == SIZE % 256 + 1
