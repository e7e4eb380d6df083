#!/usr/bin/env python3
"""The statistics of `heirloom diff` in numpy and in torch: what benches/diff.rs is compared with.

    pip install numpy torch safetensors
    python benches/diff_baseline.py before.safetensors after.safetensors [numpy|torch]

Prints GB/s of both files together by processor time of this thread, so that a busy machine does not matter; float64 sums, as numpy and
torch users would write them.
"""

import sys
import time

import torch
from safetensors import safe_open

torch.set_num_threads(1)


def with_numpy(a, b):
    import numpy as np

    x = a.float().numpy().ravel().astype(np.float64)
    y = b.float().numpy().ravel().astype(np.float64)
    d = y - x
    bits = np.bitwise_count(a.float().numpy().ravel().view(np.uint32) ^ b.float().numpy().ravel().view(np.uint32))
    return [np.count_nonzero(d), np.abs(d).max(), d.mean(), np.abs(d).mean(), d @ d, x @ x, y @ y, x @ y, bits.mean()]


def with_torch(a, b):
    x, y = a.double().ravel(), b.double().ravel()
    d = y - x
    same = a.float().ravel().view(torch.int32) ^ b.float().ravel().view(torch.int32)
    bits = sum(((same >> shift) & 1).sum() for shift in range(32))
    return [d.count_nonzero(), d.abs().max(), d.mean(), d.abs().mean(), d @ d, x @ x, y @ y, x @ y, bits]


before, after, *library = sys.argv[1:]
for name in library or ["numpy", "torch"]:
    compare = with_numpy if name == "numpy" else with_torch
    size, start = 0, time.thread_time()
    with safe_open(before, "pt") as first, safe_open(after, "pt") as second:
        for key in first.keys():
            a, b = first.get_tensor(key), second.get_tensor(key)
            if a.is_floating_point() and a.numel():
                compare(a, b)
                size += 2 * a.numel() * a.element_size()
    print(f"{name}: {size / 1e9 / (time.thread_time() - start):.3f} GB/s")
