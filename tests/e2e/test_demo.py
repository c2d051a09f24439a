"""`kapok demo` as a stranger runs it, re-checked by tools that are not Kapok."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clips
import pytest
import stack as stacks

pytestmark = [pytest.mark.services, pytest.mark.media, pytest.mark.slow]

CHECKER = Path(__file__).parents[3] / "shared" / "tools" / "check_demo.py"


def demo(keep: Path, *options: str) -> dict[str, Any]:
    """Run the demo and return its one JSON object."""
    done = stacks.kapok("demo", "--json", "--keep", str(keep), *options, env={}, timeout_s=900)
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def check(result: dict[str, Any], keep: Path, *options: str) -> str:
    """What the outside checker prints; the test fails with its list of differences."""
    if not CHECKER.is_file():
        pytest.skip(f"{CHECKER} is absent: the demo ran, nobody re-checked it from outside")
    record = keep / "result.json"
    record.write_text(json.dumps(result))
    argv = [sys.executable, str(CHECKER), str(record), *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_plays_both_halves(tmp_path: Path) -> None:
    """A 4K HLG programme to zone and centre, a tape to a lossless master (the one 4K test)."""
    result = demo(tmp_path)
    profiles = {r["profile"]: r for r in result["renditions"]}
    assert profiles["cn4k-hevc-hlg"]["color_transfer"] == "arib-std-b67"
    assert (profiles["cn4k-hevc-hlg"]["width"], profiles["cn4k-hevc-hlg"]["height"]) == (3840, 2160)
    assert profiles["hd-avc-sdr"]["color_transfer"] == "bt709"
    assert result["publication"]["zone"] == "uhd-4k"
    assert [one["sha256"] for one in result["pulled"]] == [profiles["cn4k-hevc-hlg"]["sha256"]]
    check(result, tmp_path, "--source", result["source"]["path"])
    heritage = result["heritage"]
    tape = Path(heritage["source"]["path"])
    sidecar = tape.with_name(f"{tape.name}.md5").read_text()
    assert sidecar.startswith(heritage["declared_checksums"]["md5"])
    assert list(heritage["declared_checksums"]) == ["md5"]
    master = next(r for r in heritage["renditions"] if r["profile"] == "archive-ffv1")
    assert {"metric": "framemd5", "equal": True}.items() <= master["measurements"][0].items()
    check(heritage, tmp_path, "--source", heritage["source"]["path"])


@pytest.mark.parametrize(
    "shared_clip",
    [
        "street_432p_avc.mp4",
        "jellyfish_360p_avs3_10bit.mkv",
        "tracks_720p50_422_8xmono.mp4",
    ],
    indirect=True,
)
def test_each_real_clip_goes_through(shared_clip: Path, tmp_path: Path) -> None:
    """The default ladder of each clip, compared with its source from outside."""
    result = demo(tmp_path, "--input", str(shared_clip))
    check(result, tmp_path, "--source", str(shared_clip))


@pytest.mark.parametrize("shared_clip", ["studio_1080p25_422_stereo96k.mp4"], indirect=True)
def test_the_first_seconds_of_a_real_studio_clip_go_through(
    shared_clip: Path, tmp_path: Path
) -> None:
    """1080p 4:2:2 in 10 bits, sound at 96 kHz, a timecode track; 52 of its 250 pictures.

    All are of one group: its first 52 coded ones are also the first 52 shown. Five HD rungs of
    the other eight seconds cost three minutes more and show nothing that these do not.
    """
    start = clips.make(
        tmp_path / "studio.mp4",
        *("-i", str(shared_clip), "-map", "0:v", "-map", "0:a", "-c", "copy"),
        *("-frames:v", "52", "-t", "2.08"),
    )
    keep = tmp_path / "keep"
    result = demo(keep, "--input", str(start))
    assert result["source"]["frames"] == 52
    check(result, keep, "--source", str(start))


@pytest.mark.parametrize("shared_clip", ["parkwalk_2160p50_avs3.ts"], indirect=True)
def test_a_4k_avs3_transport_stream_without_sound_goes_through(
    shared_clip: Path, tmp_path: Path
) -> None:
    """AVS3 in TS starts at 1.48 s, has no sound, and is SDR: the HLG rung is refused by name."""
    result = demo(
        *(tmp_path, "--input", str(shared_clip), "--profiles", "cn4k-hevc-hlg,mobile-540p"),
    )
    options = ("--source", str(shared_clip), "--expect-refused", "cn4k-hevc-hlg")
    check(result, tmp_path, *options)


def sound_alone(folder: Path) -> Path:
    """Two seconds of 24-bit stereo at 96 kHz."""
    return clips.make(
        folder / "sound.wav",
        *clips.generated("sine=440:d=2:sample_rate=96000"),
        *("-ac", "2", "-c:a", "pcm_s24le"),
    )


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(lambda folder: clips.hdr(folder, "smpte2084"), id="PQ with HDR10 metadata"),
        pytest.param(lambda folder: clips.hdr(folder, "arib-std-b67"), id="HLG"),
        pytest.param(clips.late_ts, id="TS whose clock starts at ten hours"),
        pytest.param(clips.tape_mxf, id="interlaced MXF with eight mono tracks"),
        pytest.param(clips.edited, id="MOV with an edit list"),
        pytest.param(clips.rotated, id="phone video, rotated"),
        pytest.param(clips.unsteady, id="variable frame rate"),
        pytest.param(sound_alone, id="WAV"),
    ],
)
def test_each_kind_of_source_goes_through(source: Callable[[Path], Path], tmp_path: Path) -> None:
    """The default ladder of what people bring, compared with its source from outside."""
    clip = source(tmp_path)
    keep = tmp_path / "keep"
    result = demo(keep, "--input", str(clip))
    check(result, keep, "--source", str(clip))


def test_an_hd_source_is_never_sold_as_uhd(tmp_path: Path) -> None:
    """1080p SDR is refused by the UHD profile; the master is proven lossless.

    As nothing that was asked for plays in a browser, the demo adds an access copy.
    """
    clip = clips.make(
        tmp_path / "hd.mov",
        *clips.generated("testsrc2=s=1920x1080:r=25:d=1,format=yuv422p10le", clips.TONE),
        *("-c:v", "prores_ks", "-c:a", "pcm_s24le", "-shortest"),
    )
    keep = tmp_path / "keep"
    result = demo(keep, "--input", str(clip), "--profiles", "cn4k-hevc-hlg,archive-ffv1")
    assert [r["profile"] for r in result["renditions"]] == ["mobile-540p", "archive-ffv1"]
    check(result, keep, "--source", str(clip), "--expect-refused", "cn4k-hevc-hlg")
