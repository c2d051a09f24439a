"""What this machine can really do: each profile is proven by a tiny encode that is read back."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.encoders import mastering_words
from pipelines.encoding.join import join
from pipelines.errors import DiskFull, KapokError, ToolKilled, ToolStalled
from pipelines.inspection.thumbs import write_thumbs
from pipelines.media import DynamicRange, Inspection
from pipelines.planning.plan import plan
from pipelines.planning.plan_colour import NOMINAL_DISPLAY
from pipelines.planning.plan_picture import refuse_other_rates
from pipelines.planning.plan_types import Plan, Refused, Rung
from pipelines.profiles.codecs import ENCODERS
from pipelines.profiles.profile import Profile, VideoProfile, load_profiles
from pipelines.profiles.vivid_sample import mark_vivid
from pipelines.progress import Progress, finish
from pipelines.rates import STANDARD_RATES
from pipelines.running.run import run
from pipelines.running.tools import encoder_pix_fmts, encoders, ffmpeg, versions
from pipelines.sound.audio import encode_audio
from pipelines.sources.probe import probe
from pipelines.verification.verify import verify
from pipelines.words import Words, joined

_WIDTH, _HEIGHT = 320, 180
_SMALLER = (160, 128)  # of another shape: what is enlarged stands between bars
_LENGTH_S, _LARGE_LENGTH_S = Fraction(1, 2), Fraction(1, 10)
_USUAL_RATE = Fraction(25)
_LEAST_FRAMES = 3  # of a transport stream, whose rate nobody can read of fewer
_TAGS = {
    "sdr": "format=yuv420p,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709",
    "hlg": "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=arib-std-b67"
    ":colorspace=bt2020nc",
    "pq": "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084"
    ":colorspace=bt2020nc",
}
_STATIC_METADATA = (
    *("-mastering_display:v:0", mastering_words(NOMINAL_DISPLAY)),
    *("-content_light:v:0", "1000,400"),
)


@dataclass(frozen=True, slots=True)
class Capability:
    """`reason` says why a profile is not available; `tools` are the versions that were tried."""

    profile: str
    available: bool
    reason: Words | None
    tools: Mapping[str, str]


def prove(profile: Profile, folder: Path) -> Capability:
    """Encode, join and verify half a second under the profile's own format and signalling.

    Only the raster is smaller. What enlarges, and what maps SDR, does so. Files land in `folder`,
    which the caller removes.
    """
    return finish(proving(profile, folder))


def proving(profile: Profile, folder: Path) -> Generator[Progress, None, Capability]:
    """`prove` for a caller who may have to stop it in the middle.

    A full disk or a killed tool says nothing about the profile and is raised; a crash says it all.
    """
    if (reason := _lacking(profile)) is not None:
        return Capability(profile.name, available=False, reason=reason, tools=versions())
    try:
        yield from _make_one(profile, folder)
    except (DiskFull, ToolKilled, ToolStalled):
        raise
    except KapokError as error:
        return Capability(
            profile.name, available=False, reason=Words(str(error), str(error)), tools=versions()
        )
    return Capability(profile.name, available=True, reason=None, tools=versions())


def prove_all(folder: Path) -> tuple[Capability, ...]:
    """Every profile, each in its own folder inside `folder`."""
    found = []
    for name, profile in load_profiles().items():
        own = folder / name
        own.mkdir()
        found.append(prove(profile, own))
    return tuple(found)


def lacking(profiles: Sequence[Profile]) -> dict[str, Words]:
    """The profiles whose encoder, as ffmpeg itself describes it, rules them out, and why.

    No proof that the others can be made, and no encode either.
    """
    found = {profile.name: _lacking(profile) for profile in profiles}
    return {name: reason for name, reason in found.items() if reason is not None}


def _lacking(profile: Profile) -> Words | None:
    video = profile.video
    if video is None or video.encoder == "copy":
        return None
    version, codec = versions()["ffmpeg"], video.codec.upper()
    if video.encoder not in encoders():
        of_codec = [name for name, made in encoders().items() if made == video.codec]
        named = joined(of_codec)
        there_is = (
            Words(f"only {named}", f"只有 {named.zh}")
            if of_codec
            else Words("none at all", "一个也没有")
        )
        return Words(
            f"ffmpeg {version} has no encoder {video.encoder}, and of encoders of {codec} "
            f"{there_is}: point KAPOK_FFMPEG at an ffmpeg that has it, or choose another profile",
            f"ffmpeg {version} 没有编码器 {video.encoder}，{codec} 编码器{there_is.zh}："
            "请用 KAPOK_FFMPEG 指定有此编码器的 ffmpeg，或换用其他方案",
        )
    taken = encoder_pix_fmts(video.encoder)
    if video.pix_fmt is not None and video.pix_fmt not in taken:
        formats = joined(taken)
        return Words(
            f"{video.encoder} of ffmpeg {version} takes only {formats}: {codec} of "
            f"{video.pix_fmt} cannot be made here, and fewer bits may not go under this name: "
            "point KAPOK_FFMPEG at an ffmpeg whose encoder does, or choose another profile",
            f"ffmpeg {version} 的 {video.encoder} 只支持 {formats.zh}：此处做不出 "
            f"{video.pix_fmt} 的 {codec}，位数较少的又不得用此名称："
            "请用 KAPOK_FFMPEG 指定编码器支持的 ffmpeg，或换用其他方案",
        )
    if video.max_bitrate_bps is not None and not ENCODERS[video.encoder].caps:
        return Words(
            f"{video.encoder} keeps no cap as Kapok drives it, and {profile.name} promises one of "
            f"{video.max_bitrate_bps} bit/s: choose another profile",
            f"{video.encoder} 守不住码率上限，而 {profile.name} 承诺了 "
            f"{video.max_bitrate_bps} bit/s 的上限：请换用其他方案",
        )
    return None


def _make_one(profile: Profile, folder: Path) -> Generator[Progress, None, None]:
    source = folder / "source.mkv"
    rate = _rate(profile)
    yield from _make_source(profile, rate, source)
    tiny, rung = _planned(_small(profile), source, rate)
    pictures, sounds = [], []
    if rung.video is not None:
        encoded = yield from encode_chunk(source, tiny, tiny.chunks[0], folder)
        pictures = [encoded.files[rung.profile]]
    if rung.audio:
        sound = yield from encode_audio(source, tiny, folder)
        sounds = [sound.files[track.key] for track in rung.audio]
    out = folder / f"joined.{rung.container}"
    yield from join(rung, pictures, sounds, out, tiny)
    thumbs = None
    if tiny.video_track is not None:
        thumbs = yield from write_thumbs(source, tiny, folder)
    yield from verify(out, rung, tiny, source, thumbs)


def _rate(profile: Profile) -> Fraction:
    """The highest that the profile takes; where it names none the usual one, or the next higher."""
    video = profile.video
    if video is None:
        return _USUAL_RATE
    most = video.max_frame_rate or max(_USUAL_RATE, video.min_frame_rate or _USUAL_RATE)
    taken = [rate for rate in STANDARD_RATES if _takes(profile, video, rate)]
    return max((rate for rate in taken if rate <= most), default=min(taken, default=most))


def _takes(profile: Profile, video: VideoProfile, rate: Fraction) -> bool:
    try:
        refuse_other_rates(profile, video, rate)
    except Refused:
        return False
    return True


def _make_source(profile: Profile, rate: Fraction, path: Path) -> Generator[Progress, None, None]:
    """Without loss; for a copy, HEVC that says what the copy has to keep."""
    arguments, folder = _source_arguments(profile, rate), path.parent
    if profile.video is None or profile.video.dynamic_metadata is None:
        yield from run([ffmpeg(), "-v", "error", *arguments, "-y", str(path)], writable=[folder])
        return
    bare, marked = folder / "bare.mp4", folder / "marked.mp4"
    frames = str(int(rate * _length_s(profile, rate)))
    coded = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
    picture = arguments[: arguments.index("-i") + 2]
    video = [*picture, "-frames:v", frames, *coded, str(bare)]
    yield from run([ffmpeg(), "-v", "error", *video], writable=[folder])
    mark_vivid(bare, marked)
    both = ["-i", str(marked), *arguments, "-map", "0:v", "-map", "2:a", "-c:v", "copy"]
    yield from run(
        [ffmpeg(), "-v", "error", *both, str(path)], readable=[marked], writable=[folder]
    )


def _planned(profile: Profile, source: Path, rate: Fraction) -> tuple[Plan, Rung]:
    info = probe(source)
    frames = int(rate * _length_s(profile, rate)) if profile.video else 0
    length_s = frames / rate if frames else _LENGTH_S
    inspection = Inspection(
        duration_s=length_s,
        frames=frames,
        frame_rate=rate if frames else None,
        audio_start_s=(Fraction(0),) * len(info.audio),
    )
    made = plan(info, inspection, [profile])
    if not made.rungs:
        reasons = "; ".join(refusal.reason for refusal in made.refused)
        raise _Unplannable(f"its own sample is refused: {reasons}")
    return made, made.rungs[0]


class _Unplannable(KapokError):
    """Raised where a profile refuses the sample that was made for it."""

    code = "unplannable_profile"


def _small(profile: Profile) -> Profile:
    if profile.video is None or profile.video.width is None:
        return profile
    width, height = _size(profile.video)
    # What is cropped is of a picture of its own size.
    return replace(profile, video=replace(profile.video, width=width, height=height, crop=None))


def _size(video: VideoProfile) -> tuple[int, int]:
    """Frames whose size the standard sets exist at their own raster alone."""
    if video.codec_profile == "avc-intra-300" and video.width and video.height:
        return video.width, video.height
    return _WIDTH, _HEIGHT


def _length_s(profile: Profile, rate: Fraction) -> Fraction:
    large = profile.video is not None and _size(profile.video) != (_WIDTH, _HEIGHT)
    return max(_LARGE_LENGTH_S if large else _LENGTH_S, _LEAST_FRAMES / rate)


def _source_arguments(profile: Profile, rate: Fraction) -> list[str]:
    arguments: list[str] = []
    codecs: list[str] = []
    length_s = _length_s(profile, rate)
    if profile.video is not None:
        width, height = _SMALLER if profile.video.upconvert else _size(profile.video)
        picture = f"testsrc2=s={width}x{height}:r={rate}:d={float(length_s)}"
        usual: DynamicRange = "hlg" if profile.video.dynamic_metadata else "sdr"
        mapped = profile.video.from_sdr == "map"
        light = "sdr" if mapped else profile.video.dynamic_range or usual
        if light != "sdr":  # whose masters mostly have it
            arguments += _STATIC_METADATA
        arguments += ["-f", "lavfi", "-i", f"{picture},{_TAGS[light]}:range=tv"]
        codecs += ["-c:v", "ffv1", "-frames:v", str(int(rate * length_s))]
    if profile.audio:
        layout = "5.1" if any((track.channels or 2) > 2 for track in profile.audio) else "stereo"
        noise = f"anoisesrc=a=0.1:seed=1:r=48000:d={float(length_s)},aformat=channel_layouts=mono"
        channels = 6 if layout == "5.1" else 2
        pan = "|".join(f"c{channel}=c0" for channel in range(channels))
        arguments += ["-f", "lavfi", "-i", f"{noise},pan={layout}|{pan}"]
        copied = any(track.codec == "copy" for track in profile.audio)
        codecs += ["-c:a", "ac3" if copied else "flac"]
    return [*arguments, *codecs, "-f", "matroska"]
