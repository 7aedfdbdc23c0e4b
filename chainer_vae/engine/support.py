"""Which models and optimizers the engine computes."""

from typing import Any, Optional

import chainer
import numpy as np

from chainer_vae.engine import cpu_kernels
from chainer_vae.model import VAE


def unsupported(model: Any, optimizer: Any = None) -> Optional[str]:
    """Why the engine cannot compute this model, or with this optimizer; None where it can."""
    if type(model) is not VAE:
        return f"the model is of class {type(model).__name__}, not the article's VAE"
    if model.act_func not in cpu_kernels.ACTIVATIONS:
        return "the activation is none of softplus, tanh, relu and sigmoid"
    dtypes = {param.dtype for param in model.params()}
    if dtypes != {np.dtype("f4")} and (dtypes != {np.dtype("f8")} or model.xp is not np):
        return "the parameters are not all float32 (or, on the CPU, float64)"
    if model.xp is not np:
        from chainer_vae.engine import gpu_kernels  # where there is CuPy

        fault = gpu_kernels.fault()
        if fault is not None:  # no cover: needs CuPy without cuBLAS
            return fault
    if optimizer is None:
        return None
    if type(optimizer) is not chainer.optimizers.Adam:
        return f"the optimizer is {type(optimizer).__name__}, not Adam"
    if optimizer.target is not model:
        return "the optimizer is not set up for the model"
    hyper = optimizer.hyperparam.get_dict()
    if hyper["amsgrad"] or hyper["adabound"] or hyper["weight_decay_rate"] or hyper["eta"] != 1:
        return "the optimizer is another variant of Adam"
    rules = [param.update_rule for param in model.params()]
    if not all(rule.enabled and rule.hyperparam.get_dict() == hyper for rule in rules):
        return "a parameter has an update rule of its own"
    if any(rule.t != optimizer.t for rule in rules):
        return "not all parameters have been updated as often"
    hooked = [optimizer._hookable, *(rule._hookable for rule in rules)]
    if any(hooks._pre_update_hooks or hooks._post_update_hooks for hooks in hooked):
        return "the optimizer has hooks"
    return None
