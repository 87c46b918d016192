"""The front as a PNG, for places that show no interactive picture."""

import io
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from automl.numbers import counted, title, written
from automl.report.looks import BAD, log_axis, precision_colours, quality_range
from automl.report.points import (
    OTHER_PROVISIONAL,
    Point,
    by_comparability,
    cost_metrics,
    drawable,
    edge,
    front_points,
    other_points,
    quality_metric,
)
from automl.run import Run

INK, MUTED, RULE = "#23262b", "#6b7078", "#e4e5e8"


def front_png(run: Run, *, dots_per_inch: int = 160) -> bytes:
    """Draw quality against latency and against size, side by side.

    Args:
        run: The search; with no member yet, the picture says so.
        dots_per_inch: The picture is 10.4 inches wide and 4.3 high.

    Returns:
        The PNG file.
    """
    # Without pyplot: it keeps figures in a global list, and this runs in threads.
    figure = Figure(figsize=(10.4, 4.3), layout="constrained")
    FigureCanvasAgg(figure)
    quality = quality_metric(run)
    members, others = front_points(run), list(other_points(run))
    panels = figure.subplots(1, 2, sharey=True)
    for panel, cost in zip(panels, cost_metrics(run)[:2], strict=True):
        _draw(panel, run, members=members, others=others, quality=quality, cost=cost)
    seen, hidden = quality_range(
        [point.metrics.get(quality, math.nan) for point in members],
        [point.metrics.get(quality, math.nan) for point in others],
        rising=run.higher_is_better(quality),
    )
    if seen:
        panels[0].set_ylim(seen)
    if hidden:
        text = f"{counted(hidden, 'poor candidate lies', 'poor candidates lie')} outside"
        panels[1].set_title(text, loc="right", fontsize=9, color=MUTED)
    panels[0].set_ylabel(title(quality), color=MUTED)
    if members:
        # Below the axes: within them it would hide members.
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=4,
            frameon=False,
            labelcolor=MUTED,
            fontsize=9,
            handletextpad=0.3,
        )
    figure.suptitle(_headline(run), x=0.012, ha="left", fontsize=12.5, color=INK, fontweight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, facecolor="white")
    return buffer.getvalue()


def _headline(run: Run) -> str:
    """Say what is seen."""
    # A dollar sign would begin mathematics in matplotlib.
    name = run.name.replace("$", r"\$")
    return (
        f"{name}: {counted(len(run.front.members), 'candidate')} on the front, of {counted(len(run.trials), 'trial')}"
    )


def _draw(panel: Axes, run: Run, *, members: Sequence[Point], others: Sequence[Point], quality: str, cost: str) -> None:
    """Draw one panel."""
    _dress(panel, cost)
    members, others = drawable(members, quality, cost), drawable(others, quality, cost)
    for name, part in by_comparability(others, run, cost).items():
        filled = "none" if name == OTHER_PROVISIONAL else "#c3c6cc"
        panel.scatter(*_columns(part, cost, quality), s=11, c=filled, edgecolors="#c3c6cc", linewidths=0.8, label=name)
    reached = edge(members, quality, cost, rising=run.higher_is_better(quality))
    panel.plot(*_columns(reached, cost, quality), drawstyle="steps-post", color="#a9adb5", linewidth=1, zorder=1)
    for precision, colour in precision_colours(members).items():
        shown = [point for point in members if point.precision == precision]
        panel.scatter(
            *_columns(shown, cost, quality),
            s=44,
            color=colour,
            edgecolors="white",
            linewidths=0.8,
            label=precision,
            zorder=3,
        )
    bounds = [limit.value for limit in run.limits if limit.metric == cost and limit.value > 0]
    if costs := [point.metrics[cost] for point in [*members, *others]]:
        (low, high), ticks = log_axis(costs, bounds)
        panel.set_xlim(low, high)
        panel.set_xticks([tick for tick in ticks if low <= tick <= high])
        _name_marks(panel, members, quality=quality, cost=cost)
        _draw_limits(panel, run, quality=quality, bounds=[bound for bound in bounds if low <= bound <= high])
    else:
        panel.text(0.5, 0.5, "no trained student yet", transform=panel.transAxes, ha="center", color=MUTED)


def _name_marks(panel: Axes, members: Sequence[Point], *, quality: str, cost: str) -> None:
    """Name the members that stand out, above to the left, or below to the right where the left is the axis."""
    for point in members:
        if not point.marks:
            continue
        place = point.metrics[cost], point.metrics[quality]
        across = panel.transAxes.inverted().transform(panel.transData.transform(place))[0]
        left = across < 0.16  # as wide as "knee · best"
        panel.annotate(
            " · ".join(point.marks),
            place,
            xytext=(8, -15) if left else (-8, 9),
            textcoords="offset points",
            ha="left" if left else "right",
            fontsize=9,
            fontweight="bold",
            color=INK,
            # Which of several close ones is meant.
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 3},
            zorder=4,
        )


def _draw_limits(panel: Axes, run: Run, *, quality: str, bounds: Sequence[float]) -> None:
    """Draw the limits on either axis as lines."""
    for bound in bounds:
        panel.axvline(bound, color=BAD, linestyle=":", linewidth=1.1)
    for limit in run.limits:
        if limit.metric == quality:
            panel.axhline(limit.value, color=BAD, linestyle=":", linewidth=1.1)


def _dress(panel: Axes, cost: str) -> None:
    """Give a panel its axes."""
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g} ms" if cost == "latency_ms" else written(cost, value))
    )
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel(title(cost), color=MUTED)
    panel.grid(color=RULE, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color("#b9bcc3")
    panel.tick_params(colors=MUTED, labelsize=9, length=0, which="both")
    panel.margins(0.07, 0.1)


def _columns(points: Sequence[Point], cost: str, quality: str) -> tuple[list[float], list[float]]:
    """Give both coordinates of the points."""
    return [point.metrics[cost] for point in points], [point.metrics[quality] for point in points]
