"""A run that several processes train: rank 0 has it, and the others follow."""

from dataclasses import asdict, replace

from chainer_vae import devices
from chainer_vae.config import Config
from chainer_vae.datasets import load_data
from chainer_vae.distributed import Communicator, has_nccl
from chainer_vae.engine import Backend
from chainer_vae.errors import InputError, NonFiniteLossError, in_one_line
from chainer_vae.runs import checkpoints
from chainer_vae.runs.images import checksums
from chainer_vae.runs.interrupt import StopSignals
from chainer_vae.runs.run import Run
from chainer_vae.training import Training


def require_possible(run: Run, communicator: Communicator) -> None:
    """Refuse a run that these processes cannot train.

    Raises:
        InputError: The communicator is not one for the run's device, NCCL is missing, or the engine
            cannot compute the run.
    """
    name = communicator.name
    if run.config.gpu < 0 and name != "naive":
        raise InputError(
            f"the communicator {name} is for GPUs: add --gpu 0, the first of each machine's; on"
            " the CPU it is --communicator naive"
        )
    if run.config.gpu >= 0 and name == "naive":
        raise InputError(
            "the communicator naive is for the CPU: leave --gpu out, or use --communicator flat or"
            " pure_nccl"
        )
    if name == "pure_nccl" and not has_nccl():
        raise InputError(
            "the communicator pure_nccl needs NCCL 2, which CuPy does not find:"
            ' `python -c "import cupy.cuda.nccl"` says how to install it; --communicator flat'
            " does without"
        )
    if run.not_fused is not None:
        raise InputError(f"several processes need the fused engine, but: {run.not_fused}")


def lead(run: Run, communicator: Communicator) -> None:
    """Send a run to the other ranks, which call :func:`follow`; :func:`join` is next.

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


def join(training: Training, communicator: Communicator) -> Backend:
    """Have these ranks train a run, or what follows it, from now on; all of them call this.

    Returns:
        Backend: What computes its steps, and may connect the ranks when it is made.
    """
    training.communicator = communicator
    return training.backend


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
        if config.gpu >= 0:  # one for each process, from rank 0's on
            config = replace(config, gpu=config.gpu + communicator.intra_rank)
        devices.use_device(config.gpu)
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
    join(training, communicator)
    stop = StopSignals()
    try:
        with stop:
            for _ in training.epochs(lambda: stop.signal is None):
                pass
            communicator.wait()  # until rank 0 has saved
    except NonFiniteLossError:
        return  # rank 0 says so
    stop.pass_on()
