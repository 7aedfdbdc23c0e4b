# %% [markdown] lang="ja"
r"""
# 2. Chainerで組み立てるVAEと計算グラフ

記事の第2節は、VAE全体を100行ほどのコードで示しています。このレッスンでは、それを1行ずつ自分で組み立て直します。

- **時間**：読んで実行するのに約40分、演習に約40分
- **目標**：ChainerでVAEを書ける。損失の式とコードを1対1で対応させられる。計算グラフを読める
- **前提**：[レッスン1](lesson:01)、微分
- **エクスプローラー**（`chainer-vae explore --open`）：[エポックごとの学習の経過](explorer:section=epochs)

内容は次のとおりです。

1. Chainerの使い方（必要な部分だけ）
2. 重みの初期化 `Xavier`
3. エンコーダーとデコーダー
4. 損失関数 `get_loss_func(C, k)`
5. 計算グラフ
6. 学習、保存、読み込み

各段階で、別の計算方法（差分、手計算、NumPy）でも同じ値になることをコードで確かめます。$\mu$、$\sigma$、$z$ の意味は、記事の1-2節の知識で足ります。
損失がなぜその式になるのかは記事の3節の話題です。ここでは式を所与として、コードとの対応に集中します。
"""

# %% [markdown] lang="en"
r"""
# 2. The VAE in Chainer, and its computational graph

Section 2 of the article shows the whole VAE in about 100 lines of code. In this lesson you rebuild it yourself, line by line.

- **Time**: about 40 minutes to read and run, and 40 more for the exercises
- **Goals**: write the VAE in Chainer; match each part of the loss with its line of code; read the computational graph
- **You need**: [lesson 1](lesson:01), and derivatives
- **In the explorer** (`chainer-vae explore --open`): [the model at each epoch of its training](explorer:section=epochs)

The sections are:

1. Chainer basics (only what we need)
2. Weight initialization: `Xavier`
3. The encoder and the decoder
4. The loss, `get_loss_func(C, k)`
5. The computational graph
6. Training, saving, loading

At every step, the code checks that a second method (finite differences, pen and paper, NumPy) gives the same value. For the meaning of $\mu$, $\sigma$ and $z$, section 1-2 of the article is all you need.
Why the loss has this form is the subject of the article's section 3. Here we take the formula as given, and focus on how it becomes code.
"""

# %%
import chainer_vae  # ⟦Chainerを使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
import shutil
from collections import Counter
from pathlib import Path

import chainer
import chainer.functions as F
import chainer.links as L
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from chainer_vae import Xavier, datasets, engine, figures, graph, latent
from chainer_vae.engine import thread_pool
from chainer_vae.figures import style
from chainer_vae.figures.runner import draw
from chainer_vae.runs import checkpoints

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% tags=["parameters"] small={"quick": True, "repeats": 20}
quick = False  # ⟦Trueなら画像を100枚だけ使う|True uses only 100 images⟧
repeats = 100  # ⟦損失の計算を繰り返す回数（2-4節）|how often a loss is recomputed (section 2-4)⟧

# %% [markdown] lang="ja"
r"""
## 2-1. 5分でわかるChainer

### Variableとbackward

`chainer.Variable` は、配列と、その配列がどう計算されたかの記録をまとめたものです。最後の値で `backward()` を呼ぶと、記録を逆向きにたどって勾配を計算し、`grad` に格納します。

例として $f(x) = \sum_i x_i \sin x_i$ の勾配を求めます。手で微分すると $\partial f / \partial x_i = \sin x_i + x_i \cos x_i$ です。
"""

# %% [markdown] lang="en"
r"""
## 2-1. Chainer in five minutes

### Variable and backward

A `chainer.Variable` is an array with a record of how it was computed. Calling `backward()` on the final value follows that record backwards, computes the gradients, and stores them in `grad`.

As an example, take the gradient of $f(x) = \sum_i x_i \sin x_i$. Differentiating by hand gives $\partial f / \partial x_i = \sin x_i + x_i \cos x_i$.
"""


# %%
def f(x):
    return F.sum(x * F.sin(x))


x = chainer.Variable(np.array([0.5, 1.0, 2.0]))
f(x).backward()
print("⟦xの勾配|gradient of x⟧:", x.grad)
np.testing.assert_allclose(x.grad, np.sin(x.array) + x.array * np.cos(x.array))

# %% [markdown] lang="ja"
r"""
手計算と一致しました。手で微分できない式でも使える検算の方法が、中心差分です。

$$
\frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h}
$$

$e_i$ は $i$ 番目の成分だけが1のベクトルで、下の `np.eye(3)` の行です。
"""

# %% [markdown] lang="en"
r"""
The result agrees with the derivative by hand. A check that works even when you cannot differentiate the formula by hand is the central difference:

$$
\frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h}
$$

$e_i$ is the vector with a 1 at index $i$ only, a row of `np.eye(3)` below.
"""

# %%
h = 1e-5
difference = [(f(x + h * e) - f(x - h * e)).array / (2 * h) for e in np.eye(3)]
print(f"⟦差の最大値|largest difference⟧: {abs(x.grad - difference).max():.0e}")
np.testing.assert_allclose(x.grad, difference, rtol=1e-8)

# %% [markdown] lang="ja"
r"""
差は $10^{-10}$ 未満です。

### define-by-run

記録は、式を定義したときではなく、計算を実行したときに作られます（define-by-run）。そのため、Pythonの `for` や `if` をそのまま使えます。
次の関数は、実行のたびに $n - 1$ 回の掛け算を記録します。勾配は $n x^{n-1}$ になるはずです。
"""

# %% [markdown] lang="en"
r"""
The difference is below $10^{-10}$.

### Define-by-run

The record is made when the computation runs, not when the formula is defined (define-by-run). So you can simply use Python's own `for` and `if`.
The next function records $n - 1$ multiplications each time it runs. The gradient should be $n x^{n-1}$.
"""


# %%
def power(x, n):
    y = x
    for _ in range(n - 1):
        y = y * x
    return y


for n in (2, 5):
    x = chainer.Variable(np.array(3.0))
    power(x, n).backward()
    print(f"n = {n}: ⟦勾配|gradient⟧ {x.grad:g}")
    assert x.grad == n * 3 ** (n - 1)

# %% [markdown] lang="ja"
r"""
$2 \times 3 = 6$ と $5 \times 3^4 = 405$ で、そのとおりになりました。

### Link

学習するパラメーターを持つ関数をLinkといいます。このモデルで使うのは全結合層 `L.Linear(n_in, n_out)` だけです。重み $W$ の形は `(n_out, n_in)` です。画像1枚を1行とするバッチに対して、次の値を計算します。

$$
y = x W^\top + b
$$
"""

# %% [markdown] lang="en"
r"""
$2 \times 3 = 6$ and $5 \times 3^4 = 405$, as expected.

### Link

A function with trainable parameters is called a Link. This model uses only one kind, the fully connected layer `L.Linear(n_in, n_out)`. Its weights $W$ have the shape `(n_out, n_in)`. For a batch with one image per row, it computes

$$
y = x W^\top + b
$$
"""

# %%
np.random.seed(0)
linear = L.Linear(3, 2)
x = np.random.randn(4, 3).astype(np.float32)
print("⟦形|shapes⟧: W", linear.W.shape, " b", linear.b.shape, " y", linear(x).shape)
np.testing.assert_allclose(linear(x).array, x @ linear.W.array.T + linear.b.array, rtol=1e-6)

# %% [markdown] lang="ja"
r"""
NumPyで書いた式と一致しました。

### Chainとオプティマイザー

複数のLinkを1つのモデルにまとめるのが `chainer.Chain` です。`init_scope()` の中で代入したLinkのパラメーターが、そのモデルのパラメーターとして登録されます。
"""

# %% [markdown] lang="en"
r"""
The result agrees with the formula in NumPy.

### Chain and optimizer

A `chainer.Chain` combines several Links into one model. The parameters of the Links that are assigned within `init_scope()` are registered as parameters of the model.
"""


# %%
class Tiny(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.l1 = L.Linear(2, 3)
            self.l2 = L.Linear(3, 1)

    def __call__(self, x):
        return self.l2(F.tanh(self.l1(x)))


np.random.seed(0)
tiny = Tiny()
print(
    "⟦パラメーターの形|shapes of the parameters⟧:",
    {name: param.shape for name, param in tiny.namedparams()},
)

# %% [markdown] lang="ja"
r"""
4つのパラメーターが、Linkの名前とともに登録されています。

オプティマイザーは、勾配を使ってパラメーターを更新します。`optimizer.update(loss_func, ...)` を1回呼ぶと、勾配をクリアし、損失を計算し、`backward()` を呼び、パラメーターを更新します。
最も単純なSGDの更新は $W \leftarrow W - \eta \, \partial L / \partial W$ です（$L$ は損失、$\eta$ は学習率で、コードでは `lr`）。手で計算した値と比べます。
"""

# %% [markdown] lang="en"
r"""
Four parameters are registered, under the names of their Links.

An optimizer updates the parameters using the gradients. One call of `optimizer.update(loss_func, ...)` clears the gradients, computes the loss, calls `backward()` and updates the parameters.
For SGD, the simplest optimizer, the update is $W \leftarrow W - \eta \, \partial L / \partial W$, where $L$ is the loss and $\eta$ the learning rate (`lr` in the code). We compare it with our own computation.
"""

# %%
x = np.random.randn(8, 2).astype(np.float32)
target = x[:, :1] * x[:, 1:]
optimizer = chainer.optimizers.SGD(lr=0.1)
optimizer.setup(tiny)
W = tiny.l1.W.array.copy()
optimizer.update(lambda x: F.mean_squared_error(tiny(x), target), x)
np.testing.assert_allclose(tiny.l1.W.array, W - 0.1 * tiny.l1.W.grad, rtol=1e-6)
print("⟦変化量の最大値|largest change of a weight⟧:", f"{abs(tiny.l1.W.array - W).max():.3f}")

# %% [markdown] lang="ja"
r"""
更新後の重みは手計算と一致しました。VAEに必要なChainerの機能はこれですべてです。

## 2-2. 重みの初期化：`Xavier`

学習は、乱数で初期化した重みから始まります。乱数の大きさはどう決めればよいのでしょうか。

$n_{\mathrm{in}}$ 個の入力を持つ層 $y = W h$ を考えます。重みと入力が独立で平均が0なら、分散は

$$
\mathrm{Var}[y] = n_{\mathrm{in}} \, \mathrm{Var}[W] \, \mathrm{Var}[h]
$$

です。層を通っても分散が変わらないためには $\mathrm{Var}[W] = 1 / n_{\mathrm{in}}$ が必要です。逆向きに伝わる勾配は $W^\top$ を通るので、同じ議論から $\mathrm{Var}[W] = 1 / n_{\mathrm{out}}$ が必要です。
この2つは一般に両立しません。GlorotとBengioは、その間をとって $\mathrm{Var}[W] = 2 / (n_{\mathrm{in}} + n_{\mathrm{out}})$ とすることを提案しました。一様分布 $U(-a, a)$ の分散は $a^2 / 3$ なので、

$$
W \sim U(-a, a), \qquad a = \sqrt{\frac{6}{n_{\mathrm{in}} + n_{\mathrm{out}}}}
$$

になります。まず、`Xavier` がこの分布からサンプリングしていることを確かめます。
"""

# %% [markdown] lang="en"
r"""
The updated weights agree with our computation. That is all of Chainer that the VAE needs.

## 2-2. Weight initialization: `Xavier`

Training starts from random weights. How large should they be?

Consider a layer $y = W h$ with $n_{\mathrm{in}}$ inputs. If the weights and the inputs are independent and have mean 0, the variance is

$$
\mathrm{Var}[y] = n_{\mathrm{in}} \, \mathrm{Var}[W] \, \mathrm{Var}[h]
$$

So a layer preserves the variance if $\mathrm{Var}[W] = 1 / n_{\mathrm{in}}$. The gradients on their way back pass through $W^\top$, so the same argument requires $\mathrm{Var}[W] = 1 / n_{\mathrm{out}}$.
In general these two conditions contradict each other. Glorot and Bengio proposed a value in between, $\mathrm{Var}[W] = 2 / (n_{\mathrm{in}} + n_{\mathrm{out}})$. A uniform distribution $U(-a, a)$ has the variance $a^2 / 3$, so

$$
W \sim U(-a, a), \qquad a = \sqrt{\frac{6}{n_{\mathrm{in}} + n_{\mathrm{out}}}}
$$

First we check that `Xavier` samples from this distribution.
"""

# %%
np.random.seed(0)
W = L.Linear(784, 500, initialW=Xavier(784, 500)).W.array
a = np.sqrt(6 / (784 + 500))
print(f"⟦範囲|range⟧: [{W.min():.4f}, {W.max():.4f}]   a = {a:.4f}")
print(f"⟦標準偏差|std⟧:   {W.std():.5f}   a / sqrt(3) = {a / np.sqrt(3):.5f}")
np.testing.assert_allclose(W.std(), a / np.sqrt(3), rtol=0.01)

# %% [markdown] lang="ja"
r"""
範囲も標準偏差も式のとおりです。

次に、500ユニットの層を10段重ね、重みをXavierの0.5倍、1倍、2倍にします（この倍率は `Xavier` の引数 `constant` で指定します）。そして、ユニットの値と勾配の標準偏差が、層ごとにどう変わるかを測ります。勾配は、出力側から標準正規乱数を入れて測ります。
活性化関数がなければ、標準偏差は1層ごとに、乱数によるばらつきを除いて `constant` 倍になるはずです。tanhを挟んだ場合は図にします。
"""

# %% [markdown] lang="en"
r"""
The range and the standard deviation match the formula.

Next we stack 10 layers of 500 units, with weights of 0.5, 1 and 2 times Xavier's (the argument `constant` of `Xavier` sets this factor). We measure how the standard deviation of the values and of the gradients changes from layer to layer. For the gradients, we feed standard normal numbers in at the output.
Without an activation function, each layer should multiply the standard deviation by `constant`, apart from random fluctuations. With tanh in between, we plot the result.
"""


# %%
def layer_stds(constant, act_func, depth=10, n=500):
    np.random.seed(0)
    h = [chainer.Variable(np.random.randn(200, n).astype(np.float32))]
    for _ in range(depth):
        h.append(act_func(L.Linear(n, n, initialW=Xavier(n, n, constant))(h[-1])))
    h[-1].grad = np.random.randn(200, n).astype(np.float32)
    h[-1].backward(retain_grad=True)  # ⟦途中の層の勾配も残す|keeps the inner gradients⟧
    return [layer.array.std() for layer in h], [layer.grad.std() for layer in h]


for constant in (0.5, 1, 2):
    forward, backward = layer_stds(constant, F.identity)
    ratios = forward[-1] / forward[0], backward[0] / backward[-1]
    print(
        f"constant = {constant}: ⟦値の比|ratio of the values⟧ {ratios[0]:.5g}, ⟦勾配の比|of the gradients⟧ {ratios[1]:.5g}"
    )
    np.testing.assert_allclose(ratios, constant**10, rtol=0.1)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
for constant, color in ((0.5, style.ENCODER), (1, style.INK), (2, style.LOSS)):
    forward, backward = layer_stds(constant, F.tanh)
    axes[0].semilogy(forward, ".-", color=color, label=f"Xavier × {constant}")
    axes[1].semilogy(backward, ".-", color=color)
    print(f"Xavier × {constant}: ⟦最後の値|last values⟧ {forward[-1]:.4f}", end=", ")
    print(f"⟦入力での勾配|gradients at the input⟧ {backward[0]:.4f}")
axes[0].set_title("⟦順伝播：ユニットの値|forward: unit values⟧")
axes[1].set_title("⟦逆伝播：勾配（右から左へ）|backward: gradients (right to left)⟧")
for ax in axes:
    ax.set(xlabel="⟦層（0は入力）|layer (0: the input)⟧", ylabel="⟦標準偏差|standard deviation⟧")
    ax.grid(True)
axes[0].legend()
plt.show()

# %% [markdown] lang="ja"
r"""
活性化関数がない場合は、10層で約 $0.5^{10} \approx 0.001$ 倍、約1倍、約 $2^{10} = 1024$ 倍となり、式のとおりです。

tanhの図では、0.5倍の重みだと、値も勾配も10層で1000分の1以下に消失します。2倍の重みだと、値はtanhの上限1に抑えられて約0.73に張り付き（飽和）、勾配は入力側で4倍近くまで増大します。Xavierでは、1から始まった値が0.23に、勾配が0.27になるだけで、どちらも緩やかにしか減りません。

記事の学習ではtanhではなくsoftplusを使います。softplusの傾きは0の近くで0.5なので、上の議論はそのままでは当てはまりません。それでも、エンコーダーもデコーダーも隠れ層が2つだけなので、後で見るように学習は順調に進みます。

## 2-3. エンコーダーとデコーダー

### データ

MNISTの画像は28 × 28画素で、1枚を784個の数（0から1）の1行として保持します。以下では、100枚のバッチを1つ用意して使います。
"""

# %% [markdown] lang="en"
r"""
Without an activation function, 10 layers multiply the standard deviation by about $0.5^{10} \approx 0.001$, about 1, and about $2^{10} = 1024$, as the formula predicts.

In the plot with tanh, weights of half the size make the values and the gradients vanish: after 10 layers they are below a thousandth. With weights of twice the size, the values are held at about 0.73 by tanh's limit of 1 (saturation), and the gradients grow to almost 4 times at the input. With Xavier, both fall only slowly: the values from 1 to 0.23, the gradients to 0.27.

The article trains with softplus rather than tanh. The slope of softplus near 0 is 0.5, so the argument above does not apply directly. But the encoder and the decoder have only two hidden layers each, and training goes well, as we will see.

## 2-3. The encoder and the decoder

### The data

An MNIST image has 28 × 28 pixels, stored as a row of 784 numbers from 0 to 1. From here on, we use one batch of 100 images.
"""

# %%
config = chainer_vae.Config(epoch=1, seed=0, test=quick)  # ⟦記事の設定|the article's settings⟧
data = datasets.load_data(config)
images = data.train_images
x = images[:100]
print(
    f"⟦バッチの形|shape of the batch⟧ {x.shape}, {x.dtype}, ⟦値の範囲|values from⟧ {x.min()} ⟦から|to⟧ {x.max()}"
)

plt.figure(figsize=(8, 0.9))
plt.imshow(latent.montage(x[:10].reshape(1, 10, 28, 28)))
plt.axis("off")
plt.show()

# %% [markdown] lang="ja"
r"""
### 層

エンコーダーとデコーダーは、それぞれ3層です。エンコーダーの3層目は2つに分かれ、$\mu$ と $\ln \sigma^2$ を出力します。層の名前は記事に合わせます。

| 層 | 入力 → 出力 | 役割 |
|---|---|---|
| `le1` | 784 → 500 | エンコーダーの隠れ層 |
| `le2` | 500 → 500 | エンコーダーの隠れ層 |
| `le3_mu` | 500 → 20 | $\mu$ |
| `le3_ln_var` | 500 → 20 | $\ln \sigma^2$ |
| `ld1` | 20 → 500 | デコーダーの隠れ層 |
| `ld2` | 500 → 500 | デコーダーの隠れ層 |
| `ld3` | 500 → 784 | 画素 |

クラスは4段階に分けて作ります。最初は層だけです。同じシードから同じ重みが得られるように、層を作る順番も記事に合わせます。
"""

# %% [markdown] lang="en"
r"""
### The layers

The encoder and the decoder have three layers each. The third layer of the encoder is split in two, for $\mu$ and for $\ln \sigma^2$. The names are those of the article.

| layer | inputs → outputs | role |
|---|---|---|
| `le1` | 784 → 500 | hidden layer of the encoder |
| `le2` | 500 → 500 | hidden layer of the encoder |
| `le3_mu` | 500 → 20 | $\mu$ |
| `le3_ln_var` | 500 → 20 | $\ln \sigma^2$ |
| `ld1` | 20 → 500 | hidden layer of the decoder |
| `ld2` | 500 → 500 | hidden layer of the decoder |
| `ld3` | 500 → 784 | pixels |

We build the class in four steps. The first has only the layers. They are created in the article's order, so that the same seed gives the same weights.
"""


# %%
def layer(n_in, n_out):
    return L.Linear(n_in, n_out, initialW=Xavier(n_in, n_out))


class Layers(chainer.Chain):
    def __init__(self, n_in, n_latent, n_h, act_func):
        super().__init__()
        self.act_func = act_func
        with self.init_scope():
            self.le1 = layer(n_in, n_h)
            self.le2 = layer(n_h, n_h)
            self.le3_mu = layer(n_h, n_latent)
            self.le3_ln_var = layer(n_h, n_latent)
            self.ld1 = layer(n_latent, n_h)
            self.ld2 = layer(n_h, n_h)
            self.ld3 = layer(n_h, n_in)


# %% [markdown] lang="ja"
r"""
1つの層のパラメーター数は $n_{\mathrm{out}} (n_{\mathrm{in}} + 1)$ です（+1はバイアス）。表から計算した値と、コードで数えた値を比べます。
"""

# %% [markdown] lang="en"
r"""
A layer has $n_{\mathrm{out}} (n_{\mathrm{in}} + 1)$ parameters (the +1 is for the bias). We compare the number from the table with the number counted by the code.
"""

# %%
table = [(784, 500), (500, 500), (500, 20), (500, 20), (20, 500), (500, 500), (500, 784)]
by_formula = sum(n_out * (n_in + 1) for n_in, n_out in table)
by_code = Layers(784, 20, 500, F.softplus).count_params()
print(
    f"⟦パラメーター数：表から|parameters: from the table⟧ {by_formula}, ⟦コードから|from the code⟧ {by_code}"
)
assert by_formula == by_code

# %% [markdown] lang="ja"
r"""
約130万個です。

### 活性化関数softplus

記事のクラスの既定値は `F.tanh` ですが、学習では `F.softplus` を渡しています。

$$
\mathrm{softplus}(x) = \ln (1 + e^x), \qquad \frac{d}{dx} \mathrm{softplus}(x) = \frac{1}{1 + e^{-x}} = \mathrm{sigmoid}(x)
$$

reluの角を丸めた形です。tanh、reluと並べて、値と傾きをプロットします。傾きは `backward()` で計算します。
"""

# %% [markdown] lang="en"
r"""
About 1.3 million.

### The activation function: softplus

The default of the article's class is `F.tanh`, but its training uses `F.softplus`.

$$
\mathrm{softplus}(x) = \ln (1 + e^x), \qquad \frac{d}{dx} \mathrm{softplus}(x) = \frac{1}{1 + e^{-x}} = \mathrm{sigmoid}(x)
$$

It is relu with its corner rounded. We plot it together with tanh and relu, values and slopes. `backward()` computes the slopes.
"""

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for act_func, color in ((F.softplus, style.LATENT), (F.relu, style.DECODER), (F.tanh, style.MUTED)):
    u = chainer.Variable(np.linspace(-5, 5, 1001))
    y = act_func(u)
    F.sum(y).backward()  # ⟦和の勾配は、各点の傾き|gradient of the sum: slope at each point⟧
    axes[0].plot(u.array, y.array, color=color, label=act_func.__name__)
    axes[1].plot(u.array, u.grad, color=color)
    if act_func is F.softplus:
        np.testing.assert_allclose(u.grad, 1 / (1 + np.exp(-u.array)), rtol=1e-10)
axes[0].set(xlabel="x", title="⟦値|value⟧")
axes[1].set(xlabel="x", title="⟦傾き|slope⟧")
axes[0].legend()
for ax in axes:
    ax.grid(True)
plt.show()

# %% [markdown] lang="ja"
r"""
softplusは滑らかで、傾きはどこでも0より大きくなります（reluは負の側で0）。また、正の側で飽和しません（tanhは両側で飽和）。

### encode

エンコーダーは、画像 $x$ から正規分布 $q(z|x) = \mathcal{N}(\mu, \mathrm{diag}(\sigma^2))$ のパラメーターを計算します。$f$ を活性化関数として、

$$
h_1 = f(x W_1^\top + b_1), \quad h_2 = f(h_1 W_2^\top + b_2), \quad \mu = h_2 W_\mu^\top + b_\mu, \quad \ln \sigma^2 = h_2 W_v^\top + b_v
$$

`name` に設定した名前は、後で計算グラフに表示されます。
"""

# %% [markdown] lang="en"
r"""
softplus is smooth. Its slope is positive everywhere (relu's is 0 on the negative side), and it does not saturate on the positive side (tanh saturates on both).

### encode

From an image $x$ the encoder computes the parameters of a normal distribution, $q(z|x) = \mathcal{N}(\mu, \mathrm{diag}(\sigma^2))$. With the activation function $f$,

$$
h_1 = f(x W_1^\top + b_1), \quad h_2 = f(h_1 W_2^\top + b_2), \quad \mu = h_2 W_\mu^\top + b_\mu, \quad \ln \sigma^2 = h_2 W_v^\top + b_v
$$

The names set with `name` will appear in the computational graph.
"""


# %%
class WithEncoder(Layers):
    def encode(self, x):
        x = chainer.as_variable(x)
        x.name = "x"
        h1 = self.act_func(self.le1(x))
        h1.name = "enc_h1"
        h2 = self.act_func(self.le2(h1))
        h2.name = "enc_h2"
        mu = self.le3_mu(h2)
        mu.name = "z_mu"
        ln_var = self.le3_ln_var(h2)  # ln(sigma^2)
        ln_var.name = "z_ln_var"
        return mu, ln_var


np.random.seed(0)
mu, ln_var = WithEncoder(784, 20, 500, F.softplus).encode(x)
sigma = np.exp(ln_var.array / 2)
print("⟦形|shapes⟧: mu", mu.shape, " ln_var", ln_var.shape)
print(f"⟦ln_varの範囲|range of ln_var⟧: [{ln_var.array.min():.2f}, {ln_var.array.max():.2f}]")
print(f"⟦sigmaの範囲|range of sigma⟧: [{sigma.min():.2f}, {sigma.max():.2f}]")

# %% [markdown] lang="ja"
r"""
全結合層の出力は、任意の実数をとります。実際、学習前の `ln_var` には負の値も正の値もあります。$\sigma$ は正でなければならないので、この出力を $\sigma$ そのものとして使うことはできません。
$\ln \sigma^2$ とみなせば、どんな値でも $\sigma = e^{\ln \sigma^2 / 2} > 0$ になります。

もう1つ理由があります。損失には、$q(z|x)$ が標準正規分布からどれだけ離れているかを表すKLダイバージェンスが含まれます（2-4節）。1つの潜在次元では $D_{KL} = \frac{1}{2} (\mu^2 + \sigma^2 - \ln \sigma^2 - 1)$ で、その微分は

$$
\frac{\partial D_{KL}}{\partial \ln \sigma^2} = \frac{\sigma^2 - 1}{2}, \qquad \frac{\partial D_{KL}}{\partial \sigma} = \sigma - \frac{1}{\sigma}
$$

です。$\sigma$ が0に近づくと、前者は $-1/2$ に近づくだけですが、後者は発散します。数値で確かめます（左が $\ln \sigma^2$ による微分、右が $\sigma$ による微分）。
"""

# %% [markdown] lang="en"
r"""
The outputs of a fully connected layer can be any real numbers. Indeed, before training, `ln_var` has both negative and positive values. $\sigma$ must be positive, so we cannot use this output as $\sigma$ itself.
As $\ln \sigma^2$, every value is valid: $\sigma = e^{\ln \sigma^2 / 2} > 0$.

There is another reason. The loss contains the KL divergence (section 2-4), which measures how far $q(z|x)$ is from the standard normal distribution. For one latent dimension it is $D_{KL} = \frac{1}{2} (\mu^2 + \sigma^2 - \ln \sigma^2 - 1)$, and its derivatives are

$$
\frac{\partial D_{KL}}{\partial \ln \sigma^2} = \frac{\sigma^2 - 1}{2}, \qquad \frac{\partial D_{KL}}{\partial \sigma} = \sigma - \frac{1}{\sigma}
$$

As $\sigma$ approaches 0, the first only approaches $-1/2$, while the second diverges. In numbers (on the left the derivative with respect to $\ln \sigma^2$, on the right with respect to $\sigma$):
"""

# %%
for s in (1.0, 0.1, 0.001):
    v = chainer.Variable(np.array([[np.log(s**2)]]))  # ln(sigma^2)
    F.gaussian_kl_divergence(np.zeros((1, 1)), v).backward()
    np.testing.assert_allclose(v.grad, (s**2 - 1) / 2, atol=1e-12)
    print(
        f"sigma = {s:5}:  ⟦ln σ² で|by ln sigma^2⟧ {v.grad.item():+.4f}   ⟦σ で|by sigma⟧ {s - 1 / s:+.1f}"
    )

# %% [markdown] lang="ja"
r"""
$\sigma = 0.001$ では、左は約 $-0.5$ のままですが、右は約 $-1000$ です。

### decode：ロジットとシグモイド

デコーダーは、潜在変数 $z$ から、各画素が1（白）である確率 $p$ を計算します。確率は0から1の間の数なので、最後にシグモイドを通します。シグモイドに入力する前の値 $a$ をロジットといいます。

$$
p = \mathrm{sigmoid}(a) = \frac{1}{1 + e^{-a}}
$$

`sigmoid=False` ならロジットをそのまま返します。損失の計算にはこちらを使います。
"""

# %% [markdown] lang="en"
r"""
At $\sigma = 0.001$, the left one is still about $-0.5$, but the right one is about $-1000$.

### decode: logits and the sigmoid

From a latent vector $z$ the decoder computes, for each pixel, the probability $p$ that it is 1 (white). A probability lies between 0 and 1, so the last step is a sigmoid. The value $a$ before the sigmoid is called the logit.

$$
p = \mathrm{sigmoid}(a) = \frac{1}{1 + e^{-a}}
$$

With `sigmoid=False`, the logits are returned as they are. The loss uses these.
"""


# %%
class WithDecoder(WithEncoder):
    def decode(self, z, sigmoid=True):
        h1 = self.act_func(self.ld1(z))
        h1.name = "dec_h1"
        h2 = self.act_func(self.ld2(h1))
        h2.name = "dec_h2"
        h3 = self.ld3(h2)  # ⟦ロジット|the logits⟧
        h3.name = "dec_h3"
        return F.sigmoid(h3) if sigmoid else h3

    def __call__(self, x):
        return self.decode(self.encode(x)[0])  # ⟦平均muから再構成する|reconstructs from mu⟧


# %% [markdown] lang="ja"
r"""
損失の計算には、なぜ確率 $p$ ではなくロジット $a$ を使うのでしょうか。画素 $x$ の再構成誤差は

$$
-x \ln p - (1 - x) \ln (1 - p) = \ln (1 + e^a) - x a = \mathrm{softplus}(a) - x a
$$

で、左辺と右辺は数学的には同じです（$\ln p = a - \ln (1 + e^a)$ と $\ln (1 - p) = -\ln (1 + e^a)$ を代入するとわかります）。しかし、float32で計算すると違いが出ます。
$x = 1$ と $x = 0$ のそれぞれについて、両辺を比べます。`F.bernoulli_nll` が右辺の計算です。
"""

# %% [markdown] lang="en"
r"""
Why does the loss use the logits $a$ instead of the probabilities $p$? The reconstruction error of a pixel $x$ is

$$
-x \ln p - (1 - x) \ln (1 - p) = \ln (1 + e^a) - x a = \mathrm{softplus}(a) - x a
$$

Mathematically, both sides are the same (substitute $\ln p = a - \ln (1 + e^a)$ and $\ln (1 - p) = -\ln (1 + e^a)$). In float32 they are not.
We compare them for $x = 1$ and for $x = 0$. `F.bernoulli_nll` computes the right-hand side.
"""


# %%
def from_probability(x, p):
    with np.errstate(divide="ignore", invalid="ignore"):  # ln 0, 0 ln 0
        return -x * np.log(p) - (1 - x) * np.log(1 - p)


print("  x      a         p   ⟦pから|from p⟧   bernoulli_nll")
for pixel, logit in ((1, -2), (1, -20), (1, -120), (0, 2), (0, 20), (0, -120)):
    one, a = np.float32([[pixel]]), np.float32([[logit]])
    p = F.sigmoid(a).array
    naive, stable = from_probability(one, p), F.bernoulli_nll(one, a)
    print(f"{pixel:3} {logit:6} {p.item():9.2g} {naive.item():8.4g} {stable.item():10.4g}")

# %% [markdown] lang="ja"
r"""
$a = -120$ では、$p \approx e^{-120} \approx 10^{-52}$ がfloat32で表せる最小の正の数（約 $10^{-45}$）より小さいため、0になります。その結果、$x = 1$ では $-\ln 0 = \infty$、$x = 0$ では $0 \times \ln 0$ がNaNになります。正しい値は120と0です。
$a = 20$ では $p$ が1に丸められ、$\ln (1 - p)$ が無限大になります。$a = -20$ の $p \approx 2 \times 10^{-9}$ はfloat32で表せますが、0になりました。`F.sigmoid` は $p$ を $\frac{1}{2} + \frac{1}{2} \tanh \frac{a}{2}$ と計算するので、$\tanh$ が $-1$ に丸められるからです。右辺は、どの行でも正しい値です。

これは実際に起きる問題です。学習済みのモデルで、画像100枚について両方を計算します。$p$ は、`F.sigmoid` と、式のとおりの $1 / (1 + e^{-a})$ の2通りで計算します。
"""

# %% [markdown] lang="en"
r"""
At $a = -120$, $p \approx e^{-120} \approx 10^{-52}$ is below the smallest positive float32 (about $10^{-45}$), so it becomes 0. For $x = 1$ this gives $-\ln 0 = \infty$; for $x = 0$, $0 \times \ln 0$ is NaN. The correct values are 120 and 0.
At $a = 20$, $p$ is rounded to 1, and $\ln (1 - p)$ becomes infinite. At $a = -20$, float32 could represent $p \approx 2 \times 10^{-9}$, yet the result is 0: `F.sigmoid` computes $p$ as $\frac{1}{2} + \frac{1}{2} \tanh \frac{a}{2}$, and $\tanh$ is rounded to $-1$. The right-hand side is correct in every row.

This problem occurs in practice. With a trained model, we compute both sides for 100 images. We compute $p$ in two ways: with `F.sigmoid`, and directly by the formula $1 / (1 + e^{-a})$.
"""

# %%
trained, _ = chainer_vae.load_model("z20")
logits = trained.decode(trained.encode(x)[0], sigmoid=False).array
print(f"⟦ロジットの範囲|range of the logits⟧: [{logits.min():.0f}, {logits.max():.0f}]")
with np.errstate(over="ignore"):
    ways = {"F.sigmoid": F.sigmoid(logits).array, "1 / (1 + exp(-a))": 1 / (1 + np.exp(-logits))}
for way, p in ways.items():
    broken = ~np.isfinite(from_probability(x, p))
    print(f"{way}: ⟦NaNか無限大になる画素|pixels with NaN or infinity:⟧ {broken.mean():.0%}")
assert np.isfinite(F.bernoulli_nll(x, logits, reduce="no").array).all()

# %% [markdown] lang="ja"
r"""
学習済みのモデルは、確実に黒い画素に、大きな負のロジットを与えます（最小は −275）。そのため、`F.sigmoid` の確率から計算すると40%、式のとおりの確率から計算しても2%の画素がNaNか無限大になります。1画素でもそうなれば、その和である損失もNaNか無限大です。ロジットから計算すれば、そのような画素は1つもありません。

### 記事のモデルと比べる

ここまでのクラスを、パッケージの `chainer_vae.VAE` と比べます。同じシードなら同じ重みになり、同じ重みなら同じ出力になるはずです。さらに、`copyparams` で学習済みの重みをコピーし、もう一度比べます。
"""

# %% [markdown] lang="en"
r"""
Where a pixel is certainly black, a trained model gives a logit far below 0 (the lowest is −275). Computed from the probabilities of `F.sigmoid`, 40 % of the pixels become NaN or infinite, and even from those of the formula 2 % do. A single such pixel makes the loss, which is their sum, NaN or infinite. Computed from logits, there is not one.

### Comparison with the article's model

Now we compare our class with the package's `chainer_vae.VAE`. The same seed should give the same weights, and the same weights the same outputs. Then we copy the trained weights with `copyparams`, and compare again.
"""

# %%
np.random.seed(0)
mine = WithDecoder(784, 20, 500, F.softplus)
np.random.seed(0)
theirs = chainer_vae.VAE(784, 20, 500, F.softplus)
for (name, param), (other, other_param) in zip(mine.namedparams(), theirs.namedparams()):
    assert name == other
    np.testing.assert_array_equal(param.array, other_param.array)
for weights in (theirs, trained):
    mine.copyparams(weights)
    for ours, article in zip(mine.encode(x), weights.encode(x)):
        np.testing.assert_array_equal(ours.array, article.array)
    np.testing.assert_array_equal(mine(x).array, weights(x).array)
print("⟦重みも出力も、最後のビットまで一致|weights and outputs are identical to the last bit⟧")

# %% [markdown] lang="ja"
r"""
## 2-4. 損失関数 `get_loss_func(C, k)`

### 式とコード

最小化する損失は、変分下限（ELBO）の符号を変えたものです。$B$ はバッチに含まれる画像の枚数です。

$$
L = \underbrace{\frac{1}{kB} \sum_{l=1}^{k} \sum_{n, i} \left[ \mathrm{softplus}(a^{(l)}_{ni}) - x_{ni} \, a^{(l)}_{ni} \right]}_{\text{reconstruction error}} + \underbrace{\frac{C}{B} \sum_{n, j} \frac{1}{2} \left( \mu_{nj}^2 + \sigma_{nj}^2 - \ln \sigma_{nj}^2 - 1 \right)}_{\text{latent loss}}
$$

$n$ は画像、$i$ は画素、$j$ は潜在次元の番号です。ロジット $a^{(l)}$ は、$l$ 番目のサンプル $z^{(l)} = \mu + \sigma \varepsilon^{(l)}$（$\varepsilon^{(l)} \sim \mathcal{N}(0, I)$）に対するデコーダーの出力です。次の3つの関数が、それぞれの部分を計算します。

- `F.gaussian(mu, ln_var)`：$z = \mu + \sigma \varepsilon$ をサンプリングする。
- `F.bernoulli_nll(x, a)`：$\mathrm{softplus}(a) - x a$ の、画素と画像についての和。
- `F.gaussian_kl_divergence(mu, ln_var)`：$q(z|x)$ と $\mathcal{N}(0, I)$ のKLダイバージェンスの、画像についての和。

損失の2つの項はどちらもバッチ全体の和なので、枚数 $B$ で割って画像1枚あたりの値にします。単位はnat（自然対数で測った情報量の単位）です。
"""

# %% [markdown] lang="en"
r"""
## 2-4. The loss: `get_loss_func(C, k)`

### From the formula to the code

The loss to be minimized is the ELBO (evidence lower bound) with its sign changed. $B$ is the number of images in the batch.

$$
L = \underbrace{\frac{1}{kB} \sum_{l=1}^{k} \sum_{n, i} \left[ \mathrm{softplus}(a^{(l)}_{ni}) - x_{ni} \, a^{(l)}_{ni} \right]}_{\text{reconstruction error}} + \underbrace{\frac{C}{B} \sum_{n, j} \frac{1}{2} \left( \mu_{nj}^2 + \sigma_{nj}^2 - \ln \sigma_{nj}^2 - 1 \right)}_{\text{latent loss}}
$$

$n$ is the index of the image, $i$ of the pixel, $j$ of the latent dimension. The logits $a^{(l)}$ are the decoder's output for the $l$-th sample, $z^{(l)} = \mu + \sigma \varepsilon^{(l)}$ with $\varepsilon^{(l)} \sim \mathcal{N}(0, I)$. Three functions compute the parts:

- `F.gaussian(mu, ln_var)` samples $z = \mu + \sigma \varepsilon$.
- `F.bernoulli_nll(x, a)` is the sum of $\mathrm{softplus}(a) - x a$ over pixels and images.
- `F.gaussian_kl_divergence(mu, ln_var)` is the KL divergence of $q(z|x)$ from $\mathcal{N}(0, I)$, summed over the images.

Both terms of the loss are sums over the whole batch. Dividing by the batch size $B$ gives the value per image, in nats, the unit of information for natural logarithms.
"""


# %%
class MyVAE(WithDecoder):
    def get_loss_func(self, C=1.0, k=1):
        def loss_func(x):
            x = chainer.as_variable(x)
            mu, ln_var = self.encode(x)
            batchsize = len(x)
            self.rec_loss = 0
            for _ in range(k):
                z = F.gaussian(mu, ln_var)
                z.name = "z"
                logits = self.decode(z, sigmoid=False)
                self.rec_loss += F.bernoulli_nll(x, logits) / (k * batchsize)
            self.rec_loss.name = "reconstruction error"
            self.latent_loss = C * F.gaussian_kl_divergence(mu, ln_var) / batchsize
            self.latent_loss.name = "latent loss"
            self.loss = self.rec_loss + self.latent_loss
            self.loss.name = "loss"
            return self.loss

        return loss_func


np.random.seed(0)
mine = MyVAE(784, 20, 500, F.softplus)
mine.get_loss_func()(x)
print(f"⟦学習前|before training⟧: loss = {mine.loss.array:.3f}", end=" = ")
print(f"{mine.rec_loss.array:.3f} + {mine.latent_loss.array:.3f}")

# %% [markdown] lang="ja"
r"""
すべての画素に確率0.5を与えるモデルの再構成誤差は $784 \ln 2 \approx 543$ です。学習前のモデルの再構成誤差は607で、それより1割ほど悪い値です。

### NumPyだけで同じ損失を計算する

Chainerを使わずに、重みの配列だけから同じ損失を計算します。`F.gaussian` と同じシード、同じ形で乱数を引けば、同じ値になります。
"""

# %% [markdown] lang="en"
r"""
A model that gives every pixel a probability of 0.5 has a reconstruction error of $784 \ln 2 \approx 543$. Before training, our model has 607, about a tenth worse.

### The same loss in NumPy alone

We compute the same loss without Chainer, using only the weight arrays. Drawn with the same seed and shape as in `F.gaussian`, the noise is the same.
"""


# %%
def numpy_loss(model, x, C, k):
    def linear(h, link):
        return h @ link.W.array.T + link.b.array

    def softplus(a):
        return np.logaddexp(0, a)  # ln(e^0 + e^a)

    B = len(x)
    h = softplus(linear(softplus(linear(x, model.le1)), model.le2))
    mu, ln_var = linear(h, model.le3_mu), linear(h, model.le3_ln_var)
    rec_loss = 0
    for _ in range(k):
        eps = np.random.standard_normal(mu.shape).astype(np.float32)
        z = mu + np.exp(ln_var / 2) * eps
        a = linear(softplus(linear(softplus(linear(z, model.ld1)), model.ld2)), model.ld3)
        rec_loss += (softplus(a) - x * a).sum() / (k * B)
    latent_loss = C * (mu**2 + np.exp(ln_var) - ln_var - 1).sum() / 2 / B
    return rec_loss + latent_loss


for model, C, k in ((mine, 1.0, 1), (trained, 1.0, 1), (trained, 4.0, 3)):
    np.random.seed(1)
    by_chainer = model.get_loss_func(C, k)(x).array
    np.random.seed(1)
    by_numpy = numpy_loss(model, x, C, k)
    print(f"C = {C}, k = {k}:  Chainer {by_chainer:.4f}  NumPy {by_numpy:.4f}")
    np.testing.assert_allclose(by_numpy, by_chainer, rtol=1e-5)

# %% [markdown] lang="ja"
r"""
3つの場合のどれでも、float32の丸め誤差の範囲で一致しました。

### バッチの大きさで割る

$B$ で割るので、バッチの損失は、画像1枚ずつの損失の平均です。1枚ずつ計算しても乱数を引く順番は同じなので、シードを揃えれば、この関係は丸め誤差を除いて厳密に成り立ちます。
"""

# %% [markdown] lang="en"
r"""
In all three cases they agree, up to the rounding error of float32.

### Dividing by the batch size

Because of the division by $B$, the loss of a batch is the mean of the losses of its individual images. The noise is drawn in the same order either way, so with the same seed this holds exactly, apart from rounding.
"""

# %%
loss_func = trained.get_loss_func()
np.random.seed(2)
of_batch = loss_func(x).array
np.random.seed(2)
one_by_one = [loss_func(x[i : i + 1]).array for i in range(len(x))]
print(
    f"⟦バッチの損失|loss of the batch⟧ {of_batch:.3f}, ⟦1枚ずつの平均|mean of the single images⟧ {np.mean(one_by_one):.3f}"
)
np.testing.assert_allclose(np.mean(one_by_one), of_batch, rtol=1e-5)

# %% [markdown] lang="ja"
r"""
どちらも91.255です。

### `k` の働き：損失のばらつきを減らす

再構成誤差は、$\varepsilon$ をサンプリングするたびに変わります。`k` 個のサンプルの平均をとると、期待値は変わらず、分散が $1/k$ になるはずです。10枚の画像について損失を何度も計算し、平均と分散を調べます。図の左は損失の分布、右は分散です。
`no_backprop_mode()` の中では計算の記録を作らないので、時間とメモリーを節約できます。
"""

# %% [markdown] lang="en"
r"""
Both are 91.255.

### What `k` does: less variance

The reconstruction error changes with every sample of $\varepsilon$. The mean of `k` samples should have the same expectation, and $1/k$ of the variance. We compute the loss many times for 10 images and look at the mean and the variance. The figure shows the distribution of the losses (left) and their variance (right).
Within `no_backprop_mode()`, no record of the computation is kept, which saves time and memory.
"""


# %%
def repeated_losses(k):
    np.random.seed(0)
    loss_func = trained.get_loss_func(k=k)
    with chainer.no_backprop_mode():
        return np.array([loss_func(x[:10]).array for _ in range(repeats)])


counts = [1, 2, 5, 10]
samples = {k: repeated_losses(k) for k in counts}
for k in counts:
    variance = samples[k].var(ddof=1)
    print(f"k = {k:2}: ⟦平均|mean⟧ {samples[k].mean():.2f}, ", end="")
    print(f"⟦分散|variance⟧ {variance:.3f}, k × ⟦分散|variance⟧ {k * variance:.2f}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
bins = np.linspace(samples[1].min(), samples[1].max(), 25)
for k, color in ((1, style.DECODER), (10, style.ENCODER)):
    axes[0].hist(samples[k], bins, color=color, alpha=0.6, label=f"k = {k}")
axes[0].set(xlabel="⟦損失|loss⟧ [nat]", ylabel="⟦回数|count⟧")
axes[0].legend()
variances = np.array([samples[k].var(ddof=1) for k in counts])
axes[1].loglog(counts, variances, "o", color=style.ENCODER, label="⟦測定|measured⟧")
single = np.mean(counts * variances)  # ⟦k = 1での分散の推定値|estimated variance for k = 1⟧
axes[1].loglog(counts, single / counts, color=style.MUTED, label="∝ 1 / k")
axes[1].set_xticks(counts, [str(k) for k in counts])
axes[1].set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
axes[1].minorticks_off()
axes[1].set(xlabel="k", ylabel="⟦損失の分散|variance of the loss⟧")
axes[1].legend()
plt.show()

# %% [markdown] lang="ja"
r"""
平均はどの `k` でもほぼ同じ88.3で、`k` × 分散は1.0から1.2の間でした。100回の反復から求めた分散には $\sqrt{2/99} \approx 14\%$ ほどの誤差があるので、分散は $1/k$ に比例すると見てよいでしょう。
つまり、計算量を `k` 倍にすると、標準偏差は $1/\sqrt{k}$ になります。記事は、学習では `k=1`、テストでは `k=10` を使っています。

### `C` の働き：latent lossの重み

`C` はlatent lossに掛かる係数です。同じシードで計算すると、再構成誤差は変わりません。
"""

# %% [markdown] lang="en"
r"""
The mean is about 88.3 for every `k`, and `k` × variance lies between 1.0 and 1.2. A variance estimated from 100 repeats has an error of about $\sqrt{2/99} \approx 14\%$, so the variance is consistent with $1/k$.
The trade-off is this: `k` times the computation gives a standard deviation of $1/\sqrt{k}$. The article uses `k=1` for training, and `k=10` for the test.

### What `C` does: the weight of the latent loss

`C` multiplies only the latent loss. With the same seed, the reconstruction error stays the same.
"""

# %%
for C in (0.5, 1.0, 4.0):
    np.random.seed(0)
    trained.get_loss_func(C)(x)
    rec_loss, latent_loss = trained.rec_loss.array, trained.latent_loss.array
    print(f"C = {C}: ⟦再構成誤差|reconstruction⟧ {rec_loss:.2f}, latent loss {latent_loss:.2f}")

# %% [markdown] lang="ja"
r"""
latent lossは `C` に比例しました。大きな `C` で学習すると、潜在変数が $\mathcal{N}(0, I)$ に強く引き寄せられ、その分、再構成誤差が大きくなります。`C` が1のときだけ、損失は変分下限の符号を変えたものになります。

## 2-5. 計算グラフ

### グラフを図にする

損失を計算すると、そこに至る計算の記録が残ります。これを図にしたものが計算グラフです。`chainer_vae.graph.dump(loss)` は、グラフをGraphvizの言語で出力します。
まず、ここで作ったクラスのグラフと、パッケージのVAEのグラフが、文字列として一致することを確かめます。続けて、出力の冒頭を表示し、関数の数を数えます。`n0 [...]` のような1行が1つのノードで、形が `octagon` なら変数、`record` なら関数です。
"""

# %% [markdown] lang="en"
r"""
The latent loss is proportional to `C`. Training with a larger `C` pulls the latent variables more strongly towards $\mathcal{N}(0, I)$, at the cost of the reconstruction error. Only with `C` = 1 is the loss the ELBO with its sign changed.

## 2-5. The computational graph

### Drawing the graph

When a loss is computed, a record remains of all the computations that led to it. Drawn as a figure, this is the computational graph. `chainer_vae.graph.dump(loss)` writes it in the Graphviz language.
First we check that the graph of our class and that of the package's VAE are identical as text. Then we print the first lines, and count the functions. A line such as `n0 [...]` is a node: a variable if its shape is `octagon`, a function if it is `record`.
"""

# %%
loss = mine.get_loss_func()(x)
text = graph.dump(loss)
assert text == graph.dump(theirs.get_loss_func()(x))
print(*text.splitlines()[:4], "...", sep="\n")
parsed = graph.parse(text)
print(
    "⟦関数の数|number of each function⟧:",
    Counter(node.label for node in parsed.nodes.values() if node.function),
)

# %% [markdown] lang="ja"
r"""
`LinearFunction` は7つ（層の数）、`Softplus` は5つです。活性化関数は4つなので、残りの1つは `F.bernoulli_nll` の中の $\mathrm{softplus}(a)$ です。`Gaussian` は1つで、乱数が入るのはここだけです。

パッケージには、このグラフの図を描く関数もあります。描かれるのは付属の学習済みモデルのグラフで、重みの値以外は同じです。青い四角が関数、それ以外が変数です。計算は上から下へ進みます。
"""

# %% [markdown] lang="en"
r"""
There are 7 `LinearFunction`, one for each layer, and 5 `Softplus`. Four of these are activations; the fifth is the $\mathrm{softplus}(a)$ in `F.bernoulli_nll`. There is one `Gaussian`, the only place where random numbers enter.

The package can also draw the graph. It draws the graph of the trained model that comes with it, which is the same apart from the values of the weights. Blue boxes are functions, all others are variables. The computation runs from top to bottom.
"""

# %%
spec = next(spec for spec in figures.all_figures() if spec.id == "network")
graph_figure = draw(spec, figures.Context("⟦ja|en⟧", {"z20": "z20"}))
graph_figure.set_dpi(85)
display(graph_figure)

# %% [markdown] lang="ja"
r"""
名前の付いた変数と、式、コードの対応は次のとおりです。

| 変数 | 式 | 計算するコード |
|---|---|---|
| `x` | $x$ | `chainer.as_variable(x)` |
| `enc_h1` | $h_1 = f(x W_1^\top + b_1)$ | `self.act_func(self.le1(x))` |
| `enc_h2` | $h_2 = f(h_1 W_2^\top + b_2)$ | `self.act_func(self.le2(h1))` |
| `z_mu` | $\mu$ | `self.le3_mu(h2)` |
| `z_ln_var` | $\ln \sigma^2$ | `self.le3_ln_var(h2)` |
| `z` | $z = \mu + \sigma \varepsilon$ | `F.gaussian(mu, ln_var)` |
| `dec_h1` | デコーダーの隠れ層 | `self.act_func(self.ld1(z))` |
| `dec_h2` | デコーダーの隠れ層 | `self.act_func(self.ld2(h1))` |
| `dec_h3` | $a$ | `self.ld3(h2)` |
| `reconstruction error` | $L$ の第1項 | `F.bernoulli_nll(x, logits) / (k * batchsize)` |
| `latent loss` | $L$ の第2項 | `C * F.gaussian_kl_divergence(mu, ln_var) / batchsize` |
| `loss` | $L$ | `self.rec_loss + self.latent_loss` |

図の読み方は次のとおりです。

- `x` から出る矢印は2本です。1本はエンコーダーへ、もう1本は左端を通って、再構成誤差の $x a$ を計算する掛け算 `_ * _` へ向かいます。
- `z_mu` と `z_ln_var` からは、`Gaussian` を経てデコーダーへ進む経路と、右側のlatent lossへ進む経路が出ています。
- 右側の列は上から順に、$\mu^2$ と $e^{\ln \sigma^2}$ の和、$- \ln \sigma^2$、$- 1$、$\times 0.5$、和、`C` 倍（`_ * 1.0`）、$1 / B$ 倍（`_ * 0.01`）です。
- `_ + 0` は、`rec_loss` を0から足し始めたためにできたノードです。
"""

# %% [markdown] lang="en"
r"""
The named variables correspond to formulas and code as follows:

| variable | formula | code that computes it |
|---|---|---|
| `x` | $x$ | `chainer.as_variable(x)` |
| `enc_h1` | $h_1 = f(x W_1^\top + b_1)$ | `self.act_func(self.le1(x))` |
| `enc_h2` | $h_2 = f(h_1 W_2^\top + b_2)$ | `self.act_func(self.le2(h1))` |
| `z_mu` | $\mu$ | `self.le3_mu(h2)` |
| `z_ln_var` | $\ln \sigma^2$ | `self.le3_ln_var(h2)` |
| `z` | $z = \mu + \sigma \varepsilon$ | `F.gaussian(mu, ln_var)` |
| `dec_h1` | hidden layer of the decoder | `self.act_func(self.ld1(z))` |
| `dec_h2` | hidden layer of the decoder | `self.act_func(self.ld2(h1))` |
| `dec_h3` | $a$ | `self.ld3(h2)` |
| `reconstruction error` | first term of $L$ | `F.bernoulli_nll(x, logits) / (k * batchsize)` |
| `latent loss` | second term of $L$ | `C * F.gaussian_kl_divergence(mu, ln_var) / batchsize` |
| `loss` | $L$ | `self.rec_loss + self.latent_loss` |

How to read the figure:

- Two arrows leave `x`: one goes to the encoder, and one along the left edge to the multiplication `_ * _`, which computes the $x a$ of the reconstruction error.
- From `z_mu` and `z_ln_var` there are two paths: through `Gaussian` to the decoder, and on the right to the latent loss.
- The column on the right is, from top to bottom: the sum of $\mu^2$ and $e^{\ln \sigma^2}$, $- \ln \sigma^2$, $- 1$, $\times 0.5$, the sum, times `C` (`_ * 1.0`), times $1 / B$ (`_ * 0.01`).
- The `_ + 0` appears because `rec_loss` starts at 0 before the terms are added.
"""

# %% [markdown] lang="ja"
r"""
### コードでたどる

グラフは、図にしなくてもコードでたどれます。変数の `creator` はその変数を計算した関数、関数の `inputs` はその入力です。`loss` から始めて、入力が複数あるときは、計算の段数（`rank`）が最も大きいもの（同じなら最初のもの）へ進みます。
"""

# %% [markdown] lang="en"
r"""
### Traversing the graph in code

The graph can also be traversed in code, without a figure. A variable's `creator` is the function that computed it, and a function's `inputs` are its inputs. We start at `loss`. Where there are several inputs, we follow the one that took the most steps to compute (`rank`), or the first of them in case of a tie.
"""

# %%
node = loss.node
while node.creator is not None:
    print(f"{node.name or '·':>20} ← {node.creator.label}")
    node = max(node.creator.inputs, key=lambda variable: variable.rank)
print(f"{node.name:>20}")
assert node.name == "x"

# %% [markdown] lang="ja"
r"""
`loss` から `dec_h3`、`z`、`z_mu`、`enc_h2` を通って `x` に到達しました。次は、枝分かれもすべてたどり、すべての変数を集めます。その数は、図の変数の数と一致するはずです。
"""

# %% [markdown] lang="en"
r"""
From `loss`, the path went through `dec_h3`, `z`, `z_mu` and `enc_h2` to `x`. Now we follow every branch and collect all variables. Their number should match the number of variables in the figure.
"""

# %%
found, to_do = [], [loss.node]
while to_do:
    node = to_do.pop()
    if node not in found:
        found.append(node)
        if node.creator is not None:
            to_do.extend(node.creator.inputs)
assert len(found) == sum(not node.function for node in parsed.nodes.values())

names = ["x", "enc_h1", "enc_h2", "z_mu", "z_ln_var", "z", "dec_h1", "dec_h2", "dec_h3"]
names += ["reconstruction error", "latent loss", "loss"]
nodes = {node.name: node for node in found}
assert set(names) <= set(nodes)  # ⟦表の変数がすべてある|all variables of the table are there⟧
parameters = [node for node in found if node.name in ("W", "b")]
print(f"⟦変数|variables⟧ {len(found)}, ⟦うちパラメーター|of which parameters⟧ {len(parameters)}")

# %% [markdown] lang="ja"
r"""
表の12個の変数がすべて見つかりました。`W` と `b` は7つずつ、合わせて14個です。

`backward()` は、まさにこの経路を `loss` から逆向きにたどり、関数ごとの微分を掛け合わせていきます。1か所だけ手計算と比べてみます。$L$ の第1項をロジットで微分すると、$\mathrm{softplus}' = \mathrm{sigmoid}$ なので、

$$
\frac{\partial L}{\partial a_{ni}} = \frac{\mathrm{sigmoid}(a_{ni}) - x_{ni}}{B}
$$

となります（$k = 1$）。「予測した確率 − 正解」という、わかりやすい形です。`chainer.grad` は同じ経路をたどり、指定した変数の勾配を返します。
"""

# %% [markdown] lang="en"
r"""
All 12 variables of the table are there. There are 7 `W` and 7 `b`, 14 parameters in all.

`backward()` follows exactly these paths backwards from `loss`, multiplying the derivatives of the functions. Let us compare it with pen and paper at one point. Since $\mathrm{softplus}' = \mathrm{sigmoid}$, the first term of $L$ has the derivative

$$
\frac{\partial L}{\partial a_{ni}} = \frac{\mathrm{sigmoid}(a_{ni}) - x_{ni}}{B}
$$

with respect to the logits (for $k = 1$). It is simply the predicted probability minus the target. `chainer.grad` follows the same paths, and returns the gradient with respect to the variable we specify.
"""

# %%
dec_h3 = nodes["dec_h3"].get_variable()
(gradient,) = chainer.grad([loss], [dec_h3])
by_hand = (F.sigmoid(dec_h3).array - x) / len(x)
print("⟦手計算との差の最大値|largest difference⟧:", f"{abs(gradient.array - by_hand).max():.0e}")
np.testing.assert_allclose(gradient.array, by_hand, atol=1e-8)

# %% [markdown] lang="ja"
r"""
## 2-6. 学習、保存、読み込み

### 記事の学習ループ

シードを固定し、重みを初期化し、画像の順番をシャッフルします。そして100枚ずつ、`loss_func` → `cleargrads` → `backward` → `update` を繰り返します。オプティマイザーはAdamです。Adamは、勾配とその2乗の移動平均から、ステップ幅をパラメーターの成分ごとに決めます。ここでは1エポック（全画像を1周）だけ学習します。
"""

# %% [markdown] lang="en"
r"""
## 2-6. Training, saving, loading

### The article's training loop

Fix the seed, initialize the weights, and shuffle the images. Then, 100 images at a time: `loss_func`, `cleargrads`, `backward`, `update`. The optimizer is Adam, which sets the step size of each parameter entry from moving averages of its gradient and of the squared gradient. We train for one epoch, that is, one pass over all images.
"""


# %%
def train(model, images, batchsize=100):
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    loss_func = model.get_loss_func(C=1.0, k=1)
    order = np.random.permutation(len(images))
    losses = []
    for start in range(0, len(images), batchsize):
        loss = loss_func(images[order[start : start + batchsize]])
        model.cleargrads()  # ⟦クリアしないと、前の勾配に加算される|otherwise they add to the previous gradients⟧
        loss.backward()
        optimizer.update()
        losses.append(float(loss.array))
    return losses


np.random.seed(config.seed)
mine = MyVAE(784, 20, 500, F.softplus)
before = mine(data.test_images[:10]).array
losses = train(mine, images)
after = mine(data.test_images[:10]).array
print(f"⟦最初の3ステップ|first three steps⟧: {np.round(losses[:3], 2)}")
print(f"⟦1エポックの平均|mean of the epoch⟧: {np.mean(losses):.3f}")
print(f"⟦最後の100ステップの平均|mean of the last 100 steps⟧: {np.mean(losses[-100:]):.1f}")

# %% [markdown] lang="ja"
r"""
損失の推移をプロットします。比較のため、入力を見ずに、常に訓練画像の平均を出力するモデルの損失を破線で示します。再構成誤差は $x$ の1次式なので、その平均は、$x$ を平均画像で置き換えた値と同じです。
"""

# %% [markdown] lang="en"
r"""
We plot the losses. For comparison, the dashed line is the loss of a model that ignores its input and always outputs the mean of the training images. The reconstruction error is linear in $x$, so its mean equals its value with the mean image in place of $x$.
"""

# %%
mean = images.mean(axis=0)
mean_image_loss = np.nansum(from_probability(mean, mean))  # ⟦0 ln 0は0とする|0 ln 0 is 0 here⟧
print(f"⟦平均画像の損失|loss of the mean image⟧: {mean_image_loss:.1f}")

plt.figure(figsize=(8, 3))
plt.semilogy(losses, color=style.LOSS, lw=1)
plt.axhline(mean_image_loss, color=style.INK, ls="--", lw=1)
plt.yticks([100, 150, 200, 300, 500], ["100", "150", "200", "300", "500"])
plt.minorticks_off()
plt.xlabel("⟦ステップ|step⟧")
plt.ylabel("⟦バッチの損失|loss per batch⟧ [nat]")
plt.grid(True)
plt.show()

# %% [markdown] lang="ja"
r"""
損失は最初の数十ステップで破線（206.0）まで下がり、しばらく停滞します。この間、モデルは平均画像を出力するのと変わりません。その後、画像ごとの違いを潜在変数 $z$ で伝えられるようになると破線を離れ、最後の100ステップの平均は139.0まで下がりました。

テスト画像（上）を、学習前のモデル（中）と1エポック後のモデル（下）で再構成します。
"""

# %% [markdown] lang="en"
r"""
Within a few tens of steps, the loss falls to the dashed line (206.0) and stays there for a while: so far the model does no better than the mean image. Once it has learned to pass the differences between images through the latent vector $z$, the loss falls below the line. The mean of the last 100 steps is 139.0.

We reconstruct test images (top) with the model before training (middle) and after one epoch (bottom):
"""

# %%
rows = np.stack([data.test_images[:10], before, after]).reshape(3, 10, 28, 28)
plt.figure(figsize=(8, 2.5))
plt.imshow(latent.montage(rows))
plt.axis("off")
plt.show()

# %% [markdown] lang="ja"
r"""
学習前の出力はノイズです。1エポックで7、1、0と右端の9は読めるようになりましたが、2、4、5はまだ他の数字と混ざっています。

### 同じ計算を速く

Chainerの学習ループでは、行列積以外の処理にも多くの時間がかかります。そこでパッケージには、同じ計算を行うエンジン（`chainer_vae.engine`）があります。勾配は手で導いた式で計算し、配列は使い回します。乱数を引く順番も同じなので、同じシードなら、丸め誤差を除いて同じ損失になるはずです。最初の10ステップで比べます。
"""

# %% [markdown] lang="en"
r"""
Before training, the output is noise. After one epoch the 7, the 1s, the 0 and the last 9 are readable, while the 2, the 4s and the 5 are still mixed up with other digits.

### The same computation, faster

Chainer's training loop spends much of its time on things other than matrix products. So the package has an engine (`chainer_vae.engine`) that does the same computation, with gradients derived by hand and with reused arrays. It draws its random numbers in the same order, so the same seed should give the same losses, apart from rounding. We compare the first 10 steps.
"""

# %%
np.random.seed(config.seed)
model = chainer_vae.VAE(784, 20, 500, F.softplus)
optimizer = chainer.optimizers.Adam()
optimizer.setup(model)
order = np.random.permutation(len(images))[:1000]
with thread_pool() as pool:  # ⟦計算を分担するスレッドプール|threads that share the work⟧
    fused = engine.Engine(model, optimizer, 1.0, 1, pool)  # C = 1.0, k = 1
    fused_losses = [
        fused.step(images[order[start : start + 100]])[0] for start in range(0, len(order), 100)
    ]
    fused.finish()
relative = np.abs(np.divide(fused_losses, losses[: len(fused_losses)]) - 1)
print("⟦エンジンの最初の3ステップ|the engine's first three⟧:", np.round(fused_losses[:3], 2))
print(f"⟦相対差の最大値|largest relative difference⟧: {relative.max():.0e}")
np.testing.assert_allclose(fused_losses, losses[: len(fused_losses)], rtol=1e-5)

# %% [markdown] lang="ja"
r"""
相対差は、float32の丸め誤差と同じ $10^{-7}$ 程度です。

`chainer_vae.Run` は、このエンジンによる学習、テスト画像での評価、保存を1つにまとめたものです。`chainer-vae train` コマンドは、これを実行します。同じシードで1エポック学習し、損失の平均を上のループと比べます。
"""

# %% [markdown] lang="en"
r"""
The relative difference is about $10^{-7}$, the size of float32 rounding errors.

`chainer_vae.Run` combines training with this engine, evaluation on the test images, and saving. It is what the command `chainer-vae train` runs. We train for one epoch with the same seed, and compare the mean of the losses with that of our loop.
"""

# %%
folder = Path("lesson02")
shutil.rmtree(folder, ignore_errors=True)  # ⟦Runは既存の結果を上書きしない|a Run never overwrites⟧
for entry in chainer_vae.Run.start(config, folder / "run").train():
    train_loss, test_loss = entry["main/loss"], entry["validation/main/loss"]
    print(f"⟦訓練損失|training loss⟧ {train_loss:.3f}, ⟦テスト損失|test loss⟧ {test_loss:.3f}")
    np.testing.assert_allclose(train_loss, np.mean(losses), rtol=1e-5)
print(
    "⟦フォルダーの中身|files of the run⟧:",
    sorted(file.name for file in (folder / "run").glob("[!.]*")),
)

# %% [markdown] lang="ja"
r"""
訓練損失170.986は、ここで書いた学習ループと小数第3位まで一致しました。テスト損失135.882のほうが低いのは、訓練損失がエポック全体の平均で、テスト損失はエポックの終わりの重みで計算した値だからです。100エポック学習すると、テスト損失は約97になります（READMEの表）。

### 保存と読み込み

モデルは `chainer.serializers.save_npz` で保存します。保存されるのは、名前の付いた配列を集めたnpzファイルです。
読み込みには注意が必要です。npzファイルにはPythonのオブジェクトも格納でき、その読み込み（pickle）では任意のプログラムが実行される可能性があります。`chainer.serializers.load_npz` はこれを許すので、出どころのわからないファイルには使えません。
`chainer_vae.runs.checkpoints.load_npz` は、同じ形式のファイルから数値の配列だけを読み込み、それ以外を含むファイルは拒否します。
"""

# %% [markdown] lang="en"
r"""
The training loss, 170.986, agrees with that of our own loop to the last digit shown. The test loss, 135.882, is lower because it is computed with the weights at the end of the epoch, while the training loss is a mean over the whole epoch. After 100 epochs the test loss is about 97 (see the table in the README).

### Saving and loading

`chainer.serializers.save_npz` saves a model as an npz file of named arrays.
Loading needs care. An npz file can also hold Python objects, and restoring these (pickle) can run arbitrary programs. `chainer.serializers.load_npz` allows this, so do not use it for files of unknown origin.
`chainer_vae.runs.checkpoints.load_npz` reads the same format, but accepts only arrays of numbers, and refuses a file that contains anything else.
"""

# %%
file = folder / "mine.npz"
chainer.serializers.save_npz(file, mine)
arrays = checkpoints.load_npz(file)  # ⟦pickleを使わない|without pickle⟧
print(
    len(arrays),
    "⟦個の配列、最初の4個の形|arrays; shapes of the first 4⟧:",
    {name: arrays[name].shape for name in sorted(arrays)[:4]},
)

loaded = chainer_vae.VAE(784, 20, 500, F.softplus)
checkpoints.restore_model(loaded, arrays, file)
np.testing.assert_array_equal(loaded(x).array, mine(x).array)

# %% [markdown] lang="ja"
r"""
14個の配列を読み込みました。自作のクラスで学習した重みは、パッケージのVAEでも同じ出力になります。

## 演習

### 演習1（易）：`(B, 28, 28)` の画像

`mine` に形が `(100, 28, 28)` の画像を渡すと、`encode` は動きますが、損失の計算は失敗します。どの行で、なぜ失敗するのでしょうか。`MyVAE` のサブクラスで修正し、損失が `(100, 784)` のときと同じになることを確かめてください。

<details><summary>解答例</summary>

`L.Linear` は2つ目以降の軸を自動的に1つにまとめるので、`encode` は動きます。失敗するのは `F.bernoulli_nll(x, logits)` です。`x` は `(100, 28, 28)`、`logits` は `(100, 784)` で、形が違うからです。損失関数の最初で画像を平坦化します。

```python
class AnyShape(MyVAE):
    def get_loss_func(self, C=1.0, k=1):
        loss_func = super().get_loss_func(C, k)
        return lambda x: loss_func(x.reshape(len(x), -1))


squares = x.reshape(-1, 28, 28)
try:
    mine.get_loss_func()(squares)
except chainer.utils.type_check.InvalidType as error:
    print(error)
any_shape = AnyShape(784, 20, 500, F.softplus)
any_shape.copyparams(mine)
results = []
for model, batch in ((mine, x), (any_shape, squares)):
    np.random.seed(0)
    results.append(float(model.get_loss_func()(batch).array))
print(results)
assert results[0] == results[1]
```

</details>

### 演習2（易）：活性化関数を変える

活性化関数を `F.tanh`、`F.relu`、`F.softplus` として、同じシードで最初の10,000枚（100ステップ）を学習し、最後の20ステップの損失の平均を比べてください。

<details><summary>解答例</summary>

100ステップでの差からわかるのは、学習初期の速さだけです。最終的にどれが良いかは、もっと長く学習しないとわかりません。

```python
for act_func in (F.tanh, F.relu, F.softplus):
    np.random.seed(0)
    curve = train(MyVAE(784, 20, 500, act_func), images[:10_000])
    print(f"{act_func.__name__:>8}: {np.mean(curve[-20:]):.1f}")
```

</details>

### 演習3（中）：隠れ層を1つ増やす

`MyVAE` のサブクラスで、エンコーダーとデコーダーに隠れ層を1つずつ追加してください。名前は `le_extra`、`ld_extra` とします。計算グラフの `LinearFunction` が9つになること、学習で損失が下がることを確かめてください。

<details><summary>解答例</summary>

`encode` と `decode` をオーバーライドします。損失関数はこの2つを呼ぶだけなので、そのまま使えます。

```python
class Deeper(MyVAE):
    def __init__(self, n_in, n_latent, n_h, act_func):
        super().__init__(n_in, n_latent, n_h, act_func)
        with self.init_scope():
            self.le_extra = layer(n_h, n_h)
            self.ld_extra = layer(n_h, n_h)

    def encode(self, x):
        h = x
        for link in (self.le1, self.le2, self.le_extra):
            h = self.act_func(link(h))
        return self.le3_mu(h), self.le3_ln_var(h)

    def decode(self, z, sigmoid=True):
        h = z
        for link in (self.ld1, self.ld2, self.ld_extra):
            h = self.act_func(link(h))
        h = self.ld3(h)
        return F.sigmoid(h) if sigmoid else h


np.random.seed(0)
deeper = Deeper(784, 20, 500, F.softplus)
text = graph.dump(deeper.get_loss_func()(x))
labels = Counter(node.label for node in graph.parse(text).nodes.values())
print(labels["LinearFunction"], deeper.count_params() - mine.count_params())
assert labels["LinearFunction"] == 9
assert deeper.count_params() - mine.count_params() == 2 * 500 * 501
curve = train(deeper, images[:10_000])
print(f"{curve[0]:.1f} -> {curve[-1]:.1f}")
```

</details>

### 演習4（難）：TrainerとUpdater

Chainerの公式の例では、ループを書く代わりに `chainer.training.Trainer` を使います。`SerialIterator`、`StandardUpdater`、`Trainer` で同じ学習を20ステップ実行し、自分で書いたループと同じ損失になることを確かめてください。画像の順番はシャッフルしません。

<details><summary>解答例</summary>

`StandardUpdater` の `update()` は、イテレーターからバッチを取り出し、`optimizer.update(loss_func, batch)` を呼びます。毎ステップ呼ばれる拡張（extension）で損失を記録します。同じシードなら、重みもノイズも同じ順番で引かれるので、損失は一致します。

```python
n = min(2000, len(images))


def build():
    np.random.seed(0)
    model = MyVAE(784, 20, 500, F.softplus)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    return model, optimizer


model, optimizer = build()
iterator = chainer.iterators.SerialIterator(images[:n], 100, shuffle=False)
loss_func = model.get_loss_func()
updater = chainer.training.StandardUpdater(iterator, optimizer, loss_func=loss_func)
trainer = chainer.training.Trainer(updater, (n // 100, "iteration"), out=str(folder / "trainer"))
by_trainer = []


def record(trainer):
    by_trainer.append(float(model.loss.array))


trainer.extend(record, trigger=(1, "iteration"))
trainer.run()

model, optimizer = build()
by_loop = []
for start in range(0, n, 100):
    optimizer.update(model.get_loss_func(), images[start : start + 100])
    by_loop.append(float(model.loss.array))
print(np.round(by_trainer[-3:], 3), np.round(by_loop[-3:], 3))
np.testing.assert_allclose(by_trainer, by_loop, rtol=1e-5)
```

</details>

## まとめ

- Chainerの記録（計算グラフ）を逆にたどるのが `backward()` です。
- エンコーダーは $\mu$ と $\ln \sigma^2$ を、デコーダーはロジットを出力します。どちらも、数値の範囲に無理のない形です。
- 損失は、再構成誤差と `C` 倍のKLダイバージェンスの和で、画像1枚あたりのnatで表します。`k` はそのばらつきを減らします。
- 自作のクラスは、パッケージの `VAE` と最後のビットまで一致しました。

## 次に読むもの

このレッスンでは、損失の式を所与のものとして使いました。次は記事の3節に進みます。[レッスン3](lesson:03)では、その式が対数尤度の変分下限からどのように導かれるのかを学びます。[レッスン4](lesson:04)では、`F.gaussian` の中の $z = \mu + \sigma \varepsilon$ がなぜ必要なのかを学びます。

### 出典

- kenmatsu4「[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)」2017年。第2節。
- D. P. Kingma and M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013. 損失と、付録Cのデコーダー。
- X. Glorot and Y. Bengio, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html), AISTATS 2010. 式16が `Xavier` の分布。
- D. P. Kingma and J. Ba, [Adam: A Method for Stochastic Optimization](https://arxiv.org/abs/1412.6980), 2014.
- S. Tokui et al., [Chainer: A Deep Learning Framework for Accelerating the Research Cycle](https://arxiv.org/abs/1908.00213), 2019.
"""

# %% [markdown] lang="en"
r"""
We loaded 14 arrays. The weights that our class learned give the same outputs in the package's VAE.

## Exercises

### Exercise 1 (easy): images of shape `(B, 28, 28)`

If you pass `mine` images of shape `(100, 28, 28)`, `encode` works, but the loss fails. In which line, and why? Fix it in a subclass of `MyVAE`, and check that the loss is the same as with `(100, 784)`.

<details><summary>Solution</summary>

`L.Linear` automatically merges all axes but the first, so `encode` works. What fails is `F.bernoulli_nll(x, logits)`: `x` has the shape `(100, 28, 28)`, and `logits` `(100, 784)`. We flatten the images at the start of the loss function.

```python
class AnyShape(MyVAE):
    def get_loss_func(self, C=1.0, k=1):
        loss_func = super().get_loss_func(C, k)
        return lambda x: loss_func(x.reshape(len(x), -1))


squares = x.reshape(-1, 28, 28)
try:
    mine.get_loss_func()(squares)
except chainer.utils.type_check.InvalidType as error:
    print(error)
any_shape = AnyShape(784, 20, 500, F.softplus)
any_shape.copyparams(mine)
results = []
for model, batch in ((mine, x), (any_shape, squares)):
    np.random.seed(0)
    results.append(float(model.get_loss_func()(batch).array))
print(results)
assert results[0] == results[1]
```

</details>

### Exercise 2 (easy): another activation function

Train on the first 10,000 images (100 steps) with the activation functions `F.tanh`, `F.relu` and `F.softplus`, using the same seed, and compare the mean losses of the last 20 steps.

<details><summary>Solution</summary>

After 100 steps, the difference only shows how fast each one starts. To see which is best in the end, you need to train longer.

```python
for act_func in (F.tanh, F.relu, F.softplus):
    np.random.seed(0)
    curve = train(MyVAE(784, 20, 500, act_func), images[:10_000])
    print(f"{act_func.__name__:>8}: {np.mean(curve[-20:]):.1f}")
```

</details>

### Exercise 3 (medium): one more hidden layer

In a subclass of `MyVAE`, add one hidden layer to the encoder and one to the decoder, named `le_extra` and `ld_extra`. Check that the computational graph has 9 `LinearFunction`, and that the loss falls in training.

<details><summary>Solution</summary>

We override `encode` and `decode`. The loss function only calls these two, so it works unchanged.

```python
class Deeper(MyVAE):
    def __init__(self, n_in, n_latent, n_h, act_func):
        super().__init__(n_in, n_latent, n_h, act_func)
        with self.init_scope():
            self.le_extra = layer(n_h, n_h)
            self.ld_extra = layer(n_h, n_h)

    def encode(self, x):
        h = x
        for link in (self.le1, self.le2, self.le_extra):
            h = self.act_func(link(h))
        return self.le3_mu(h), self.le3_ln_var(h)

    def decode(self, z, sigmoid=True):
        h = z
        for link in (self.ld1, self.ld2, self.ld_extra):
            h = self.act_func(link(h))
        h = self.ld3(h)
        return F.sigmoid(h) if sigmoid else h


np.random.seed(0)
deeper = Deeper(784, 20, 500, F.softplus)
text = graph.dump(deeper.get_loss_func()(x))
labels = Counter(node.label for node in graph.parse(text).nodes.values())
print(labels["LinearFunction"], deeper.count_params() - mine.count_params())
assert labels["LinearFunction"] == 9
assert deeper.count_params() - mine.count_params() == 2 * 500 * 501
curve = train(deeper, images[:10_000])
print(f"{curve[0]:.1f} -> {curve[-1]:.1f}")
```

</details>

### Exercise 4 (hard): Trainer and Updater

Instead of a hand-written loop, Chainer's own examples use `chainer.training.Trainer`. Run 20 steps of the same training with `SerialIterator`, `StandardUpdater` and `Trainer`, and check that the losses match those of a hand-written loop. Do not shuffle the images.

<details><summary>Solution</summary>

One `update()` of `StandardUpdater` takes a batch from the iterator and calls `optimizer.update(loss_func, batch)`. An extension that is called after every step records the losses. With the same seed, weights and noise are drawn in the same order, so the losses agree.

```python
n = min(2000, len(images))


def build():
    np.random.seed(0)
    model = MyVAE(784, 20, 500, F.softplus)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    return model, optimizer


model, optimizer = build()
iterator = chainer.iterators.SerialIterator(images[:n], 100, shuffle=False)
loss_func = model.get_loss_func()
updater = chainer.training.StandardUpdater(iterator, optimizer, loss_func=loss_func)
trainer = chainer.training.Trainer(updater, (n // 100, "iteration"), out=str(folder / "trainer"))
by_trainer = []


def record(trainer):
    by_trainer.append(float(model.loss.array))


trainer.extend(record, trigger=(1, "iteration"))
trainer.run()

model, optimizer = build()
by_loop = []
for start in range(0, n, 100):
    optimizer.update(model.get_loss_func(), images[start : start + 100])
    by_loop.append(float(model.loss.array))
print(np.round(by_trainer[-3:], 3), np.round(by_loop[-3:], 3))
np.testing.assert_allclose(by_trainer, by_loop, rtol=1e-5)
```

</details>

## Summary

- `backward()` follows Chainer's record, the computational graph, in reverse.
- The encoder outputs $\mu$ and $\ln \sigma^2$, the decoder logits: in this form, the numbers stay within range.
- The loss is the reconstruction error plus `C` times the KL divergence, in nats per image. `k` makes it vary less.
- Our own class agrees with the package's `VAE` to the last bit.

## What to read next

In this lesson we took the formula of the loss as given. Next comes section 3 of the article. [Lesson 3](lesson:03) shows how this formula follows from a lower bound of the log likelihood. [Lesson 4](lesson:04) shows why `F.gaussian` computes $z = \mu + \sigma \varepsilon$.

### Sources

- kenmatsu4, [Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24), 2017. Section 2.
- D. P. Kingma and M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013. The loss; appendix C has the decoder.
- X. Glorot and Y. Bengio, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html), AISTATS 2010. Equation 16 is the distribution of `Xavier`.
- D. P. Kingma and J. Ba, [Adam: A Method for Stochastic Optimization](https://arxiv.org/abs/1412.6980), 2014.
- S. Tokui et al., [Chainer: A Deep Learning Framework for Accelerating the Research Cycle](https://arxiv.org/abs/1908.00213), 2019.
"""
