"""The HTTP server of `kapok up` and `kapok api`: uvicorn that ends event streams when it stops."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from api.protocol import Protocol

GRACE_S = 10


class Server(uvicorn.Server):
    """Left alone, uvicorn would wait its whole grace time for streams that never end."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.tail.stop()
        await super().shutdown(sockets)


def make_server(app: FastAPI, host: str, port: int, protocol: type[Protocol] = Protocol) -> Server:
    """Not started: call `.run()`, or `.run(sockets=[…])` with a socket that is bound already.

    `limit_concurrency` stays unset: beyond it uvicorn would answer health checks and the next part
    of a running upload with a bare 503. What a stranger can hold is limited in time instead: heads
    and bodies have 30 s, a part 60 s for its next byte, an idle connection 30 s.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        loop="uvloop",
        ws="none",
        access_log=False,  # `api/envelope.py` logs, without the signatures that URLs carry
        log_config=None,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(app, config)
