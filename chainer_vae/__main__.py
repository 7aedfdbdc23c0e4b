"""``python -m chainer_vae``: the command line."""

import sys

from chainer_vae.cli import main

sys.exit(main())
