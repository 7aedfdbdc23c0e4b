"""What every Python runs first that a program under ``python -m chainer_vae.compat`` starts.

The runner puts this folder first in PYTHONPATH.  The Python may be of any version and environment,
and have a sitecustomize of its own.
"""

import importlib
import os
import sys


def show(kind, error, traceback):
    from chainer_vae.compat import runner

    runner.show(kind, error, traceback)


folder = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [each for each in sys.path if os.path.abspath(each) != folder]

# A program under the runner again is its matter.
if sys.version_info >= (3, 9) and "chainer_vae.compat" not in getattr(sys, "orig_argv", ()):
    chainer_comes_later = True
    try:
        from chainer_vae.compat import activate_later
    except ImportError:  # of an environment without this package
        pass
    else:
        activate_later()
        if "LENT_BY_CHAINER_VAE" in os.environ:
            from chainer_vae.compat.lending import lend

            lend(os.environ["LENT_BY_CHAINER_VAE"], os.environ.get("LENT_RECORD_OF_CHAINER_VAE"))
        sys.excepthook = show
    chainer_comes_later = False

this = sys.modules.pop("sitecustomize")
try:
    importlib.import_module("sitecustomize")  # the next one on the path
except ImportError as error:
    if getattr(error, "name", "sitecustomize") != "sitecustomize":
        raise
    sys.modules["sitecustomize"] = this
