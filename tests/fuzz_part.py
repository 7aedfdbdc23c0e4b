"""Bad input: a part of what `make fuzz` tries; the same examples each time.

`tests/test_fuzz.py` runs this in a process of its own.
"""

import json

import fuzz
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # has threads


@pytest.fixture(scope="module")
def material():
    with fuzz.prepared() as material:
        yield material


@pytest.mark.parametrize("name", fuzz.PROPERTIES)
def test_is_right_or_refused(material, name):
    tried = fuzz.fuzz(material, name, 50)
    assert sum(tried.values()) >= 50 and tried[fuzz.REFUSED] > 5


@pytest.mark.parametrize("dataset", [None, "missing"])
def test_a_run_of_mnist(material, dataset):
    """It takes more memory than the run's own small data set."""
    settings = json.loads(material.run["config.json"])
    settings["arguments"]["dataset"] = None
    if dataset == "missing":
        del settings["arguments"]["dataset"]
    content = json.dumps(settings).encode()
    assert fuzz.check_json(material, ("config.json", content)) == fuzz.REFUSED


def test_what_is_wrong_is_found(material):
    """The checks see a traceback, two lines, a hang, memory, leftovers and files elsewhere."""

    def two_lines():
        raise ValueError("one\ntwo")

    def half_a_file():
        open(".log.0a1b2c3d", "w").close()

    def elsewhere():
        open(material.folder / "file", "w").close()

    for call, message in (
        (lambda: {}["a"], "KeyError"),
        (lambda: int("a"), "ValueError: invalid literal"),  # in Python's words
        (two_lines, "not one line"),
        (lambda: fuzz.signal.raise_signal(fuzz.signal.SIGALRM), "it hangs"),
        (lambda: bytearray(100 << 20), "it took 1.. MB"),
        (half_a_file, "left behind"),
        (elsewhere, "ended with 3"),
        (lambda: fuzz.warnings.warn("careful", stacklevel=1), "UserWarning: careful"),
    ):
        with material.copied() as work, pytest.raises(AssertionError, match=message):
            fuzz.outcome(call, work)
    assert not (material.folder / "file").exists()
