"""A small IMF package: JPEG 2000 and PCM in MXF by ffmpeg, its tables by hand."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from clips import generated, make

CPL = "http://www.smpte-ra.org/schemas/2067-3/2016"
RATE = 24
START = "00:59:50:12"


def identity(name: str) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, name)}"


def picture(folder: Path, name: str, source: str, tags: str = "") -> str:
    """Ten frames of 10-bit 4:2:2 JPEG 2000."""
    graph = f"{source}=s=320x180:r={RATE}:d=1,trim=end_frame=10{tags}"
    coder = ("-pix_fmt", "yuv422p10le", "-c:v", "jpeg2000", "-f", "mxf_opatom")
    make(folder / name, *generated(graph), *coder)
    return name


def sound(folder: Path, name: str, frequency: int) -> str:
    """As long as ten frames."""
    tone = f"sine={frequency}:sample_rate=48000,atrim=end_sample=20000"
    coder = ("-c:a", "pcm_s24le", "-f", "mxf_opatom", "-mxf_audio_edit_rate", str(RATE))
    make(folder / name, *generated(tone), *coder)
    return name


def resource(name: str, entry: int = 0, duration: int = 10, repeat: int = 1) -> str:
    return (
        f"<Resource><Id>{identity(f'{name}{entry}{duration}')}</Id>"
        f"<EditRate>{RATE} 1</EditRate><IntrinsicDuration>10</IntrinsicDuration>"
        f"<EntryPoint>{entry}</EntryPoint><SourceDuration>{duration}</SourceDuration>"
        f"<RepeatCount>{repeat}</RepeatCount><SourceEncoding>{identity('coding')}</SourceEncoding>"
        f"<TrackFileId>{identity(name)}</TrackFileId></Resource>"
    )


def sequence(kind: str, *resources: str) -> str:
    return (
        f"<{kind}><Id>{identity(kind)}</Id><TrackId>{identity(f'{kind}track')}</TrackId>"
        f"<ResourceList>{''.join(resources)}</ResourceList></{kind}>"
    )


def composition(folder: Path, name: str, *sequences: str) -> str:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><CompositionPlaylist xmlns="{CPL}">'
        f"<Id>{identity(name)}</Id><ContentTitle>Kapok</ContentTitle>"
        "<CompositionTimecode><TimecodeDropFrame>0</TimecodeDropFrame>"
        f"<TimecodeRate>{RATE}</TimecodeRate>"
        f"<TimecodeStartAddress>{START}</TimecodeStartAddress></CompositionTimecode>"
        f"<EditRate>{RATE} 1</EditRate><SegmentList><Segment><Id>{identity('segment')}</Id>"
        f"<SequenceList>{''.join(sequences)}</SequenceList></Segment></SegmentList>"
        "</CompositionPlaylist>"
    )
    (folder / name).write_text(text)
    return name


def packing_list(folder: Path, names: Sequence[str]) -> str:
    listed = "".join(
        f"<Asset><Id>{identity(name)}</Id><Hash>{_sha1(folder / name)}</Hash>"
        f"<Size>{(folder / name).stat().st_size}</Size><Type>application/mxf</Type></Asset>"
        for name in names
    )
    text = (
        '<PackingList xmlns="http://www.smpte-ra.org/schemas/2067-2/2016">'
        f"<Id>{identity('pkl')}</Id><AssetList>{listed}</AssetList></PackingList>"
    )
    (folder / "PKL.xml").write_text(text)
    return "PKL.xml"


def asset_map(folder: Path, places: Mapping[str, str]) -> None:
    """`places` by name: usually the name itself."""
    listed = "".join(
        f"<Asset><Id>{identity(name)}</Id><ChunkList><Chunk><Path>{place}</Path></Chunk>"
        "</ChunkList></Asset>"
        for name, place in places.items()
    )
    text = (
        '<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM">'
        f"<Id>{identity('map')}</Id><VolumeCount>1</VolumeCount>"
        f"<AssetList>{listed}</AssetList></AssetMap>"
    )
    (folder / "ASSETMAP.xml").write_text(text)


def package(folder: Path, tags: str = "") -> Path:
    """Six frames of one picture file, then ten of another; sound in the same way; markers."""
    folder.mkdir()
    pictures = [
        picture(folder, f"v{n}.mxf", one, tags) for n, one in enumerate(("testsrc2", "rgbtestsrc"))
    ]
    sounds = [sound(folder, f"a{n}.mxf", 440 * (n + 1)) for n in range(2)]
    shown = sequence("MainImageSequence", resource(pictures[0], 2, 6), resource(pictures[1]))
    heard = sequence("MainAudioSequence", resource(sounds[0], 2, 6), resource(sounds[1]))
    tables = [composition(folder, "CPL.xml", shown, heard, sequence("MarkerSequence"))]
    tables.append(packing_list(folder, [*pictures, *sounds]))
    asset_map(folder, {name: name for name in (*pictures, *sounds, *tables)})
    return folder


def _sha1(path: Path) -> str:
    return base64.b64encode(hashlib.sha1(path.read_bytes()).digest()).decode()
