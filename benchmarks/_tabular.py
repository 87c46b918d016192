"""Searches whose every answer is in a table: architectures that others trained once, all of them.

Two collections are read from a folder that the user names:

* NAS-Bench-201 (Dong and Yang, 2020, https://arxiv.org/abs/2001.00326) with the latencies of HW-NAS-Bench (Li et al.,
  2021): ``nb201_hw.parquet``, one row a cell.
* NAS-Bench-Graph (Qin et al., 2022, https://arxiv.org/abs/2206.09166): ``nasbench_graph.parquet``, one row a graph
  network, and ``nasbench_graph_alias.npz``, which says which row a point of the space is.

Shape letters: R = rows of a table, F = members of a front, D = objectives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search_spaces import Categorical, Choice, Value, Values

_OPS_201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_EDGES_201 = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Nodes that an operation leads from and to; 0 is the input of a cell, 3 its output."""
_PATHS_201 = ((3,), (0, 4), (1, 5), (0, 2, 5))
"""Ways from the input to the output, as operations."""
_KINDS = ("skip", "1x1", "3x3", "blurred", "pool")
"""Of paths, see ``_kind``."""
_OPS_GRAPH = ("cheb", "fc", "gat", "gcn", "gin", "graph", "arma", "sage")
"""Operations of a layer but for the one that passes on what it is given."""
_GRAPH_SETS = ("arxiv", "cs", "cora")

TASKS = ("nb201:c10:gold_6226", "nb201:c100:raspi4", *(f"graph:{name}" for name in _GRAPH_SETS))
"""Those that the benchmark reports; every other data set and device of the tables can be named, too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TabularTask:
    """A search space with the answer for each of its points.

    Args:
        name: As on the command line.
        choices: The space.
        row_of: Row of the table by point, as a tuple of its values in the order of the choices; points that are no
            architecture are missing.
        accuracy_R: After full training, 0 to 1.
        early_accuracy_R: After a short training; None where the table has none.
        latency_R: In milliseconds.
        params_R: Number of parameters.
        chance: Accuracy of who knows nothing.
        features: What its choices do not say one by one of an architecture: how long its paths are, what is cut off.
    """

    name: str
    choices: tuple[Choice, ...]
    row_of: Mapping[tuple[Value, ...], int]
    accuracy_R: NDArray[np.float64]
    early_accuracy_R: NDArray[np.float64] | None
    latency_R: NDArray[np.float64]
    params_R: NDArray[np.float64]
    chance: float
    features: Callable[[Values], Mapping[str, float]]

    def row(self, values: Values) -> int | None:
        """Find the row of a point; None where it is no architecture."""
        return self.row_of.get(tuple(values[choice.name] for choice in self.choices))

    def metrics(self, row: int) -> dict[str, float]:
        """Give what a trial of a row would measure."""
        return {
            "accuracy": float(self.accuracy_R[row]),
            "latency_ms": float(self.latency_R[row]),
            "params": float(self.params_R[row]),
        }

    @cached_property
    def losses_RD(self) -> NDArray[np.float64]:  # noqa: N802 - the shape
        """Error, log latency and log parameters of each row: 0 at the best, 1 at the worst, or at the median error."""
        columns = np.stack([-self.accuracy_R, np.log(self.latency_R), np.log(self.params_R)], axis=1)
        low_D, high_D = columns.min(axis=0), columns.max(axis=0)
        high_D[0] = np.median(columns[:, 0])
        return np.asarray((columns - low_D) / (high_D - low_D), dtype=np.float64)

    @cached_property
    def _whole(self) -> float:
        return self._hypervolume(np.arange(len(self.accuracy_R)))

    def share(self, rows: NDArray[np.int64]) -> float:
        """Measure the hypervolume that some rows dominate, as a share of that of the whole table."""
        return self._hypervolume(rows) / self._whole

    def _hypervolume(self, rows: NDArray[np.int64]) -> float:
        return float(moocore.hypervolume(self.losses_RD[rows], ref=np.ones(3))) if len(rows) else 0.0


def load_task(name: str, folder: Path) -> TabularTask:
    """Read a task.

    Args:
        name: ``nb201:DATASET:DEVICE`` with the data set c10, c100 or in16, or ``graph:DATASET``.
        folder: With the tables.

    Raises:
        ValueError: There is no such task in the tables.
    """
    kind, _, rest = name.partition(":")
    if kind == "nb201" and rest.count(":") == 1:
        return _nb201(name, *rest.split(":"), folder=folder)
    if kind == "graph" and rest:
        return _graph(name, rest, folder=folder)
    raise ValueError(f"a task reads nb201:DATASET:DEVICE or graph:DATASET, got {name!r}; such as {', '.join(TASKS)}")


def _nb201(name: str, dataset: str, device: str, *, folder: Path) -> TabularTask:
    table = pd.read_parquet(folder / "nb201_hw.parquet")
    accuracy, early, latency = f"acc_{dataset}_test_200", f"acc_{dataset}_val_12", f"lat_{device}"
    for column in (accuracy, latency):
        if column not in table:
            raise ValueError(f"the table has no column {column!r}; it has {', '.join(sorted(table.columns))}")
    names = [f"op{edge}" for edge in range(6)]
    return TabularTask(
        name=name,
        choices=tuple(Choice(name=edge, domain=Categorical(options=_OPS_201)) for edge in names),
        row_of={point: row for row, point in enumerate(table[names].itertuples(index=False, name=None))},
        accuracy_R=table[accuracy].to_numpy(np.float64) / 100,
        early_accuracy_R=table[early].to_numpy(np.float64) / 100,
        latency_R=table[latency].to_numpy(np.float64),
        params_R=table["params"].to_numpy(np.float64),
        chance={"c10": 0.1, "c100": 0.01}.get(dataset, 1 / 120),
        features=cell_features,
    )


def _graph(name: str, dataset: str, *, folder: Path) -> TabularTask:
    tables = pd.read_parquet(folder / "nasbench_graph.parquet")
    table = tables[tables["dataset"] == dataset]
    if table.empty:
        raise ValueError(f"the table has no data set {dataset!r}; it has {', '.join(sorted(set(tables['dataset'])))}")
    alias = np.load(folder / "nasbench_graph_alias.npz")
    links = ["".join(map(str, link)) for link in alias["links"]]
    ops = tuple(map(str, alias["ops"]))
    row_of_hash = {int(key): row for row, key in enumerate(table["hash"])}
    row_of: dict[tuple[Value, ...], int] = {
        (links[link], *(ops[op] for op in chosen)): row_of_hash[int(key)]
        for (link, *chosen), key in np.ndenumerate(alias["alias"])
        if int(key) in row_of_hash
    }
    return TabularTask(
        name=name,
        choices=(
            Choice(name="link", domain=Categorical(options=tuple(links))),
            *(Choice(name=f"op{node}", domain=Categorical(options=ops)) for node in range(1, 5)),
        ),
        row_of=row_of,
        accuracy_R=table["test_perf"].to_numpy(np.float64),
        early_accuracy_R=None,
        latency_R=table["latency_s"].to_numpy(np.float64) * 1e3,
        params_R=table["params_m"].to_numpy(np.float64) * 1e6,
        chance=0.0,
        features=graph_features,
    )


def cell_features(values: Values) -> Mapping[str, float]:
    """Describe a cell of NAS-Bench-201: operations on a way from its input to its output, and its paths by their kinds.

    Args:
        values: ``op0`` to ``op5``.
    """
    ops = [str(values[f"op{edge}"]) for edge in range(len(_EDGES_201))]
    ways = [way for way in _PATHS_201 if all(ops[edge] != "none" for edge in way)]
    alive = [ops[edge] for edge in sorted({edge for way in ways for edge in way})]
    paths = [[ops[edge] for edge in way] for way in ways]
    kinds = [_kind(path) for path in paths]
    depths = [sum("conv" in op for op in path) for path in paths]
    sharp = [depth for depth, path in zip(depths, paths, strict=True) if "avg_pool_3x3" not in path]
    return {
        **{f"alive.{op}": float(alive.count(op)) for op in _OPS_201 if op != "none"},
        **{f"paths.{kind}": float(kinds.count(kind)) for kind in _KINDS},
        "longest": float(max(depths, default=0)),
        "longest.sharp": float(max(sharp, default=0)),
        "longest.3x3": float(max((path.count("nor_conv_3x3") for path in paths), default=0)),
        "shortest": float(min(depths, default=0)),
    }


def _kind(path: list[str]) -> str:
    """Tell what a path does: a pool blurs all that comes with it, so such paths are kinds of their own."""
    if "avg_pool_3x3" in path:
        return "blurred" if any("conv" in op for op in path) else "pool"
    if "nor_conv_3x3" in path:
        return "3x3"
    return "1x1" if "nor_conv_1x1" in path else "skip"


def graph_features(values: Values) -> Mapping[str, float]:
    """Describe a network of NAS-Bench-Graph: how deep its paths are, and on which share of them each operation stands.

    Args:
        values: ``link``, a digit for each layer: which one it follows, 0 the input; and ``op1`` to ``op4``.
    """
    follows = [int(digit) for digit in str(values["link"])]
    paths: list[list[str]] = [[]]
    for layer, before in enumerate(follows, start=1):
        paths.append([*paths[before], str(values[f"op{layer}"])])
    ends = [paths[layer] for layer in range(1, len(follows) + 1) if layer not in follows]
    hearing = [sum(op not in ("fc", "skip") for op in path) for path in ends]
    layers = [sum(op != "skip" for op in path) for path in ends]
    return {
        "ends": float(len(ends)),
        "longest": float(max(hearing)),
        "shortest": float(min(hearing)),
        "deepest": float(max(layers)),
        "flattest": float(min(layers)),
        "layers": float(sum(values[f"op{layer}"] != "skip" for layer in range(1, len(follows) + 1))),
        **{f"on.{op}": sum(op in path for path in ends) / len(ends) for op in _OPS_GRAPH},
    }
