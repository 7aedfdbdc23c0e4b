"""What a training asks for its steps, whatever computes them."""

from collections.abc import Generator
from typing import Callable, Optional, Protocol

import numpy as np


class Backend(Protocol):
    """What computes the steps of a training."""

    @property
    def name(self) -> str:
        """As config.json records it: "fused", "fused, without a CUDA graph" or "chainer"."""

    @property
    def reason(self) -> Optional[str]:
        """Why it is not the first."""

    def epoch(
        self,
        permutation: np.ndarray,
        first: int,
        go_on: Callable[[], bool],
        progress: Callable[[], None],
        on_step: Optional[Callable[[], None]] = None,
    ) -> Generator[tuple[float, float], None, None]:
        """The steps of an epoch: all of them, or as many as can be done before ``go_on`` or what
        ``on_step`` changes ends them.

        Args:
            permutation: The order of the images.
            first: The number of the first step to do, from 0.
            go_on: Asked before each step; False ends the epoch.
            progress: Called after each step (on a GPU, after its launch); the update may still
                be running.
            on_step: Called after each step, with the parameters after its update.  It may change
                the model and the optimizer: that counts from the next step on.

        Yields:
            tuple: loss and rec_loss of each step's batch, before its update.  Where the loss is not
            finite, the parameters stay as they are (on a GPU, they are lost).
        """
