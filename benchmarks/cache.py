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
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from _lessons import NUM_CLASSES, Interval, convnet, make_dataset, make_model, make_teacher, median_interval, told
from numpy.typing import NDArray
from torch import nn

from teachers import Batch, CachedFeature, CachedOutputs, OutputStore, Shard, Teacher, fill, pack, pack_key, plan_shards
from teachers.cache import rows_of_shard
from trials.tasks import Classification

BATCH_SIZE, FILL_BATCH = 64, 256
SIDE = 28
"""Height and width of the large cache's images."""
WIDE = 64
"""Channels of the large cache's feature, which is as high and wide as the image."""


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


class Wide(nn.Module):
    """A teacher with one large feature."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.conv = nn.Conv2d(1, WIDE, 3, padding=1)
        self.head = nn.Linear(WIDE, NUM_CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Give logits (B, C)."""
        logits: torch.Tensor = self.head(self.conv(images).mean(dim=(2, 3)))
        return logits


def images(num_rows: int, side: int = SIDE) -> NDArray[np.float32]:
    """Make random images (N, 1, H, W)."""
    return np.random.default_rng(0).standard_normal((num_rows, 1, side, side), dtype=np.float32)


def convnet_teachers(count: int, side: int) -> list[Teacher]:
    """Make untrained convnets."""
    torch.manual_seed(0)
    dataset = make_dataset(side, num_rows=1)
    signature = Classification.for_dataset(dataset).signature(dataset)
    return [make_teacher(f"teacher {k}", make_model("convnet", convnet(32, 32, 64), signature)) for k in range(count)]


def wide_teacher() -> Teacher:
    """Make the teacher of the large cache."""
    torch.manual_seed(0)
    return make_teacher("wide", Wide())


def plan(
    teachers: Sequence[Teacher], inputs: NDArray[np.float32], features: Sequence[str]
) -> tuple[tuple[Shard, ...], tuple[Shard, ...]]:
    """Name the shards of logits and of features."""
    logits = plan_shards(teachers, inputs, dtype="float16")
    wide: list[Shard] = []
    for name in features:
        example = teachers[0].model(torch.from_numpy(inputs[:2]), [name]).features[name]
        rows = rows_of_shard(example[0].numel() * 2)
        wide += plan_shards(teachers, inputs, dtype="float16", output=name, shard_rows=rows)
    return logits, tuple(wide)


def fill_all(
    folder: str, teachers: Sequence[Teacher], inputs: NDArray[np.float32], features: Sequence[str]
) -> tuple[CachedOutputs, list[CachedFeature]]:
    """Fill a cache as a search does, and open it."""
    store = OutputStore(folder, limit_bytes=None)
    logits, wide = plan(teachers, inputs, features)
    fill(store, [*logits, *wide], teachers, inputs, num_classes=NUM_CLASSES, batch_size=FILL_BATCH)
    return open_all(store, logits, wide, teachers)


def open_all(
    store: OutputStore, logits: Sequence[Shard], wide: Sequence[Shard], teachers: Sequence[Teacher]
) -> tuple[CachedOutputs, list[CachedFeature]]:
    """Pack the logits unless they are, and open everything."""
    key = pack(store, logits, teachers, num_classes=NUM_CLASSES)
    mine = [[shard for shard in wide if shard.teacher == k] for k in range(len(teachers))]
    return CachedOutputs.open(store, key), [CachedFeature(store, shards) for shards in mine if shards]


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


def in_process(action: str, folder: str, num_rows: int, memory: float) -> dict[str, float]:
    """Do something in a process of its own, which tells what it took."""
    command = [sys.executable, __file__, "--child", action, "--folder", folder, "--rows", str(num_rows)]
    command += ["--memory", str(memory)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told_: dict[str, float] = json.loads(done.stdout)
    return told_


def child(action: str, folder: str, num_rows: int, memory: float) -> None:
    """Fill, or find and read, the large cache, and print seconds and memory."""
    inputs, teacher = images(num_rows), wide_teacher()
    teacher.model(torch.from_numpy(inputs[:BATCH_SIZE]), ["conv"])
    begun = memory_bytes("RssAnon")
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory * 2**30), resource.RLIM_INFINITY))
    found: dict[str, float] = {"anonymous_before": begun}
    began = time.perf_counter()
    if action == "fill":
        fill_all(folder, [teacher], inputs, ["conv"])
    else:
        store = OutputStore(folder, limit_bytes=None)
        logits, wide = plan([teacher], inputs, ["conv"])
        packed = store.fault(pack_key([teacher], logits, num_classes=NUM_CLASSES)) is None
        assert packed and not store.missing(wide), "the cache is not there"
        outputs, (feature,) = open_all(store, logits, wide, [teacher])
        found["found_seconds"] = time.perf_counter() - began
        began, chance, most = time.perf_counter(), np.random.default_rng(0), 0
        batches = np.array_split(chance.permutation(num_rows), max(1, num_rows // BATCH_SIZE))
        for rows in batches:
            feature.gather(rows)
            most = max(most, memory_bytes("RssAnon"))
        found |= {"batches": len(batches), "anonymous": most}
        del outputs
    found |= {"seconds": time.perf_counter() - began, "peak": memory_bytes("VmHWM")}
    print(json.dumps(found))


def memory_bytes(what: str) -> int:
    """Read a figure of this process's memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {what}")


def large(gigabytes: float, memory: float) -> dict[str, dict[str, float]]:
    """Fill a cache that is larger than the memory allowed, find it, and read all of it."""
    num_rows = max(BATCH_SIZE, int(gigabytes * 1e9 / (WIDE * SIDE * SIDE * 2)))
    with TemporaryDirectory() as folder:
        filled = in_process("fill", folder, num_rows, memory)
        size = OutputStore(folder, limit_bytes=None).used_bytes()
        read = in_process("read", folder, num_rows, memory)
    return {"fill": filled | {"bytes": size, "rows": num_rows}, "read": read}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=9, help="of filling (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=2.5, help="of the large cache (default: %(default)s)")
    parser.add_argument(
        "--memory", type=float, default=1.0, help="GiB that its processes may own (default: %(default)s)"
    )
    parser.add_argument("--child", choices=("fill", "read"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.child:
        child(arguments.child, arguments.folder, arguments.rows, arguments.memory)
        return
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


def print_large(sizes: dict[str, dict[str, float]], memory: float) -> None:
    """Print what the large cache took."""
    fill_, read = sizes["fill"], sizes["read"]
    print(
        f"large cache: {fill_['rows']:,} rows, {fill_['bytes'] / 1e9:.2f} GB; at most {memory:g} GiB of a process's own"
    )
    print(f"filled in {fill_['seconds']:.0f} s, most memory at once {fill_['peak'] / 2**20:,.0f} MiB")
    print(f"found and checked in {read['found_seconds']:.1f} s")
    print(f"all read once, {read['batches']:,} batches of {BATCH_SIZE} at random, in {read['seconds']:.0f} s")
    most, own, before = (read[name] / 2**20 for name in ("peak", "anonymous", "anonymous_before"))
    print(
        f"most memory at once {most:,.0f} MiB with the files' pages, {own:,.0f} MiB its own ({before:,.0f} MiB before)"
    )


if __name__ == "__main__":
    main()
