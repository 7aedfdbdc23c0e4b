"""The explorer page: the file, and its behaviour in a real Chromium."""

import importlib
import inspect
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import firefox as firefox_bidi
import numpy as np
import pytest
from conftest import write_idx_folder
from matplotlib.colors import to_hex
from PIL import Image

from chainer_vae import (
    VAE,
    Config,
    InputError,
    Run,
    encode,
    evaluate,
    latent,
    load_autoencoder,
    load_model,
)
from chainer_vae.cli import main
from chainer_vae.datasets import load_data
from chainer_vae.explorer import compact, content, epochs, page, write_page
from chainer_vae.explorer.blob import DIGITS, Blob
from chainer_vae.figures.style import DIGIT_COLORS
from chainer_vae.runs import checkpoints
from chainer_vae.runs.models import MODELS_DIR

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
recorder = importlib.import_module("record_explorer")  # of scripts


def read_blob(text):
    """The arrays of a blob, as the page reads them."""
    numbers = np.zeros(128, np.int64)
    numbers[list(DIGITS)] = np.arange(len(DIGITS))
    groups = numbers[np.frombuffer(text.encode("ascii"), np.uint8)].reshape(-1, 7)
    groups = groups @ (116 ** np.arange(6, -1, -1))
    data = b"".join(int(group).to_bytes(6, "big") for group in groups)
    data = zlib.decompress(data[6 : 6 + int.from_bytes(data[:6], "big")])

    def read(place):
        n = int(np.prod(place["shape"]))
        planes = np.frombuffer(data, np.uint8)[place["start"] :][: n * place["width"]]
        whole = np.zeros((n, 4), np.uint8)
        whole[:, : place["width"]] = planes.reshape(-1, n).T
        if place["kind"] == "float":
            return whole.view("<f4").reshape(place["shape"])
        code = whole.view("<u4").astype(np.int64)
        if place["kind"] == "unsigned":
            return code.reshape(place["shape"])
        return np.where(code % 2, -(code + 1) // 2, code // 2).reshape(place["shape"])

    return read


def parts_of(file):
    """The content and the blob's text in a page."""
    text = file.read_text(encoding="utf-8")
    found = re.search(r'id="content">(.*?)</script>.*?id="blob">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1]), found[2]


class TestCompact:
    rng = np.random.RandomState(0)

    def network(self, sigmoid=True):
        layers = [
            compact.Layer(self.rng.normal(0, 1, shape), self.rng.normal(0, 1, shape[0]))
            for shape in ((20, 2), (20, 20), (9, 20))
        ]
        return compact.Network("softplus", layers, sigmoid)

    def test_decoder_and_encoder_are_the_models(self, mnist):
        model, config = load_model("z2")
        z = self.rng.uniform(-3, 3, (50, 2))
        found = compact.decoder_of(model, config.act)(z)
        np.testing.assert_allclose(found, latent.decode(model, z.astype("f4")), atol=2e-5)
        images = mnist.test_images[:50]
        found = compact.encoder_of(model, config.act)(images.astype("f8"))
        np.testing.assert_allclose(found, np.concatenate(encode(model, images), axis=1), atol=1e-4)

    @pytest.mark.parametrize("act", ["softplus", "tanh", "relu", "sigmoid"])
    def test_activations(self, act):
        import chainer.functions as F

        a = np.linspace(-50, 50, 1001)
        np.testing.assert_allclose(
            compact.ACTIVATIONS[act](a), getattr(F, act)(a).array, rtol=1e-12, atol=1e-15
        )

    def test_constant_units_are_folded(self):
        network = self.network()
        dead = [3, 5, 11]
        network.layers[1].b[dead] = -60  # their softplus is 0 wherever the inputs are
        z = self.rng.uniform(-1, 1, (200, 2))
        folded = compact.fold_constant_units(network, z, 1e-5)
        assert folded.layers[1].W.shape == (17, 20) and folded.layers[2].W.shape == (9, 17)
        np.testing.assert_allclose(folded(z), network(z), atol=1e-5)

    @pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
    def test_rounding_keeps_to_the_tolerance(self, tolerance):
        network = self.network()
        z = self.rng.uniform(-2, 2, (300, 2))
        rounded = compact.round_weights(network, z, tolerance)
        error = np.abs(rounded(z) - network(z)).max()
        # No finer than it needs to be.
        assert tolerance / 50 < error <= tolerance
        for layer in rounded.layers:
            whole = layer.W / layer.step
            np.testing.assert_array_equal(whole, np.rint(whole))
            np.testing.assert_array_equal(layer.step, 2.0 ** np.rint(np.log2(layer.step)))

    def test_what_is_not_finite_is_refused(self):
        network = self.network(sigmoid=False)
        network.layers[2].W[0, 0] = np.nan
        with pytest.raises(InputError, match="not finite"):
            compact.round_weights(network, np.zeros((3, 2)), 1e-3)


def test_blob():
    rng = np.random.RandomState(0)
    arrays = [
        rng.standard_normal((3, 5)).astype("f4"),
        rng.randint(-(2**23), 2**23, (4, 7)),
        np.array([-128, 127]),
        np.array([-129, 128, 0]),
        np.array([2**31 - 1, -(2**31)]),
        np.arange(256, dtype=np.uint8),
    ]
    blob = Blob()
    places = [blob.add(array) for array in arrays]
    assert [place["width"] for place in places] == [4, 3, 1, 2, 4, 1]
    text = blob.text()
    assert text.isascii() and not set(text) & set("<&\0\t\n\r\f\v\x1a")
    read = read_blob(text)
    for place, array in zip(places, arrays):
        np.testing.assert_array_equal(read(place), array)


@pytest.fixture(scope="session")
def shipped_page(tmp_path_factory):
    """The page of the models that come with the package."""
    file = tmp_path_factory.mktemp("explorer") / "page.html"
    return file, write_page(file, "z2", "z20", "ae2")


@pytest.fixture(scope="session")
def small_page(tmp_path_factory, mnist):
    """The page of a small run with snapshots, on a data set of its own."""
    folder = tmp_path_factory.mktemp("small")
    data = write_idx_folder(folder / "data", mnist, 400, 200)
    settings = dict(dimz=2, dim_h=30, epoch=5, snapshots=True, dataset=str(data))
    list(Run.start(Config(**settings), folder / "run").train())
    written = write_page(folder / "page.html", folder / "run", "z20", "ae2")
    return folder / "page.html", folder / "run", written


@pytest.mark.slow
class TestFile:
    def test_everything_is_in_it(self, shipped_page):
        file, written = shipped_page
        assert list(written.shown) == ["z2", "z20", "ae2"] and written.left_out == {}
        assert written.size == file.stat().st_size < 4_000_000
        text = file.read_text(encoding="utf-8")
        assert not re.search(r'(src|href)="(?!data:)', text)
        assert "default-src 'none'" in text
        assert "Copyright 2010-2026 Mike Bostock" in text and "Robert Penner" in text
        assert "CC BY-SA 3.0" in text

    def test_latent_means_and_kl_are_the_models(self, shipped_page, mnist):
        entries, text = parts_of(shipped_page[0])
        read = read_blob(text)
        mu, ln_var = encode(load_model("z2")[0], mnist.test_images[:5000])
        z2 = entries["z2"]
        np.testing.assert_allclose(read(z2["mu"]) * z2["mu"]["step"], mu, atol=1e-3)
        np.testing.assert_allclose(read(z2["lnVar"]) * z2["lnVar"]["step"], ln_var, atol=0.05)
        np.testing.assert_array_equal(read(z2["labels"]), mnist.test_labels[:5000])
        mu, ln_var = encode(load_model("z20")[0], mnist.test_images)
        kl = 0.5 * (mu**2 + np.exp(ln_var) - 1 - ln_var).mean(axis=0)
        np.testing.assert_allclose(entries["z20"]["kl"], kl, atol=1e-3)
        assert entries["z20"]["tolerance"] == entries["z2"]["tolerance"] == 1e-4

    def test_other_data_and_epochs(self, small_page):
        file, run, written = small_page
        assert list(written.shown) == ["z2"] and set(written.left_out) == {"z20", "ae2"}
        assert "other images" in written.left_out["z20"]
        assert written.epochs == 5
        entries, text = parts_of(file)
        assert [entry["epoch"] for entry in entries["epochs"]["epochs"]] == [0, 1, 2, 3, 5]
        means = read_blob(text)(entries["epochs"]["means"]) * entries["epochs"]["means"]["step"]
        model, config = load_model(run)
        expected = encode(model, load_data(config).test_images)[0]
        np.testing.assert_allclose(means[-1], expected, atol=1e-3)

    def test_one_that_would_be_too_large(self, tmp_path, monkeypatch):
        """Less exact decoders, then fewer models."""
        monkeypatch.setattr(content, "N_TRIED", 20)  # to be quick
        file = tmp_path / "page.html"
        monkeypatch.setattr(page, "PLANS", page.PLANS[4:])
        size = write_page(file, "z2", "z20").size
        for limit, shown in ((size + 1000, ["z2", "z20"]), (size - 1000, ["z2"])):
            monkeypatch.setattr(page, "LARGEST", limit)
            written = write_page(file, "z2", "z20", "ae2")
            assert list(written.shown) == shown and written.size < limit
            entries, _ = parts_of(file)
            assert entries["z2"]["tolerance"] == 1e-4
            assert "z20" not in shown or entries["z20"]["tolerance"] == 1e-2
            assert "larger than" in written.left_out["ae2"]


@pytest.mark.parametrize("name", ["z2", "z20", "ae2"])
def test_a_model_that_gives_no_numbers(name, tmp_path):
    shutil.copytree(MODELS_DIR / name, tmp_path / name)
    (file,) = (tmp_path / name).glob("mlp_*.model")
    arrays = checkpoints.load_npz(file)
    arrays["le1/b"][:] = np.nan
    checkpoints.save_npz(file, arrays)
    with pytest.raises(InputError, match="its latent vectors are not all numbers"):
        write_page(tmp_path / "page.html", **{"z2": "z2", name: tmp_path / name})


@pytest.mark.parametrize(
    "name, parameter, value",
    [("z2", "le3_mu/b", 1e25), ("z20", "le3_ln_var/b", 1000), ("ae2", "le3/b", 1e25)],
)
def test_a_model_whose_numbers_the_page_cannot_hold(name, parameter, value, tmp_path):
    """Infinity is no JSON, and a latent mean of 1e25 no whole number of steps."""
    shutil.copytree(MODELS_DIR / name, tmp_path / name)
    (file,) = (tmp_path / name).glob("mlp_*.model")
    arrays = dict(checkpoints.load_npz(file))
    arrays[parameter] = np.full_like(arrays[parameter], value)
    checkpoints.save_npz(file, arrays)
    with pytest.raises(InputError, match=r"its latent (vectors|variances) are not"):
        write_page(tmp_path / "page.html", **{"z2": "z2", name: tmp_path / name})
    assert not (tmp_path / "page.html").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text there")
def test_a_folder_s_name_that_is_not_utf_8(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/run-\xff")
    shutil.copytree(MODELS_DIR / "z2", folder)
    about = content._about(folder)
    assert about["name"] == "run-?"
    json.dumps(about, ensure_ascii=False).encode("utf-8")


def test_nothing_to_fold():
    np.random.seed(0)
    network = compact.decoder_of(VAE(6, 2, 3), "tanh")
    z = np.random.standard_normal((50, 2))
    folded = compact.fold_constant_units(network, z, 1e-12)
    assert [len(layer.b) for layer in folded.layers] == [3, 3, 6]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--run-z2", "z20"],
            "a model with 2 latent dimensions is needed, but z20 has 20;"
            " `chainer-vae train --dimz 2` trains one",
        ),
        (["--run-z2", "nowhere"], "nowhere holds no run"),
        (["--run-z2", "ae2"], "has --model autoencoder, but --model vae is needed"),
        (["--run-ae2", "z2"], "has --model vae, but --model autoencoder is needed"),
        (["--out", "."], "is a folder"),
    ],
)
def test_what_cannot_be_shown(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["explore", *args]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["explore", "--out", str(tmp_path / "file" / "page.html")]) == 2
    out, error = capsys.readouterr()
    assert "fitting" not in out and error.count("\n") == 1


@pytest.mark.slow
def test_the_training_of_the_shipped_model(shipped_page, tmp_path):
    """It comes with the package: as recorded, and of the run whose log is in results."""
    file, written = shipped_page
    assert written.epochs == 13
    entries, text = parts_of(file)
    assert entries["epochs"]["twin"]
    assert [e["epoch"] for e in entries["epochs"]["epochs"]] == [
        0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100,
    ]  # fmt: skip
    recorded = epochs.load(MODELS_DIR / "z2" / epochs.SHIPPED)
    read = read_blob(text)
    means = read(entries["epochs"]["means"]) * entries["epochs"]["means"]["step"]
    np.testing.assert_allclose(means, recorded.means.astype("f8"), atol=5e-4)
    for entry, picture in zip(entries["epochs"]["epochs"], recorded.maps):
        assert read(entry["map"]).astype(np.uint8).tobytes() == picture
    log = MODELS_DIR.parents[1] / "results" / "z2-seed0-engine" / "log"
    if log.exists():  # not where only the package is installed
        losses = [[e["main/loss"], e["validation/main/loss"]] for e in json.loads(log.read_text())]
        np.testing.assert_allclose(entries["epochs"]["log"], losses, atol=6e-4)
    epochs.save(recorded, tmp_path / "again.npz")
    again = epochs.load(tmp_path / "again.npz")
    assert again.maps == recorded.maps
    np.testing.assert_array_equal(again.means, recorded.means)
    np.testing.assert_array_equal(again.log, recorded.log)


def test_a_decoder_that_cannot_be_exact_enough():
    """Weights so large that their finest steps are too coarse: the page says how far it is off."""
    model, config = load_model("z2")
    z = np.random.RandomState(0).uniform(-3, 3, (50, 2))
    model.ld2.W.array[...] *= 100
    model.ld3.W.array[...] *= 3
    fitted = content._fit_decoder(model, config.act, z, 1e-7)
    assert fitted.error > 1e-7
    said = content._said(1e-7, fitted.error)
    assert fitted.error <= said < 10.1 * fitted.error
    assert content._said(1e-4, 3e-5) == 1e-4


@pytest.mark.slow
def test_command(small_page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, run, _ = small_page
    assert main(["explore", "--run-z2", str(run), "--out", "sub/page.html"]) == 0
    out = capsys.readouterr().out
    assert f"z2: {run} (seed 0, 5 epochs)" in out and "z20: left out" in out
    assert "training: 5 snapshots" in out and "open it in a browser" in out
    assert (tmp_path / "sub" / "page.html").stat().st_size < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("found", [True, False])
def test_open(found, small_page, tmp_path):
    """Python asks the program that BROWSER names first; this one keeps the page's address."""
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\n{'echo $1 > opened' if found else 'exit 1'}\n")
    browser.chmod(0o755)
    environment = {**os.environ, "BROWSER": f"{browser} %s", "PATH": "", "DISPLAY": ""}
    command = [sys.executable, "-m", "chainer_vae", "explore", "--open", "--run-z2", small_page[1]]
    out = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True, timeout=300)
    assert out.endswith(" MB\n" if found else " MB; open it in a browser\n")
    if found:
        opened = (tmp_path / "opened").read_text().strip()
        assert opened == (tmp_path / "explorer.html").as_uri()


# In a browser.

PATIENCE = 60  # seconds that something may take on a busy machine


@pytest.fixture
def browser(browser):
    """Its pages are closed after each test, one that failed, too: they would go on moving."""
    yield browser
    for context in browser.contexts:
        context.close()


def open_page(browser, file, place="", script=None, **options):
    """A page, opened at a place, after a script; what it must not do is in its ``faults``."""
    context = browser.new_context(**{"locale": "ja-JP", **options})
    opened = context.new_page()
    opened.faults = []
    if script:
        opened.add_init_script(script)
    # The tests read canvases back, which Chromium has advice about.
    opened.on(
        "console",
        lambda message: "willReadFrequently" in message.text or opened.faults.append(message.text),
    )
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:"))
            or opened.faults.append(f"request: {request.url}")
        ),
    )
    opened.goto(file.as_uri() + place)
    wait_until(opened, "window.explorer !== undefined")
    return opened


@pytest.fixture
def desktop(browser, shipped_page):
    opened = open_page(browser, shipped_page[0], viewport=dict(width=1280, height=900))
    yield opened
    assert opened.faults == []


@pytest.fixture
def phone(browser, shipped_page):
    opened = open_page(
        browser, shipped_page[0], viewport=dict(width=390, height=844),
        device_scale_factor=2, has_touch=True, is_mobile=True,
    )  # fmt: skip
    yield opened
    assert opened.faults == []


def pixels(page, selector):
    """The grey values of a canvas of 28 x 28, 0 to 255."""
    data = page.evaluate(
        "selector => Array.from(document.querySelector(selector).getContext('2d')"
        ".getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0)",
        selector,
    )
    return np.array(data)


def assert_shows(page, selector, image):
    """A canvas has the picture that Chainer gives."""
    np.testing.assert_allclose(pixels(page, selector), 255 * np.asarray(image).ravel(), atol=0.56)


def wait_until(page, expression):
    """Playwright's own waiting evaluates text, which the page's policy forbids."""
    deadline = time.monotonic() + PATIENCE
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


def next_frame(page):
    """Playwright waits without an end for what is evaluated, so this ends by itself."""
    page.evaluate(
        """(patience) => new Promise((done, fail) => {
          requestAnimationFrame(() => setTimeout(done));
          setTimeout(() => fail(new Error("no frame")), 1000 * patience);
        })""",
        PATIENCE,
    )


def point(page):
    return page.evaluate("explorer.plane.z")


@pytest.fixture(scope="session")
def z2():
    return load_model("z2")[0]


@pytest.fixture(scope="session")
def z20():
    return load_model("z20")[0]


def decode(model, z):
    return latent.decode(model, np.atleast_2d(np.asarray(z, "f4")))[0]


@pytest.mark.slow
class TestPage:
    def test_decoders_agree_with_chainers(self, desktop, shipped_page, z2, z20, mnist):
        rng = np.random.RandomState(3)
        limit = desktop.evaluate("explorer.plane.bounds.high[0]")
        fixed = [[0, 0], [2, -2], [-2, 2], [limit, limit], [-limit, 0.5]]
        latents = {
            "decode": (z2, np.concatenate([fixed, rng.uniform(-limit, limit, (300, 2))])),
            "decode20": (
                z20,
                np.concatenate(
                    [encode(z20, mnist.test_images[2000:2100])[0], rng.standard_normal((100, 20))]
                ),
            ),
        }
        for name, (model, z) in latents.items():
            z = z.astype("f4")
            found = desktop.evaluate(
                "([name, latents]) => latents.map((z) => Array.from(explorer[name](z)))",
                [name, z.tolist()],
            )
            np.testing.assert_allclose(found, latent.decode(model, z), atol=1e-4, err_msg=name)
        model, _ = load_autoencoder("ae2")
        z = model.encode(mnist.test_images[3000:3200]).array
        found = desktop.evaluate(
            "latents => latents.map((z) => Array.from(explorer.decodePlain(z)))", z.tolist()
        )
        tolerance = parts_of(shipped_page[0])[0]["ae2"]["tolerance"]
        assert tolerance <= 1e-3
        np.testing.assert_allclose(found, latent.decode(model, z), atol=tolerance)

    def test_hovering_and_dragging_decode(self, desktop, z2):
        for x, y, buttons in ((200, 150, False), (300, 420, False), (330, 410, True)):
            if buttons:
                desktop.mouse.down()
            desktop.hover("#plane canvas.over", position=dict(x=x, y=y))
            z = point(desktop)
            expected = desktop.evaluate("([x, y]) => explorer.plane.toLatent([x, y])", [x, y])
            np.testing.assert_allclose(z, expected, atol=0.02)
            assert_shows(desktop, "#decoded", decode(z2, z))
            text = desktop.inner_text("#decoded-z").replace("−", "-")
            np.testing.assert_allclose(
                [float(n) for n in re.findall(r"-?\d+\.\d+", text)], z, atol=0.0051
            )
        desktop.mouse.up()
        desktop.click("#random-z")
        assert point(desktop) != z

    def test_nearest_image(self, desktop, z2, mnist):
        mu = encode(z2, mnist.test_images[:5000])[0]
        desktop.evaluate("z => explorer.plane.moveTo(z)", mu[7].tolist())
        nearest = int(np.hypot(*(mu - mu[7]).T).argmin())
        label = mnist.test_labels[nearest]
        assert f"最も近いのは {label}（" in desktop.inner_text("#nearest")
        near = mnist.test_labels[np.hypot(*(mu - mu[7]).T).argsort()[:15]]
        counts = np.bincount(near, minlength=10)
        said = re.findall(r"(\d) が(\d+)枚", desktop.inner_text("#nearest"))
        assert 1 <= len(said) <= 3
        assert [counts[int(digit)] for digit, _ in said] == [int(count) for _, count in said]
        assert int(said[0][1]) == counts.max()
        rest = 15 - sum(int(count) for _, count in said)
        assert (f"ほかが{rest}枚" in desktop.inner_text("#nearest")) == (rest > 0)
        desktop.evaluate("explorer.plane.moveTo([4.9, 4.9])")
        assert desktop.inner_text("#nearest").strip() == ""

    def test_zooming_and_the_map(self, desktop, z2):
        over = "#plane canvas.over"
        k = "explorer.plane.transform.k"
        before = desktop.evaluate(k)
        desktop.hover(over, position=dict(x=270, y=270))
        desktop.mouse.wheel(0, -300)  # the page's, until the plane has been clicked
        next_frame(desktop)
        assert desktop.evaluate(k) == before
        desktop.click(over, position=dict(x=270, y=270))
        desktop.mouse.wheel(0, -300)
        wait_until(desktop, f"{k} > {before} * 1.2")
        desktop.click("#zoom-reset")
        desktop.check("#show-map")
        for _ in range(6):
            desktop.click("#zoom-out")
        assert desktop.evaluate(k) == 1
        wait_until(desktop, "explorer.plane.tiles.size > 50")
        # A place of the map beyond +-2, when it has been decoded: what Chainer gives there.
        decoded = """(() => {
          for (const [key, tile] of explorer.plane.tiles) {
            const [level, i, j] = key.split(":").map(Number);
            const z = [(i + 0.5) * 2 ** level, (j + 0.5) * 2 ** level];
            if (Math.abs(z[0]) > 3 && Math.abs(z[1]) > 3) {
              const { data } = tile.getContext("2d").getImageData(0, 0, 28, 28);
              return { z, grey: Array.from(data).filter((_, i) => i % 4 === 0) };
            }
          }
        })()"""
        wait_until(desktop, f"{decoded} !== undefined")
        place = desktop.evaluate(decoded)
        np.testing.assert_allclose(place["grey"], 255 * decode(z2, place["z"]), atol=0.56)
        # Moved by Shift and dragging; the point stays.
        desktop.click("#zoom-reset")
        z, x = point(desktop), desktop.evaluate("explorer.plane.transform.x")
        desktop.hover(over, position=dict(x=300, y=300))
        z = point(desktop)
        desktop.keyboard.down("Shift")
        desktop.mouse.down()
        desktop.hover(over, position=dict(x=240, y=300))
        desktop.mouse.up()
        desktop.keyboard.up("Shift")
        assert desktop.evaluate("explorer.plane.transform.x") < x - 30
        assert point(desktop) == z

    def test_points_can_be_hidden(self, desktop):
        count = """() => {
          const canvas = document.querySelector("#plane canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let coloured = 0;
          for (let i = 0; i < data.length; i += 4) coloured += Math.abs(data[i] - data[i + 2]) > 60;
          return coloured;
        }"""
        next_frame(desktop)
        assert desktop.evaluate(count) > 20_000
        desktop.uncheck("#show-points")
        next_frame(desktop)
        assert desktop.evaluate(count) == 0

    def test_keyboard(self, desktop, z2):
        desktop.focus("#plane canvas.over")
        scale = desktop.evaluate("explorer.plane.scale")
        z = np.array(point(desktop))
        for key, move in (
            ("ArrowRight", (5, 0)), ("ArrowUp", (0, 5)), ("Shift+ArrowLeft", (-25, 0)),
            ("ArrowDown", (0, -5)),
        ):  # fmt: skip
            desktop.keyboard.press(key)
            z = z + np.array(move) / scale
            np.testing.assert_allclose(point(desktop), z, atol=1e-6)
        assert_shows(desktop, "#decoded", decode(z2, z))
        k = desktop.evaluate("explorer.plane.transform.k")
        desktop.keyboard.press("+")
        assert desktop.evaluate("explorer.plane.transform.k") == pytest.approx(1.5 * k)
        for _ in range(80):
            desktop.keyboard.press("ArrowRight")
        x, y = desktop.evaluate("explorer.plane.toPixels(explorer.plane.z)")
        side = desktop.evaluate("explorer.plane.side")
        assert -1 <= x <= side + 1 and -1 <= y <= side + 1  # the plane went along
        desktop.keyboard.press("0")
        assert desktop.evaluate("explorer.plane.transform.k") == pytest.approx(k)
        desktop.focus("#tab-decode")
        desktop.keyboard.press("ArrowRight")
        assert desktop.is_visible("#panel-draw") and desktop.is_hidden("#panel-decode")

    def draw(self, page, places):
        box = page.locator("#pad").bounding_box()
        to_page = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in places]
        page.mouse.move(*to_page[0])
        page.mouse.down()
        for place in to_page[1:]:
            page.mouse.move(*place, steps=5)
        page.mouse.up()
        next_frame(page)

    def test_drawing(self, desktop, z2):
        desktop.click("#tab-draw")
        desktop.click("#clear")
        next_frame(desktop)
        assert pixels(desktop, "#reconstruction").max() == 0
        self.draw(desktop, [(0.3, 0.2), (0.7, 0.2), (0.5, 0.5), (0.45, 0.85)])  # a 7
        image = pixels(desktop, "#drawn").reshape(28, 28) / 255
        rows, columns = np.nonzero(image > 0.2)
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21  # as MNIST has its digits
        mass = image / image.sum()
        centre = (mass.sum(axis=1) @ np.arange(28), mass.sum(axis=0) @ np.arange(28))
        np.testing.assert_allclose(centre, 14, atol=0.05)

        posterior = desktop.evaluate("explorer.subject.posterior")
        exact = np.float32(desktop.evaluate("Array.from(explorer.subject.image)"))[None]
        mu, ln_var = (found[0] for found in encode(z2, exact))
        np.testing.assert_allclose(posterior["mu"], mu, atol=0.1)
        np.testing.assert_allclose(posterior["lnVar"], ln_var, atol=0.4)
        assert_shows(desktop, "#reconstruction", decode(z2, posterior["mu"]))
        kl = [(m * m + np.exp(v) - v - 1) / 2 for m, v in zip(posterior["mu"], posterior["lnVar"])]
        shown = re.findall(r"(\d+\.\d\d) nats", desktop.inner_text("#drawn-kl"))
        np.testing.assert_allclose([float(n) for n in shown], kl, atol=0.006)
        y = decode(z2, posterior["mu"]).clip(1e-7, 1 - 1e-7)
        rec = -(exact[0] * np.log(y) + (1 - exact[0]) * np.log(1 - y)).sum()
        assert f"{rec:.1f}" in desktop.inner_text("#drawn-loss")

        # Five samples, about sigma from mu; others when asked.
        samples = np.array(desktop.evaluate("explorer.drawing.samples"))
        assert (np.abs((samples - posterior["mu"]) / posterior["sigma"]) < 5).all()
        assert_shows(desktop, "#samples canvas:nth-child(3)", decode(z2, samples[2]))
        desktop.click("#resample")
        assert (np.array(desktop.evaluate("explorer.drawing.samples")) != samples).all()
        assert desktop.evaluate("explorer.subject.posterior") == posterior
        desktop.click("#clear")
        next_frame(desktop)
        assert pixels(desktop, "#drawn").max() == 0

    def test_ellipse_and_samples_are_marked(self, desktop):
        desktop.click("#tab-draw")
        count = """() => {
          const canvas = document.querySelector("#plane canvas.over");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((value, i) => i % 4 === 3 && value > 0).length;
        }"""
        desktop.click("#clear")
        next_frame(desktop)
        before = desktop.evaluate(count)
        self.draw(desktop, [(0.5, 0.15), (0.5, 0.85)])
        next_frame(desktop)
        assert desktop.evaluate(count) > before + 20

    def test_test_images(self, desktop, mnist):
        desktop.click("#tab-draw")
        for digit in (4, 9):
            desktop.click(f"#examples >> text={digit}")
            next_frame(desktop)
            image = pixels(desktop, "#drawn")
            among = np.rint(mnist.test_images[mnist.test_labels == digit] * 255)
            assert (np.abs(among - image).max(axis=1) <= 1).any()
        self.draw(desktop, [(0.5, 0.15), (0.5, 0.85)])  # takes its place
        assert (pixels(desktop, "#drawn").reshape(28, 28)[:, :9] == 0).all()

    def test_drawings_look_like_mnists(self, desktop, mnist):
        """Large or small, as wide strokes; the centre of mass where MNIST has it; none cut off."""
        ys, xs = np.mgrid[:28, :28]
        threes = mnist.test_images[mnist.test_labels == 3].reshape(-1, 28, 28)
        masses = threes.sum(axis=(1, 2))
        np.testing.assert_allclose((threes * xs).sum(axis=(1, 2)) / masses, 14, atol=0.6)
        three = np.array([(0, 0), (1, 0), (0.4, 0.45), (1, 0.75), (0.5, 1), (0, 0.9)])
        means = []
        desktop.click("#tab-draw")
        for size in (0.12, 0.35, 0.8):
            desktop.click("#clear")
            self.draw(desktop, (0.1 + size * three * (0.7, 1)).tolist())
            image = pixels(desktop, "#drawn").reshape(28, 28) / 255
            means.append(image.mean())
            centre = [(image * axis).sum() / image.sum() for axis in (xs, ys)]
            np.testing.assert_allclose(centre, 14, atol=0.05)
        assert max(means) < 1.1 * min(means)
        low, high = np.quantile(threes.mean(axis=(1, 2)), [0.05, 0.95])
        assert low < means[1] < high
        desktop.click("#clear")
        self.draw(desktop, [(0.1, 0.1), (0.1, 0.9), (0.9, 0.9)])  # its mass is in a corner
        image = pixels(desktop, "#drawn").reshape(28, 28)
        assert (image > 200).any(axis=0).sum() >= 19 and (image > 200).any(axis=1).sum() >= 19

    def test_a_tap_is_a_dot_and_strokes_begin_on_the_pad(self, desktop):
        desktop.click("#tab-draw")
        box = desktop.locator("#pad").bounding_box()
        desktop.mouse.click(box["x"] + 50, box["y"] + 50)
        next_frame(desktop)
        before = pixels(desktop, "#drawn")
        assert before.max() > 200
        desktop.mouse.move(box["x"] - 20, box["y"] + 50)
        desktop.mouse.down()
        desktop.mouse.move(box["x"] + 100, box["y"] + 100)
        desktop.mouse.up()
        next_frame(desktop)
        np.testing.assert_array_equal(pixels(desktop, "#drawn"), before)

    def test_a_stroke_ends_when_the_pad_is_cleared(self, desktop):
        """By another finger, while the first one draws."""
        desktop.click("#tab-draw")
        box = desktop.locator("#pad").bounding_box()
        desktop.mouse.move(box["x"] + 50, box["y"] + 50)
        desktop.mouse.down()
        desktop.mouse.move(box["x"] + 80, box["y"] + 80)
        desktop.evaluate("document.getElementById('clear').click()")
        desktop.mouse.move(box["x"] + 100, box["y"] + 60)
        desktop.mouse.up()
        next_frame(desktop)
        assert pixels(desktop, "#drawn").max() == 0

    def test_a_clicked_point_stays(self, desktop):
        over = "#plane canvas.over"
        desktop.click(over, position=dict(x=200, y=220))
        z = point(desktop)
        desktop.hover(over, position=dict(x=300, y=300))
        assert point(desktop) != z
        desktop.hover("#tab-interpolate")
        assert point(desktop) == z
        desktop.click("#zoom-in")
        desktop.click("#zoom-in")
        x, y = desktop.evaluate("explorer.plane.toPixels(explorer.plane.z)")
        np.testing.assert_allclose([x, y], [200, 220], atol=2)
        desktop.set_viewport_size(dict(width=800, height=700))  # the view stays, too
        wait_until(desktop, "explorer.plane.side < 500")
        side = desktop.evaluate("explorer.plane.side")
        x, y = desktop.evaluate("explorer.plane.toPixels(explorer.plane.z)")
        assert x / side == pytest.approx(200 / 544, abs=0.01)

    def test_interpolation(self, desktop, z2, z20, mnist):
        desktop.click("#tab-interpolate")
        firsts = [int(np.flatnonzero(mnist.test_labels == digit)[0]) for digit in (3, 8)]
        desktop.click("#interpolation-start >> text=3")
        desktop.click("#interpolation-end >> text=8")
        images = mnist.test_images[firsts]
        for model, canvas, atol in (
            (z2, "#interpolation-z2", 2.0),
            (z20, "#interpolation-z20", 0.6),
        ):
            start, end = encode(model, images)[0]
            for t in (0, 0.35, 1):
                desktop.fill("#interpolation-t", str(t))
                expected = 255 * decode(model, (1 - t) * start + t * end)
                # The page has the latent means of z2 to 0.0005.
                np.testing.assert_allclose(pixels(desktop, canvas), expected, atol=atol)
        desktop.fill("#interpolation-t", "0")
        desktop.click("#interpolation-play")
        wait_until(desktop, "document.getElementById('interpolation-t').value > 0.1")
        desktop.click("#interpolation-play")
        t = desktop.input_value("#interpolation-t")
        next_frame(desktop)
        assert desktop.input_value("#interpolation-t") == t
        # From the cross-hair, too.
        desktop.evaluate("explorer.plane.pin([1, -1])")
        desktop.click("#interpolation-start >> text=十字の位置")
        desktop.fill("#interpolation-t", "0")
        assert_shows(desktop, "#interpolation-z2", decode(z2, [1, -1]))
        assert desktop.is_hidden("#interpolation-z20-figure")

    def test_latent_dimensions(self, desktop, z20, mnist):
        mu, ln_var = encode(z20, mnist.test_images)
        kl = 0.5 * (mu**2 + np.exp(ln_var) - 1 - ln_var).mean(axis=0)
        order = [f"z{dimension + 1}" for dimension in np.argsort(-kl)]
        names = desktop.locator(".dimension > span:first-child").all_inner_texts()
        assert names[:11] == order[:11]
        values = "[...document.querySelectorAll('.dimension input')].map((input) => +input.value)"

        def latent_vector():
            z = np.zeros(20)
            z[[int(name[1:]) - 1 for name in names]] = desktop.evaluate(values)
            return z

        desktop.click("#dimensions-zero")
        next_frame(desktop)
        assert (latent_vector() == 0).all()
        assert_shows(desktop, "#dimensions-image", decode(z20, np.zeros(20)))
        before = pixels(desktop, "#dimensions-image")
        desktop.locator(".dimension input").nth(0).fill("2.5")
        next_frame(desktop)
        assert_shows(desktop, "#dimensions-image", decode(z20, latent_vector()))
        assert np.abs(pixels(desktop, "#dimensions-image") - before).max() > 50
        before = pixels(desktop, "#dimensions-image")
        desktop.locator(".dimension input").nth(19).fill("3")
        next_frame(desktop)
        assert np.abs(pixels(desktop, "#dimensions-image") - before).max() < 50
        desktop.click("#dimensions-start >> text=4")
        next_frame(desktop)
        first = int(np.flatnonzero(mnist.test_labels == 4)[0])
        assert_shows(desktop, "#dimensions-image", decode(z20, mu[first]))
        desktop.click("#dimensions-random")
        next_frame(desktop)
        assert 0.3 < np.std(latent_vector()) < 2

    def test_comparison(self, desktop, z2, mnist):
        model, _ = load_autoencoder("ae2")
        z = model.encode(mnist.test_images[:5000]).array
        text = desktop.inner_text("#plain-spread").replace("−", "-")
        shown = [float(n) for n in re.findall(r"-?\d+\.\d+", text)]
        expected = [*z.mean(axis=0), *z.std(axis=0)]
        np.testing.assert_allclose(shown, expected, atol=0.02)
        desktop.hover("#plane-plain canvas.over", position=dict(x=250, y=250))
        assert pixels(desktop, "#plain-image").max() > 50
        before = pixels(desktop, "#plain-image")
        desktop.hover("#plane-plain canvas.over", position=dict(x=200, y=300))
        assert np.abs(pixels(desktop, "#plain-image") - before).max() > 50
        desktop.click("#comparison-random")
        assert pixels(desktop, "#variational-image").max() > 50

    def test_a_link_may_ask_for_a_language(self, desktop, shipped_page):
        for fragment, lang in (("#en", "en"), ("#ja", "ja"), ("#toString", "ja"), ("", "ja")):
            desktop.goto("about:blank")
            desktop.goto(shipped_page[0].as_uri() + fragment)
            wait_until(desktop, "window.explorer !== undefined")
            assert desktop.evaluate("document.documentElement.lang") == lang

    def test_languages(self, desktop):
        keys = desktop.evaluate(
            """() => [TEXT.ja, TEXT.en].map((texts) =>
              Object.entries(texts).map(([key, text]) => `${key} ${typeof text} ${text !== ""}`))"""
        )
        assert keys[0] == keys[1]
        japanese = re.compile("[ぁ-んァ-ン一-龥]")
        assert desktop.evaluate("document.documentElement.lang") == "ja"
        texts = "main, footer, h1, header > p"
        assert japanese.search(desktop.title())
        desktop.click("text=English")
        assert desktop.evaluate("document.documentElement.lang") == "en"
        assert not japanese.search(desktop.title())
        for tab in ("decode", "draw", "interpolate"):
            desktop.click(f"#tab-{tab}")
            for text in desktop.locator(texts).all_inner_texts():
                assert not japanese.search(text.replace("Autoencoder徹底解説", "")), text
        labels = "Array.from(document.querySelectorAll('[aria-label]'), (e) => e.ariaLabel)"
        for label in desktop.evaluate(labels):
            assert label == "言語 / Language" or not japanese.search(label)
        desktop.click("text=日本語")
        assert "2次元の潜在空間" in desktop.inner_text("#stage-title")
        # No control is without a name.
        nameless = desktop.evaluate(
            """() => [...document.querySelectorAll("button, input, [tabindex='0'], [role=img]")]
              .filter((e) => !e.ariaLabel && !(e.closest("label") ?? e).textContent.trim())
              .map((e) => e.outerHTML)"""
        )
        assert nameless == []

    def test_japanese_glyphs_are_shown(self, desktop):
        """Not the box that stands for a missing letter."""
        pictures = desktop.evaluate(
            """() => ["潜", "在", "変", "\\u{10fffd}"].map((letter) => {
              const canvas = document.createElement("canvas");
              const context = canvas.getContext("2d");
              context.font = `40px ${getComputedStyle(document.body).fontFamily}`;
              context.fillText(letter, 10, 60);
              return canvas.toDataURL();
            })"""
        )
        assert len(set(pictures)) == 4, "install a Japanese font, such as fonts-ipafont-gothic"

    def test_phone(self, phone, z2):
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        over = phone.locator("#plane canvas.over")
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        session = phone.context.new_cdp_session(phone)

        def touch(kind, *places):
            points = [
                {"x": box["x"] + u * box["width"], "y": box["y"] + v * box["height"], "id": i}
                for i, (u, v) in enumerate(places)
            ]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (0.5, 0.5))
        touch("touchMove", (0.4, 0.3))
        touch("touchMove", (0.3, 0.2))
        next_frame(phone)
        z = point(phone)
        touch("touchEnd")
        side = phone.evaluate("explorer.plane.side")
        expected = phone.evaluate(
            "([x, y]) => explorer.plane.toLatent([x, y])", [0.3 * side, 0.2 * side]
        )
        np.testing.assert_allclose(z, expected, atol=0.03)
        assert_shows(phone, "#decoded", decode(z2, z))
        k = phone.evaluate("explorer.plane.transform.k")
        touch("touchStart", (0.45, 0.5), (0.55, 0.5))
        for spread in (0.1, 0.15, 0.2, 0.25):
            touch("touchMove", (0.5 - spread, 0.5), (0.5 + spread, 0.5))
        touch("touchEnd")
        assert phone.evaluate("explorer.plane.transform.k") > 1.5 * k
        assert point(phone) == z  # two fingers do not move it
        for tab in ("draw", "interpolate"):
            phone.tap(f"#tab-{tab}")
            assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        phone.tap("#tab-draw")
        pad = phone.locator("#pad")
        pad.evaluate("(pad) => pad.scrollIntoView({ block: 'end' })")  # below the plane
        box = pad.bounding_box()
        touch("touchStart", (0.5, 0.15))
        for v in (0.3, 0.5, 0.7, 0.85):
            touch("touchMove", (0.5, v))
        touch("touchEnd")
        next_frame(phone)
        wait_until(phone, "explorer.subject.image !== null")
        next_frame(phone)
        assert pixels(phone, "#drawn").max() > 200

    def test_epochs(self, browser, small_page):
        file, run, _ = small_page
        opened = open_page(browser, file, viewport=dict(width=1280, height=900), locale="en-US")
        assert opened.is_hidden("#dimensions-section") and opened.is_hidden("#comparison-section")
        log = json.loads((run / "log").read_text())
        last = log[-1]["validation/main/loss"]
        assert opened.inner_text("#epoch-value") == f"Epoch 5 (test loss {last:.1f})"
        picture = "document.getElementById('epoch-means').toDataURL()"
        seen = set()
        for place, words in (
            (0, "Epoch 0 (untrained)"),
            (1, "Epoch 1 (test loss"),
            (3, "Epoch 3 (test loss"),
        ):
            opened.fill("#epoch", str(place))
            assert opened.inner_text("#epoch-value").startswith(words)
            seen.add(opened.evaluate(picture))
            seen.add(opened.get_attribute("#epoch-map", "src"))
        assert len(seen) == 6
        assert (
            opened.evaluate("document.getElementById('epoch-map').naturalWidth")
            == 28 * epochs.N_MAP
        )
        opened.click("#epoch-play")
        wait_until(opened, "document.getElementById('epoch').value === '4'")
        assert opened.faults == []
        opened.context.close()


def digits_in(text):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text.replace("−", "-"))]


def boxes(page, *selectors):
    return [page.locator(selector).bounding_box() for selector in selectors]


def assert_together(page, *selectors):
    """All are whole on the screen, and none is on top of another."""
    size = page.evaluate("[document.documentElement.clientWidth, innerHeight]")
    found = boxes(page, *selectors)
    for selector, box in zip(selectors, found):
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0] + 0.5, selector
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1] + 0.5, (selector, box)
    for i, a in enumerate(found):
        for b in found[:i]:
            apart = (
                a["x"] >= b["x"] + b["width"] or b["x"] >= a["x"] + a["width"]
                or a["y"] >= b["y"] + b["height"] or b["y"] >= a["y"] + a["height"]
            )  # fmt: skip
            assert apart, (a, b)


# The pixels of the flag's colour within some pixels of a place on the plane.
FLAG = """([z, reach]) => {
  const { plane } = explorer;
  const canvas = document.querySelector("#plane canvas.over");
  const [x, y] = plane.toPixels(z).map((p) => Math.round(p * plane.ratio));
  const far = Math.round(reach * plane.ratio);
  const { data } = canvas.getContext("2d").getImageData(x - far, y - far, 2 * far, 2 * far);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    found += data[i] === 245 && data[i + 1] === 158 && data[i + 2] === 11;
  }
  return found / plane.ratio ** 2;
}"""


@pytest.mark.slow
class TestFlow:
    """The model on the screen."""

    def test_a_test_image_is_flowing_when_the_page_opens(self, desktop, z2, mnist):
        text = "document.getElementById('flow-eps').textContent"
        first = desktop.evaluate(text)
        wait_until(desktop, f"{text} !== {first!r}")
        second = desktop.evaluate(text)
        wait_until(desktop, f"{text} !== {second!r}")
        desktop.click("#flow-play")
        assert desktop.inner_text("#flow-play") == "再生"
        still = desktop.evaluate(text)
        desktop.wait_for_timeout(1000)
        assert desktop.evaluate(text) == still
        # From x to x'.
        x = pixels(desktop, "#flow-x")
        (index,) = np.flatnonzero((np.rint(mnist.test_images * 255) == x).all(axis=1))
        label = desktop.get_attribute("#flow-x", "aria-label")
        assert label == f"入力画像 x：{mnist.test_labels[index]} のテスト画像"
        posterior, z, eps = desktop.evaluate(
            "[explorer.subject.posterior, explorer.flow.z, explorer.flow.eps]"
        )
        mu, ln_var = (found[0] for found in encode(z2, mnist.test_images[[index]]))
        np.testing.assert_allclose(posterior["mu"], mu, atol=0.08)
        np.testing.assert_allclose(posterior["sigma"], np.exp(ln_var / 2), rtol=0.15)
        np.testing.assert_allclose(
            z, np.array(posterior["mu"]) + posterior["sigma"] * np.array(eps)
        )
        np.testing.assert_allclose(digits_in(desktop.inner_text("#flow-eps")), eps, atol=0.0051)
        np.testing.assert_allclose(digits_in(desktop.inner_text("#flow-z")), z, atol=0.0051)
        shown = (
            digits_in(desktop.inner_text("#flow-mu")),
            digits_in(desktop.inner_text("#flow-sigma")),
        )
        np.testing.assert_allclose(shown[0], posterior["mu"], atol=0.0051)
        np.testing.assert_allclose(shown[1], posterior["sigma"], atol=0.00051)
        y = decode(z2, z)
        assert_shows(desktop, "#flow-output", y)
        # Both terms of the loss.
        y = y.clip(1e-7, 1 - 1e-7)
        image = mnist.test_images[index]
        costs = -(image * np.log(y) + (1 - image) * np.log(1 - y))
        variance = np.square(posterior["sigma"])
        kl = (np.square(posterior["mu"]) + variance - np.log(variance) - 1) / 2
        for name, value in {
            "rec": costs.sum(), "kl": kl.sum(), "kl-1": kl[0], "kl-2": kl[1],
            "loss": costs.sum() + kl.sum(),
        }.items():  # fmt: skip
            assert digits_in(desktop.inner_text(f"#flow-{name}")) == pytest.approx(
                [value], abs=0.06
            )
        widths = [
            desktop.locator(f"#flow-stack .fill >> nth={i}").bounding_box()["width"] for i in (0, 1)
        ]
        assert widths[1] / widths[0] == pytest.approx(kl.sum() / costs.sum(), rel=0.02)
        alpha = desktop.evaluate(
            "Array.from(document.getElementById('flow-error').getContext('2d')"
            ".getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 3)"
        )
        np.testing.assert_allclose(alpha, np.minimum(255 * costs / 2.5, 255), atol=1.5)
        desktop.click("#flow-noise")
        assert desktop.evaluate(text) != still

    def test_it_rests_where_nobody_sees_it(self, desktop):
        running = "explorer.flow.timer !== undefined"
        wait_until(desktop, running)
        desktop.evaluate("document.querySelector('footer').scrollIntoView()")
        wait_until(desktop, f"!({running})")
        desktop.evaluate("scrollTo(0, 0)")
        wait_until(desktop, running)
        desktop.evaluate(
            """() => {
              Object.defineProperty(document, "hidden", { value: true, configurable: true });
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
        assert not desktop.evaluate(running)
        desktop.evaluate("delete document.hidden")
        desktop.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert desktop.evaluate(running)
        desktop.click("#flow-clear")  # no image, no noise
        next_frame(desktop)
        assert not desktop.evaluate(running)
        assert pixels(desktop, "#flow-output").max() == 0
        assert desktop.get_attribute("#flow-x", "aria-label") == "まだ入力がありません。"
        # What is below stays where it is.
        without = boxes(desktop, ".stage")
        desktop.click("#flow-examples >> text=8")
        next_frame(desktop)
        assert boxes(desktop, ".stage") == without

    def test_reduced_motion(self, browser, shipped_page):
        opened = open_page(browser, shipped_page[0], reduced_motion="reduce", locale="en-US")
        text = "document.getElementById('flow-eps').textContent"
        still = opened.evaluate(text)
        opened.wait_for_timeout(1000)
        assert opened.evaluate(text) == still
        assert pixels(opened, "#flow-output").max() > 100  # one sample
        opened.click("#flow-noise")
        assert opened.evaluate(text) != still
        assert opened.inner_text("#flow-play") == "Play"
        assert opened.faults == []
        opened.context.close()

    def test_x_is_drawn_or_chosen(self, desktop, mnist):
        desktop.click("#flow-examples >> text=7")
        sevens = np.rint(mnist.test_images[mnist.test_labels == 7] * 255)
        for name in ("#flow-x", "#drawn"):
            assert (sevens == pixels(desktop, name)).all(axis=1).any()
        for name in ("flow-examples", "examples"):
            pressed = desktop.locator(f"#{name} [aria-pressed=true]")
            assert pressed.evaluate_all("(all) => all.map((e) => e.textContent)") == ["7"]
        np.testing.assert_allclose(
            point(desktop), desktop.evaluate("explorer.subject.posterior.mu")
        )
        pad = desktop.locator("#flow-pad")
        box = pad.bounding_box()
        desktop.mouse.move(box["x"] + 56, box["y"] + 15)
        desktop.mouse.down()
        desktop.mouse.move(box["x"] + 56, box["y"] + 95, steps=5)
        assert pad.evaluate("(pad) => getComputedStyle(pad).opacity") == "1"
        desktop.mouse.up()
        next_frame(desktop)
        assert pad.evaluate("(pad) => getComputedStyle(pad).opacity") == "0"  # x is below it
        image = pixels(desktop, "#flow-x").reshape(28, 28)
        assert (image[:, :9] == 0).all() and (image[6:22, 14] > 200).all()  # a 1
        assert desktop.get_attribute("#flow-x", "aria-label") == "入力画像 x：描いた画像"
        np.testing.assert_array_equal(pixels(desktop, "#drawn"), image.ravel())
        np.testing.assert_allclose(
            point(desktop), desktop.evaluate("explorer.subject.posterior.mu")
        )
        assert desktop.locator("#flow-examples [aria-pressed=true]").count() == 0

    def test_the_line_of_chainer(self, desktop):
        source = inspect.getsource(importlib.import_module("chainer_vae.model"))
        desktop.click("text=English")
        assert "Point at a part" in desktop.inner_text("#flow-code")
        seen = {}
        for part in desktop.locator("#flow .part").all():
            name = part.get_attribute("data-part")
            part.hover()
            hovered = desktop.locator("#flow-code code").all_inner_texts()
            desktop.locator("#flow-title").hover()
            desktop.locator("#flow-play").focus()
            part.locator(".symbol").focus()
            assert desktop.locator("#flow-code code").all_inner_texts() == hovered
            seen[name] = hovered
        assert list(seen) == [
            "x", "encoder", "posterior", "noise", "z", "decoder", "output", "loss", "rec", "kl",
        ]  # fmt: skip
        assert seen["posterior"] == ["mu = self.le3_mu(h2)", "ln_var = self.le3_ln_var(h2)"]
        desktop.check("#flow-back")
        desktop.hover("#gradient-text")
        seen["gradient"] = desktop.locator("#flow-code code").all_inner_texts()
        for lines in seen.values():
            assert lines and all(line in source for line in lines), lines

    def test_backpropagation(self, desktop):
        visible = """(kind) => [...document.querySelectorAll(`.wire .${kind}`)]
          .filter((e) => getComputedStyle(e).visibility === "visible")
          .map((e) => e.closest(".wire").id)"""
        assert desktop.evaluate(visible, "back") == desktop.evaluate(visible, "stop") == []
        desktop.check("#flow-back")
        through = ["wire-encoder", "wire-posterior", "wire-z", "wire-decoder"]
        assert desktop.evaluate(visible, "back") == through
        assert desktop.evaluate(visible, "stop") == []
        assert desktop.inner_text("#flow-formula") == "z = μ + σε"
        desktop.click("#gradient-draw")
        assert desktop.evaluate(visible, "back") == ["wire-encoder", "wire-z", "wire-decoder"]
        assert desktop.evaluate(visible, "stop") == ["wire-posterior"]
        assert desktop.inner_text("#flow-formula") == "z ~ N(μ, σ²)"
        assert "微分できない" in desktop.inner_text("#gradient-text")
        dashed = "getComputedStyle(document.querySelector('#wire-encoder .back')).strokeDasharray"
        assert desktop.evaluate(dashed) == "4px, 3px"  # only the KL's
        desktop.uncheck("#flow-back")
        assert desktop.evaluate(visible, "back") == desktop.evaluate(visible, "stop") == []
        assert desktop.is_hidden("#gradient")
        assert desktop.inner_text("#flow-formula") == "z = μ + σε"

    def test_what_the_test_images_cost(self, desktop, shipped_page, z2, mnist):
        losses = parts_of(shipped_page[0])[0]["z2"]["losses"]
        assert losses["n"] == content.N_POINTS
        np.random.seed(0)
        found = evaluate(z2, mnist.test_images[: content.N_POINTS], 1)
        assert losses["rec"][0] == pytest.approx(found.rec_loss, abs=0.3)
        assert losses["kl"][0] == pytest.approx(found.kl, abs=0.01)
        mu, ln_var = encode(z2, mnist.test_images[: content.N_POINTS])
        kl = (mu**2 + np.exp(ln_var) - ln_var - 1) / 2
        np.testing.assert_allclose(losses["kl"][1], kl.sum(axis=1).std(), atol=1e-3)
        expected = np.transpose([kl.mean(axis=0), kl.std(axis=0)])
        np.testing.assert_allclose(losses["klOfDimension"], expected, atol=1e-3)
        assert 40 < losses["rec"][1] < 70
        desktop.click("text=English")
        text = desktop.inner_text("#flow-reference")
        assert "5,000 test images" in text
        rounded = [round(number, 1) for key in ("rec", "kl") for number in losses[key]]
        assert digits_in(text) == rounded
        # The mark is where the mean would end the bar.
        mark, gauge, bar = boxes(
            desktop, "#flow-rec-gauge .mean", "#flow-rec-gauge", "#flow-rec-gauge .fill"
        )
        rec = digits_in(desktop.inner_text("#flow-rec"))[0]
        width = bar["width"] * losses["rec"][0] / rec
        assert mark["x"] - gauge["x"] == pytest.approx(width, abs=gauge["width"] * 0.02)

    def test_what_the_symbols_are(self, desktop, phone):
        """Each symbol has a caption of plain words below it, in both languages."""
        for opened in (desktop, phone):
            for lang in ("English", "日本語"):
                opened.click(f"text={lang}")
                for name in ("x", "encoder", "posterior", "noise", "z", "decoder", "output"):
                    part = opened.locator(f"#flow [data-part={name}]")
                    symbol, caption = (
                        part.locator(s).bounding_box() for s in (".symbol", ".caption")
                    )
                    assert caption["y"] >= symbol["y"] + symbol["height"]
                    assert len(part.locator(".caption").inner_text()) >= 8
                    assert caption["width"] >= 60


@pytest.mark.slow
class TestWhereItLands:
    """The image x in the plane, on each screen."""

    def test_a_flag(self, desktop, phone):
        for opened, choose in ((desktop, desktop.click), (phone, phone.tap)):
            for tab in ("decode", "draw"):
                choose(f"#tab-{tab}")
                choose("#flow-examples >> text=0")
                next_frame(opened)
                mu = opened.evaluate("explorer.subject.posterior.mu")
                assert opened.evaluate(FLAG, [mu, 80]) > 400
            choose("#tab-interpolate")
            next_frame(opened)
            assert opened.evaluate(FLAG, [mu, 80]) == 0
            choose("#tab-draw")
            choose("#clear")
            next_frame(opened)
            next_frame(opened)
            assert opened.evaluate(FLAG, [mu, 80]) == 0
            assert opened.is_disabled("#zoom-to-x")

    def test_its_ellipse_can_be_seen(self, desktop):
        desktop.click("#tab-draw")
        desktop.click("#zoom-to-x")
        next_frame(desktop)
        mu, sigma = desktop.evaluate(
            "[explorer.subject.posterior.mu, explorer.subject.posterior.sigma]"
        )
        side, scale = desktop.evaluate("[explorer.plane.side, explorer.plane.scale]")
        np.testing.assert_allclose(
            desktop.evaluate("z => explorer.plane.toPixels(z)", mu), side / 2, atol=1
        )
        assert max(sigma) * scale == pytest.approx(side / 10, rel=0.01)

    def test_pad_plane_and_result_are_on_a_phone_s_screen(self, phone):
        phone.tap("#tab-draw")
        for lang in ("English", "日本語"):
            phone.tap(f"text={lang}")
            phone.evaluate("document.querySelector('.stage').scrollIntoView()")
            assert_together(phone, "#plane", "#pad", "#reconstruction", "[role=tablist]")
            assert phone.evaluate("explorer.plane.side") >= 340

    def test_the_decoded_image_is_above_the_finger(self, phone, z2):
        phone.evaluate("document.querySelector('.stage').scrollIntoView()")
        box = phone.locator("#plane").bounding_box()
        session = phone.context.new_cdp_session(phone)
        at = {"x": box["x"] + 160, "y": box["y"] + 200, "id": 0}
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
        session.send(
            "Input.dispatchTouchEvent",
            {"type": "touchMove", "touchPoints": [{**at, "x": at["x"] + 5}]},
        )
        next_frame(phone)
        grey = """() => {
          const { plane } = explorer;
          const context = document.querySelector("#plane canvas.over").getContext("2d");
          const [x, y] = plane.toPixels(plane.z);
          const size = 72 * plane.ratio;
          const left = (x - 36) * plane.ratio, top = (y - 28 - 72) * plane.ratio;
          const small = document.createElement("canvas");
          small.width = small.height = 28;
          small.getContext("2d").drawImage(context.canvas, left, top, size, size, 0, 0, 28, 28);
          const { data } = small.getContext("2d").getImageData(0, 0, 28, 28);
          return Array.from(data).filter((_, i) => i % 4 === 0);
        }"""
        shown = np.array(phone.evaluate(grey)).reshape(28, 28)[2:-2, 2:-2]
        expected = 255 * decode(z2, point(phone)).reshape(28, 28)[2:-2, 2:-2]
        assert np.abs(shown - expected).mean() < 20
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        next_frame(phone)
        shown = np.array(phone.evaluate(grey)).reshape(28, 28)[2:-2, 2:-2]
        assert np.abs(shown - expected).mean() > 20

    @pytest.mark.parametrize("lang", ["ja-JP", "en-US"])
    def test_small_screens(self, browser, shipped_page, lang):
        opened = open_page(
            browser, shipped_page[0], viewport=dict(width=640, height=400), locale=lang,
            device_scale_factor=2, has_touch=True, is_mobile=True,
        )  # fmt: skip
        opened.tap("#tab-draw")
        opened.evaluate("document.querySelector('.stage').scrollIntoView()")
        assert_together(opened, "#plane", "#pad", "#reconstruction", "[role=tablist]")
        assert opened.evaluate("explorer.plane.side") >= 280
        # Nothing is wider than the screen, upright or not.
        for width, height in ((640, 400), (390, 844), (360, 640), (320, 568)):
            opened.set_viewport_size(dict(width=width, height=height))
            for tab in ("decode", "draw", "interpolate"):
                opened.evaluate(f"document.getElementById('tab-{tab}').click()")
                found = opened.evaluate("document.documentElement.scrollWidth")
                assert found <= width, (width, tab)
        assert opened.faults == []
        opened.context.close()

    def test_names_of_the_classes_are_apart_and_say_what_is_there(self, desktop, phone):
        for opened in (desktop, phone):
            next_frame(opened)
            places, names = opened.evaluate(
                "[explorer.plane.namePlaces, explorer.plane.names.map(({ label }) => label)]"
            )
            places = np.array(places)
            apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
            assert apart[~np.eye(len(places), dtype=bool)].min() >= 19.9
            for name, place in zip(names, places.tolist()):
                opened.evaluate("p => explorer.plane.pin(explorer.plane.toLatent(p))", place)
                said = opened.inner_text("#nearest")
                assert said.split("：")[1].startswith(f"{name} が"), (name, said)

    def test_spread_is_that_of_the_figures(self, desktop):
        places = np.random.RandomState(0).uniform(0, 60, (10, 2))
        found = desktop.evaluate("places => spread(places, 20)", places.tolist())
        np.testing.assert_allclose(found, latent.spread(places, 20.0), atol=1e-9)

    def test_long_names_are_not_on_top_of_each_other(self, desktop):
        places = np.random.RandomState(0).uniform(100, 200, (len(NAMES), 2))
        found, widths = desktop.evaluate(
            """([names, places]) => {
            const context = explorer.plane.base.getContext("2d");
            context.font = "bold 20px sans-serif";
            return [spreadNames(context, names.map((name) => ({ name })), places, 20),
              names.map((name) => context.measureText(name).width)]; }""",
            [NAMES, places.tolist()],
        )
        assert max(widths) > 150
        apart = np.abs(np.array(found)[:, None] - np.array(found)[None])
        room = np.add.outer(widths, widths) / 2
        free = (apart[..., 0] > 0.99 * room) | (apart[..., 1] > 19.9)
        assert free[~np.eye(len(NAMES), dtype=bool)].all()

    def test_one_of_which(self, desktop):
        desktop.click("text=English")
        found = desktop.evaluate("[0, 1, 5, 8].map(oneOf)")
        assert found == ["a 0", "a 1", "a 5", "an 8"]
        said = desktop.evaluate(
            "TEXT.en.nearest([[3, 8], [8, 3], [5, 1], [2, 1], [0, 2]], 8, '0.01')"
        )
        assert said == (
            "Of the 15 nearest test images, 8 are 3s, 3 are 8s, 1 is a 5; others: 3."
            " The very nearest is an 8 (distance 0.01); the ellipses are its 1σ and 2σ."
        )

    def test_buttons_have_one_line(self, desktop):
        for lang in ("日本語", "English"):
            desktop.click(f"text={lang}")
            desktop.check("#flow-back")
            for tab in ("decode", "draw", "interpolate"):
                desktop.click(f"#tab-{tab}")
                lines = desktop.evaluate(
                    """() => [...document.querySelectorAll("button:not(.network *)")]
                      .filter((b) => b.offsetHeight > 42).map((b) => b.outerHTML)"""
                )
                assert lines == []
                wide = desktop.evaluate(
                    """() => [...document.querySelectorAll("button")]
                      .filter((b) => b.scrollWidth > b.clientWidth + 1).map((b) => b.outerHTML)"""
                )
                assert wide == []


def to_point(page, index):
    """Where a test image is in the plane, in pixels of it."""
    return page.evaluate(
        "i => explorer.plane.toPixels(explorer.plane.points.latents.slice(2 * i, 2 * i + 2))",
        index,
    )


def alone(mu, limit=3):
    """A test image of which no other is near."""
    distances = np.hypot(*(mu[:, None] - mu[None]).transpose(2, 0, 1)) + 9 * np.eye(len(mu))
    distances[np.abs(mu).max(axis=1) > limit] = 0
    return int(distances.min(axis=1).argmax())


def captions(page):
    """Label and number of each real test image that is shown."""
    texts = page.locator("#found figure:not([hidden]) figcaption").all_inner_texts()
    return [tuple(int(n) for n in re.findall(r"\d+", text)) for text in texts]


@pytest.mark.slow
class TestHabits:
    """What users of such pages expect: a legend, real images, search, the prior."""

    def test_the_legend_picks_a_class(self, desktop, phone, mnist):
        n_coloured = """(id) => {
          const base = id ? document.getElementById(id) : explorer.plane.base;
          const { data } = base.getContext("2d").getImageData(0, 0, base.width, base.height);
          let n = 0;
          for (let i = 0; i < data.length; i += 4) n += Math.max(...data.slice(i, i + 3)) -
            Math.min(...data.slice(i, i + 3)) > 60;
          return n; }"""
        for opened, choose in (
            (desktop, desktop.click),
            (phone, phone.tap),
            (desktop, lambda button: desktop.press(button, "Enter")),
        ):
            next_frame(opened)
            before = opened.evaluate(n_coloured)
            before_in_strip = opened.evaluate(n_coloured, "flow-place")
            for label in (2, 8):  # of saturated colours
                button = f"#legend button >> nth={label}"
                choose(button)
                assert opened.get_attribute(button, "aria-pressed") == "true"
                assert opened.locator("#legend [aria-pressed=true]").count() == 1
                next_frame(opened)
                assert 0 < opened.evaluate(n_coloured) < before / 2
                assert 0 < opened.evaluate(n_coloured, "flow-place") < before_in_strip / 2
                found = opened.evaluate("explorer.planes.map((p) => p.nearest(p.z)?.label ?? null)")
                assert set(found) <= {label, None}
                elsewhere = int(np.flatnonzero(mnist.test_labels[:1500] != label)[0])
                z = opened.evaluate(
                    "i => [...explorer.plane.points.latents.subarray(2 * i, 2 * i + 2)]", elsewhere
                )
                opened.evaluate("z => explorer.plane.pin(z)", z)
                assert all(shown == label for shown, _ in captions(opened))
            choose(button)
            assert opened.locator("#legend [aria-pressed=true]").count() == 0
            next_frame(opened)
            assert abs(opened.evaluate(n_coloured) - before) < before / 10

    def test_dots_are_squares_only_while_zooming(self, desktop):
        """So that frames come in time without a graphics card."""
        desktop.evaluate(
            """() => {
            window.drawn = { arc: 0, fillRect: 0 };
            for (const name of Object.keys(drawn)) {
              const own = CanvasRenderingContext2D.prototype[name];
              CanvasRenderingContext2D.prototype[name] = function (...given) {
                if (this.canvas === explorer.plane.base) drawn[name]++;
                return own.apply(this, given);
              };
            }
            explorer.plane.zoomBy(1.1); }"""
        )
        wait_until(desktop, "drawn.arc > 1000")  # at rest
        assert desktop.evaluate("drawn.fillRect") > 1000  # before that
        desktop.evaluate("explorer.classes.isolate(3)")
        before = desktop.evaluate("drawn.fillRect")
        next_frame(desktop)
        assert desktop.evaluate("drawn.fillRect") < before + 100

    def test_what_is_at_the_crosshair_is_of_the_class_picked(self, desktop, z2, mnist):
        labels = mnist.test_labels
        mu = encode(z2, mnist.test_images[:1500])[0]
        for z in mu:  # of the first one with another class around
            near = labels[np.hypot(*(mu - z).T).argsort()[:6]]
            if len(set(near)) > 1:
                break
        desktop.evaluate("z => explorer.plane.pin(z)", z.tolist())
        assert len({shown for shown, _ in captions(desktop)}) > 1
        for label in (near[0], next(other for other in near if other != near[0])):
            desktop.click(f"#legend button >> nth={label}")
            assert {shown for shown, _ in captions(desktop)} <= {label}
            found = desktop.evaluate("explorer.plane.near?.label ?? null")
            assert found in (label, None)
            said = desktop.inner_text("#nearest").strip()
            assert said == "" if found is None else f"表示中で最も近いのは {label}（" in said

    def test_a_point_shows_the_real_image_and_its_nearest(self, desktop, phone, z2, mnist):
        mu = encode(z2, mnist.test_images[:1500])[0]
        index = alone(mu)
        distances = np.hypot(*(mu - mu[index]).T)
        nearest = np.argsort(distances, kind="stable")[:6]
        assert nearest[0] == index
        expected = [(int(mnist.test_labels[i]), int(i)) for i in nearest]

        def shown(opened):
            found = captions(opened)
            assert found[0] == expected[0] and sorted(found) == sorted(expected)
            for place, (_, i) in enumerate(found):
                image = pixels(opened, f"#found figure:nth-child({place + 1}) canvas")
                # 16 levels of grey
                np.testing.assert_allclose(image, 255 * mnist.test_images[i], atol=9)

        for opened in (desktop, phone):
            opened.evaluate("document.querySelector('#plane').scrollIntoView()")
        x, y = to_point(desktop, index)
        desktop.hover("#plane canvas.over", position=dict(x=x, y=y))
        shown(desktop)
        name = desktop.get_attribute("#found figure:nth-child(1) canvas", "aria-label")
        assert str(index) in name and str(mnist.test_labels[index]) in name
        x, y = to_point(phone, index)
        phone.tap("#plane canvas.over", position=dict(x=x, y=y))
        shown(phone)
        for opened in (desktop, phone):  # below the plane or beside it, without scrolling
            height = opened.evaluate("innerHeight")
            assert boxes(opened, "#found")[0]["y"] < height
        # By keyboard: from beside it, an arrow key leads to it.
        z = mu[index] + [5 / desktop.evaluate("explorer.plane.scale"), 0]
        desktop.mouse.move(0, 0)
        desktop.evaluate("z => explorer.plane.pin(z)", z.tolist())
        desktop.focus("#plane canvas.over")
        desktop.keyboard.press("ArrowLeft")
        shown(desktop)
        far = desktop.evaluate("explorer.plane.bounds.high")
        desktop.evaluate("z => explorer.plane.pin(z)", far)
        assert captions(desktop) == []

    @pytest.mark.parametrize("lang", ["ja", "en"])
    def test_a_test_image_by_its_number_or_class(self, desktop, lang, z2, mnist):
        desktop.click(f"[data-lang={lang}]")

        def search(text):
            desktop.fill("#lookup-query", text)
            desktop.press("#lookup-query", "Enter")

        mu = encode(z2, mnist.test_images[:1500])[0]
        for text, number in (("0", 0), ("1499", 1499), (" ４２ ", 42)):
            search(text)
            assert captions(desktop)[0] == (mnist.test_labels[number], number)
            np.testing.assert_allclose(point(desktop), mu[number], atol=1e-3)
            np.testing.assert_allclose(
                desktop.evaluate("[...explorer.subject.image]"),
                mnist.test_images[number],
                atol=0.034,
            )
            assert desktop.evaluate("explorer.subject.label") == mnist.test_labels[number]
            assert desktop.inner_text("#lookup-fault") == ""
        for text in ("class 5", "クラス5"):
            search(text)
            assert captions(desktop)[0][0] == 5
        for text, said in (("1500", "1499"), ("nothing", "nothing")):
            before = point(desktop)
            search(text)
            assert said in desktop.inner_text("#lookup-fault")
            assert point(desktop) == before
        desktop.click("#lookup-random")
        assert desktop.inner_text("#lookup-fault") == ""
        first = captions(desktop)[0]
        assert first[0] == mnist.test_labels[first[1]]

    def test_circles_of_the_prior(self, desktop):
        at = """() => explorer.planes.map((p) => {
          const [x, y] = p.toPixels([-2, 0]).map((v) => Math.round(v * p.ratio));
          const { data } = p.base.getContext("2d").getImageData(x - 2, y - 2, 5, 5);
          let n = 0;
          const [r, g, b] = [0x7c, 0x3a, 0xed];
          for (let i = 0; i < data.length; i += 4)
            n += Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 30;
          return n; })"""
        desktop.uncheck("#show-points")
        next_frame(desktop)
        assert desktop.evaluate(at)[0] == 0
        desktop.check("#show-circles")
        next_frame(desktop)
        assert desktop.evaluate(at)[0] >= 5
        desktop.uncheck("#show-circles")
        next_frame(desktop)
        assert desktop.evaluate(at)[0] == 0

    def test_samples_of_the_prior(self, desktop, phone, z2, shipped_page):
        ae2, _ = load_autoencoder("ae2")
        for opened, choose in ((desktop, desktop.click), (phone, phone.tap)):
            before = opened.evaluate("document.getElementById('plain-samples').toDataURL()")
            choose("#new-samples")
            assert before != opened.evaluate("document.getElementById('plain-samples').toDataURL()")
            opened.evaluate("() => { Math.random = () => 0.5; }")
            choose("#new-samples")
            z = np.full(2, -np.sqrt(2 * np.log(2)))  # by Box and Muller
            assert_shows(opened, "#variational-samples", decode(z2, z))
            tolerance = parts_of(shipped_page[0])[0]["ae2"]["tolerance"]
            np.testing.assert_allclose(
                pixels(opened, "#plain-samples"), 255 * decode(ae2, z).ravel(),
                atol=0.56 + 255 * tolerance,
            )  # fmt: skip
            size = "(id) => { const c = document.getElementById(id); return [c.width, c.height]; }"
            for name in ("plain-samples", "variational-samples"):
                assert opened.evaluate(size, name) == [5 * 28, 4 * 28]

    def test_how_the_shipped_model_learned(self, desktop):
        desktop.evaluate("document.getElementById('epochs-section').scrollIntoView()")
        assert "高速エンジン" in desktop.inner_text("#epochs-twin")
        assert "142.5" in desktop.inner_text("#epoch-value")
        maps = set()
        for index in (0, 1, 12):
            desktop.evaluate(
                """i => { const slider = document.getElementById("epoch"); slider.value = i;
                  slider.dispatchEvent(new Event("input")); }""",
                index,
            )
            wait_until(desktop, "document.getElementById('epoch-map').naturalWidth === 308")
            maps.add(desktop.get_attribute("#epoch-map", "src"))
        assert len(maps) == 3


NAMES = (
    "零",
    "いち",
    "犬と猫",
    "four",
    "五",
    "六",
    "七",
    "八",
    "九",
    "十",
    "十一",
    "とても長い名前のクラス",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("height", "width", "n_classes", "names"),
    [(56, 14, 12, NAMES), (8, 8, 1, ()), (32, 32, 62, ())],
)
def test_images_of_any_size_and_classes(browser, tmp_path, height, width, n_classes, names):
    """Learned, written, and used in the browser: drawn on, decoded, looked up."""
    rng = np.random.RandomState(0)
    blocks = rng.rand(n_classes, 4, 2).repeat(height // 4, 1).repeat(width // 2, 2)
    labels = np.arange(4 * n_classes * 5) % n_classes
    images = np.clip(blocks[labels] + rng.normal(0, 0.05, (len(labels), height, width)), 0, 1)
    if names:
        for number, (image, label) in enumerate(zip(images, labels)):
            folder = tmp_path / "data" / names[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray((255 * image).astype(np.uint8)).save(folder / f"{number}.png")
        data = tmp_path / "data"
    else:
        data = tmp_path / "data.npz"
        half = len(labels) // 2
        np.savez(
            data, train_images=images[:half].astype("f4"), train_labels=labels[:half],
            test_images=images[half:].astype("f4"), test_labels=labels[half:],
        )  # fmt: skip
    config = Config(dimz=2, dim_h=20, epoch=2, snapshots=True, dataset=str(data), batchsize=10)
    list(Run.start(config, tmp_path / "run").train())
    file = tmp_path / "page.html"
    assert write_page(file, tmp_path / "run").size < 4_000_000
    model, _ = load_model(tmp_path / "run")
    known = load_data(config)
    for size in (dict(width=1280, height=900), dict(width=390, height=844)):
        opened = open_page(browser, file, viewport=size)
        z = [[0.3, -0.4], [-1, 2]]
        found = opened.evaluate("z => z.map((each) => [...explorer.decode(each)])", z)
        expected = latent.decode(model, np.array(z, "f4")).reshape(2, -1)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        sizes = opened.evaluate(
            "() => [...document.querySelectorAll('canvas.digit')].map((c) => [c.height, c.width])"
        )
        assert {tuple(each) for each in sizes} == {(height, width)}
        legend = opened.locator("#legend button")
        shown = sorted({known.class_name(int(label)) for label in known.test_labels})
        assert sorted(text.strip() for text in legend.all_inner_texts()) == shown
        colours = opened.evaluate(
            "() => explorer.classes.labels.map((label) => explorer.classes.color(label))"
        )
        assert len(set(colours)) == len(shown)
        opened.fill("#lookup-query", f"class {shown[-1]}")
        opened.press("#lookup-query", "Enter")
        assert opened.inner_text("#found figure b >> nth=0") == shown[-1]
        opened.click("#legend button >> nth=0")
        # The pad has the images' shape, and what is drawn on it becomes one.
        opened.click("#tab-draw")
        opened.click("#clear")
        box = opened.locator("#pad").bounding_box()
        assert abs(box["height"] / box["width"] - height / width) < 0.05
        opened.locator("#pad").scroll_into_view_if_needed()
        box = opened.locator("#pad").bounding_box()
        opened.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
        opened.mouse.down()
        opened.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=4)
        opened.mouse.up()
        next_frame(opened)
        next_frame(opened)
        drawn = np.array(opened.evaluate("[...explorer.subject.image]")).reshape(height, width)
        assert drawn.max() > 0.9
        rows, columns = np.nonzero(drawn > 0.5)
        assert abs(rows.mean() - height / 2) < 1.1 and abs(columns.mean() - width / 2) < 1.1
        assert 0.6 * height < np.ptp(rows) + 1 < 0.8 * height
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert opened.faults == []
        opened.context.close()


@pytest.mark.slow
class TestPlace:
    """The place in the page's address, and what the browser keeps."""

    def opened(self, browser, file, place="", **options):
        found = open_page(browser, file, place, viewport=dict(width=1280, height=900), **options)
        next_frame(found)
        return found

    def close(self, opened):
        assert opened.faults == []
        opened.context.close()

    def test_places_are_shown(self, browser, shipped_page, small_page, mnist):
        place = "#tab=interpolate&a=4&b=9&t=0.5&lang=en"
        opened = self.opened(browser, shipped_page[0], place)
        assert opened.is_visible("#panel-interpolate")
        assert opened.evaluate("document.documentElement.lang") == "en"
        pressed = "#interpolation-{} [aria-pressed=true]"
        assert opened.inner_text(pressed.format("start")) == "4"
        assert opened.inner_text(pressed.format("end")) == "9"
        assert opened.inner_text("#interpolation-t-value") == "t = 0.50"
        assert boxes(opened, "#stage-section")[0]["y"] == pytest.approx(0, abs=2)
        # Another, in the open page.
        opened.evaluate("location.hash = 'tab=decode&x=1.25&y=-0.5&image=7'")
        wait_until(opened, "explorer.subject.number === 7")
        assert opened.is_visible("#panel-decode") and point(opened) == [1.25, -0.5]
        assert "z = (1.25, −0.50)" in opened.inner_text("#decoded-z")
        np.testing.assert_array_equal(
            pixels(opened, "#flow-x"), np.rint(mnist.test_images[7] * 255)
        )
        for section in ("dimensions", "comparison"):
            opened.evaluate(f"location.hash = 'section={section}'")
            wait_until(opened, f"explorer.place.section === '{section}'")
            assert boxes(opened, f"#{section}-section")[0]["y"] < 450
        opened.evaluate("location.hash = 'tab=interpolate&a=0.5_-1.25&b=7'")
        wait_until(opened, "explorer.tabs.chosen() === 'interpolate'")
        assert opened.evaluate("explorer.interpolation.endLatents()[0]") == [0.5, -1.25]
        self.close(opened)
        opened = self.opened(browser, small_page[0], "#epoch=2")
        assert opened.inner_text("#epoch-value").startswith("2エポック")
        assert boxes(opened, "#epochs-section")[0]["y"] < 450
        self.close(opened)

    def test_nonsense_is_ignored(self, browser, small_page):
        state = """[
          explorer.tabs.chosen(), explorer.plane.z, explorer.interpolation.ends, scrollY,
          explorer.interpolation.t, explorer.subject.number, document.documentElement.lang,
          explorer.epochs.epoch,
        ]"""
        opened = self.opened(browser, small_page[0])
        expected = opened.evaluate(state)
        self.close(opened)
        bad = [
            "", "x", "-1", "1e3", "0x10", "99999999999", "NaN", "Infinity", "1_2_3", "1_x",
            "__proto__", "constructor", "toString",
            "<img src=x onerror=window.pwned=1>", "javascript:window.pwned=1",
            "'];window.pwned=1//", "%00", "%E3%81", "１",
        ]  # fmt: skip
        names = [
            "tab",
            "a",
            "b",
            "t",
            "x",
            "image",
            "epoch",
            "lang",
            "section",
            "tour",
            "__proto__",
        ]
        places = [f"#{'&'.join(f'{name}={text}' for name in names if name != 't')}" for text in bad]
        places += [
            "#",
            "#&&==&",
            "#ja=en",
            "#tab",
            "#x=1",
            "#y=1",
            "#t=x",
            "#<script>window.pwned=1</script>",
        ]
        opened = self.opened(browser, small_page[0])
        for place in places:
            opened.evaluate("place => (location.hash = place)", place)
            opened.evaluate("explorer.place.read()")
            assert opened.evaluate(state) == expected, place
        assert opened.evaluate("typeof window.pwned") == "undefined"
        self.close(opened)
        opened = self.opened(browser, small_page[0], places[13])
        assert opened.evaluate(state) == expected
        assert opened.evaluate("typeof window.pwned") == "undefined"
        self.close(opened)

    def test_a_section_that_the_page_has_not(self, browser, small_page, tmp_path):
        entries, _ = parts_of(small_page[0])
        learned = json.dumps(entries["epochs"], ensure_ascii=False)
        text = small_page[0].read_text("utf-8")
        assert text.count(learned) == 1
        file = tmp_path / "page.html"
        file.write_text(text.replace(learned, "null"), "utf-8")
        opened = self.opened(browser, file, "#section=epochs&epoch=2&image=7")
        assert opened.is_hidden("#epochs-section")
        opened.click("#theme")
        wait_until(opened, "location.hash === '#image=7&lang=ja'")
        self.close(opened)

    def test_places_are_written(self, browser, shipped_page, small_page):
        opened = self.opened(browser, shipped_page[0])
        opened.wait_for_timeout(600)
        assert opened.evaluate("location.hash") == ""  # until it is used
        opened.click("#flow-examples >> text=7")
        wait_until(opened, "location.hash !== ''")
        number = opened.evaluate("explorer.subject.number")
        written = opened.evaluate("location.hash")
        assert written == f"#section=flow&image={number}&lang=ja"
        opened.click("text=English")
        opened.click("#tab-interpolate")
        opened.click("#interpolation-start >> text=3")
        opened.focus("#interpolation-t")
        for _ in range(3):
            opened.keyboard.press("ArrowRight")
        wait_until(opened, "location.hash.includes('t=0.015')")
        written = f"#tab=interpolate&a=3&b=7&t=0.015&image={number}&lang=en"
        assert opened.evaluate("location.hash") == written
        length = opened.evaluate("history.length")
        opened.click("#tab-decode")
        opened.click("#plane canvas.over", position=dict(x=200, y=150))
        # It may have been written after the first click already.
        wait_until(opened, "location.hash.includes(`x=${explorer.plane.pinned[0].toFixed(3)}`)")
        assert opened.evaluate("history.length") == length  # "back" leaves the page
        z = point(opened)
        written = opened.evaluate("location.hash")
        opened.hover("#plane canvas.over", position=dict(x=300, y=50))
        opened.click("#theme")
        opened.wait_for_timeout(600)
        assert opened.evaluate("location.hash") == written
        self.close(opened)
        # Sent to somebody else.
        opened = self.opened(browser, shipped_page[0], written)
        np.testing.assert_allclose(point(opened), z, atol=0.00051)
        assert opened.evaluate("explorer.subject.number") == number
        assert opened.evaluate("document.documentElement.lang") == "en"
        # Ends that are positions of the plane.
        opened.click("#tab-interpolate")
        opened.click("#interpolation-end button.wide")
        wait_until(opened, "location.hash.includes('_')")
        written = opened.evaluate("location.hash")
        ends = opened.evaluate("explorer.interpolation.endLatents()")
        self.close(opened)
        opened = self.opened(browser, shipped_page[0], written)
        found = opened.evaluate("explorer.interpolation.endLatents()")
        np.testing.assert_allclose(found, ends, atol=0.00051)
        self.close(opened)
        opened = self.opened(browser, small_page[0])
        opened.focus("#epoch")
        opened.keyboard.press("ArrowLeft")
        wait_until(opened, "location.hash.includes('section=epochs&epoch=3')")
        self.close(opened)

    def test_language_and_theme_are_kept(self, browser, shipped_page):
        opened = self.opened(browser, shipped_page[0])
        assert opened.evaluate("document.documentElement.dataset.theme") == "light"
        opened.click("text=English")
        opened.click("#theme")
        found = "[document.documentElement.lang, document.documentElement.dataset.theme]"
        assert opened.evaluate(found) == ["en", "dark"]
        for place, expected in (("", "en"), ("#lang=ja", "ja"), ("#ja", "ja"), ("", "en")):
            other = opened.context.new_page()
            other.goto(shipped_page[0].as_uri() + place)
            wait_until(other, "window.explorer !== undefined")
            assert other.evaluate(found) == [expected, "dark"]
            assert other.get_attribute("#theme", "aria-pressed") == "true"
            other.close()
        self.close(opened)

    def test_a_browser_that_keeps_nothing(self, browser, shipped_page):
        forbid = """
          const get = () => { throw new DOMException("no", "SecurityError"); };
          Object.defineProperty(window, "localStorage", { get });
          Object.defineProperty(history, "replaceState", { get });
        """
        opened = self.opened(browser, shipped_page[0], script=forbid)
        opened.click("text=English")
        opened.click("#theme")
        opened.wait_for_timeout(600)
        assert opened.evaluate("document.documentElement.dataset.theme") == "dark"
        assert opened.evaluate("[document.documentElement.lang, location.hash]") == ["en", ""]
        self.close(opened)

    def test_dark(self, browser, shipped_page, z2):
        """Paper and canvases; digits stay white on black."""
        opened = self.opened(browser, shipped_page[0], color_scheme="dark")
        most = """() => {
          const paper = getComputedStyle(document.body).backgroundColor;
          const found = paper.match(/[0-9]+/g).map(Number);
          const bells = ["#flow-place", "#flow-noise-picture"];
          return ["#plane canvas", "#plane-plain canvas", ...bells].map((selector) => {
            const { width, height } = document.querySelector(selector);
            const context = document.querySelector(selector).getContext("2d");
            const colours = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
            const counts = [...d3.rollup(colours, (all) => all.length, (colour) => colour)];
            const [[colour]] = counts.sort((a, b) => b[1] - a[1]);
            return Array.from(new Uint8Array(new Uint32Array([colour]).buffer));
          }).concat([found.concat(255)]);
        }"""
        for light, expected in ((False, [20, 23, 28, 255]), (True, [255] * 4)):
            opened.emulate_media(color_scheme="light" if light else "dark")  # as the system is
            next_frame(opened)
            next_frame(opened)
            assert opened.evaluate(most) == [expected] * 5
            assert_shows(opened, "#decoded", decode(z2, point(opened)))
        opened.click("#theme")
        opened.emulate_media(color_scheme="light")
        next_frame(opened)
        next_frame(opened)
        assert opened.evaluate(most)[0] == [20, 23, 28, 255]  # as it was chosen
        self.close(opened)


SCREENS = {"desktop": (1280, 900), "phone": (390, 844), "200 %": (640, 450)}


def open_screen(browser, file, screen, lang, theme="light", place=""):
    width, height = SCREENS[screen]
    options = dict(has_touch=True, is_mobile=True) if screen == "phone" else {}
    return open_page(
        browser, file, place, viewport=dict(width=width, height=height),
        locale={"ja": "ja-JP", "en": "en-US"}[lang], color_scheme=theme, **options,
    )  # fmt: skip


@pytest.mark.slow
class TestTour:
    # What each step speaks of: it can be seen beside the panel.
    TARGETS = ("#flow-x", "#flow-bell-1", "#plane", "#plane", "#interpolation-z2", "#flow-x")

    @pytest.mark.parametrize("lang", ["ja", "en"])
    @pytest.mark.parametrize("screen", SCREENS)
    def test_each_step_covers_nothing(self, browser, shipped_page, screen, lang):
        opened = open_screen(browser, shipped_page[0], screen, lang, place="#tour=1")
        texts = set()
        for step, target in enumerate(self.TARGETS, 1):
            assert opened.inner_text("#tour-title").endswith(f"{step} / 6")
            assert opened.evaluate("document.activeElement.id") == "tour-title"
            assert_together(opened, "#tour-title", "#tour-question", "#tour-leave", "#tour-answer")
            for answered in (False, True):
                if answered:
                    opened.click("#tour-answer")
                    assert opened.evaluate("document.activeElement.id") == "tour-next"
                assert (opened.inner_text("#tour-said") != "") == answered
                next_frame(opened)
                panel, seen = boxes(opened, "#tour", target)
                assert panel["y"] >= 0
                beside = seen["x"] >= panel["x"] + panel["width"] or (
                    panel["x"] >= seen["x"] + seen["width"]
                )
                assert beside or seen["y"] >= panel["y"] + panel["height"] or (
                    panel["y"] >= seen["y"] + seen["height"]
                )  # fmt: skip
                shown = min(seen["y"] + seen["height"], SCREENS[screen][1]) - max(seen["y"], 0)
                assert shown >= min(40, seen["height"]), (step, seen)
                assert opened.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen][0]
                texts.add(opened.inner_text("#tour-said" if answered else "#tour-question"))
            opened.click("#tour-next")
        assert len(texts) == 12
        assert opened.is_hidden("#tour")
        assert opened.faults == []
        opened.context.close()

    @pytest.mark.parametrize("playing", [True, False])
    def test_the_flow_goes_on_as_before(self, desktop, playing):
        if desktop.evaluate("explorer.flow.playing") != playing:
            desktop.click("#flow-play")
        desktop.click("#tour-start")
        desktop.click("#tour-next")  # step 2 stops it for its question
        assert not desktop.evaluate("explorer.flow.playing")
        desktop.keyboard.press("Escape")
        assert desktop.evaluate("explorer.flow.playing") == playing

    def test_what_the_answers_show(self, desktop, z2):
        desktop.click("#tour-start")
        points_and_map = "[explorer.plane.showPoints, explorer.plane.showMap]"
        strip = "getComputedStyle(document.getElementById('interpolation-strip')).visibility"
        shown = {
            1: "null",
            2: "explorer.flow.timer !== undefined",
            3: points_and_map,
            4: points_and_map,
            5: f"[explorer.interpolation.ends, explorer.interpolation.t, {strip}]",
            6: "document.getElementById('flow').dataset.gradient",
        }
        said = []
        for step in range(1, 7):
            said.append(desktop.evaluate(shown[step]))
            desktop.click("#tour-answer")
            said.append(desktop.evaluate(shown[step]))
            if step == 5:
                ends = np.array(desktop.evaluate("explorer.interpolation.endLatents()"))
                assert_shows(desktop, "#interpolation-z2", decode(z2, ends.mean(axis=0)))
            desktop.click("#tour-next")
        assert said == [
            None, None, False, True, [False, False], [True, False], [True, False], [False, True],
            [["4", "9"], 0, "hidden"], [["4", "9"], 0.5, "visible"], "draw", "trick",
        ]  # fmt: skip
        assert desktop.evaluate(points_and_map) == [True, False]

    def test_by_keyboard_and_address(self, desktop):
        desktop.focus("#tour-start")
        desktop.keyboard.press("Enter")
        for _ in range(3):
            desktop.keyboard.press("Tab")  # past "leave"; there is no step back
            if desktop.evaluate("document.activeElement.id") == "tour-answer":
                break
        desktop.keyboard.press("Enter")
        assert desktop.inner_text("#tour-said") != ""
        desktop.keyboard.press("Enter")  # on to the next question
        assert desktop.inner_text("#tour-title").endswith("2 / 6")
        wait_until(desktop, "location.hash.startsWith('#tour=2&')")
        desktop.click("#tour-back")
        assert desktop.inner_text("#tour-title").endswith("1 / 6")
        desktop.evaluate("location.hash = 'tour=5&lang=en'")
        wait_until(desktop, "explorer.tour.step === 5")
        assert desktop.inner_text("#tour-question") == "What is between a 4 and a 9?"
        desktop.evaluate("location.hash = 'tour=3'")
        wait_until(desktop, "explorer.tour.step === 3")
        desktop.keyboard.press("Escape")
        assert desktop.is_hidden("#tour") and desktop.is_checked("#show-points")
        assert desktop.evaluate("document.activeElement.id") == "stage-section"
        wait_until(desktop, "!location.hash.includes('tour')")
        for nonsense in ("0", "7", "-1", "1.5", "x"):
            desktop.evaluate(f"location.hash = 'tour={nonsense}'")
            desktop.evaluate("explorer.place.read()")
            assert desktop.is_hidden("#tour")


@pytest.mark.slow
class TestAccess:
    """For those who do not see the page, or not well."""

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("lang", ["ja", "en"])
    @pytest.mark.parametrize("screen", SCREENS)
    def test_axe_finds_nothing(self, browser, shipped_page, small_page, screen, lang, theme):
        module = pytest.importorskip("axe_playwright_python.sync_playwright")
        axe = module.Axe()
        states = {
            shipped_page[0]: ["tab=decode", "tab=draw", "tab=interpolate", "tour=3", "tour=6"],
            small_page[0]: ["section=epochs"],
        }
        for file, places in states.items():
            opened = open_screen(browser, file, screen, lang, theme)
            for place in places:
                opened.evaluate(f"location.hash = '{place}'")
                opened.evaluate("explorer.place.read()")
                next_frame(opened)
                found = axe.run(opened).response
                assert len(found["passes"]) > 30
                broken = [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]]
                assert broken == [], place
            assert opened.faults == []
            opened.context.close()

    def test_every_picture_says_what_it_shows(self, desktop, small_page, browser):
        names = """() => [...document.querySelectorAll("canvas[role], img")]
          .filter((e) => !e.closest("section[hidden]"))
          .map((e) => e.getAttribute("aria-label") ?? e.alt)"""
        for lang in ("日本語", "English"):
            desktop.click(f"text={lang}")
            for tab in ("decode", "draw", "interpolate"):
                desktop.click(f"#tab-{tab}")
                found = desktop.evaluate(names)
                assert all(found)
            planes = desktop.locator(".plane .over").evaluate_all(
                "(all) => all.map((e) => e.getAttribute('aria-label'))"
            )
            assert len({re.split(r"[.。]", name)[0] for name in planes}) == 3
            samples = [name for name in found if re.match(r"サンプル \d|Sample \d", name)]
            assert len(set(samples)) == 5 and all("z = (" in name for name in samples)
        z = [0.5, 1.5]
        desktop.evaluate("z => explorer.plane.pin(z)", z)
        label = desktop.get_attribute("#decoded", "aria-label")
        most = desktop.evaluate("z => explorer.plane.classesAround(z)[0][0]", z)
        assert label == f"Image decoded from z = (0.50, 1.50). Most test images near it are {most}s"
        desktop.evaluate("explorer.plane.pin([4.9, 4.9])")
        label = desktop.get_attribute("#decoded", "aria-label")
        assert label == "Image decoded from z = (4.90, 4.90). No test image is near"
        desktop.evaluate("location.hash = 'tab=interpolate&a=4&b=9&t=0.25'")
        wait_until(desktop, "explorer.interpolation.t === 0.25")
        label = desktop.get_attribute("#interpolation-z20", "aria-label")
        assert label == "From 4 to 9 in 20 dimensions, t = 0.25"
        opened = open_page(browser, small_page[0], "#epoch=2&lang=en")
        assert all(opened.evaluate(names))
        for name, expected in (
            ("epoch-means", r"Latent means μ of test images at epoch 2"),
            (
                "learning-curve",
                r"Learning curve of 5 epochs: training loss from [\d.]+ to [\d.]+, test.*",
            ),
        ):
            assert re.fullmatch(expected, opened.get_attribute(f"#{name}", "aria-label"))
        assert opened.get_attribute("#epoch-map", "alt") == "Map at epoch 2"
        assert opened.faults == []
        opened.context.close()

    def test_what_is_decoded_is_said_when_it_rests(self, desktop):
        desktop.wait_for_timeout(900)
        assert desktop.inner_text("#said") == ""  # not by itself
        desktop.evaluate(
            """() => {
              window.said = [];
              new MutationObserver(() => said.push(document.getElementById("said").textContent))
                .observe(document.getElementById("said"), { childList: true });
            }"""
        )
        desktop.clock.install(time=0)
        desktop.clock.pause_at(recorder.STOPPED)
        desktop.focus("#plane canvas.over")
        for _ in range(12):
            desktop.keyboard.press("ArrowUp")
            desktop.clock.run_for(500)
        assert desktop.evaluate("said") == []
        desktop.clock.run_for(5000)
        assert len(desktop.evaluate("said")) == 1
        assert desktop.evaluate("said[0]") == desktop.get_attribute("#decoded", "aria-label")
        desktop.focus("#plane-plain canvas.over")
        desktop.keyboard.press("ArrowLeft")
        desktop.clock.run_for(1000)
        assert desktop.evaluate("said[1]") == desktop.get_attribute("#plain-image", "aria-label")

    def test_everything_is_reached_by_keyboard(self, desktop):
        """Tab goes to each control that can be clicked, and back out of each."""
        for tab in ("decode", "draw", "interpolate"):
            desktop.click(f"#tab-{tab}")
            mark = """() => {
              const shown = [...document.querySelectorAll("button, input, .over")]
                .filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0);
              shown.forEach((e, i) => (e.dataset.order = i));
              scrollTo(0, 0);
              document.activeElement.blur();
              return shown.length;
            }"""
            number = desktop.evaluate(mark)
            reached = set()
            desktop.evaluate("document.querySelector('[data-lang=ja]').focus()")
            for _ in range(number):
                reached.add(desktop.evaluate("document.activeElement.dataset.order"))
                desktop.keyboard.press("Tab")
            assert len(reached) == number, tab


@pytest.fixture(scope="session")
def firefox(tmp_path_factory):
    if firefox_bidi.program() is None:
        if "CI" in os.environ:
            pytest.fail("there is no Firefox")
        pytest.skip("there is no Firefox: install one (in Debian: firefox-esr)")
    opened = firefox_bidi.Firefox(tmp_path_factory.mktemp("firefox"))
    yield opened
    opened.close()


@pytest.mark.slow
class TestFirefox:
    def open(self, firefox, shipped_page, place="", size=(1280, 900)):
        firefox.size(*size)
        firefox.open(f"{shipped_page[0].as_uri()}#{place}")
        firefox.until("window.explorer !== undefined")
        firefox.run("(window.faults = [], onerror = (text) => void faults.push(text), 0)")

    @pytest.fixture
    def opened(self, firefox, shipped_page):
        self.open(firefox, shipped_page, "tab=interpolate&a=4&b=9&t=0.5")
        yield firefox
        assert firefox.run("faults") == []

    def test_it_decodes_as_chainer_does(self, opened, z2, z20):
        rng = np.random.RandomState(3)
        for name, model, n in (("decode", z2, 2), ("decode20", z20, 20)):
            z = rng.uniform(-2, 2, (50, n)).astype("f4")
            script = f"arguments[0].map((z) => Array.from(explorer.{name}(z)))"
            found = opened.run(script, z.tolist())
            np.testing.assert_allclose(found, latent.decode(model, z), atol=1e-4)

    def test_place_theme_and_language(self, opened):
        click = "document.getElementById(arguments[0]).click()"
        state = "[explorer.tabs.chosen(), explorer.interpolation.ends, explorer.interpolation.t]"
        assert opened.run(state) == ["interpolate", ["4", "9"], 0.5]
        assert opened.run("document.documentElement.lang") == "ja"
        opened.run("document.querySelector('[data-lang=en]').click()")
        opened.run(click, "theme")
        opened.until("location.hash.endsWith('lang=en')")
        assert opened.run("location.hash").startswith("#tab=interpolate&a=4&b=9&t=0.5")
        opened.reload()
        opened.until("window.explorer !== undefined")
        opened.run("window.faults = []")
        found = "[document.documentElement.lang, document.documentElement.dataset.theme]"
        assert opened.run(found) == ["en", "dark"]
        for button in ("theme", "tab-decode"):
            opened.run(click, button)
        opened.run("localStorage.clear()")

    def test_tour_by_keyboard(self, opened):
        tab, enter, right = "\ue004", "\ue007", "\ue014"
        opened.run("document.getElementById('tour-start').click()")
        for step in range(1, 7):
            assert opened.run("explorer.tour.step") == step
            assert opened.run("document.activeElement.id") == "tour-title"
            for _ in range(3):  # past "leave" and "back"
                if opened.run("document.activeElement.id") != "tour-answer":
                    opened.press(tab)
            opened.press(enter)
            assert opened.run("document.getElementById('tour-said').textContent.length") > 30
            opened.press(enter)
        assert opened.run("explorer.tour.step") is None
        opened.run("document.querySelector('#plane .over').focus()")
        before = opened.run("explorer.plane.z")
        opened.press(right)
        assert opened.run("explorer.plane.z[0]") > before[0]
        opened.until("document.getElementById('said').textContent.includes('z = ')")

    @pytest.mark.parametrize(
        ("kind", "size"), [("mouse", (1280, 900)), ("touch", (390, 844)), ("mouse", (640, 450))]
    )
    def test_a_drawing_lands_in_the_plane(self, firefox, shipped_page, z2, mnist, kind, size):
        """On a desktop, a phone, and a desktop at 200 %."""
        self.open(firefox, shipped_page, "tab=draw", size)
        box = """(() => {
          const element = document.querySelector(arguments[0]);
          element.scrollIntoView({ block: "center" });
          const { x, y, width, height } = element.getBoundingClientRect();
          return [x, y, width, height];
        })()"""
        x, y, width, height = firefox.run(box, "#pad")
        stroke = [(0.5, 0.2), (0.5, 0.4), (0.5, 0.6), (0.5, 0.8)]
        firefox.drag([(x + width * u, y + height * v) for u, v in stroke], kind)
        firefox.until("explorer.subject.label === null && explorer.subject.image !== null")
        mu = firefox.run("Array.from(explorer.subject.posterior.mu)")
        image = np.float32(firefox.run("Array.from(explorer.subject.image)"))[None]
        np.testing.assert_allclose([mu], encode(z2, image)[0], atol=0.1)
        # A vertical stroke lands among the 1s.
        means = latent.class_means(
            encode(z2, mnist.test_images[:1000])[0], mnist.test_labels[:1000]
        )
        assert np.linalg.norm(means - mu, axis=1).argmin() == 1
        x, y, width, height = firefox.run(box, "#plane")
        before = firefox.run("explorer.plane.z")
        firefox.drag([(x + width * u, y + height * u) for u in (0.3, 0.5, 0.6)], kind)
        assert firefox.run("explorer.plane.z") != before
        assert firefox.run("faults") == []


def test_the_guides_name_each_part_of_an_address():
    source = (page.WEB / "place.js").read_text("utf-8")
    parts = set(re.findall(r"""(?:number|asked\.get)\("(\w+)"\)""", source))
    assert len(parts) >= 9
    for lang in ("en", "ja"):
        guide = Path(__file__).parents[1].joinpath("docs", lang, "explorer.md").read_text("utf-8")
        rows = re.findall(r"^\| (`.*?`) \|", guide, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", " ".join(rows))) == parts | {"a", "b"}, lang


def test_the_colours_are_in_one_block():
    """A block for each theme; the light one has them all."""
    colour = re.compile(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(")
    style = (page.WEB / "style.css").read_text("utf-8")
    light, dark = re.findall(r"^:root[^\n]* \{\n.*?\n\}\n", style, re.DOTALL | re.MULTILINE)
    assert not colour.search(style.replace(light, "").replace(dark, ""))
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", style)) - {"rows"}  # set by dimensions.js
    for file in page.WEB.glob("*.js"):
        text = file.read_text("utf-8")
        assert not re.search(r"[\"'`](#[0-9a-fA-F]{3,8}|rgba?\()", text), file.name
        used |= set(re.findall(r'view\.color\("([a-z0-9-]+)"\)', text))
    named = [set(re.findall(r"--([a-z0-9-]+):", block)) for block in (style, light, dark)]
    assert used <= named[0] and named[2] <= named[1]


def test_the_classes_have_the_figures_colours():
    style = (page.WEB / "style.css").read_text("utf-8").partition('[data-theme="dark"]')[0]
    found = re.findall(r"--class-\d: (#[0-9a-f]{6})", style)
    assert found == list(map(to_hex, DIGIT_COLORS.colors))


@pytest.fixture(scope="session")
def one_epoch(tmp_path_factory, mnist):
    """The page of a run of one epoch, on a data set of its own, binarized."""
    folder = tmp_path_factory.mktemp("one")
    data = write_idx_folder(folder / "data", mnist, 400, 200)
    settings = dict(dimz=2, dim_h=30, epoch=1, snapshots=True, dataset=str(data))
    settings["binarize"] = "threshold"
    list(Run.start(Config(**settings), folder / "run").train())
    write_page(folder / "page.html", folder / "run")
    return folder / "page.html"


@pytest.mark.slow
def test_binarized_pixels_are_said(browser, one_epoch):
    opened = open_page(browser, one_epoch)
    for lang, said in (
        ("ja", "（シード 0、1エポック, binarized (threshold)）"),
        ("en", "(seed 0, 1 epoch, binarized (threshold))"),
    ):
        opened.locator(f"[data-lang={lang}]").click()
        assert said in opened.locator("#made-from").text_content()


# What is written on the learning curve, as boxes [left, right, top, bottom].
WRITTEN = """() => {
  const canvas = document.getElementById("learning-curve");
  const context = canvas.getContext("2d");
  const found = [];
  context.fillText = (text, x, y) => {
    const { width } = context.measureText(text);
    const left = { left: x, center: x - width / 2, right: x - width }[context.textAlign];
    found.push([left, left + width, y - 6, y + 6]);
  };
  document.querySelector("[data-lang=en]").click();
  delete context.fillText;
  return { found, width: canvas.clientWidth, height: canvas.clientHeight };
}"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [(390, 844), (1280, 900)])
@pytest.mark.parametrize("epochs", [1, 5])
def test_the_learning_curve_can_be_read(browser, one_epoch, small_page, epochs, size):
    file = one_epoch if epochs == 1 else small_page[0]
    opened = open_page(browser, file, viewport=dict(width=size[0], height=size[1]))
    opened.locator("#learning-curve").scroll_into_view_if_needed()
    next_frame(opened)
    written = opened.evaluate(WRITTEN)
    assert len(written["found"]) >= 5 + (epochs > 1)
    for i, (left, right, top, bottom) in enumerate(written["found"]):
        assert left >= 0 and right <= written["width"]
        assert top >= 0 and bottom <= written["height"]
        for other in written["found"][:i]:
            assert right <= other[0] or left >= other[1] or bottom <= other[2] or top >= other[3]
    # The last epoch is marked, in the colours of both curves.
    colours = opened.evaluate(
        """() => {
          const canvas = document.getElementById("learning-curve");
          const context = canvas.getContext("2d");
          const { data } = context.getImageData(0, 24, canvas.width, canvas.height - 44);
          const found = { red: 0, grey: 0 };
          for (let i = 0; i < data.length; i += 4) {
            found.red += data[i] === 185 && data[i + 1] === 28;
            found.grey += data[i] === 107 && data[i + 1] === 114;
          }
          return found;
        }"""
    )
    assert colours["red"] > 20 and colours["grey"] > 20
    assert opened.faults == []
    opened.context.close()


@pytest.mark.slow
def test_the_credit_of_mnist(browser, one_epoch, shipped_page):
    for file, shown in ((one_epoch, False), (shipped_page[0], True)):
        opened = open_page(browser, file)
        for lang in ("English", "日本語"):
            opened.click(f"text={lang}")
            assert ("MNIST" in opened.inner_text("footer")) == shown
            assert "Kingma" in opened.inner_text("#sources")
        opened.context.close()


@pytest.mark.slow
def test_the_recorder_waits_for_a_slow_page(browser, small_page, tmp_path):
    slow = """<head><script>
      const { arrayBuffer } = Response.prototype;
      Response.prototype.arrayBuffer = function () {
        return new Promise((done) => setTimeout(() => done(arrayBuffer.call(this)), 1000));
      };
    </script>"""
    file = tmp_path / "page.html"
    file.write_text(small_page[0].read_text("utf-8").replace("<head>", slow, 1), "utf-8")
    opened = recorder.opened(browser, file, "ja-JP")
    assert opened.evaluate("explorer.tabs.chosen()") == "decode"


@pytest.mark.slow
def test_picture(browser, shipped_page):
    """The same one each time."""
    found = [recorder.picture(browser, shipped_page[0], "en-US") for _ in range(2)]
    assert found[0] == found[1]
    width, height = Image.open(io.BytesIO(found[0])).size
    assert width == recorder.PICTURE["width"] and 1500 < height <= recorder.PICTURE["height"]


@pytest.mark.slow
def test_recording(browser, shipped_page):
    """The story of scripts/record_explorer.py can be told, and ends where it began."""
    frames = recorder.record(browser, shipped_page[0], "ja-JP").frames
    changes = [(a != b).any() for a, b in zip(frames, frames[1:])]
    assert 100 < sum(changes) < len(changes)
    np.testing.assert_array_equal(frames[0], frames[-1])
    seconds = len(frames) * recorder.FRAME / 1000
    assert 12 <= seconds <= 17 and 800 <= frames[0].shape[1] <= 960
