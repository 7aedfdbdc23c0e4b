"""``chainer-vae doctor``."""

import argparse

from chainer_vae import devices
from chainer_vae.errors import printable

SUMMARY = "show what is installed, and what can be used"
DESCRIPTION = "Show what is installed, whether the CPU is ready, and what --gpu 0 would do."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(args: argparse.Namespace) -> int:
    for name, found in devices.report():
        print(f"{name + ':':13} {printable(found)}")
    return 0
