import pytest

from chainer_vae import load_mnist


@pytest.fixture(scope="session")
def mnist():
    """MNIST, read once; no test may change it."""
    data = load_mnist()
    for part in data:
        part.flags.writeable = False
    return data
