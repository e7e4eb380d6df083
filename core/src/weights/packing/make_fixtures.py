"""Makes the fixtures of the packed layouts with the tools that write them.

    pip install torch safetensors bitsandbytes hqq compressed-tensors onnx onnxruntime
    python make_fixtures.py FOLDER

Each file holds one small layer as its tool stores it, and under "expected" the values that the tool's own dequantization gives
in f32. GPTQ and AWQ are packed here after the code of GPTQModel (`nn_modules/qlinear`, `pack_original`, `dequantize_weight`) and
AutoAWQ (`modules/linear/gemm.py`, `utils/packing_utils.py`), whose packages do not import without a GPU; where they do, the
same functions are called and must agree.
"""
import pathlib
import sys

import numpy as np, torch
from safetensors.torch import save_file

folder = sys.argv[1]
generator = torch.Generator().manual_seed(7)


def weight(rows, columns):
    values = torch.randn(rows, columns, generator=generator) * 0.05
    values[0, 0] = 0.9  # an outlier, as trained layers have
    return values


def save(name, tensors, expected, **metadata):
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    tensors["expected"] = expected.float().contiguous()
    save_file(tensors, f"{folder}/{name}.safetensors", metadata or None)


def bitstream(codes, bits):
    """Packs along axis 0, lowest bits first: what GPTQ does for 2, 4 and 8 bits, and by hand for 3."""
    rows, columns = codes.shape
    words = np.zeros((-(-rows * bits // 32), columns), dtype=np.uint64)
    for row in range(rows):
        place, shift = divmod(row * bits, 32)
        value = codes[row].astype(np.uint64) << np.uint64(shift)
        words[place] |= value & np.uint64(0xFFFFFFFF)
        if shift + bits > 32:
            words[place + 1] |= value >> np.uint64(32)
    return torch.from_numpy(words.astype(np.uint32).view(np.int32))


def gptq(name, bits, version, act_order=False, symmetric=False):
    inputs, outputs, group = 64, 32, 32
    w = weight(outputs, inputs)
    groups = inputs // group
    order = torch.randperm(inputs, generator=generator) if act_order else torch.arange(inputs)
    g_idx = torch.empty(inputs, dtype=torch.int32)
    g_idx[order] = (torch.arange(inputs) // group).to(torch.int32)
    top = 2**bits - 1
    scales, zeros = torch.zeros(groups, outputs), torch.zeros(groups, outputs)
    for index in range(groups):
        block = w[:, g_idx == index]
        if symmetric:
            scales[index] = 2 * block.abs().max(1).values / top
            zeros[index] = (top + 1) // 2
        else:
            low, high = block.min(1).values.clamp(max=0), block.max(1).values.clamp(min=0)
            scales[index] = (high - low) / top
            # Stored less one, so no tool writes a zero point of 0.
            zeros[index] = torch.round(-low / scales[index]).clamp(1, top)
    scales = scales.half()
    full = scales.float()[g_idx.long()].T, zeros[g_idx.long()].T
    codes = torch.clamp(torch.round(w / full[0] + full[1]), 0, top)
    expected = full[0] * (codes - full[1])
    stored = zeros if version == 2 else (zeros - 1).remainder(2**bits)
    tensors = {
        "layer.qweight": bitstream(codes.T.numpy().astype(np.int64), bits),
        "layer.qzeros": bitstream(stored.T.numpy().astype(np.int64), bits).T,
        "layer.scales": scales,
        "layer.g_idx": g_idx,
        "layer.bias": torch.zeros(outputs).half(),
    }
    save(name, tensors, expected, checkpoint_format="gptq_v2" if version == 2 else "gptq")


gptq("gptq_4bit", 4, 1)
gptq("gptq_4bit_v2_act_order", 4, 2, act_order=True)
gptq("gptq_4bit_symmetric", 4, 1, symmetric=True)
gptq("gptq_2bit", 2, 1)
gptq("gptq_3bit", 3, 1)
gptq("gptq_8bit", 8, 1, act_order=True)


def awq():
    inputs, outputs, group = 64, 32, 32
    w = weight(outputs, inputs)
    groups = inputs // group
    blocks = w.reshape(outputs, groups, group)
    low, high = blocks.amin(2), blocks.amax(2)
    scales = ((high - low) / 15).half()
    zeros = torch.round(-low / scales.float()).clamp(0, 15)
    codes = torch.clamp(torch.round(blocks / scales.float()[..., None] + zeros[..., None]), 0, 15)
    expected = ((codes - zeros[..., None]) * scales.float()[..., None]).reshape(outputs, inputs)
    codes = codes.reshape(outputs, inputs).T.to(torch.int32)

    def pack(matrix):
        out = torch.zeros(matrix.shape[0], matrix.shape[1] // 8, dtype=torch.int32)
        for column in range(out.shape[1]):
            for place, source in enumerate([0, 2, 4, 6, 1, 3, 5, 7]):
                out[:, column] |= matrix[:, column * 8 + source] << (4 * place)
        return out

    tensors = {
        "layer.qweight": pack(codes),
        "layer.qzeros": pack(zeros.T.to(torch.int32)),
        "layer.scales": scales.T.contiguous(),
    }
    save("awq", tensors, expected)


awq()


def bitsandbytes_four_bits(name, kind, nested):
    import bitsandbytes.functional as F

    w = weight(24, 64)
    codes, state = F.quantize_4bit(w, blocksize=64, compress_statistics=nested, quant_type=kind)
    expected = F.dequantize_4bit(codes, state)
    tensors = {"layer.weight": codes}
    tensors |= {f"layer.weight.{key}": value for key, value in state.as_dict(packed=True).items()}
    save(name, tensors, expected)


bitsandbytes_four_bits("bitsandbytes_nf4", "nf4", False)
bitsandbytes_four_bits("bitsandbytes_nf4_nested", "nf4", True)
bitsandbytes_four_bits("bitsandbytes_fp4", "fp4", True)


def bitsandbytes_int8():
    import bitsandbytes.functional as F

    w = weight(16, 40)
    codes, scales, _ = F.int8_vectorwise_quant(w.half())
    expected = F.int8_vectorwise_dequant(codes, scales)
    save("bitsandbytes_int8", {
        "layer.weight": codes,
        "layer.SCB": scales,
        "layer.weight_format": torch.tensor(0, dtype=torch.uint8),
    }, expected)


bitsandbytes_int8()


def hqq(name, bits, axis, group):
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    layer = torch.nn.Linear(64, 30, bias=False)
    layer.weight.data = weight(30, 64)
    config = BaseQuantizeConfig(nbits=bits, group_size=group, axis=axis)
    quantized = HQQLinear(layer, config, compute_dtype=torch.float32, device="cpu")
    expected = quantized.dequantize()
    tensors = {f"layer.{key}": value for key, value in quantized.state_dict().items() if value is not None}
    save(name, tensors, expected)


hqq("hqq_4bit_rows", 4, 1, 64)
hqq("hqq_4bit_columns", 4, 0, 64)
hqq("hqq_3bit", 3, 1, 32)
hqq("hqq_2bit", 2, 1, 16)
hqq("hqq_8bit", 8, 1, 64)


def compressed(name, fmt, arguments, w):
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams
    import compressed_tensors.quantization.utils as utils

    args = QuantizationArgs(**arguments)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    state = {"weight": w}
    if args.strategy == "tensor_group":
        state["weight_global_scale"] = utils.generate_gparam(w.min(), w.max())
    group = args.group_size or w.shape[1]
    if args.strategy in ("channel", "tensor"):
        blocks = w.reshape(w.shape[0], 1, -1)
        if args.strategy == "tensor":
            blocks = w.reshape(1, 1, -1)
    else:
        blocks = w.reshape(w.shape[0], -1, group)
    scale, zero = calculate_qparams(blocks.amin(2), blocks.amax(2), args, global_scale=state.get("weight_global_scale"))
    if args.strategy == "tensor":
        scale, zero = scale.reshape(1), zero.reshape(1)
    state["weight_scale"] = scale
    if not args.symmetric:
        state["weight_zero_point"] = zero
    compressor = BaseCompressor.get_value_from_registry(fmt)
    packed = compressor.compress(dict(state), scheme)
    expected = compressor.decompress(dict(packed), scheme)["weight"]
    save(name, {f"layer.{key}": value.data for key, value in packed.items()}, expected)


compressed("compressed_int4_group", "pack-quantized", dict(num_bits=4, strategy="group", group_size=32, symmetric=False), weight(32, 64))
compressed("compressed_int4_symmetric", "pack-quantized", dict(num_bits=4, strategy="group", group_size=32, symmetric=True), weight(32, 64))
compressed("compressed_int8_packed", "pack-quantized", dict(num_bits=8, strategy="channel", symmetric=True), weight(16, 40))
compressed("compressed_int8", "int-quantized", dict(num_bits=8, strategy="channel", symmetric=True), weight(16, 40))
compressed("compressed_fp8", "float-quantized", dict(num_bits=8, type="float", strategy="tensor", symmetric=True), weight(16, 40))
compressed("compressed_nvfp4", "nvfp4-pack-quantized", dict(num_bits=4, type="float", strategy="tensor_group", group_size=16, symmetric=True, dynamic=False), weight(16, 64))
compressed("compressed_mxfp4", "mxfp4-pack-quantized", dict(num_bits=4, type="float", strategy="group", group_size=32, symmetric=True, dynamic=False, scale_dtype=torch.uint8, zp_dtype=torch.uint8), weight(16, 64))


def onnx(name, per_channel, kind):
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime.quantization import QuantType, quantize_dynamic

    w = weight(24, 40).numpy()
    kernel = (torch.randn(6, 3, 3, 3, generator=generator) * 0.1).numpy()
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "dense"], ["y"], name="dense_node"),
            helper.make_node("Conv", ["image", "kernel"], ["z"], name="conv_node"),
        ],
        "graph",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 24]),
            helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 40]),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 6, 6, 6]),
        ],
        [numpy_helper.from_array(w, "dense"), numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, f"{folder}/plain.onnx")
    path = f"{folder}/{name}.onnx"
    quantize_dynamic(f"{folder}/plain.onnx", path, per_channel=per_channel, weight_type=QuantType[kind], op_types_to_quantize=["MatMul", "Conv"])
    pathlib.Path(f"{folder}/plain.onnx").unlink()
    model = onnx.load(path)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for tensor, axis in [("dense", -1), ("kernel", 0)]:
        # What DequantizeLinear computes; axis 0 of a convolution's kernel, the last of a matrix.
        codes, scale, zero = (stored[f"{tensor}_{part}"] for part in ["quantized", "scale", "zero_point"])
        if scale.size > 1:
            side = [1] * codes.ndim
            side[axis] = -1
            scale, zero = scale.reshape(side), zero.reshape(side)
        expected = (codes.astype(np.int32) - zero.astype(np.int32)).astype(np.float32) * scale
        model.graph.initializer.append(numpy_helper.from_array(expected.astype(np.float32), f"expected_{tensor}"))
    onnx.save(model, path)


onnx("onnx_dynamic", False, "QUInt8")
onnx("onnx_dynamic_per_channel", True, "QInt8")
