import gzip
import hashlib
import struct

import numpy as np
import pytest
from conftest import idx, little_memory, write_idx_folder

from chainer_vae import Config, InputError, load_mnist, reading
from chainer_vae.datasets import DATA_DIR, load_data, load_images

# Of the files that were published, unpacked.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


@pytest.mark.parametrize("name", SHA256)
def test_shipped_files_are_mnist(name):
    content = gzip.decompress((DATA_DIR / f"{name}.gz").read_bytes())
    assert hashlib.sha256(content).hexdigest() == SHA256[name]


def test_mnist(mnist):
    assert mnist.train_images.shape == (60000, 784)
    assert mnist.test_images.shape == (10000, 784)
    for images in (mnist.train_images, mnist.test_images):
        assert images.dtype == np.float32
        assert images.min() == 0 and images.max() == 1
    # How often each digit occurs, as published.
    assert np.bincount(mnist.train_labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(mnist.test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    # The mean and standard deviation that everyone normalizes MNIST with.
    assert mnist.train_images.mean(dtype=float) == pytest.approx(0.1307, abs=5e-5)
    assert mnist.train_images.std(dtype=float) == pytest.approx(0.3081, abs=5e-5)
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test_labels[:5].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.parametrize("gzipped", [True, False])
def test_folder(tmp_path, mnist, gzipped):
    data = load_mnist(write_idx_folder(tmp_path / "set", mnist, 30, 20, gzipped))
    np.testing.assert_array_equal(data.train_images, mnist.train_images[:30])
    np.testing.assert_array_equal(data.test_images, mnist.test_images[:20])
    np.testing.assert_array_equal(data.train_labels, mnist.train_labels[:30])
    np.testing.assert_array_equal(data.test_labels, mnist.test_labels[:20])


def test_gzip_members(tmp_path, mnist):
    """Of several, as bgzip and ``cat`` make them; an empty one and padding may be at the end."""
    folder = write_idx_folder(tmp_path / "set", mnist, 30, 20)
    content = gzip.decompress((folder / IMAGES).read_bytes())
    parts = [gzip.compress(content[i : i + 5000]) for i in range(0, len(content), 5000)]
    for end in (b"", gzip.compress(b""), bytes(512)):
        (folder / IMAGES).write_bytes(b"".join(parts) + end)
        np.testing.assert_array_equal(load_mnist(folder).train_images, mnist.train_images[:30])


def replace(folder, name, content):
    (folder / name).write_bytes(gzip.compress(content))


def damage_missing_file(folder):
    (folder / LABELS).unlink()
    return "has no file train-labels-idx1-ubyte"


def damage_truncated_gzip(folder):
    content = (folder / IMAGES).read_bytes()
    (folder / IMAGES).write_bytes(content[: len(content) // 2])
    return f"{IMAGES} is truncated"


def damage_not_gzip(folder):
    (folder / IMAGES).write_bytes(b"<html>404</html>")
    return f"{IMAGES} is not a valid gzip file"


def damage_corrupt_gzip(folder):
    content = bytearray((folder / IMAGES).read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    (folder / IMAGES).write_bytes(content)
    return f"{IMAGES} is not a valid gzip file"


def damage_empty(folder):
    replace(folder, IMAGES, b"")
    return f"{IMAGES} is truncated: 0 bytes"


def damage_magic(folder):
    replace(folder, IMAGES, idx(np.zeros((30, 28, 28), np.uint8), magic=0xD03))
    return "its magic number is 0x00000d03, not 0x00000803"


def damage_labels_as_images(folder):
    replace(folder, IMAGES, idx(np.zeros(30000, np.uint8)))
    return "its magic number is 0x00000801, not 0x00000803"


def damage_short(folder):
    replace(folder, IMAGES, idx(np.zeros((30, 28, 28), np.uint8))[:-1])
    return "is truncated: its header says 30 x 28 x 28, 23536 bytes in all, but it has 23535"


def damage_trailing(folder):
    replace(folder, LABELS, idx(np.zeros(30, np.uint8)) + b"\0")
    return "has trailing bytes"


def damage_trailing_gigabytes(folder):
    with open(folder / LABELS, "r+b") as file:
        file.truncate(1 << 34)
    return "has trailing bytes: its header says 30, 38 bytes in all, but it has more"


def damage_bomb(folder):
    """200 MB of zeros after what the header says."""
    with gzip.open(folder / IMAGES, "wb", compresslevel=1) as file:
        file.write(idx(np.zeros((30, 28, 28), np.uint8)))
        for _ in range(200):
            file.write(bytes(1_000_000))
    return "has trailing bytes"


def damage_empty_members(folder):
    (folder / IMAGES).write_bytes(gzip.compress(b"") * 40_000)
    return f"{IMAGES} is not a valid gzip file: it consists of empty parts"


def damage_empty_members_later(folder):
    content = gzip.compress(idx(np.zeros((30, 28, 28), np.uint8))[:-1])
    (folder / IMAGES).write_bytes(content + gzip.compress(b"") * 2_000)
    return f"{IMAGES} is not a valid gzip file: it consists of empty parts"


def damage_lying_header(folder):
    """Gigabytes, for which the file is too small."""
    header = idx(np.zeros((0, 28, 28), np.uint8))
    replace(folder, IMAGES, header[:4] + b"\0\x40\0\0" + header[8:])
    return (
        "is truncated: its header says 4194304 x 28 x 28, 3288334352 bytes in all, but it has fewer"
    )


def damage_lying_header_not_packed(folder):
    header = idx(np.zeros((0, 28, 28), np.uint8))
    (folder / IMAGES).unlink()
    (folder / IMAGES[:-3]).write_bytes(header[:4] + b"\0\x40\0\0" + header[8:])
    return (
        "is truncated: its header says 4194304 x 28 x 28, 3288334352 bytes in all, but it has fewer"
    )


def damage_pixels(folder):
    replace(folder, IMAGES, idx(np.zeros((30, 1001, 1000), np.uint8)))
    return "holds images of 1001 x 1000 pixels; 1,000,000 in all is the most"


def damage_huge_header_of_no_images(folder):
    replace(folder, IMAGES, b"\0\0\x08\x03" + bytes(4) + b"\xff" * 8)
    return "holds no pixels"


def damage_huge_header(folder):
    huge = b"\0\0\x08\x03" + b"\xff" * 12
    replace(folder, IMAGES, huge + bytes(100))
    return "is truncated: its header says 4294967295 x 4294967295 x 4294967295"


def damage_counts(folder):
    replace(folder, LABELS, idx(np.zeros(29, np.uint8)))
    return "holds 30 images, but train-labels-idx1-ubyte.gz holds 29 labels"


def damage_sizes(folder):
    replace(folder, IMAGES, idx(np.zeros((30, 32, 32), np.uint8)))
    return "training images are 32 x 32 pixels, but test images are 28 x 28"


def damage_of_which_headers_do_not_fit(folder):
    """A gigabyte of pixels that the labels do not know of."""
    with gzip.open(folder / IMAGES, "wb", compresslevel=1) as file:
        file.write(idx(np.zeros((30, 1, 1), np.uint8))[:4] + struct.pack(">3I", 1000, 1000, 1000))
        for _ in range(1000):
            file.write(bytes(1_000_000))
    return "holds 1000 images, but train-labels-idx1-ubyte.gz holds 30 labels"


def damage_large_images(folder):
    with gzip.open(folder / IMAGES, "wb", compresslevel=1) as file:
        file.write(idx(np.zeros((30, 1, 1), np.uint8))[:4] + struct.pack(">3I", 30, 2000, 2000))
        for _ in range(120):
            file.write(bytes(1_000_000))
    return "holds images of 2000 x 2000 pixels; 1,000,000 in all is the most"


def damage_no_images(folder):
    replace(folder, IMAGES, idx(np.zeros((0, 28, 28), np.uint8)))
    replace(folder, LABELS, idx(np.zeros(0, np.uint8)))
    return f"{IMAGES} holds no pixels"


@pytest.mark.parametrize(
    "damage", [f for name, f in sorted(globals().items()) if name.startswith("damage_")]
)
def test_damaged_folder(tmp_path, mnist, damage):
    folder = write_idx_folder(tmp_path / "set", mnist, 30, 20)
    message = damage(folder)
    with pytest.raises(InputError) as error, little_memory(40e6):
        load_mnist(folder)
    assert message in str(error.value)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist"):
        load_mnist(tmp_path / "nowhere")


def test_a_file_that_cannot_be_read(tmp_path, mnist, monkeypatch):
    folder = write_idx_folder(tmp_path / "set", mnist, 2, 2)

    def fail(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(reading, "gunzip", fail)
    with pytest.raises(InputError, match=r"cannot read .*-ubyte.gz: Input/output error"):
        load_mnist(folder)


@pytest.mark.parametrize("gzipped", [True, False])
def test_names_with_dots(tmp_path, mnist, gzipped):
    folder = write_idx_folder(tmp_path / "set", mnist, 30, 20, gzipped)
    for file in list(folder.iterdir()):
        file.rename(folder / file.name.replace("s-idx", "s.idx"))
    np.testing.assert_array_equal(load_mnist(folder).test_images, mnist.test_images[:20])


def test_torchvision_s_folders(tmp_path, mnist):
    """Named by themselves, or by a folder above."""
    (tmp_path / "FashionMNIST").mkdir()
    raw = write_idx_folder(tmp_path / "FashionMNIST" / "raw", mnist, 30, 20, gzipped=False)
    for path in (raw, raw.parent, tmp_path):
        np.testing.assert_array_equal(load_images(path).train_images, mnist.train_images[:30])
    (tmp_path / "MNIST").mkdir()
    other = write_idx_folder(tmp_path / "MNIST" / "raw", mnist, 4, 2)
    assert len(load_mnist(other.parent).train_images) == 4
    with pytest.raises(InputError) as error:
        load_mnist(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} holds more than one data set: name one of {raw}, {other}"
    )


def write_emnist(folder, split, n_classes, mapping):
    """Twelve oblong images, of which the pixel in row 1 and column 3 is white, as they are stored:
    rows as columns."""
    upright = np.zeros((12, 5, 4), np.uint8)
    upright[:, 1, 3] = 255
    labels = np.arange(12, dtype=np.uint8) % n_classes + (split == "letters")
    folder.mkdir(exist_ok=True)
    for part in ("train", "test"):
        start = folder / f"emnist-{split}-{part}"
        images = np.ascontiguousarray(upright.transpose(0, 2, 1))
        start.with_name(f"{start.name}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(idx(images))
        )
        start.with_name(f"{start.name}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(idx(labels))
        )
    if mapping is not None:
        (folder / f"emnist-{split}-mapping.txt").write_text(mapping)
    return folder


def test_emnist(tmp_path):
    """Upright, with the characters of its classes."""
    mapping = "0 48\r\n1 65 \r\n2 97\r\n\r\n"
    data = load_images(write_emnist(tmp_path / "emnist", "balanced", 3, mapping))
    assert data.image_shape == (5, 4)
    for images in (data.train_images, data.test_images):
        assert images.reshape(-1, 5, 4)[:, 1, 3].tolist() == [1] * 12 and images.sum() == 12
    assert data.class_names == ("0", "A", "a")
    assert [data.class_names[label] for label in data.test_labels[:4]] == ["0", "A", "a", "0"]
    (tmp_path / "unzipped").mkdir()
    write_emnist(tmp_path / "unzipped" / "gzip", "balanced", 3, mapping)
    assert load_images(tmp_path / "unzipped").class_names == ("0", "A", "a")


def test_a_split_of_emnist(tmp_path):
    """Of several, its name chooses; letters have labels from 1 on, and both cases in one."""
    folder = write_emnist(tmp_path / "emnist", "balanced", 3, "0 48\n1 65\n2 97\n")
    write_emnist(folder, "letters", 2, "1 65 97\n2 66 98\n")
    write_emnist(folder, "byclass", 12, None)
    with pytest.raises(InputError) as error:
        load_images(folder)
    names = [str(folder / f"emnist-{split}") for split in ("balanced", "byclass", "letters")]
    assert str(error.value).endswith(f"more than one data set: name one of {', '.join(names)}")
    letters = load_images(folder / "emnist-letters")
    assert set(letters.train_labels) == {1, 2} and letters.class_names == ("0", "Aa", "Bb")
    assert load_mnist(folder / "emnist-balanced").class_names == ("0", "A", "a")
    # torchvision leaves the mapping out.
    byclass = load_images(folder / "emnist-byclass")
    assert byclass.class_names == () and set(byclass.train_labels) == set(range(12))
    with pytest.raises(InputError, match="emnist-digits does not exist"):
        load_images(folder / "emnist-digits")
    (folder / "emnist-letters-test-images-idx3-ubyte.gz").unlink()
    with pytest.raises(InputError, match="no file emnist-letters-test-images-idx3-ubyte or "):
        load_images(folder / "emnist-letters")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("0 48\n1 x\n", "is not a mapping of EMNIST"),
        ("0 48\n0 49\n", "is not a mapping of EMNIST"),
        ("0 10\n", "is not a mapping of EMNIST"),
        ("-1 48\n", "is not a mapping of EMNIST"),
        ("0 99999999999999999999999\n", "is not a mapping of EMNIST"),
        ("0\n", "is not a mapping of EMNIST"),
        ("0 48\n1 49\n", "there are labels up to 2, but names only of 2 classes"),
        (" " * 70_000, "is too large"),
    ],
)
def test_mappings_that_cannot_be(tmp_path, mapping, message):
    folder = write_emnist(tmp_path / "emnist", "balanced", 3, mapping)
    with pytest.raises(InputError, match=message) as error:
        load_images(folder)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            gzip.compress(b"x" * 99, mtime=0),
            f"{IMAGES[:-3]} is not an IDX file of images: it is gzipped;",
        ),
        (b"<!DOCTYPE html><html>404", "it is an HTML page, perhaps a download's error message"),
        (b"PK\x03\x04" + bytes(99), "it is a zip file"),
        (b"MATLAB 5.0 MAT-file, Platform: ", "it is a MATLAB file (.mat)"),
        (idx(np.zeros((2, 3, 3, 3), np.uint8)), "it holds bytes with 4 axes, as of colour images"),
        (idx(np.zeros((2, 3, 3), ">f4"), 0xD03), "0x00000d03, not 0x00000803; it holds floats wi"),
    ],
)
def test_a_wrong_type_is_named(tmp_path, mnist, content, message):
    folder = write_idx_folder(tmp_path / "set", mnist, 2, 2, gzipped=False)
    (folder / IMAGES[:-3]).write_bytes(content)
    with pytest.raises(InputError) as error:
        load_mnist(folder)
    assert message in str(error.value)


def test_an_html_page_with_the_name_of_a_gzip_file(tmp_path, mnist):
    folder = write_idx_folder(tmp_path / "set", mnist, 2, 2)
    (folder / IMAGES).write_bytes(b"<html>404</html>")
    with pytest.raises(InputError, match=r"is not a valid gzip file: it is an HTML page"):
        load_mnist(folder)
    (folder / IMAGES).write_bytes(gzip.compress(b"<html>404</html>"))
    with pytest.raises(InputError, match=r"is not an IDX file of images: it is an HTML page"):
        load_mnist(folder)


def test_mnist_made_smaller(mnist):
    """Each pixel is about the mean of those that it replaces."""
    data = load_data(Config(test=True, size=(14, 7)))
    assert data.image_shape == (14, 7) and data.train_images.shape == (100, 98)
    assert data.train_images.dtype == np.float32 and data.train_images.min() >= 0
    means = mnist.train_images[:100].reshape(-1, 14, 2, 7, 4).mean(axis=(2, 4)).reshape(100, -1)
    assert np.corrcoef(means.ravel(), data.train_images.ravel())[0, 1] > 0.97
    np.testing.assert_array_equal(
        load_data(Config(test=True, size=(28, 28))).train_images, mnist.train_images[:100]
    )
    for size in ((0, 5), (1001, 1000), 28, "28", (1.0, 2)):
        with pytest.raises(InputError, match=r"^size must be "):
            Config(size=size)
        with pytest.raises(InputError, match=r"^size must be "):
            load_images("nowhere", size)
