"""The commands that show a trained model, or write it for others; PyTorch is in test_pytorch.py."""

import copy
import csv
import json
import os
import re
import shutil
import sys
from pathlib import Path

import chainer
import chainer.functions as F
import numpy as np
import pytest
from conftest import idx, write_idx_folder
from PIL import Image

from chainer_vae import (
    VAE,
    Autoencoder,
    Config,
    InputError,
    Run,
    encode,
    latent,
    load_autoencoder,
    load_model,
)
from chainer_vae.cli import main
from chainer_vae.evaluation import latent_vectors, reconstruction_errors, squared_error
from chainer_vae.exports import onnx_graphs
from chainer_vae.exports.latents import write_latents
from chainer_vae.exports.onnx_graphs import write_onnx
from chainer_vae.figures import sheets
from chainer_vae.runs import checkpoints, load_any_model

GUIDES = [Path(__file__).parent.parent / "docs" / lang / "models.md" for lang in ("en", "ja")]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def said(capsys):
    """Run a command; returns the lines that it prints."""

    def call(*argv):
        capsys.readouterr()
        assert main([*map(str, argv)]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out.splitlines()

    return call


@pytest.fixture
def refused(capsys, tmp_path):
    """Run a command that must fail; returns its one line. It writes nothing."""

    def call(*argv):
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        try:
            code = main([*map(str, argv)])
        except SystemExit as exit:
            code = exit.code
        assert code == 2
        assert sorted(tmp_path.rglob("*")) == before
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return call


@pytest.fixture
def oblong_run(tmp_path, mnist):
    """Images of 56 x 14 pixels, three latent dimensions, and no digit but 1, 2, 4 and 7."""
    folder = tmp_path / "oblong"
    folder.mkdir()
    pixels = np.rint(mnist.test_images[:5] * 255).astype(np.uint8).reshape(5, 28, 28)
    pixels = pixels[:, :, ::2].repeat(2, axis=1)
    for prefix in ("train", "t10k"):
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(pixels))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(np.array([7, 2, 1, 1, 4], "u1")))
    run = Run.start(Config(dataset=str(folder), dimz=3, dim_h=8, epoch=1), "run")
    list(run.train())
    return run


def tiles_of(file, rows, columns, height, width):
    """The images of a sheet, one pixel of each square that a pixel was enlarged to."""
    sheet = np.asarray(Image.open(file))
    tall, wide = ((size - 2) // number for size, number in zip(sheet.shape, (rows, columns)))
    assert sheet.shape == (2 + rows * tall, 2 + columns * wide)
    scale = (tall - 2) // height
    assert (2 + scale * height, 2 + scale * width) == (tall, wide)
    tiles = sheet[:-2, :-2].reshape(rows, tall, columns, wide).swapaxes(1, 2)
    assert (tiles[:, :, :2] == 128).all() and (tiles[:, :, :, :2] == 128).all()
    small = tiles[:, :, 2::scale, 2::scale]
    enlarged = small.repeat(scale, axis=2).repeat(scale, axis=3)
    np.testing.assert_array_equal(tiles[:, :, 2:, 2:], enlarged)
    return small.reshape(rows * columns, height * width)


def bytes_of(images):
    return np.rint(np.asarray(images) * 255.0).astype(int)


# sample


def test_sample(said):
    lines = said("sample", "z2", "--n", 7, "--seed", 3, "--out", "new/a.png")
    assert lines == [
        "z2, which comes with chainer-vae: 7 images from the prior, seed 3",
        f"wrote {Path('new/a.png')}",
    ]
    model, _ = load_model("z2")
    z = np.random.RandomState(3).standard_normal((7, 2)).astype("f4")
    tiles = tiles_of("new/a.png", 3, 3, 28, 28)
    np.testing.assert_allclose(tiles[:7], bytes_of(model.decode(z).array), atol=1)
    assert (tiles[7:] == 128).all()
    said("sample", "z2", "--n", 7, "--seed", 3, "--out", "b.PNG")
    assert Path("b.PNG").read_bytes() == Path("new/a.png").read_bytes()
    said("sample", "z2", "--n", 7, "--out", "c.png")
    assert Path("c.png").read_bytes() != Path("new/a.png").read_bytes()


def test_sample_by_default(said):
    assert said("sample")[-1] == "wrote sample.png"
    assert len(np.unique(tiles_of("sample.png", 10, 10, 28, 28), axis=0)) == 100


def test_sample_of_images_that_are_no_squares(said, oblong_run):
    said("sample", "run", "--n", 8)
    tiles = tiles_of("sample.png", 2, 6, 56, 14)
    expected = latent.decode(oblong_run.model, latent.prior(8, 3))
    np.testing.assert_allclose(tiles[:8], bytes_of(expected), atol=1)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (
            ["sample", "ae2"],
            "ae2 is a plain autoencoder, which has no prior to draw from; `chainer",
        ),
        (["sample", "--n", "0"], "--n must be a whole number, 1 or more, not 0"),
        (
            ["sample", "--n", "20000"],
            "20,000 images of 28 x 28 pixels are too many for one picture",
        ),
        (["sample", "--seed", "-1"], "seed must be a whole number from 0 to 4294967295, not -1"),
        (["sample", "--out", "a.jpg"], "--out must end in .png, not 'a.jpg'"),
        (["sample", "nowhere"], "nowhere holds no run: there is no such folder"),
        (["sample", "--dataset=x"], "unrecognized arguments: --dataset=x"),
        (["reconstruct", "--n", "10001"], "--n must be a whole number from 1 to 10000, not 10001"),
        (["reconstruct", "--n", "0"], "--n must be a whole number from 1 to 10000, not 0"),
        (["reconstruct", "--n", "9700"], "19,400 images of 28 x 28 pixels are too many for one"),
        (["reconstruct", "--index", "3", "10000"], "--index must be a whole number from 0 to 9999"),
        (["reconstruct", "--index", "-1"], "--index must be a whole number from 0 to 9999, not -1"),
        (["reconstruct", "--n", "2", "--index", "3"], "--index: not allowed with argument --n"),
        (["reconstruct", "-o", "a.gif"], "--out must end in .png, not 'a.gif'"),
        (["interpolate", "--digits", "4", "11"], "there is no test image of class 11"),
        (["interpolate", "--digits", "4", "-1"], "there is no class -1; give its number"),
        (["interpolate", "--index", "4", "10000"], "--index must be a whole number from 0 to 9999"),
        (["interpolate", "--index", "4"], "argument --index: expected 2 arguments"),
        (["interpolate", "--digits", "1", "2", "--index", "4", "5"], "not allowed with argument"),
        (["interpolate", "--steps", "0"], "--steps must be a whole number, 1 or more, not 0"),
        (["interpolate", "--steps", "999999999"], "1,000,000,000 images of 28 x 28 pixels are too"),
        (
            ["interpolate", "--steps", "1275", "-o", "a.gif"],
            "1,276 images of 28 x 28 pixels are too",
        ),
        (["interpolate", "--out", "a.jpg"], "--out must end in .png or .gif, not 'a.jpg'"),
        (["encode"], "the following arguments are required: --out/-o"),
        (["encode", "--out", "a.txt"], "--out must end in .npz or .csv, not 'a.txt'"),
        (["encode", "--set", "all", "--out", "a.csv"], "argument --set: invalid choice: 'all'"),
        (["evaluate", "ae2", "--k", "3"], "an autoencoder draws no samples: leave out --k"),
        (["evaluate", "ae2", "--k", "3", "--seed", "1"], "leave out --k and --seed"),
        (["evaluate", "ae2", "--k", "0"], "k must be a whole number from 1"),
        (["export", "z2"], "the following arguments are required: --format"),
        (["export", "z2", "--format", "h5"], "argument --format: invalid choice: 'h5'"),
        (
            ["export", "z2", "--format", "onnx", "--out", "z2.npz"],
            "--out of --format onnx must end in .onnx, not 'z2.npz'",
        ),
        (["export", "nowhere", "--format", "npz"], "nowhere holds no run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant(refused, args, expected):
    line = refused(*args)
    assert line.startswith("chainer-vae") and expected in line


@pytest.mark.parametrize(
    "args", [["sample"], ["reconstruct"], ["interpolate", "--digits", "7", "2"], ["encode"]],
    ids=lambda args: args[0],
)  # fmt: skip
def test_a_model_that_overflows(refused, oblong_run, args):
    arrays = dict(checkpoints.load_npz("run/mlp_3.model"))
    arrays["le3_mu/b"][:] = arrays["ld1/b"][:] = np.nan
    checkpoints.save_npz(Path("run/mlp_3.model"), arrays)
    Path("old.csv" if args == ["encode"] else "old.png").write_text("an older one")
    (out,) = Path().glob("old.*")
    line = refused(args[0], "run", *args[1:], "--out", out)
    assert "the latent vectors are not all finite" in line or "but go from nan to nan" in line
    assert out.read_text() == "an older one"


# reconstruct


def error_by_hand(model, images):
    """In float64, from the logits that Chainer computes."""
    x = images.astype(float)
    if isinstance(model, Autoencoder):
        return ((x - model(images).array.astype(float)) ** 2).sum(axis=1)
    a = model(images, sigmoid=False).array.astype(float)
    return (np.maximum(a, 0) + np.log1p(np.exp(-abs(a))) - x * a).sum(axis=1)


@pytest.mark.parametrize(
    ("run", "unit"),
    [("z20", "-ln p(x|mu), nats"), ("ae2", "|x - x'|^2, summed over the pixels")],
)
def test_reconstruct(said, mnist, run, unit):
    first, header, *lines, last = said("reconstruct", run, "--index", 42, 3, 17)
    assert first == f"{run}, which comes with chainer-vae: reconstruction error, {unit}"
    assert (header.split(), last) == (["index", "error", "class"], "wrote reconstruct.png")
    images = mnist.test_images[[42, 3, 17]]
    model, _ = load_any_model(run)
    rows = [line.split() for line in lines]
    assert [row[::2] for row in rows] == [["42", "4"], ["3", "0"], ["17", "7"]]
    assert [float(row[1]) for row in rows] == pytest.approx(error_by_hand(model, images), rel=1e-4)
    tiles = tiles_of("reconstruct.png", 2, 3, 28, 28)
    np.testing.assert_array_equal(tiles[:3], bytes_of(images))
    np.testing.assert_allclose(tiles[3:], bytes_of(model(images).array), atol=1)


def test_reconstruct_the_first_images(said, mnist):
    lines = said("reconstruct", "z2", "--n", 13)
    assert [line.split()[0] for line in lines[2:-1]] == [*map(str, range(13))]
    tiles = tiles_of("reconstruct.png", 4, 10, 28, 28).reshape(2, 2, 10, 784)
    given = tiles[:, 0].reshape(20, 784)
    np.testing.assert_array_equal(given[:13], bytes_of(mnist.test_images[:13]))
    assert (given[13:] == 128).all()


def test_reconstruct_where_there_are_few(said, refused, oblong_run):
    assert len(said("reconstruct", "run")) == 3 + 5
    given = tiles_of("reconstruct.png", 2, 5, 56, 14)[:5]
    np.testing.assert_array_equal(given, bytes_of(oblong_run.test_images))
    assert "--n must be a whole number from 1 to 5, not 6" in refused(
        "reconstruct", "run", "--n", 6
    )


@pytest.fixture
def pictures(mnist):
    """Test images as files: one as it is, one in colour and four times as large, one as a JPEG."""
    names = ["3.png", "large, and in colour.png", "8.jpeg"]
    images = np.rint(mnist.test_images[[18, 3, 61]] * 255).astype(np.uint8).reshape(3, 28, 28)
    Image.fromarray(images[0]).save(names[0])
    Image.fromarray(images[1].repeat(4, 0).repeat(4, 1)).convert("RGB").save(names[1])
    Image.fromarray(images[2]).save(names[2], quality=100)
    return names


def test_reconstruct_files(said, mnist, pictures, caplog):
    first, header, *lines, last = said("reconstruct", "z20", *pictures)
    assert first.endswith("reconstruction error, -ln p(x|mu), nats")
    assert header.split() == ["error", "file"] and last == "wrote reconstruct.png"
    assert [line[12:] for line in lines] == pictures
    tiles = tiles_of("reconstruct.png", 2, 3, 28, 28)
    images = tiles[:3].reshape(3, 784) / np.float32(255)
    model, _ = load_model("z20")
    errors = error_by_hand(model, images)
    assert [float(line[:12]) for line in lines] == pytest.approx(errors, rel=1e-4)
    np.testing.assert_allclose(tiles[3:], bytes_of(model(images).array), atol=1)
    np.testing.assert_array_equal(tiles[0], bytes_of(mnist.test_images[[18]])[0])
    np.testing.assert_allclose(tiles[2], bytes_of(mnist.test_images[[61]])[0], atol=16)
    assert tiles[1].mean() == pytest.approx(255 * mnist.test_images[3].mean(), rel=0.02)


def test_encode_files(said, mnist, pictures):
    line, _ = said("encode", "z2", *pictures, "--out", "a.csv")
    assert line == "z2, which comes with chainer-vae: mu and ln_var of 3 images"
    with open("a.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "mu_1", "mu_2", "ln_var_1", "ln_var_2"]
    assert [row[0] for row in rows] == pictures
    mu, ln_var = encode(load_model("z2")[0], mnist.test_images[[18]])
    np.testing.assert_allclose(np.float32(rows[0][1:]), np.hstack([mu, ln_var])[0], rtol=1e-5)
    said("encode", "z2", *pictures, "--out", "a.npz")
    with np.load("a.npz") as arrays:  # no pickle
        assert arrays["path"].tolist() == pictures and arrays["mu"].shape == (3, 2)


def test_files_of_a_run_of_binarized_images(said, small_set, pictures):
    config = Config(dataset=str(small_set), dimz=2, dim_h=8, epoch=1, binarize="threshold")
    list(Run.start(config, "run").train())
    assert "binarized (threshold)" in said("reconstruct", "run", "3.png")[0]
    assert set(tiles_of("reconstruct.png", 2, 1, 28, 28)[0].ravel()) == {0, 255}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_whose_name_is_no_text(said, pictures):
    name = os.fsdecode(b"caf\xe9.png")
    shutil.copy("3.png", name)
    said("encode", "z2", name, "--out", "a.csv")
    assert Path("a.csv").read_bytes().splitlines()[1].startswith(b"caf\xe9.png,")
    said("reconstruct", "z2", name)


def test_files_that_are_no_pictures(refused, pictures):
    assert "no.png" in refused("reconstruct", "z20", "no.png")
    assert "test_model_commands.py is not a PNG or JPEG image" in refused(
        "encode", "z20", "3.png", __file__, "--out", "a.csv"
    )
    for option in ("--index", "--n", "--size", "--dataset"):
        assert refused("reconstruct", "z20", "3.png", option, 1).endswith(
            f": give either images or {option}, not both"
        )
    assert "--out 3.png is where the images are" in refused(
        "reconstruct", "z20", "3.png", "-o", "3.png"
    )
    assert "either images or --set" in refused(
        "encode", "z20", "3.png", "--set", "test", "--out", "a.csv"
    )


def test_errors_of_many_images(mnist):
    x = mnist.test_images[:25]
    model, _ = load_autoencoder("ae2")
    errors = reconstruction_errors(model, x, batchsize=7)
    assert errors.shape == (25,)
    assert errors.mean() == pytest.approx(squared_error(model, x), rel=1e-5)
    np.testing.assert_allclose(latent_vectors(model, x, 7), model.encode(x).array, rtol=1e-4)
    model, _ = load_model("z2")
    np.testing.assert_allclose(
        reconstruction_errors(model, x, 7), error_by_hand(model, x), rtol=1e-4
    )
    np.testing.assert_array_equal(latent_vectors(model, x), encode(model, x)[0])
    assert (
        latent_vectors(model, x[:0]).shape == (0, 2)
        and len(reconstruction_errors(model, x[:0])) == 0
    )


def test_errors_of_what_is_no_image(mnist):
    model, _ = load_autoencoder("ae2")
    for function in (latent_vectors, reconstruction_errors):
        with pytest.raises(InputError, match="images must be in"):
            function(model, mnist.test_images[:2] - 1)
        with pytest.raises(InputError, match="batchsize must be a whole number"):
            function(model, mnist.test_images[:2], 0)
        with pytest.raises(TypeError, match="class VAE or Autoencoder, not str"):
            function("ae2", mnist.test_images[:2])


# interpolate


@pytest.mark.parametrize("run", ["z20", "ae2"])
def test_interpolate(said, mnist, run):
    """Linear in latent space, from end to end."""
    first, last = said("interpolate", run, "--digits", 4, 9, "--steps", 4)
    assert first.endswith("from test image 4 (class 4) to test image 7 (class 9) in 4 steps")
    assert last == "wrote interpolate.png"
    tiles = tiles_of("interpolate.png", 1, 5, 28, 28)
    model, _ = load_any_model(run)
    start, end = latent_vectors(model, mnist.test_images[[4, 7]]).astype(float)
    z = [start, 0.75 * start + 0.25 * end, (start + end) / 2, 0.25 * start + 0.75 * end, end]
    np.testing.assert_allclose(tiles, bytes_of(model.decode(np.float32(z)).array), atol=1)
    said("interpolate", run, "--index", 4, 7, "--steps", 4, "-o", "same.png")
    assert Path("same.png").read_bytes() == Path("interpolate.png").read_bytes()


def test_interpolate_by_default(said):
    """The way of the article's first figure, from 0 to 7."""
    assert "test image 3 (class 0) to test image 0 (class 7) in 10 steps" in said("interpolate")[0]
    tiles_of("interpolate.png", 1, 11, 28, 28)
    said("interpolate", "--steps", 30)
    assert (tiles_of("interpolate.png", 6, 6, 28, 28)[31:] == 128).all()


@pytest.mark.parametrize(("args", "steps"), [([], 40), (["--steps", 2], 2), (["--steps", 1], 1)])
def test_interpolate_there_and_back(said, args, steps):
    said("interpolate", "z2", *args, "--out", "way.gif")
    with Image.open("way.gif") as gif:
        assert gif.size == (224, 224) and gif.info["loop"] == 0
        duration, seen = 0, []
        for number in range(gif.n_frames):
            gif.seek(number)
            duration += gif.info["duration"]
            seen.append(np.asarray(gif.convert("L")).astype(int))
    assert duration == 100 * 2 * steps
    said("interpolate", "z2", "--steps", steps, "--out", "way.png")
    columns = steps + 1 if steps < 16 else 6
    tiles = tiles_of("way.png", -(-(steps + 1) // columns), columns, 28, 28).reshape(-1, 28, 28)
    for frame, tile in ((seen[0], tiles[0]), (seen[len(seen) // 2], tiles[steps])):
        np.testing.assert_allclose(frame[::8, ::8], tile, atol=3)  # 64 shades


def test_interpolate_of_images_that_are_no_squares(said, oblong_run):
    said("interpolate", "run", "--digits", 7, 2, "--out", "way.gif")
    with Image.open("way.gif") as gif:
        assert gif.size == (56, 224)
    said("interpolate", "run", "--index", 4, 4, "--steps", 1)
    tiles = tiles_of("interpolate.png", 1, 2, 56, 14)
    np.testing.assert_array_equal(tiles[0], tiles[1])


# encode


def test_encode(said, mnist):
    assert said("encode", "z2", "--out", "a.npz") == [
        "z2, which comes with chainer-vae: mu and ln_var of 10,000 test images",
        "wrote a.npz",
    ]
    mu, ln_var = encode(load_model("z2")[0], mnist.test_images)
    with np.load("a.npz") as arrays:  # no pickle
        assert set(arrays) == {"index", "label", "mu", "ln_var"}
        np.testing.assert_array_equal(arrays["mu"], mu)
        np.testing.assert_array_equal(arrays["ln_var"], ln_var)
        np.testing.assert_array_equal(arrays["label"], mnist.test_labels)
        np.testing.assert_array_equal(arrays["index"], np.arange(10_000))


def test_encode_as_a_table(said, small_set, mnist):
    said("encode", "z20", "--dataset", small_set, "--out", "a.csv")
    with open("a.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:3] == ["index", "label", "mu_1"] and header[21:23] == ["mu_20", "ln_var_1"]
    assert len(rows) == 40
    mu, ln_var = encode(load_model("z20")[0], mnist.test_images[:40])
    numbers = np.array([row[2:] for row in rows], np.float32)
    np.testing.assert_array_equal(numbers, np.hstack([mu, ln_var]))
    assert [int(row[0]) for row in rows] == [*range(40)]
    assert [int(row[1]) for row in rows] == mnist.test_labels[:40].tolist()


def test_classes_are_called_by_their_names(said, named_set, tmp_path):
    """In a table as in print."""
    said("train", "--dataset", named_set, "--dim-h", 8, "--dimz", 2, "--epoch", 1, "--out", "run")
    said("encode", "run", "--out", "a.csv")
    with open("a.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["index", "label", "class", "mu_1", "mu_2", "ln_var_1", "ln_var_2"]
    assert [row[:3] for row in rows] == [["0", "0", "cat"], ["1", "1", "小犬"]]
    said("encode", "run", "--out", "a.npz")
    with np.load("a.npz") as arrays:
        assert arrays["class"].tolist() == ["cat", "小犬"]
    lines = said("reconstruct", "run")
    assert [line.split()[0::2] for line in lines[1:4]] == [
        ["index", "class"], ["0", "cat"], ["1", "小犬"]
    ]  # fmt: skip


def test_classes_whose_names_are_numbers(said, refused):
    """A number is such a name, and not where that is in their order."""
    images = np.random.RandomState(0).randint(0, 256, (30, 5, 5)).astype(np.uint8)
    np.savez("set.npz", images=images, labels=np.arange(30) % 3, class_names=["1", "2", "3"])
    said("train", "--dataset", "set.npz", "--dim-h", 8, "--dimz", 2, "--epoch", 1, "--out", "run")
    assert "(class 1) to test image 2 (class 3) in" in said("interpolate", "run")[0]
    assert (
        "(class 3) to test image 0 (class 1) in" in said("interpolate", "run", "--digits", 3, 1)[0]
    )
    assert "there is no class 0: 1, 2, 3" in refused("interpolate", "run", "--digits", 3, 0)


def test_interpolate_of_one_class(said):
    """From the first image to the last, not from one to itself."""
    images = np.random.RandomState(0).randint(0, 256, (30, 5, 5)).astype(np.uint8)
    np.savez("set.npz", images=images)
    said("train", "--dataset", "set.npz", "--dim-h", 8, "--dimz", 2, "--epoch", 1, "--out", "run")
    line = said("interpolate", "run")[0]
    assert "test image 0 (class unlabelled) to test image 2 (class unlabelled) in" in line


def test_images_are_not_written_over(said, refused, named_set):
    """Neither a data set in a file, nor one of the pictures of a folder."""
    small = "--dim-h", 8, "--dimz", 2, "--epoch", 1
    said("train", "--dataset", named_set, *small, "--out", "run")
    before = Path(named_set).read_bytes()
    for command in (
        ["encode", "run", "--out", named_set],
        ["encode", "run", "--dataset", named_set, "--out", named_set],
        ["export", "run", "--format", "npz", "--out", named_set],
    ):
        assert f"--out {named_set} is where the images are: choose another" in refused(*command)
    assert Path(named_set).read_bytes() == before
    Path("set").mkdir()
    for i in range(20):
        Image.fromarray(np.full((5, 5), 12 * i, np.uint8)).save(f"set/{i}.png")
    said("train", "--dataset", "set", *small, "--out", "of-set")
    for command in (
        ["reconstruct", "of-set", "--out", "set/0.png"],
        ["reconstruct", "of-set", "--out", "set/new.png"],
        ["sample", "of-set", "--out", "set/new.png"],
        ["interpolate", "of-set", "--out", "set/new.png"],
        ["projector", "of-set", "--out", "set/new"],
        ["figures", "--run-z2", "of-set", "--only", "manifold", "--out", "set/new"],
        ["explore", "--run-z2", "of-set", "--out", "set/new.html"],
        ["train", "--dataset", "set", *small, "--out", "set/run"],
        ["train", "--dataset", "set", *small, "--out", "new", "--tensorboard", "set/board"],
    ):
        assert "set: choose another folder" in refused(*command)
    assert len(list(Path("set").iterdir())) == 20 and not Path("new").exists()


def test_onnx_is_written_whole_or_not_at_all(refused):
    pytest.importorskip("onnx")
    Path("a-decoder.onnx").mkdir()
    assert "a-decoder.onnx" in refused("export", "z2", "--format", "onnx", "--out", "a.onnx")
    assert not Path("a-encoder.onnx").exists()


def test_an_export_says_its_activation(said, refused):
    """Where it is trained further."""
    small = "--test", "--epoch", 1, "--dimz", 2, "--dim-h", 8
    said("train", *small, "--act", "tanh", "--out", "run")
    said("export", "run", "--format", "npz", "--out", "a.npz")
    line = refused("train", *small, "--initmodel", "a.npz", "--out", "new")
    assert "a.npz was trained with --act tanh, not softplus: give that, too" in line
    said("train", *small, "--initmodel", "a.npz", "--act", "tanh", "--out", "new")


def test_the_explorer_refuses_what_it_would_leave_out(said, refused, named_set):
    said("train", "--dataset", named_set, "--dim-h", 8, "--dimz", 3, "--epoch", 1, "--out", "run")
    line = refused("explore", "--run-z20", "run")
    assert "--run-z20 run was trained on other images than package:z2: name a VAE of 2" in line
    assert not Path("explorer.html").exists()


@pytest.fixture
def named_set():
    images = np.random.RandomState(0).randint(0, 256, (20, 5, 5)).astype(np.uint8)
    np.savez("set.npz", images=images, labels=np.arange(20) % 2, class_names=["cat", "小犬"])
    return "set.npz"


def test_encode_the_training_images_of_an_autoencoder(said, small_set, mnist):
    line, _ = said("encode", "ae2", "--dataset", small_set, "--set", "train", "--out", "a.npz")
    assert line.endswith("z of 250 training images")
    model, _ = load_autoencoder("ae2")
    with np.load("a.npz") as arrays:
        assert set(arrays) == {"index", "label", "z"}
        np.testing.assert_allclose(
            arrays["z"], model.encode(mnist.train_images[:250]).array, rtol=1e-4, atol=1e-4
        )
        np.testing.assert_array_equal(arrays["label"], mnist.train_labels[:250])


def test_latents_of_float64_keep_their_digits():
    z = np.random.RandomState(0).standard_normal((5, 2)) / 3
    write_latents("a.csv", {"z": z}, {"index": np.arange(5), "label": np.arange(5)})
    found = np.loadtxt("a.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(found[:, 2:], z)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"file": "a.txt"}, "file must end in .npz or .csv, not 'a.txt'"),
        ({"latents": {"z": np.zeros((3, 2))}}, "as many latent vectors as images"),
        ({"latents": {"z": np.full((2, 2), np.inf)}}, "the latent vectors are not all finite"),
        ({"latents": {"z": np.zeros(2)}}, r"z must have the shape \(number, n_latent\)"),
        ({"of": {"label": np.ones(2)}}, "label must be an array of whole numbers or text"),
        ({"of": {"path": np.array(["a", None])}}, "path must be an array of whole numbers or text"),
        ({"of": {"index": np.zeros(3, int)}}, "as many latent vectors as images"),
        ({"of": None}, "write_latents needs an object of class Mapping, not NoneType"),
        ({"latents": np.zeros((2, 2))}, "needs an object of class Mapping, not ndarray"),
    ],
)
def test_latents_that_do_not_fit(tmp_path, changes, expected):
    fitting = dict(file="a.csv", latents={"z": np.zeros((2, 2))}, of={"index": np.arange(2)})
    with pytest.raises((InputError, TypeError), match=expected):
        write_latents(**{**fitting, **changes})
    assert list(tmp_path.iterdir()) == []


# evaluate, projector


def test_evaluate_an_autoencoder(said):
    lines = said("evaluate", "ae2")
    assert lines[:2] == [
        "ae2, which comes with chainer-vae: 2 latent dimensions, seed 0",
        "10,000 test images, squares summed over the pixels of an image",
    ]
    log = json.loads((Path(checkpoints.__file__).parents[1] / "models/ae2/log").read_text())
    name, value = lines[2].rsplit(maxsplit=1)
    assert (len(lines), name) == (3, "|x - x'|^2")
    assert float(value) == pytest.approx(log[-1]["validation/main/loss"], abs=1e-3)


def test_projector_of_an_autoencoder(said, tmp_path, mnist):
    few = write_idx_folder(tmp_path / "few", mnist, 5, 5)
    line = said("projector", "ae2", "--dataset", few)[0]
    assert line.startswith("wrote the latent vectors of 5 test images to projector")
    model, _ = load_autoencoder("ae2")
    expected = model.encode(mnist.test_images[:5]).array
    found = np.loadtxt("projector/latent_vectors.tsv")
    np.testing.assert_allclose(found[:, :2], expected, rtol=1e-4)
    config = Path("projector/projector_config.pbtxt").read_text()
    assert 'tensor_name: "latent vectors"' in config
    assert 'tensor_path: "latent_vectors.tsv"' in config
    assert not Path("projector/latent_means.tsv").exists()


# export


def test_export_for_numpy(said, oblong_run):
    lines = said("export", "run", "--format", "npz")
    assert lines == ["the run in run: 3 latent dimensions, softplus", "wrote run.npz"]
    with np.load("run.npz") as arrays:
        settings = json.loads(str(arrays["settings"]))
        for name, array in checkpoints.to_arrays(oblong_run.model).items():
            np.testing.assert_array_equal(arrays[name], array)
        assert len(arrays) == 15
    assert settings["image_shape"] == [56, 14]
    assert (settings["dimz"], settings["dim_h"], settings["act"]) == (3, 8, "softplus")
    assert settings["model"] == "vae" and not {"dataset", "gpu"} & set(settings)
    # It is a model file, too: Chainer's, and that of --initmodel.
    model = VAE(784, 3, 8)
    chainer.serializers.load_npz("run.npz", model)
    np.testing.assert_array_equal(model.ld3.W.array, oblong_run.model.ld3.W.array)
    run = Run.start(oblong_run.config, "again", "run.npz")
    np.testing.assert_array_equal(run.model.ld3.W.array, oblong_run.model.ld3.W.array)


def test_export_is_named_after_the_run(said, oblong_run, monkeypatch):
    monkeypatch.chdir(oblong_run.folder)
    assert said("export", ".", "--format", "npz")[-1] == "wrote run.npz"
    said("export", ".", "--format", "npz", "-o", "../b.NPZ")
    assert Path("../b.NPZ").read_bytes() == Path("run.npz").read_bytes()


def sessions(name):
    onnxruntime = pytest.importorskip("onnxruntime")
    return [onnxruntime.InferenceSession(f"{name}-{part}.onnx") for part in ("encoder", "decoder")]


def assert_computes_as(model, encode, decode, images):
    """Another library's outputs are Chainer's: to 1e-6 of the largest, which is 1 for pixels, or
    to thrice what Chainer's own rounding is, measured in float64."""
    exact = copy.deepcopy(model)
    for param in exact.params():
        param.array = param.array.astype(float)

    def latents_of(model, images):
        found = model.encode(images)
        return [h.array for h in (found if isinstance(found, tuple) else (found,))]

    def assert_near(found, ours, exact):
        assert found.dtype == ours.dtype == np.float32
        own, largest = abs(ours - exact).max(), abs(exact).max()
        assert own < 2e-5 * largest  # that of rounding, with any BLAS
        np.testing.assert_allclose(found, ours, rtol=0, atol=max(1e-6 * largest, 3 * own))

    with chainer.no_backprop_mode():
        ours, exactly = latents_of(model, images), latents_of(exact, images.astype(float))
        found = encode(images)
        assert len(found) == len(ours)
        for h in zip(found, ours, exactly):
            assert_near(*h)
        z = ours[0]
        pixels = model.decode(z).array, exact.decode(z.astype(float)).array
        assert_near(decode(z), *pixels)


def by_onnx(name, outputs):
    """The functions of two files."""
    encoder, decoder = sessions(name)
    return (
        lambda x: encoder.run(outputs, {"x": x}),
        lambda z: decoder.run(["pixels"], {"z": z})[0],
    )


@pytest.mark.parametrize("run", ["z2", "z20", "ae2"])
def test_onnxruntime_computes_the_same(said, mnist, run):
    lines = said("export", run, "--format", "onnx")
    assert lines[1:] == [f"wrote {run}-encoder.onnx", f"wrote {run}-decoder.onnx"]
    encoder, decoder = sessions(run)
    assert [(i.name, i.shape) for i in encoder.get_inputs()] == [("x", ["batch", 784])]
    assert [o.name for o in decoder.get_outputs()] == ["pixels"]
    model, _ = load_any_model(run)
    for n in (1, 200):
        outputs = ["z"] if run == "ae2" else ["mu", "ln_var"]
        assert_computes_as(model, *by_onnx(run, outputs), mnist.test_images[:n])


@pytest.mark.parametrize("act", ["softplus", "tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("kind", [VAE, Autoencoder])
def test_every_activation(kind, act):
    model = kind(12, 3, 7, getattr(F, act))
    paths = write_onnx("new/small.onnx", model)
    assert [path.name for path in paths] == ["small-encoder.onnx", "small-decoder.onnx"]
    x = np.random.RandomState(1).uniform(0, 1, (5, 12)).astype("f4")
    outputs = ["z"] if kind is Autoencoder else ["mu", "ln_var"]
    assert_computes_as(model, *by_onnx("new/small", outputs), x)


def test_what_onnx_itself_says_of_it():
    onnx = pytest.importorskip("onnx")
    for path in write_onnx("small.onnx", VAE(12, 3, 7, F.tanh)):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert (model.ir_version, model.opset_import[0].version) == (7, 13)


def test_what_onnx_has_no_room_for(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="only softplus, tanh, relu and sigmoid"):
        write_onnx("a.onnx", VAE(12, 3, 7, F.elu))
    with pytest.raises(InputError, match=r"file must end in .onnx, not 'a.pb'"):
        write_onnx("a.pb", VAE(12, 3, 7))
    with pytest.raises(TypeError, match="class VAE or Autoencoder, not Linear"):
        write_onnx("a.onnx", chainer.links.Linear(3, 3))
    monkeypatch.setattr(onnx_graphs, "LARGEST", 4 * (3 * 7 + 7 + 7 * 7 + 7 + 7 * 12 + 12) - 1)
    with pytest.raises(InputError, match="too many parameters for an ONNX file"):
        write_onnx("a.onnx", VAE(12, 3, 7))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_without_a_library(refused, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    line = refused("export", "z2", "--format", name)
    assert line == f"chainer-vae: error: {name} is not installed: pip install {name}"


def test_a_library_that_is_broken(refused, monkeypatch, tmp_path):
    (tmp_path / "onnx.py").write_text("raise ImportError('libprotobuf.so:\\nnot found')")
    monkeypatch.delitem(sys.modules, "onnx", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    line = refused("export", "z2", "--format", "onnx")
    assert line.endswith("onnx is installed, but cannot be imported: libprotobuf.so: not found")


@pytest.mark.parametrize("guide", GUIDES, ids=["en", "ja"])
def test_the_guide(said, guide, capsys, pictures):
    """Its commands and its programs, but for PyTorch's."""
    text = guide.read_text(encoding="utf-8")
    commands = re.findall(r"^chainer-vae (.*?)(?:  +#.*)?$", text, re.MULTILINE)
    assert len(commands) == 11
    for name in ("my-digit.png", "a.png", "b.jpeg"):
        shutil.copy(pictures[2 if "jpeg" in name else 0], name)
    for command in commands:
        if "torch" not in command and "train " not in command:
            said(*command.split())
    for form in ("onnx", "npz"):
        (command,) = re.findall(rf"`chainer-vae (export z20 --format {form})`", text)
        said(*command.split())
    pytest.importorskip("onnxruntime")
    programs = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (by_onnx,) = (program for program in programs if "onnxruntime" in program)
    names = {}
    exec(by_onnx, names)
    assert names["pixels"].shape == (3, 784) and names["mu"].shape == (3, 20)
    (by_numpy,) = (program for program in programs if "z20.npz" in program)
    capsys.readouterr()
    exec(by_numpy, {})
    (expected,) = re.findall(r"# (\(500, 784\) .*)$", by_numpy, re.MULTILINE)
    assert capsys.readouterr().out.strip() == expected


# sheets


def test_a_sheet_has_whole_pixels():
    images = np.array([[0.0, 0.5, 1.0], [1.0, 0.25, 0.0]])
    sheet = sheets.sheet(sheets.in_rows(images, 1), (1, 3))
    assert sheet.shape == (2 + 2 * 58, 2 + 2 + 3 * 56) and sheet.dtype == np.uint8
    assert sheet[2, 2::56].tolist() == [0, 128, 255, 128]
    assert sheet[60, 2::56].tolist() == [255, 64, 0, 128]
    assert sheets.sheet([np.zeros((1, 784))], (1, 784)).shape == (1 + 4, 784 + 4)


@pytest.mark.parametrize(
    ("number", "image_shape", "columns"),
    [(100, (28, 28), 10), (8, (56, 14), 6), (7, (1, 784), 1), (3, (784, 1), 3), (1, (5, 5), 1)],
)
def test_a_sheet_is_about_square(number, image_shape, columns):
    assert sheets.columns_for(number, image_shape) == columns


def test_images_that_are_too_long_for_a_gif():
    sheets.require_room(3, (1, 65_535), animated=True)
    with pytest.raises(InputError, match="a GIF cannot show images of 1 x 65536 pixels: 65,535"):
        sheets.require_room(3, (1, 65_536), animated=True)
    sheets.require_room(3, (1, 65_536))


def test_classes_by_name_and_number(said, capsys, tmp_path):
    """By default from the first class to the last, where there is no 0 or no 7."""
    random = np.random.RandomState(0)
    for name in ("boat", "cat", "猫"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(10):
            file = tmp_path / "set" / name / f"{i}.png"
            Image.fromarray(random.randint(0, 256, (5, 4)).astype(np.uint8)).save(file)
    config = Config(epoch=1, dimz=2, dim_h=4, dataset=str(tmp_path / "set"))
    run = Run.start(config, tmp_path / "run")
    list(run.train())
    assert "(class boat) to test image 2 (class 猫)" in said("interpolate", run.folder)[0]
    line = said("interpolate", run.folder, "--digits", "猫", "1")[0]
    assert "from test image 2 (class 猫) to test image 1 (class cat)" in line
    assert main(["interpolate", str(run.folder), "--digits", "dog", "cat"]) == 2
    assert "there is no class dog: boat, cat, 猫" in capsys.readouterr().err
