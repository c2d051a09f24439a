"""A transport stream is read as a receiver reads it, and what would trouble one is a fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest

from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.planning.plan_types import Rung
from pipelines.progress import finish
from pipelines.verification import transport_stream
from pipelines.verification.transport_stream import BadTransport, read_transport
from pipelines.verification.verify import verify
from tests.pipelines import handmade
from tests.pipelines.handmade import PLAN, RUNG
from tests.pipelines.sources import verified

pytestmark = pytest.mark.media

RATE_BPS = 3_000_000
STREAM = replace(
    RUNG,
    profile="hd-avc-sdr-ts",
    container="ts",
    packaged=False,
    mux_rate_bps=RATE_BPS,
    service_name="广东 4K",
)
CODEC = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "25")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stream")
    source = handmade.make_source(made)
    codec = (*CODEC, "-maxrate", "2M", "-bufsize", "1M")
    handmade.encode_parts(source, made, codec, [0, 25], "mp4")
    handmade.encode_sound(source, made / "sound.m4a")
    return made


def joined(folder: Path, out: Path, rung: Rung = STREAM) -> Path:
    chunks = [folder / "chunk-0.mp4", folder / "chunk-1.mp4"]
    plan = handmade.in_chunks(PLAN, (0, 25))
    finish(join(rung, chunks, [folder / "sound.m4a"], out, plan))
    return out


def refusal(path: Path, folder: Path, rung: Rung = STREAM) -> str:
    with pytest.raises(VerificationFailed) as refused:
        verified(path, rung, PLAN, folder / "source.mov")
    return str(refused.value)


def test_a_stream_of_constant_rate_is_what_was_planned(folder: Path, tmp_path: Path) -> None:
    """Types, service, rate and clock; and every byte is there before it is decoded."""
    path = joined(folder, tmp_path / "a.ts")
    found = finish(read_transport(path))
    assert found.stream_types == (0x1B, 0x0F)
    assert (found.service_name, found.service_provider) == ("广东 4K", "Kapok")
    assert found.rate_bps == pytest.approx(RATE_BPS, rel=1e-9)
    assert found.clock_jitter_s < 1e-9
    assert found.clock_gap_s <= 0.04
    assert -2 < found.late_s < 0
    facts = verified(path, STREAM, PLAN, folder / "source.mov").facts
    assert (facts.codec, facts.frames, facts.frame_rate) == ("h264", 50, 25)
    assert facts.bitrate_bps == pytest.approx(RATE_BPS, rel=0.7)


def test_a_stream_of_tens_of_gigabytes_is_read_in_steps(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between which whoever verifies it looks whether the work is still wanted."""
    path = joined(folder, tmp_path / "a.ts")
    long = tmp_path / "long.ts"
    long.write_bytes(path.read_bytes() * (1 + 50_000_000 // path.stat().st_size))
    monkeypatch.setattr(transport_stream, "_YIELD_S", 0.0)
    shares = [progress.share or 0 for progress in read_transport(long)]
    assert (shares[0], shares[-1], len(shares)) == (0, 1, 6)
    assert shares == sorted(set(shares))
    verifying = verify(path, STREAM, PLAN, folder / "source.mov", None)
    first = next(verifying)
    verifying.close()
    assert (first.share, first.note) == (0, "reading the rendition back")


def test_aac_begins_with_the_picture(folder: Path, tmp_path: Path) -> None:
    """No edit list hides its priming block here, so that block is not there."""
    with av.open(str(joined(folder, tmp_path / "a.ts"))) as stream:
        starts = [track.start_time * track.time_base for track in stream.streams]
    assert starts[0] == starts[1]


def test_a_rate_that_is_too_small_is_refused(folder: Path, tmp_path: Path) -> None:
    """The muxer only warns; a receiver's buffer would run dry."""
    rung = replace(STREAM, mux_rate_bps=220_000)
    assert "data arrives" in refusal(joined(folder, tmp_path / "a.ts", rung), folder, rung)


def test_another_service_or_rate_is_a_fault(folder: Path, tmp_path: Path) -> None:
    """Both are read from the file, and not believed of the command."""
    path = joined(folder, tmp_path / "a.ts")
    told = refusal(path, folder, replace(STREAM, service_name="X", mux_rate_bps=RATE_BPS * 2))
    assert "the service is called 广东 4K, X planned" in told
    assert "it runs at 3000000 bit/s, 6000000 planned" in told


def test_a_clock_that_begins_anew_after_a_day_goes_on(folder: Path, tmp_path: Path) -> None:
    """Its 33 bits of 90 kHz are full after 26.5 hours (ISO/IEC 13818-1, 2.4.2.1)."""
    whole, out = joined(folder, tmp_path / "a.ts"), tmp_path / "later.ts"
    kept = ("-map", "0", "-c", "copy", "-muxrate", "3M", "-pcr_period", "20")
    handmade.call("-i", whole, *kept, "-output_ts_offset", 2**33 / 90_000 - 1, out)
    found = finish(read_transport(out))
    assert found.rate_bps == pytest.approx(RATE_BPS, rel=1e-6)
    assert found.clock_jitter_s < 1e-6
    assert found.clock_gap_s <= 0.04
    assert -2 < found.late_s < 0


def test_sound_that_never_comes_is_late(folder: Path, tmp_path: Path) -> None:
    """Of private data alone, as subtitles are, nothing need come."""
    whole, out = joined(folder, tmp_path / "a.ts"), tmp_path / "silent.ts"
    kept = ("-map", "0", "-c", "copy", "-bsf:a", "noise=drop=1", "-muxrate", "3M")
    handmade.call("-i", whole, *kept, out)
    assert finish(read_transport(out)).late_s == float("inf")


def test_a_rate_that_varies_is_no_constant_one(folder: Path, tmp_path: Path) -> None:
    """Null packets are missing where nothing was muxed for a rate."""
    path = joined(folder, tmp_path / "a.ts", replace(STREAM, mux_rate_bps=None))
    assert "its rate is not constant" in refusal(path, folder)


def test_a_stream_that_says_another_type_is_a_fault(folder: Path, tmp_path: Path) -> None:
    """Receivers look for 0x1B; and the planned codec is not what is there."""
    path = joined(folder, tmp_path / "a.ts")
    assert RUNG.video is not None
    rung = replace(STREAM, video=replace(RUNG.video, codec="hevc", codec_profile="main"))
    assert "stream types are 0x1B, 0x0F, 0x24, 0x0F planned" in refusal(path, folder, rung)


def test_late_sound_is_a_fault_although_all_starts_anywhere(folder: Path, tmp_path: Path) -> None:
    """A transport stream begins at 1.4 s or so; only what lies between the tracks counts."""
    late = tmp_path / "late.ts"
    tracks = ("-map", "0:v", "-map", "1:a", "-c", "copy", "-metadata", "service_name=Kapok")
    whole = joined(folder, tmp_path / "a.ts")
    handmade.call("-i", whole, "-itsoffset", "0.1", "-i", whole, *tracks, "-muxrate", "3M", late)
    rung = replace(STREAM, service_name=None)
    assert "audio track 0: starts at 0.100 s" in refusal(late, folder, rung)


@pytest.mark.parametrize("cut", [100, 188 * 40 + 1])
def test_a_broken_stream_is_said_to_be_one(cut: int, folder: Path, tmp_path: Path) -> None:
    """Not even packets: it cannot be read back."""
    path = joined(folder, tmp_path / "a.ts")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadTransport):
        finish(read_transport(path))
    assert "cannot be read back" in refusal(path, folder)
