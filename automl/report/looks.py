"""How all figures look: colours, type, margins. Background and text follow the page around them."""

import math
import statistics
from collections.abc import Sequence

from automl.report.points import Point

PRECISION_COLOURS = {"float32": "#4c78d9", "int8": "#e0793a"}
OTHER_COLOURS = ("#2f9c8a", "#b0589f", "#8c7a2e")
"""Of precisions that have no colour of their own, in their order."""
FEWEST_FOR_FENCE = 5
"""Of fewer members, quartiles say nothing."""
LEAST_DECADES = 0.3
"""Of a logarithmic axis, a factor of two: closer values, or a single one, have no axis of their own."""
ALIKE = 0.001
"""By how much, as a share of the larger, two values differ at least where a linear axis shall show it."""
ACCENT = "#4c78d9"
FAINT = "rgba(128,132,140,0.45)"
GRID = "rgba(128,132,140,0.16)"
LINE = "rgba(128,132,140,0.55)"
BAD = "#d1495b"
FRAME = "#e0793a"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def precision_colours(points: Sequence[Point]) -> dict[str, str]:
    """Give each precision its colour, in the order of names."""
    spare = iter(OTHER_COLOURS * 9)
    return {name: PRECISION_COLOURS.get(name) or next(spare) for name in sorted({point.precision for point in points})}


def layout(*, height: int) -> dict[str, object]:
    """Give what all figures share; background and text are taken from the page around them."""
    axis = {"gridcolor": GRID, "zeroline": False, "automargin": True, "title": {"font": {"size": 13}, "standoff": 12}}
    return {
        "height": height,
        "template": "none",
        "font": {"family": FONT, "size": 13, "color": "#5b6068"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 62, "r": 16, "t": 40, "b": 52},
        "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 12}},
        "legend": {"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom", "itemsizing": "constant"},
        "xaxis": {**axis, "linecolor": LINE, "ticks": "outside", "tickcolor": GRID},
        "yaxis": axis,
    }


def log_axis(values: Sequence[float], bounds: Sequence[float]) -> tuple[tuple[float, float], list[float]]:
    """Choose the range and the ticks of a logarithmic axis; the libraries' own ticks within a decade are hard to read.

    Args:
        values: What is drawn, at least one, each above 0.
        bounds: Limits, each above 0; one is in the picture where that adds no more than half of its width.

    Returns:
        Lowest and highest value that are seen, and ticks at 1, 2 and 5 of each decade, or closer where less is seen;
        there are some beyond both ends, for those who zoom out.
    """
    low, high = math.log10(min(values)), math.log10(max(values))
    low, high = _widened(low, high, LEAST_DECADES)
    reach = high - low
    near = [math.log10(bound) for bound in bounds if low - reach / 2 <= math.log10(bound) <= high + reach / 2]
    low, high = min([low, *near]), max([high, *near])
    # As many as have room for their labels.
    steps = ((0.8, (1, 2, 5)), (0.4, (1, 1.5, 2, 3, 5, 7)), (0.0, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)))
    digits = next(digits for width, digits in steps if high - low >= width)
    ticks = [digit * 10.0**decade for decade in range(math.floor(low) - 1, math.ceil(high) + 2) for digit in digits]
    pad = 0.07 * (high - low)
    return (10 ** (low - pad), 10 ** (high + pad)), ticks


def quality_range(
    members: Sequence[float], others: Sequence[float], *, rising: bool
) -> tuple[tuple[float, float] | None, int]:
    """Choose the range of the linear axis, so that one poor student does not flatten all others.

    A value is left out where it is worse than the members' nearer quartile by more than three times the distance
    between their quartiles: the outer fence of Tukey (1977, Exploratory Data Analysis, chapter 2). Where all values are
    equal, as a single one is, a range as wide as a tenth of it is seen.

    Args:
        members: Quality of the members of the front.
        others: Of the others; what is no finite number is passed over in both.
        rising: Whether more is better.

    Returns:
        Lowest and highest value that are seen, None for all; and the number of values that are not.
    """
    sign = 1 if rising else -1
    inner = [sign * value for value in members if math.isfinite(value)]
    signed = inner + [sign * value for value in others if math.isfinite(value)]
    if signed and max(signed) - min(signed) < ALIKE * max(map(abs, signed)):
        tenth = 0.1 * max(map(abs, signed))
        ends = sign * (min(signed) - 0.7 * tenth), sign * (max(signed) + 0.3 * tenth)
        return (min(ends), max(ends)), 0
    if len(inner) < FEWEST_FOR_FENCE:
        return None, 0
    lower, _, upper = statistics.quantiles(inner, method="inclusive")
    fence = lower - 3 * (upper - lower)
    hidden = sum(value < fence for value in signed)
    if not hidden or upper == lower:
        return None, 0
    seen = [value for value in signed if value >= fence]
    pad = 0.08 * (max(seen) - min(seen))
    ends = sign * (min(seen) - pad), sign * (max(seen) + 2 * pad)
    return (min(ends), max(ends)), hidden


def _widened(low: float, high: float, width: float) -> tuple[float, float]:
    """Give two ends that lie at least so far apart, with the same middle."""
    lacking = max(0.0, width - (high - low)) / 2
    return low - lacking, high + lacking
