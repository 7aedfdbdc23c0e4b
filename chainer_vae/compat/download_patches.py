"""Data sets whose download addresses are dead.

MNIST is read from this package's files.  Of the others, the error says where to put the file.
"""

import gzip
import hashlib
import os
import types
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import numpy

from chainer_vae.compat.patch import Extended, Patch, always

MNIST_DIR = Path(__file__).parent.parent / "data"

_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_KUZUSHIJI = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
_SVHN = "http://ufldl.stanford.edu/housenumbers/"
# MD5 of the files behind Chainer's addresses, as torchvision has them.
_MD5 = {
    f"{_TORONTO}cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    f"{_TORONTO}cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
    f"{_FASHION}train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    f"{_FASHION}train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    f"{_FASHION}t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    f"{_FASHION}t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    f"{_KUZUSHIJI}train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
    f"{_KUZUSHIJI}train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
    f"{_KUZUSHIJI}t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
    f"{_KUZUSHIJI}t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
    f"{_SVHN}train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
    f"{_SVHN}test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
    f"{_SVHN}extra_32x32.mat": "a93ce644f1a588dc4d68dda5feec44a7",
}


def _say_where_to_put_it(download: Any) -> None:
    retrieve = download.request.urlretrieve

    def urlretrieve(url: str, path: str) -> Any:
        name = f"the file {url.rsplit('/', 1)[1]}".rstrip() if url[-1] != "/" else "that file"
        known = f" (MD5 {_MD5[url]})" if url in _MD5 else ""
        cache = os.path.abspath(os.path.join(download._dataset_root, "_dl_cache"))
        place = os.path.join(cache, hashlib.md5(url.encode(), usedforsecurity=False).hexdigest())

        def told(reason: object) -> str:
            return (
                f"{reason}; cannot download {url}: if you have {name}{known},"
                f" copy it to {place}, where Chainer looks first"
            )

        try:
            result = retrieve(url, path)
        except HTTPError as error:
            error.close()  # the page that came with it
            error.msg = told(error.msg)
            raise error.with_traceback(None) from None  # without the web's own calls
        except URLError as error:
            error.reason = told(error.reason)
            raise error.with_traceback(None) from None
        if url in _MD5 and _md5(path) != _MD5[url]:
            raise URLError(told("what came is another file"))
        return result

    download.request = Extended(download.request, urlretrieve=urlretrieve)


def _md5(path: str) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _read_mnist_from_package(mnist: types.ModuleType) -> None:
    def retrieve(name: str, urls: list[str]) -> dict[str, numpy.ndarray]:
        images, labels = (
            gzip.decompress((MNIST_DIR / url.rsplit("/", 1)[1]).read_bytes()) for url in urls
        )
        return {
            "x": numpy.frombuffer(images, numpy.uint8, offset=16).reshape(-1, 784),
            "y": numpy.frombuffer(labels, numpy.uint8, offset=8),
        }

    mnist._retrieve_mnist = retrieve  # type: ignore[attr-defined]


PATCHES = (
    Patch(
        "chainer.dataset.download",
        "web addresses that data sets and models are downloaded from; the error names the file",
        "about 2020",
        always,
        apply=_say_where_to_put_it,
    ),
    Patch(
        "chainer.datasets.mnist",
        "the web address that get_mnist downloads from; the files in this package are read instead",
        "about 2023",
        always,
        apply=_read_mnist_from_package,
    ),
)
