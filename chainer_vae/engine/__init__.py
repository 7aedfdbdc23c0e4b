"""The fast computation of the article's models: the same losses as Chainer's, but for rounding.

::

    backend.py          what a training asks for its steps
    network.py          the forward and the backward pass, derived by hand; shared by CPU and GPU
    flat_model.py       the parameters and Adam's moments in flat arrays; shared, too
    support.py          which models and optimizers the engine computes
    cpu_step.py         a training step on the CPU
    cpu_kernels.py      softplus, the losses, the noise, Adam: all but the matrix products
    cpu_evaluation.py   evaluation, encoding and decoding of many images on the CPU
    threads.py          the thread pool
    gpu_step.py, gpu_kernels.py, gpu_noise.py, gpu_evaluation.py    the same on a GPU, with CuPy
"""

from chainer_vae.engine.backend import Backend
from chainer_vae.engine.cpu_step import CpuSteps, Engine
from chainer_vae.engine.network import VAENetwork
from chainer_vae.engine.support import unsupported
from chainer_vae.engine.threads import TaskPool, ThreadPool, thread_pool

__all__ = [
    "Backend",
    "CpuSteps",
    "Engine",
    "TaskPool",
    "ThreadPool",
    "VAENetwork",
    "thread_pool",
    "unsupported",
]
