"""Arrays as a data set: npz files, and arrays from Python that go straight into a run."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from conftest import little_memory
from PIL import Image

from chainer_vae import Config, InputError, Run
from chainer_vae.cli import main
from chainer_vae.datasets import load_images, make_dataset
from chainer_vae.formats.arrays import grey
from chainer_vae.runs import load_info

KERAS = "x_train", "y_train", "x_test", "y_test"
MEDMNIST = "train_images", "train_labels", "test_images", "test_labels"
RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (40, 6, 4)).astype(np.uint8)
LABELS = np.arange(40) % 3
SIZES = dict(dimz=2, dim_h=8, epoch=1)


def saved(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize("names", [KERAS, MEDMNIST])
def test_npz(tmp_path, names):
    parts = IMAGES[:30], LABELS[:30, None], IMAGES[30:], LABELS[30:].astype(np.uint8)
    other = {"val_images": np.zeros((2, 9, 9)), "val_labels": np.zeros(7)}
    data = load_images(saved(tmp_path / "set.npz", **dict(zip(names, parts)), **other))
    np.testing.assert_array_equal(data.train_images, IMAGES[:30].reshape(30, -1) / np.float32(255))
    np.testing.assert_array_equal(data.test_images, IMAGES[30:].reshape(10, -1) / np.float32(255))
    assert data.train_images.dtype == np.float32
    assert data.train_labels.tolist() == LABELS[:30].tolist()
    assert data.test_labels.tolist() == LABELS[30:].tolist()
    assert data.train_labels.dtype == np.int32
    assert (data.image_shape, data.class_names) == ((6, 4), ())


def test_images_and_labels_are_split(tmp_path):
    """Every tenth of each class is a test image."""
    labels = np.array([0] * 25 + [1] * 15)
    data = load_images(saved(tmp_path / "set.npz", images=IMAGES, labels=labels))
    test = [9, 19, 34]
    np.testing.assert_array_equal(data.test_images * 255, IMAGES[test].reshape(3, -1))
    np.testing.assert_array_equal(
        data.train_images, np.delete(IMAGES, test, 0).reshape(37, -1) / np.float32(255)
    )
    assert data.test_labels.tolist() == [0, 0, 1]
    with pytest.raises(InputError, match="has too few images: every tenth of each class"):
        make_dataset(IMAGES[:27], LABELS[:27])
    only = load_images(saved(tmp_path / "only.npz", x_train=IMAGES, y_train=labels))
    np.testing.assert_array_equal(only.test_images, data.test_images)


def test_without_labels(tmp_path):
    for data in (
        load_images(saved(tmp_path / "set.npz", images=IMAGES)),
        make_dataset(IMAGES),
        make_dataset(IMAGES[:36], test_images=IMAGES[36:]),
    ):
        assert len(data.test_images) == 4 and data.class_names == ("unlabelled",)
        assert not data.train_labels.any() and len(data.train_labels) == 36


@pytest.mark.parametrize(
    ("images", "pixels"),
    [
        (IMAGES[..., None], IMAGES / 255),
        (IMAGES > 99, IMAGES > 99),
        (IMAGES / 255, IMAGES / 255),
        ((IMAGES / 255).astype(">f4"), IMAGES / 255),
        (np.asfortranarray(IMAGES), IMAGES / 255),
        ((IMAGES / 255).tolist(), IMAGES / 255),
        (IMAGES[:, :4].reshape(40, 16), IMAGES[:, :4] / 255),
    ],
)
def test_shapes_and_dtypes(tmp_path, images, pixels):
    data = make_dataset(images, LABELS, images, LABELS)
    assert data.image_shape == pixels.shape[1:]
    np.testing.assert_allclose(data.train_images, pixels.reshape(40, -1), rtol=1e-6)
    if isinstance(images, np.ndarray):
        of_file = load_images(saved(tmp_path / "set.npz", images=images, labels=LABELS))
        assert of_file.image_shape == pixels.shape[1:]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_colours_are_turned_grey(caplog, channels, dtype):
    """As Pillow does, with what is transparent over white; that is said, once."""
    images = RANDOM.randint(0, 256, (30, 5, 7, channels)).astype(np.uint8)
    given = images if dtype == "u1" else (images / 255).astype(dtype)
    data = make_dataset(given, test_images=given)
    white = Image.new("RGBA", (7, 5), "white")
    for image, row in zip(images, data.train_images):
        picture = Image.fromarray(image)
        if channels == 4:
            picture = Image.alpha_composite(white, picture).convert("RGB")
        expected = np.asarray(picture.convert("L"), int).ravel()
        assert np.abs(row * 255 - expected).max() <= (1.6 if channels == 4 else 0.6)
        if channels == 3 and dtype == "u1":
            np.testing.assert_array_equal(np.rint(row * 255), expected)
    assert [record.getMessage() for record in caplog.records] == [
        f"chainer-vae: warning: {name} are in colour; they are turned grey"
        for name in ("train_images", "test_images")
    ]
    opaque_grey = np.repeat(IMAGES[..., None], 3, 3)
    np.testing.assert_array_equal(grey(opaque_grey), IMAGES)
    caplog.clear()
    make_dataset(opaque_grey)  # in three channels, as most programs save it, but not in colour
    assert not caplog.records


ZEROS = np.zeros((20, 4, 4), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (dict(x_train=ZEROS.astype(int)), "x_train must be bytes (uint8), booleans, or floating"),
        (dict(images=ZEROS + 2.0), "images must be in [0, 1], but go from 2 to 2; divide bytes by"),
        (dict(images=np.full((20, 4, 4), np.nan)), "images must be in [0, 1]"),
        (dict(images=ZEROS[:, :, :3].reshape(20, 12)), "images must have the shape (number, "),
        (dict(images=np.zeros((20, 3, 4, 5), np.uint8)), "channels) with 1, 3 or 4 channels, not"),
        (dict(images=np.zeros(3)), "images must have the shape"),
        (dict(images=ZEROS[:0]), "images holds no pixels"),
        (dict(images=ZEROS[:, :0]), "images holds no pixels"),
        (dict(images=np.array(["a"] * 9)), "images must be bytes (uint8)"),
        (dict(images=ZEROS, labels=np.zeros(19, int)), "must be one label for each of the 20 ima"),
        (dict(images=ZEROS, labels=np.zeros((20, 14), int)), "labels must be one label for each"),
        (dict(images=ZEROS, labels=np.zeros(20)), "labels must be an array of whole numbers"),
        (dict(images=ZEROS, labels=np.array(["a"] * 20)), "labels must be an array of whole num"),
        (dict(images=ZEROS, labels=np.arange(20) - 1), "from 0 to 1000000, but go from -1 to 18"),
        (dict(x_train=ZEROS, y_train=LABELS[:20], x_test=ZEROS), "y_train and y_test: give the"),
        (dict(x_train=ZEROS, x_test=ZEROS[:, 1:]), "images are 4 x 4 pixels, but test images are"),
        (dict(x=ZEROS, y=LABELS), "has no x_train, no train_images and no images, but x, y"),
    ],
)
def test_arrays_that_cannot_be(tmp_path, arrays, message):
    file = saved(tmp_path / "set.npz", **arrays)
    with pytest.raises(InputError) as error:
        load_images(file)
    assert message in str(error.value) and str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")  # NumPy 1.22 and 1.23
def test_arrays_in_python_that_cannot_be():
    for call, message in (
        (lambda: make_dataset(ZEROS, test_labels=[1]), "there are test labels, but no test images"),
        (lambda: make_dataset(ZEROS, class_names=["a"]), "but there are no labels"),
        (lambda: make_dataset(ZEROS, [5] * 20, class_names=["a"]), "up to 5, but names only of 1 "),
        (lambda: make_dataset(ZEROS, [0] * 20, class_names="ab"), "must be a list of texts"),
        (lambda: make_dataset("images"), "train_images must be an array of numbers, not 'images'"),
        (lambda: make_dataset(None), "train_images must be an array of numbers, not None"),
        (lambda: make_dataset([[1], [1, 2]]), "train_images must be an array of numbers"),
        (lambda: make_dataset(np.ma.masked_equal(ZEROS, 0)), "have masked elements"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_bytes_of_0_and_1_are_no_images(tmp_path):
    """As binarized images are often kept: they would be black."""
    bits = (RANDOM.random_sample((30, 5, 7)) < 0.5).astype(np.uint8)
    for load in (
        lambda: make_dataset(bits),
        lambda: load_images(saved(tmp_path / "set.npz", images=bits)),
    ):
        with pytest.raises(InputError, match="are bytes of 0 and 1, which are black: 255 is white"):
            load()
    assert make_dataset(bits.astype(bool)).train_images.max() == 1
    assert make_dataset(255 * bits).train_images.max() == 1


def test_class_names_in_a_file(tmp_path):
    """They reach what shows a run of arrays, which were saved for it."""
    names = ["rock", "paper", "scissors"]
    file = saved(tmp_path / "set.npz", images=IMAGES, labels=LABELS, class_names=names)
    assert load_images(file).class_names == tuple(names)
    for wrong, message in (
        (dict(labels=LABELS, class_names=[1, 2, 3]), ": class_names must be a list of texts"),
        (dict(labels=LABELS, class_names="rock"), ": class_names must be a list of texts"),
        (dict(labels=LABELS, class_names=names[:2]), "up to 2, but names only of 2 classes"),
        (dict(class_names=names), ": class_names are of labels, but there are no labels"),
        (dict(labels=LABELS, class_names=np.array(names, object)), "holds Python objects"),
    ):
        with pytest.raises(InputError, match=message):
            load_images(saved(tmp_path / "set.npz", images=IMAGES, **wrong))


def test_files_that_are_something_else(tmp_path):
    npy = io.BytesIO()
    np.save(npy, IMAGES)
    for name, content, message in (
        ("a.npz", b"<!doctype html>", "is an HTML page"),
        ("a.npz", b"", "is of no known format"),
        ("a.npy", npy.getvalue(), "is a single array (.npy)"),
        ("a.pkl", pickle.dumps(IMAGES), "is a Python pickle, which could run a program when load"),
        ("a.mat", b"MATLAB 5.0 MAT-file", "is a MATLAB file (.mat)"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03", "name the folder of all four"),
        ("train-images-idx3-ubyte.gz", b"\x1f\x8b", "name the folder of all four"),
        ("a.tar", bytes(257) + b"ustar" + bytes(250), "is a tar file"),
        ("b.npz", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "`git lfs pull`"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as error:
            load_images(tmp_path / name)
        assert message in str(error.value)
    for name, message in (("a.zip", "is a zip file"), ("b.npz", "it holds other things than arr")):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr("a.png", b"image")
        with pytest.raises(InputError, match=message):
            load_images(tmp_path / name)
    np.savez(tmp_path / "objects.npz", images=np.array([{}] * 9))
    with pytest.raises(InputError, match="holds Python objects, which could run a program"):
        load_images(tmp_path / "objects.npz")


def test_too_many_pixels_are_not_read(tmp_path):
    """Of what the headers say; zeros pack a thousandfold."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, dict(descr="|u1", fortran_order=False, shape=(200, 2000, 1000))
    )
    with (
        zipfile.ZipFile(tmp_path / "set.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("images.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(400):
            member.write(bytes(1_000_000))
    with pytest.raises(InputError, match="holds images of 2000 x 1000 pixels"), little_memory(2e7):
        load_images(tmp_path / "set.npz")


@pytest.fixture
def data():
    return make_dataset(IMAGES, LABELS, class_names=["a", "b", "c"])


def test_a_run_of_arrays(tmp_path, data, capsys):
    """Trained, stopped and resumed as of any data set; others are refused."""
    folder = tmp_path / "run"
    assert len(list(Run.start(Config(**SIZES), folder, data=data).train())) == 1
    info = load_info(folder)
    assert info.config.dataset == "<arrays>" and info.image_shape == (6, 4)
    run = Run.resume(folder, epoch=2, data=data)
    (entry,) = run.train()
    assert entry["epoch"] == 2
    # As of a file with the same images.
    file = saved(tmp_path / "set.npz", images=IMAGES, labels=LABELS)
    other = Run.start(Config(**{**SIZES, "epoch": 2}, dataset=file), tmp_path / "other")
    *_, last = other.train()
    assert last["validation/main/loss"] == entry["validation/main/loss"]
    with pytest.raises(InputError, match=r"the images of the arrays are not those that the run"):
        Run.resume(folder, epoch=3, data=data._replace(train_images=data.train_images[::-1]))
    with pytest.raises(InputError, match=r"were given in Python, as arrays: give them to Run\.res"):
        Run.resume(folder, epoch=3)
    with pytest.raises(InputError, match=r"give either data or a dataset, not both"):
        Run.resume(folder, dataset=file, data=data)
    with pytest.raises(TypeError, match=r"needs an object of class Dataset, not ndarray"):
        Run.resume(folder, epoch=3, data=IMAGES)
    assert main(["evaluate", str(folder)]) == 2
    assert "save them in an .npz file and name that with --dataset" in capsys.readouterr().err
    assert main(["evaluate", str(folder), "--dataset", str(file)]) == 0
    args = ["train", "--resume", str(folder), "--epoch", "3", "--dataset", str(file)]
    assert main(args) == 0
    assert load_info(folder).config.dataset == str(file)


def test_arrays_that_no_run_takes(tmp_path, data):
    start = tmp_path / "run"
    for settings, given, message in (
        (dict(dataset="x"), data, "give either data or the dataset x, not both"),
        (dict(size=(3, 4)), data, "the setting size, 3 x 4, is not that of data, 6 x 4"),
        ({}, data._replace(train_images=data.train_images * 255), r"must be in \[0, 1\]"),
    ):
        with pytest.raises(InputError, match=message):
            Run.start(Config(**SIZES, **settings), start, data=given)
    with pytest.raises(TypeError, match="needs an object of class Dataset, not tuple"):
        Run.start(Config(**SIZES), start, data=(IMAGES, LABELS))
    assert not start.exists()
    few = Run.start(Config(**SIZES, test=True), start, data=make_dataset(np.repeat(IMAGES, 9, 0)))
    assert len(few.images) == 100
