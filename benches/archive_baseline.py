#!/usr/bin/env python3
"""What else could keep a fine-tune: zstd, zstd with the base as its dictionary, ZipNN. What benches/archive.rs is compared with.

    pip install zstandard zipnn
    python benches/archive_baseline.py base.safetensors child.safetensors [bfloat16|float16|float32]

Prints Markdown rows: size left, GB/s of packing by processor time of one thread (so that a busy machine does not matter).
"""

import sys
import time

import zstandard
from zipnn import ZipNN

base, child = (open(path, "rb").read() for path in sys.argv[1:3])
dtype = sys.argv[3] if len(sys.argv) > 3 else "bfloat16"


def measure(name, compress):
    start = time.thread_time()
    packed = compress(child)
    seconds = time.thread_time() - start
    print(f"| {name} | {100 * len(packed) / len(child):.1f}% | {len(child) / 1e9 / seconds:.3f} GB/s |", flush=True)


measure("zstd -3", lambda data: zstandard.ZstdCompressor(level=3).compress(data))
measure("ZipNN", lambda data: ZipNN(input_format="byte", bytearray_dtype=dtype, threads=1).compress(data))
window = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, enable_ldm=True)
patch = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
measure("zstd -3 --patch-from", lambda data: zstandard.ZstdCompressor(dict_data=patch, compression_params=window).compress(data))
measure("zstd -19", lambda data: zstandard.ZstdCompressor(level=19).compress(data))
