"""The article's figures: which there are, and what each one's function is given and gives.

A figure is a function ``draw(context)``, registered by :func:`figure`. It computes what it shows
by :mod:`chainer_vae.latent` and the like, and returns a matplotlib ``Figure`` or an
:class:`Animation`; it neither saves nor trains.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Union

import numpy as np
from matplotlib.figure import Figure

from chainer_vae import latent
from chainer_vae.config import Config
from chainer_vae.datasets import MNIST_SHAPE, Dataset, load_data, load_mnist, size_in_words
from chainer_vae.errors import InputError
from chainer_vae.evaluation import encode
from chainer_vae.figures import style
from chainer_vae.model import VAE
from chainer_vae.runs import SHIPPED, find_run, load_info, load_log, load_model
from chainer_vae.runs.folder import LOG

SIDE = MNIST_SHAPE[0]  # pixels; the figures are laid out for square images of this side

# The parts of the article, in its order, then what it does not have.
SECTIONS = {
    "intro": {"en": "Introduction", "ja": "はじめに"},
    "1-1": {"en": "1-1. The plain autoencoder", "ja": "1-1. 通常のオートエンコーダー"},
    "1-2": {"en": "1-2. The variational autoencoder", "ja": "1-2. Variational Autoencoder"},
    "1-3": {"en": "1-3. The manifold hypothesis", "ja": "1-3. 多様体仮説"},
    "2": {"en": "2. In Chainer", "ja": "2. Chainerでの実装"},
    "3": {"en": "3. The theory", "ja": "3. 理論"},
    "trick": {"en": "The reparameterization trick", "ja": "Reparameterization Trick"},
    "extra": {"en": "Extra: TensorBoard", "ja": "おまけ：TensorBoard"},
    "notebook": {"en": "From the original notebook", "ja": "元のノートブックから"},
    "ours": {"en": "Not in the article", "ja": "記事にない図"},
}


class Animation(NamedTuple):
    """Pictures of one size, shown one after another without end."""

    frames: list[np.ndarray]  # (height, width) or (height, width, 3), uint8
    duration: int  # of each, milliseconds
    colors: int = 256  # of all, at most

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.frames[0].shape[:2]
        return width, height


Picture = Union[Figure, Animation]


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the registry."""

    id: str
    numbers: tuple[int, ...]  # its places among the article's images; none: not in the article
    section: str  # a key of SECTIONS
    file: str
    needs: Optional[str]  # a key of SHIPPED; None: no model
    original: str  # the name or caption that the article has for it, if it has it
    caption: dict[str, str]  # by language
    draw: Callable[["Context"], Picture]

    @property
    def animated(self) -> bool:
        return self.file.endswith(".gif")

    def file_name(self, suffix: str) -> str:
        """The name of the file, a still's with ``suffix`` (png, svg or pdf)."""
        return self.file if self.animated else f"{Path(self.file).stem}.{suffix}"


_REGISTRY: dict[str, FigureSpec] = {}


def figure(
    id: str,
    numbers: tuple[int, ...],
    section: str,
    file: str,
    original: str,
    en: str,
    ja: str,
    needs: Optional[str] = None,
) -> Callable[[Callable[["Context"], Picture]], Callable[["Context"], Picture]]:
    """Register the function below as a figure; the arguments are :class:`FigureSpec`'s."""

    def register(draw: Callable[["Context"], Picture]) -> Callable[["Context"], Picture]:
        if id in _REGISTRY:
            raise ValueError(f"there are two figures {id}")
        caption = {"en": en, "ja": ja}
        _REGISTRY[id] = FigureSpec(id, numbers, section, file, needs, original, caption, draw)
        return draw

    return register


def all_figures() -> list[FigureSpec]:
    """Every figure, in the article's order; those that it does not have come last."""
    order = list(SECTIONS)
    # A figure that the article shows twice stands at its first place.
    return sorted(
        _REGISTRY.values(), key=lambda spec: (order.index(spec.section), spec.numbers[:1])
    )


class Trained:
    """A trained model and the images that it belongs to."""

    def __init__(self, name: str, run: Union[str, Path], gpu: int = -1) -> None:
        """Load the model of ``run`` for the figures that need ``name``.

        Raises:
            InputError: There is no run, it is not of the sizes needed, or the GPU cannot be used.
        """
        self.folder = find_run(run)
        info = load_info(self.folder)
        n_latent = SHIPPED[name]
        if info.config.dimz != n_latent:
            raise InputError(
                f"this figure needs a model with {n_latent} latent dimensions ({name}),"
                f" but {run} has {info.config.dimz}; give another by --run-{name}"
            )
        if info.image_shape != MNIST_SHAPE:
            raise InputError(
                f"the figures show images of {size_in_words(MNIST_SHAPE)} pixels,"
                f" but those of {run} have {size_in_words(info.image_shape)}"
            )
        self.model: VAE
        self.config: Config
        self.model, self.config = load_model(run, gpu)

    @cached_property
    def data(self) -> Dataset:
        return load_data(self.config)

    @cached_property
    def codes(self) -> np.ndarray:
        """The means of q(z|x) of all test images, shape (number, n_latent)."""
        return encode(self.model, self.data.test_images)[0]

    @cached_property
    def log(self) -> list[dict[str, float]]:
        return load_log(self.folder / LOG)

    def first(self, digit: int) -> int:
        """The place of the first test image of a digit."""
        return latent.first_of_class(self.data.test_labels, digit)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """The images of codes (number, n_latent), shape (number, 28, 28)."""
        return latent.decode(self.model, z).reshape(-1, SIDE, SIDE)


class Context:
    """What the figures of one call share: the language, and the models, loaded once."""

    def __init__(self, lang: str, runs: dict[str, Union[str, Path]], gpu: int = -1) -> None:
        """``runs`` has a run for each name in SHIPPED: a folder, or the name itself."""
        self.lang = lang
        self.gpu = gpu
        self._runs = runs
        self._trained: dict[str, Union[Trained, InputError]] = {}
        self._attached: list[tuple[str, Callable[[Path], None]]] = []

    def text(self, en: str, ja: str) -> str:
        """A label in the language of the figures.

        Raises:
            InputError: It is Japanese, and there is no font for that.
        """
        if self.lang == "en":
            return en
        if style.japanese_font() is None:
            raise InputError(
                "there is no font with Japanese letters: pip install matplotlib-fontja,"
                " or draw with --lang en"
            )
        return ja

    def trained(self, name: str) -> Trained:
        """The model that figures which need ``name`` show.

        Raises:
            InputError: It cannot be used.
        """
        if name not in self._trained:
            try:
                self._trained[name] = Trained(name, self._runs[name], self.gpu)
            except InputError as error:
                self._trained[name] = error
        found = self._trained[name]
        if isinstance(found, InputError):
            raise found
        return found

    @cached_property
    def mnist(self) -> Dataset:
        """For figures without a model that show a digit."""
        return load_mnist()

    def attach(self, name: str, write: Callable[[Path], None]) -> None:
        """Have something written beside the picture, whether that can be drawn or not.

        Args:
            name: Of the file or folder, in that of the figures.
            write: Writes it, given its path.
        """
        self._attached.append((name, write))

    def attachments(self) -> Iterator[tuple[str, Callable[[Path], None]]]:
        """What was attached since the last call."""
        while self._attached:
            yield self._attached.pop(0)
