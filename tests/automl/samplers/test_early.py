"""What a rung tells the pareto sampler of the end."""

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial
from scipy.stats import spearmanr

from automl.front.objectives import Objective
from automl.samplers import SearchContext
from automl.samplers.pareto.belief import Kernels
from automl.samplers.pareto.early import EarlyBelief
from automl.samplers.pareto.evidence import Evidence
from automl.samplers.pareto.features import Read
from automl.samplers.pareto.surrogate import Features, Kernel, fit_kernel
from automl.samplers.pareto.views import Learnt, Scene
from search_spaces import Choice, Real

Array = NDArray[np.float64]
COLUMNS = Features(group_X=np.arange(6), trend_X=np.zeros(6, dtype=bool))


def read(rows: Array) -> Read:
    return Read(rows_PX=rows, costs={})


def searched(num_whole: int, num_stopped: int) -> tuple[Array, Array, Array]:
    """Give points, what they showed at a rung, and what those that went on came to, NaN of the stopped ones."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (num_whole + num_stopped, 6)).astype(np.float64)
    shown = early_loss(rows)
    last = end_loss(rows)
    last[num_whole:] = np.nan
    return rows, shown, last


def early_loss(rows: Array) -> Array:
    loss = 0.2 + 0.1 * rows[:, 0] + 0.2 * rows[:, 1] * rows[:, 2] + 0.15 * (rows[:, 3] != rows[:, 4])
    return np.asarray(loss)


def end_loss(rows: Array) -> Array:
    return 0.7 * early_loss(rows) - 0.02 * rows[:, 5]


def learnt(rows: Array, last: Array, early: tuple[Array, Array], pending: Array | None = None) -> Learnt:
    scene = Scene(
        seen=read(rows),
        pending=read(np.zeros((0, 6)) if pending is None else pending),
        kernels=Kernels(columns=COLUMNS),
        rng=np.random.default_rng(0),
    )
    return Learnt("accuracy", last, scene, ranked=True, early=early)


def test_stopped_students_help_to_foretell_the_end() -> None:
    rows, shown, last = searched(num_whole=8, num_stopped=40)
    every = np.array([[int(bit) for bit in f"{number:06b}"] for number in range(64)], dtype=np.float64)
    nothing = np.full(len(rows), np.nan), np.zeros(0)

    told = learnt(rows, last, (shown, np.zeros(0))).expected(read(every))
    untold = learnt(rows, last, nothing).expected(read(every))

    assert spearmanr(told, end_loss(every))[0] > 0.9
    assert spearmanr(told, end_loss(every))[0] > spearmanr(untold, end_loss(every))[0] + 0.1


def test_who_goes_on_from_the_rung_has_told_what_it_showed() -> None:
    rows, shown, _ = searched(num_whole=8, num_stopped=8)
    pending = np.array([[1.0, 1.0, 1.0, 1.0, 0.0, 0.0]])
    asked = read(pending)

    def column(early_P: Array) -> float:
        kernels = Kernels(columns=COLUMNS)
        belief = EarlyBelief("accuracy", (shown, early_P), seen=read(rows), pending=asked, kernels=kernels)
        assert belief.columns.num_groups == 7
        assert belief.columns.trend_X.tolist() == [False] * 6 + [True]
        return float(belief.read(asked).rows_PX[0, -1])

    assert column(np.array([0.05])) < column(np.array([np.nan])) < column(np.array([0.95]))


def test_a_few_students_at_the_rung_foretell_nothing() -> None:
    rows, shown, last = searched(num_whole=8, num_stopped=8)
    shown[5:] = np.nan
    few = learnt(rows, last, (shown, np.zeros(0))).expected(read(rows))
    none = learnt(rows, last, (np.full(len(rows), np.nan), np.zeros(0))).expected(read(rows))
    np.testing.assert_array_equal(few, none)


def test_hyperparameters_stay_between_milestones_although_the_column_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[int] = []

    def counted(columns: Features, rows: Array, values: Array) -> Kernel:
        fitted.append(len(rows))
        return fit_kernel(columns, rows, values)

    monkeypatch.setattr("automl.samplers.pareto.belief.fit_kernel", counted)
    rows, shown, last = searched(num_whole=60, num_stopped=0)
    kernels = Kernels(columns=COLUMNS)
    for count in (51, 52, 53, 54, 55):  # 50 and 57 are milestones
        scene = Scene(seen=read(rows[:count]), pending=read(rows[:0]), kernels=kernels, rng=np.random.default_rng(0))
        Learnt("accuracy", last[:count], scene, ranked=True, early=(shown[:count], np.zeros(0)))
    assert len(fitted) == 3  # of the rung, of the rung as it was at the milestone, and of the end


def test_the_rung_to_which_most_came_counts() -> None:
    study = optuna.create_study(directions=["maximize"])
    accuracy = Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=1.0)
    context = SearchContext(choices=(Choice(name="x", domain=Real(low=0.0, high=1.0)),), objectives=(accuracy,))
    for x, shown in ((0.1, {1: 0.2, 3: 0.4}), (0.2, {3: 0.5}), (0.3, {3: 0.6})):
        rungs = [{"rung": rung, "candidate": {"metrics": {"accuracy": value}}} for rung, value in shown.items()]
        distributions: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0)}
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED, params={"x": x}, distributions=distributions, user_attrs={"rungs": rungs}
            )
        )
    evidence = Evidence.of(study, study.ask()._cached_frozen_trial, context)
    np.testing.assert_allclose(evidence.early_ND[:, 0], [0.6, 0.5, 0.4])
