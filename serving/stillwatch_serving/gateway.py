"""The demo gateway: an echo model behind the middleware. `python -m stillwatch_serving.gateway --help`.

It is also the example to copy from: a host makes a `ServingNode`, starts and stops it with its lifespan, and wraps its
app in `StillwatchMiddleware`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Iterator

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from stillwatch_schemas.errors import StillwatchError

from stillwatch_serving.asgi import App, StillwatchMiddleware
from stillwatch_serving.echo import EchoModel
from stillwatch_serving.exchange import OPERATIONS
from stillwatch_serving.identity import hashed_authorization, trusted_headers
from stillwatch_serving.node import ServingNode
from stillwatch_serving.settings import BrokerSettings, ServingSettings, load_settings

STOP_SECONDS = 5


def build_app(node: ServingNode, *, words_per_second: float = 0.0, trust_headers: bool = False) -> App:
    """The ASGI app: model routes behind the middleware, and pages about the node's health beside them.

    `/stillwatch` shows what the node holds and did; keep it from clients, as the demo does by listening on loopback.
    """
    model = EchoModel(words_per_second)

    async def healthz(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> JSONResponse:
        return JSONResponse(msgspec.to_builtins(node.tail.status), status_code=200 if node.ready else 503)

    async def state(_request: Request) -> JSONResponse:
        return JSONResponse(node.state())

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with node:
            yield

    pages = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/stillwatch", state)]
    models = [Route(path, model.respond, methods=["POST"]) for path in OPERATIONS]
    app = Starlette(routes=pages + models, lifespan=lifespan)
    return StillwatchMiddleware(app, node, identify=trusted_headers if trust_headers else hashed_authorization)


class _Server(uvicorn.Server):
    """Ends on a signal with exit code 0: uvicorn would raise the signal again after its orderly end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def serve(app: App, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_SECONDS
    )
    await _Server(config).serve()


def main(arguments: list[str] | None = None) -> int:
    """Run the gateway; settings come from the environment, and the options here override them."""
    options = _parser().parse_args(arguments)
    try:
        broker, serving = _overridden(*load_settings(), options)
        asyncio.run(_run(broker, serving, options))
    except StillwatchError as error:
        print(f"gateway: {error}", file=sys.stderr)  # noqa: T201  # this is the command line
        return error.exit_code
    return 0


async def _run(broker: BrokerSettings, serving: ServingSettings, options: argparse.Namespace) -> None:
    node = ServingNode(broker, serving)
    app = build_app(node, words_per_second=options.words_per_second, trust_headers=options.trust_headers)
    obeys = "obeys signed directives" if serving.public_key_path else "only counts directives (no --public-key)"
    where = f"http://{options.host}:{options.port}"
    print(f"gateway: {where}, Kafka at {broker.bootstrap}; {obeys}", file=sys.stderr)  # noqa: T201  # the command line
    await serve(app, options.host, options.port)


def _overridden(
    broker: BrokerSettings, serving: ServingSettings, options: argparse.Namespace
) -> tuple[BrokerSettings, ServingSettings]:
    chosen = {name: value for name in ("public_key_path", "node") if (value := getattr(options, name)) is not None}
    if options.bootstrap is not None:
        broker = msgspec.structs.replace(broker, bootstrap=options.bootstrap)
    return broker, msgspec.structs.replace(serving, **chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stillwatch_serving.gateway",
        description="A small gateway with an echo model: emits request events and obeys signed directives.",
        epilog="example: python -m stillwatch_serving.gateway --port 8080 --bootstrap 127.0.0.1:9092 "
        "--public-key policy.pub.pem",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--bootstrap", help="Kafka bootstrap servers, host:port")
    parser.add_argument("--public-key", dest="public_key_path", help="PEM file; without it directives only count")
    parser.add_argument("--node", help="name of this process in acknowledgements")
    parser.add_argument("--words-per-second", type=float, default=0.0, help="pace of the answers; 0 answers at once")
    parser.add_argument(
        "--trust-headers",
        action="store_true",
        help="take the sender's identity from x-stillwatch-* headers: only behind an edge that sets them itself",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
