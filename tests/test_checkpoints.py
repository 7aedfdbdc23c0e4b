import gc
import io
import os
import pickle
import stat
import sys
import zipfile

import chainer
import numpy as np
import pytest
from conftest import little_memory

from chainer_vae import VAE, InputError, npz
from chainer_vae.runs import checkpoints, files


def model_and_optimizer(n_latent=2, updates=0):
    model = VAE(6, n_latent, 4)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    for _ in range(updates):
        optimizer.update(model.get_loss_func(), np.random.rand(3, 6).astype("f"))
    return model, optimizer


def test_round_trip_through_chainers_own_loader(tmp_path):
    model, optimizer = model_and_optimizer(updates=3)
    for name, target in (("m", model), ("o", optimizer)):
        checkpoints.save_npz(tmp_path / name, checkpoints.to_arrays(target))
    other_model, other_optimizer = model_and_optimizer()
    chainer.serializers.load_npz(str(tmp_path / "m"), other_model)
    chainer.serializers.load_npz(str(tmp_path / "o"), other_optimizer)
    assert other_optimizer.t == 3
    for ours, theirs in zip(model.params(), other_model.params()):
        np.testing.assert_array_equal(ours.array, theirs.array)
        np.testing.assert_array_equal(ours.update_rule.state["v"], theirs.update_rule.state["v"])


def test_files_of_chainers_own_saver_load_here(tmp_path):
    model, optimizer = model_and_optimizer(updates=2)
    chainer.serializers.save_npz(str(tmp_path / "m"), model)
    chainer.serializers.save_npz(str(tmp_path / "o"), optimizer)
    other_model, other_optimizer = model_and_optimizer()
    checkpoints.restore_model(other_model, checkpoints.load_npz(tmp_path / "m"), "m")
    checkpoints.restore_optimizer(other_optimizer, checkpoints.load_npz(tmp_path / "o"), "o")
    x = np.random.rand(3, 6).astype("f")
    for m, o in ((model, optimizer), (other_model, other_optimizer)):
        np.random.seed(0)
        o.update(m.get_loss_func(), x)
    for ours, theirs in zip(model.params(), other_model.params()):
        np.testing.assert_array_equal(ours.array, theirs.array)


class Exploit:
    def __reduce__(self):
        return os.system, ("touch exploited",)


def test_a_prepared_file_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, _ = model_and_optimizer()
    arrays = checkpoints.to_arrays(model)
    arrays["le1/W"] = np.array([Exploit()], dtype=object)
    np.savez(tmp_path / "evil.npz", **arrays)
    with pytest.raises(InputError, match=r"evil.npz holds Python objects.*refused"):
        checkpoints.load_npz(tmp_path / "evil.npz")
    (tmp_path / "evil.pickle").write_bytes(pickle.dumps(Exploit()))
    with pytest.raises(InputError, match=r"evil.pickle is not an npz file"):
        checkpoints.load_npz(tmp_path / "evil.pickle")
    assert not (tmp_path / "exploited").exists()


def test_damaged_files(tmp_path):
    model, _ = model_and_optimizer()
    file = tmp_path / "m"
    checkpoints.save_npz(file, checkpoints.to_arrays(model))
    content = file.read_bytes()
    # Cut anywhere, and one byte changed anywhere in the data: one line, never another error.
    for n in range(0, len(content), 97):
        file.write_bytes(content[:n])
        with pytest.raises(InputError, match=r"m is (not an npz file|damaged)"):
            checkpoints.load_npz(file)
    refused = 0
    for n in range(0, len(content), 53):
        file.write_bytes(content[:n] + bytes([content[n] ^ 0xFF]) + content[n + 1 :])
        try:
            checkpoints.restore_model(model, checkpoints.load_npz(file), file)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 10
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("le1/W", b"no array")
    with pytest.raises(InputError, match=r"m is not an npz file: it holds other things"):
        checkpoints.load_npz(file)
    with pytest.raises(InputError, match=r"there is no file .*nothing"):
        checkpoints.load_npz(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"cannot read"):
        checkpoints.load_npz(tmp_path)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_nothing_is_read_that_was_not_asked_for(tmp_path):
    """A member of 200 MB, which a few kB unpack to; and one that is damaged."""
    model, _ = model_and_optimizer()
    file = tmp_path / "m"
    checkpoints.save_npz(file, {**checkpoints.to_arrays(model), "spare": np.arange(1000.0)})
    content = bytearray(file.read_bytes())
    content[content.index(np.arange(1000.0)[500:].tobytes()) + 1000] ^= 1
    file.write_bytes(content)
    archive = zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("huge.npy", "w") as member:
        header = {"descr": "<f4", "fortran_order": False, "shape": (50_000_000,)}
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(200):
            member.write(bytes(1_000_000))
    with little_memory(2e6), checkpoints.load_npz(file) as arrays:
        checkpoints.restore_model(model, arrays, file)
        assert arrays.header("huge").shape == (50_000_000,)
        with pytest.raises(
            InputError, match=r"m has other sizes: its huge has shape \(50000000,\)"
        ):
            npz.read_entries(arrays, {"huge": npz.Entry((3,), "f")}, file)
        with pytest.raises(InputError, match=r"m is damaged: Bad CRC-32 for file 'spare.npy'"):
            arrays["spare"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.npy": npy(np.zeros(3))[:-1]}, "the size of its a is not what its header says"),
        ({"a.npy": npy(np.zeros(3)) + b"0"}, "the size of its a is not what its header says"),
        ({"a.npy": npy(np.zeros(3)), "a": npy(np.zeros(3))}, "it holds a twice"),
        ({"a.npy": npy(np.zeros(3)).replace(b"(3,)", b"(-3)")}, ""),
        ({"a.npy": npy(np.zeros(3)).replace(b"(3,)", b"-3, ")}, ""),
        (
            {"a.npy": npy(np.zeros(3)).replace(b"(3,), } ", b"(-3,), }")},
            r"an array of shape \(-3,\)",
        ),
        ({"a.npy": npy(np.zeros((10, 10))).replace(b"(10,", b"(9**9,")}, ""),
        ({"a.npy": npy(np.zeros(3)).replace(b"<f8", b"<f9")}, ""),
        ({"a.npy": npy(np.zeros(3)).replace(b"<f8", b"<M8")}, "its a holds neither numbers nor"),
        ({"a.npy": npy(np.zeros(3, "f4,i4"))}, "its a holds neither numbers nor text"),
        (
            {"a.npy": b"\x93NUMPY\x01\x00\xff\xff" + bytes(70_000)},
            "the header of its a is too long",
        ),
        ({"a.npy": b"\x93NUMPY\x01\x00\x00\x03" + b"(" * 768}, ""),
        ({f"{i}": npy(np.zeros(3)) for i in range(25_000)}, "its list of arrays is too long"),
    ],
    ids=range(13),
)
def test_members_that_lie(tmp_path, members, message):
    file = tmp_path / "m"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=f"m is damaged: .*{message}") as error, little_memory(8e6):
        checkpoints.load_npz(file)
    assert "\n" not in str(error.value)


def test_sizes_in_the_list_that_lie(tmp_path):
    """Gigabytes by the array's header and by the archive's list; the file has 200 bytes."""
    file = tmp_path / "m"
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        content = npy(np.zeros(1)).replace(b"(1,)       ", b"(99999999,)")
        with zipfile.ZipFile(file, "w", packing) as archive:
            archive.writestr("a.npy", content)
        data = bytearray(file.read_bytes())
        entry = data.index(b"PK\x01\x02")
        size = len(content) - 8 + 8 * 99_999_999
        data[entry + 24 : entry + 28] = size.to_bytes(4, "little")
        file.write_bytes(data)
        message = r"m is damaged: (the size of its a is not what|its a is packed in another way)"
        with pytest.raises(InputError, match=message), little_memory(1e6):
            checkpoints.load_npz(file)


def test_arrays_are_of_one_file_even_if_it_is_replaced(tmp_path):
    file = tmp_path / "m"
    saved = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.eye(3)[:2]),
        "c": np.int8(5),
    }
    checkpoints.save_npz(file, saved)
    arrays = checkpoints.load_npz(file)
    assert (len(arrays), list(arrays), "a" in arrays, "d" in arrays) == (
        3,
        ["a", "b", "c"],
        True,
        False,
    )
    if sys.platform != "win32":  # where an open file cannot be replaced
        checkpoints.save_npz(file, {"a": np.zeros(1)})
    for name, array in saved.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name] is arrays[name]
    assert not arrays.close.alive  # all has been read
    checkpoints.save_npz(file, {**arrays, "text": np.array("text"), "none": np.zeros((0, 3))})
    with checkpoints.load_npz(file) as arrays:
        assert arrays["none"].shape == (0, 3) and arrays["text"] == "text"
    with pytest.raises(InputError, match=r"m has been closed"):
        arrays["a"]
    assert arrays["text"] == "text"
    abandoned = checkpoints.load_npz(file)
    close = abandoned.close
    del abandoned
    gc.collect()
    assert not close.alive


def test_only_a_sound_optimizer_is_taken(tmp_path):
    _, optimizer = model_and_optimizer(updates=2)
    arrays = checkpoints.to_arrays(optimizer)
    _, other = model_and_optimizer(updates=1)
    before = {name: array.copy() for name, array in checkpoints.to_arrays(other).items()}
    for name, value, message in (
        ("t", np.array(-1), r"holds -1 in t, but only numbers from 0 to 1e\+12 can be there"),
        ("t", np.array(2.0), r"holds no whole numbers in t, but float64"),
        ("t", np.zeros(2, int), r"its t has shape \(2,\), but \(\) is needed"),
        ("epoch", np.array(10**13), r"holds 10000000000000 in epoch, but only"),
        ("le1/W/t", np.array(-1), r"holds -1 in le1/W/t"),
        (
            "le1/W/m",
            np.full((4, 6), np.nan, "f"),
            r"holds nan in le1/W/m, but only numbers from -3",
        ),
        ("le1/W/m", np.full((4, 6), np.inf, "f"), r"holds inf in le1/W/m"),
        ("le1/W/m", np.full((4, 6), 1e300), r"holds 1e\+300 in le1/W/m"),
        ("le1/W/m", np.zeros((4, 6), int), r"holds no numbers in le1/W/m, but int"),
        ("ld3/b/v", np.full(6, -1e-30, "f"), r"holds -1\S+ in ld3/b/v, but only numbers from 0 to"),
    ):
        with pytest.raises(InputError, match="o .*" + message):
            checkpoints.restore_optimizer(other, {**arrays, name: value}, "o")
    del arrays["epoch"]
    with pytest.raises(InputError, match="o has no epoch"):
        checkpoints.restore_optimizer(other, arrays, "o")
    for name, array in checkpoints.to_arrays(other).items():
        np.testing.assert_array_equal(array, before[name])


def test_moments_of_half_precision_are_taken():
    """Their limits are float32's, at which float16 overflows: NumPy warned."""
    _, optimizer = model_and_optimizer(updates=2)
    arrays = checkpoints.to_arrays(optimizer)
    arrays["le1/W/v"] = arrays["le1/W/v"].astype(np.float16)
    _, other = model_and_optimizer()
    checkpoints.restore_optimizer(other, arrays, "o")
    assert other.t == 2


def test_other_sizes_and_foreign_files_change_nothing(tmp_path):
    model, optimizer = model_and_optimizer(n_latent=2)
    before = {name: p.array.copy() for name, p in model.namedparams()}
    other, other_optimizer = model_and_optimizer(n_latent=5, updates=1)
    with pytest.raises(InputError, match=r"has shape \((4, 5|5,|5, 4)\), but \((4, 2|2,|2, 4)\)"):
        checkpoints.restore_model(model, checkpoints.to_arrays(other), "m")
    with pytest.raises(InputError, match=r"o has other sizes: its .*/m has shape"):
        checkpoints.restore_optimizer(optimizer, checkpoints.to_arrays(other_optimizer), "o")
    with pytest.raises(InputError, match=r"m has no .*is not the file that is expected"):
        checkpoints.restore_model(model, {"a": np.zeros(2)}, "m")
    with pytest.raises(InputError, match=r"o has no t"):
        checkpoints.restore_optimizer(optimizer, checkpoints.to_arrays(model), "o")
    arrays = checkpoints.to_arrays(model)
    arrays["le1/W"] = np.full((4, 6), "text")
    with pytest.raises(InputError, match=r"holds no numbers in le1/W"):
        checkpoints.restore_model(model, arrays, "m")
    for name, p in model.namedparams():
        np.testing.assert_array_equal(p.array, before[name])


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    file = tmp_path / "new" / "file"
    files.save_text(file, "old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(InputError, match=r"cannot write .*file: No space left on device"):
            files.save_text(file, "new")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            files.save_text(file, "new")
    assert file.read_text() == "old"
    assert [f.name for f in file.parent.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_files_have_the_users_usual_permissions(tmp_path):
    previous = os.umask(0o027)
    try:
        files.save_text(tmp_path / "file", "")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    finally:
        os.umask(previous)


def test_unwritable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*: (Not a directory|File exists)"):
        files.save_text(tmp_path / "file" / "inside", "text")


def test_json(tmp_path):
    files.save_json(tmp_path / "j", {"a": [1.5]})
    assert files.load_json(tmp_path / "j") == {"a": [1.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.save_json(tmp_path / "j", {"a": np.inf})
    assert files.load_json(tmp_path / "j") == {"a": [1.5]}
    (tmp_path / "j").write_text('{"a": 1e400}')
    with pytest.raises(InputError, match=r"j is not a JSON file: it has 1e400, which is too large"):
        files.load_json(tmp_path / "j")
    (tmp_path / "j").write_text("{")
    with pytest.raises(InputError, match=r"j is not a JSON file"):
        files.load_json(tmp_path / "j")
    with pytest.raises(InputError, match=r"there is no file"):
        files.load_json(tmp_path / "k")
    with pytest.raises(InputError, match=r"cannot read .*: it is a folder, not a file"):
        files.load_json(tmp_path)
