"""One profile that ends its tools keeps no worker from proving the others."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from engine_bench import Bench, eventually
from test_able_workers import living

from pipelines.errors import ToolKilled
from pipelines.profiles.profile import Profile, profile
from pipelines.profiles.profile_key import profile_key
from pipelines.progress import Progress
from storage.catalogue.workers import Verdict
from workers.proofs import Proofs
from workers.prover import Prover

GOOD = profile("mobile-540p")
FIRST = profile("avs2-8bit-sdr")


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class KilledProofs(Proofs):
    """Whose tools are killed with each proof of `FIRST`, and prove all others at once."""

    tried = 0

    def prove(self, profiles: Iterable[Profile], scratch: Path) -> Generator[Progress, None, None]:
        for one in profiles:
            yield Progress(None)
            if one == FIRST:
                self.tried += 1
                raise ToolKilled("ffmpeg was killed by SIGKILL: the machine may lack memory")
            self.record([Verdict(profile_key(one), one.name, one.version)])


@contextmanager
def proving(proofs: Proofs, bench: Bench, scratch: Path, *profiles: Profile) -> Iterator[None]:
    prover = Prover(proofs, bench.database, scratch, 0.1, lambda: profiles)
    prover.start()
    try:
        yield
    finally:
        prover.stop()


def test_what_is_killed_is_tried_again_behind_the_others_and_then_no_more(
    embedded: Bench, tmp_path: Path
) -> None:
    """Once it may have been the machine."""
    proofs = KilledProofs(embedded.database, "one", ["encode"], 1 << 30)
    with proving(proofs, embedded, tmp_path, FIRST, GOOD):
        eventually(lambda: proofs.has_verdict(profile_key(FIRST)), 20)
        assert proofs.can_do(profile_key(GOOD))
        (worker,) = living(embedded)
    assert proofs.tried == 2
    reason = worker.verdicts[profile_key(FIRST)].reason
    assert reason is not None
    assert "given up 2 times" in reason
    assert "SIGKILL" in reason


@pytest.mark.media
def test_a_crash_is_a_verdict(embedded: Bench, tmp_path: Path) -> None:
    """With this preset libxavs2 writes what ends libdavs2, as any organisation could ask."""
    assert FIRST.video is not None
    crashing = replace(FIRST, name="own-x", video=replace(FIRST.video, preset="5"))
    proofs = Proofs(embedded.database, "one", ["encode"], 1 << 30)
    with proving(proofs, embedded, tmp_path, crashing, GOOD):
        eventually(lambda: proofs.can_do(profile_key(GOOD)), 60)
        (worker,) = living(embedded)
    assert "crashed (SIGABRT)" in (worker.verdicts[profile_key(crashing)].reason or "")
