"""How numbers are written for people."""

import math
from collections.abc import Sequence

UNITS = {"latency_ms": "ms", "first_token_ms": "ms", "size_bytes": "bytes"}
"""Unit of the metrics that carry one in their name."""

TITLES = {
    "latency_ms": "latency",
    "first_token_ms": "first token",
    "size_bytes": "size",
    "params": "parameters",
    "macs": "multiply-adds",
}
"""What metrics are called in a sentence, where that is not their name."""


def title(metric: str) -> str:
    """Name a metric in a sentence."""
    return TITLES.get(metric, metric.replace("_", " "))


def written(metric: str, value: float | None) -> str:
    """Write a metric's value with its unit, short enough for a table."""
    if value is None or math.isnan(value):
        return "—"
    if UNITS.get(metric) == "ms":
        return milliseconds(value)
    if metric == "size_bytes":
        return f"{scaled(value)}B"
    if metric in ("params", "macs"):
        return scaled(value).strip()
    return f"{value:.4g}" if abs(value) >= 1000 or 0 < abs(value) < 0.001 else f"{value:.4f}".rstrip("0").rstrip(".")


def milliseconds(value: float) -> str:
    """Write a time in milliseconds with three digits that count."""
    if value >= 100:
        return f"{value:.0f} ms"
    digits = 2 - math.floor(math.log10(value)) if value > 0 else 2
    return f"{value:.{min(digits, 4)}f} ms"


def scaled(value: float) -> str:
    """Write a large number with a prefix: ``12.3 k``, with a space after it where a unit can follow."""
    for prefix, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 0.9995 * factor:
            return f"{value / factor:.3g} {prefix}" if abs(value) < 999.5 * factor else f"{value / factor:.0f} {prefix}"
    return f"{value:.0f} "


def duration(seconds: float) -> str:
    """Write a time span: ``8.2 s``, ``3 min 12 s``, ``2 h 05 min``; what is short, but not nothing, ``<0.1 s``."""
    if 0 < seconds < 0.05:
        return "<0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def counted(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun: ``1 trial``, ``3 trials``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """Write a share: ``48 %``, ``2.5 %``, ``0.4 %``, ``< 0.1 %``."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"


def listed(names: Sequence[str]) -> str:
    """Write names as a sentence does: ``accuracy, latency and size``."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1] if names else "") if part)


def byte_count(num_bytes: float) -> str:
    """Write a number of bytes: ``1.25 GB``, ``3.4 MB``, ``12 kB``, ``80 bytes``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= size:
            return f"{num_bytes / size:.3g} {unit}"
    return f"{num_bytes:.0f} bytes"


def gigabytes(num_bytes: int) -> str:
    """Write gigabytes as a config takes them, with three digits that count, rounded up so that they suffice."""
    dropped = max(0, len(str(num_bytes)) - 3)
    rounded = -(-num_bytes // 10**dropped) * 10**dropped
    return f"{rounded / 1e9:.{max(0, 9 - dropped)}f}"
