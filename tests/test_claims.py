"""The numbers in the texts of both languages: recorded in results/, counted, or set in the code."""

import json
import math
import re
from pathlib import Path
from statistics import mean, median, stdev
from types import SimpleNamespace

import gpu_check
import numpy as np
import pytest

from chainer_vae import Config, encode, evaluate, figures, load_model, posterior
from chainer_vae.cli import build_parsers
from chainer_vae.cli.train import _compared_with_the_article
from chainer_vae.engine.cpu_kernels import CEILING, FLOOR
from chainer_vae.engine.threads import MAX_THREADS
from chainer_vae.explorer.content import N_POINTS
from chainer_vae.explorer.page import LARGEST, WEB
from chainer_vae.runs import SHIPPED, article_log
from chainer_vae.runs.files import PATIENCE
from chainer_vae.runs.folder import is_snapshot_epoch
from chainer_vae.runs.models import SHIPPED_AUTOENCODER
from chainer_vae.runs.run import SAVE_INTERVAL
from chainer_vae.training import TEST_SAMPLES

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
README = {"en": "README.md", "ja": "README.ja.md"}
WORDS = {3: "three", 4: "four", 5: "five", 7: "seven"}
LOSSES = ("main/loss", "validation/main/loss", "validation/main/rec_loss")
in_both_languages = pytest.mark.parametrize("lang", README)


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def prose_of(name):
    """Without line breaks, which are anywhere in English and nowhere in Japanese."""
    return " ".join(text_of(name).split())


def json_of(name):
    return json.loads(text_of(f"results/{name}"))


def settings_of(command, dimz):
    """What a command trains with; of ``make reproduce``, which trains two models, the one."""
    name, *words = command.split()
    if name == "make":
        assert words[0] == "reproduce", command
        given = {"dimz": dimz, "snapshots": dimz == 2}
        given.update((word.split("=")[0].lower(), int(word.split("=")[1])) for word in words[1:])
    else:
        parser, _ = build_parsers()
        given = vars(parser.parse_args(words))
        assert given.pop("command") == "train", command
    return Config(**given)


def assert_made_by(command, folder):
    """The command trains with the recorded settings, and by the recorded engine."""
    recorded = json_of(f"{folder}/config.json")
    config = Config(**recorded["arguments"])
    found = settings_of(command, config.dimz)
    for name in vars(config):
        if name not in ("engine", "snapshots"):
            assert getattr(found, name) == getattr(config, name), (command, name)
    engines = {environment.get("engine", "chainer") for environment in recorded["environments"]}
    by_chainer = found.engine == "chainer" or found.model == "autoencoder"
    assert engines == {"chainer" if by_chainer else "fused"}, command


def recorded_at_epoch_100(path, command):
    """Train loss, test loss and test reconstruction of a record, and the versions that made it."""
    if path.endswith(".csv"):
        run = article_log.load_logs()[article_log.LOGS.index(Path(path).name)][100]
        article = {"chainer": "2.0.0", "numpy": "1.12.1"}  # chainer_vae/data/README.md
        return (run.train_loss, run.test_loss, run.test_rec_loss), article
    if path.endswith(".json"):
        assert command == "make gpu-check"
        record = json.loads(text_of(path))
        training = record["training"]
        return (training["train_loss"], training["test_loss"], None), record["versions"]
    name = Path(path).name
    assert_made_by(command, name)
    last = json_of(f"{name}/log")[-1]
    assert last["epoch"] == 100
    (environment,) = json_of(f"{name}/config.json")["environments"]
    return tuple(last[key] for key in LOSSES), environment["versions"]


@pytest.mark.parametrize("name", [*README.values(), "docs/en/reproduce.md", "docs/ja/reproduce.md"])
def test_the_table_of_losses(name):
    """Each row: its command, its losses and its versions are those of the record that it links."""
    rows = re.findall(
        r"^\|(.*)\| 100 \|(.*)\|(.*)\|(.*)\| \[.*?\]\((.*?)\)(.*)\|$", text_of(name), re.M
    )
    assert len(rows) == 7
    for what, *shown, link, about in rows:
        found, versions = recorded_at_epoch_100(link.replace("../", ""), what.strip(" `"))
        expected = ["" if loss is None else f"{loss:.3f}" for loss in found]
        assert [cell.strip() for cell in shown] == expected, what
        if "the same" not in about and "同上" not in about:
            said = re.findall(r"(NumPy|Python|CuPy|Chainer) ([\d.]+\d)", about)
            assert len(said) >= 2
        for library, version in said:
            assert f"{versions[library.lower()]}.".startswith(f"{version}."), (what, library)


@in_both_languages
def test_what_make_reproduce_gives(lang):
    """What it prints after training z20, and the test loss of z2."""
    guide = text_of(f"docs/{lang}/reproduce.md")
    assert_made_by("make reproduce", "z20-seed0-engine")
    run = SimpleNamespace(config=Config(), log=json_of("z20-seed0-engine/log"))
    printed = f"```\n{_compared_with_the_article(run)}\n```"
    before, _ = guide.split(printed)
    assert "z20-seed0-engine)" in before.splitlines()[-2]
    assert_made_by("make reproduce", "z2-seed0-engine")
    loss = f"{json_of('z2-seed0-engine/log')[-1]['validation/main/loss']:.3f}"
    assert {"en": f"a test loss of {loss}", "ja": f"テスト損失は{loss}"}[lang] in guide


def test_the_table_of_the_runs():
    """results/README.md: each run with its command and its losses, beside the author's."""
    columns = r"^\| (.*?) \| (.*?) \| (\d+) \| (.*?) \| (.*?) \| (.*?) \|$"
    name, named = None, []
    for link, command, epoch, *shown, author in re.findall(
        columns, text_of("results/README.md"), re.M
    ):
        if link:
            name = re.fullmatch(r"\[(.*)\]\(\1\)", link)[1]
            named.append(name)
            assert_made_by(command.strip("`"), name)
        entry = json_of(f"{name}/log")[int(epoch) - 1]
        assert shown == [f"{entry[key]:.3f}" for key in LOSSES[:2]], (name, epoch)
        tests = [f"{run[int(epoch)].test_loss:.3f}" for run in article_log.load_logs()]
        by_the_author = f"test {tests[0]} and {tests[1]}" if "z20" in name else "none recorded"
        assert author == by_the_author, (name, epoch)
    assert sorted(named) == sorted(file.parent.name for file in RESULTS.glob("*/log"))


def test_the_table_beside_the_literature():
    text = text_of("results/README.md").split("### Beside the literature")[1].split("\n### ")[0]
    grey, binarized = text.split("\nBinarized pixels: ")
    rows = re.findall(r"(\w+) loss at epoch (\d+), (\d+) latent .*? \| (\S+ ± \S+) \|", grey)
    assert len(rows) == 3
    runs = json.loads(text_of("chainer_vae/data/seeds.json"))["runs"]
    for kind, epoch, dimz, shown in rows:
        losses = [run["losses"][epoch][kind] for run in runs if run["dimz"] == int(dimz)]
        assert len(losses) == 5 and shown == f"{mean(losses):.3f} ± {stdev(losses):.3f}"
    of_which = {10_000: "all test images", 1000: "the first 1,000 test images"}
    rows = re.findall(r"\| (\S+ ± \S+) \| .*? \| \[(.*?)\]\(\2\), (.*?);", binarized)
    assert [file for _, file, _ in rows] == [
        "burda.json", "burda-vae-k50.json", "burda-iwae-k50.json", "burda-static.json"
    ]  # fmt: skip
    for shown, file, setting in rows:
        last = json_of(file)[-1]
        assert shown == f"{last['nll']:.2f} ± {last['standard_error']:.2f}"
        assert setting == f"{last['epochs']} epochs, {of_which[last['images']]}"


def test_the_tables_of_the_seeds():
    record = json.loads(text_of("chainer_vae/data/seeds.json"))
    assert record["epoch"] == 100
    _, _, section = text_of("results/README.md").partition("### What a seed decides")
    tables = section.partition("###")[0].split("\n| seed |")[1:]
    assert len(tables) == 2
    for dimz, table in zip((20, 2), tables):
        runs = [run for run in record["runs"] if run["dimz"] == dimz]
        assert [run["seed"] for run in runs] == list(range(len(runs)))
        columns = [
            [run["losses"][epoch][kind] for run in runs]
            for epoch, kind in (("100", "train"), ("100", "test"), ("71", "train"))
        ]
        expected = [
            f"{run['seed']} | {train:.3f} | {test:.3f} | {run['active_by_kl']} | {early:.3f}"
            for run, train, test, early in zip(runs, *columns)
        ]
        train, test, early = (f"{mean(column):.3f} ± {stdev(column):.3f}" for column in columns)
        expected.append(f"mean ± standard deviation | {train} | {test} | | {early}")
        assert re.findall(r"^\| (\w.*) \|$", table, re.MULTILINE) == expected


def test_the_engine_goes_chainers_way_for_ten_epochs():
    """The runs of the same seed in results/README.md."""
    assert "relative 1e-5 for ten epochs" in prose_of("results/README.md")
    for file in RESULTS.glob("*-engine/log"):
        name = file.parent.name
        logs = zip(json_of(f"{name.replace('-engine', '')}/log"), json_of(f"{name}/log"))
        for by_chainer, by_engine in list(logs)[:10]:
            for key in LOSSES:
                assert by_engine[key] == pytest.approx(by_chainer[key], rel=1e-5), name


def test_the_mean_of_the_runs():
    text = prose_of("results/README.md")
    z20 = [json_of(f"{file.parent.name}/log") for file in RESULTS.glob("z20-*/log")]
    own = np.mean([log[-1]["validation/main/loss"] for log in z20])
    author = np.mean([log[100].test_loss for log in article_log.load_logs()])
    assert f"of the {WORDS[len(z20)]} z20 runs" in text
    assert f"averaged, is {own:.3f} (the author's two runs: {author:.3f})" in text


def test_the_times_of_the_runs():
    """Of both models, trained one after the other on 2 idle cores."""
    runs = ("z20-seed2", "z2-seed0-engine")
    times = [json_of(f"{name}/log")[-1]["elapsed_time"] for name in runs]
    said = "z20-seed2 and z2-seed0-engine took {:.0f} and {:.0f} seconds".format(*times)
    assert said in prose_of("results/README.md")
    assert all(5 < time / 100 < 6 and round(time / 60) == 9 for time in times)
    assert "5 to 6 seconds, and each model 9 minutes" in prose_of("docs/en/reproduce.md")
    assert "5〜6秒、学習に1つのモデルあたり9分" in prose_of("docs/ja/reproduce.md")
    assert sum(times) < 20 * 60
    assert "in [less than 20 minutes]" in prose_of("docs/en/gpu.md")
    assert "[20分以内]" in prose_of("docs/ja/gpu.md")


@in_both_languages
def test_times_on_a_gpu_are_those_recorded(lang):
    recorded = json_of("gpu/NVIDIA-H100-80GB-HBM3.json")
    guide = text_of(f"docs/{lang}/gpu.md")
    if lang == "en":  # test_readme.py compares the tables of the languages
        assert gpu_check.table(recorded["steps"]) in guide
    seconds, versions = recorded["training"]["seconds"], recorded["versions"]
    index = text_of(f"docs/{lang}/index.md")
    assert {"en": f"{seconds:.1f} seconds", "ja": f"{seconds:.1f}秒"}[lang] in guide
    assert {"en": f"take {seconds:.0f} seconds", "ja": f"{seconds:.0f}秒"}[lang] in index
    assert recorded["date"] in guide and recorded["date"] in text_of(README[lang])
    assert f"CuPy {versions['cupy']}" in guide
    assert f"PyTorch {versions['torch'][:4]}" in guide


def test_the_latent_dimensions_that_are_used(mnist):
    """Those with a KL divergence above 0.1."""
    mu, ln_var = encode(load_model("z20")[0], mnist.test_images)
    kl = posterior.dimensions(mu, ln_var).kl
    used = np.count_nonzero(kl > 0.1)
    (gpu,) = (json.loads(file.read_text()) for file in RESULTS.glob("gpu/*.json"))
    assert gpu["training"]["latent_units_with_a_KL_above_0.1"] == used
    assert np.sort(kl)[-used - 1] < 1e-3
    text = prose_of("results/README.md")
    assert f"`z20` (z20-seed0) uses {used}, and so does the run on the GPU" in text


def test_the_table_of_ln_p_of_x():
    """In results/README.md, and the sentences below it."""
    record = json_of("log-likelihood.json")
    models = [record["models"][name] for name in SHIPPED]
    assert list(SHIPPED) == ["z20", "z2"] and (record["images"], record["k"]) == (1000, 5000)
    text = text_of("results/README.md").split("### How probable")[1].split("\n### ")[0]
    rows = re.findall(r"^\| (\S.*?) \| ([^|]+) \| ([^|]+) \|$", text, re.M)
    parts = [model["aggregate"] for model in models]

    def used(key):
        found = [np.array(model[key])[np.array(model["kl"]) > 0.1] for model in models]
        return [f"{values.min():.2f} to {values.max():.2f}" for values in found]

    def estimated(key):
        return [f"{part[key]:.3f} ± {part['standard_error']:.3f}" for part in parts]

    assert {what: shown for what, *shown in rows} == {
        **{
            f"bound, k = {int(k):,}{' (the ELBO)' * (k == '1')}": [
                f"{model['bounds'][k]:.3f}" for model in models
            ]
            for k in ("1", "5", "50", "500", "5000")
        },
        "its standard error, over the images": [f"{m['standard_error']:.3f}" for m in models],
        "active latent dimensions (variance of mu / KL divergence)": [
            f"{model['active']} / {model['active_by_kl']}" for model in models
        ],
        "mean of q(z) in these": used("mean"),
        "variance of q(z) in these": used("variance"),
        "largest correlation between two of them": [
            f"{model['largest_correlation']:.3f}" for model in models
        ],
        "KL divergence of q(z\\|x), the sum of the next two": [f"{p['kl']:.3f}" for p in parts],
        "mutual information I(x; z)": estimated("mutual_information"),
        "KL divergence of q(z)": estimated("marginal_kl"),
    }

    prose = " ".join(text.split())
    rises = [model["bounds"]["5000"] - model["bounds"]["500"] for model in models]
    assert "still rises by {:.2f} nats for z20 and by {:.2f} for z2".format(*rises) in prose
    assert f"at most ln 1,000 = {parts[0]['largest_information']:.3f}" in prose
    near = parts[0]["largest_information"] - parts[0]["mutual_information"]
    assert f"z20 comes within {near:.2f} of it" in prose
    assert "do not compare with those of the literature for binarized MNIST" in prose
    times = [model["processor_seconds"] for model in models]
    ratios = [model["processor_seconds"] / model["of_products"] for model in models]
    assert "took {:.0f} and {:.0f} seconds of one core's time".format(*times) in prose
    assert f"{min(ratios):.2f} to {max(ratios):.2f} times that of the decoder's" in prose
    assert max(ratios) < 1.25
    seconds, minutes = round(np.mean(times), -1), np.mean(times) / 6
    for lang, said in (
        ("en", (f"about {seconds:.0f} seconds", f"about {minutes:.0f} minutes", "1.2 times")),
        ("ja", (f"約{seconds:.0f}秒", f"約{minutes:.0f}分", "行列積だけにかかる時間の1.2倍")),
    ):
        assert all(words in prose_of(f"docs/{lang}/reproduce.md") for words in said)


def test_the_recorded_latent_spaces_are_those_of_the_models(mnist):
    """But for rounding; results/log-likelihood.json."""
    record = json_of("log-likelihood.json")
    for name in SHIPPED:
        recorded = record["models"][name]
        latents = encode(load_model(name)[0], mnist.test_images[: record["images"]])
        found = posterior.dimensions(*latents)
        np.testing.assert_allclose(found.kl, recorded["kl"], rtol=1e-3, atol=1e-5)
        parts = posterior.decompose(*latents, record["seed"])._asdict()
        assert parts == pytest.approx(recorded["aggregate"], rel=1e-3)


@pytest.mark.slow
def test_what_evaluate_says_of_z20(mnist):
    np.random.seed(0)
    loss = f"{evaluate(load_model('z20')[0], mnist.test_images, TEST_SAMPLES).loss:.2f}"
    assert f"({loss} for `z20`)" in prose_of("docs/en/reproduce.md")
    assert f"（`z20` では{loss}）" in prose_of("docs/ja/reproduce.md")


def test_the_page_of_the_explorer_is_of_the_recorded_run():
    """results/explorer.html has the losses of a repetition, to three decimals."""
    page = text_of("results/explorer.html")
    (shown,) = re.findall(r'"log": (\[\[.*?\]\])', page)
    log = json_of("z2-seed0-engine/log")
    assert json.loads(shown) == [[round(entry[key], 3) for key in LOSSES[:2]] for entry in log]


BENCH = "bench/epyc-2-cores.json"
BENCH_AVX512 = "bench/epyc-2-cores-avx512.json"


def times_on_a_cpu(threads, recording=BENCH, avx2=False):
    """Of a recorded benchmark: by the case, the median milliseconds of each row."""
    (result,) = [
        found
        for found in json_of(recording)["results"]
        if (found["threads"], found["avx2"]) == (threads, avx2)
    ]
    return {
        (case["what"], case["z"], case["batch"], case["model"]): {
            name: median(milliseconds) for name, milliseconds in case["milliseconds"].items()
        }
        for case in result["cases"]
    }


COLUMNS = (  # of the tables in engine.md
    ("step", 20, 100, "new"),
    ("step", 20, 100, "trained"),
    ("step", 2, 100, "trained"),
    ("step", 20, 1000, "trained"),
    ("test", 20, 100, "trained"),
)
ROWS = (
    "engine",
    "Chainer's loop",
    "PyTorch eager",
    "PyTorch fused Adam",
    "PyTorch compiled",
    "JAX jitted",
    "matrix products",
)


@in_both_languages
def test_times_on_a_cpu_are_those_recorded(lang):
    recorded = json_of(BENCH)
    guide = text_of(f"docs/{lang}/engine.md")
    expected = []
    for threads in (2, 1):
        times = times_on_a_cpu(threads)
        expected += [
            [f"{times[column][row]:.1f}" if row in times[column] else "" for column in COLUMNS]
            for row in ROWS
        ]
    lines = re.findall(r"^\| [^|]* ((?:\| [\d.,]* ){5})\|$", guide, re.M)
    assert [[cell.strip() for cell in line.split("|")[1:]] for line in lines] == expected
    for result in recorded["results"]:
        versions = result["versions"]
        for said in (f"NumPy {versions['numpy']}", f"PyTorch {versions['torch']}"):
            assert said in guide
        assert f"JAX {versions['jax']}" in guide and "AMD EPYC" in result["device"]
        rounds = {len(ms) for case in result["cases"] for ms in case["milliseconds"].values()}
        assert rounds == {3, 5}
    assert recorded["date"] in guide and not recorded["quick"]
    assert {"en": "medians of 5 rounds (3 for the test)", "ja": "5ラウンド（テストは3ラウンド）"}[
        lang
    ] in guide


def test_ratios_of_times_on_a_cpu():
    """In results/README.md and CHANGELOG.md."""
    text = prose_of("results/README.md")
    columns = [times_on_a_cpu(1), times_on_a_cpu(2)]
    columns += [times_on_a_cpu(n, BENCH_AVX512, avx2) for avx2 in (False, True) for n in (1, 2)]

    def ratios(measured, what, other):
        found = []
        for (kind, *_), times in measured.items():
            others = [time for name, time in times.items() if name.startswith(other)]
            if kind == what:
                found.append(times["engine"] / min(others))
        return f"{min(found):.2f} to {max(found):.2f}"

    for what, other in (
        ("step", "PyTorch"),
        ("step", "JAX"),
        ("step", "Chainer"),
        ("step", "matrix"),
        ("test", "PyTorch"),
    ):
        row = " | ".join(ratios(measured, what, other) for measured in columns)
        assert f"| {row} |" in text, (what, other, row)
    for recording in (BENCH, BENCH_AVX512):
        for result in json_of(recording)["results"]:
            assert result["others"] < 0.01 and "less than 1 % of their time" in text
    assert "a third of the time of Chainer's loop (with AVX-512: half)" in prose_of("CHANGELOG.md")
    for recording, share in ((BENCH, 1 / 3), (BENCH_AVX512, 0.5)):
        shares = [
            times["engine"] / times["Chainer's loop"]
            for (what, _, batch, _), times in times_on_a_cpu(2, recording).items()
            if what == "step" and batch == 100
        ]
        assert median(shares) == pytest.approx(share, abs=0.05)


@in_both_languages
def test_the_speed_of_the_page(lang):
    recorded = json_of("bench/explorer-epyc-2-cores.json")
    rows = recorded["milliseconds"]
    guide = prose_of(f"docs/{lang}/explorer.md")
    assert {"en": "60 frames per second", "ja": "毎秒60フレーム"}[lang] in guide
    assert all(row["between"]["median"] == pytest.approx(1000 / 60, abs=0.1) for row in rows)
    assert {"en": "2 to 3.5 ms (medians)", "ja": "2〜3.5 ms（中央値）"}[lang] in guide
    assert all(1.9 <= row["scripts"]["median"] <= 3.5 for row in rows)
    assert {"en": "occasionally 8 ms", "ja": "8 msになることも"}[lang] in guide
    assert all(row["scripts"]["95 %"] <= 8 for row in rows)
    assert {"en": "one frame in twenty takes 21 ms", "ja": "20フレームに1つは21 ms以上"}[
        lang
    ] in guide
    assert [row["between"]["95 %"] // 1 for row in rows if "zoom" in row["what"]] == [21]
    assert recorded["frames"] == 240 and "240 frames each" in prose_of("results/README.md")


SPECS = figures.all_figures()
N_ARTICLE = sum(bool(spec.numbers) for spec in SPECS)
N_NOTEBOOK = sum(spec.section == "notebook" for spec in SPECS)
N_MODELS = len(SHIPPED) + len([SHIPPED_AUTOENCODER])
N_LESSONS = len(list((ROOT / "notebooks" / "lessons").glob("[0-9]*.py")))
LIGHTEST = math.floor(FLOOR / math.log(10))  # e^FLOOR, as a power of ten
NOISE_EVERY = int(re.search(r"NOISE_EVERY = (\d+);", (WEB / "flow.js").read_text("utf-8"))[1])
# Where a number is said: the page, the words in English and Japanese, the number.
COUNTED_OR_SET = [
    ("README", "the article's {} images", "記事の画像{}枚", N_ARTICLE),
    ("figures", "the article's {} images", "記事の画像{}枚", N_ARTICLE),
    ("README", "{word} more from its notebook", "記事のノートブックにある{}枚", N_NOTEBOOK),
    (
        "figures",
        "{word} more from the article's notebook",
        "記事のノートブックにある{}枚",
        N_NOTEBOOK,
    ),
    ("README", "There are {word} notebooks", "ノートブックが{}本", N_LESSONS),
    ("lessons", "There are {word} notebooks", "ノートブックが{}本", N_LESSONS),
    ("README", "{word} trained models come with", "{}つの学習済みモデル", N_MODELS),
    ("reproduce", "{word} trained models come with", "{}つの学習済みモデル", N_MODELS),
    ("install", "{word} trained models are inside", "{}つの学習済みモデル", N_MODELS),
    ("README", "k = {} samples", "k = {}サンプル", TEST_SAMPLES),
    ("reproduce", "k = {} samples", "k = {}個", TEST_SAMPLES),
    ("engine", "at most {}.", "最大{}です", MAX_THREADS),
    ("faithfulness", "from 1e{} to", "1e{}以上", LIGHTEST),
    ("faithfulness", "e^{:.0f},", "e^{:.0f}以下", CEILING),
    ("explorer", "under {:.0f} MB", "{:.0f} MB未満", LARGEST / 1e6),
    ("explorer", "drawn anew {} times a second", "1秒に{}回引き直され", 1000 / NOISE_EVERY),
    ("explorer", "the first {:,} test images", "最初のテスト画像{:,}枚", N_POINTS),
    ("install", "wait for {:.0f} seconds", "{:.0f}秒待って", PATIENCE),
    ("reproduce", "at most once a second", "多くても{:.0f}秒に1回", SAVE_INTERVAL),
]


@pytest.mark.parametrize("page, english, japanese, number", COUNTED_OR_SET)
def test_what_is_counted_or_set_in_the_code(page, english, japanese, number):
    pages = README if page == "README" else {lang: f"docs/{lang}/{page}.md" for lang in README}
    for lang, said in (("en", english), ("ja", japanese)):
        said = said.format(number, word=WORDS.get(number))
        assert said.lower() in prose_of(pages[lang]).lower()


@in_both_languages
def test_the_epochs_of_the_snapshots(lang):
    between = {"en": ", ", "ja": "、"}[lang]
    epochs = between.join(str(epoch) for epoch in range(101) if is_snapshot_epoch(epoch))
    assert epochs in text_of(f"docs/{lang}/reproduce.md")


def test_versions_of_python_and_numpy():
    setup = text_of("setup.py")
    assert ">=3.9,<3.16" in text_of("pyproject.toml") and "numpy>=1.22,<2.6" in setup
    for name in (
        *README.values(),
        "docs/en/install.md",
        "docs/ja/install.md",
        "docs/en/old-programs.md",
        "docs/ja/old-programs.md",
    ):
        text = text_of(name)
        assert re.search("3.9( to |〜)3.15", text) and re.search("1.22( to |〜)2.5", text), name
    recorded = json_of("z20-seed2/config.json")["environments"][0]["versions"]["numpy"]
    assert f"numpy=={recorded} ; python_full_version == '3.11.*'" in text_of("requirements.lock")
    for lang in README:
        assert recorded in text_of(f"docs/{lang}/install.md")


@pytest.mark.parametrize(
    "name",
    [
        *README.values(),
        *sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("docs/*/*.md")),
        "results/README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile",
    ],
)  # fmt: skip
def test_variables_of_make_are_the_makefiles(name):
    """In a command that a text names, such as ``make reproduce SEED=1``."""
    makefile = text_of("Makefile")
    for target, variables in re.findall(r"\bmake ([a-z-]+)((?: [A-Z]+=\S+)+)", text_of(name)):
        assert re.search(rf"^{target}:", makefile, re.M), target
        for variable in re.findall(r"([A-Z]+)=", variables):
            assert f"$({variable})" in makefile, (target, variable)
