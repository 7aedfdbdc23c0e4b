import os
import pickle
import stat
import sys
import zipfile

import chainer
import numpy as np
import pytest

from chainer_vae import VAE, InputError
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
    (tmp_path / "j").write_text("{")
    with pytest.raises(InputError, match=r"j is not a JSON file"):
        files.load_json(tmp_path / "j")
    with pytest.raises(InputError, match=r"there is no file"):
        files.load_json(tmp_path / "k")
    with pytest.raises(InputError, match=r"cannot read .*: Is a directory"):
        files.load_json(tmp_path)
