"""Makes the fixtures of formats that no crate among our tests writes: `pip install h5py msgpack numpy`."""
import h5py
import msgpack
import numpy as np

with h5py.File("h5/keras.h5", "w", libver="earliest") as file:
    file.attrs["keras_version"] = "2.15.0"
    weights = file.create_group("model_weights")
    dense = weights.create_group("dense")
    kernel = (np.arange(2100, dtype=np.float32) / 8).reshape(300, 7)
    dense.create_dataset("kernel", data=kernel, chunks=(64, 7), compression="gzip", shuffle=True)
    dense.create_dataset("bias", data=np.array([-0.5, 0.0, 2.5]))
    weights.create_group("embedding").create_dataset("steps", data=np.array([-3, 4], dtype=np.int32))
    weights.create_dataset("scale", data=np.float32(1.5))
    weights.create_dataset("backend", data="tensorflow")
    file.create_group("optimizer_weights").create_dataset("iter", data=np.array([9]))


def pack(value):
    if isinstance(value, (np.ndarray, np.generic)):
        parts = (value.shape, value.dtype.name, value.tobytes())
        return msgpack.ExtType(1 if isinstance(value, np.ndarray) else 3, msgpack.packb(parts, use_bin_type=True))
    raise TypeError(value)


state = {
    "params": {
        "dense": {
            "kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
            "bias": np.array([0.5, -1.5], dtype=np.float16),
        },
        "scale": np.array(2.0, dtype=np.float32),
    },
    "steps": np.int32(7),
    "epoch": 3,
    "names": ["a", None, 1.5],
}
with open("flax/params.msgpack", "wb") as file:
    file.write(msgpack.packb(state, default=pack, strict_types=True))
