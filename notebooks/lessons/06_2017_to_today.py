# %% [markdown] lang="ja"
r"""
# 6. 2017年から今日まで

記事は2017年に書かれました。そのプログラムは、当時のChainer、NumPy、Pythonで動いていました。今のマシンにそのまま持ってきても動きません。
このレッスンでは、何が変わったのか、このパッケージがそれをどう補っているのか、そして同じ計算がなぜ当時より速くできるのかを、実際に動かしながら見ます。

- **時間**：読んで実行するのに約30分、演習に約30分
- **目標**：Python、NumPy、CuPyの何が変わったのかを言える。パッチの仕組みを説明し、自分で書ける。速いエンジンとGPUのグラフが、[レッスン4](lesson:04)の式からどのように導かれるのかを説明できる
- **前提**：[レッスン2](lesson:02)と[レッスン4](lesson:04)。6-1節と6-2節だけなら、Pythonの `import` の知識で足ります
- **エクスプローラー**（`chainer-vae explore --open`）：[同じデコーダーを、JavaScriptで](explorer:tab=decode)
"""

# %% [markdown] lang="en"
r"""
# 6. From 2017 to today

The article was written in 2017, and its program ran on the Chainer, NumPy and Python of that year. On today's machines it does not run as it is.
In this lesson we see, by running code, what has changed, how this package makes up for it, and why the same computation can be faster than it was.

- **Time**: about 30 minutes to read and run, and 30 more for the exercises
- **Goals**: say what changed in Python, NumPy and CuPy; explain how a patch works, and write one; explain how the fast engine and the graph on a GPU follow from the formulas of [lesson 4](lesson:04)
- **You need**: [lesson 2](lesson:02) and [lesson 4](lesson:04). For sections 6-1 and 6-2, knowing Python's `import` is enough
- **In the explorer** (`chainer-vae explore --open`): [the same decoder, in JavaScript](explorer:tab=decode)
"""

# %%
import builtins
import inspect
import sys
import types
import warnings
from collections import Counter
from time import perf_counter

import chainer_vae  # ⟦Chainerを使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
import chainer
import chainer.functions as F
import matplotlib.pyplot as plt
import numpy as np
from chainer.functions.array import as_strided
from matplotlib.patheffects import withStroke

from chainer_vae.compat import applied
from chainer_vae.compat.numpy_patches import PATCHES
from chainer_vae.engine import Engine, thread_pool
from chainer_vae.figures import style

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% tags=["parameters"] small={"n_timed": 3}
n_timed = 31  # ⟦時間を測るステップの数|number of timed steps⟧

# %% [markdown] lang="ja"
r"""
## 6-1. 何が変わったか

記事のプログラムは、Python 3.6、NumPy 1.12、Chainer 2.0で動いていました（このパッケージのテストは、その環境で記録した値と比べています）。
次の図は、その後の主なバージョンが出た年です。
"""

# %% [markdown] lang="en"
r"""
## 6-1. What has changed

The article's program ran on Python 3.6, NumPy 1.12 and Chainer 2.0 (the tests of this package compare it with a recording made there).
The next figure shows the years of the main versions since then.
"""

# %%
releases = {
    "Python": [
        (2016.98, "3.6"),
        (2019.8, "3.8"),
        (2021.75, "3.10"),
        (2023.75, "3.12"),
        (2025.77, "3.14"),
    ],
    "NumPy": [
        (2017.04, "1.12"),
        (2021.08, "1.20"),
        (2022.97, "1.24"),
        (2024.46, "2.0"),
        (2025.97, "2.4"),
    ],
    "CuPy": [(2017.42, "1.0"), (2019.92, "7"), (2021.31, "9"), (2024.05, "13")],
    "Chainer": [(2017.42, "2.0"), (2018.8, "5"), (2019.93, "7"), (2022.01, "7.8.1")],
}
fig, ax = plt.subplots(figsize=(8, 2.8), layout="constrained")
for row, (name, versions) in enumerate(releases.items()):
    color = style.LOSS if name == "Chainer" else style.ENCODER
    years = [year for year, _ in versions]
    ax.plot([years[0], years[-1] if name == "Chainer" else 2026.9], [row, row], color=color, lw=2)
    ax.plot(years, [row] * len(years), "o", color=color)
    for year, version in versions:
        label = ax.annotate(version, (year, row), (0, 7), textcoords="offset points", ha="center")
        label.set_path_effects([withStroke(linewidth=3, foreground="white")])
ax.axvline(2017.53, color=style.MUTED, ls="--", lw=1, zorder=0)
ax.annotate("⟦記事|the article⟧", (2017.53, 3.62), (4, 0), textcoords="offset points", va="center")
ax.set(yticks=range(4), yticklabels=list(releases), ylim=(-0.5, 3.9), xlim=(2016.6, 2027))
ax.spines[["top", "right"]].set_visible(False)
plt.show()

here = f"Python {sys.version.split()[0]}, NumPy {np.__version__}, Chainer {chainer.__version__}"
print("⟦この環境|here⟧:", here)

# %% [markdown] lang="ja"
r"""
Chainerの開発は2019年の末に保守だけになり、2022年の7.8.1が最後のリリースです。その下にあるライブラリは変わり続けました。変わり方には3種類あります。

1. **名前がなくなる。** NumPyは `numpy.float`（1.24）や `numpy.sctypes`（2.0）を廃止しました。Python 3.12には `numpy.distutils` もありません。
2. **同じ式が別の型になる。** NumPy 2.0では、float32の配列とNumPyのfloat64の数を掛けると、結果がfloat64になります。以前はfloat32のままでした。エラーにならないので、より厄介です。
3. **組み立て方が変わる。** 1つのパッケージだったものが分かれます。CuPyはもともとChainerの一部で、2017年に独立しました。今はCUDAの各ライブラリもpipで入ります。CuPy 14は、cuDNNに対応していません。

1と2を、この環境で確かめます。
"""

# %% [markdown] lang="en"
r"""
Since the end of 2019, Chainer has only been maintained, and 7.8.1 of 2022 is its last release. The libraries below it went on changing, in three ways:

1. **Names disappear.** NumPy dropped `numpy.float` (1.24) and `numpy.sctypes` (2.0). On Python 3.12 there is no `numpy.distutils` either.
2. **The same formula gives another type.** Since NumPy 2.0, an array of float32 times one of NumPy's float64 numbers is float64. It used to stay float32. This is worse, because there is no error.
3. **The parts are put together differently.** CuPy was a part of Chainer, and became a package of its own in 2017. Today pip installs CUDA's libraries, too, and CuPy 14 does not support cuDNN.

We check the first two here.
"""

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ⟦古いNumPyは警告だけを出す|an older NumPy only warns⟧
    there = {name: hasattr(np, name) for name in ("float", "sctypes", "asfarray", "float32")}
for name, found in there.items():
    print(f"numpy.{name}: {'⟦ある|there⟧' if found else '⟦ない|gone⟧'}")
product = np.ones(3, np.float32) * np.float64(0.1)
print("float32 × np.float64(0.1) →", product.dtype)
print("float32 × 0.1            →", (np.ones(3, np.float32) * 0.1).dtype)

# %% [markdown] lang="ja"
r"""
## 6-2. パッチの仕組み

このパッケージは、Chainerのファイルも、あなたの `numpy` も書き換えません。Chainerのモジュールが読み込まれる瞬間に、**そのモジュールにだけ**、なくなったものを渡します。
`import chainer_vae` が最初でなければならないのは、そのためです。この環境で適用されているパッチを、原因になったライブラリごとに数えます。
"""

# %% [markdown] lang="en"
r"""
## 6-2. How a patch works

This package changes neither Chainer's files nor your `numpy`. At the moment when a module of Chainer is imported, it gives **this module alone** what is gone.
This is why `import chainer_vae` must come first. We count the patches that are applied here, by the library whose change made them necessary.
"""

# %%
names = {"about": "⟦配布元のアドレス|web addresses⟧"}  # ⟦なくなったもの|that disappeared⟧
causes = Counter(patch.since.split()[0] for patch in applied())
fig, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
ordered = causes.most_common()[::-1]
labels = [names.get(cause, cause) for cause, _ in ordered]
bars = ax.barh(labels, [number for _, number in ordered], color=style.ENCODER)
ax.bar_label(bars, padding=3)
ax.set(xlabel="⟦適用されているパッチの数|patches applied⟧")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown] lang="ja"
r"""
1つを詳しく見ます。`chainer.functions.array.as_strided` は、読み込まれるとすぐに `np.sctypes` を使います。
"""

# %% [markdown] lang="en"
r"""
We look at one of them closely. `chainer.functions.array.as_strided` uses `np.sctypes` as soon as it is imported.
"""

# %%
patch = next(patch for patch in PATCHES if patch.module == as_strided.__name__)
print(f"⟦パッチ|patch⟧: {patch.module}, {patch.gone}, {patch.since}")
print("⟦この環境で必要か|needed here⟧:", patch.needed())
source = inspect.getsource(as_strided)  # ⟦Chainerのファイルそのもの|Chainer's own file⟧
print(*(line for line in source.splitlines() if "sctypes" in line), sep="\n")

# %% [markdown] lang="ja"
r"""
このファイルを、パッチなしで実行するとどうなるでしょうか。
"""

# %% [markdown] lang="en"
r"""
What happens when we run this file without the patch?
"""

# %%
try:
    exec(compile(source, "as_strided.py", "exec"), {"__name__": "without_patch"})
    print("⟦このNumPyでは動く|it runs with this NumPy⟧")
except AttributeError as error:
    print(f"AttributeError: {str(error).splitlines()[0][:80]}")

# %% [markdown] lang="ja"
r"""
`import numpy as np` という文は、`__import__("numpy")` という関数を呼び、返されたものに `np` という名前を付けます。この関数はモジュールごとに差し替えられます。
そこで、`numpy` と聞かれたときだけ別のものを返す関数を渡します。返すのは、**なくなった名前を持ち、それ以外は本物のNumPyに尋ねるモジュール**です。
"""

# %% [markdown] lang="en"
r"""
The statement `import numpy as np` calls a function, `__import__("numpy")`, and gives what it returns the name `np`. This function can be replaced for a single module.
So we pass one that returns something else when it is asked for `numpy`: **a module that has the missing name, and asks the real NumPy for everything else**.
"""


# %%
class Extended(types.ModuleType):
    """⟦NumPyに名前を足したもの|NumPy, and some names more⟧"""

    # ⟦自分にない名前のときだけ呼ばれる|called only for names that it lacks⟧
    def __getattr__(self, name):
        return getattr(np, name)


lent = Extended("numpy")
lent.sctypes = {
    "int": [np.int8, np.int16, np.int32, np.int64],
    "float": [np.float16, np.float32, np.float64],
}


def importing(name, *others):
    return lent if name == "numpy" else builtins.__import__(name, *others)


module = {"__name__": "patched", "__builtins__": {**vars(builtins), "__import__": importing}}
exec(compile(source, "as_strided.py", "exec"), module)
x = np.arange(6, dtype=np.float32)
windows = module["as_strided"](chainer.Variable(x), (4, 3), (1, 1)).array
print("⟦長さ3の窓|windows of length 3⟧:\n", windows, sep="")
np.testing.assert_array_equal(windows, np.lib.stride_tricks.sliding_window_view(x, 3))
assert lent.array is np.array  # ⟦それ以外は本物|all else is the real one⟧
print("⟦あなたのnumpyにsctypesがあるか|is sctypes in your numpy⟧:", there["sctypes"])

# %% [markdown] lang="ja"
r"""
動きました。しかも `numpy` は元のままです。パッケージの `chainer_vae/compat` では、これを、Pythonの読み込みの仕組み（`sys.meta_path`）に登録した部品が自動で行います。
型が変わる2つめの種類には、読み込みの後で関数を1つ差し替えるパッチを使います。どのパッチにも「どのバージョンから必要か」が書いてあり、必要のない環境では何もしません。

古いChainerのプログラム全体を動かすコマンドもあります（[古いプログラムを動かす](guide:old-programs)）。

## 6-3. 導出から速いエンジンへ

[レッスン4](lesson:04)では、勾配をすべて手で導きました。自動微分は、計算のたびに記録を作り、それを逆にたどります。式がわかっていれば、記録はいりません。さらに、式そのものから次のことがわかります。

- **途中の値を減らせる。** softplusの微分は、入力がなくても出力 $h' = \ln(1 + e^a)$ だけから計算できます。$1 - e^{-h'}$ です。
- **積をまとめられる。** $\mu$ と $\ln \sigma^2$ の2つの層は入力が同じなので、行列を縦に並べて1回の積で計算できます。
- **並べて計算できる。** $g(W) = g(a) h^\top$ と $g(h) = W^\top g(a)$ は互いに関係がないので、別のスレッドで同時に計算できます。
- **配列を使い回せる。** どのステップも形は同じなので、配列は最初に1度だけ確保します。

1つめと2つめを数値で確かめます。
"""

# %% [markdown] lang="en"
r"""
It runs, and `numpy` is as it was. In the package, `chainer_vae/compat` does this by itself, with a part registered in Python's import machinery (`sys.meta_path`).
The second kind of change, types, is repaired by replacing a function after the import. Each patch says from which version on it is needed, and does nothing where it is not.

There is also a command that runs a whole old Chainer program ([running old programs](guide:old-programs)).

## 6-3. From the derivation to the fast engine

In [lesson 4](lesson:04) we derived all gradients by hand. Automatic differentiation makes a record of every computation and follows it backwards. Once the formulas are known, no record is needed. The formulas show more than that:

- **Fewer values in between.** The derivative of softplus can be computed without its input, from the output $h' = \ln(1 + e^a)$ alone: it is $1 - e^{-h'}$.
- **Products can be joined.** The two layers for $\mu$ and $\ln \sigma^2$ have the same input, so one product with their matrices on top of each other is enough.
- **Work can be done side by side.** $g(W) = g(a) h^\top$ and $g(h) = W^\top g(a)$ do not depend on each other, so two threads can compute them at once.
- **Arrays can be reused.** Every step has the same shapes, so the arrays are allocated once.

We check the first two in numbers.
"""

# %%
a = np.linspace(-20, 20, 4001)
# ⟦softplusの出力だけから|from softplus's output alone⟧
derivative = 1 - np.exp(-np.logaddexp(0, a))
difference = abs(derivative - 1 / (1 + np.exp(-a))).max()
print(f"⟦2つの式の差|difference of both formulas⟧: {difference:.0e}")
assert difference < 1e-12

z20, _ = chainer_vae.load_model("z20")
images = chainer_vae.load_mnist().train_images
with chainer.no_backprop_mode():
    h = F.softplus(z20.le2(F.softplus(z20.le1(images[:100])))).array
    mu, ln_var = (link(h).array for link in (z20.le3_mu, z20.le3_ln_var))
W = np.concatenate([z20.le3_mu.W.array, z20.le3_ln_var.W.array])
b = np.concatenate([z20.le3_mu.b.array, z20.le3_ln_var.b.array])
np.testing.assert_allclose(h @ W.T + b, np.hstack([mu, ln_var]), rtol=1e-3, atol=1e-4)
print("⟦2つの層を1回の積で：形|both layers in one product: shape⟧", W.shape)

# %% [markdown] lang="ja"
r"""
どのくらい速くなるのかを測ります。比べるのは、Chainerの学習ループ、エンジン、そして「1ステップに必要な行列積だけ」の時間です（何回か測り、最も速かった回を取ります）。行列積はどの方法でも避けられないので、下限の目安になります。
"""

# %% [markdown] lang="en"
r"""
We measure how much faster it gets. We compare Chainer's training loop, the engine, and the matrix products of a step alone, and take the fastest of several steps. No method can do without the products, so they show how much is left to gain.
"""


# %%
sizes = [(784, 500), (500, 500), (500, 40), (20, 500), (500, 500), (500, 784)]
rng = np.random.RandomState(0)
products = []  # ⟦2つの行列と、積を書き込む配列|two matrices, and the array for their product⟧
for n_in, n_out in sizes:
    h, W, g = (
        rng.rand(*shape).astype(np.float32) for shape in ((100, n_in), (n_out, n_in), (100, n_out))
    )
    products.append((h, W.T, np.empty_like(g)))  # ⟦順伝播|forward⟧
    products.append((g.T, h, np.empty_like(W)))  # ⟦重みの勾配|gradient of the weights⟧
    if n_in != 784:
        products.append((g, W, np.empty_like(h)))  # ⟦入力の勾配|gradient of the input⟧


def products_alone(batch):
    for a, b, out in products:
        np.matmul(a, b, out)


timed, _ = chainer_vae.load_model(
    "z20"
)  # ⟦時間の測定で学習されるので、別のモデルにする|another one, since timing trains it⟧
optimizer = chainer.optimizers.Adam().setup(timed)
loss_func = timed.get_loss_func()
with thread_pool() as pool:
    engine = Engine(timed, optimizer, 1.0, 1, pool)
    ways = {
        "⟦Chainerのループ|Chainer's loop⟧": lambda batch: optimizer.update(loss_func, batch),
        "⟦エンジン|engine⟧": engine.step,
        "⟦行列積だけ|products alone⟧": products_alone,
    }
    milliseconds = {}
    for name, way in ways.items():
        times = []
        for i in range(n_timed):
            batch = images[100 * i : 100 * (i + 1)]
            start = perf_counter()
            with np.errstate(over="ignore"):
                way(batch)
            times.append(perf_counter() - start)
        if way == engine.step:
            engine.finish()
        # ⟦最も速かった回は、他の負荷の影響を受けにくい|the fastest is the least disturbed⟧
        milliseconds[name] = 1000 * min(times)

fig, ax = plt.subplots(figsize=(6, 2), layout="constrained")
bars = ax.barh(list(milliseconds)[::-1], list(milliseconds.values())[::-1], color=style.LATENT)
ax.bar_label(bars, fmt="%.1f ms", padding=3)
ax.set(xlabel="⟦1ステップの時間|time of a step⟧ [ms]")
ax.margins(x=0.15)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown] lang="ja"
r"""
時間はマシンと負荷によって変わりますが、エンジンの時間は、行列積だけの時間にずっと近くなります。残りはsoftplus、再構成誤差、Adamで、パッケージではCで書いた関数が1回の走査で計算します（[エンジン](guide:engine)）。

## 6-4. 導出からGPUのグラフへ

GPUでは事情が違います。NVIDIA H100での測定では、1ステップの時間は次のとおりでした（バッチは100枚。[GPU](guide:gpu)）。
"""

# %% [markdown] lang="en"
r"""
The times depend on the machine and its load, but the engine comes much closer to the products alone. What remains is softplus, the reconstruction error and Adam. The package computes each in one pass, in C ([the engine](guide:engine)).

## 6-4. From the derivation to the graph on a GPU

On a GPU, things are different. On an NVIDIA H100, a step took this long (batches of 100; [GPU](guide:gpu)):
"""

# %%
# ⟦1ステップの時間（マイクロ秒）と、起動するカーネルの数|microseconds of a step, and how many kernels it launches⟧
measured = {"⟦Chainerのループ|Chainer's loop⟧": (10_328, 280), "⟦エンジン|engine⟧": (171, 60)}
fig, ax = plt.subplots(figsize=(6, 1.5), layout="constrained")
times = [microseconds for microseconds, _ in measured.values()]
bars = ax.barh(list(measured)[::-1], times[::-1], color=style.LATENT)
ax.bar_label(bars, fmt="{:,.0f} µs", padding=3)
ax.set(xlabel="⟦1ステップの時間|time of a step⟧ [µs]")
ax.margins(x=0.15)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
for name, (microseconds, kernels) in measured.items():
    print(
        f"{name}: {kernels}⟦個のカーネル、1個あたり| kernels,⟧ {microseconds / kernels:.1f} ⟦µs|µs for each⟧"
    )

# %% [markdown] lang="ja"
r"""
Chainerのループは、1ステップにカーネル（GPUで動く関数）を280個、Pythonから1つずつ起動します。カーネル1個あたり約37 µsです。エンジンは60個をまとめて起動するので、1ステップの時間は約60分の1になります。これほど小さなカーネルでは、計算より起動に時間がかかります。命令を1つずつ出す限り、GPUをどれだけ速くしても変わりません。

ここで導出が役に立ちます。手で導いた1ステップには、値によって変わる分岐がありません。**毎回、同じ関数を、同じ配列に、同じ順番で**適用するだけです。ですから、その並びを1度だけ記録し、以後は記録をまとめて再生すればよいのです。これがCUDAグラフです。

ステップごとに違うのは、どの画像を使うか、どのノイズを使うか、そしてAdamのステップ数 $t$ だけです。これらも**配列の中のデータ**にしてしまえば、並びは変わりません。仕組みをNumPyで作ってみます。
"""

# %% [markdown] lang="en"
r"""
Chainer's loop launches 280 kernels (functions that run on the GPU) for a step, from Python, one by one, and takes about 37 µs for each. The engine launches its 60 as one graph, and a step takes a sixtieth of the time. For kernels this small, launching takes longer than computing. As long as commands are given one by one, a faster GPU does not help.

Here the derivation helps. A step derived by hand has no branches that depend on values. It applies **the same functions to the same arrays in the same order** every time. So it is enough to record this sequence once, and to replay it as a whole from then on. This is a CUDA graph.

Only three things differ between steps: which images are used, which noise, and Adam's step number $t$. If these are **data in arrays**, too, the sequence stays the same. We build such a thing in NumPy.
"""


# %%
class Graph:
    """⟦呼び出しを記録し、再生する|Records calls, and replays them⟧"""

    def __init__(self):
        self.calls = []

    def record(self, function, *arrays):
        self.calls.append((function, arrays))

    def replay(self):
        for function, arrays in self.calls:
            function(*arrays)


B, n = 100, 10
W, b = z20.le1.W.array, z20.le1.b.array
step = np.zeros(1, int)  # ⟦カウンターもデータ|the counter is data, too⟧
order = np.random.RandomState(0).permutation(len(images))[: n * B].reshape(n, B)
x, h = np.empty((B, 784), np.float32), np.empty((B, 500), np.float32)
means = np.zeros(n, np.float32)


def gather(x, step):  # ⟦このステップの画像を取り出す|takes out the images of this step⟧
    np.take(images, order[step[0]], axis=0, out=x)


def softplus(h):
    np.logaddexp(0, h, out=h)


def note(means, h, step):
    means[step[0]] = h.mean()
    step += 1


graph = Graph()
graph.record(gather, x, step)
graph.record(np.matmul, x, W.T, h)
graph.record(np.add, h, b, h)
graph.record(softplus, h)
graph.record(note, means, h, step)

for _ in range(n):
    graph.replay()  # ⟦引数がない|without arguments⟧
expected = [np.logaddexp(0, images[rows] @ W.T + b).mean() for rows in order]
np.testing.assert_allclose(means, expected, rtol=1e-5)
print("⟦記録した呼び出し|recorded calls⟧:", len(graph.calls), " ⟦再生した回数|replays⟧:", n)
print("⟦各ステップの平均|mean of each step⟧:", means.round(3))

# %% [markdown] lang="ja"
r"""
`replay()` には引数がありません。どの画像を使うかは、記録の中の `gather` がカウンターを読んで決めています。パッケージの `chainer_vae/engine/gpu_step.py` も同じ構成です。違いは、関数がGPUのカーネルであること、並べて計算できる部分が別のストリームに分かれること、そして1エポック分の画像の順番とノイズがGPUのメモリーにあることです（ノイズをGPUで生成するようにしたのは、上の測定のあとです。GPUではまだ測定していません）。

レッスン4の式の1行1行が、CPUでは `chainer_vae/engine/network.py` の1行になり、同じ行がGPUではグラフの1つのノードになります。

## 演習

**問1.** 次の関数は、今のNumPyでは動きません。`numpy` を変えずに、この関数だけが動くようにしてください。

`def old(values): return np.asarray(values, np.float)`

<details><summary>解答例</summary>

関数のコードはそのままに、`np` として見えるものだけを差し替えた、新しい関数を作ります。

```python
def old(values):
    return np.asarray(values, np.float)


with_float = Extended("numpy")
with_float.float = float
mended = types.FunctionType(old.__code__, {**old.__globals__, "np": with_float})
print("結果:", mended([1, 2, 3]))
assert mended([1, 2, 3]).dtype == np.float64
```

`chainer_vae/compat/numpy_patches.py` の `_with_numpy` も同じことをしています。

</details>

**問2.** 記事のクラスの既定の活性化関数は $\tanh$ です。その微分を、出力 $h'$ だけから計算する式を求め、確かめてください。

<details><summary>解答例</summary>

$\tanh'(a) = 1 - \tanh(a)^2 = 1 - h'^2$ です。

```python
u = chainer.Variable(np.linspace(-5, 5, 101))
y = F.tanh(u)
F.sum(y).backward()
np.testing.assert_allclose(1 - y.array**2, u.grad, atol=1e-12)
print("tanhの微分：一致")
```

</details>

**問3.** 画像の順番を変えて、もう1エポック分を再生してください。記録し直す必要はあるでしょうか。

<details><summary>解答例</summary>

ありません。順番は配列の中のデータなので、配列の中身を書き換え、カウンターを0に戻すだけです。

```python
order[:] = np.random.RandomState(1).permutation(len(images))[: n * B].reshape(n, B)
step[:] = 0
for _ in range(n):
    graph.replay()
expected = [np.logaddexp(0, images[rows] @ W.T + b).mean() for rows in order]
np.testing.assert_allclose(means, expected, rtol=1e-5)
print("別の順番でも一致")
```

新しい配列を `order` に代入すると、どうなるでしょうか。ここの `Graph` では、`gather` が呼ばれるたびに名前 `order` を調べるので、新しい配列が使われます。CUDAグラフでは、記録された古い配列のほうが使われます。

</details>

## まとめ

- Chainerの下のライブラリは、名前、型、組み立て方の3つの面で変わりました。
- パッチは、Chainerの1つのモジュールにだけ、なくなったものを渡します。ファイルも、あなたの `numpy` も変わりません。
- 勾配の式がわかっていれば、記録も、途中の配列も、余分な積も省けます。
- 分岐のない1ステップは、まとめて再生できます。それが、カーネルを1つずつ起動する時間を省きます。

## 次に読むもの

- [このパッケージのエンジン](guide:engine)、[GPU](guide:gpu)、[古いプログラムを動かす](guide:old-programs)
- `chainer_vae/engine/network.py`：冒頭に、このモデルのすべての式があります。

### 出典

- kenmatsu4「[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)」（2017）
- S. Tokuiほか, [Chainer: A Deep Learning Framework for Accelerating the Research Cycle](https://arxiv.org/abs/1908.00213)（2019）
- [NumPy 2.0 Migration Guide](https://numpy.org/doc/stable/numpy_2_0_migration_guide.html)、[NEP 50](https://numpy.org/neps/nep-0050-scalar-promotion.html)（型の変化）
- NVIDIA, [Getting Started with CUDA Graphs](https://developer.nvidia.com/blog/cuda-graphs/)（2019）
"""

# %% [markdown] lang="en"
r"""
`replay()` has no arguments. Which images are used is decided inside the recording, where `gather` reads the counter. `chainer_vae/engine/gpu_step.py` in the package is built the same way. There, the functions are kernels of the GPU, what can be computed side by side is on streams of its own, and an epoch's order of images and its noise are in GPU memory (the noise came there after the measurement above, and has not been measured on a GPU).

Each line of the formulas of lesson 4 is a line of `chainer_vae/engine/network.py` on the CPU, and the same line becomes a node of the graph on a GPU.

## Exercises

**1.** The next function does not run on today's NumPy. Make this function alone run, without changing `numpy`.

`def old(values): return np.asarray(values, np.float)`

<details><summary>Solution</summary>

We make a new function with the same code, which sees something else as `np`.

```python
def old(values):
    return np.asarray(values, np.float)


with_float = Extended("numpy")
with_float.float = float
mended = types.FunctionType(old.__code__, {**old.__globals__, "np": with_float})
print("result:", mended([1, 2, 3]))
assert mended([1, 2, 3]).dtype == np.float64
```

`_with_numpy` in `chainer_vae/compat/numpy_patches.py` does the same.

</details>

**2.** The default activation function of the article's class is $\tanh$. Find a formula for its derivative from the output $h'$ alone, and check it.

<details><summary>Solution</summary>

$\tanh'(a) = 1 - \tanh(a)^2 = 1 - h'^2$.

```python
u = chainer.Variable(np.linspace(-5, 5, 101))
y = F.tanh(u)
F.sum(y).backward()
np.testing.assert_allclose(1 - y.array**2, u.grad, atol=1e-12)
print("derivative of tanh: they agree")
```

</details>

**3.** Replay another epoch with the images in another order. Is a new recording needed?

<details><summary>Solution</summary>

No. The order is data in an array: we overwrite its contents, and set the counter back to 0.

```python
order[:] = np.random.RandomState(1).permutation(len(images))[: n * B].reshape(n, B)
step[:] = 0
for _ in range(n):
    graph.replay()
expected = [np.logaddexp(0, images[rows] @ W.T + b).mean() for rows in order]
np.testing.assert_allclose(means, expected, rtol=1e-5)
print("they agree in another order, too")
```

What if we assign a new array to `order`? Our `Graph` would use it, since `gather` looks up the name `order` each time. A CUDA graph would go on using the old array, which was recorded.

</details>

## Summary

- The libraries below Chainer changed in three ways: names, types, and how the parts are put together.
- A patch gives what is gone to a single module of Chainer. Neither files nor your `numpy` change.
- Once the formulas of the gradients are known, the record, arrays in between, and some products can be saved.
- A step without branches can be replayed as a whole. This saves launching kernels one by one.

## What to read next

- [The engine of this package](guide:engine), [GPU](guide:gpu), [running old programs](guide:old-programs)
- `chainer_vae/engine/network.py`: it begins with all the formulas of this model.

### Sources

- kenmatsu4, "[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)" (2017)
- S. Tokui and others, [Chainer: A Deep Learning Framework for Accelerating the Research Cycle](https://arxiv.org/abs/1908.00213) (2019)
- [NumPy 2.0 Migration Guide](https://numpy.org/doc/stable/numpy_2_0_migration_guide.html), [NEP 50](https://numpy.org/neps/nep-0050-scalar-promotion.html) (what happens to types)
- NVIDIA, [Getting Started with CUDA Graphs](https://developer.nvidia.com/blog/cuda-graphs/) (2019)
"""
