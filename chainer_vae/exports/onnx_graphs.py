"""A model's encoder and decoder as two ONNX files, for onnxruntime and other programs."""

from pathlib import Path
from typing import Any, Union

import chainer.functions as F
import numpy as np

from chainer_vae import validation
from chainer_vae.decoders import require_bernoulli
from chainer_vae.errors import InputError
from chainer_vae.exports.libraries import library
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.runs.checkpoints import to_arrays
from chainer_vae.runs.files import check_writable, save_bytes

OPSET, IR_VERSION = 13, 7  # of 2020: every onnxruntime since 1.6 takes them
OPERATORS = {F.softplus: "Softplus", F.tanh: "Tanh", F.relu: "Relu", F.sigmoid: "Sigmoid"}
LARGEST = (1 << 31) - (1 << 20)  # bytes of parameters: a file of protobuf has less than 2 GB


def write_onnx(file: Union[str, Path], model: Union[VAE, Autoencoder]) -> list[Path]:
    """Write the encoder and the decoder as ONNX files, float32, for any number of images.

    ::

        z20-encoder.onnx      x (batch, n_in)  ->  mu, ln_var (batch, n_latent); z of an autoencoder
        z20-decoder.onnx      z (batch, n_latent)  ->  pixels (batch, n_in), sigmoid(ld3(...))

    Two files, because a program samples z, or changes it, between the two.

    Args:
        file: Where to write them: "z20.onnx" stands for the two names above.
        model: The model, on the CPU or a GPU.

    Returns:
        list of pathlib.Path: The encoder's file, and the decoder's.

    Raises:
        InputError: ``onnx`` is not installed, the file has another ending or cannot be written, or
            ONNX has no such activation function or no room for so many parameters.
        TypeError: ``model`` is neither.

    Source:
        The operators Gemm, Softplus, Tanh, Relu and Sigmoid of ONNX, operator set 13.

    Example:
        >>> from chainer_vae import load_model
        >>> from chainer_vae.exports.onnx_graphs import write_onnx
        >>> model, config = load_model("z2")
        >>> [path.name for path in write_onnx("z2.onnx", model)]
        ['z2-encoder.onnx', 'z2-decoder.onnx']
    """
    file = validation.ending("file", file, (".onnx",))
    validation.instance("write_onnx", model, VAE, Autoencoder)
    require_bernoulli(model, "--format onnx")
    act = OPERATORS.get(model.act_func)
    if act is None:
        raise InputError("only softplus, tanh, relu and sigmoid can be written as ONNX")
    heads = {"mu": "le3_mu", "ln_var": "le3_ln_var"} if isinstance(model, VAE) else {"z": "le3"}
    arrays = to_arrays(model)
    written = []
    for part, graph in (
        ("encoder", _graph("x", ("le1", "le2"), act, heads, None, arrays)),
        ("decoder", _graph("z", ("ld1", "ld2"), act, {"pixels": "ld3"}, "Sigmoid", arrays)),
    ):
        written.append((file.with_name(f"{file.stem}-{part}{file.suffix}"), graph))
    for path, _ in written:  # both or none
        check_writable(path)
    for path, content in written:
        save_bytes(path, content)
    return [path for path, _ in written]


def _graph(
    given: str,
    hidden: tuple[str, str],
    act: str,
    heads: dict[str, str],
    head_act: Any,
    arrays: dict[str, np.ndarray],
) -> bytes:
    """A file of one graph: two hidden layers, and the layers of the outputs, by their names."""
    onnx = library("onnx")
    layers = [*hidden, *heads.values()]
    names = [f"{layer}/{kind}" for layer in layers for kind in "Wb"]
    if sum(4 * arrays[name].size for name in names) > LARGEST:
        raise InputError("the model has too many parameters for an ONNX file, which has 2 GB")
    weights = [
        onnx.numpy_helper.from_array(arrays[name].astype(np.float32), name) for name in names
    ]
    nodes = []

    def layer(name: str, source: str, act: Any, result: str) -> None:
        affine = f"{name}/a" if act else result
        inputs = [source, f"{name}/W", f"{name}/b"]
        nodes.append(onnx.helper.make_node("Gemm", inputs, [affine], name=name, transB=1))
        if act:
            nodes.append(onnx.helper.make_node(act, [affine], [result], name=f"{name}/{act}"))

    layer(hidden[0], given, act, "h1")
    layer(hidden[1], "h1", act, "h2")
    for output, name in heads.items():
        layer(name, "h2", head_act, output)

    def batch_of(name: str, size: int) -> Any:
        kind = onnx.TensorProto.FLOAT
        return onnx.helper.make_tensor_value_info(name, kind, ["batch", size])

    graph = onnx.helper.make_graph(
        nodes,
        "encoder" if given == "x" else "decoder",
        [batch_of(given, arrays[f"{hidden[0]}/W"].shape[1])],
        [batch_of(output, len(arrays[f"{name}/b"])) for output, name in heads.items()],
        weights,
    )
    model = onnx.helper.make_model(
        graph,
        producer_name="chainer-vae",
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)
