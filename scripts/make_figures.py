#!/usr/bin/env python
"""Draw the article's figures: the same as ``chainer-vae figures``."""

import sys

from chainer_vae.cli import main

sys.exit(main(["figures", *sys.argv[1:]]))
