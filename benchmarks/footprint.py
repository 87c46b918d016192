"""What a search takes of memory and what the teachers' cache takes of the disk.

    python benchmarks/footprint.py [--config examples/digits.yaml] [--trials 6] [--json]

Memory is that of the controller, of Ray and of all workers together, each page that several share counted once
(PSS), sampled twice a second. The cache is filled with random answers and its files are counted.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

import numpy as np
import psutil
import torch
import yaml

from teachers import (
    Coverage,
    Inputs,
    Outputs,
    OutputStore,
    fill,
    pack,
    plan_shards,
)
from teachers.loading import load_callable

SHAPES = ((1_437, 3, 10), (60_000, 4, 10), (60_000, 8, 10), (20_000, 4, 1000))
"""Samples, teachers, classes."""


def peak_memory(config: Path, *, trials: int) -> tuple[int, int]:
    """Run a search and watch its processes.

    Returns:
        Most bytes of all processes together, and of the largest one.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain = yaml.safe_load(config.read_text())
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(plain))
        command = [sys.executable, "-m", "automl.cli", "search", str(path), "--trials", str(trials)]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        root = psutil.Process(process.pid)
        together = largest = 0
        while process.poll() is None:
            sizes = [_memory(one) for one in (root, *_children(root))]
            together, largest = max(together, sum(sizes)), max(largest, *sizes)
            time.sleep(0.5)
        if process.returncode != 0:
            raise SystemExit(f"the search failed with exit code {process.returncode}")
    return together, largest


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return list(root.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def cache_on_disk(num_rows: int, num_teachers: int, num_classes: int) -> tuple[int, int]:
    """Fill a cache with random answers.

    Returns:
        Bytes that were forecast and bytes of its files.
    """
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(num_rows, 4)).astype(np.float32)

    def answer(inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        del features
        return Outputs(logits=torch.randn(len(inputs), num_classes))

    teachers = [
        load_callable(model=answer, digest=str(k)).teacher(f"teacher{k}", Coverage()) for k in range(num_teachers)
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = OutputStore(folder, limit_bytes=None)
        shards = plan_shards(teachers, rows, dtype="float16")
        fill(store, shards, teachers, rows, num_classes=num_classes)
        pack(store, shards, teachers, num_classes=num_classes)
        used = store.used_bytes()
    # Float16, once in its shard and once in the pack that training reads.
    return 2 * 2 * num_rows * num_teachers * num_classes, used


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("examples/digits.yaml"))
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    together, largest = peak_memory(arguments.config.absolute(), trials=arguments.trials)
    caches = [(*shape, *cache_on_disk(*shape)) for shape in SHAPES]
    if arguments.json:
        print(json.dumps({"peak_bytes": together, "largest_process_bytes": largest, "caches": caches}))
        return
    print(f"peak memory of {arguments.config.name}, all processes: {together / 2**20:,.0f} MiB")
    print(f"largest of them: {largest / 2**20:,.0f} MiB")
    for num_rows, num_teachers, num_classes, forecast, used in caches:
        print(
            f"cache of {num_rows:,} samples × {num_teachers} teachers × {num_classes} classes: "
            f"{used / 1e6:.1f} MB (forecast {forecast / 1e6:.1f} MB)"
        )


if __name__ == "__main__":
    main()
