"""The errors that this package raises for its user; the command line prints each as one line."""


class InputError(ValueError):
    """Something given to this package cannot be used; the message says why, and what to do.

    Example:
        >>> from chainer_vae import InputError, load_model
        >>> try:
        ...     load_model("nowhere")
        ... except InputError as error:
        ...     print(error)
        nowhere holds no run: it has no config.json
    """


class NonFiniteLossError(ArithmeticError):
    """A training step or a test gave a loss that is infinite or not a number.

    Example:
        >>> from chainer_vae import Config, NonFiniteLossError, Run
        >>> run = Run.start(Config(epoch=1, test=True, C=1e308), "runs/diverging")
        >>> try:
        ...     losses = list(run.train())
        ... except NonFiniteLossError as error:
        ...     print(error)
        the training loss of step 1 (epoch 1) is inf; runs/diverging keeps the state after step 0
    """
