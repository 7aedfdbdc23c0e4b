"""A training in TensorBoard, epoch by epoch.

``tensorboard --logdir FOLDER`` shows two runs, so that both curves are in one chart::

    train   the losses of the training images
    test    the losses of the test images; the KL divergence of each latent dimension, and how many
            are active; test images above their reconstructions; the latent vectors, under Projector

A file of events is for one start of the training.  One that resumes tells TensorBoard from which
epoch on what older files say is void, so that no epoch is there twice; epochs that they lack it
takes from the log.

Source: the format is that of ``tensorboard.compat.proto``, events in TFRecords.
"""

import io
import json
import time
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from chainer.backends import cuda
from PIL import Image

from chainer_vae import binarization, latent, validation
from chainer_vae.config import CHANGEABLE
from chainer_vae.errors import InputError, accessory
from chainer_vae.evaluation import encode, latent_vectors
from chainer_vae.exports.libraries import library
from chainer_vae.figures import sheets
from chainer_vae.model import VAE
from chainer_vae.posterior import dimensions
from chainer_vae.projector import LARGEST_SPRITE, NAMES, write_projector
from chainer_vae.runs import Run
from chainer_vae.runs.files import append_whole, check_writable

EVENTS = "events.out.tfevents"  # what TensorBoard knows its files by
PARTS = ("train", "test")
SHOWN = 10  # test images above their reconstructions
EMBEDDED = 2000  # test images in the embedding: to write 10,000 would take half a second
CHARTS = 100  # latent dimensions with a chart of their own
# The KL divergence of the training images is the rest of their -ELBO, divided by C: with a smaller
# C it would be the losses' rounding.
LEAST_C = 0.01


class TensorBoard:
    """The files of a run for TensorBoard.

    Args:
        folder: Where they are; made if missing.
        run: The run.  The losses that it has had already are written at once, from the first epoch
            on that the folder lacks.

    Raises:
        InputError: TensorBoard is not installed, the folder cannot be written, or it holds another
            training's curves.
        TypeError: ``run`` is no :class:`~chainer_vae.Run`.

    Example:
        >>> from chainer_vae import Config, Run
        >>> from chainer_vae.tensorboard import TensorBoard
        >>> run = Run.start(Config(epoch=2, dimz=2, test=True), "runs/watched")
        >>> board = TensorBoard("board", run)
        >>> for entry in run.train():
        ...     board.write(entry)
        >>> sorted(file.name for file in (board.folder / "test").iterdir())[1:]
        ['latent_means.tsv', 'metadata.tsv', 'projector_config.pbtxt', 'sprite.png']
    """

    def __init__(self, folder: Union[str, Path], run: Run) -> None:
        validation.instance("TensorBoard", run, Run)
        self.folder = validation.path("folder", folder)
        self.run = run
        training = _name_of(run)
        require_usable(self.folder, training if run.steps_done else None)
        self._events, self._summary = _library_of_events()
        older = {part: _event_files(self.folder / part) for part in PARTS}
        number = max((_number(file) for part in PARTS for file in older[part]), default=0) + 1
        self._file = f"{EVENTS}.{number:010d}.{training}"
        # A stop between the log and the curves, or epochs that nobody watched, leave a gap.
        shown = set.intersection(*(_epochs(older[part]) for part in PARTS))
        missing = [entry for entry in run.log if entry["epoch"] not in shown]
        self._first = int(missing[0]["epoch"]) if missing else run.epoch + 1
        for entry in run.log[self._first - 1 :]:
            self._append(entry, self._losses(entry))
        if missing and run.position == 0:
            self._show_model(run.log[-1])

    def write(self, entry: dict[str, float]) -> None:
        """Write what there is to see after an epoch.

        Where it cannot be written, one line says so, and the training goes on.

        Args:
            entry: What :meth:`Run.train <chainer_vae.Run.train>` has just given; the weights must
                be those that it left.
        """
        with accessory(f"the curves of epoch {entry['epoch']} in {self.folder}"):
            self._append(entry, self._losses(entry))
        self._show_model(entry)

    def _losses(self, entry: dict[str, float]) -> dict[str, list[Any]]:
        vae, config = isinstance(self.run.model, VAE), self.run.config
        warm = entry["epoch"] <= config.C_warmup  # each step had a C of its own
        C = 0.0 if warm or config.objective != "elbo" else config.C
        unit = f"nats per image{binarization.in_words(config)}" if vae else "squares summed"
        values = {}
        for part, prefix, weight in (("train", "main", C), ("test", "validation/main", 1.0)):
            loss, rec_loss = entry[f"{prefix}/loss"], entry[f"{prefix}/rec_loss"]
            values[part] = [self._scalar("loss", loss, unit)]
            if vae:
                values[part].append(self._scalar("reconstruction error", rec_loss, unit))
            if vae and weight >= LEAST_C:
                values[part].append(self._scalar("KL divergence", (loss - rec_loss) / weight, unit))
        return values

    def _show_model(self, entry: dict[str, float]) -> None:
        """The latent dimensions, the reconstructions and the embedding, each as far as it can."""
        run, images = self.run, self.run.test_images
        with accessory(f"the latent dimensions of epoch {entry['epoch']} in {self.folder}"):
            if isinstance(run.model, VAE):
                self._append(entry, {"test": self._dimensions(*encode(run.model, images))})
        with accessory(f"the reconstructions of epoch {entry['epoch']} in {self.folder}"):
            self._append(entry, {"test": [self._reconstructions(images[:SHOWN])]})
        with accessory(f"the embedding of epoch {entry['epoch']} in {self.folder}"):
            few = images[: min(EMBEDDED, max(2, _room(max(run.image_shape))))]
            write_projector(
                self.folder / "test",
                latent_vectors(run.model, few),
                cuda.to_cpu(few),
                run.test_labels[: len(few)],
                run.image_shape,
                NAMES[0] if isinstance(run.model, VAE) else NAMES[1],
                run.class_names,
            )

    def _dimensions(self, mu: np.ndarray, ln_var: np.ndarray) -> list[Any]:
        found = dimensions(mu, ln_var)
        digits = len(str(len(found.kl)))
        shown = enumerate(found.kl[:CHARTS], 1)
        charts = [self._scalar(f"KL divergence by dimension/z{j:0{digits}}", kl) for j, kl in shown]
        active = self._scalar("active dimensions", found.active_by_kl.sum(), "number")
        return [active, *charts]

    def _reconstructions(self, images: Any) -> Any:
        model, image_shape = self.run.model, self.run.image_shape
        sheets.require_room(2 * len(images), image_shape)
        outputs = latent.decode(model, latent_vectors(model, images))
        sheet = sheets.sheet([cuda.to_cpu(images), outputs], image_shape)
        file = io.BytesIO()
        Image.fromarray(sheet).save(file, format="PNG")
        height, width = sheet.shape
        picture = self._summary.Summary.Image(
            height=height, width=width, colorspace=1, encoded_image_string=file.getvalue()
        )
        return self._summary.Summary.Value(tag="reconstructions", image=picture)

    def _scalar(self, tag: str, value: float, unit: str = "nats per image") -> Any:
        about = self._summary.SummaryMetadata(summary_description=unit)
        return self._summary.Summary.Value(tag=tag, simple_value=float(value), metadata=about)

    def _append(self, entry: dict[str, float], values: dict[str, list[Any]]) -> None:
        """Append values to the files of some of the parts, all of a part's or none."""
        # Of an epoch that was before: when it was, if the training has not paused since.
        now = time.time() - (self.run.elapsed - entry["elapsed_time"])
        Event, SessionLog = self._events.Event, self._events.SessionLog
        for part, summaries in values.items():
            file = self.folder / part / self._file
            events = []
            if not file.exists():
                start = SessionLog(status=SessionLog.START)
                events += [
                    Event(wall_time=now, file_version="brain.Event:2"),
                    Event(wall_time=now, step=self._first, session_log=start),
                ]
            summary = self._summary.Summary(value=summaries)
            events.append(Event(wall_time=now, step=int(entry["epoch"]), summary=summary))
            append_whole(file, _records(events))


def require_usable(folder: Path, training: Optional[str] = None) -> None:
    """Find out before a training whether it can be watched.

    Args:
        folder: Where the files are to be.
        training: What the names of its older files end with, if it has any.

    Raises:
        InputError: TensorBoard is not installed, the folder cannot be written, or it holds another
            training's curves.

    Example:
        >>> from pathlib import Path
        >>> from chainer_vae.tensorboard import require_usable
        >>> require_usable(Path("new"))
        >>> Path("new").exists()  # it can be made, and is not yet
        False
    """
    _library_of_events()
    for part in PARTS:
        check_writable(folder / part / EVENTS)
    for file in (file for part in PARTS for file in _event_files(folder / part)):
        if training is None or not file.name.endswith(f".{training}"):
            raise InputError(
                f"{folder} holds the curves of another training: choose another folder, such as"
                f" {folder / 'new'}, and `tensorboard --logdir {folder}` shows both"
            )


def _library_of_events() -> tuple[Any, Any]:
    """The modules of an event and of a summary in it.

    Raises:
        InputError: TensorBoard is not installed, or cannot be imported.
    """
    library("tensorboard")
    events, summary = (library(f"tensorboard.compat.proto.{n}_pb2") for n in ("event", "summary"))
    return events, summary


def _records(events: list[Any]) -> bytes:
    file = io.BytesIO()
    writer = library("tensorboard.summary.writer.record_writer").RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    return file.getvalue()


def _name_of(run: Run) -> str:
    """What tells the files of this training from another's: a checksum of its settings, less those
    that may change when it resumes, and of its images."""
    settings = {k: v for k, v in asdict(run.config).items() if k not in CHANGEABLE}
    text = json.dumps([settings, run.checksums], sort_keys=True)
    return f"chainer-vae-{zlib.crc32(text.encode()):08x}"


def _event_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{EVENTS}.*"))


def _epochs(files: list[Path]) -> set[int]:
    """The epochs whose losses are in files of events, and not void."""
    loader = library("tensorboard.backend.event_processing.event_file_loader")
    start = library("tensorboard.compat.proto.event_pb2").SessionLog.START
    epochs: set[int] = set()
    for file in filter(Path.is_file, files):
        for event in loader.EventFileLoader(str(file)).Load():
            if event.session_log.status == start:
                epochs = {epoch for epoch in epochs if epoch < event.step}
            if any(value.tag == "loss" for value in event.summary.value):
                epochs.add(event.step)
    return epochs


def _number(file: Path) -> int:
    digits = file.name[len(EVENTS) + 1 :].split(".")[0]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 10 else 0


def _room(side: int) -> int:
    """How many images of a side the projector has room for."""
    columns = 1
    while 2 * columns * side <= LARGEST_SPRITE:
        columns *= 2
    return columns * columns
