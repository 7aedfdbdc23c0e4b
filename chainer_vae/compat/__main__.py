"""``python -m chainer_vae.compat``: run an unmodified Chainer program on today's machine."""

import sys

from chainer_vae.compat.runner import main

main(sys.argv[1:])
