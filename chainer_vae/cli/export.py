"""``chainer-vae export``."""

import argparse
from pathlib import Path

from chainer_vae import validation
from chainer_vae.cli.parser import a_path, add_run
from chainer_vae.cli.trained import in_words, require_apart
from chainer_vae.errors import printable
from chainer_vae.exports import onnx_graphs, parameters, pytorch
from chainer_vae.runs import find_run, load_any_model, load_info

SUMMARY = "write a model for NumPy, ONNX or PyTorch"
DESCRIPTION = (
    "Write a model's parameters and settings as .npz, its encoder and decoder as two ONNX files, or"
    " its parameters as a state dict of PyTorch."
)
ENDINGS = {"npz": (".npz",), "onnx": (".onnx",), "torch": pytorch.ENDINGS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--format", choices=tuple(ENDINGS), required=True,
        help="npz: for NumPy; onnx: for onnxruntime; torch: for PyTorch",
    )  # fmt: skip
    parser.add_argument(
        "--out", "-o", type=a_path, metavar="FILE",
        help="the file (default: the run's name, with .npz, .onnx or .pt)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    folder = find_run(args.run)
    endings = ENDINGS[args.format]
    out = args.out or Path(folder.absolute().name + endings[0])
    out = validation.ending(f"--out of --format {args.format}", out, endings)
    model, config = load_any_model(args.run)
    require_apart(out, config.dataset)
    written = [out]
    if args.format == "npz":
        parameters.write_parameters(out, model, config, load_info(folder).image_shape)
    elif args.format == "onnx":
        written = onnx_graphs.write_onnx(out, model)
    else:
        pytorch.write_torch(out, model)
    print(printable(f"{in_words(args.run)}: {config.dimz} latent dimensions, {config.act}"))
    for path in written:
        print(f"wrote {printable(path)}")
    return 0
