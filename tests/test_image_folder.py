"""Folders of PNG and JPEG files as a data set."""

import json
import os
import re
import sys

import numpy as np
import pytest
from conftest import little_memory
from PIL import Image, PngImagePlugin

from chainer_vae import Config, InputError, Run
from chainer_vae.cli import main
from chainer_vae.datasets import load_images
from chainer_vae.runs import load_info

SIZES = ["--dimz", "2", "--dim-h", "8", "--epoch", "1"]


def pixels(seed, height=6, width=4):
    return np.random.RandomState(seed).randint(0, 256, (height, width)).astype(np.uint8)


def save(path, array, mode=None, **settings):
    """An array as the image file ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path, **settings)


@pytest.fixture
def folder(tmp_path):
    """25 images of class a and 12 of class b, oblong, with what systems leave beside them."""
    for i in range(25):
        save(tmp_path / "set" / "a" / f"{i:02}.png", pixels(i))
    for i in range(12):
        save(tmp_path / "set" / "b" / f"{i:02}.png", pixels(100 + i))
    for name in (".DS_Store", "a/Thumbs.db", "b/desktop.ini", ".hidden/x", "__MACOSX/x"):
        (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"not an image")
    return tmp_path / "set"


def rows(seeds):
    return np.stack([pixels(seed).ravel() for seed in seeds]) / np.float32(255)


def test_classes(folder):
    """Every tenth of each is a test image; the classes take turns."""
    data = load_images(folder)
    assert (data.image_shape, data.class_names) == ((6, 4), ("a", "b"))
    assert data.test_labels.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(data.test_images, rows([9, 109, 19]))
    assert data.train_labels[:6].tolist() == [0, 1] * 3
    np.testing.assert_array_equal(data.train_images[:4], rows([0, 100, 1, 101]))
    assert (len(data.train_images), data.train_labels.sum()) == (34, 11)


def test_without_classes(tmp_path):
    for i in range(11):
        save(tmp_path / f"{i:02}.jpeg", np.full((5, 5), 20 * i, np.uint8))
    data = load_images(tmp_path)
    assert data.class_names == ("unlabelled",) and data.train_labels.tolist() == [0] * 10
    np.testing.assert_allclose(data.test_images * 255, 180, atol=2)


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "Testing")])
def test_two_sets(tmp_path, names):
    train, test = names
    for i, place in enumerate((f"{train}/x", f"{train}/y", f"{train}/y", f"{test}/y", "val/z")):
        save(tmp_path / place / f"{i}.png", pixels(i))
    data = load_images(tmp_path)
    assert data.class_names == ("x", "y")
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == ([0, 1, 1], [1])
    np.testing.assert_array_equal(data.train_images, rows([0, 1, 2]))
    np.testing.assert_array_equal(data.test_images, rows([3]))
    save(tmp_path / "more" / "1.png", pixels(1))
    with pytest.raises(InputError, match=rf"holds {train.lower()} and .*, but also more"):
        load_images(tmp_path)


def read_one(path, size=None):
    """The pixels of an image, of a set that has it as its only training image."""
    path.parent.joinpath("train").mkdir()
    test = path.parent / "test" / path.name
    test.parent.mkdir()
    test.write_bytes(path.read_bytes())
    path.rename(path.parent / "train" / path.name)
    data = load_images(path.parent, size)
    return (data.train_images * 255).reshape(data.image_shape)


BLACK_AND_WHITE = np.array([[0, 255, 0, 255]] * 6, np.uint8)


@pytest.mark.parametrize(
    ("mode", "expected"), [("1", BLACK_AND_WHITE), ("P", pixels(0)), ("L", pixels(0))]
)
def test_modes_of_grey_images(tmp_path, mode, expected):
    save(tmp_path / "image.png", expected, mode)
    np.testing.assert_allclose(read_one(tmp_path / "image.png"), expected, atol=1e-4)


def test_sixteen_bits(tmp_path):
    """Pillow's own conversion would make all above 255 white."""
    image = np.array([[0, 257, 1000, 65535]] * 6, np.uint16)
    save(tmp_path / "image.png", image)
    np.testing.assert_allclose(read_one(tmp_path / "image.png"), [[0, 1, 4, 255]] * 6, atol=1e-4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "transparent palette", "CMYK"])
def test_colours_and_transparency(tmp_path, caplog, mode):
    """Turned grey, with what is transparent over white; that is said."""
    colours = np.zeros((6, 4, 4), np.uint8)
    colours[:] = [(255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)]
    expected = [76, 149 if mode == "LA" else 150, 29, 255]
    name, settings = "image.png", {}
    if mode in ("RGB", "P"):
        expected[3] = 0
    if mode == "transparent palette":
        index = np.array([[0, 1, 2, 3]] * 6, np.uint8)
        image = Image.fromarray(index)
        image.putpalette(colours[0, :, :3].tobytes())
        settings = dict(transparency=3)
    elif mode == "CMYK":
        name, settings, expected[3] = "image.jpg", dict(quality=100, subsampling=0), 0
        image = Image.fromarray(np.kron(colours, np.ones((8, 8, 1), np.uint8))).convert(mode)
    else:
        image = Image.fromarray(colours).convert("RGB" if mode == "P" else mode).convert(mode)
    image.save(tmp_path / name, **settings)
    found = read_one(tmp_path / name)
    scale = found.shape[1] // 4
    np.testing.assert_allclose(found[0, ::scale], expected, atol=3 if mode == "CMYK" else 1)
    assert [record.getMessage() for record in caplog.records] == [
        f"chainer-vae: warning: of the images in {tmp_path}, 2 of 2 are in colour or have"
        " transparency; they are turned grey"
    ]


def test_folders_that_differ_in_capitals_alone(tmp_path):
    """One of them would be left out."""
    for name in ("train", "Train", "test"):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(np.zeros((6, 4), np.uint8)).save(tmp_path / name / "a.png")
    if (tmp_path / "TEST").exists():
        pytest.skip("on this file system, train and Train are one folder: there is nothing to lose")
    with pytest.raises(InputError, match=r"holds train and test, but also [Tt]rain"):
        load_images(tmp_path)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_grey_images_in_files_that_could_have_colours(tmp_path, caplog, mode):
    """As most programs save them: nothing is lost, and nothing is said."""
    image = np.arange(24, dtype=np.uint8).reshape(6, 4)
    Image.fromarray(image).convert(mode).save(tmp_path / "image.png")
    np.testing.assert_array_equal(read_one(tmp_path / "image.png"), image)
    assert not caplog.records


def test_a_photo_is_turned_upright(tmp_path):
    """As its EXIF data say, and as viewers show it."""
    image = np.zeros((16, 8), np.uint8)
    image[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter clockwise
    Image.fromarray(image).save(tmp_path / "image.jpg", exif=exif, quality=100)
    found = read_one(tmp_path / "image.jpg")
    assert found.shape == (8, 16)
    assert (found[:, 8:] > 250).all() and (found[:, :8] < 5).all()


def test_sizes(folder, tmp_path):
    save(folder / "b" / "03.png", pixels(1, 4, 6))
    with pytest.raises(InputError) as error:
        load_images(folder)
    assert str(error.value) == (
        f"{folder / 'a' / '00.png'} has 6 x 4 pixels, but {folder / 'b' / '03.png'} has 4 x 6;"
        " --size makes all of one size"
    )
    data = load_images(folder, (3, 2))
    assert data.image_shape == (3, 2) and data.train_images.shape == (34, 6)
    mean = np.mean([pixels(0)[:2, :2], pixels(0)[:2, :2]])
    assert abs(data.train_images[0, 0] * 255 - mean) < 40


def test_large_photos_are_taken_where_a_size_is_given(tmp_path):
    big = np.full((1200, 1000), 99, np.uint8)
    for i in range(10):
        save(tmp_path / f"{i}.png", big)
    with pytest.raises(InputError, match=r"more than 1,000,000 pixels, .*; --size makes larger"):
        load_images(tmp_path)
    assert np.allclose(load_images(tmp_path, (5, 4)).train_images * 255, 99)


def damage_text(folder):
    (folder / "a" / "README.txt").write_text("About these images")
    return "README.txt is not a PNG or JPEG image: take it out"


def damage_html(folder):
    (folder / "a" / "00.png").write_text("<html>404")
    return "00.png is an HTML page, perhaps a download's error message, not a PNG or JPEG image"


def damage_webp(folder):
    (folder / "a" / "00.png").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    return "00.png is a WebP image, not a PNG or JPEG image"


def damage_truncated(folder):
    content = (folder / "b" / "04.png").read_bytes()
    (folder / "b" / "04.png").write_bytes(content[:-30])
    return "04.png is damaged: "


def damage_start_only(folder):
    (folder / "b" / "04.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return "04.png is damaged: "


def damage_jpeg(folder):
    (folder / "b" / "04.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return "04.jpg is damaged: "


def damage_bomb(folder):
    """A header that promises 16 GB."""
    content = bytearray((folder / "a" / "00.png").read_bytes())
    content[16:24] = (1 << 17).to_bytes(4, "big") * 2
    (folder / "a" / "00.png").write_bytes(content)
    return "00.png is damaged: "


def damage_packed_zeros(folder):
    """100 MB in 100 kB, sound."""
    Image.new("L", (10_000, 9_900)).save(folder / "a" / "00.png")
    return "00.png has more than 1,000,000 pixels"


def damage_empty_class(folder):
    (folder / "c").mkdir()
    return "c holds no images: put some there, or remove the folder"


def damage_nested(folder):
    save(folder / "a" / "deeper" / "1.png", pixels(0))
    return "a holds a folder, deeper: images must be in the folders of the classes"


def damage_both(folder):
    save(folder / "1.png", pixels(0))
    return r"holds both folders (a) and files (1.png): put the images of each class into a folder"


def damage_train_alone(folder):
    save(folder / "train" / "x" / "1.png", pixels(0))
    return "images must be in the folders of the classes; or in both train and test"


def damage_folder_loop(folder):
    (folder / "a" / "loop").symlink_to(folder, target_is_directory=True)
    return "a holds a folder, loop"


def damage_link_loop(folder):
    (folder / "a" / "loop.png").symlink_to("loop.png")
    return "loop.png"


def damage_fifo(folder):
    os.mkfifo(folder / "a" / "fifo.png")
    return "fifo.png: it is a pipe or a device, not a file"


def damage_device(folder):
    (folder / "a" / "zero.png").symlink_to("/dev/zero")
    return "zero.png: it is a pipe or a device, not a file"


POSIX = ("loop", "fifo", "device")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(
            function,
            marks=pytest.mark.skipif(
                sys.platform == "win32" and name.endswith(POSIX), reason="needs links and FIFOs"
            ),
        )
        for name, function in sorted(globals().items())
        if name.startswith("damage_")
    ],
)
def test_damaged_folder(folder, damage):
    message = damage(folder)
    with pytest.raises(InputError) as error, little_memory(20e6):
        load_images(folder)
    assert message in str(error.value) and str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_texts_that_unpack_to_gigabytes(folder):
    """Of a PNG file's texts, Pillow unpacks a megabyte at most."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 80_000_000, zip=True)
    save(folder / "a" / "00.png", pixels(0), pnginfo=info)
    with pytest.raises(InputError, match=r"00.png is damaged: "), little_memory(20e6):
        load_images(folder)


def test_more_pixels_than_there_is_memory_for(folder, monkeypatch):
    monkeypatch.setattr("chainer_vae.formats.sets.MAX_PIXELS", 37 * 24 - 1)
    with pytest.raises(InputError, match=r"holds 37 images of 6 x 4 pixels, which are too many"):
        load_images(folder)
    monkeypatch.setattr("chainer_vae.formats.image_folder.MAX_SIZE", 20)
    with pytest.raises(InputError, match=r"a holds more than 20 files"):
        load_images(folder)


def test_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match=r"holds no images: neither IDX files .* nor PNG or JPEG"):
        load_images(tmp_path)


def test_by_the_command_line(folder, tmp_path, capsys):
    """Trained, resumed, measured, exported."""
    run = str(tmp_path / "run")
    for args in (
        ["train", "--dataset", str(folder), *SIZES, "--test", "--size", "8", "--out", run],
        ["train", "--resume", run, "--epoch", "2"],
        ["train", "--resume", run, "--size", "8x8"],
        ["evaluate", run],
        ["evaluate", run, "--dataset", str(folder)],
        ["evaluate", "z2", "--dataset", str(folder), "--size", "28", "--k", "1"],
        ["projector", run, "--out", str(tmp_path / "projector")],
    ):
        assert main(args) == 0, args
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "VAE 64-8-8-2 (softplus), 34 training and 3 test images" in printed.out
    assert re.search(r"not comparable with the author's runs: .* --size 8x8\)", printed.out)
    assert load_info(run).image_shape == (8, 8) and load_info(run).config.size == (8, 8)
    for args, message in (
        (["train", "--resume", run, "--size", "9x8"], "has size (8, 8), not (9, 8); leave that"),
        (["train", "--dataset", str(folder), "--size", "0"], "size must be a whole number from 1"),
        (["train", "--size", "8x"], "argument --size: '8x' is no height and width in pixels, such"),
        (["train", "--size", "8x8x8"], "'8x8x8' is no height and width in pixels, such as 28x20"),
        (["evaluate", run, "--size", "9"], "--size is for the images of --dataset: name those, to"),
        (["evaluate", "z2", "--dataset", str(folder)], "have 6 x 4 pixels, but the model of z2"),
    ):
        try:
            code = main(args)
        except SystemExit as exit:
            code = exit.code
        (line,) = capsys.readouterr().err.splitlines()
        assert code == 2 and message in line
    save(folder / "a" / "00.png", pixels(77))
    assert main(["train", "--resume", run, "--epoch", "3"]) == 2
    assert "are not those that the run in" in capsys.readouterr().err


def test_a_run_without_the_setting(folder, tmp_path):
    """Of before there was one: it has none."""
    run = tmp_path / "run"
    Run.start(Config(dataset=folder, dimz=2, dim_h=8), run)
    content = json.loads((run / "config.json").read_text())
    assert content["arguments"].pop("size") is None
    (run / "config.json").write_text(json.dumps(content))
    assert load_info(run).config.size is None
    assert Run.resume(run).image_shape == (6, 4)


def test_a_large_photo_takes_little_more_memory_than_its_pixels(tmp_path):
    for i in range(10):
        save(tmp_path / f"{i}.png", pixels(i))
    save(tmp_path / "5.png", np.zeros((4000, 3000, 3), np.uint8))
    with little_memory(150e6):
        data = load_images(tmp_path, (6, 4))
    assert not data.train_images[5].any() and data.train_images[4].any()
