"""The plots of a report: SVG, on no background, in colours that can be read on white and on black."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterable

from . import units
from .results import Result

GREY = "#7d8590"
WHARF = "#d1495b"
# Tones of middle lightness; floors are grey, dashed.
PEERS = ("#3b82c4", "#2a9d8f", "#b7791f", "#8e6bbf", "#5b8c2a", "#c2569b", "#5f7fa8", "#a0704c", "#4f9fb5")
MARKERS = "osD^vP*Xh"
DASHES = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))


@dataclasses.dataclass(frozen=True)
class Plot:
    """A picture: a panel for each placement, a line for each contender."""

    file: str
    title: str
    case: str
    x: str  # the key of a result
    x_label: str
    x_unit: Callable[[float], str]
    y: Callable[[Result], float]
    y_label: str
    y_unit: Callable[[float], str]


def operations_per_second(result: Result) -> float:
    return 1e9 / result["median"]


def nanoseconds(result: Result) -> float:
    return result["median"]


def bytes_per_second(result: Result) -> float:
    return result["payload_bytes"] * 1e9 / result["median"]


def number(value: float) -> str:
    return f"{value:g}"


PLOTS = (
    Plot("round_trip.svg", "Round trip by size", "round_trip", "payload_bytes", "payload", units.size,
         nanoseconds, "there and back", units.nanoseconds),
    Plot("stream.svg", "One-way stream by size", "stream", "payload_bytes", "payload", units.size,
         bytes_per_second, "bytes per second", units.bytes_per_second),
    Plot("fan_in.svg", "Fan-in of 64 B", "fan_in", "count", "senders", number,
         operations_per_second, "messages per second", units.per_second),
    Plot("fan_out.svg", "Fan-out of 64 B calls", "fan_out", "count", "workers", number,
         operations_per_second, "answers per second", units.per_second),
    Plot("links.svg", "Round trip of 64 B on one link of many", "links", "count", "links", number,
         nanoseconds, "there and back", units.nanoseconds),
)  # fmt: skip

Series = dict[tuple[str, str], list[tuple[float, float]]]  # (role, contender): points


def series_of(plot: Plot, results: Iterable[Result]) -> dict[str, Series]:
    """Lines by placement, from the rows of mode `default`: a point for each x that a contender was measured at."""
    panels: dict[str, Series] = {}
    for result in results:
        words = result["row"].split("/")
        if result["case"] != plot.case or words[3] != "default" or not result["median"]:
            continue
        # Where wharf is its own floor, the subject alone makes the line.
        if "/against " in result["row"] and (plot.case != "links" or result["role"] == "floor"):
            continue
        lines = panels.setdefault(result["placement"], {})
        lines.setdefault((result["role"], result["contender"]), []).append((result[plot.x], plot.y(result)))
    return {
        placement: {who: sorted(points) for who, points in lines.items()}
        for placement, lines in panels.items()
        if any(len(points) > 1 for points in lines.values())
    }


def style_of(role: str, index: int) -> dict[str, object]:
    if role == "wharf":
        return {"color": WHARF, "linewidth": 2.6, "marker": "o", "markersize": 6, "zorder": 5}
    if role == "floor":
        return {"color": GREY, "linewidth": 1.6, "linestyle": DASHES[index % len(DASHES)], "marker": ".", "zorder": 4}
    return {"color": PEERS[index % len(PEERS)], "linewidth": 1.3, "marker": MARKERS[index % len(MARKERS)],
            "markersize": 4}  # fmt: skip


def order_of(who: tuple[str, str]) -> tuple[int, str]:
    return (("wharf", "floor", "peer").index(who[0]), who[1])


def decades(values: Iterable[float]) -> tuple[float, float]:
    """The powers of ten around all values."""
    logarithms = [math.log10(value) for value in values]
    low, high = math.floor(min(logarithms)), math.ceil(max(logarithms))
    return 10.0**low, 10.0 ** max(high, low + 1)


def round_number(text: str) -> str:
    """`10.0 ns` as `10 ns`."""
    return text.replace(".00", "").replace(".0", "")


def draw(plot: Plot, panels: dict[str, Series], file: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "wharf", "font.family": "sans-serif",
                            "text.color": GREY, "axes.labelcolor": GREY, "axes.edgecolor": GREY,
                            "xtick.color": GREY, "ytick.color": GREY}  # fmt: skip
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    contenders = sorted({who for lines in panels.values() for who in lines}, key=order_of)
    same_role = {who: [other for other in contenders if other[0] == who[0]].index(who) for who in contenders}
    figure, axes = pyplot.subplots(1, len(panels), figsize=(1.8 + 4.6 * len(panels), 4.2), sharey=True, squeeze=False)
    for axis, (placement, lines) in zip(axes[0], panels.items()):
        for who in sorted(lines, key=order_of):
            axis.plot(*zip(*lines[who]), label=who[1], **style_of(who[0], same_role[who]))
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xlabel(plot.x_label)
        where = {"split": "a core each", "same": "one core", "free": "placed by the kernel"}[placement]
        axis.set_title(where, fontsize=10, color=GREY)
        ticks = sorted({x for points in lines.values() for x, _ in points})
        axis.xaxis.set_major_locator(FixedLocator(ticks))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plot.x_unit(value)))
        axis.set_ylim(*decades(y for lines in panels.values() for points in lines.values() for _, y in points))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: round_number(plot.y_unit(value))))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(True, which="major", color=GREY, alpha=0.25, linewidth=0.6)
        axis.tick_params(labelsize=8)
        axis.patch.set_alpha(0)
    axes[0][0].set_ylabel(plot.y_label)
    handles = {}
    for axis in axes[0]:
        for handle, label in zip(*axis.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    names = [name for _, name in contenders]
    figure.legend([handles[name] for name in names], names, loc="center right", frameon=False, fontsize=9)
    figure.suptitle(plot.title, color=GREY, fontsize=12)
    figure.tight_layout(rect=(0, 0, 1 - 1.7 / (1.8 + 4.6 * len(panels)), 1))
    figure.savefig(file, transparent=True, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def draw_all(results: list[Result], folder: pathlib.Path) -> list[Plot]:
    """Draws each plot that the results have points for; says which. Files of others go."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for plot in PLOTS:
        panels = series_of(plot, results)
        if panels:
            draw(plot, panels, folder / plot.file)
            drawn.append(plot)
        else:
            (folder / plot.file).unlink(missing_ok=True)
    return drawn
