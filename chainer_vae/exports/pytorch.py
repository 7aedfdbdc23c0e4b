"""The parameters as a state dict of PyTorch, and back.

It is that of a module with the article's names: ``le1``, ``le2``, ``le3_mu``, ``le3_ln_var``,
``ld1``, ``ld2`` and ``ld3``, each an ``nn.Linear``; of a plain autoencoder, ``le3`` in the place of
``le3_mu`` and ``le3_ln_var``.  docs/en/models.md has the module.
"""

import io
import os
import zipfile
from pathlib import Path
from typing import Any, Union

import numpy as np

from chainer_vae import reading, validation
from chainer_vae.config import Config
from chainer_vae.decoders import build_model, require_bernoulli
from chainer_vae.errors import InputError
from chainer_vae.exports.libraries import library
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.npz import Entry, check_headers
from chainer_vae.random_numbers import numpy_random
from chainer_vae.runs.checkpoints import parameter_shapes, restore_model, to_arrays
from chainer_vae.runs.files import save_bytes

ENDINGS = (".pt", ".pth")
KINDS = {"W": "weight", "b": "bias"}  # of parameters: Chainer's names, and PyTorch's


def write_torch(file: Union[str, Path], model: Union[VAE, Autoencoder]) -> None:
    """Write a model's parameters as a state dict for PyTorch: tensors, and nothing else.

    ``torch.load(file, weights_only=True)`` reads it, and ``load_state_dict`` of a module with the
    article's names takes it: ``le1.weight``, shape
    (n_h, n_in), ``le1.bias``, shape (n_h,), and so on.

    Args:
        file: The file, ending in .pt or .pth.
        model: The model, on the CPU or a GPU.

    Raises:
        InputError: ``torch`` is not installed, or the file has another ending or cannot be written.
        TypeError: ``model`` is neither.

    Example:
        >>> from chainer_vae import load_model
        >>> from chainer_vae.exports.pytorch import write_torch
        >>> try:
        ...     write_torch("z2.zip", load_model("z2")[0])
        ... except ValueError as error:
        ...     print(error)
        file must end in .pt or .pth, not 'z2.zip'
    """
    file = validation.ending("file", file, ENDINGS)
    validation.instance("write_torch", model, VAE, Autoencoder)
    require_bernoulli(model, "--format torch")
    torch = library("torch")
    tensors = {
        _torch_name(name): torch.from_numpy(array) for name, array in to_arrays(model).items()
    }
    content = io.BytesIO()
    torch.save(tensors, content)
    save_bytes(file, content.getvalue())


def load_torch(file: Union[str, Path], act: str = "softplus") -> Union[VAE, Autoencoder]:
    """A model with the parameters of a state dict that PyTorch saved; no code in it is run.

    The names and the shapes of the tensors say which model it is, and its sizes; numbers of other
    floating types become float32.

    Args:
        file: What ``torch.save(module.state_dict(), file)`` has written.
        act: Activation of the hidden layers, which no state dict says: softplus, tanh, relu or
            sigmoid.

    Returns:
        VAE or Autoencoder: The model, on the CPU.

    Raises:
        InputError: ``torch`` is not installed; or the file is missing, damaged, or holds anything
            but the parameters of such a model, in full and finite.

    Example:
        >>> from chainer_vae.exports.pytorch import load_torch
        >>> try:
        ...     load_torch("nothing.pt")
        ... except ValueError as error:
        ...     print(error)
        there is no file nothing.pt
    """
    file = validation.path("file", file)
    tensors = _tensors(file)
    for name in ("le1.weight", "ld1.weight"):
        if name not in tensors or tensors[name].ndim != 2:
            raise InputError(
                f"{file} has no weights {name}: it is not the state dict of a module with the"
                " article's names (le1, le2, ...)"
            )
    (n_h, n_in), n_latent = tensors["le1.weight"].shape, tensors["ld1.weight"].shape[1]
    kind = "autoencoder" if "le3.weight" in tensors else "vae"
    config = Config(model=kind, dimz=n_latent, dim_h=n_h, act=act)
    shapes = parameter_shapes(config, n_in)
    names = {_torch_name(name): name for name in shapes}
    for name in tensors:
        if name not in names:
            raise InputError(
                f"{file} has {name}, for which there is no place in its kind of model ({kind})"
            )
    check_headers(tensors, {name: Entry(shapes[names[name]], "f") for name in names}, file)
    with numpy_random(np.random.RandomState(0)):  # its weights are replaced
        model = build_model(config, n_in)
    arrays = {names[name]: array for name, array in tensors.items()}
    restore_model(model, arrays, file, finite=True)
    return model


def _torch_name(name: str) -> str:
    layer, kind = name.split("/")
    return f"{layer}.{KINDS[kind]}"


def _tensors(file: Path) -> dict[str, np.ndarray]:
    """What a file of torch.save holds, if that is tensors by their names, as arrays of float32."""
    with reading.opened(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        # Nothing packed, which could unpack to any size; PyTorch packs nothing. Its older format is
        # no zip file, and has run what it held even where it was told not to.
        if not zipfile.is_zipfile(stream):
            raise InputError(f"{file} is damaged, or not a file of torch.save")
        torch = library("torch")
        try:
            stream.seek(0)
            with zipfile.ZipFile(stream) as members:
                stored = all(m.compress_type == zipfile.ZIP_STORED for m in members.infolist())
            stream.seek(0)
            found = torch.load(stream, map_location="cpu", weights_only=True) if stored else None
        except Exception:  # a damaged file makes it raise nearly anything
            found = None
        if not isinstance(found, dict) or not all(_is_dense(torch, t) for t in found.values()):
            raise InputError(
                f"{file} is damaged, or holds other things than the tensors of a state dict: save"
                " module.state_dict()"
            )
        # Tensors that share their memory could be larger than all that is in the file.
        if sum(tensor.numel() * tensor.element_size() for tensor in found.values()) > size:
            raise InputError(f"{file} is damaged: its tensors are larger than the file")
    return {str(name): tensor.detach().float().numpy() for name, tensor in found.items()}


def _is_dense(torch: Any, tensor: Any) -> bool:
    """Whether this is a tensor that is an array of floating-point numbers."""
    return (
        isinstance(tensor, torch.Tensor)
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and tensor.is_floating_point()
    )
