"""The registry of figures, and the context that their functions draw from.

A figure is a function ``draw(context)``, registered with :func:`figure`. It computes its contents
with modules such as :mod:`chainer_vae.latent`, and returns a matplotlib ``Figure`` or an
:class:`Animation`. It neither trains a model nor saves the figure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Union

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from chainer_vae import latent, validation
from chainer_vae.config import Config
from chainer_vae.datasets import Dataset, load_mnist
from chainer_vae.errors import InputError, printable
from chainer_vae.evaluation import encode
from chainer_vae.figures import style
from chainer_vae.model import VAE
from chainer_vae.plane import Plane, principal_plane
from chainer_vae.runs import find_run, load_info, load_log, load_model
from chainer_vae.runs.folder import LOG
from chainer_vae.runs.images import load_run_data

LONGEST = 12  # letters of a class's name in a figure, of which Japanese ones take two
LANGUAGES = ("en", "ja")
# The sections of the article in its order, followed by figures that it does not have.
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
    """Frames of one size, played in an endless loop.

    Attributes:
        frames (list of numpy.ndarray): Shape (height, width) or (height, width, 3), uint8.
        duration (int): Of each frame, in milliseconds.
        colors (int): The largest number of colours in the palette, which all frames share.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.figures import Animation
        >>> fade = Animation([np.full((28, 28), grey, np.uint8) for grey in range(256)], 40)
        >>> len(fade.frames) * fade.duration / 1000  # seconds
        10.24
    """

    frames: list[np.ndarray]
    duration: int
    colors: int = 255


FigureOrAnimation = Union[Figure, Animation]
Draw = Callable[["Context"], FigureOrAnimation]


@dataclass(frozen=True)
class FigureSpec:
    """A registered figure.

    Attributes:
        id (str): What ``chainer-vae figures --only`` calls it.
        numbers (tuple of int): Its numbers among the article's images; empty if not in the article.
        section (str): A key of ``SECTIONS``.
        file (str): The name of its file, .png or .gif.
        needs (str or None): The model it shows, a key of ``SHIPPED``; None for no model.
        original (str): Its name or caption in the article; "" if not in the article.
        caption (dict): By language, "en" and "ja".
        draw (callable): Takes a :class:`Context`, returns a matplotlib ``Figure`` or an
            :class:`Animation`.

    Example:
        >>> from chainer_vae.figures import all_figures
        >>> spec = {spec.id: spec for spec in all_figures()}["manifold"]
        >>> spec.numbers, spec.section, spec.needs, spec.animated, spec.file_name("svg")
        ((9,), '1-2', 'z2', False, '2dim_map.svg')
    """

    id: str
    numbers: tuple[int, ...]
    section: str
    file: str
    needs: Optional[str]
    original: str
    caption: dict[str, str]
    draw: Draw

    @property
    def animated(self) -> bool:
        """Whether it is an animation, a GIF file."""
        return self.file.endswith(".gif")

    def file_name(self, suffix: str) -> str:
        """The name of its file.

        Args:
            suffix: The format of a still: png, svg or pdf.

        Returns:
            str: With this suffix; with .gif for an animation.
        """
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
) -> Callable[[Draw], Draw]:
    """A decorator that registers a function as a figure.

    Args:
        id: As :class:`FigureSpec`'s.
        numbers: As :class:`FigureSpec`'s.
        section: As :class:`FigureSpec`'s.
        file: As :class:`FigureSpec`'s.
        original: As :class:`FigureSpec`'s.
        en: The caption in English.
        ja: The caption in Japanese.
        needs: As :class:`FigureSpec`'s.

    Returns:
        callable: The decorator, which returns the function as it was.

    Raises:
        ValueError: The decorator's, if there already is a figure with this ID.
    """

    def register(draw: Draw) -> Draw:
        if id in _REGISTRY:
            raise ValueError(f"two figures have the ID {id}")
        caption = {"en": en, "ja": ja}
        _REGISTRY[id] = FigureSpec(id, numbers, section, file, needs, original, caption, draw)
        return draw

    return register


def all_figures() -> list[FigureSpec]:
    """All figures in the article's order, followed by those that it does not have.

    Returns:
        list of FigureSpec: The figures.

    Example:
        >>> from chainer_vae.figures import all_figures
        >>> [spec.id for spec in all_figures() if spec.section == "1-3"]
        ['swiss-roll-anim', 'swiss-roll-unrolled']
    """
    order = list(SECTIONS)
    # A figure that the article shows twice is listed once, at its first position.
    return sorted(
        _REGISTRY.values(), key=lambda spec: (order.index(spec.section), spec.numbers[:1])
    )


class Trained:
    """A trained VAE with its data, latent means and log, each loaded when first used.

    Args:
        name: The model that figures need, a key of ``SHIPPED``.
        run: The run to load it from: a folder, or the name of a shipped model.
        gpu: The number of the GPU for the model; negative for the CPU.

    Raises:
        InputError: The run is missing, or its files or the GPU cannot be used.
    """

    def __init__(self, name: str, run: Union[str, Path], gpu: int = -1) -> None:
        self.folder = find_run(run)
        self._asked = run, name
        self.image_shape = load_info(self.folder).image_shape
        self.model: VAE
        self.config: Config
        self.model, self.config = load_model(run, gpu)

    @cached_property
    def data(self) -> Dataset:
        """The images and labels of the run's data set.

        Raises:
            InputError: It is gone, or has changed since.
        """
        return load_run_data(self.folder)

    @cached_property
    def classes(self) -> list[int]:
        """The classes that the test images have, in order."""
        return np.unique(self.data.test_labels).tolist()

    def class_name(self, label: int) -> str:
        """What a class is called in figures; never taken for a formula, and no longer than fits."""
        name = printable(self.data.class_name(label))
        if style.width_of(name) > LONGEST:
            while style.width_of(name) > LONGEST - 1:
                name = name[:-1]
            name += "…"
        return name.replace("$", r"\$")

    @cached_property
    def latent_means(self) -> np.ndarray:
        """The means mu of q(z|x) for all test images, shape (number, n_latent)."""
        return encode(self.model, self.data.test_images)[0]

    @cached_property
    def plane(self) -> Plane:
        """The latent plane: all of a space of two dimensions, else the principal one.

        Raises:
            InputError: There is one latent dimension.
        """
        if self.config.dimz < 2:
            run, name = self._asked
            raise InputError(
                f"the latent plane needs 2 latent dimensions or more, but {run} has"
                f" {self.config.dimz}; choose another with --run-{name}"
            )
        return principal_plane(self.latent_means)

    @cached_property
    def log(self) -> list[dict[str, float]]:
        """The losses of each epoch, in nats per image."""
        return load_log(self.folder / LOG)

    def first(self, digit: int) -> int:
        """The index of the first test image of a digit.

        Raises:
            InputError: There is none.
        """
        return latent.first_of_class(self.data.test_labels, digit)

    def ends(self, start: int, end: int) -> list[int]:
        """The indices of the test images that :func:`latent.ends` finds."""
        return [*latent.ends(self.data.test_labels, start, end)]

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Decode latent vectors (number, n_latent) into images in [0, 1], (number, height,
        width)."""
        return latent.decode(self.model, z).reshape(-1, *self.image_shape)


class Context:
    """What the figures of one call share: the language and the models, each loaded once.

    Args:
        lang: Language of the labels, "en" or "ja".
        runs: The run for each name in ``SHIPPED``: a folder, or the name of a shipped model.
        gpu: The number of the GPU for the models; negative for the CPU.
        rainbow: Whether the classes have the article's colours, which not everyone can tell apart.

    Raises:
        InputError: The language is neither.
        TypeError: The runs are no mapping.

    Example:
        >>> from chainer_vae.figures import Context
        >>> context = Context("en", {"z20": "z20", "z2": "z2"})
        >>> context.trained("z2").latent_means.shape, context.mnist.test_images.shape
        ((10000, 2), (10000, 784))
        >>> context.text("epoch", "エポック")
        'epoch'
        >>> context.attach("note.txt", lambda path: path.write_text("2 dimensions"))
        >>> [name for name, write in context.attachments()]
        ['note.txt']
    """

    def __init__(
        self, lang: str, runs: dict[str, Union[str, Path]], gpu: int = -1, rainbow: bool = False
    ) -> None:
        self.lang = validation.choice("lang", lang, LANGUAGES)
        self.gpu = gpu
        self._rainbow = validation.flag("rainbow", rainbow)
        validation.instance("Context", runs, Mapping)
        self._runs = runs
        self._trained: dict[str, Union[Trained, InputError]] = {}
        self._attached: list[tuple[str, Callable[[Path], None]]] = []

    def text(self, en: str, ja: str) -> str:
        """A label in the language of the figures.

        Args:
            en: The label in English.
            ja: The label in Japanese.

        Returns:
            str: One of the two.

        Raises:
            InputError: The language is Japanese, and its font is not installed.
        """
        if self.lang == "en":
            return en
        if style.japanese_font() is None:
            raise InputError(
                "Japanese labels need a Japanese font: pip install matplotlib-fontja,"
                " or draw with --lang en"
            )
        return ja

    def class_colors(self, n: int) -> Colormap:
        """The colours of ``n`` classes.

        Args:
            n: How many.

        Returns:
            matplotlib.colors.Colormap: Colours that the colour-blind can tell apart, if there are
            ten classes or fewer; the article's rainbow otherwise, and where it was asked for.

        Example:
            >>> from chainer_vae.figures import Context
            >>> Context("en", {}).class_colors(4).N
            4
        """
        return style.class_colors(n, self._rainbow)

    def trained(self, name: str) -> Trained:
        """The model for figures that need ``name``.

        Args:
            name: A key of ``SHIPPED``.

        Returns:
            Trained: The model, with its data, latent means and log.

        Raises:
            InputError: The model cannot be used.
            KeyError: No run was given for this name.
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
        """MNIST, for figures that show a digit but need no model."""
        return load_mnist()

    def attach(self, name: str, write: Callable[[Path], None]) -> None:
        """Register a file or folder to write next to the figure, even if drawing the figure fails.

        Args:
            name: Its name in the folder of the figures.
            write: A function that writes it to a given path.
        """
        self._attached.append((name, write))

    def attachments(self) -> Iterator[tuple[str, Callable[[Path], None]]]:
        """What was attached since the last call.

        Yields:
            tuple: The name and the function, as given to :meth:`attach`.
        """
        while self._attached:
            yield self._attached.pop(0)
