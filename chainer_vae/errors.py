"""The errors that this package raises for its user; the command line prints each as one line."""


class InputError(ValueError):
    """Something given to this package cannot be used; the message says why, and what to do."""


class NonFiniteLossError(ArithmeticError):
    """A training step or a test gave a loss that is infinite or not a number."""
