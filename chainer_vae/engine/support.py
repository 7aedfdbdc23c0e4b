"""Which models and optimizers the engine computes: those of which it knows every part.

Whatever else may be on a model or an optimizer (hooks, layers of another class, methods of one
object's own, shared or frozen parameters) could change what Chainer's functions compute, so it is
left to them.
"""

import math
from itertools import combinations
from typing import Any, Optional

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer.optimizers.adam import AdamRule

from chainer_vae.engine import cpu_kernels
from chainer_vae.engine.network import Model
from chainer_vae.model import VAE, Autoencoder

# The attributes that Chainer and the models give to each object.
LINK = {
    "name", "_params", "_persistent", "_device", "_overridden_to_methods", "_local_link_hooks",
    "_within_init_scope", "_Link__init_done",
}  # fmt: skip
BOTH = {"le1", "le2", "ld1", "ld2", "ld3"}
LAYERS = {VAE: BOTH | {"le3_mu", "le3_ln_var"}, Autoencoder: BOTH | {"le3"}}
MODEL = LINK | {"_children", "act_func", "rec_loss", "latent_loss", "loss"}
LAYER = LINK | {"in_size", "out_size", "W", "b"}
PARAMETER = {
    "initializer", "update_rule", "_data", "_device", "_grad", "_grad_initializer", "_grad_valid",
    "_grad_var", "_has_chainerx_array", "_initial_device", "_layout", "_loss_scale", "_node",
    "_requires_grad",
}  # fmt: skip
OPTIMIZER = {
    "hyperparam", "target", "t", "epoch", "use_auto_new_epoch", "_hookable", "_use_fp32_update",
    "_loss_scaling_isnan",
}  # fmt: skip
RULE = {"enabled", "hyperparam", "t", "_state", "_hookable", "_use_fp32_update", "_fp32_param"}
# What the engine computes in the place of, as it was imported.
FUNCTIONS = [
    (owner, name, getattr(owner, name))
    for owner, names in (
        (VAE, ("__call__", "encode", "decode", "_nll", "get_loss_func")),
        (Autoencoder, ("__call__", "encode", "decode", "get_loss_func")),
        (L.Linear, ("__call__", "forward")),
        (F, ("gaussian", "bernoulli_nll", "sigmoid", "squared_difference", "sum")),
    )
    for name in names
]


def unsupported(model: Any, optimizer: Any = None) -> Optional[str]:
    """Why the engine cannot compute this model, or train it by this optimizer; None if it can."""
    fault = _model_fault(model)
    if fault is None and optimizer is not None:
        fault = _optimizer_fault(model, optimizer) or _parameter_fault(model, optimizer)
    return fault


def _model_fault(model: Any) -> Optional[str]:
    layers = LAYERS.get(type(model))
    if layers is None:
        return f"the model is of class {type(model).__name__}, not the article's"
    for owner, name, function in FUNCTIONS:
        if getattr(owner, name) is not function:
            return f"{owner.__name__}.{name} has been replaced"
    if not any(model.act_func is known for known in cpu_kernels.ACTIVATIONS):
        return "the activation is none of softplus, tanh, relu and sigmoid"
    if chainer.is_debug():
        return "Chainer's debug mode is on"
    if chainer.get_function_hooks() or chainer._get_link_hooks():
        return "hooks of Chainer are active"
    fault = _link_fault("the model", model, MODEL | layers)
    if fault is not None:
        return fault
    if model._children != layers or model._params:
        return "the model has other layers than the article's"
    for name in sorted(layers):
        fault = _layer_fault(name, model[name], model)
        if fault is not None:
            return fault
    n_h, n_in = model.le1.W.shape
    n_latent = model.ld1.W.shape[1]
    heads = dict.fromkeys(sorted(layers - BOTH), (n_latent, n_h))
    shapes = {"le2": (n_h, n_h), **heads, "ld1": (n_h, n_latent), "ld2": (n_h, n_h)}
    for name, shape in {"le1": (n_h, n_in), **shapes, "ld3": (n_in, n_h)}.items():
        if model[name].W.shape != shape or model[name].b.shape != shape[:1]:
            return f"layer {name} has a parameter of another shape"
    dtypes = {param.dtype for param in model.params()}
    if dtypes != {np.dtype("f4")} and (dtypes != {np.dtype("f8")} or model.xp is not np):
        return "the parameters are not all float32 (or, on the CPU, float64)"
    if model.xp is not np:
        if type(model) is not VAE:
            return "on a GPU, the engine computes the VAE alone"
        from chainer_vae.engine import gpu_kernels  # where there is CuPy

        return gpu_kernels.fault()
    return None


def _link_fault(what: str, link: chainer.Link, known: set[str]) -> Optional[str]:
    other = vars(link).keys() - known
    if other:
        return f"{what} has an attribute {min(other)}, which the engine does not know"
    if link._n_local_link_hooks:
        return f"{what} has hooks"
    if link._persistent:
        return f"{what} has persistent values"
    return None


def _layer_fault(name: str, layer: Any, model: Model) -> Optional[str]:
    if type(layer) is not L.Linear:
        return f"layer {name} is of class {type(layer).__name__}, not Linear"
    fault = _link_fault(f"layer {name}", layer, LAYER)
    if fault is not None:
        return fault
    if layer.b is None or layer._params != {"W", "b"}:
        return f"layer {name} has other parameters than W and b"
    for param in (layer.W, layer.b):
        if type(param) is not chainer.Parameter or vars(param).keys() - PARAMETER:
            return f"layer {name} has a parameter of another kind than Chainer's own"
        if param.array is None:
            return f"layer {name} is not initialized"
        if type(param.array) is not model.xp.ndarray or layer.device != model.device:
            return "the parameters are not all on one device"
        if not param.array.flags.c_contiguous:
            return f"layer {name} has a parameter in another order in memory"
    return None


def _optimizer_fault(model: Model, optimizer: Any) -> Optional[str]:
    if type(optimizer) is not chainer.optimizers.Adam:
        return f"the optimizer is {type(optimizer).__name__}, not Adam"
    other = vars(optimizer).keys() - OPTIMIZER
    if other:
        return f"the optimizer has an attribute {min(other)}, which the engine does not know"
    if optimizer.target is not model:
        return "the optimizer is not set up for the model"
    hyper = optimizer.hyperparam
    if hyper.amsgrad or hyper.adabound or hyper.weight_decay_rate or hyper.eta != 1:
        return "the optimizer is another variant of Adam"
    numbers = hyper.alpha, hyper.beta1, hyper.beta2, hyper.eps
    if not (
        all(isinstance(number, (int, float, np.number)) for number in numbers)
        and math.isfinite(hyper.alpha)
        and 0 <= hyper.beta1 < 1
        and 0 <= hyper.beta2 < 1
        and 0 < model.le1.W.dtype.type(hyper.eps) < math.inf
    ):
        return "the optimizer's alpha, beta1, beta2 or eps is out of Adam's range"
    hooks = optimizer._hookable
    if hooks._pre_update_hooks or hooks._post_update_hooks:
        return "the optimizer has hooks"
    return None


def _parameter_fault(model: Model, optimizer: chainer.optimizers.Adam) -> Optional[str]:
    params = list(model.params())
    pairs = combinations((param.array for param in params), 2)
    if any(model.xp.may_share_memory(one, other) for one, other in pairs):
        return "layers share parameters"
    hyper = optimizer.hyperparam.get_dict()
    for param in params:
        rule = param.update_rule
        if not (
            type(rule) is AdamRule
            and vars(rule).keys() <= RULE
            and rule.enabled
            and rule.hyperparam.get_dict() == hyper
            and param._loss_scale is None
        ):
            return "a parameter has an update rule of its own"
        if rule.t != optimizer.t:
            return "not all parameters have been updated as often"
        if rule._hookable._pre_update_hooks or rule._hookable._post_update_hooks:
            return "the optimizer has hooks"
        if rule.state is not None and not (
            rule.state.keys() == {"m", "v"}
            and all(array.shape == param.shape for array in rule.state.values())
            and all(array.dtype == param.dtype for array in rule.state.values())
        ):
            return "a parameter has other moments than Adam's"
    return None
