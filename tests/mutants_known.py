"""What `make mutants` knows beforehand: mutants that must be caught, and why others survive."""

from typing import NamedTuple


class Known(NamedTuple):
    what: str
    file: str  # below chainer_vae
    changes: dict  # what takes the place of a text, wherever it is
    tests: str  # what pytest is asked for


def waits(*names):
    return {f"{name}.synchronize()": "None" for name in names}


def no_wait(before, wait):
    """A single one, by the lines before it."""
    return {f"{before}\n{wait}": before}


CURRENT, MAIN = "cp.cuda.get_current_stream()", "self._stream"
NOISE = "tests/test_gpu.py -k noise"
STEPS = "tests/test_gpu.py -m slow -k agree_with_the_cpu"
TRAINING, SAVING = "tests/test_training.py", "tests/test_saving.py"

KNOWN = [
    # Waits for a GPU. Of single ones, those that no other makes good: that in launch is made good
    # by that for the noise, those at the ends of _prepare and _unchanged by the next in launch.
    Known("no waits in the GPU step", "engine/gpu_step.py", waits(CURRENT, MAIN), STEPS),
    Known("no waits in the GPU noise", "engine/gpu_noise.py", waits(CURRENT), NOISE),
    Known(
        "losses are not waited for",
        "engine/gpu_step.py",
        no_wait('shape (count, 2), per image."""', f"        {MAIN}.synchronize()"),
        STEPS,
    ),
    Known(
        "noise overwrites what earlier steps still need",
        "engine/gpu_step.py",
        {f"{MAIN}.synchronize()  # what": "pass  # what"},
        NOISE,
    ),
    Known(
        "steps do not wait for their noise",
        "engine/gpu_step.py",
        no_wait("+ noise.size] = noise", f"        {CURRENT}.synchronize()"),
        STEPS,
    ),
    Known(
        "the first step does not wait for what it begins with",
        "engine/gpu_step.py",
        no_wait("for array in arrays]", f"        {CURRENT}.synchronize()"),
        STEPS,
    ),
    Known(
        "a step does not wait for its updates",
        "engine/gpu_step.py",
        {"self._start_update)\n        self.finish()": "self._start_update)"},
        STEPS,
    ),
    Known(
        "updates do not wait for the step",
        "engine/gpu_step.py",
        {"side.wait_event(fork)": "pass"},
        STEPS,
    ),
    # Threads
    Known(
        "one network instead of two",
        "engine/cpu_step.py",
        {"self._turn = not self._turn": "self._turn = True"},
        "tests/test_engine.py -k steps_are_chainers",
    ),
    Known(
        "an epoch's end does not wait for its updates",
        "engine/cpu_step.py",
        {"break\n            engine.finish()": "break"},
        f"{TRAINING} -k last_update",
    ),
    Known(
        "on_step does not wait for the updates",
        "engine/cpu_step.py",
        {"engine.finish()\n                    on_step()": "on_step()"},
        "tests/test_engine.py -k on_step",
    ),
    Known(
        "the BLAS library keeps its threads",
        "engine/threads.py",
        {'self._limit.enter_context(threadpool_limits(1, user_api="blas"))': "pass"},
        "tests/test_threads.py",
    ),
    Known(
        "two threads share numpy.random",
        "random_numbers.py",
        {"with lock:\n        callers = np": "if True:\n        callers = np"},
        "tests/test_threads.py -k numpys",
    ),
    Known(
        "a draw from numpy.random while another's generator is there",
        "random_numbers.py",
        {"with lock:\n            return np.random.st": "if 1:\n            return np.random.st"},
        "tests/test_threads.py -k numpys",
    ),
    # The training
    Known(
        "an error leaves an epoch's threads",
        "training.py",
        {"with closing(steps):": "if True:"},
        f"{TRAINING} -k no_threads",
    ),
    Known(
        "NumPy warns of an overflow, Chainer's loop",
        "training.py",
        {'np.errstate(over="ignore", invalid="ignore")': "np.errstate()"},
        f"{TRAINING} -k overflow",
    ),
    Known(
        "NumPy warns of an overflow, the engine",
        "engine/cpu_step.py",
        {'np.errstate(over="ignore", invalid="ignore")': "np.errstate()"},
        f"{TRAINING} -k overflow",
    ),
    Known(
        "the test loss always by the engine",
        "training.py",
        {'fused = self.backend.name != "chainer"': "fused = True"},
        f"{TRAINING} -k what_trains",
    ),
    Known(
        "the test loss always by Chainer",
        "training.py",
        {'fused = self.backend.name != "chainer"': "fused = False"},
        f"{TRAINING} -k what_trains",
    ),
    # A run's files
    Known(
        "the .state is written first",
        "runs/run.py",
        {
            "        checkpoints.save_npz(model_file(folder, dimz), checkpoints": (
                "        checkpoints.save_npz(state_file(folder, dimz), state)\n"
                "        checkpoints.save_npz(model_file(folder, dimz), checkpoints"
            ),
            "self.log)\n        checkpoints.save_npz(state_file(folder, dimz), state)": "self.log)",
        },
        f"{SAVING} -k a_save_is",
    ),
    Known(
        "config.json is written first",
        "runs/new_run.py",
        {
            "save_info(folder / STARTING, info)": "save_info(folder / CONFIG, info)",
            "                replace(folder / STARTING, folder / CONFIG)\n": "",
        },
        f"{SAVING} -k appears",
    ),
    Known(
        "numbers that are not finite are saved",
        "runs/run.py",
        {"        self._require_finite_numbers(state)\n": ""},
        f"{SAVING} -k finite",
    ),
    Known(
        "a snapshot of numbers that are not finite",
        "runs/run.py",
        {"            self._require_finite_numbers(arrays)\n": ""},
        f"{SAVING} -k finite",
    ),
    Known(
        "a file is not put on the disk",
        "runs/files.py",
        {"                os.fsync(file.fileno())\n": ""},
        f"{SAVING} -k on_the_disk",
    ),
    Known(
        "a file's name is not put on the disk",
        "runs/files.py",
        {"        _sync_folder(target.parent)\n": ""},
        f"{SAVING} -k on_the_disk",
    ),
    Known(
        "a new folder's name is not put on the disk",
        "runs/files.py",
        {"        _sync_folder(folder.parent)\n": ""},
        f"{SAVING} -k on_the_disk",
    ),
    Known(
        "a folder's names are not put on the disk",
        "runs/files.py",
        {"            os.fsync(descriptor)\n": "            pass\n"},
        f"{SAVING} -k on_the_disk",
    ),
    Known(
        "a training does not lock its folder",
        "runs/run.py",
        {"with self._writing():\n            epochs": "with suppress():\n            epochs"},
        f"{SAVING} -k two_",
    ),
    Known(
        "a lock that does not lock",
        "runs/lock.py",
        {"            self._lock.acquire()\n": "            pass\n"},
        f"{SAVING} -k two_",
    ),
    Known(
        "an environment is recorded where nothing is trained",
        "runs/run.py",
        {"if run.epoch < config.epoch:\n            run._rec": "if 1:\n            run._rec"},
        f"{TRAINING} -k environments",
    ),
]  # fmt: skip

# By file, line and what became of it: why no test can, or need, tell the mutant from the original.
EXPLAINED = {
    (
        "initializers.py",
        "if fan_in + fan_out <= 0:",
        "if fan_in | fan_out <= 0:",
    ): "the same for numbers of units, which are not negative",
    (
        "training.py",
        'fused = self.backend.name != "chainer"',
        'fused = self.backend.name > "chainer"',
    ): "the other names come after it in the alphabet",
    (
        "evaluation.py",
        "def squared_error(model: Autoencoder, images: np.ndarray, batchsize: int = 100) -> float:",
        "def squared_error(model: Autoencoder, images: np.ndarray, batchsize: int = 101) -> float:",
    ): "the mean does not depend on it",
    (
        "reading.py",
        "PIECE = 1 << 16  # bytes that are read, or unpacked, at a time",
        "PIECE = 1 << 15  # bytes that are read, or unpacked, at a time",
    ): "how much is read at a time changes no result",
    (
        "reading.py",
        "DEFLATE_RATIO = 1032  # Deflate, of gzip and zip, packs no more bytes than these into one",
        "DEFLATE_RATIO = 1031  # Deflate, of gzip and zip, packs no more bytes than these into one",
    ): "zlib packs no more than 1,030 into one",
    (
        "engine/cpu_evaluation.py",
        "NOISE, SAMPLES = 2**21, 10",
        "NOISE, SAMPLES = 2** 20, 10",
    ): "how many samples are drawn at a time changes no result",
    (
        "engine/flat_model.py",
        "n_in = links[0].W.shape[1]",
        "n_in = links[ -1].W.shape[1]",
    ): "the links of a layer have the same inputs",
    (
        "engine/gpu_noise.py",
        "tries = int(pairs * 4 / math.pi + 10 * math.sqrt(pairs)) + 50",
        "tries = int(pairs * 4 / math.pi + 10 * math.sqrt(pairs)) + 49",
    ): "one try less, of many more than are needed",
    (
        "engine/gpu_step.py",
        "self.kept = max(1, min(self.steps, NOISE // self.per_step))  # steps whose noise is there",
        "self.kept = max(1, min(self.steps, NOISE - self.per_step))  # steps whose noise is there",
    ): "how much noise is kept at a time changes no result",
    (
        "engine/gpu_step.py",
        "break",
        "continue",
    ): "where go_on ends the steps; it stays False, and no other step is made",
    (
        "evaluation.py",
        "if len(rows) == 0:",
        "if len(rows) <= 0:",
    ): "no number of rows is negative",
    (
        "validation.py",
        "if images.size == 0:",
        "if images.size <= 0:",
    ): "no size is negative",
}
