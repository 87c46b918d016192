"""How well scores of untrained students foretell their accuracy, number of parameters being the score to beat.

    python benchmarks/proxies.py [--config examples/digits.yaml] [--space convnet] [--students 40] [--epochs 8] [--json]

Teachers must be of kind ``train``; they are trained as a search trains them. Students are drawn at random from the whole
space, from seed 0, and all are trained by one recipe from labels and teachers; their accuracy is on validation rows.
"""

import argparse
import json
import time
from dataclasses import asdict, replace

import numpy as np
import torch
from specialists import LABELS, TEACHERS, _ensemble, _heard, teachers_of, trained

from automl.config import load_config
from automl.preparation import Prepared, prepare
from search_spaces import SPACES, StudentSpec, sample
from trials.lesson import Lesson
from trials.proxies import BASELINE, PROXIES, Scorer
from trials.proxies.agreement import agreements
from trials.recipe import Recipe
from trials.setting import Setting

RECIPE = Recipe(losses=(LABELS, TEACHERS), epochs=8, batch_size=64, learning_rate=0.006)


def setting_of(prepared: Prepared, space: str) -> Setting:
    """Let the config's data be taught by its teachers, heard where the config says."""
    answers = teachers_of(prepared, prepared.config.seed)
    logits_KNC = torch.from_numpy(np.stack(list(answers.values())))
    return replace(
        prepared.setting,
        space=SPACES[space](),
        ensemble=_ensemble(prepared.dataset, prepared.coverages),
        teachers=lambda batch, features=(): _heard(batch, logits_KNC),
    )


def accuracy_of(prepared: Prepared, setting: Setting, spec: StudentSpec, epochs: int) -> float:
    """Train a student and judge it on validation rows."""
    dataset = prepared.dataset
    lesson = Lesson(
        dataset=dataset,
        task=prepared.task,
        recipe=replace(RECIPE, epochs=epochs),
        seed=prepared.config.seed,
        ensemble=setting.ensemble,
        teachers=setting.teachers,
    )
    logits = trained(prepared, setting.space, spec, lesson)
    rows = dataset.splits["validation"]
    return float((logits[rows].argmax(axis=1) == dataset.labels[rows]).mean())


def main() -> None:
    """Measure, and print what was found."""
    arguments = _arguments()
    torch.set_num_threads(1)
    prepared = prepare(load_config(arguments.config))
    setting = setting_of(prepared, arguments.space)
    scorer = Scorer(setting, seed=prepared.config.seed)
    rng = np.random.default_rng(0)
    specs = [setting.space.spec(sample(setting.space.choices, rng)) for _ in range(arguments.students)]
    scores: dict[str, list[float]] = {name: [] for name in PROXIES}
    milliseconds: dict[str, list[float]] = {name: [] for name in PROXIES}
    for spec in specs:
        for name in PROXIES:
            started = time.perf_counter()
            scores[name].append(scorer(spec, [name]).get(name, float("nan")))
            milliseconds[name].append(1e3 * (time.perf_counter() - started))
    accuracy_N = np.array([accuracy_of(prepared, setting, spec, arguments.epochs) for spec in specs])
    found = agreements({name: np.array(of) for name, of in scores.items()}, accuracy_N, baseline=BASELINE)
    rows = [{**asdict(each), "milliseconds": float(np.median(milliseconds[each.name]))} for each in found]
    if arguments.json:
        spread = [float(end) for end in np.percentile(accuracy_N, [0, 50, 100])]
        print(json.dumps({"space": arguments.space, "accuracy": spread, "proxies": rows}))
        return
    print(f"{arguments.space}, {len(specs)} students, {arguments.epochs} epochs, accuracy {accuracy_N.min():.3f} to "
          f"{accuracy_N.max():.3f}, median {np.median(accuracy_N):.3f}")  # fmt: skip
    for row in rows:
        print(
            f"{row['name']:10} {row['correlation']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]  against {BASELINE} "
            f"{row['lead']:+.2f} [{row['lead_low']:+.2f}, {row['lead_high']:+.2f}]  {row['milliseconds']:.0f} ms"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="examples/digits.yaml")
    parser.add_argument("--space", default="convnet", choices=("convnet", "mlp"))
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
