"""The command line: ``chainer-vae train | evaluate | figures | explore | projector | doctor``.

What a user can get wrong ends in one line on the standard error and exit code 2.
"""

import argparse
import contextlib
import difflib
import math
import os
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, Optional

import numpy as np
from tqdm import tqdm

from chainer_vae import article, devices
from chainer_vae.datasets import Dataset
from chainer_vae.errors import InputError, NonFiniteLossError
from chainer_vae.evaluation import encode, evaluate
from chainer_vae.model import VAE
from chainer_vae.runs import choose_run, describe_run
from chainer_vae.training import (
    ACTIVATIONS,
    ENGINES,
    MODELS,
    MODELS_DIR,
    QUICK_IMAGES,
    SHIPPED,
    Config,
    Run,
    find_run,
    load_model,
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(argv: Optional[list[str]] = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name; by default, this process's own.

    Returns:
        int: The exit code: 0 done; 1 the loss is not finite, or nobody reads the output any more;
        2 something given cannot be used; 130 interrupted.
    """
    _make_printable()
    try:
        args = _parser().parse_args(argv)
        return args.command(args)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # as with ``| head``
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (InputError, NonFiniteLossError, OSError) as error:
        print(f"chainer-vae: error: {error}", file=sys.stderr)
        return 1 if isinstance(error, NonFiniteLossError) else 2
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split()) or "this needs more than there is"
        hint = "smaller batches, fewer samples (k) or fewer units need less"
        print(f"chainer-vae: error: not enough memory: {reason}; {hint}", file=sys.stderr)
        return 2


def _make_printable() -> None:
    """Let nothing that is printed end a training: not a closed stream, not a folder's name."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by ``>&-``
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="chainer-vae", description="The VAE of the article, on today's machines.")
    parser.add_argument(
        "--version", action="version", version=devices.versions().get("chainer-vae", "unknown")
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train the article's VAE"))
    _add_evaluate(commands.add_parser("evaluate", help="measure a trained model on test images"))
    _add_projector(
        commands.add_parser("projector", help="write codes for TensorBoard's Embedding Projector")
    )
    _add_figures(commands.add_parser("figures", help="draw the article's figures"))
    _add_explore(
        commands.add_parser("explore", help="write a page to see and touch the latent space")
    )
    doctor = commands.add_parser("doctor", help="say what is installed and what --gpu would do")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    default = Config()
    parser.description = "Train the article's VAE. Defaults are the article's settings."

    # Absent unless given: --resume takes the settings from the run, and refuses others.
    def add(*names: str, **kwargs: Any) -> None:
        parser.add_argument(*names, default=argparse.SUPPRESS, **kwargs)

    add("--gpu", "-g", type=int, help="number of the GPU; negative: CPU (default)")
    add("--epoch", "-e", type=int, help=f"passes over the training set ({default.epoch})")
    add("--dimz", "-z", "--dim-z", type=int, help=f"latent units ({default.dimz})")
    add("--batchsize", "-b", "--batch-size", type=int, help=f"({default.batchsize})")
    add("--initmodel", "-m", type=Path, metavar="FILE", help="start from this saved model")
    add(
        "--resume", "-r", type=Path, metavar="RUN",
        help="go on with the run in this folder, exactly; or, with --initmodel, start with this"
        " saved optimizer (.state file)",
    )  # fmt: skip
    add("--out", "-o", type=Path, metavar="DIR", help="folder of the run (runs/z20-seed0)")
    add("--test", action="store_true", help=f"use {QUICK_IMAGES} images only, to try things out")
    add("--seed", type=int, help=f"of the random numbers ({default.seed})")
    add("--dim-h", type=int, help=f"units in each hidden layer ({default.dim_h})")
    add("--act", choices=ACTIVATIONS, help=f"activation of the hidden layers ({default.act})")
    add("--C", type=float, help=f"weight of the KL divergence ({default.C})")
    add("--k", type=int, help=f"samples of z for each training image ({default.k})")
    add("--dataset", type=_folder, metavar="DIR", help="a folder of IDX files instead of MNIST")
    add(
        "--engine", choices=ENGINES,
        help="what computes the steps: fused, Chainer, or fused where it can (auto, the default)",
    )  # fmt: skip
    add(
        "--model",
        choices=MODELS,
        help=f"the plain autoencoder instead of the VAE ({default.model})",
    )
    add(
        "--snapshots", action="store_true",
        help="keep the model of epochs 0, 1, 2, 3, 5, 7, 10 and so on, for `explore`",
    )  # fmt: skip
    parser.set_defaults(command=_train)


def _folder(text: str) -> str:
    return os.path.abspath(text)


def _train(args: argparse.Namespace) -> int:
    given = vars(args)
    given.pop("command")
    resume, initmodel, out = (given.pop(name, None) for name in ("resume", "initmodel", "out"))
    if resume is not None and initmodel is None:
        run = Run.resume(_run_folder(resume), out, **given)
    else:
        config = Config(**given)
        if resume is not None and resume.is_dir():
            raise InputError(
                f"--resume {resume} is a folder; with --initmodel, give an optimizer's .state file"
            )
        kind = "z" if config.model == "vae" else "ae"
        quick = "-test" if config.test else ""
        default = Path("runs") / f"{kind}{config.dimz}-seed{config.seed}{quick}"
        run = Run.start(config, out or default, initmodel, resume)
    config = run.config
    sizes = f"{run.images.shape[1]}-{config.dim_h}-{config.dim_h}-{config.dimz}"
    print(
        f"{type(run.model).__name__} {sizes} ({config.act}),"
        f" {len(run.images):,} training and {len(run.test_images):,} test images,"
        f" seed {config.seed}, on {devices.describe(config.gpu)}"
    )
    if run.epoch >= config.epoch:
        print(f"{run.folder} is already trained for {run.epoch} epochs")
    else:
        steps_by, reason = run.steps_by
        words = "Chainer's own loop" if steps_by == "chainer" else steps_by
        print(f"engine: {words}" + (f" ({reason})" if reason else ""))
        if run.steps_done:
            print(f"going on after epoch {run.epoch}, step {run.steps_done}")
    bar = tqdm(
        total=config.epoch * run.steps_per_epoch,
        initial=run.steps_done,
        unit="step",
        dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        for entry in run.train(on_step=bar.update):
            bar.write(
                f"epoch {entry['epoch']:3d}"
                f"  train {entry['main/loss']:.3f} (reconstruction {entry['main/rec_loss']:.3f})"
                f"  test {entry['validation/main/loss']:.3f}"
                f" (reconstruction {entry['validation/main/rec_loss']:.3f})"
                f"  {entry['elapsed_time']:.0f} s"
            )
            sys.stdout.flush()
    if run.interrupted and run.epoch < config.epoch:
        where = f"in epoch {run.epoch + 1}" if run.position else f"at the end of epoch {run.epoch}"
        print(
            f"stopped after step {run.steps_done}, {where}, and saved;"
            f" go on with: {_program()} train --resume {shlex.quote(str(run.folder))}"
        )
        return 130
    print(_beside_the_article(run))
    print(f"saved in {run.folder}")
    return 0


def _program() -> str:
    """What the user types to run this program."""
    if shutil.which("chainer-vae"):
        return "chainer-vae"
    script = sys.argv[0]
    return script if Path(script).name == "chainer-vae" else f"{sys.executable} -m chainer_vae"


def _run_folder(resume: Path) -> Path:
    """The folder of the run that ``--resume`` names, by itself or by its .state file."""
    if resume.is_dir():
        return resume
    if not resume.exists():
        raise InputError(f"there is no run {resume}")
    if resume.suffix != ".state" or not (resume.parent / "config.json").is_file():
        raise InputError(
            f"{resume} is not the folder of a run, nor the .state file in one; to start with an"
            " optimizer's state, give the model that belongs to it by --initmodel"
        )
    return resume.parent


def _beside_the_article(run: Run) -> str:
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
    differing = [
        f"{name.replace('_', '-')} {getattr(run.config, name)}"
        for name, setting in vars(Config()).items()
        if name not in ("epoch", "seed", "gpu", "engine", "snapshots")
        and getattr(run.config, name) != setting
    ]
    logs = article.load_logs()
    unit = "nats" if run.config.model == "vae" else "squared error"
    if differing:
        note = "the author's runs do not compare with " + ", ".join(differing)
    elif epoch not in logs[0]:
        note = f"the author's runs end at epoch {max(logs[0])}"
    else:
        note = "article: Chainer 2.0.0 on a GPU; the author's two runs, test with k = 10"
        rows += [(f"article, run {i}", *log[epoch]) for i, log in enumerate(logs, 1)]
    lines = [
        f"after epoch {epoch}, {unit} per image ({note}):",
        f"{'':16}{'train loss':>12}{'train rec.':>12}{'test loss':>12}{'test rec.':>12}",
    ]
    for name, *losses in rows:
        lines.append(f"{name:16}" + "".join(f"{loss:12.3f}" for loss in losses))
    return "\n".join(lines)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = "Measure a trained model on test images."
    _add_trained(parser)
    parser.add_argument("--k", type=int, default=10, help="samples of z for each image (10)")
    parser.add_argument("--seed", type=int, default=0, help="of the samples (0)")
    parser.set_defaults(command=_evaluate)


def _add_trained(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a trained model and the images to show it."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="z20",
        help="the folder of a run; z20 (default) and z2 are models that come with the package",
    )  # fmt: skip
    parser.add_argument("--gpu", "-g", type=int, default=-1, help="number of the GPU (CPU)")
    parser.add_argument(
        "--dataset", type=_folder, metavar="DIR", help="a folder of IDX files (the run's own)"
    )


def _load_trained(args: argparse.Namespace) -> tuple[VAE, Config, Dataset]:
    """What :func:`_add_trained` names: the model, the settings of its run, and the images."""
    model, config = load_model(args.run, args.gpu)
    if args.dataset is not None:
        config = replace(config, dataset=args.dataset)
    data = config.load_data()
    found, n_in = data.test_images.shape[1], model.le1.W.shape[1]
    if found != n_in:
        raise InputError(
            f"the images have {found} pixels, but the model of {args.run} takes {n_in}"
        )
    return model, config, data


def _evaluate(args: argparse.Namespace) -> int:
    samples = Config(k=args.k, seed=args.seed)  # refuses what these cannot be
    model, config, data = _load_trained(args)
    images = data.test_images
    np.random.seed(samples.seed)
    if args.gpu >= 0:
        model.xp.random.seed(samples.seed)
    result = evaluate(model, images, samples.k, config.batchsize)
    if not math.isfinite(result.loss):
        raise NonFiniteLossError(f"the model of {args.run} gives a loss of {result.loss}")
    shipped = find_run(args.run).parent == MODELS_DIR
    which = f"{args.run}, which comes with chainer-vae" if shipped else f"the run in {args.run}"
    print(f"{which}: {config.dimz} latent units, seed {config.seed}")
    print(f"{len(images):,} test images, k = {samples.k}, nats per image")
    print(f"-ELBO           {result.loss:10.3f}")
    print(f"reconstruction  {result.rec_loss:10.3f}")
    print(f"KL divergence   {result.kl:10.3f}")
    return 0


def _add_projector(parser: argparse.ArgumentParser) -> None:
    parser.description = "Write the codes of the test images for TensorBoard's Embedding Projector."
    _add_trained(parser)
    parser.add_argument(
        "--out", "-o", type=Path, default=Path("projector"), metavar="DIR",
        help="folder for the files (projector)",
    )  # fmt: skip
    parser.set_defaults(command=_projector)


def _projector(args: argparse.Namespace) -> int:
    from chainer_vae.projector import write_projector  # here: only pictures need Pillow

    model, _, data = _load_trained(args)
    images = data.test_images
    write_projector(args.out, encode(model, images)[0], images, data.test_labels)
    print(f"the codes of {len(images):,} test images are in {args.out}; to see them:")
    print("  pip install tensorboard")
    print(f"  tensorboard --logdir {shlex.quote(str(args.out))}")
    print("then open http://localhost:6006/#projector (Projector, in the menu at the upper right)")
    print('For its t-SNE and UMAP, check "Spherize data" first; for colours, "Color by" class.')
    return 0


def _add_figures(parser: argparse.ArgumentParser) -> None:
    parser.description = "Draw the article's figures, and a page that shows them (index.html)."
    parser.add_argument("--list", action="store_true", help="list the figures, and draw none")
    parser.add_argument("--only", nargs="+", metavar="ID", help="these figures (all)")
    parser.add_argument(
        "--lang", choices=("en", "ja"), default="en", help="of labels and captions (en)"
    )
    for name, n_latent in SHIPPED.items():
        parser.add_argument(
            f"--run-{name}", metavar="RUN",
            help=f"the run with {n_latent} latent units to draw from (your last one in runs, or"
            f" {name}, which comes with the package)",
        )  # fmt: skip
    parser.add_argument(
        "--out", "-o", type=Path, metavar="DIR", default=Path("figures"), help="folder (figures)"
    )
    parser.add_argument(
        "--format", choices=("png", "svg", "pdf"), default="png",
        help="of what does not move (png); animations are GIFs",
    )  # fmt: skip
    parser.add_argument("--gpu", "-g", type=int, default=-1, help="number of the GPU (CPU)")
    parser.set_defaults(command=_figures)


def _figures(args: argparse.Namespace) -> int:
    from chainer_vae import figures  # here: the other commands need no matplotlib

    specs = {spec.id: spec for spec in figures.all_figures()}
    if args.list:
        for spec in specs.values():
            numbers = ", ".join(map(str, spec.numbers))
            print(f"{spec.id:22}{numbers:7}{spec.needs or '-':5}{spec.file:28}", end="")
            print(spec.caption[args.lang])
        return 0
    faults: dict[str, list[str]] = {}  # which figures could not be drawn, by the reason
    for unknown in [name for name in args.only or () if name not in specs]:
        near = difflib.get_close_matches(unknown, specs, n=3)
        guess = f"did you mean {' or '.join(near)}?" if near else "--list names them all"
        faults[f"there is no such figure; {guess}"] = [unknown]
    chosen = [spec for spec in specs.values() if args.only is None or spec.id in args.only]

    runs = {name: getattr(args, f"run_{name}") for name in SHIPPED}
    for name in SHIPPED:
        if any(spec.needs == name for spec in chosen):
            runs[name] = runs[name] or choose_run(name)
            with contextlib.suppress(InputError):  # said below, of each figure
                print(f"{name}: {describe_run(runs[name])}")
    context = figures.Context(args.lang, runs, args.gpu)
    n_drawn = 0
    with tqdm(total=len(chosen), unit="figure", disable=not sys.stderr.isatty()) as bar:
        for drawn in figures.draw_figures(chosen, context, args.out, args.format):
            for file in drawn.files:
                bar.write(f"{drawn.spec.id:22} {file}  ({drawn.seconds:.1f} s)")
            if drawn.error is not None:
                faults.setdefault(str(drawn.error), []).append(drawn.spec.id)
            else:
                n_drawn += 1
            bar.update()
    if n_drawn:
        figures.write_index(args.out, args.lang, args.format)
        print(f"{n_drawn} figures drawn; to see them, open {args.out / 'index.html'}")
    for reason, ids in faults.items():
        print(f"chainer-vae: error: {', '.join(ids)}: {reason}", file=sys.stderr)
    return 2 if faults else 0


def _add_explore(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write one HTML file in which the models run: decode where you point, draw a digit, walk"
        " from digit to digit. It needs no network."
    )
    for name, what in (
        ("z2", "the VAE with 2 latent units"),
        ("z20", "the VAE with more, to move them one by one"),
        ("ae2", "the plain autoencoder with 2"),
    ):
        parser.add_argument(
            f"--run-{name}", metavar="RUN",
            help=f"{what} (your last such run in runs, or {name}, which comes with the package)",
        )  # fmt: skip
    parser.add_argument(
        "--out", "-o", type=Path, metavar="FILE", default=Path("explorer.html"),
        help="(explorer.html)",
    )  # fmt: skip
    parser.set_defaults(command=_explore)


def _explore(args: argparse.Namespace) -> int:
    from chainer_vae.explorer import write_page  # here: the other commands need no Pillow

    if args.out.is_dir():
        raise InputError(f"--out {args.out} is a folder; give the name of a file in it")
    runs = {name: getattr(args, f"run_{name}") or choose_run(name) for name in ("z2", "z20", "ae2")}
    print("fitting the models into a page; this takes some 20 seconds", flush=True)
    written = write_page(args.out, **runs)
    for name, words in written.shown.items():
        print(f"{name}: {words}")
    for name, reason in written.left_out.items():
        print(f"{name}: left out, {reason}")
    if written.epochs:
        print(f"training: {written.epochs} epochs")
    else:
        print("training: not shown; a run keeps its epochs with `chainer-vae train --snapshots`")
    print(f"{args.out}: {written.size / 1e6:.1f} MB; open it in a browser")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    for name, found in devices.report():
        print(f"{name:12} {found}")
    return 0
