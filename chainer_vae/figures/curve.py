"""The learning curve, compared with the article's."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chainer_vae.errors import InputError
from chainer_vae.figures import style
from chainer_vae.figures.registry import Context, figure
from chainer_vae.latent import spread
from chainer_vae.runs import article_log


@figure(
    "learning-curve", (), "ours", "learning_curve.png", "",
    en="Learning curve: training and test loss at each epoch, compared with the two runs that the"
    " article's author recorded, where the settings are the same. The test loss uses k = 10"
    " samples. The numbers on the right are the last losses of this run.",
    ja="学習曲線。各エポックの訓練損失とテスト損失を、設定が同じであれば、記事の著者が記録した2回の学習と比較します。"
    "テスト損失は k = 10 で評価しています。右の数値は今回の学習の最後の損失です。",
    needs="z20",
)  # fmt: skip
def learning_curve(context: Context) -> Figure:
    trained = context.trained("z20")
    log = trained.log
    if not log:
        raise InputError("the run has no losses yet: it has not finished an epoch")
    epochs = [entry["epoch"] for entry in log]
    marker = "." if len(epochs) < 20 else ""
    runs: list[tuple[str, Any, Any, Any, dict[str, Any]]] = []
    comparable = not article_log.differences(trained.config)
    for i, author in enumerate(article_log.load_logs() if comparable else (), 1):
        runs.append((
            context.text(f"article, run {i}", f"記事 {i}回目"), list(author),
            [losses.train_loss for losses in author.values()],
            [losses.test_loss for losses in author.values()],
            dict(color=("#9CA3AF", "#4B5563")[i - 1], lw=1.2, marker=marker),
        ))  # fmt: skip
    runs.append((
        context.text("this run", "今回の学習"), epochs,
        [entry["main/loss"] for entry in log],
        [entry["validation/main/loss"] for entry in log],
        dict(color=style.LOSS, lw=1.6, marker=marker),
    ))  # fmt: skip

    fig = Figure(figsize=(style.WIDTH, 4.5))
    axes = fig.add_axes((0.1, 0.115, 0.82, 0.765))  # the last losses are to its right
    for name, x, train, test, how in runs:
        axes.plot(x, test, label=name + context.text(", test", "（テスト）"), **how)
        axes.plot(x, train, "--", label=name + context.text(", training", "（訓練）"), **how)
    # Show as many epochs as this run has. The first losses are far above the others: with 40 epochs
    # or more, the y range ignores the first 1/40, to leave room for the rest.
    n = len(epochs)
    seen = [losses[n // 40 : n] for run in runs for losses in run[2:4]]
    bottom, top = min(map(min, seen)), max(map(max, seen))
    axes.set(
        xlim=(0, n if n > 1 else 1.05),  # the edge would halve the dot of one epoch
        ylim=(bottom - 0.05 * (top - bottom), top + 0.02 * (top - bottom)),
    )
    last = np.array([[0, values[-1]] for values in runs[-1][2:4]])
    point = 1.07 * (top - bottom) / (0.765 * 4.5 * 72)  # in nats
    for (_, value), (_, place) in zip(last, spread(last, 13 * point)):
        axes.annotate(
            f"{value:.2f}", (1, value), (6, (place - value) / point),
            xycoords=axes.get_yaxis_transform(), textcoords="offset points", color=style.LOSS,
            va="center", annotation_clip=False,
        )  # fmt: skip
    axes.grid(True)
    axes.set_xlabel(context.text("epoch", "エポック"))
    unit = context.text("loss, nats per image", "損失（nats / 画像）")
    binarize = trained.config.binarize
    if trained.config.likelihood != "bernoulli":
        unit += f", {trained.config.likelihood}"
    if binarize != "none":
        unit += context.text(f", binarized ({binarize})", f"、二値化（{binarize}）")
    axes.set_ylabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(
        frameon=False, ncol=len(runs), fontsize=10, loc="lower center", bbox_to_anchor=(0.5, 1)
    )
    left, right = style.overhang(fig)
    if left + right > 0:
        axes.set_position((0.1 + left, 0.115, 0.82 - left - right, 0.765))
    return fig
