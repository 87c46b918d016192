"""A cache that is larger than the memory allowed: filled, found again and read in processes of their own.

Run by ``cache.py``; run by itself, it is one of these processes.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from _caches import BATCH_SIZE, fill_all, images, open_all, plan
from _lessons import NUM_CLASSES, make_teacher
from torch import nn

from teachers import OutputStore, Teacher, pack_key

SIDE = 28
"""Height and width of the images."""
WIDE = 64
"""Channels of the feature, which is as high and wide as the image."""


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


def wide_teacher() -> Teacher:
    """Make the teacher of the large cache."""
    torch.manual_seed(0)
    return make_teacher("wide", Wide())


def large(gigabytes: float, memory: float) -> dict[str, dict[str, float]]:
    """Fill a cache that is larger than the memory allowed, find it, and read all of it."""
    num_rows = max(BATCH_SIZE, int(gigabytes * 1e9 / (WIDE * SIDE * SIDE * 2)))
    with TemporaryDirectory() as folder:
        filled = in_process("fill", folder, num_rows, memory)
        size = OutputStore(folder, limit_bytes=None).used_bytes()
        read = in_process("read", folder, num_rows, memory)
    return {"fill": filled | {"bytes": size, "rows": num_rows}, "read": read}


def in_process(action: str, folder: str, num_rows: int, memory: float) -> dict[str, float]:
    """Do something in a process of its own, which tells what it took."""
    command = [sys.executable, __file__, action, folder, str(num_rows), str(memory)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told_: dict[str, float] = json.loads(done.stdout)
    return told_


def child(action: str, folder: str, num_rows: int, memory: float) -> None:
    """Fill, or find and read, the large cache, and print seconds and memory."""
    inputs, teacher = images(num_rows, SIDE), wide_teacher()
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


def main() -> None:
    """Be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("fill", "read"))
    parser.add_argument("folder", help="of the store")
    parser.add_argument("rows", type=int)
    parser.add_argument("memory", type=float, help="GiB that the process may own")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    child(arguments.action, arguments.folder, arguments.rows, arguments.memory)


if __name__ == "__main__":
    main()
