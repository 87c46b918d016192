"""How well scores of untrained students foretell their accuracy, the number of parameters being the score to beat.

    python benchmarks/proxies.py [--config examples/digits.yaml] [--space convnet] [--students 60] [--epochs 20]
                                   [--json]

Teachers must be of kind ``train``; they are trained as a search trains them. Students are drawn at random, from seed 0,
as the config narrows their space, or from the whole of another space. All are taught by one recipe, from labels and
teachers; their accuracy is on validation rows. Intervals are by bootstrap over the students.
"""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from specialists import LABELS, TEACHERS, ensemble_of, heard, teachers_of, trained

from automl.config import load_config
from automl.preparation.prepare import Prepared, prepare
from automl.proxies.agreement import agreements
from search_spaces import SPACES, StudentSpec, sample
from trials.proxies import PROXIES, Scorer
from trials.recipe import Recipe
from trials.records import Trial
from trials.setting import Setting

RECIPE = Recipe(losses=(LABELS, TEACHERS), epochs=20, batch_size=64, learning_rate=0.006)


def setting_of(prepared: Prepared, space: str) -> Setting:
    """Let the config's data be taught by its teachers, each heard where the config says."""
    answers = teachers_of(prepared, prepared.config.seed)
    logits_KNC = torch.from_numpy(np.stack(list(answers.values())))
    return replace(
        prepared.setting,
        space=prepared.space if space == prepared.space.name else SPACES[space](),
        ensemble=ensemble_of(prepared.dataset, prepared.coverages),
        teachers=lambda batch, features=(): heard(batch, logits_KNC),
    )


def drawn(setting: Setting, count: int, *, epochs: int, seed: int) -> list[Trial]:
    """Draw students of as many architectures."""
    rng = np.random.default_rng(0)
    specs: dict[str, StudentSpec] = {}
    while len(specs) < count:
        spec = setting.space.spec(sample(setting.space.choices, rng))
        specs.setdefault(spec.architecture_digest, spec)
    recipe = replace(RECIPE, epochs=epochs)
    return [Trial(number=number, spec=spec, recipe=recipe, seed=seed) for number, spec in enumerate(specs.values())]


def accuracy_of(prepared: Prepared, setting: Setting, trial: Trial) -> float:
    """Train a student and judge it on validation rows."""
    dataset = prepared.dataset
    logits = trained(prepared, setting.space, trial.spec, setting.lesson(trial))
    rows = dataset.splits["validation"]
    return float((logits[rows].argmax(axis=1) == dataset.labels[rows]).mean())


def main() -> None:
    """Measure, and print what was found."""
    arguments = _arguments()
    torch.set_num_threads(1)
    prepared = prepare(load_config(arguments.config))
    setting = setting_of(prepared, arguments.space)
    scorer = Scorer(setting, seed=prepared.config.seed)
    trials = drawn(setting, arguments.students, epochs=arguments.epochs, seed=prepared.config.seed)
    Scorer(setting, seed=0)(trials[0], PROXIES)  # The first one loads what torch needs.
    scores: dict[str, list[float]] = {name: [] for name in PROXIES}
    milliseconds: dict[str, list[float]] = {name: [] for name in PROXIES}
    for trial in trials:
        for name in PROXIES:
            started = time.perf_counter()
            scores[name].append(scorer(trial, [name]).get(name, float("nan")))
            milliseconds[name].append(1e3 * (time.perf_counter() - started))
    accuracy_N = np.array([accuracy_of(prepared, setting, trial) for trial in trials])
    found = agreements({name: np.array(of) for name, of in scores.items()}, accuracy_N)
    times = {name: [float(end) for end in np.percentile(of, [0, 50, 100])] for name, of in milliseconds.items()}
    if arguments.json:
        rows = [{**asdict(each), "milliseconds": times[each.name]} for each in found]
        told = {"space": arguments.space, "accuracy": accuracy_N.tolist(), "scores": scores, "proxies": rows}
        print(json.dumps(told))
        return
    low, median, high = np.percentile(accuracy_N, [0, 50, 100])
    print(f"{arguments.space}, {len(trials)} students, {arguments.epochs} epochs")
    print(f"accuracy {low:.3f} to {high:.3f}, median {median:.3f}")
    for each in found:
        spent = "{1:.0f} ({0:.0f} to {2:.0f}) ms".format(*times[each.name])
        print(f"{each.name:10} {each.correlation}  lead {each.lead}  partial {each.partial}  {spent}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("examples/digits.yaml"))
    parser.add_argument("--space", default="convnet", choices=("convnet", "mlp"))
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    main()
