"""A run that several processes train: rank 0 has it, and the others follow."""

from dataclasses import asdict

from chainer_vae.config import Config
from chainer_vae.datasets import load_data
from chainer_vae.distributed import Communicator
from chainer_vae.errors import InputError, NonFiniteLossError, in_one_line
from chainer_vae.runs import checkpoints
from chainer_vae.runs.images import checksums
from chainer_vae.runs.interrupt import StopSignals
from chainer_vae.runs.run import Run
from chainer_vae.training import Training


def require_possible(run: Run) -> None:
    """Refuse a run that several processes cannot train.

    Raises:
        InputError: It is on a GPU, or the engine cannot compute it.
    """
    if run.config.gpu >= 0:
        raise InputError("several processes train on the CPU only: leave --gpu out")
    if run.backend.name == "chainer":
        raise InputError(f"several processes need the fused engine, but: {run.backend.reason}")


def lead(run: Run, communicator: Communicator) -> None:
    """Have the other ranks, which call :func:`follow`, train a run together with this one.

    Args:
        run: The run, as it was started or resumed.
        communicator: The ranks; this is 0.

    Raises:
        InputError: Another rank cannot follow, such as one that has other images.
    """
    state = checkpoints.training_to_arrays(run, run.log)
    communicator.from_first((asdict(run.config), run.checksums, state))
    faults = communicator.faults(None)
    if faults:
        raise InputError(faults[0])
    run.communicator = communicator


def follow(communicator: Communicator) -> None:
    """Train the run that rank 0 has, to its end; nothing is printed or written.

    Args:
        communicator: The ranks; this is not 0.
    """
    sent = communicator.from_first()
    if sent is None:  # rank 0 says why
        return
    settings, expected, state = sent
    fault = None
    try:
        config = Config(**settings)
        data = load_data(config)
        if checksums(data) != expected:
            where = config.dataset or "MNIST"
            raise InputError(f"the images of {where} are not those of process 0")
        training = Training(config, data)
        checkpoints.restore_training(training, state, "process 0")
    except (InputError, MemoryError) as error:
        fault = in_one_line(error)
    if communicator.faults(fault):
        return
    training.communicator = communicator
    stop = StopSignals()
    try:
        with stop:
            for _ in training.epochs(lambda: stop.signal is None):
                pass
            communicator.wait()  # until rank 0 has saved
    except NonFiniteLossError:
        return  # rank 0 says so
    stop.pass_on()
