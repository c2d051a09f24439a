"""The sandboxed reader of tracks of letters, which prints their packets as JSON.

Run as a script by an isolated Python, as `pipelines.sources.track_child` is, so it imports nothing
of Kapok. No decoder is asked: ffmpeg's takes words in brackets for tags, and letters that are not
UTF-8 for nothing.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import av
from av.stream import Discard

_HELD_BYTES = 64  # [P] of each packet besides its letters: many of none fill the memory too


def print_letters(path: str, formats: str, tracks: str, most_bytes: str) -> None:
    """Print for each of the `tracks` its codec, its tick in seconds, its head and its packets: time
    and length in ticks, and the bytes; and as `long` those that were left out since all together
    have more bytes than `most_bytes`. A track is an index, or `s` and its place among subtitles.

    Times are as the packets have them: `subtitles.edits` knows the track's edits.
    """
    json.dump(_read(path, formats, tracks.split(","), int(most_bytes)), sys.stdout)


def _read(path: str, formats: str, asked: list[str], most_bytes: int) -> dict[str, Any]:
    av.logging.set_level(av.logging.ERROR)
    guards = {"format_whitelist": formats, "protocol_whitelist": "file"}
    options = {**guards, "ignore_editlist": "1"}
    with av.open(path, options=options, metadata_errors="replace") as container:
        streams = [_stream(container.streams, track) for track in asked]
        indices = [stream.index for stream in streams]
        for stream in container.streams:
            if stream.index not in indices:
                stream.discard = Discard.all
        packets, long = _packets(container.demux(streams), indices, most_bytes)
        kept = {
            stream.index: _track(stream, packets[stream.index])
            for stream in streams
            if stream.index not in long
        }
    return {"tracks": kept, "long": sorted(long)}


def _stream(streams: Any, track: str) -> Any:
    return streams.subtitles[int(track[1:])] if track[0] == "s" else streams[int(track)]


def _packets(
    demuxed: Iterator[Any], asked: list[int], most_bytes: int
) -> tuple[dict[int, list[tuple[int, int, bytes]]], set[int]]:
    """The longest goes where there are too many; the others are read on."""
    packets: dict[int, list[tuple[int, int, bytes]]] = {track: [] for track in asked}
    sizes = dict.fromkeys(asked, 0)
    long: set[int] = set()
    for packet in _readable(demuxed):
        track = packet.stream.index
        if track in long or packet.pts is None or not packet.size:
            continue
        packets[track].append((packet.pts, packet.duration or 0, bytes(packet)))
        sizes[track] += packet.size + _HELD_BYTES
        if sum(sizes.values()) > most_bytes:
            longest = max(sizes, key=lambda one: sizes[one])
            long.add(longest)
            packets[longest], sizes[longest] = [], 0
    return packets, long


def _readable(packets: Iterator[Any]) -> Iterator[Any]:
    """As far as they can be read: what is damaged behind, decoding the file tells of."""
    try:
        yield from packets
    except (av.error.FFmpegError, IndexError):
        return


def _track(stream: Any, packets: list[tuple[int, int, bytes]]) -> dict[str, Any]:
    head = stream.codec_context.extradata or b""
    return {
        "codec": stream.codec_context.name,
        "tick": str(stream.time_base),
        "head": b64encode(head).decode(),
        "packets": [(at, length, b64encode(coded).decode()) for at, length, coded in packets],
    }


if __name__ == "__main__":
    print_letters(*sys.argv[1:5])
