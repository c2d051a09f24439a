"""A process's workers: engine, threads and sweeper; what `kapok worker` and `kapok up` start."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import dramatiq

from pipelines.profiles.profile import Profile
from storage.database import Database
from storage.objects import ObjectStore, open_store
from storage.ownership import own_store_at_start
from storage.settings import Settings
from workers.actors import declare_actors
from workers.broker import BROKEN, QUEUES, open_broker
from workers.engine import Engine
from workers.finder import Finder
from workers.kinds import KINDS, Kind
from workers.prover import Prover, every_profile
from workers.room import Room
from workers.steps.doable import QUEUES as NEEDY
from workers.sweeper import Sweeper

THREADS = 5  # at least: two may encode and two measure, the short steps of other jobs go on
AT_ONCE = 2  # of one queue, at least: one step starts and ends its tools while another's work
IDLE_MS = 500  # how long an idle thread sleeps before it looks again
STOP_MS = 20_000

log = logging.getLogger(__name__)


class WorkerService:
    """Takes the steps of `queues` in `threads` threads, evenly: on a small machine two of each.

    In the background it proves each of `profiles` that was not proven here before.

    In embedded mode the API and the workers must share one broker: it is a queue in this process.
    """

    def __init__(
        self,
        settings: Settings,
        queues: Sequence[str] = QUEUES,
        threads: int | None = None,
        *,
        database: Database | None = None,
        objects: ObjectStore | None = None,
        broker: dramatiq.Broker | None = None,
        kinds: Mapping[str, Kind] = KINDS,
        profiles: Callable[[], Iterable[Profile]] = every_profile,
    ) -> None:
        self.database = database or Database(settings.database_url)
        self.objects = objects or open_store(settings)
        self.broker = broker or open_broker(settings)
        self._stopped = threading.Event()
        self._engine = Engine(settings, self.database, self.objects, self.broker, kinds, queues)
        self._sweeper = Sweeper(settings, self.database, self.objects, self.broker)
        count = threads or max(THREADS, settings.cores // 2)
        self._worker = _worker(self.broker, queues, count)
        room = Room(queues, count, self._worker.queue_prefetch)
        declare_actors(self.broker, self._engine, room)
        self._finder = Finder(self._engine, self.database, room, settings.sweep_s)
        proofs, scratch = self._engine.proofs, self._engine.scratch
        proofs.on_news = room.freed.set
        proves = not NEEDY.isdisjoint(queues)
        self._prover = Prover(
            proofs, self.database, scratch, settings.beat_s, profiles, proves=proves
        )

    def start(self) -> None:
        """Begin to take steps. Servers that are away now are waited for.

        Raises `InvalidSettings` where the store is another catalogue's.
        """
        own_store_at_start(self.database, self.objects)
        self.broker.emit_after("process_boot")
        self._prover.start()
        self._worker.start()
        self._finder.start()
        self._sweeper.start()

    def stop(self) -> None:
        """End now: running steps are given back at once, and their ffmpeg dies.

        Messages first: while others end, each would be taken for a step that is only passed over.
        """
        self._engine.stopping.set()
        try:
            self._worker.stop(timeout=STOP_MS)
        except BROKEN as error:
            log.warning("the broker is away; what it holds it will send again: %s", error)
        self._finder.stop(STOP_MS / 1000)
        self._sweeper.stop()
        self._prover.stop()
        self.broker.close()
        self._engine.close()
        self._stopped.set()

    def join(self) -> None:
        """Wait until `stop`, called from another thread or a signal handler, has ended."""
        self._stopped.wait()


def _worker(broker: dramatiq.Broker, queues: Sequence[str], threads: int) -> dramatiq.Worker:
    """One Worker, as Dramatiq allows one a process.

    `queue_prefetch` counts the messages in work too, so it is also how many steps of one queue run
    at once. It is each queue's own: a worker whose threads are all busy may hold unread messages of
    other queues, whose steps an idle worker gets when the sweeper sends them again
    (`resend_after_s`). The delay queues' own, larger prefetch stays: on Redis it alone keeps the
    heartbeat of a busy worker going.
    """
    worker = dramatiq.Worker(
        broker, queues=set(queues), worker_timeout=IDLE_MS, worker_threads=threads
    )
    worker.queue_prefetch = at_once(threads, len(queues))
    return worker


def at_once(threads: int, queues: int) -> int:
    """Steps of one queue at once; with several queues a thread is left for the others' steps."""
    return max(math.ceil(threads / queues), min(AT_ONCE, threads - 1))
