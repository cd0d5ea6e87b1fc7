"""A provider that is slow, silent, gone or broken; and connections that are given up."""

import asyncio

import pytest

from gateway.errors import ProviderCut, ProviderTimeout, ProviderUnreachable
from gateway.settings import Provider
from gateway.upstream import native
from tests.provider import refused
from tests.upstream import calls
from tests.upstream.calls import KEY, answer, to, until, until_cut


@pytest.mark.parametrize("stop", ["cut:2", "cut:0", "reset:2"])
async def test_a_stream_that_breaks_off_is_cut_after_what_arrived(scripted, stop):
    async with to(scripted) as upstream:
        sent = calls.chat(f"m!{stop}", stream=True)
        reply = await upstream.send(sent, upstream.target(sent))
        seen, said = await until_cut(reply)
        assert "broke off" in said
        with pytest.raises(ProviderCut):
            await anext(reply.chunks)
    if stop == "cut:2":
        assert b"word1" in seen
        assert scripted.requests[0].tokens == 2


async def test_what_arrived_before_a_cut_is_handed_out_even_when_it_was_not_awaited(scripted):
    async with to(scripted) as upstream:
        sent = calls.chat("m!cut:2", stream=True)
        reply = await upstream.send(sent, upstream.target(sent))
        await until(lambda: scripted.open_connections == 0)
        seen, _said = await until_cut(reply)
    assert seen.count(b"data: ") == 3


@pytest.mark.parametrize("script", ["cut", "reset", "length:10"])
async def test_a_whole_reply_that_breaks_off_is_cut(scripted, script):
    async with to(scripted) as upstream:
        with pytest.raises(ProviderCut, match="broke off"):
            await answer(upstream, calls.chat(f"m!{script}"))


async def test_a_whole_reply_that_is_too_large_is_cut(scripted, monkeypatch):
    monkeypatch.setattr(native, "BODY_BYTES_MAX", 100)
    async with to(scripted) as upstream:
        with pytest.raises(ProviderCut, match="larger than"):
            await answer(upstream, calls.chat("m!tokens:50"))
        _reply, body = await answer(upstream, calls.chat("m!tokens:50", stream=True))
    assert len(body) > 100


async def test_silence_before_the_head_times_out(scripted):
    async with to(scripted, first_byte_s=0.02) as upstream:
        with pytest.raises(ProviderTimeout, match=r"0\.02 s"):
            await answer(upstream, calls.chat("m!slow"))
    assert scripted.requests[0].tokens == 0


async def test_silence_in_the_middle_of_a_stream_is_a_cut(scripted):
    async with to(scripted, idle_s=0.02) as upstream:
        sent = calls.chat("m!stall:2", stream=True)
        reply = await upstream.send(sent, upstream.target(sent))
        seen, said = await until_cut(reply)
    assert "fell silent" in said
    assert b"word1" in seen


async def test_the_idle_time_does_not_count_before_the_head(scripted):
    async with to(scripted, idle_s=0.01, first_byte_s=30.0) as upstream:
        sent = calls.chat("m!slow")
        sending = asyncio.ensure_future(upstream.send(sent, upstream.target(sent)))
        await scripted.arrived.wait()
        done, _pending = await asyncio.wait((sending,), timeout=0.05)
        assert not done
        scripted.go.set()
        reply = await sending
        assert b"".join([chunk async for chunk in reply.chunks])


async def test_a_refused_connection_is_told_without_an_address():
    async with refused() as url:
        provider = Provider(name="p", format="openai", base_url=url, api_key=KEY)
        upstream = calls.providers(provider)
        with pytest.raises(ProviderUnreachable) as caught:
            await answer(upstream, calls.chat())
        await upstream.close()
    assert "'p' could not be reached" in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


async def test_a_connection_that_takes_too_long_is_told(scripted, monkeypatch):
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "create_connection", lambda *_args, **_rest: loop.create_future())
    async with to(scripted, connect_s=0.01) as upstream:
        with pytest.raises(ProviderUnreachable, match=r"took no connection within 0\.01 s"):
            await answer(upstream, calls.chat())
    assert scripted.connections == 0


@pytest.mark.parametrize(
    ("script", "said"), [("close", "closed the connection"), ("garbage_head", "no HTTP")]
)
async def test_a_connection_that_ends_before_a_head_is_told_and_not_tried_again(
    scripted, script, said
):
    async with to(scripted) as upstream:
        await answer(upstream, calls.chat())
        with pytest.raises(ProviderUnreachable, match=said):
            await answer(upstream, calls.chat(f"m!{script}"))
        await answer(upstream, calls.chat())
    assert len(scripted.requests) == 3


async def test_closing_a_reply_aborts_its_connection_at_once(scripted):
    async with to(scripted) as upstream:
        sent = calls.chat("m!stall:1", stream=True)
        reply = await upstream.send(sent, upstream.target(sent))
        await anext(reply.chunks)
        await reply.close()
        await until(lambda: scripted.open_connections == 0)
        await reply.close()
        with pytest.raises(ProviderCut):
            await anext(reply.chunks)
    assert not scripted.requests[0].finished


async def test_closing_a_reply_wakes_who_waits_for_its_next_chunk(scripted):
    async with to(scripted) as upstream:
        sent = calls.chat("m!stall:1", stream=True)
        reply = await upstream.send(sent, upstream.target(sent))
        seen = b""
        while b"word0" not in seen:
            seen += await anext(reply.chunks)
        waiting = asyncio.ensure_future(anext(reply.chunks))
        done, _pending = await asyncio.wait((waiting,), timeout=0.01)
        assert not done
        await reply.close()
        with pytest.raises(ProviderCut):
            await waiting


async def test_close_waits_for_calls_under_way(scripted):
    async with to(scripted) as upstream:
        sent = calls.chat("m!stall:1", stream=True)
        reply = await upstream.send(sent, upstream.target(sent))
        closing = asyncio.ensure_future(upstream.close())
        done, _pending = await asyncio.wait((closing,), timeout=0.01)
        assert not done
        scripted.go.set()
        assert b"[DONE]" in b"".join([chunk async for chunk in reply.chunks])
        await closing
    await until(lambda: scripted.open_connections == 0)


async def test_a_call_sent_after_close_is_served_and_leaves_nothing_open(scripted):
    async with to(scripted) as upstream:
        await answer(upstream, calls.chat())
        await upstream.close()
        reply, _body = await answer(upstream, calls.chat())
        assert reply.status == 200
        await until(lambda: scripted.open_connections == 0)


async def test_a_cancelled_call_leaves_nothing_open(scripted):
    async with to(scripted) as upstream:
        sent = calls.chat("m!slow")
        sending = asyncio.ensure_future(upstream.send(sent, upstream.target(sent)))
        await scripted.arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await upstream.close()
    await until(lambda: scripted.open_connections == 0)
    assert len(scripted.requests) == 1
