"""The files for TensorBoard's Embedding Projector, read by the tests and by TensorBoard itself."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from chainer_vae import load_model
from chainer_vae.errors import InputError
from chainer_vae.evaluation import encode
from chainer_vae.projector import write_projector

FILES = {"latent_means.tsv", "metadata.tsv", "projector_config.pbtxt", "sprite.png"}


def images_of(sprite, n):
    """The first n images of a sprite, located as the projector does it; shape (n, 784)."""
    rows, columns = (length // 28 for length in sprite.shape)
    # Its shader computes the row from the number of rows, its list of neighbours from the columns.
    assert rows == columns and sprite.shape == (28 * rows, 28 * columns)
    tops, lefts = 28 * (np.arange(n) // columns), 28 * (np.arange(n) % columns)
    return np.array([sprite[y : y + 28, x : x + 28].ravel() for y, x in zip(tops, lefts)]).reshape(
        n, 784
    )


def as_bytes(images):
    return np.rint(images * 255).astype(np.uint8)


@pytest.mark.parametrize(("n", "columns"), [(2, 2), (5, 4), (16, 4), (17, 8), (300, 32)])
def test_files(tmp_path, mnist, n, columns):
    # All bits of float32 survive: large, small and subnormal numbers, and negative zero.
    latents = np.random.RandomState(n).randint(0, 2**32, (n, 7), np.uint32).view(np.float32)
    latents[~np.isfinite(latents)] = -0.0
    latents[0, :2] = 1e-45, np.finfo(np.float32).max
    images, labels = mnist.test_images[:n], mnist.test_labels[:n]
    folder = tmp_path / "new" / "projector"
    write_projector(folder, latents, images, labels, mnist.image_shape)
    assert {file.name for file in folder.iterdir()} == FILES

    lines = (folder / "latent_means.tsv").read_text().splitlines()
    found = np.array([line.split("\t") for line in lines], np.float32)
    np.testing.assert_array_equal(found.view(np.uint32), latents.view(np.uint32))

    header, *lines = (folder / "metadata.tsv").read_text().splitlines()
    assert header == "class\tindex"
    assert lines == [f"{label}\t{index}" for index, label in enumerate(labels)]

    with Image.open(folder / "sprite.png") as file:
        assert (file.mode, file.size) == ("L", (28 * columns, 28 * columns))
        sprite = np.asarray(file)
    np.testing.assert_array_equal(images_of(sprite, n), as_bytes(images))
    assert not images_of(sprite, columns * columns)[n:].any()

    config = (folder / "projector_config.pbtxt").read_text()
    assert re.findall(r"single_image_dim: (\d+)", config) == ["28", "28"]
    assert set(re.findall(r'_path: "(.*)"', config)) == FILES - {"projector_config.pbtxt"}
    assert str(tmp_path) not in config


def test_double_precision_and_other_sizes(tmp_path):
    """TensorBoard reads float32: 64-bit latent vectors are rounded to it once."""
    latents = np.random.RandomState(0).standard_normal((6, 4))
    images = np.linspace(0, 1, 6 * 25).reshape(6, 25)
    write_projector(tmp_path, latents, images, np.zeros(6, np.uint8), (5, 5))
    found = np.loadtxt(tmp_path / "latent_means.tsv", np.float32, delimiter="\t")
    np.testing.assert_array_equal(found, latents.astype(np.float32))
    with Image.open(tmp_path / "sprite.png") as file:
        sprite = np.asarray(file)
    np.testing.assert_array_equal(sprite[5:10, 5:10].ravel(), as_bytes(images[5]))
    assert (tmp_path / "projector_config.pbtxt").read_text().count("single_image_dim: 5\n") == 2


@pytest.mark.parametrize("image_shape", [(3, 5), (5, 3), (1, 4)])
def test_oblong_images_get_margins(image_shape, tmp_path):
    """The projector shows squares."""
    images = np.ones((5, np.prod(image_shape)))
    write_projector(tmp_path, np.eye(5), images, np.zeros(5, int), image_shape)
    side = max(image_shape)
    with Image.open(tmp_path / "sprite.png") as file:
        first = np.asarray(file)[:side, :side]
    (rows, columns), (top, left) = image_shape, np.argwhere(first)[0]
    assert first.sum() == 255 * rows * columns == first[top : top + rows, left:].sum()
    assert (top, left) == ((side - rows) // 2, (side - columns) // 2)
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert config.count(f"single_image_dim: {side}\n") == 2


def test_classes_are_called_by_their_names(tmp_path):
    labels, names = np.array([1, 0, 1]), ("ボート", "air\tplane\n")
    for each in (tmp_path / "a", tmp_path / "b"):
        write_projector(each, np.eye(3), np.zeros((3, 4)), labels, (2, 2), class_names=names)
    lines = (tmp_path / "a" / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert lines == ["class\tindex", r"air\tplane\n" + "\t0", "ボート\t1", r"air\tplane\n" + "\t2"]
    with pytest.raises(InputError, match="there are labels up to 1, but 1 names"):
        write_projector(
            tmp_path / "c", np.eye(3), np.zeros((3, 4)), labels, (2, 2), class_names=names[:1]
        )
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("n_latent", [1, 2, 3])
def test_few_dimensions(tmp_path, n_latent):
    """The projector opens with a 3-D view, which shows no vectors of fewer dimensions."""
    latents = np.random.RandomState(0).standard_normal((4, n_latent)).astype(np.float32)
    write_projector(tmp_path, latents, np.zeros((4, 9)), np.arange(4), (3, 3))
    found = np.loadtxt(tmp_path / "latent_means.tsv", np.float32, delimiter="\t")
    assert found.shape == (4, 3)
    np.testing.assert_array_equal(found[:, :n_latent], latents)
    assert not found[:, n_latent:].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            dict(latents=np.zeros((8, 3))),
            "as many latent vectors as images and labels, not 8, 9 and 9",
        ),
        (dict(images=np.zeros((8, 784))), "not 9, 8 and 9"),
        (dict(labels=np.zeros(8, int)), "not 9, 9 and 8"),
        (dict(latents=np.zeros(9)), "must have two axes and labels one, not 1, 2 and 1"),
        (dict(latents=0), "must have two axes and labels one, not 0, 2 and 1"),
        (dict(images=np.zeros((9, 28, 28))), "not 2, 3 and 1"),
        (dict(labels=np.zeros((9, 1), int)), "not 2, 2 and 2"),
        (
            dict(latents=np.zeros((9, 0))),
            "two latent vectors of at least one dimension, not 9 of 0",
        ),
        (dict(latents=np.full((9, 3), np.nan)), "the latent vectors are not all finite"),
        (dict(latents=np.full((9, 3), 1e39)), "the latent vectors are not all finite"),
        (dict(labels=np.zeros(9)), "labels must be an array of whole numbers, not array([0."),
        (dict(images=np.zeros((9, 785))), "785 pixels cannot form an image of 28 x 28 pixels"),
        (
            dict(images=np.zeros((9, 0)), image_shape=(0, 0)),
            "image_shape must be a whole number from 1 to 1000000, not 0",
        ),
        (dict(images=np.full((9, 784), 255.0)), "the images must be in [0, 1]"),
        (dict(images=np.full((9, 784), -0.1)), "the images must be in [0, 1]"),
        (dict(images=np.full((9, 784), np.nan)), "the images must be in [0, 1]"),
        (
            dict(images=np.zeros((9, 2049 * 2049), bool), image_shape=(2049, 2049)),
            "takes at most 8192 x 8192",
        ),
    ],
)
def test_what_does_not_fit(tmp_path, change, message):
    fitting = dict(
        latents=np.zeros((9, 3)),
        images=np.zeros((9, 784)),
        labels=np.zeros(9, int),
        image_shape=(28, 28),
    )
    with pytest.raises(InputError) as error:
        write_projector(tmp_path / "out", **{**fitting, **change})
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_how_many_images(tmp_path):
    """65,536 images of 28 x 28 pixels fit into one sprite; one more does not."""
    images = np.broadcast_to(np.float32(0), (65537, 784))
    latents, labels = np.zeros((65537, 2), np.float32), np.zeros(65537, int)
    with pytest.raises(InputError, match=r"65,537 images of 28 x 28 pixels .* 14336 x 14336"):
        write_projector(tmp_path, latents, images, labels, (28, 28))
    write_projector(tmp_path, latents[1:], images[1:], labels[1:], (28, 28))
    with Image.open(tmp_path / "sprite.png") as file:
        assert file.size == (7168, 7168)


def test_one_latent_vector(tmp_path):
    with pytest.raises(
        InputError, match="needs at least two latent vectors of at least one dimension, not 1 of 3"
    ):
        write_projector(tmp_path, np.zeros((1, 3)), np.zeros((1, 784)), np.zeros(1, int), (28, 28))


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(InputError) as error:
            write_projector(folder, np.zeros((2, 2)), np.zeros((2, 4)), np.zeros(2, int), (2, 2))
        message = str(error.value)
        assert message.startswith(f"cannot write {folder}") and "\n" not in message
    assert (tmp_path / "file").read_text() == ""


def test_tensorboard_shows_them(tmp_path, mnist, tensorboard):
    n = 500
    model, _ = load_model("z2")
    images, labels = mnist.test_images[:n], mnist.test_labels[:n]
    latents = encode(model, images)[0]
    write_projector(tmp_path / "written", latents, images, labels, mnist.image_shape)
    # The folder may be moved.
    (tmp_path / "written").rename(tmp_path / "moved")
    ask = tensorboard(tmp_path / "moved")

    (run,) = json.loads(ask("projector/runs"))
    (embedding,) = json.loads(ask("projector/info", run=run))["embeddings"]
    assert embedding["tensorShape"] == [n, 3]
    assert embedding["sprite"]["singleImageDim"] == [28, 28]
    names = {"run": run, "name": embedding["tensorName"]}

    tensor = np.frombuffer(ask("projector/tensor", **names), np.float32).reshape(n, 3)
    np.testing.assert_array_equal(tensor, np.pad(latents, ((0, 0), (0, 1))))

    header, *rows = ask("projector/metadata", **names).decode().splitlines()
    assert header.split("\t") == ["class", "index"]
    expected = np.stack([labels, np.arange(n)], axis=1)
    np.testing.assert_array_equal([[int(v) for v in row.split("\t")] for row in rows], expected)

    with Image.open(io.BytesIO(ask("projector/sprite_image", **names))) as file:
        assert (file.format, file.size) == ("PNG", (32 * 28, 32 * 28))
        sprite = np.asarray(file)
    np.testing.assert_array_equal(images_of(sprite, n), as_bytes(images))
