"""A worker process of its own for tests that kill it: `python worker_main.py QUEUE…`."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from small_steps import KINDS

from storage.settings import load_settings
from workers.broker import QUEUES
from workers.service import WorkerService


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    service = WorkerService(load_settings(), sys.argv[1:] or QUEUES, kinds=KINDS, profiles=tuple)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    service.start()
    print("ready", flush=True)
    ended.wait()
    service.stop()


main()
