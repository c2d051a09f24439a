"""The `kapok` command line and the Python client: `from kapok import Client`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kapok.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    """Load the client when it is first asked for: `kapok --help` must not wait for httpx."""
    if name == "Client":
        from kapok.client import Client

        return Client
    message = f"module 'kapok' has no attribute {name!r}"
    raise AttributeError(message)
