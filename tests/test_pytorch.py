"""Models for PyTorch, and from it; most tests run only where it is installed (``make bench``)."""

import json
import pickle
import re
import sys
import zipfile
from pathlib import Path

import chainer.functions as F
import numpy as np
import pytest
from test_model_commands import GUIDES, assert_computes_as, elsewhere, refused, said

from chainer_vae import VAE, Autoencoder, Config, InputError, Run, evaluate
from chainer_vae.cli import main
from chainer_vae.exports.pytorch import load_torch, write_torch
from chainer_vae.runs import checkpoints, load_any_model

__all__ = ["elsewhere", "refused", "said"]  # fixtures

NOT_A_STATE_DICT = "is damaged, or holds other things than the tensors of a state dict: save"


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: make bench installs it")


def module_of(guide):
    """The guide's class, and its last lines, which read a file."""
    programs = re.findall(r"^```python\n(.*?)^```$", guide.read_text("utf-8"), re.M | re.S)
    (program,) = (text for text in programs if "nn.Module" in text)
    return program.split("\nvae = ")


def guide_s_vae(torch, **sizes):
    names = {}
    exec(module_of(GUIDES[0])[0], names)
    return names["VAE"](**sizes)


def guide_s_autoencoder(torch, **sizes):
    """With what the guide says of it in words."""
    module = guide_s_vae(torch, **sizes)
    module.le3 = module.le3_mu
    del module.le3_mu, module.le3_ln_var
    return module


def encode_by(torch, module, x):
    if hasattr(module, "le3"):
        softplus = torch.nn.functional.softplus
        return [module.le3(softplus(module.le2(softplus(module.le1(x)))))]
    return module.encode(x)


@pytest.mark.parametrize("run", ["z2", "z20", "ae2"])
def test_pytorch_computes_the_same(said, torch, mnist, run):
    lines = said("export", run, "--format", "torch")
    assert lines[-1] == f"wrote {run}.pt"
    make = guide_s_autoencoder if run == "ae2" else guide_s_vae
    module = make(torch, n_latent=20 if run == "z20" else 2)
    module.load_state_dict(torch.load(f"{run}.pt", weights_only=True))  # every name, no other
    model, _ = load_any_model(run)
    with torch.no_grad():
        assert_computes_as(
            model,
            lambda x: [h.numpy() for h in encode_by(torch, module, torch.tensor(x))],
            lambda z: module.decode(torch.tensor(z)).numpy(),
            mnist.test_images[:200],
        )


@pytest.mark.parametrize("run", ["z20", "ae2"])
def test_there_and_back(said, torch, run):
    """Bit for bit, by the guide's commands."""
    said("export", run, "--format", "torch", "--out", "there.pth")
    lines = said("import-torch", "there.pth", "--out", "back.model")
    model, config = load_any_model(run)
    kind = "" if run == "z20" else " --model autoencoder"
    assert lines[0] == f"{type(model).__name__} 784-500-500-{config.dimz}; to train it further:"
    command = f"train{kind} --initmodel back.model --dimz {config.dimz} --dim-h 500"
    assert lines[1].endswith(command)
    assert lines[2:] == ["wrote back.model"]
    with checkpoints.load_npz("back.model") as arrays:
        for name, array in checkpoints.to_arrays(model).items():
            assert arrays[name].dtype == array.dtype
            assert arrays[name].tobytes() == array.tobytes()
    assert main([*command.split(), "--test", "--epoch", "1", "--out", "run"]) == 0


def test_a_model_of_pytorch_s_own(said, torch, small_set):
    """It becomes a model, and by the guide's line a run, which other commands take."""
    torch.manual_seed(0)
    module = guide_s_vae(torch, n_latent=3, n_h=9)
    torch.save(module.state_dict(), "own.pt")
    said("import-torch", "own.pt", "--out", "new/own.model")
    config = Config(dimz=3, dim_h=9, dataset=str(small_set))
    run = Run.start(config, "from-torch", "new/own.model")
    np.testing.assert_array_equal(run.model.le3_mu.W.array, module.le3_mu.weight.detach().numpy())
    assert said("sample", "from-torch", "--n", 4)[-1] == "wrote sample.png"
    assert json.loads(Path("from-torch/log").read_text()) == []


def test_a_model_of_other_images(said, torch):
    """The line that trains it further names those, too."""
    torch.save(guide_s_vae(torch, n_in=30, n_latent=3, n_h=9).state_dict(), "own.pt")
    line = said("import-torch", "own.pt", "--out", "own.model")[1]
    assert line.endswith("train --initmodel own.model --dimz 3 --dim-h 9 --dataset PATH")


@pytest.mark.parametrize("act", ["softplus", "tanh"])
def test_load_torch(torch, act):
    model = Autoencoder(12, 3, 7, getattr(F, act))
    write_torch("small.pt", model)
    found = load_torch("small.pt", act)
    assert type(found) is Autoencoder and found.act_func is model.act_func
    x = np.random.RandomState(0).uniform(0, 1, (5, 12)).astype("f4")
    np.testing.assert_array_equal(found(x).array, model(x).array)
    with pytest.raises(InputError, match="act must be one of softplus, tanh, relu, sigmoid"):
        load_torch("small.pt", "elu")


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_types_become_float32(torch, mnist, dtype):
    module = guide_s_vae(torch).to(getattr(torch, dtype))
    torch.save(dict(module.named_parameters()), "a.pt")  # nn.Parameter is a tensor, too
    model = load_torch("a.pt")
    expected = module.ld3.weight.detach().float().numpy()
    np.testing.assert_array_equal(model.ld3.W.array, expected)
    assert np.isfinite(evaluate(model, mnist.test_images[:10], 1).loss)


def of_a_vae(torch):
    return dict(guide_s_vae(torch, n_in=12, n_latent=3, n_h=7).state_dict())


WRONG = {
    "no state dict": (lambda torch, d: list(d.values()), NOT_A_STATE_DICT),
    "a checkpoint": (lambda torch, d: {"model": d, "epoch": 3}, NOT_A_STATE_DICT),
    "another module": (
        lambda torch, d: torch.nn.Linear(3, 4).state_dict(),
        "has no weights le1.weight: it is not the state dict of a module with the article's names",
    ),
    "nothing": (lambda torch, d: {}, "has no weights le1.weight"),
    "one is missing": (
        lambda torch, d: {name: t for name, t in d.items() if name != "le2.bias"},
        "has no le2.bias: it is not the file that is expected here",
    ),
    "one too many": (
        lambda torch, d: {**d, "le4.weight": torch.zeros(3)},
        "has le4.weight, for which there is no place in its kind of model (vae)",
    ),
    "both kinds": (
        lambda torch, d: {**d, "le3.weight": torch.zeros(3)},
        "for which there is no place in its kind of model (autoencoder)",
    ),
    "another shape": (
        lambda torch, d: {**d, "ld2.weight": torch.zeros(7, 8)},
        "has other sizes: its ld2.weight has shape (7, 8), but (7, 7) is needed",
    ),
    "a vector for weights": (
        lambda torch, d: {**d, "le1.weight": torch.zeros(7)},
        "has no weights le1.weight",
    ),
    "no units": (
        lambda torch, d: {**d, "le1.weight": torch.zeros(0, 12)},
        "dim_h must be a whole number from 1",
    ),
    "NaN": (
        lambda torch, d: {**d, "ld2.bias": torch.full((7,), float("nan"))},
        "holds nan in ld2/b, but only numbers from",
    ),
    "too large for float32": (
        lambda torch, d: {**d, "ld2.bias": torch.full((7,), 1e300, dtype=torch.float64)},
        "holds inf in ld2/b",
    ),
    "whole numbers": (
        lambda torch, d: {**d, "ld2.bias": torch.zeros(7, dtype=torch.int64)},
        NOT_A_STATE_DICT,
    ),
    "a sparse tensor": (
        lambda torch, d: {**d, "ld2.weight": torch.eye(7).to_sparse()},
        NOT_A_STATE_DICT,
    ),
    "a tensor without numbers": (
        lambda torch, d: {**d, "ld2.weight": torch.zeros(7, 7, device="meta")},
        NOT_A_STATE_DICT,
    ),
    "one number that stands for many": (
        lambda torch, d: {**d, "ld2.weight": torch.zeros(1).expand(10**6, 10**6)},
        "is damaged: its tensors are larger than the file",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_names_and_shapes(refused, torch, kind):
    make, expected = WRONG[kind]
    torch.save(make(torch, of_a_vae(torch)), "a.pt")
    line = refused("import-torch", "a.pt", "--out", "new.model")
    assert line.startswith("chainer-vae: error: ") and expected in line


class Exploit:
    def __reduce__(self):
        return Path.touch, (Path("exploited"),)


def test_nothing_in_a_file_is_run(refused, torch):
    torch.save({**of_a_vae(torch), "le2.bias": Exploit()}, "a.pt")
    assert NOT_A_STATE_DICT in refused("import-torch", "a.pt", "--out", "new.model")
    torch.load("a.pt", weights_only=False)
    assert Path("exploited").exists()  # else it would have shown nothing
    Path("exploited").unlink()
    torch.save(of_a_vae(torch), "a.pt", _use_new_zipfile_serialization=False)
    line = refused("import-torch", "a.pt", "--out", "new.model")
    assert "a.pt is damaged, or not a file of torch.save" in line


def test_damaged_files(refused, torch):
    torch.save(of_a_vae(torch), "sound.pt")
    content = bytearray(Path("sound.pt").read_bytes())
    content[content.index(b"data.pkl") + 30] ^= 0xFF
    Path("a.pt").write_bytes(content)
    assert NOT_A_STATE_DICT in refused("import-torch", "a.pt", "--out", "new.model")
    Path("a.pt").write_bytes(content[: len(content) // 2])
    assert "is damaged, or not a file of torch" in refused(
        "import-torch", "a.pt", "-o", "new.model"
    )
    with zipfile.ZipFile("sound.pt") as sound, zipfile.ZipFile("a.pt", "w") as packed:
        for member in sound.infolist():
            packed.writestr(member.filename, sound.read(member), zipfile.ZIP_DEFLATED)
    assert NOT_A_STATE_DICT in refused("import-torch", "a.pt", "--out", "new.model")


@pytest.mark.parametrize("guide", GUIDES, ids=["en", "ja"])
def test_the_guide(said, torch, guide):
    """From top to bottom: the module reads what the command wrote, and Chainer what it saves."""
    said("export", "z20", "--format", "torch")
    module, then = module_of(guide)
    names = {}
    exec(f"{module}\nvae = {then}", names)
    torch.save(names["vae"].state_dict(), "z20.pt")
    said("import-torch", "z20.pt", "--out", "mlp_20.model")
    programs = re.findall(r"^```python\n(.*?)^```$", guide.read_text("utf-8"), re.M | re.S)
    (program,) = (text for text in programs if "from-torch" in text)
    exec(program, {})
    run, z20 = (load_any_model(name)[0] for name in ("runs/from-torch", "z20"))
    np.testing.assert_array_equal(run.ld3.W.array, z20.ld3.W.array)


# Without PyTorch


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "there is no file a.pt"),
        (b"", "is damaged, or not a file of torch.save"),
        (pickle.dumps({"le1.weight": 1}), "is damaged, or not a file of torch.save"),
    ],
)
def test_what_is_no_file_of_pytorch(refused, content, expected):
    if content is not None:
        Path("a.pt").write_bytes(content)
    assert expected in refused("import-torch", "a.pt", "--out", "new.model")


def test_without_pytorch(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with zipfile.ZipFile("a.pt", "w") as file:
        file.writestr("a/data.pkl", b"")
    line = refused("import-torch", "a.pt", "--out", "new.model")
    assert line == "chainer-vae: error: torch is not installed: pip install torch"


def test_what_cannot_be_written():
    with pytest.raises(InputError, match=r"file must end in .pt or .pth, not 'a.zip'"):
        write_torch("a.zip", VAE(12, 3, 7))
    with pytest.raises(TypeError, match="class VAE or Autoencoder, not str"):
        write_torch("a.pt", "z20")
