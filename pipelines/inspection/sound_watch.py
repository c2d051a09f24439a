"""Everything that `inspect` hears of one sound track."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from pipelines.inspection.data_bursts import BurstWatch
from pipelines.inspection.track_gaps import Presence
from pipelines.inspection.waveform import Peaks
from pipelines.media import AudioTrack, Loudness, MixLoudness
from pipelines.planning.plan_types import AudioPlan
from pipelines.running.tool_output import LogTail
from pipelines.sound.loudness import read_loudness
from pipelines.sound.sound_clock import MOST_DRIFT_S, SoundClock
from pipelines.words import Words


class SoundWatch:
    """Listens to the taps of the `number`-th sound track."""

    def __init__(self, number: int, track: AudioTrack, expected_s: Fraction | None) -> None:
        self._number = number
        self._track = track
        self._clock = SoundClock(track.sample_rate_hz)
        self._metadata = LogTail()
        self.bursts = BurstWatch(track.channels, track.sample_rate_hz)
        exact = track.bit_depth is not None  # a lossy codec keeps no words
        listener = self.bursts.take if exact else None
        self.peaks = Peaks(track.channels, track.sample_rate_hz, expected_s, listener)

    def consumers(self) -> Mapping[str, Callable[[bytes], object]]:
        return {
            f"clock{self._number}": self._clock.feed,
            f"loudness{self._number}": self._metadata.feed,
            f"samples{self._number}": self.peaks.feed,
        }

    @property
    def duration_s(self) -> Fraction:
        """What really decoded."""
        return Fraction(self.peaks.samples, self._track.sample_rate_hz)

    def start_s(self, zero_s: Fraction) -> Fraction:
        """On the file's own clock, where `zero_s` is ffmpeg's time zero."""
        if self._clock.start_s is None:
            return self._track.start_s
        return zero_s + self._clock.start_s

    def end_s(self, zero_s: Fraction) -> Fraction:
        """On the file's own clock; holes count, for they are filled."""
        if self._clock.end_s is None:
            return self._track.start_s + self.duration_s
        return zero_s + self._clock.end_s

    def loudness(self) -> Loudness:
        return read_loudness(self._number, self._metadata.text(), float(self.duration_s))

    def no_loudness(self) -> Loudness:
        """Of data: the noise that it is."""
        return Loudness(self._number, None, None, None)

    @property
    def presence(self) -> Presence | None:
        return self._clock.presence

    @property
    def holes(self) -> int:
        return len(self._clock.holes)

    @property
    def slips(self) -> int:
        return self._clock.slips

    @property
    def drift_s(self) -> Fraction:
        """To the microsecond."""
        return Fraction(round(self._clock.drift_s * 1_000_000), 1_000_000)

    def findings(self) -> tuple[Words, ...]:
        number = self._number
        if self.peaks.samples == 0:
            return (Words(f"sound track {number} has no samples", f"音轨 {number} 没有采样"),)
        return (*self._jumps(number), *self._drifts(number))

    def _jumps(self, number: int) -> Iterator[Words]:
        if self._clock.holes:
            first, count = f"{float(self._clock.holes[0]):.3f} s", len(self._clock.holes)
            yield Words(
                f"sound track {number} jumps {count} times, first at {first}",
                f"音轨 {number} 的时间戳跳变 {count} 次，第一次在 {first}",
            )

    def _drifts(self, number: int) -> Iterator[Words]:
        if abs(self.drift_s) > MOST_DRIFT_S:
            ms = f"{abs(float(self.drift_s)) * 1000:.0f} ms"
            than, zh = ("fast", "快") if self.drift_s > 0 else ("slow", "慢")
            yield Words(
                f"sound track {number} drifts: its time stamps run {ms} too {than} for its samples",
                f"音轨 {number} 逐渐漂移：时间戳比采样{zh} {ms}",
            )


class MixWatch:
    """Listens to the tap of the `number`-th mix."""

    def __init__(self, number: int, mix: AudioPlan) -> None:
        self._number = number
        self._mix = mix
        self._metadata = LogTail()

    def consumers(self) -> Mapping[str, Callable[[bytes], object]]:
        return {f"mix{self._number}": self._metadata.feed}

    def has_any(self, data: Sequence[Sequence[int]]) -> bool:
        """Whether channels that hold data are in it."""
        if self._mix.pan == "pair":
            return not {*data[self._mix.tracks[0]]}.isdisjoint((0, 1))
        return any(data[track] for track in self._mix.tracks)

    def loudness(self) -> MixLoudness:
        heard = read_loudness(self._number, self._metadata.text(), duration_s=0.0)
        return MixLoudness(
            self._mix.tracks, self._mix.pan, heard.integrated_lkfs, heard.true_peak_dbtp
        )
