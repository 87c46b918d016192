"""How all figures look: colours, type, margins. Background and text follow the page around them."""

from collections.abc import Sequence

from automl.report.points import Point

PRECISION_COLOURS = {"float32": "#4c78d9", "int8": "#e0793a"}
OTHER_COLOURS = ("#2f9c8a", "#b0589f", "#8c7a2e")
"""Of precisions that have no colour of their own, in their order."""
ACCENT = "#4c78d9"
FAINT = "rgba(128,132,140,0.45)"
GRID = "rgba(128,132,140,0.16)"
LINE = "rgba(128,132,140,0.55)"
BAD = "#d1495b"
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
