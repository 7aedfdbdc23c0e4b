"""Bad input: a part of what `make fuzz` tries; the same examples each time."""

import os

import pytest

hypothesis = pytest.importorskip("hypothesis")
fuzz = pytest.importorskip("fuzz") if hasattr(os, "fork") else None

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(fuzz is None, reason="this system cannot fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # is multi-threaded
]


@pytest.fixture(scope="module")
def material():
    with fuzz.prepared() as material:
        yield material


@pytest.mark.parametrize("name", fuzz.PROPERTIES if fuzz else ())
def test_is_right_or_refused(material, name):
    tried = fuzz.fuzz(material, name, 50)
    assert sum(tried.values()) >= 50 and tried[fuzz.REFUSED] > 5


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
