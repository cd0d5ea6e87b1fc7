"""
`goodgate serve`: run the gateway until it is told to stop.

Parsed by argparse rather than the framework of the other commands, so that the
server loads neither that nor a terminal library.
"""

import argparse
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import uvicorn

from gateway import app
from gateway.errors import ConfigError, GatewayError
from gateway.settings import Settings, from_environment
from gateway.web.protocol import Protocol


def parser(defaults: Settings) -> argparse.ArgumentParser:
    """Return the parser of `goodgate serve`; every option has a variable of its own."""
    made = argparse.ArgumentParser(
        prog="goodgate serve",
        description="Run the gateway.",
        epilog="Every option can be given as a variable: GOODGATE_CONFIG, GOODGATE_PORT, …",
    )
    made.add_argument("--config", type=Path, default=defaults.config, help="goodgate.yaml")
    made.add_argument(
        "--policies", type=Path, default=defaults.policies, help="folder of policy files"
    )
    made.add_argument(
        "--data", type=Path, default=defaults.data or Path("data"), help="folder of the stores"
    )
    made.add_argument("--host", default=defaults.host, help="address to bind (%(default)s)")
    made.add_argument(
        "--port", type=int, default=defaults.port, help="port to bind (%(default)s; 0: a free one)"
    )
    made.add_argument(
        "--workers", type=int, default=defaults.workers, help="processes (%(default)s)"
    )
    made.add_argument("--worker", type=int, default=0, help=argparse.SUPPRESS)
    made.add_argument("--fd", type=int, default=None, help=argparse.SUPPRESS)
    made.add_argument(
        "--demo", action="store_true", help="seed a demo key and task, and print a call to paste"
    )
    return made


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve; return 0 after an orderly stop, 1 when it cannot start, 2 on wrong use."""
    try:
        defaults = from_environment(environ)
        options = parser(defaults).parse_args(arguments)
        settings = msgspec.structs.replace(
            defaults,
            config=options.config,
            policies=options.policies,
            data=options.data,
            host=options.host,
            port=options.port,
            workers=options.workers,
            worker=options.worker,
        )
        if settings.workers > 1:
            return _serve_with_workers(settings, arguments, environ, demo=options.demo)
        application = app.build(settings, environ)
        greeting = app.seed_demo(application) if options.demo else ""
    except GatewayError as error:
        print(f"goodgate: error: {error}", file=sys.stderr)
        return 1
    except SystemExit as stop:
        return int(stop.code or 0)
    return _run(application, settings, greeting, options.fd)


def _serve_with_workers(
    settings: Settings, arguments: Sequence[str], environ: Mapping[str, str], *, demo: bool
) -> int:
    app.check(settings)
    if demo:
        raise ConfigError("--demo is for one process: leave out --workers")
    # The parent alone needs what starts and watches processes.
    from gateway.cli import workers  # noqa: PLC0415  # as above

    return workers.serve(
        arguments, environ, host=settings.host, port=settings.port, count=settings.workers
    )


class Server(uvicorn.Server):
    """uvicorn, saying on standard output where it listens."""

    def __init__(self, config: uvicorn.Config, *, on_listening: Callable[[str], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then say so."""
        await super().startup(sockets=sockets)
        if self.started and self.servers:
            bound = sockets[0] if sockets else self.servers[0].sockets[0]
            address: tuple[str, int] = bound.getsockname()[:2]
            host, port = address
            shown = f"[{host}]" if ":" in host else host
            self._on_listening(f"http://{shown}:{port}")


def _run(
    application: app.Application, settings: Settings, greeting: str, descriptor: int | None
) -> int:
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="goodgate: %(levelname)s: %(message)s"
    )
    for warning in application.warnings:
        logging.getLogger("goodgate").warning("%s", warning)
    config = uvicorn.Config(
        application.asgi,
        host=settings.host,
        port=settings.port,
        http=Protocol,  # on httptools; never h11, which accepts smuggled requests
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
    )

    def listening(url: str) -> None:
        print(f"goodgate: listening on {url}", flush=True)
        if greeting:
            print(greeting.replace("{url}", url), flush=True)

    server = Server(config, on_listening=listening)

    def hung_up(_number: int, _frame: object) -> None:
        application.reload_soon()

    def stopped(_number: int, _frame: object) -> None:
        """The server has stopped in order, and raises the signal again: nothing is left to do."""

    signal.signal(signal.SIGHUP, hung_up)
    signal.signal(signal.SIGTERM, stopped)
    signal.signal(signal.SIGINT, stopped)
    # What was made at start lives until the end: leave it out of every collection.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # The ledger's thread needs the interpreter for moments, and calls wait for it (Python's
    # default is 5 ms; docs/decisions/0006 has the measurement).
    sys.setswitchinterval(0.001)
    if descriptor is None:
        server.run()
    else:
        from gateway.cli import workers  # noqa: PLC0415  # a gateway by itself needs none of it

        workers.die_with_parent()
        server.run(sockets=[socket.socket(fileno=descriptor)])
    return 0 if server.started else 1
