"""The HTTP server of `kapok up` and `kapok api`: uvicorn that ends event streams when it stops."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

GRACE_S = 10


class Server(uvicorn.Server):
    """Left alone, uvicorn would wait its whole grace time for streams that never end."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.tail.stop()
        await super().shutdown(sockets)


def make_server(app: FastAPI, host: str, port: int) -> Server:
    """Not started: call `.run()`, or `.run(sockets=[…])` with a socket that is bound already."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http="httptools",
        loop="uvloop",
        ws="none",
        access_log=False,  # `api/envelope.py` logs, without the signatures that URLs carry
        log_config=None,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(app, config)
