"""Make Chainer 7.8.1 import and run on today's Python, NumPy and CuPy.

Chainer's last release is of 2022; the libraries below it have moved on and dropped names that it
uses.  :func:`activate` provides those names to the modules of Chainer that ask for them, and to
nobody else: ``numpy``, ``cupy`` and ``sys.modules`` stay as the user has them. ::

    patch.py                what a patch is
    numpy_patches.py ...    the patches, a module for each library that moved on (for NumPy also
                            promotion_patches.py: what its numbers do to types since 2.0)
    table.py                all of them
    importer.py             applies them while Chainer is imported
    runner.py               ``python -m chainer_vae.compat PROGRAM``: runs any Chainer program
    lending.py              ``--lend``: gives programs the names that libraries have dropped
    dropped_names.py        these names
    fix_report.py           ``--explain``, ``--fix-report``: where a program uses them
    hints.py                what may help a program that ends with an error
    children/               patches Chainer in the processes that such a program starts

A patch says which module it is for, what that misses, and since which version; one that this
machine does not need is not applied.  Nothing here imports the rest of the package.
"""

from chainer_vae.compat.importer import activate, activate_later, applied

__all__ = ["activate", "activate_later", "applied"]
