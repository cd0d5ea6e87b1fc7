"""A PostgreSQL of the benchmark's own, from the wheel the tests use: durable, and gone after."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ledger_appends import KEY, SECRET
from gateway.stores.postgres.ledger import Ledger, Place
from tests.stores.postgreses import Server

SETTINGS = (
    "shared_buffers=1GB",  # of the manual's quarter of the memory, a part
    "max_wal_size=4GB",
    # A table filled in the transaction that emptied it need not be logged. fsync stays on.
    "wal_level=minimal",
    "max_wal_senders=0",
)


@contextmanager
def server() -> Generator[Server]:
    """Give a server with PostgreSQL's own settings but for SETTINGS; it is removed after."""
    made = Server(*SETTINGS)
    try:
        made.start()
        yield made
    finally:
        made.discard()


def with_ledger(made: Server, folder: Path) -> str:
    """Return the URL of a database that holds a ledger of a few entries."""
    url = made.fresh()
    folder.mkdir()
    Ledger.open(Place(url=url, folder=folder), secret=SECRET, key=KEY).close()
    return url
