"""``chainer-vae train``."""

import argparse
import logging
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from chainer_vae import binarization, devices, shell
from chainer_vae.cli.parser import a_path, absolute_path, add_size
from chainer_vae.cli.progress import Progress, discard_output
from chainer_vae.cli.trained import require_apart
from chainer_vae.config import (
    ACTIVATIONS,
    BINARIZE,
    ENGINES,
    LIKELIHOODS,
    MODELS,
    OBJECTIVES,
    Config,
)
from chainer_vae.datasets import TEST_IMAGES
from chainer_vae.distributed import COMMUNICATORS, Communicator
from chainer_vae.environment import blamed_on
from chainer_vae.errors import InputError, accessory, printable, warn_of_missing
from chainer_vae.runs import Run, article_log
from chainer_vae.runs.folder import CONFIG
from chainer_vae.runs.ranks import follow, join, lead, require_possible

if TYPE_CHECKING:  # its images need matplotlib, which takes a while
    from chainer_vae.tensorboard import TensorBoard

# In the first line, where they are not the article's.
SHOWN = ("C", "C_warmup", "k", "lr", "objective", "likelihood", "binarize")

SUMMARY = "train the article's VAE"
DESCRIPTION = "Train the article's VAE. The defaults are the article's settings."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Config()

    # Absent unless given: --resume takes the settings from the run, and refuses others.
    def add(*names: str, **kwargs: Any) -> None:
        parser.add_argument(*names, default=argparse.SUPPRESS, **kwargs)

    def integer(*names: str, help: str, default: int) -> None:
        add(*names, type=int, metavar="N", help=f"{help} (default: {default})")

    add("--gpu", "-g", type=int, metavar="N", help="number of the GPU (default: CPU)")
    integer("--epoch", "-e", help="passes over the training images", default=default.epoch)
    integer("--dimz", "-z", "--dim-z", help="latent dimensions", default=default.dimz)
    integer(
        "--batchsize", "-b", "--batch-size", help="images in a batch", default=default.batchsize
    )
    add("--initmodel", "-m", type=a_path, metavar="FILE", help="start from this saved model")
    add(
        "--resume", "-r", type=a_path, metavar="RUN",
        help="resume the run in this folder, exactly; or, with --initmodel, start from this saved"
        " optimizer (.state file)",
    )  # fmt: skip
    add(
        "--out", "-o", type=a_path, metavar="DIR",
        help="folder of the run (default: runs/z20-seed0, named after the settings)",
    )  # fmt: skip
    add(
        "--test", action="store_true",
        help=f"train and test on {TEST_IMAGES} images only, to try things out",
    )  # fmt: skip
    integer("--seed", help="seed of the random numbers", default=default.seed)
    integer("--dim-h", help="units in each hidden layer", default=default.dim_h)
    add(
        "--act", choices=ACTIVATIONS,
        help=f"activation of the hidden layers (default: {default.act})",
    )  # fmt: skip
    add("--C", type=float, metavar="X", help=f"weight of the KL divergence (default: {default.C})")
    add("--lr", type=float, metavar="X", help=f"learning rate of Adam (default: {default.lr})")
    integer(
        "--C-warmup", help="epochs in which C grows from 0, step by step", default=default.C_warmup
    )
    integer("--k", help="samples of z for each training image", default=default.k)
    add(
        "--dataset", type=absolute_path, metavar="PATH",
        help="images to use instead of MNIST: a folder of IDX, PNG or JPEG files, or an .npz file",
    )  # fmt: skip
    add_size(parser, default=argparse.SUPPRESS)
    add(
        "--objective", choices=OBJECTIVES,
        help="what training maximizes: the ELBO, or the bound by k weighted samples (default:"
        f" {default.objective})",
    )  # fmt: skip
    add(
        "--likelihood", choices=LIKELIHOODS,
        help=f"distribution of a pixel (default: {default.likelihood})",
    )  # fmt: skip
    add(
        "--binarize", choices=BINARIZE,
        help="pixels of 0 and 1 instead of grey: above 0.5, or at random, for training anew in each"
        f" epoch (default: {default.binarize})",
    )  # fmt: skip
    add(
        "--engine", choices=ENGINES,
        help="what computes the steps: the fused engine where possible (auto, the default), only"
        " Chainer's training loop, or only the fused engine",
    )  # fmt: skip
    add(
        "--model", choices=MODELS,
        help=f"the VAE or the plain autoencoder (default: {default.model})",
    )  # fmt: skip
    add(
        "--snapshots", action="store_true",
        help="also save the model after epochs 0, 1, 2, 3, 5, 7, 10 and so on, so that `explore`"
        " can replay the training",
    )  # fmt: skip
    add(
        "--communicator", choices=COMMUNICATORS,
        help="train in the processes that mpiexec has started: ChainerMN's communicator, naive on"
        " the CPU, flat or pure_nccl on a GPU for each; they share each batch",
    )  # fmt: skip
    add(
        "--tensorboard", type=a_path, metavar="DIR",
        help="after each epoch, write what TensorBoard shows of it into this folder",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    given = vars(args)
    given.pop("command")
    name = given.pop("communicator", None)
    if name is None:
        return _train(*_prepared(given, lambda run: None))
    communicator = Communicator(name)
    if communicator.rank > 0:
        logging.getLogger("chainer_vae").setLevel(logging.ERROR)  # rank 0 warns
        with communicator.ending_together():
            follow(communicator)
        return 0
    try:
        run, board = _prepared(given, partial(require_possible, communicator=communicator))
    except BaseException:
        communicator.from_first(None)  # the others end, too
        raise
    lead(run, communicator)
    with communicator.ending_together():
        join(run, communicator)
        return _train(run, board)


def _prepared(
    given: dict[str, Any], check: Callable[[Run], object]
) -> "tuple[Run, Optional[TensorBoard]]":
    """The run, and what shows it in TensorBoard."""
    resume, initmodel, out, watched = (
        given.pop(name, None) for name in ("resume", "initmodel", "out", "tensorboard")
    )
    if watched is not None:
        with blamed_on("MPLBACKEND"):
            from chainer_vae.tensorboard import TensorBoard, require_usable
    if resume is not None and initmodel is None:
        run = Run.resume(_run_folder(resume), out, check=check, **given)
    else:
        config = Config(**given)
        if resume is not None and resume.is_dir():
            raise InputError(
                f"--resume {resume} is a folder; with --initmodel, give an optimizer's .state file"
            )
        kind = "z" if config.model == "vae" else "ae"
        quick = "-test" if config.test else ""
        images = "" if config.dataset is None else f"{Path(config.dataset).resolve().stem}-"
        default = Path("runs") / f"{images}{kind}{config.dimz}-seed{config.seed}{quick}"
        require_apart(out or default, config.dataset)
        if watched is not None:
            require_apart(watched, config.dataset)
            require_usable(watched)  # before the run is there
        run = Run.start(config, out or default, initmodel, resume, check=check)
    return run, None if watched is None else TensorBoard(watched, run)


def _train(run: Run, board: "Optional[TensorBoard]") -> int:
    config = run.config
    sizes = f"{run.images.shape[1]}-{config.dim_h}-{config.dim_h}-{config.dimz}"
    _say(
        f"{type(run.model).__name__} {sizes} ({', '.join([config.act, *config.options(SHOWN)])}),"
        f" {len(run.images):,} training and {len(run.test_images):,} test images,"
        f" seed {config.seed}, on {devices.describe(config.gpu)}"
    )
    if run.communicator is not None:
        size = run.communicator.size
        _say(
            f"{size} processes, which share each batch of {config.batchsize} images"
            if size > 1
            else "1 process: start more with mpiexec -n N"
        )
    if board is not None:
        _say(f"to watch: {printable(shell.command('tensorboard', '--logdir', board.folder))}")
    if run.epoch >= config.epoch:
        epochs = f"{run.epoch} epoch" + "s" * (run.epoch != 1)
        _say(f"{printable(run.folder)} is already trained for {epochs}")
    else:
        backend = run.backend
        words = "Chainer's training loop" if backend.name == "chainer" else backend.name
        _say(f"engine: {words}" + (f" ({backend.reason})" if backend.reason else ""))
        if run.steps_done:
            _say(f"resuming after epoch {run.epoch}, step {run.steps_done}")
    try:
        with (
            Progress(config.epoch * run.steps_per_epoch, "step", run.steps_done) as bar,
            closing(run.train(progress=bar.update)) as entries,
        ):
            for entry in entries:
                _say(_losses_in_words(entry) + binarization.in_words(config), bar.write)
                if board is not None:
                    board.write(entry)
    except (KeyboardInterrupt, SystemExit):  # a signal that was not the training's, or is passed on
        if run.saved_step == run.steps_done:
            _say_stopped(run)
        raise
    if run.interrupted and run.epoch < config.epoch:
        _say_stopped(run)
        return 130
    with accessory("the table of the losses"):
        _say(_compared_with_the_article(run))
    _say(f"saved in {printable(run.folder)}")
    return 0


def _losses_in_words(entry: dict[str, float]) -> str:
    return (
        f"epoch {entry['epoch']:3d}"
        f"  train {entry['main/loss']:.3f} (reconstruction {entry['main/rec_loss']:.3f})"
        f"  test {entry['validation/main/loss']:.3f}"
        f" (reconstruction {entry['validation/main/rec_loss']:.3f})"
        f"  {entry['elapsed_time']:.0f} s"
    )


def _say_stopped(run: Run) -> None:
    where = f"in epoch {run.epoch + 1}" if run.position else f"at the end of epoch {run.epoch}"
    _say(
        f"stopped after step {run.steps_done}, {where}, and saved;"
        f" resume with: {printable(shell.chainer_vae('train', '--resume', run.folder))}"
    )


def _say(line: str, write: Callable[[str], None] = print) -> None:
    """Print a line; where nobody reads it, or it cannot be written, the training goes on."""
    try:
        write(line)
        sys.stdout.flush()
    except OSError as error:
        discard_output()
        warn_of_missing("the standard output", error)


def _run_folder(resume: Path) -> Path:
    """The folder of the run that ``--resume`` names, by itself or by its .state file."""
    if resume.is_dir():
        return resume
    if not resume.exists():
        raise InputError(f"there is no run {resume}")
    if resume.suffix != ".state" or not (resume.parent / CONFIG).is_file():
        raise InputError(
            f"{resume} is not the folder of a run, nor the .state file in one; to start with an"
            " optimizer's state, name its model with --initmodel"
        )
    return resume.parent


def _compared_with_the_article(run: Run) -> str:
    """The losses of the last epoch, and the article's of the same epoch where they compare."""
    last = run.log[-1]
    epoch = int(last["epoch"])
    rows = [
        (
            "this run",
            last["main/loss"],
            last["main/rec_loss"],
            last["validation/main/loss"],
            last["validation/main/rec_loss"],
        )
    ]
    differing = article_log.differences(run.config)
    logs = article_log.load_logs()
    unit = "nats" if run.config.model == "vae" else "squared error"
    if differing:
        note = f"not comparable with the author's runs: {printable(', '.join(differing))}"
    elif epoch not in logs[0]:
        note = f"the author's runs end at epoch {max(logs[0])}"
    else:
        note = "article: Chainer 2.0.0 on a GPU; the author's two runs, test with k = 10"
        rows += [(f"article, run {i}", *log[epoch]) for i, log in enumerate(logs, 1)]
    lines = [
        f"after epoch {epoch}, {unit} per image{binarization.in_words(run.config)} ({note}):",
        f"{'':16}{'train loss':>12}{'train rec.':>12}{'test loss':>12}{'test rec.':>12}",
    ]
    for name, *losses in rows:
        lines.append(f"{name:16}" + "".join(f"{loss:12.3f}" for loss in losses))
    return "\n".join(lines)
