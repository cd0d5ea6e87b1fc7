"""A scripted provider for each test of this folder that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.provider import ScriptedProvider


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider
