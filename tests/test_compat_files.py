"""Files that Chainer downloads, and those of h5py and ONNX, under today's versions of these."""

import functools
import gzip
import hashlib
import http.server
import threading
import traceback
from pathlib import Path
from urllib.error import HTTPError, URLError

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest
from chainer import serializers
from chainer.dataset import download

import chainer_vae
from chainer_vae.compat import download_patches
from chainer_vae.compat.download_patches import MNIST_DIR


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where Chainer looks for a file of this address first."""
    monkeypatch.setattr(download, "_dataset_root", str(tmp_path / "root"))

    def place(url):
        return tmp_path / "root" / "_dl_cache" / hashlib.md5(url.encode()).hexdigest()

    return place


@pytest.fixture
def server(tmp_path):
    """The address of a folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()
        thread.join()


def test_a_dead_address_says_where_to_put_the_file(server, cache, capfd):
    address, folder = server
    url = f"{address}/a.gz"
    with pytest.raises(HTTPError) as caught:  # as programs expect
        chainer.dataset.cached_download(url)
    place = cache(url)
    assert str(caught.value) == (
        f"HTTP Error 404: File not found; cannot download {url}: if you have the file a.gz,"
        f" copy it to {place}, where Chainer looks first"
    )
    assert caught.value.code == 404 and place.is_absolute()
    # What urllib called is not shown.
    shown = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert "urllib" not in shown.replace("urllib.error.HTTPError: ", "")
    with pytest.raises(HTTPError, match="if you have that file, copy it to /"):
        chainer.dataset.cached_download(f"{address}/none/")
    place.write_bytes(b"mine")
    assert Path(chainer.dataset.cached_download(url)).read_bytes() == b"mine"
    (folder / "b.gz").write_bytes(b"theirs")  # an address that lives
    assert Path(chainer.dataset.cached_download(f"{address}/b.gz")).read_bytes() == b"theirs"


def test_no_network(cache, monkeypatch):
    url = "http://127.0.0.1:9/a.gz"  # nobody listens there
    with pytest.raises(URLError, match=r"\[Errno \d+\] .*refused.*; cannot download .*: if"):
        chainer.dataset.cached_download(url)


def test_what_comes_is_compared_with_what_is_known(server, cache, monkeypatch):
    """An address that another site has taken over answers all the same."""
    address, folder = server
    (folder / "a.gz").write_bytes(b"<html>for sale</html>")
    url, md5 = f"{address}/a.gz", hashlib.md5(b"the data").hexdigest()
    monkeypatch.setitem(download_patches._MD5, url, md5)
    with pytest.raises(URLError, match=rf"what came is another file.*a\.gz \(MD5 {md5}\)"):
        chainer.dataset.cached_download(url)
    assert not cache(url).exists()
    (folder / "a.gz").write_bytes(b"the data")
    assert Path(chainer.dataset.cached_download(url)).read_bytes() == b"the data"


def test_the_known_files_are_those_of_chainer_s_addresses(cache, monkeypatch):
    asked = []

    def ask(url):
        asked.append(url)
        raise StopIteration

    monkeypatch.setattr(download, "cached_download", ask)
    monkeypatch.setattr(download, "cache_or_load_file", lambda path, create, load: create(path))
    for module in (chainer.datasets.fashion_mnist, chainer.datasets.kuzushiji_mnist):
        monkeypatch.setattr(module, "make_npz", lambda path, urls: asked.extend(urls))
        for name in dir(module):
            if name.startswith("_retrieve") and name.endswith(("training", "test")):
                getattr(module, name)()
    for get in (chainer.datasets.get_cifar10, chainer.datasets.get_cifar100):
        with pytest.raises(StopIteration):
            get()
    for name in ("training", "test", "extra"):
        with pytest.raises(StopIteration):
            getattr(chainer.datasets.svhn, f"_retrieve_svhn_{name}")()
    assert sorted(asked) == sorted(download_patches._MD5)


def test_what_is_in_the_cache_works(cache, mnist):
    """MNIST's files, in the place of Fashion-MNIST's."""
    base = download_patches._FASHION
    n = 20  # of them
    for file in Path(MNIST_DIR).glob("*.gz"):
        place = cache(base + file.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        raw = gzip.decompress(file.read_bytes())
        head, size = (16, 784) if "images" in file.name else (8, 1)
        few = [raw[:4], n.to_bytes(4, "big"), raw[8 : head + n * size]]
        place.write_bytes(gzip.compress(b"".join(few)))
    train, test = chainer.datasets.get_fashion_mnist()
    np.testing.assert_allclose(train._datasets[0], mnist.train_images[:20], rtol=2e-7)
    assert len(test) == 20


class Holder:
    def __init__(self, value):
        self.value = value

    def serialize(self, serializer):
        self.value = serializer("value", self.value)


@pytest.mark.parametrize(
    "stored, old, expected",
    [
        ("日本 abc", "", "日本 abc"),
        (["a", "b"], np.array(["", ""], dtype=object), ["a", "b"]),
        ("abc", None, "abc"),
        (np.bytes_(b"abc"), b"", b"abc"),
        (3.5, 0.0, 3.5),
    ],
)
def test_strings_of_hdf5_files(stored, old, expected, tmp_path):
    """As under h5py 2."""
    h5py = pytest.importorskip("h5py", reason="h5py has no wheel for this Python")
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["value"] = stored
    holder = Holder(old)
    serializers.load_hdf5(str(tmp_path / "file.h5"), holder)
    np.testing.assert_array_equal(holder.value, expected)
    if old is not None:
        assert type(holder.value) is type(old)


def test_hdf5_there_and_back(tmp_path):
    pytest.importorskip("h5py", reason="h5py has no wheel for this Python")
    model, other = (chainer_vae.VAE(6, 2, 3) for _ in range(2))
    serializers.save_hdf5(str(tmp_path / "model.h5"), model)
    serializers.load_hdf5(str(tmp_path / "model.h5"), other)
    for (name, one), (_, two) in zip(model.namedparams(), other.namedparams()):
        np.testing.assert_array_equal(one.array, two.array, err_msg=name)


class Net(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.conv = L.Convolution2D(1, 4, 3)
            self.linear = L.Linear(None, 10)

    def forward(self, x):
        h = F.max_pooling_2d(F.relu(self.conv(x)), 2)
        h = F.cast(F.cast(F.dropout(h), "f8"), "f4")
        return F.softmax(self.linear(h)) * 2.0, F.argmax(F.sum(h, axis=(2, 3)), axis=1)


@pytest.mark.filterwarnings("ignore:return_named_inout is experimental")
def test_onnx(tmp_path):
    """A model that onnx_chainer exports is computed by ONNX itself as by Chainer.

    Without batch normalization, which ONNX's reference computes as in training.
    """
    import onnx
    import onnx_chainer
    from onnx.reference import ReferenceEvaluator

    model = Net()
    x = np.random.RandomState(0).rand(3, 1, 12, 12).astype("f4")
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        expected = [y.array for y in model(x)]
        exported = onnx_chainer.export(model, x)
        onnx_chainer.export_testcase(model, x, str(tmp_path / "case"))
    assert (tmp_path / "case" / "model.onnx").read_bytes() == exported.SerializeToString()
    onnx.checker.check_model(exported)
    found = ReferenceEvaluator(exported).run(None, {"Input_0": x})
    assert len(found) == 2
    for one, other in zip(sorted(found, key=np.ndim), sorted(expected, key=np.ndim)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
