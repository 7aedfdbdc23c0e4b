"""Run the examples in Chainer's own docstrings, and say which end otherwise than they say.

Usage: docstrings.py FOLDER
"""

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import sys
import warnings

import chainer
import numpy as np

# What they take for granted.
NAMES = """
import numpy as np, chainer, chainerx
import chainer.functions as F, chainer.links as L, chainer.distributions as D
from chainer import (cuda, gradient_check, training, utils, datasets, iterators, optimizers,
                     serializers, backend, testing, initializers, Variable, Parameter, Function,
                     FunctionNode, Link, Chain, ChainList, Sequential, optimizer_hooks)
from chainer.training import extensions
"""
# Why some cannot end as they say, with any NumPy.
OTHERWISE = {
    "functions.array.copy.copy": "needs a GPU",
    "functions.math.einsum._parse_einsum_input": "shows another result than the function has",
    "links.theano.theano_function.TheanoFunction": "needs Theano",
    "sequential.Sequential.flatten": "shows how an older Chainer printed it",
    "testing.helper.without_requires": "has two statements in one example",
    "training.extensions._snapshot.snapshot": "uses a trainer that is made elsewhere",
    "training.trainer.Trainer": "uses a trainer that is made elsewhere",
}
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")


class Checker(doctest.OutputChecker):
    """Numbers may differ by rounding."""

    def check_output(self, want, got, optionflags):
        if super().check_output(want, got, optionflags):
            return True
        wanted, found = ([float(n) for n in NUMBER.findall(text)] for text in (want, got))
        words = ["".join(NUMBER.sub("#", text).split()) for text in (want, got)]
        return words[0] == words[1] and np.allclose(wanted, found, rtol=1e-5, atol=1e-6)


def examples():
    """The docstrings with examples, each once."""
    finder, seen = doctest.DocTestFinder(), set()
    packages = pkgutil.walk_packages(chainer.__path__, "chainer.")
    for module in [importlib.import_module(one.name) for one in packages]:
        try:
            found = finder.find(module, module.__name__)
        except ValueError:  # Python 3.8 and before end here at chainer.utils.type_check.Variable
            continue
        for test in found:
            if test.examples and test.docstring not in seen:
                seen.add(test.docstring)
                yield test


def main():
    os.chdir(sys.argv[1])
    if int(np.__version__.split(".")[0]) >= 2:
        np.set_printoptions(legacy="1.25")  # numbers without their types
    names = {"path_to_data": "data.pickle"}
    exec(NAMES, names)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    passed, failed = 0, []
    for test in examples():
        np.random.seed(0)
        test.globs = {**names, **test.globs}
        said = io.StringIO()
        runner = doctest.DocTestRunner(Checker(), verbose=False, optionflags=flags)
        with contextlib.redirect_stdout(io.StringIO()):
            result = runner.run(test, out=said.write)
        if not result.failed:
            passed += 1
        elif test.name.partition(".")[2] not in OTHERWISE:
            failed.append(test.name)
            print(f"{test.name}\n{said.getvalue()}", file=sys.stderr)
    print(f"{passed} docstrings end as they say, {len(OTHERWISE)} cannot; {len(failed)} fail")
    sys.exit(bool(failed))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
