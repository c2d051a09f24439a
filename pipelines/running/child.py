"""One confined child process and its pipes; leaving the context kills its group and reaps it."""

from __future__ import annotations

import fcntl
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from pipelines.errors import LimitExceeded, ToolStalled, TruncatedMedia
from pipelines.running.sandbox import Limits, confine

Consumer = Callable[[bytes], object]
Reader = Callable[[int, int], bytes]

_BLOCK_BYTES = 1 << 20
_REAP_S = 10.0
_GREETING_S = 30.0
_DRAIN_S = 1.0
_READ_S = 60.0
READ_BYTES = 4 << 20  # most that a child may ask for at once
_CLOSED_TICK_S = 0.02
_REQUEST = struct.Struct(">QQ")
_PIPE = re.compile(r"(pipe\\?:)(\w+)")
# Of tools that this thread starts: what nobody waits for sets it, so that all else goes first.
NICENESS: ContextVar[int] = ContextVar("niceness", default=0)
# Nothing of the parent's environment: it holds the secrets of the service.
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": tempfile.gettempdir(),
    "LANG": "C.UTF-8",
    "SVT_LOG": "1",  # errors only: SVT-AV1 prints a banner whatever ffmpeg's -v says
}


class Child:
    """A started tool; `read` feeds the consumers of its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], consumers: Mapping[int, Consumer]) -> None:
        self._process = process
        self._consumers = dict(consumers)
        self._selector = selectors.DefaultSelector()
        self._drain_until: float | None = None
        for fd in self._consumers:
            self._selector.register(fd, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self, timeout_s: float) -> bool:
        """Pass on what has arrived within `timeout_s`; false once the tool has ended."""
        if not self._consumers:
            time.sleep(min(timeout_s, _CLOSED_TICK_S))
        for key, _ in self._selector.select(timeout_s if self._consumers else 0):
            self._read_block(key.fd)
        return not self._ended()

    def end(self) -> None:
        """Kill what is left of the process group and reap the tool; its status stays its own."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_REAP_S)
        self._selector.close()

    @property
    def status(self) -> int:
        """The exit status, known after `end`."""
        return self._process.returncode

    def _read_block(self, fd: int) -> None:
        block = b""
        with suppress(ConnectionResetError):  # a socket of a child that ended with a reply unread
            block = os.read(fd, _BLOCK_BYTES)
        if block:
            self._consumers[fd](block)
        else:
            self._selector.unregister(fd)
            del self._consumers[fd]

    def _ended(self) -> bool:
        """Ended, and its pipes read to their end; a pipe that a stray process holds is given up."""
        peek = os.WEXITED | os.WNOHANG | os.WNOWAIT  # unreaped, its pid still names its group
        if os.waitid(os.P_PID, self._process.pid, peek) is None:
            return False
        self._drain_until = self._drain_until or time.monotonic() + _DRAIN_S
        return not self._consumers or time.monotonic() > self._drain_until


@contextmanager
def started(
    argv: Sequence[str],
    *,
    readable: Sequence[Path],
    writable: Sequence[Path],
    limits: Limits,
    taps: Mapping[str, Consumer],
    log: Consumer,
    stdout: IO[bytes] | Consumer | None,
    served: Mapping[str, Reader],
) -> Iterator[Child]:
    """A confined child: `taps` name the pipes that argv mentions as `pipe:NAME`, and stdout is a
    file, a consumer, or part of the log. `served` name sockets in the same way: the child asks
    there for bytes (first and end, 8 bytes each, big-endian) and gets them.
    """
    with ExitStack() as ours, ExitStack() as theirs:
        read_ends: dict[int, Consumer] = {}
        names: dict[str, int] = {}
        for name, consumer in taps.items():
            names[name] = _pipe(ours, theirs, read_ends, consumer)
        for name, reader in served.items():
            names[name] = _served(ours, theirs, read_ends, reader)
        error_end = _pipe(ours, theirs, read_ends, log)
        if callable(stdout):
            output_end: int | IO[bytes] = _pipe(ours, theirs, read_ends, stdout)
        else:
            output_end = error_end if stdout is None else stdout
        greeting, their_greeting = socket.socketpair()
        ours.callback(greeting.close)
        theirs.callback(their_greeting.close)
        process = subprocess.Popen(
            confine(_with_pipes(argv, names), readable=readable, writable=writable, limits=limits),
            stdin=their_greeting.fileno(),
            stdout=output_end,
            stderr=error_end,
            pass_fds=tuple(names.values()),
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,  # one group to kill, which no terminal's signal reaches
        )
        theirs.close()
        child = Child(process, read_ends)
        try:
            if NICENESS.get():
                os.setpriority(os.PRIO_PGRP, process.pid, NICENESS.get())
            _greet(greeting)
            yield child
        finally:
            child.end()


def _greet(tool: socket.socket) -> None:
    """Answer the tool's first word; one that ends before it says any is left to its exit status."""
    tool.settimeout(_GREETING_S)
    try:
        if tool.recv(1):
            tool.sendall(b"\n")
    except TimeoutError as error:
        message = f"a tool did not start in {_GREETING_S:.0f} s: the machine is overloaded"
        raise ToolStalled(message) from error
    except (BrokenPipeError, ConnectionResetError):
        return


def _pipe(
    ours: ExitStack, theirs: ExitStack, read_ends: dict[int, Consumer], consumer: Consumer
) -> int:
    """A pipe towards `consumer`; returns its write end, closed in this process after the start."""
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    theirs.callback(os.close, writing)
    with suppress(OSError):  # a larger pipe saves wake-ups; the system may allow less
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _BLOCK_BYTES)
    read_ends[reading] = consumer
    return writing


def _served(
    ours: ExitStack, theirs: ExitStack, read_ends: dict[int, Consumer], reader: Reader
) -> int:
    """A socket on which the child is read to; returns its end of it."""
    mine, their = socket.socketpair()
    ours.callback(mine.close)
    theirs.callback(their.close)
    mine.settimeout(_READ_S)
    asked = bytearray()

    def answer(block: bytes) -> None:
        asked.extend(block)
        while len(asked) >= _REQUEST.size:
            start, end = _REQUEST.unpack_from(asked)
            del asked[: _REQUEST.size]
            found = _read(reader, start, end)
            try:
                mine.sendall(found)
            except (BrokenPipeError, ConnectionResetError):
                return  # it has ended, and its exit status says why
            except TimeoutError as error:
                message = f"a tool asked for bytes and did not take them for {_READ_S:.0f} s"
                raise ToolStalled(message) from error

    read_ends[mine.fileno()] = answer
    return their.fileno()


def _read(reader: Reader, start: int, end: int) -> bytes:
    """What a child asks for is as little to be trusted as what it was given to read."""
    if not 0 < end - start <= READ_BYTES:
        message = f"a tool asked for the bytes {start} to {end} of its source: that is refused"
        raise LimitExceeded(message)
    found = reader(start, end)
    if len(found) != end - start:
        message = f"the source has no bytes {start} to {end}: upload it again, whole"
        raise TruncatedMedia(message)
    return found


def _with_pipes(argv: Sequence[str], names: Mapping[str, int]) -> list[str]:
    return [_with_pipe_numbers(word, names) for word in argv]


def _with_pipe_numbers(word: str, names: Mapping[str, int]) -> str:
    """`pipe:NAME` by its number, also where a filter's option has a backslash before the colon."""
    return _PIPE.sub(lambda found: found[1] + str(names.get(found[2], found[2])), word)
