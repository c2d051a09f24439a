"""Conversions are what the formulas of the ITU say, to the code value, through real ffmpeg."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.colour.colour_filters import (
    HLG_2020,
    PQ_2020,
    SDR_709,
    conversion_filters,
    lut_file,
    needs_sdr_conversion,
    target_colour,
)
from pipelines.colour.colour_maths import (
    LUMA_709,
    TO_709,
    display_to_hlg,
    display_to_pq,
    hlg_to_display_cd_m2,
    method_c_constants,
    pq_to_display_cd_m2,
    roll_off_cd_m2,
)
from pipelines.colour.colour_methods import convert as convert_by
from pipelines.colour.colour_methods import parameters_of
from pipelines.colour.colour_types import Conversion, Parameter, Parameters
from pipelines.media import Colour
from pipelines.running import tools

Floats = NDArray[np.float64]
Codes = NDArray[np.uint16]

SDR_2020 = Colour("bt2020", "bt2020-10", "bt2020nc", "tv")
SOURCES: dict[Conversion, Colour] = {
    "hlg_to_sdr": HLG_2020,
    "pq_to_sdr": PQ_2020,
    "pq_to_hlg": PQ_2020,
    "hlg_to_pq": HLG_2020,
    "sdr_to_hlg": SDR_2020,
    "sdr_to_pq": SDR_2020,
}
ALL: list[Conversion] = list(SOURCES)
HLG_MASTER = (Parameter("display_peak_cd_m2", 1000.0), Parameter("hlg_system_gamma", 1.2))
# A master that was HLG, and says that its display had 1000 cd/m².
PQ_OF_1000 = (Parameter("master_peak_cd_m2", 1000.0), *HLG_MASTER)
LUMA_2020_RB = (0.2627, 0.0593)
LUMA_RB = {"bt709": (0.2126, 0.0722), "bt2020": LUMA_2020_RB}
# ITU-R BT.2087-0 clause 2: linear BT.709 to linear BT.2020 (M2).
BT2087_M2 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
CUBE = np.array(
    [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0.0]]
)
BARS = np.concatenate([CUBE, 0.75 * CUBE])
WIDTH, LINES = 64, 16
TEN_BITS = "yuv420p10le"


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def grey(levels: Floats | list[float]) -> Floats:
    return np.repeat(np.asarray(levels, float)[:, None], 3, axis=1)


def xyz_of(primaries: str) -> Floats:
    """The matrix from linear RGB to XYZ, for the white of D65 (ITU-T H.273 table 2)."""
    corners = {
        "bt709": [(0.64, 0.33), (0.3, 0.6), (0.15, 0.06)],
        "bt2020": [(0.708, 0.292), (0.17, 0.797), (0.131, 0.046)],
        "smpte432": [(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)],
    }[primaries]
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
    white = np.array([0.3127 / 0.329, 1, (1 - 0.3127 - 0.329) / 0.329])
    scaled: Floats = columns * np.linalg.solve(columns, white)
    return scaled


def convert(signal: Floats, conversion: Conversion) -> Floats:
    """With the numbers of a source that says nothing of its mastering."""
    return convert_by(signal, conversion, parameters_of(conversion, None))


def flat_fields(signals: Floats, lumas: tuple[float, float] = LUMA_2020_RB) -> Codes:
    """A raw 4:2:0 frame of 10 bits: each colour a flat band of 16 lines, in narrow-range Y'CbCr.

    `lumas` are the weights of red and blue, here BT.2020's.
    """
    red, blue = lumas
    luma = signals @ np.array([red, 1 - red - blue, blue])
    cb = (signals[:, 2] - luma) / (2 * (1 - blue))
    cr = (signals[:, 0] - luma) / (2 * (1 - red))
    planes = [64 + 876 * luma, 512 + 896 * cb, 512 + 896 * cr]
    heights, widths = (LINES, LINES // 2, LINES // 2), (WIDTH, WIDTH // 2, WIDTH // 2)
    return np.concatenate(
        [
            np.repeat(np.rint(plane), height * width).astype("<u2")
            for plane, height, width in zip(planes, heights, widths, strict=True)
        ]
    )


def through_ffmpeg(
    frame: NDArray[Any],
    bands: int,
    source: Colour,
    conversion: Conversion,
    out: str,
    folder: Path,
    numbers: Parameters = (),
) -> list[Floats]:
    """Y, Cb and Cr in the middle of each band, as code values at the output's depth."""
    height = LINES * bands
    stream = ffmpeg.input("pipe:", f="rawvideo", pix_fmt="yuv420p10le", s=f"{WIDTH}x{height}")
    numbers = numbers or parameters_of(conversion, None)
    stream = conversion_filters(stream, conversion, numbers, source, out, folder)
    argv = ffmpeg.output(stream, "pipe:", f="rawvideo").compile(cmd=[tools.ffmpeg(), "-v", "error"])
    done = subprocess.run(argv, input=frame.tobytes(), capture_output=True, check=True)
    raw = np.frombuffer(done.stdout, "<u2" if "10" in out else np.uint8).astype(float)
    luma = raw[: WIDTH * height].reshape(bands, LINES, WIDTH)
    chroma = raw[WIDTH * height :].reshape(2, bands, LINES // 2, WIDTH // 2)
    # The middle of a band, where scaling the chroma mixes in no neighbour.
    inner = [plane[:, 3:-3, 8:-8].mean(axis=(1, 2)) for plane in (luma, *chroma)]
    return [np.asarray(plane) for plane in inner]


def test_hlg_and_pq_meet_at_the_reference_white_of_bt2408() -> None:
    """75 % HLG is 203 cd/m² on the nominal display and 58 % PQ (BT.2408 table 1)."""
    white = hlg_to_display_cd_m2(grey([0.75]))
    assert white[0] == pytest.approx([203] * 3, abs=0.5)
    assert display_to_pq(white)[0] == pytest.approx([0.58] * 3, abs=0.001)
    assert display_to_hlg(grey([203.0]))[0] == pytest.approx([0.75] * 3, abs=0.0005)


def test_transfer_functions_undo_each_other() -> None:
    """Over the whole range of signals."""
    signals = grey(np.linspace(0, 1, 101))
    assert display_to_pq(pq_to_display_cd_m2(signals)) == pytest.approx(signals, abs=1e-6)
    assert display_to_hlg(hlg_to_display_cd_m2(signals)) == pytest.approx(signals, abs=1e-4)


@pytest.mark.parametrize(
    ("hlg", "sdr"), [(0.0, 0.0), (0.38, 0.532), (0.5, 0.70), (0.75, 0.949), (1.0, 1.05)]
)
def test_hlg_lands_where_bt2446_puts_it(hlg: float, sdr: float) -> None:
    """Method C: skin at 50 % HLG becomes 70 %; our peak is 105 % (EBU R103), so white is 95 %."""
    assert convert(grey([hlg]), "hlg_to_sdr")[0] == pytest.approx([sdr] * 3, abs=0.001)


def test_the_report_s_own_constants_are_nearly_ours() -> None:
    """BT.2446-1 has 15.09968, 0.74204 and 78.99439 for a peak of 107.3 %."""
    assert method_c_constants() == pytest.approx((13.146, 0.7754, 78.169), abs=0.001)


def test_pq_is_rolled_off_only_near_its_peak() -> None:
    """BT.2390: nothing changes below 490 cd/m², and 4000 becomes 1000."""
    rolled = roll_off_cd_m2(grey([0.1, 203.0, 480.0, 1000.0, 4000.0, 10000.0]), 4000, 1000)[:, 0]
    assert rolled == pytest.approx([0.1, 203, 480, 814.6, 1000, 1000], rel=0.002)


@pytest.mark.parametrize("conversion", ALL)
def test_a_formula_keeps_neutral_neutral_and_grey_in_order(conversion: Conversion) -> None:
    """Equal in, equal out; brighter in, never darker out; nothing flat below the peak."""
    out = convert(grey(np.linspace(0, 1, 1024)), conversion)
    assert np.ptp(out, axis=1).max() < 1e-6
    steps = np.diff(out[:, 0])
    assert steps.min() >= -1e-9
    below_peak = out[1:, 0] < out[:, 0].max() - 1e-3
    assert (steps[below_peak] > 0).all()


@pytest.mark.parametrize("conversion", ALL)
def test_a_formula_never_leaves_its_gamut(conversion: Conversion) -> None:
    """Every colour of the cube lands between black and the peak."""
    axis = np.linspace(0, 1, 21)
    cube = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    out = convert(cube, conversion)
    assert out.min() >= 0
    assert out.max() <= (1.05 if conversion.endswith("_sdr") else 1.0) + 1e-9


@pytest.mark.parametrize("level_cd_m2", [5.0, 30.0, 100.0])
def test_a_colour_keeps_its_hue(level_cd_m2: float) -> None:
    """From BT.709 colours inside HLG: the order and the proportion of what stands above grey."""
    rgb = np.array([[0.8, 0.3, 0.2], [0.2, 0.7, 0.3], [0.3, 0.3, 0.9], [0.75, 0.5, 0.4]]) ** 2.2
    light = level_cd_m2 * rgb @ np.linalg.inv(TO_709).T
    linear = convert(display_to_hlg(light), "hlg_to_sdr") ** 2.4
    for before, after in zip(rgb, linear, strict=True):
        one, other = before - before @ LUMA_709, after - after @ LUMA_709
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert cosine > 0.9999


@pytest.mark.media
@pytest.mark.parametrize("conversion", ALL)
def test_grey_goes_through_ffmpeg_to_the_code_value(conversion: Conversion, tables: Path) -> None:
    """The 10-bit result is the formula's within one code, and chroma stays exactly 512."""
    levels = np.linspace(0, 1, 64)
    codes = np.rint(64 + 876 * levels)
    got, cb, cr = through_ffmpeg(
        flat_fields(grey(levels)), 64, SOURCES[conversion], conversion, "yuv420p10le", tables
    )
    wanted = 64 + 876 * convert(grey((codes - 64) / 876), conversion)[:, 0]
    # PQ bends so quickly around 80 % SDR, and near black, that 65 nodes miss by two 10-bit codes.
    exact = conversion in ("hlg_to_sdr", "sdr_to_hlg")
    assert np.abs(got - wanted).max() <= (1.1 if exact else 2.6)
    assert (np.diff(got) >= 0).all()
    assert set(cb) == set(cr) == {512.0}


@pytest.mark.media
def test_white_and_black_land_where_they_belong_in_8_bits(tables: Path) -> None:
    """Black at 16, 75 % HLG at 224 of 235, peak at 246 (105 %); grey without colour."""
    fields = flat_fields(grey([0.0, 0.5, 0.75, 1.0]))
    luma, cb, cr = through_ffmpeg(fields, 4, HLG_2020, "hlg_to_sdr", "yuv420p", tables)
    assert luma == pytest.approx([16, 169.3, 223.8, 246], abs=0.5)
    assert set(cb) == set(cr) == {128.0}


@pytest.mark.media
def test_colour_bars_go_through_ffmpeg_as_the_formula_says(tables: Path) -> None:
    """75 % bars of BT.2111, from BT.2020 HLG to BT.709: within a code of 8 bits."""
    bars = 0.75 * np.array(
        [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0.0]]
    )
    got = through_ffmpeg(flat_fields(bars), 8, HLG_2020, "hlg_to_sdr", "yuv420p10le", tables)
    wanted = convert(bars, "hlg_to_sdr")
    luma = wanted @ LUMA_709
    assert np.abs(got[0] - (64 + 876 * luma)).max() < 4
    assert np.abs(got[1] - (512 + 896 * (wanted[:, 2] - luma) / 1.8556)).max() < 4
    assert np.abs(got[2] - (512 + 896 * (wanted[:, 0] - luma) / 1.5748)).max() < 4


@pytest.mark.media
def test_sdr_of_another_family_is_converted_exactly_on_grey(tables: Path) -> None:
    """BT.601 and full range: grey keeps its level and stays grey."""
    codes = np.arange(64, 941, 12)
    planes = [np.repeat(codes, LINES * WIDTH), np.full(len(codes) * LINES * WIDTH // 2, 512)]
    frame = np.concatenate(planes).astype("<u2")
    narrow = Colour("smpte170m", "smpte170m", "smpte170m", "tv")
    luma, cb, cr = through_ffmpeg(frame, len(codes), narrow, "sdr_to_sdr", "yuv420p10le", tables)
    assert np.abs(luma - codes).max() <= 1
    assert set(cb) == set(cr) == {512.0}
    full = Colour("bt709", "bt709", "bt709", "pc")
    luma, _, _ = through_ffmpeg(frame, len(codes), full, "sdr_to_sdr", "yuv420p10le", tables)
    assert np.abs(luma - (64 + codes * 876 / 1023)).max() <= 1


@pytest.mark.media
@pytest.mark.parametrize("primaries", ["smpte432", "bt709"])
@pytest.mark.parametrize("conversion", ["pq_to_sdr", "pq_to_hlg"])
def test_hdr_light_of_other_primaries_is_seen_as_bt2020_light(
    primaries: str, conversion: Conversion, tables: Path
) -> None:
    """The same light, coded with P3's or BT.709's primaries and with BT.2020's, looks the same
    but for the rounding of PQ codes.
    """
    light = 100 * np.array([[1, 1, 1], [0.9, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.9]])
    to_2020 = np.linalg.inv(xyz_of("bt2020")) @ xyz_of(primaries)
    other = Colour(primaries, "smpte2084", "bt2020nc", "tv")
    true = through_ffmpeg(
        flat_fields(display_to_pq(light @ to_2020.T)), 4, PQ_2020, conversion, TEN_BITS, tables
    )
    seen = through_ffmpeg(flat_fields(display_to_pq(light)), 4, other, conversion, TEN_BITS, tables)
    for plane, wanted in zip(seen, true, strict=True):
        assert np.abs(plane - wanted).max() <= 6  # as coded, up to 100 codes apart


def signals_of(planes: list[Floats], lumas: tuple[float, float]) -> Floats:
    """R'G'B' of narrow-range 10-bit Y'CbCr."""
    red, blue = lumas
    luma, cb, cr = (planes[0] - 64) / 876, (planes[1] - 512) / 896, (planes[2] - 512) / 896
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    return np.stack([r, (luma - red * r - blue * b) / (1 - red - blue), b], axis=-1)


@pytest.mark.media
@pytest.mark.parametrize(
    ("conversion", "white"), [("sdr_to_hlg", 0.75), ("sdr_to_pq", 0.5807)], ids=["HLG", "PQ"]
)
@pytest.mark.parametrize("source", [SDR_709, SDR_2020], ids=["BT.709", "BT.2020"])
def test_sdr_white_lands_on_the_reference_white_of_bt2408(
    source: Colour, conversion: Conversion, white: float, tables: Path
) -> None:
    """75 % HLG, 203 cd/m² in PQ, within 1 %; neutral stays neutral, and 109 % is not clipped."""
    levels = [0.0, 0.25, 0.5, 1.0, 1.05, 1.09]
    fields = flat_fields(grey(levels), LUMA_RB[source.primaries or ""])
    luma, cb, cr = through_ffmpeg(fields, len(levels), source, conversion, TEN_BITS, tables)
    signal = (luma - 64) / 876
    assert signal[3] == pytest.approx(white, abs=0.01 * white)
    assert signal[0] == pytest.approx(0, abs=1 / 876)
    assert (np.diff(luma) > 5).all()
    assert np.abs([cb - 512, cr - 512]).max() <= 1
    if conversion == "sdr_to_pq":
        assert pq_to_display_cd_m2(signal)[3] == pytest.approx(203, rel=0.01)
        assert pq_to_display_cd_m2(signal)[5] == pytest.approx(203 * 1.09**2.4, rel=0.02)


@pytest.mark.media
@pytest.mark.parametrize("conversion", ["sdr_to_hlg", "sdr_to_pq"])
def test_bars_of_bt709_go_into_bt2020_as_bt2087_says(conversion: Conversion, tables: Path) -> None:
    """Linear by BT.1886, its matrix M2, then the light of BT.2408: within three 10-bit codes."""
    got = through_ffmpeg(
        flat_fields(BARS, LUMA_RB["bt709"]), len(BARS), SDR_709, conversion, TEN_BITS, tables
    )
    light = 203 * BARS**2.4 @ BT2087_M2.T
    out = display_to_hlg if conversion == "sdr_to_hlg" else display_to_pq
    wanted = flat_fields(out(light)).astype(float)
    luma, chroma = wanted[: got[0].size * LINES * WIDTH], wanted[got[0].size * LINES * WIDTH :]
    assert np.abs(got[0] - luma.reshape(-1, LINES * WIDTH)[:, 0]).max() <= 3
    for plane, true in zip(got[1:], np.split(chroma, 2), strict=True):
        assert np.abs(plane - true.reshape(-1, LINES * WIDTH // 4)[:, 0]).max() <= 3


@pytest.mark.media
@pytest.mark.parametrize(
    ("conversion", "numbers"), [("hlg_to_pq", HLG_MASTER), ("pq_to_hlg", PQ_OF_1000)]
)
def test_bars_of_bt2111_go_from_hlg_to_pq_and_back_as_the_formula_says(
    conversion: Conversion, numbers: Parameters, tables: Path
) -> None:
    """The 75 % bars: the same light on both sides of BT.2100, within four 10-bit codes."""
    bars = 0.75 * CUBE if conversion == "hlg_to_pq" else convert(0.75 * CUBE, "hlg_to_pq")
    source = SOURCES[conversion]
    got = through_ffmpeg(flat_fields(bars), 8, source, conversion, TEN_BITS, tables, numbers)
    wanted = convert_by(bars, conversion, numbers)
    assert np.abs(signals_of(got, LUMA_2020_RB) - wanted).max() * 876 < 6
    luma = wanted @ np.array([0.2627, 0.678, 0.0593])
    assert np.abs(got[0] - (64 + 876 * luma)).max() < 4


@pytest.mark.media
def test_a_ramp_of_hlg_comes_back_from_pq(tables: Path) -> None:
    """To the code of 10 bits, two at most away, and grey all the way; white stays at the top."""
    codes = np.arange(64, 941, 4)
    there = through_ffmpeg(
        ramp(codes), len(codes), HLG_2020, "hlg_to_pq", TEN_BITS, tables, HLG_MASTER
    )
    assert np.abs([there[1] - 512, there[2] - 512]).max() <= 1
    assert pq_to_display_cd_m2((there[0][-1:] - 64) / 876) == pytest.approx(1000, rel=0.01)
    back = through_ffmpeg(
        ramp(there[0]), len(codes), PQ_2020, "pq_to_hlg", TEN_BITS, tables, PQ_OF_1000
    )
    assert np.abs(back[0] - codes).max() <= 2
    assert np.abs([back[1] - 512, back[2] - 512]).max() <= 1


def ramp(codes: NDArray[Any]) -> Codes:
    """Neutral bands of these luma codes."""
    area = LINES * WIDTH
    luma = np.repeat(np.rint(codes), area)
    return np.concatenate([luma, np.full(len(codes) * area // 2, 512)]).astype("<u2")


def test_a_master_no_brighter_than_the_display_stays_as_it_is() -> None:
    """The EETF has nothing to do below its peak; what lies above what was stated is clipped."""
    light = grey([0.1, 203.0, 999.0, 1000.0])
    assert roll_off_cd_m2(light, 1000, 1000) == pytest.approx(light)
    assert roll_off_cd_m2(light, 600, 1000) == pytest.approx(light)
    assert roll_off_cd_m2(grey([4000.0]), 1000, 1000) == pytest.approx(grey([1000.0]))


@pytest.mark.media
def test_frames_carry_the_new_colour_even_where_nothing_is_converted(tmp_path: Path) -> None:
    """An untagged picture would else be converted by the next filter that knows no better."""
    out = tmp_path / "tagged.y4m"
    stream = ffmpeg.input("color=gray:s=64x64:r=25:d=0.04", f="lavfi")
    stream = conversion_filters(stream, "none", (), SDR_709, "yuv420p", tmp_path)
    shown = stream.filter("showinfo")
    argv = ffmpeg.output(shown, str(out), f="yuv4mpegpipe").compile(cmd=[tools.ffmpeg()])
    log = subprocess.run(argv, capture_output=True, text=True, check=True).stderr
    assert "color_range:tv color_space:bt709 color_primaries:bt709 color_trc:bt709" in log


def test_a_table_is_made_once_and_whole(tmp_path: Path) -> None:
    """Later callers read the same file; nothing half-written is ever seen under its name."""
    numbers = parameters_of("hlg_to_sdr", None)
    path = lut_file("hlg_to_sdr", numbers, tmp_path)
    stamp = path.stat().st_mtime_ns
    assert lut_file("hlg_to_sdr", numbers, tmp_path).stat().st_mtime_ns == stamp
    assert list(tmp_path.iterdir()) == [path]
    lines = path.read_text().splitlines()
    assert lines[:2] == ['TITLE "Kapok hlg_to_sdr"', "LUT_3D_SIZE 65"]
    assert lines[2] == "DOMAIN_MIN 0 0 0"
    assert lines[3] == "DOMAIN_MAX 1.000000000 1.000000000 1.000000000"
    assert (lines[4], lines[-1]) == ("0.000000 0.000000 0.000000", "1.050000 1.050000 1.050000")
    assert len(lines) == 4 + 65**3


def test_the_colour_after_each_conversion() -> None:
    """What every chain is tagged with."""
    assert target_colour("hlg_to_sdr", HLG_2020) == SDR_709
    assert target_colour("pq_to_sdr", PQ_2020) == SDR_709
    assert target_colour("pq_to_hlg", PQ_2020) == HLG_2020
    assert target_colour("hlg_to_pq", HLG_2020) == PQ_2020
    assert target_colour("sdr_to_hlg", SDR_709) == HLG_2020
    assert target_colour("sdr_to_pq", SDR_709) == PQ_2020
    assert target_colour("none", HLG_2020) == HLG_2020
    unusual = Colour("bt2020", "arib-std-b67", "bt2020c", "pc")
    assert target_colour("none", unusual) == HLG_2020


def test_names_that_mean_the_same_sdr_are_not_converted() -> None:
    """BT.709 with the transfer of BT.601 is one picture with two names."""
    assert not needs_sdr_conversion(Colour("bt709", "smpte170m", "bt709", "tv"))
    assert needs_sdr_conversion(Colour("bt709", "bt709", "smpte170m", "tv"))
