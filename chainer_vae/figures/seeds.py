"""What the seed decides: how many latent dimensions a run comes to use, and its loss."""

import json
from collections import Counter

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chainer_vae.datasets import DATA_DIR
from chainer_vae.figures import style
from chainer_vae.figures.registry import Context, figure
from chainer_vae.posterior import ACTIVE_KL
from chainer_vae.runs import article_log

COLORS = (style.GRADIENT, style.DECODER, style.LATENT, "#0F766E", style.MUTED)
MARKERS = "osD^v"


@figure(
    "seeds", (), "ours", "seeds.png", "",
    en="What a seed decides: the KL divergence of each of the 20 latent dimensions, largest first,"
    " after 100 epochs with each of several seeds, and the test loss (k = 10) beside the number of"
    " dimensions that are used, those above 0.1 nats. The lines are the two runs of the article's"
    " author.",
    ja="乱数シードで決まること。いくつかのシードで100エポック学習した後の、20個の潜在変数それぞれの"
    "KLダイバージェンス（大きい順）と、使われている潜在変数（0.1 nats以上）の数に対する"
    "テスト損失（k = 10）。横線は記事の著者の2回の学習です。",
)  # fmt: skip
def seeds(context: Context) -> Figure:
    # Recorded by benchmarks/seeds.py.
    record = json.loads((DATA_DIR / "seeds.json").read_text(encoding="utf-8"))
    runs = [run for run in record["runs"] if run["dimz"] == 20]
    fig = Figure(figsize=(style.WIDTH, 3.4))
    kl, loss = fig.subplots(1, 2, width_ratios=(3, 2))
    fig.subplots_adjust(left=0.085, right=0.985, bottom=0.16, top=0.9, wspace=0.3)

    last = str(record["epoch"])
    same = Counter(run["active_by_kl"] for run in runs)
    beside: Counter[int] = Counter()  # runs that use as many dimensions stand side by side
    for run, color, marker in zip(runs, COLORS, MARKERS):
        name = context.text(f"seed {run['seed']}", f"シード {run['seed']}")
        how = dict(color=color, marker=marker, ms=4.5)
        values = sorted(run["kl"], reverse=True)
        kl.plot(range(1, len(values) + 1), values, lw=1, label=name, **how)
        active, test = run["active_by_kl"], run["losses"][last]["test"]
        x = active + 0.11 * (beside[active] - (same[active] - 1) / 2)
        loss.plot(x, test, ls="", **how)
        loss.annotate(
            str(run["seed"]), (x, test), (0, 5), textcoords="offset points", color=color,
            ha="center",
        )  # fmt: skip
        beside[active] += 1
    kl.axhline(ACTIVE_KL, color=style.MUTED, lw=0.8, ls=":")
    kl.set(ylim=(0, None), title=context.text("KL divergence, nats", "KLダイバージェンス（nats）"))
    kl.set_xlabel(context.text("latent dimension, by size", "潜在変数（大きい順）"))
    kl.xaxis.set_major_locator(MaxNLocator(integer=True))
    kl.legend(frameon=False)

    for author in article_log.load_logs():
        loss.axhline(author[record["epoch"]].test_loss, color="#9CA3AF", lw=1, zorder=0)
    loss.set(title=context.text("test loss, nats per image", "テスト損失（nats / 画像）"))
    loss.set_xlabel(context.text("latent dimensions in use", "使われている潜在変数の数"))
    counts = range(min(beside) - 1, max(beside) + 2)
    loss.set(xticks=counts, xlim=(counts[0], counts[-1]))
    loss.margins(y=0.2)
    for axes in (kl, loss):
        axes.grid(True)
    return fig
