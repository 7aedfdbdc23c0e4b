"""Every patch, in the order in which they are applied to one module."""

from chainer_vae.compat import (
    cupy_patches,
    download_patches,
    h5py_patches,
    numpy_patches,
    onnx_patches,
    promotion_patches,
    protobuf_patches,
    python_patches,
    setuptools_patches,
)

#: Every patch, needed on this machine or not.
PATCHES = (
    *python_patches.PATCHES,
    *numpy_patches.PATCHES,
    *promotion_patches.PATCHES,
    *setuptools_patches.PATCHES,
    *protobuf_patches.PATCHES,
    *onnx_patches.PATCHES,
    *h5py_patches.PATCHES,
    *cupy_patches.PATCHES,
    *download_patches.PATCHES,
)
