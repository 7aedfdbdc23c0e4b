#!/usr/bin/env python
"""Train the article's VAE: the same as ``chainer-vae train``."""

import sys

from chainer_vae.cli import main

sys.exit(main(["train", *sys.argv[1:]]))
