"""The explorer, one HTML file that shows the latent space offline: ``chainer-vae explore``."""

from chainer_vae.explorer.page import Written, write_page

__all__ = ["Written", "write_page"]
