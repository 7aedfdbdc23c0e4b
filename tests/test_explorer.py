"""The explorer page: the file, and its behaviour in a real Chromium."""

import base64
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from conftest import idx, write_idx_folder

from chainer_vae import (
    VAE,
    Config,
    InputError,
    Run,
    encode,
    latent,
    load_autoencoder,
    load_model,
)
from chainer_vae.cli import main
from chainer_vae.datasets import load_data
from chainer_vae.explorer import compact, content, page, write_page
from chainer_vae.explorer.blob import Blob
from chainer_vae.runs import checkpoints
from chainer_vae.runs.models import MODELS_DIR

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
recorder = importlib.import_module("record_explorer")  # of scripts


def read_blob(text):
    """The arrays of a blob, as the page reads them."""
    data = zlib.decompress(base64.b85decode(text.replace(",", "<")))

    def read(place):
        n = int(np.prod(place["shape"]))
        planes = np.frombuffer(data, np.uint8)[place["start"] :][: n * place["width"]]
        whole = np.zeros((n, 4), np.uint8)
        whole[:, : place["width"]] = planes.reshape(-1, n).T
        if place["kind"] == "float":
            return whole.view("<f4").reshape(place["shape"])
        code = whole.view("<u4").astype(np.int64)
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
    ]
    blob = Blob()
    places = [blob.add(array) for array in arrays]
    assert [place["width"] for place in places] == [4, 3, 1, 2, 4]
    text = blob.text()
    assert not set(text) & set("<\"'\\\n")
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
        monkeypatch.setattr(page, "PLANS", page.PLANS[3:])
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
        (["--run-z2", "z20"], "a model with 2 latent dimensions is needed, but z20 has 20"),
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


def test_images_of_another_size(tiny_set, tmp_path):
    list(Run.start(Config(dimz=2, dim_h=5, epoch=1, dataset=tiny_set), tmp_path / "run").train())
    with pytest.raises(InputError, match="28 x 28 pixels"):
        write_page(tmp_path / "page.html", tmp_path / "run")
    assert not (tmp_path / "page.html").exists()


def test_more_classes_than_colours(tmp_path, mnist):
    data = write_idx_folder(tmp_path / "data", mnist, 20, 20)
    (data / "t10k-labels-idx1-ubyte.gz").unlink()
    (data / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(20, dtype=np.uint8)))
    config = Config(dimz=2, dim_h=5, epoch=1, dataset=str(data))
    list(Run.start(config, tmp_path / "run").train())
    with pytest.raises(InputError, match=r"shows 10 classes, 0 to 9, but .* have class 19"):
        write_page(tmp_path / "page.html", tmp_path / "run")


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
    out = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    assert out.endswith(" MB\n" if found else " MB; open it in a browser\n")
    if found:
        opened = (tmp_path / "opened").read_text().strip()
        assert opened == (tmp_path / "explorer.html").as_uri()


# In a browser.


def open_page(browser, file, **options):
    """A page, opened; what it must not do ends the test, when :func:`check` is called."""
    context = browser.new_context(**{"locale": "ja-JP", **options})
    opened = context.new_page()
    opened.faults = []
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
    opened.goto(file.as_uri())
    wait_until(opened, "window.explorer !== undefined")
    return opened


@pytest.fixture
def desktop(browser, shipped_page):
    opened = open_page(browser, shipped_page[0], viewport=dict(width=1280, height=900))
    yield opened
    assert opened.faults == []
    opened.context.close()


@pytest.fixture
def phone(browser, shipped_page):
    opened = open_page(
        browser, shipped_page[0], viewport=dict(width=390, height=844),
        device_scale_factor=2, has_touch=True, is_mobile=True,
    )  # fmt: skip
    yield opened
    assert opened.faults == []
    opened.context.close()


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
    deadline = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


def next_frame(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


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
        assert f"：{label}（" in desktop.inner_text("#nearest")
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
        place = desktop.evaluate(
            """async () => {
              const plane = explorer.plane;
              for (let tries = 0; tries < 300; tries++) {
                for (const key of plane.tiles.keys()) {
                  const [level, i, j] = key.split(":").map(Number);
                  const z = [(i + 0.5) * 2 ** level, (j + 0.5) * 2 ** level];
                  if (Math.abs(z[0]) > 3 && Math.abs(z[1]) > 3) {
                    const context = plane.tiles.get(key).getContext("2d");
                    const { data } = context.getImageData(0, 0, 28, 28);
                    return { z, grey: Array.from(data).filter((_, i) => i % 4 === 0) };
                  }
                }
                await new Promise((done) => requestAnimationFrame(done));
              }
            }"""
        )
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
        assert pixels(desktop, "#reconstruction").max() == 0
        self.draw(desktop, [(0.3, 0.2), (0.7, 0.2), (0.5, 0.5), (0.45, 0.85)])  # a 7
        image = pixels(desktop, "#drawn").reshape(28, 28) / 255
        rows, columns = np.nonzero(image > 0.2)
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21  # as MNIST has its digits
        mass = image / image.sum()
        centre = (mass.sum(axis=1) @ np.arange(28), mass.sum(axis=0) @ np.arange(28))
        np.testing.assert_allclose(centre, 14, atol=0.05)

        posterior = desktop.evaluate("explorer.drawing.posterior")
        exact = np.float32(desktop.evaluate("Array.from(explorer.drawing.image)"))[None]
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
        assert desktop.evaluate("explorer.drawing.posterior") == posterior
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
        wait_until(phone, "explorer.drawing.image !== null")
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
            == 28 * content.N_MAP
        )
        opened.click("#epoch-play")
        wait_until(opened, "document.getElementById('epoch').value === '4'")
        assert opened.faults == []
        opened.context.close()


@pytest.mark.slow
def test_recording(browser, shipped_page):
    """The story of scripts/record_explorer.py can be told, and ends where it began."""
    frames = recorder.record(browser, shipped_page[0], "ja-JP")
    changes = [(a != b).any() for a, b in zip(frames, frames[1:])]
    assert 100 < sum(changes) < len(changes)
    np.testing.assert_array_equal(frames[0], frames[-1])
    seconds = len(frames) * recorder.FRAME / 1000
    assert 12 <= seconds <= 17 and 800 <= frames[0].shape[1] <= 960
