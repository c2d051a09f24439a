"""Numbers as people read them."""

from __future__ import annotations

from fractions import Fraction

from kapok.language import t


def size(size_bytes: float | None) -> str:
    """Binary units: `size(1536)` is "1.5 KiB"."""
    if size_bytes is None:
        return "–"
    value, unit = float(size_bytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def bitrate(bits_per_second: float | None) -> str:
    return "–" if bits_per_second is None else f"{bits_per_second / 1e6:.2f} Mb/s"


def duration(seconds: float | None) -> str:
    """`duration(3725.5)` is "1:02:05.5"."""
    if seconds is None:
        return "–"
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest // 10:02}.{rest % 10}"


def frame_rate(rational: str | None) -> str:
    """`frame_rate("30000/1001")` is "29.97"."""
    return "–" if not rational else f"{float(Fraction(rational)):.2f}".rstrip("0").rstrip(".")


def loudness(integrated_lkfs: float | None, true_peak_dbtp: float | None) -> str:
    """`loudness(-23.04, -3.0)` is "-23.0 LKFS, -3.0 dBTP"; too short or too quiet is "– LKFS"."""
    if true_peak_dbtp is None:
        return t("silent", "静音")
    integrated = "–" if integrated_lkfs is None else f"{integrated_lkfs:.1f}"
    return f"{integrated} LKFS, {true_peak_dbtp:.1f} dBTP"


def share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.0f} %"
