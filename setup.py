"""The package: what it holds, what it needs, and its command.

Chainer 7.8.1 comes as source only and its build needs an older setuptools. `make dist` therefore
builds a wheel of it beside this package's; where pip is to build it, docs/en/install.md has the two
lines, and pyproject.toml tells uv.

The engine's compiled kernels are one C file, which knows nothing of Python: a wheel with them is
for one kind of machine, and every Python. Where they cannot be compiled, or CHAINER_VAE_PURE is set
(for the wheel for every other machine), NumPy computes in their place.
"""

import os
import re
from pathlib import Path

from setuptools import Extension, find_namespace_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
(VERSION,) = re.findall(
    r'__version__ = "(.*)"', (HERE / "chainer_vae" / "version.py").read_text(encoding="utf-8")
)

ADDRESS = "REPOSITORY"  # `make address` writes it
URLS = {
    "Source": ADDRESS,
    "Changelog": f"{ADDRESS}/blob/main/CHANGELOG.md",
    "Issues": f"{ADDRESS}/issues",
}

KERNELS = Extension(
    "chainer_vae.kernels._kernels",
    ["chainer_vae/kernels/kernels.c"],
    depends=["chainer_vae/kernels/kernels_body.h"],
    optional=True,
)
# The rounding of sums is kept but for the one that asks otherwise; errno and traps are not.
UNIX = [
    *("-std=c11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"),
    *("-fno-signed-zeros", "-fopenmp-simd", "-fvisibility=hidden"),
]


class BuildKernels(build_ext):
    def get_ext_filename(self, fullname: str) -> str:
        # No suffix of Python's own modules: it is loaded by ctypes, and cannot be imported.
        return os.path.join(*fullname.split(".")) + (".dll" if os.name == "nt" else ".shared")

    def build_extension(self, ext: Extension) -> None:
        ext.extra_compile_args = ["/O2"] if self.compiler.compiler_type == "msvc" else UNIX
        super().build_extension(ext)


class Wheel(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        # For any machine, if there was no compiler.
        library = Path(self.bdist_dir) / "chainer_vae" / "kernels"
        compiled = any(library.glob("_kernels.*"))
        return "py3", "none", super().get_tag()[2] if compiled else "any"


# ChainerMN's. No Windows: MPICH has no wheel for it, and what else there is has not been tried.
MPI = [
    f"{name}; sys_platform in 'linux darwin' and platform_machine in 'x86_64 aarch64 arm64'"
    for name in ("mpi4py>=4.1", "mpich>=5")
]

setup(
    name="chainer-vae",
    version=VERSION,
    description="The VAE of the article Variational Autoencoder徹底解説, on today's machines",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    # CC-BY-SA-3.0: MNIST, see chainer_vae/data/README.md; ISC and BSD-3-Clause: D3, see
    # chainer_vae/explorer/web/vendor/README.md.
    license="MIT AND CC-BY-SA-3.0 AND ISC AND BSD-3-Clause",
    author="The chainer-vae authors",
    url="https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24",  # the article
    project_urls=URLS if ADDRESS.startswith("https://") else {},
    keywords="variational autoencoder, VAE, Chainer, CuPy, MNIST, generative model",
    classifiers=[
        "Development Status :: 5 - Production/Stable",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Natural Language :: English",
        "Natural Language :: Japanese",
        "Operating System :: OS Independent",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(9, 16)),
        "Environment :: GPU :: NVIDIA CUDA",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    ext_modules=[] if os.environ.get("CHAINER_VAE_PURE") else [KERNELS],
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": Wheel},
    packages=find_namespace_packages(include=["chainer_vae", "chainer_vae.*"]),
    package_data={
        "chainer_vae": [
            "py.typed",
            "data/*",
            "models/README.md",
            "models/*/*",
            "explorer/web/*",
            "explorer/web/vendor/*",
        ]
    },
    entry_points={"console_scripts": ["chainer-vae = chainer_vae.cli:main"]},
    install_requires=[
        "chainer==7.8.1",
        "numpy>=1.22,<2.6",  # what Chainer has been tried with
        "six",
        # What the figures have been compared with. Python 3.8 has no such version, and its pip
        # would complain of that, instead of Python's own version.
        "matplotlib>=3.8; python_version >= '3.9'",
        "matplotlib-fontja",  # a font with Japanese letters
        "pillow>=9.1",
        "scikit-learn>=1.5",  # t-SNE, the swiss roll
        "filelock>=3.19",  # one program at a time in a run's folder; Chainer needs it, too
        # Lays the computational graph out where there is no Graphviz.
        "graphviz-pure; platform_machine in 'x86_64 AMD64 aarch64 arm64 ARM64'",
        "packaging",  # compares versions
        "threadpoolctl",  # names the BLAS library that a result was computed with
        "tqdm",  # the progress bar
    ],
    extras_require={
        # ctk: the CUDA libraries come as wheels, too, and only the NVIDIA driver must be there.
        # CuPy 13, the last for Python 3.9, has no such wheels: there, CUDA must be installed. For
        # Python 3.15 it has none at all yet.
        "cuda12": [
            "cupy-cuda12x[ctk]>=14; python_version >= '3.10'",
            "cupy-cuda12x>=13,<14; python_version < '3.10'",
        ],
        "cuda13": ["cupy-cuda13x[ctk]>=14; python_version >= '3.10'"],
        "mpi": MPI,
        "tensorboard": ["tensorboard>=2.20"],
        "test": [
            *MPI,
            "axe-playwright-python",  # MIT; brings axe-core, MPL-2.0
            "build",
            "h5py; python_version < '3.15'",  # it has no wheel for 3.15 yet
            "hypothesis",  # makes up bad input
            "ipykernel",
            "jupytext",
            "mypy<2.5",
            "nbclient",
            "onnx",
            "onnxruntime; python_version < '3.15'",  # it has no wheel for 3.15 yet
            "playwright",  # drives a Chromium that is there already
            "pypdfium2",  # reads the PDF of the kit
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "pyyaml",
            "tensorboard>=2.20",
            "websocket-client",  # drives a Firefox that is there already
        ],
        "lessons": ["jupyterlab"],
        "bench": ["jax", "torch"],
        "kit": [
            "pypandoc-binary>=1.15",  # Pandoc
            "sphinx-revealjs>=3.2,<4",  # reveal.js 5
            "typst>=0.14,<0.16",
        ],
        "site": [
            "furo<2027",
            "myst-nb>=1.2,<2",
            "sphinx>=7.4,<10",
            "sphinx-mathjax-offline==0.0.2",  # MathJax 3.2.2
        ],
        # Below the next versions, which may find fault with what is here.
        "dev": ["coverage>=7.10", "mypy<2.5", "pytest", "ruff<0.18"],
    },
)
