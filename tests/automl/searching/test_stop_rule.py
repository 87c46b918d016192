"""When a search ends."""

from types import SimpleNamespace
from typing import Any

import pytest

from automl.searching.stop_rule import StopRule


def standing_with(*hypervolumes: float) -> Any:
    return SimpleNamespace(hypervolumes=list(hypervolumes))


@pytest.mark.parametrize(
    ("rule", "proposed", "seconds", "hypervolumes", "reason"),
    [
        (StopRule(trials=5), 4, 1e9, (), ""),
        (StopRule(trials=5), 5, 0, (), "5 trials were asked for"),
        (StopRule(trials=1), 1, 0, (), "1 trial was asked for"),
        (StopRule(trials=5, seconds=90), 1, 90, (), ""),
        (StopRule(trials=5, seconds=90), 1, 90.1, (), "the time is up (1.5 minutes)"),
        (StopRule(trials=99, stall_trials=2), 3, 0, (0.1, 0.1), ""),
        (StopRule(trials=99, stall_trials=2), 3, 0, (0.1, 0.1, 0.1), "the hypervolume grew by 0 in the last 2 trials"),
        (StopRule(trials=99, stall_trials=2, stall_growth=0.05), 4, 0, (0.1, 0.2, 0.21, 0.22), "the hypervolume grew"),
        (StopRule(trials=99, stall_trials=2, stall_growth=0.05), 4, 0, (0.1, 0.2, 0.21, 0.26), ""),
        (StopRule(trials=99), 4, 1e9, (0.1,) * 50, ""),
    ],
)
def test_stop_rules(
    rule: StopRule, proposed: int, seconds: float, hypervolumes: tuple[float, ...], reason: str
) -> None:
    said = rule.reason(standing_with(*hypervolumes), proposed=proposed, seconds=seconds)
    assert said.startswith(reason)
    assert bool(said) == bool(reason)
