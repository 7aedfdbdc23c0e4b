"""The latent space in a browser, as one offline HTML file: ``chainer-vae explore``."""

from chainer_vae.explorer.page import Written, write_page

__all__ = ["Written", "write_page"]
