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
        on_step: Callable[[], None],
    ) -> Generator[tuple[float, float], None, None]:
        """The steps of an epoch.

        Args:
            permutation: The order of the images.
            first: The number of the first step to do, from 0.
            go_on: Asked before each step; False ends the epoch.
            on_step: Called after each step (on a GPU, after its launch).

        Yields:
            tuple: loss and rec_loss of each step's batch, before its update.  Where the loss is not
            finite, the parameters stay as they are (on a GPU, they are lost).
        """
