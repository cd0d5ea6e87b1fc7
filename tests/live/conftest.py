"""Fixtures of the live tests. One gateway serves most of them: starting takes half a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.scripted import ProviderThread
from tests.live.server import RunningGateway, Site


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with keys, a catalogue and the shipped policy (limits raised); never run itself."""
    return Site.seed(tmp_path_factory.mktemp("seeded") / "site")


@pytest.fixture(scope="session")
def scripted() -> Iterator[ProviderThread]:
    """The scripted provider, for the whole session."""
    with ProviderThread() as provider:
        yield provider


@pytest.fixture
def provider(scripted: ProviderThread) -> ProviderThread:
    """The scripted provider, with nothing planned and nothing asked yet."""
    scripted.reset()
    return scripted


@pytest.fixture
def site(seeded: Site, tmp_path: Path, provider: ProviderThread) -> Site:
    """A site of the test's own, in front of the scripted provider; not running."""
    return seeded.copy(tmp_path / "site").providers(provider.url)


@pytest.fixture(scope="session")
def gateway(
    seeded: Site, scripted: ProviderThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway that many tests share: each looks for its own calls in the ledger only."""
    site = seeded.copy(tmp_path_factory.mktemp("shared") / "site").providers(scripted.url)
    with site.running() as running:
        yield running
