"""``chainer-vae figures`` and ``projector``, as a user runs them."""

import html
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_idx_folder
from PIL import Image

from chainer_vae import Config, Run, figures, latent
from chainer_vae.cli import main
from chainer_vae.runs.models import MODELS_DIR

ROOT = Path(__file__).parent.parent


def run(*args, cwd, command=(sys.executable, "-m", "chainer_vae")):
    return subprocess.run(
        [*map(str, command), *map(str, args)], cwd=cwd, capture_output=True, text=True
    )


@pytest.mark.slow
def test_draws_and_says_from_what(tmp_path):
    args = ("--only", "digits", "eq-elbo", "--lang", "ja", "--out", "f")
    result = run("figures", *args, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "z20: the model that comes with chainer-vae (seed 0, 100 epochs)"
    assert [line.split()[0] for line in lines[1:3]] == ["eq-elbo", "digits"]
    assert lines[-1] == f"2 figures drawn; to see them, open {Path('f/index.html')}"
    written = {path.name: path.read_bytes() for path in (tmp_path / "f").iterdir()}
    assert written.keys() == {"eq_elbo.png", "index.html", "reconstruct_0to9.png"}
    # The script writes the same files.
    script = (sys.executable, ROOT / "scripts" / "make_figures.py")
    assert run(*args[:-1], "g", cwd=tmp_path, command=script).returncode == 0
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "g").iterdir()}


def test_list(tmp_path):
    result = run("figures", "--list", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    ids = [line.split()[0] for line in result.stdout.splitlines()]
    assert ids == [spec.id for spec in figures.all_figures()]
    japanese = run("figures", "--list", "--lang", "ja", cwd=tmp_path).stdout
    assert "テスト画像" in japanese
    assert list(tmp_path.iterdir()) == []


def test_format_and_language_of_the_page(tmp_path):
    result = run("figures", "--only", "eq-elbo", "--format", "svg", "--lang", "ja", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    folder = tmp_path / "figures"
    assert {path.name for path in folder.iterdir()} == {"eq_elbo.svg", "index.html"}
    page = (folder / "index.html").read_text(encoding="utf-8")
    (spec,) = (spec for spec in figures.all_figures() if spec.id == "eq-elbo")
    assert spec.caption["ja"] in page and spec.caption["en"] not in page
    assert '<html lang="ja">' in page and "3. 理論" in page and 'src="eq_elbo.svg"' in page
    assert "<code>chainer-vae figures --only eq-elbo --lang ja --format svg</code>" in page


def test_the_page_s_commands_draw_the_same(tmp_path):
    """With the options that the figures were drawn with, as a shell takes them."""
    shutil.copytree(MODELS_DIR / "z2", tmp_path / "my run")
    options = ("--rainbow", "--run-z2", "my run")
    result = run("figures", "--only", "latent-scatter", *options, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    page = (tmp_path / "figures" / "index.html").read_text(encoding="utf-8")
    (line,) = re.findall("<code>(.*)</code>", page)
    words = shlex.split(html.unescape(line))
    assert words == ["chainer-vae", "figures", "--only", "latent-scatter", *options]


@pytest.mark.slow
def test_from_the_user_s_run(tmp_path, mnist):
    """The figures show the user's last run on MNIST, or the run that is named, and its data set."""
    data = write_idx_folder(tmp_path / "data", mnist, 100, 60)
    for name, seed in (("old", 1), ("new", 2)):
        config = Config(epoch=1, dimz=2, dim_h=16, seed=seed, dataset=str(data))
        assert len(list(Run.start(config, tmp_path / "runs" / name).train())) == 1
    config_file = tmp_path / "runs" / "new" / "config.json"  # as trained on all of MNIST, in effect
    content = json.loads(config_file.read_text())
    content["arguments"]["dataset"] = content["checksums"] = None
    config_file.write_text(json.dumps(content))
    only = ("--only", "latent-scatter", "interp-0-7-anim", "learning-curve")
    result = run("figures", *only, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    new = Path("runs/new")
    assert f"z2: {new} (seed 2, 1 epoch)" in result.stdout
    assert "z20: the model that comes with" in result.stdout
    with Image.open(tmp_path / "figures" / "latent_scatter.png") as first:
        newest = first.tobytes()
    result = run("figures", *only[:2], "--run-z2", "runs/old", cwd=tmp_path)
    assert result.returncode == 0 and "(seed 1, 1 epoch)" in result.stdout
    with Image.open(tmp_path / "figures" / "latent_scatter.png") as second:
        assert second.tobytes() != newest


@pytest.mark.parametrize(
    ("args", "message", "drawn"),
    (
        (
            ("--only", "latent-scater", "eq-elbo-kl", "x"),
            [
                r"latent-scater: there is no such figure; did you mean latent-scatter\b.*\?",
                "x: there is no such figure; --list names them all",
            ],
            ["eq_elbo_kl.png"],
        ),
        (
            ("--only", "latent-arrow", "eq-elbo-kl", "manifold", "--run-z2", "ae2"),
            ["latent-arrow, manifold: ae2 has --model autoencoder, but --model vae is needed"],
            ["eq_elbo_kl.png"],
        ),
        (
            ("--only", "digits", "eq-elbo-kl", "--run-z20", "nowhere"),
            ["digits: nowhere holds no run: there is no such folder"],
            ["eq_elbo_kl.png"],
        ),
        (
            ("--only", "eq-elbo-kl", "--out", "file"),
            ["--out file is a file; give the name of a folder"],
            [],
        ),
        (("--only", "digits", "--gpu", "99"), ["digits: --gpu 99: .+"], []),
    ),
    ids=("unknown", "z20-for-z2", "no-run", "unwritable", "no-gpu"),
)
def test_what_is_wrong_is_one_line_and_the_rest_is_drawn(tmp_path, args, message, drawn):
    (tmp_path / "file").write_text("not a folder")
    result = run("figures", *args, cwd=tmp_path)
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert len(lines) == len(message), result.stderr
    for line, expected in zip(lines, message):
        assert re.fullmatch(f"chainer-vae: error: {expected}", line), line
    folder = tmp_path / "figures"
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    assert found == sorted([*drawn, "index.html"] if drawn else [])


@pytest.mark.slow
def test_a_mistake_in_one_figure_is_one_line(tmp_path, monkeypatch, capsys):
    """An exception that nobody foresaw; with --debug, its traceback, too."""
    monkeypatch.setattr(latent, "first_of_class", lambda labels, digit: [][digit])
    ids = ("digits", "latent-arrow", "eq-elbo-kl")
    args = ["figures", "--only", *ids, "--out", str(tmp_path)]
    line = "chainer-vae: error: latent-arrow, digits: IndexError: list index out of range\n"
    assert main(args) == 2
    assert capsys.readouterr().err == line
    assert {path.name for path in tmp_path.iterdir()} == {"eq_elbo_kl.png", "index.html"}
    assert main([*args, "--debug"]) == 2
    error = capsys.readouterr().err
    assert error.endswith(line) and "in first" in error
    assert error.count("Traceback (most recent call last)") == 2


@pytest.mark.slow
def test_no_font_and_no_renderer(tmp_path):
    """Optional packages are missing: the font and Graphviz."""
    program = (
        "import sys; from chainer_vae import graph; from chainer_vae.figures import style;"
        "style.FONT_PACKAGE = 'no_such_package'; graph.graphviz = lambda: None;"
        "from chainer_vae.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    ids = ("digits", "eq-elbo", "latent-scatter", "network")
    command = (sys.executable, "-c", program)
    result = run("figures", "--lang", "ja", "--only", *ids, cwd=tmp_path, command=command)
    assert result.returncode == 2
    font, renderer = sorted(result.stderr.splitlines(), key=lambda line: "Graphviz" in line)
    assert font.startswith("chainer-vae: error: latent-scatter, eq-elbo: Japanese labels need")
    assert renderer.startswith("chainer-vae: error: network: Graphviz is needed to lay out")
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert written == ["index.html", "network.dot", "reconstruct_0to9.png"]


def test_projector(tmp_path):
    result = run("projector", "z2", "--out", "p", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "tensorboard --logdir p\n" in result.stdout
    files = {path.name for path in (tmp_path / "p").iterdir()}
    assert files == {"latent_means.tsv", "metadata.tsv", "projector_config.pbtxt", "sprite.png"}
    assert (tmp_path / "p" / "latent_means.tsv").read_text().count("\n") == 10_000
    result = run("projector", "nowhere", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr == "chainer-vae: error: nowhere holds no run: there is no such folder\n"


def test_a_page_of_pdfs(tmp_path):
    result = run("figures", "--only", "eq-elbo", "--format", "pdf", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1].startswith("1 figure drawn; ")
    page = (tmp_path / "figures" / "index.html").read_text(encoding="utf-8")
    assert '<a href="eq_elbo.pdf">eq_elbo.pdf</a>' in page


def test_rainbow_reaches_the_figures(tmp_path, monkeypatch, capsys):
    asked = []

    class Asked(figures.Context):
        def __init__(self, lang, runs, gpu=-1, rainbow=False):
            super().__init__(lang, runs, gpu, rainbow)
            asked.append(rainbow)

    monkeypatch.setattr(figures, "Context", Asked)
    for more in ([], ["--rainbow"]):
        assert main(["figures", "--only", "eq-elbo", "--out", str(tmp_path / "f"), *more]) == 0
    assert asked == [False, True]
