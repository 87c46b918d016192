"""What the cache costs: to fill it, to read a batch, to find it again, and what it takes of memory when it is large.

Run it from the root of the repository::

    python benchmarks/cache.py                     # in some minutes; the large cache takes 2.5 GB of disk meanwhile
    python benchmarks/cache.py --gigabytes 0.2     # a smaller one
    python benchmarks/cache.py --json

Filling is all that a search does: names of the rows, inference, checks, shards, the pack; it is held against a bare
loop of inference over the same rows, in turn. Times are of the processor, medians with their 95 % intervals. The large
cache is filled, found again and read in processes of their own, which have nothing in memory yet, and which may hold no
more than a given amount of memory that is their own, see ``--memory``; seconds are those of a clock there.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from tempfile import TemporaryDirectory

import numpy as np
import torch
from _caches import BATCH_SIZE, FILL_BATCH, fill_all, images
from _large_cache import large, print_large
from _lessons import Interval, convnet, make_dataset, make_model, make_teacher, median_interval, told
from numpy.typing import NDArray

from teachers import Batch, CachedFeature, Teacher
from trials.tasks import Classification


@dataclass(frozen=True, kw_only=True)
class Case:
    """A cache to fill.

    Args:
        side: Height and width of the images.
        num_rows: N.
        num_teachers: K.
        features: Names of features beside the logits.
    """

    side: int
    num_rows: int
    num_teachers: int
    features: tuple[str, ...] = ()

    def __str__(self) -> str:
        outputs = ", ".join(("logits", *self.features))
        return f"{self.num_rows:,} images of {self.side}×{self.side} × {self.num_teachers} teachers, {outputs}"


CASES = (
    Case(side=8, num_rows=4_000, num_teachers=4),
    Case(side=28, num_rows=1_000, num_teachers=4),
    Case(side=28, num_rows=1_000, num_teachers=4, features=("last",)),
)


def convnet_teachers(count: int, side: int) -> list[Teacher]:
    """Make untrained convnets."""
    torch.manual_seed(0)
    dataset = make_dataset(side, num_rows=1)
    signature = Classification.for_dataset(dataset).signature(dataset)
    return [make_teacher(f"teacher {k}", make_model("convnet", convnet(32, 32, 64), signature)) for k in range(count)]


def processor_seconds(act: Callable[[], object]) -> float:
    """Time something."""
    began = time.process_time()
    act()
    return time.process_time() - began


def filling_ratio(case: Case, *, rounds: int) -> Interval:
    """Compare filling with inference alone, in turn."""
    inputs, teachers = images(case.num_rows, case.side), convnet_teachers(case.num_teachers, case.side)

    def infer() -> None:
        for teacher in teachers:
            for start in range(0, len(inputs), FILL_BATCH):
                teacher.model(torch.from_numpy(inputs[start : start + FILL_BATCH]), case.features)

    ratios = []
    for _ in range(rounds):
        with TemporaryDirectory() as folder:
            bare = processor_seconds(infer)
            filled = processor_seconds(partial(fill_all, folder, teachers, inputs, case.features))
            ratios.append(filled / bare)
    return median_interval(np.array(ratios))


def gathering_us(case: Case, *, batches: int = 200) -> tuple[Interval, Interval | None]:
    """Time a batch of logits, and one of all features, in microseconds."""
    inputs, teachers = images(case.num_rows, case.side), convnet_teachers(case.num_teachers, case.side)
    chance = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        outputs, features = fill_all(folder, teachers, inputs, case.features)
        rows = [chance.choice(case.num_rows, size=BATCH_SIZE, replace=False) for _ in range(batches)]
        unread = torch.zeros(0)
        asked = [Batch(index=torch.from_numpy(each), inputs=unread, labels=unread) for each in rows]
        logits = [processor_seconds(partial(outputs, each)) for each in asked]
        wide = [processor_seconds(partial(_gather, features, each)) for each in rows]
        del outputs, features
    micro = [median_interval(np.array(each) * 1e6) for each in (logits, wide)]
    return micro[0], micro[1] if case.features else None


def _gather(features: Sequence[CachedFeature], rows: NDArray[np.int64]) -> list[torch.Tensor]:
    return [feature.gather(rows) for feature in features]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=9, help="of filling (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=2.5, help="of the large cache (default: %(default)s)")
    parser.add_argument(
        "--memory", type=float, default=1.0, help="GiB that its processes may own (default: %(default)s)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ratios = {case: filling_ratio(case, rounds=arguments.rounds) for case in CASES}
    gathered = {case: gathering_us(case) for case in CASES[1:]}
    sizes = large(arguments.gigabytes, arguments.memory)
    if arguments.json:
        tables = [{"case": asdict(case), "ratio": ratio, "us": gathered.get(case)} for case, ratio in ratios.items()]
        print(json.dumps({"cases": tables, "large": sizes}))
        return
    for case, ratio in ratios.items():
        print(f"filling against inference alone, {case}: {told(ratio)}")
    for case, (logits, wide) in gathered.items():
        print(
            f"a batch of {BATCH_SIZE}, {case}: logits {told(logits)} µs"
            + (f", features {told(wide)} µs" if wide else "")
        )
    print_large(sizes, arguments.memory)


if __name__ == "__main__":
    main()
