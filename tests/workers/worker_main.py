"""A worker process of its own for tests: `python worker_main.py QUEUE…`.

It runs small steps and proves nothing, unless `KINDS=real` and `PROVE` (names of profiles) say so.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

import small_steps

from pipelines.profiles.profile import profile
from storage.settings import load_settings
from workers import kinds
from workers.broker import QUEUES
from workers.service import WorkerService


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    profiles = [profile(name) for name in os.environ.get("PROVE", "").split(",") if name]
    service = WorkerService(
        load_settings(),
        sys.argv[1:] or QUEUES,
        kinds=kinds.KINDS if os.environ.get("KINDS") == "real" else small_steps.KINDS,
        profiles=lambda: profiles,
    )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    service.start()
    print("ready", flush=True)
    ended.wait()
    service.stop()


main()
