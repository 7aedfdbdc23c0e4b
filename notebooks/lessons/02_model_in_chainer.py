# %% [markdown] lang="ja"
r"""
# 2. Chainer で組み立てる VAE と計算グラフ

記事の第 2 節は、VAE の全体を 100 行ほどのコードで示しています。このノートブックでは、それを 1 行ずつ自分の手で組み立て直します。

1. Chainer の使い方を、必要な分だけ
2. 重みの初期化 `Xavier`
3. エンコーダーとデコーダー
4. 損失関数 `get_loss_func(C, k)`
5. 計算グラフ
6. 学習、保存、読み込み

どの段階でも、別の計算方法（差分、手計算、NumPy）で同じ値になることをコードで確かめます。$\mu$、$\sigma$、$z$ が何を表すのかは記事の 1-2 節の知識で足ります。
損失の式がなぜその形になるのかは記事の 3 節の話題なので、ここでは式を受け取り、コードと対応させることに集中します。
"""

# %% [markdown] lang="en"
r"""
# 2. The VAE in Chainer, and its computational graph

Section 2 of the article gives the whole VAE in about 100 lines of code. In this notebook you build it again, line by line, with your own hands.

1. Chainer, as much of it as is needed
2. `Xavier`, which draws the first weights
3. The encoder and the decoder
4. The loss, `get_loss_func(C, k)`
5. The computational graph
6. Training, saving, loading

At every step, code checks that another way of computing (finite differences, pen and paper, NumPy) gives the same. What $\mu$, $\sigma$ and $z$ stand for is in the article's section 1-2; no more is needed here.
Why the loss has the form that it has is the subject of the article's section 3. Here we take the formula as given, and see how it becomes code.
"""

# %%
import chainer_vae  # ⟦Chainer を使えるようにするので、最初に読み込む|makes Chainer usable: import it first⟧

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

from chainer_vae import Xavier, engine, figures, graph, latent
from chainer_vae.datasets import load_data
from chainer_vae.engine import thread_pool
from chainer_vae.figures import style
from chainer_vae.figures.runner import draw
from chainer_vae.runs import checkpoints

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% tags=["parameters"] small={"quick": True, "repeats": 20}
quick = False  # ⟦True なら画像を 100 枚だけ使う|True takes only 100 images⟧
repeats = 100  # ⟦損失を繰り返し計算する回数（2-4）|how often a loss is repeated (2-4)⟧

# %% [markdown] lang="ja"
r"""
## 2-1. 5 分でわかる Chainer

### Variable と backward

`chainer.Variable` は、配列に「どう計算されたか」の記録を添えたものです。最後の値で `backward()` を呼ぶと、記録を逆にたどって勾配を計算し、`grad` に入れます。

例として $f(x) = \sum_i x_i \sin x_i$ の勾配を求めます。手で微分すれば $\partial f / \partial x_i = \sin x_i + x_i \cos x_i$ です。
"""

# %% [markdown] lang="en"
r"""
## 2-1. Chainer in five minutes

### Variable and backward

A `chainer.Variable` is an array together with a record of how it was computed. Calling `backward()` on the last value follows that record backwards, computes the gradients and leaves them in `grad`.

Take $f(x) = \sum_i x_i \sin x_i$. Differentiating by hand gives $\partial f / \partial x_i = \sin x_i + x_i \cos x_i$.
"""


# %%
def f(x):
    return F.sum(x * F.sin(x))


x = chainer.Variable(np.array([0.5, 1.0, 2.0]))
f(x).backward()
print(x.grad)
np.testing.assert_allclose(x.grad, np.sin(x.array) + x.array * np.cos(x.array))

# %% [markdown] lang="ja"
r"""
手計算と一致しました。式を微分できないときでも使える確かめ方が中心差分です。

$$
\frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h}
$$

$e_i$ は $i$ 番目だけが 1 のベクトルで、下の `np.eye(3)` の行です。
"""

# %% [markdown] lang="en"
r"""
It agrees with the derivative by hand. A check that works even where you cannot differentiate the formula is the central difference:

$$
\frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h}
$$

$e_i$ is the vector with a 1 at place $i$ only, a row of `np.eye(3)` below.
"""

# %%
h = 1e-5
difference = [(f(x + h * e) - f(x - h * e)).array / (2 * h) for e in np.eye(3)]
print(f"⟦差の最大値|largest difference⟧: {abs(x.grad - difference).max():.0e}")
np.testing.assert_allclose(x.grad, difference, rtol=1e-8)

# %% [markdown] lang="ja"
r"""
差は $10^{-10}$ もありません。

### define-by-run

記録は、式を定義したときではなく、計算を実行したときに作られます（define-by-run）。そのため Python の `for` や `if` をそのまま使えます。
次の関数は、実行のたびに $n - 1$ 回の掛け算を記録します。勾配は $n x^{n-1}$ になるはずです。
"""

# %% [markdown] lang="en"
r"""
The difference is below $10^{-10}$.

### Define-by-run

The record is made when the computation runs, not when a formula is declared (define-by-run). So Python's own `for` and `if` are all it takes.
The next function records $n - 1$ multiplications whenever it runs. The gradient should be $n x^{n-1}$.
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
    print(f"n = {n}: {x.grad:g}")
    assert x.grad == n * 3 ** (n - 1)

# %% [markdown] lang="ja"
r"""
$2 \times 3 = 6$ と $5 \times 3^4 = 405$ で、その通りになりました。

### Link

学習するパラメーターを持つ関数を Link といいます。このモデルで使うのは全結合層 `L.Linear(n_in, n_out)` だけです。重み $W$ の形は `(n_out, n_in)` で、画像 1 枚を 1 行とするバッチに対して

$$
y = x W^\top + b
$$

を計算します。
"""

# %% [markdown] lang="en"
r"""
$2 \times 3 = 6$ and $5 \times 3^4 = 405$, as it should be.

### Link

A function with parameters to be learned is called a Link. This model needs only one kind, the fully connected layer `L.Linear(n_in, n_out)`. Its weights $W$ have the shape `(n_out, n_in)`, and for a batch with one image in each row it computes

$$
y = x W^\top + b
$$
"""

# %%
np.random.seed(0)
linear = L.Linear(3, 2)
x = np.random.randn(4, 3).astype(np.float32)
print("W:", linear.W.shape, " b:", linear.b.shape, " y:", linear(x).shape)
np.testing.assert_allclose(linear(x).array, x @ linear.W.array.T + linear.b.array, rtol=1e-6)

# %% [markdown] lang="ja"
r"""
NumPy で書いた式と同じ結果です。

### Chain とオプティマイザー

Link をまとめてモデルにするのが `chainer.Chain` です。`init_scope()` の中で代入した Link が、そのモデルのパラメーターとして登録されます。
"""

# %% [markdown] lang="en"
r"""
It agrees with the formula in NumPy.

### Chain and optimizer

`chainer.Chain` makes one model of several Links. The Links that are assigned within `init_scope()` are registered as its parameters.
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
print({name: param.shape for name, param in tiny.namedparams()})

# %% [markdown] lang="ja"
r"""
4 つのパラメーターが、Link の名前と組にして登録されています。

オプティマイザーは、勾配を使ってパラメーターを動かします。`optimizer.update(loss_func, ...)` の 1 回で、勾配を消し、損失を計算し、`backward()` を呼び、パラメーターを更新します。
いちばん単純な SGD なら、更新は $W \leftarrow W - \eta \, \partial L / \partial W$ です（$L$ は損失、$\eta$ は学習率で、コードでは `lr`）。手で計算した値と比べます。
"""

# %% [markdown] lang="en"
r"""
Four parameters are registered, under the names of their Links.

An optimizer moves the parameters by means of the gradients. One `optimizer.update(loss_func, ...)` clears the gradients, computes the loss, calls `backward()` and updates the parameters.
For SGD, the simplest of them, the update is $W \leftarrow W - \eta \, \partial L / \partial W$, where $L$ is the loss and $\eta$ the learning rate, `lr` in code. We compare it with the same by hand.
"""

# %%
x = np.random.randn(8, 2).astype(np.float32)
target = x[:, :1] * x[:, 1:]
optimizer = chainer.optimizers.SGD(lr=0.1)
optimizer.setup(tiny)
W = tiny.l1.W.array.copy()
optimizer.update(lambda x: F.mean_squared_error(tiny(x), target), x)
np.testing.assert_allclose(tiny.l1.W.array, W - 0.1 * tiny.l1.W.grad, rtol=1e-6)
print("⟦動いた量の最大値|largest change of a weight⟧:", f"{abs(tiny.l1.W.array - W).max():.3f}")

# %% [markdown] lang="ja"
r"""
更新後の重みは手計算と一致しました。VAE に必要な Chainer の道具はこれで全部です。

## 2-2. 重みの初期値 `Xavier`

学習は乱数の重みから始まります。その大きさはどう決めればよいのでしょうか。

$n_{\mathrm{in}}$ 個の入力を持つ層 $y = W h$ を考えます。重みと入力が独立で平均が 0 なら、分散は

$$
\mathrm{Var}[y] = n_{\mathrm{in}} \, \mathrm{Var}[W] \, \mathrm{Var}[h]
$$

です。層を通っても分散が変わらないためには $\mathrm{Var}[W] = 1 / n_{\mathrm{in}}$ が必要です。逆向きに流れる勾配は $W^\top$ を通るので、同じ議論から $\mathrm{Var}[W] = 1 / n_{\mathrm{out}}$ が要ります。
両立はしないので、間をとって $\mathrm{Var}[W] = 2 / (n_{\mathrm{in}} + n_{\mathrm{out}})$ とするのが Glorot と Bengio の提案です。一様分布 $U(-a, a)$ の分散は $a^2 / 3$ なので、

$$
W \sim U(-a, a), \qquad a = \sqrt{\frac{6}{n_{\mathrm{in}} + n_{\mathrm{out}}}}
$$

になります。まず、`Xavier` が本当にこの分布から引いていることを確かめます。
"""

# %% [markdown] lang="en"
r"""
The new weights are those computed by hand. That is all of Chainer that the VAE needs.

## 2-2. The first weights: `Xavier`

Training starts from random weights. How large should they be?

With $n_{\mathrm{in}}$ inputs, take a layer $y = W h$. If weights and inputs are independent and of mean 0, the variance is

$$
\mathrm{Var}[y] = n_{\mathrm{in}} \, \mathrm{Var}[W] \, \mathrm{Var}[h]
$$

So a layer keeps the variance if $\mathrm{Var}[W] = 1 / n_{\mathrm{in}}$. The gradients, on their way back, pass through $W^\top$, and the same argument asks for $\mathrm{Var}[W] = 1 / n_{\mathrm{out}}$.
Both cannot be had. The proposal of Glorot and Bengio is $\mathrm{Var}[W] = 2 / (n_{\mathrm{in}} + n_{\mathrm{out}})$, between the two. A uniform distribution $U(-a, a)$ has the variance $a^2 / 3$, so that

$$
W \sim U(-a, a), \qquad a = \sqrt{\frac{6}{n_{\mathrm{in}} + n_{\mathrm{out}}}}
$$

First we make sure that `Xavier` really draws from this distribution.
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
範囲も標準偏差も式の通りです。

次に、500 ユニットの層を 10 段重ね、重みを Xavier の 0.5 倍、1 倍、2 倍にして（`Xavier` の引数 `constant` がこの倍率です）、値の標準偏差と勾配の標準偏差が層ごとにどう変わるかを測ります。勾配は、出力側から標準正規乱数を流し込んで測ります。
活性化関数がなければ、1 層ごとに標準偏差が、乱数による揺れを除いて `constant` 倍になるはずです。tanh を挟んだ場合は図にします。
"""

# %% [markdown] lang="en"
r"""
Range and standard deviation are those of the formula.

Next we stack 10 layers of 500 units, with weights of 0.5, 1 and 2 times Xavier's (the argument `constant` of `Xavier` is this factor), and measure how the standard deviation of the values, and that of the gradients, changes from layer to layer. For the gradients we send standard normal numbers in from the output's side.
Without an activation function, each layer should multiply the standard deviation by `constant`, but for chance. With tanh in between, we plot it.
"""


# %%
def spreads(constant, act_func, depth=10, n=500):
    np.random.seed(0)
    h = [chainer.Variable(np.random.randn(200, n).astype(np.float32))]
    for _ in range(depth):
        h.append(act_func(L.Linear(n, n, initialW=Xavier(n, n, constant))(h[-1])))
    h[-1].grad = np.random.randn(200, n).astype(np.float32)
    h[-1].backward(retain_grad=True)  # ⟦途中の層の勾配も残す|keeps those of the layers between⟧
    return [layer.array.std() for layer in h], [layer.grad.std() for layer in h]


for constant in (0.5, 1, 2):
    forward, backward = spreads(constant, F.identity)
    ratios = forward[-1] / forward[0], backward[0] / backward[-1]
    print(f"constant = {constant}: {ratios[0]:.5g}, {ratios[1]:.5g}")
    np.testing.assert_allclose(ratios, constant**10, rtol=0.1)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
for constant, color in ((0.5, style.ENCODER), (1, style.INK), (2, style.LOSS)):
    forward, backward = spreads(constant, F.tanh)
    axes[0].semilogy(forward, ".-", color=color, label=f"Xavier × {constant}")
    axes[1].semilogy(backward, ".-", color=color)
    print(f"Xavier × {constant}: ⟦最後の値|last values⟧ {forward[-1]:.4f}", end=", ")
    print(f"⟦入力での勾配|gradients at the input⟧ {backward[0]:.4f}")
axes[0].set_title("⟦順伝播：ユニットの値|forward: values of the units⟧")
axes[1].set_title("⟦逆伝播：勾配（右から左へ読む）|backward: gradients (read from the right)⟧")
for ax in axes:
    ax.set(xlabel="⟦層（0 は入力）|layer (0: the input)⟧", ylabel="⟦標準偏差|standard deviation⟧")
    ax.grid(True)
axes[0].legend()
plt.show()

# %% [markdown] lang="ja"
r"""
活性化関数のない場合は、10 層で約 $0.5^{10} \approx 0.001$ 倍、約 1 倍、約 $2^{10} = 1024$ 倍となり、式の通りです。

tanh の図では、0.5 倍の重みだと値も勾配も 10 層で 1000 分の 1 以下に消えます。2 倍の重みだと、値は tanh の上限 1 に阻まれて約 0.73 に張り付き（飽和）、勾配は逆に入力側で 4 倍近くまで膨らみます。Xavier では、1 から始まった値が 0.23 に、勾配が 0.27 になるだけで、どちらも緩やかにしか減りません。

記事の学習では tanh でなく softplus を使います。softplus の傾きは 0 の近くで 0.5 なので、上の議論はそのままでは当てはまりません。それでも、エンコーダーもデコーダーも隠れ層が 2 つだけなので、後で見るように学習は順調に進みます。

## 2-3. エンコーダーとデコーダー

### データ

MNIST の画像は 28 × 28 画素で、1 枚を 784 個の数（0 から 1）の 1 行として持ちます。100 枚を 1 つのバッチとして、以下で使い回します。
"""

# %% [markdown] lang="en"
r"""
Without an activation function, 10 layers multiply by about $0.5^{10} \approx 0.001$, about 1, and about $2^{10} = 1024$, as the formula says.

In the plot for tanh, weights of half the size make values and gradients vanish, to less than a thousandth after 10 layers. With weights of twice the size the values are pinned at about 0.73, held back by tanh's limit of 1 (saturation), and the gradients swell, to almost 4 times at the input. With Xavier both fade only slowly, from 1 to 0.23 and to 0.27.

The article trains with softplus rather than tanh. Its slope near 0 is 0.5, so the argument does not apply as it stands. But encoder and decoder have only two hidden layers each, and training goes well, as we shall see.

## 2-3. The encoder and the decoder

### The data

An image of MNIST has 28 × 28 pixels and is kept as a row of 784 numbers from 0 to 1. A batch of 100 of them serves us from here on.
"""

# %%
config = chainer_vae.Config(epoch=1, seed=0, test=quick)  # ⟦記事の設定|the article's settings⟧
data = load_data(config)
images = data.train_images
x = images[:100]
print(x.shape, x.dtype, x.min(), x.max())

plt.figure(figsize=(8, 0.9))
plt.imshow(latent.montage(x[:10].reshape(1, 10, 28, 28)))
plt.axis("off")
plt.show()

# %% [markdown] lang="ja"
r"""
### 層

エンコーダーとデコーダーは、それぞれ 3 層です。エンコーダーの 3 層目は 2 つに分かれ、$\mu$ と $\ln \sigma^2$ を出します。層の名前は記事に合わせます。

| 層 | 入力 → 出力 | 役割 |
|---|---|---|
| `le1` | 784 → 500 | エンコーダーの隠れ層 |
| `le2` | 500 → 500 | エンコーダーの隠れ層 |
| `le3_mu` | 500 → 20 | $\mu$ |
| `le3_ln_var` | 500 → 20 | $\ln \sigma^2$ |
| `ld1` | 20 → 500 | デコーダーの隠れ層 |
| `ld2` | 500 → 500 | デコーダーの隠れ層 |
| `ld3` | 500 → 784 | 画素 |

クラスは 4 段階で育てます。最初は層だけです。層を作る順番も記事と同じにします。同じシードから同じ重みを引くためです。
"""

# %% [markdown] lang="en"
r"""
### The layers

Encoder and decoder have three layers each. The encoder's third is split in two, for $\mu$ and for $\ln \sigma^2$. The names are the article's.

| layer | inputs → outputs | what it is |
|---|---|---|
| `le1` | 784 → 500 | hidden layer of the encoder |
| `le2` | 500 → 500 | hidden layer of the encoder |
| `le3_mu` | 500 → 20 | $\mu$ |
| `le3_ln_var` | 500 → 20 | $\ln \sigma^2$ |
| `ld1` | 20 → 500 | hidden layer of the decoder |
| `ld2` | 500 → 500 | hidden layer of the decoder |
| `ld3` | 500 → 784 | the pixels |

The class grows in four steps; the first has the layers only. They are made in the article's order, so that the same seed draws the same weights.
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
パラメーターの数は、1 つの層で $n_{\mathrm{out}} (n_{\mathrm{in}} + 1)$ 個です（+1 はバイアス）。表から計算した値と、コードが数えた値を比べます。
"""

# %% [markdown] lang="en"
r"""
A layer has $n_{\mathrm{out}} (n_{\mathrm{in}} + 1)$ parameters; the +1 is for the biases. We compare the number that the table gives with the one that the code counts.
"""

# %%
table = [(784, 500), (500, 500), (500, 20), (500, 20), (20, 500), (500, 500), (500, 784)]
by_formula = sum(n_out * (n_in + 1) for n_in, n_out in table)
by_code = Layers(784, 20, 500, F.softplus).count_params()
print(by_formula, by_code)
assert by_formula == by_code

# %% [markdown] lang="ja"
r"""
約 130 万個です。

### 活性化関数 softplus

記事のクラスの既定値は `F.tanh` ですが、学習には `F.softplus` が渡されています。

$$
\mathrm{softplus}(x) = \ln (1 + e^x), \qquad \frac{d}{dx} \mathrm{softplus}(x) = \frac{1}{1 + e^{-x}} = \mathrm{sigmoid}(x)
$$

relu の角を丸めた形をしています。tanh、relu と並べて、値と傾きを描きます。傾きは `backward()` に計算させます。
"""

# %% [markdown] lang="en"
r"""
About 1.3 million.

### The activation function: softplus

The default of the article's class is `F.tanh`, but for training it is given `F.softplus`.

$$
\mathrm{softplus}(x) = \ln (1 + e^x), \qquad \frac{d}{dx} \mathrm{softplus}(x) = \frac{1}{1 + e^{-x}} = \mathrm{sigmoid}(x)
$$

It is relu with its corner rounded. We draw it beside tanh and relu, values and slopes; `backward()` computes the slopes.
"""

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for act_func, color in ((F.softplus, style.LATENT), (F.relu, style.DECODER), (F.tanh, style.MUTED)):
    u = chainer.Variable(np.linspace(-5, 5, 1001))
    y = act_func(u)
    F.sum(y).backward()  # ⟦和を微分すると、各点の傾きになる|of the sum: the slope at each point⟧
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
softplus は滑らかで、傾きがどこでも 0 より大きく（relu は負の側で 0）、正の側で飽和しません（tanh は両側で飽和）。

### encode

エンコーダーは、画像 $x$ から正規分布 $q(z|x) = \mathcal{N}(\mu, \mathrm{diag}(\sigma^2))$ のパラメーターを計算します。$f$ を活性化関数として、

$$
h_1 = f(x W_1^\top + b_1), \quad h_2 = f(h_1 W_2^\top + b_2), \quad \mu = h_2 W_\mu^\top + b_\mu, \quad \ln \sigma^2 = h_2 W_v^\top + b_v
$$

`name` に付けた名前は、後で計算グラフに現れます。
"""

# %% [markdown] lang="en"
r"""
softplus is smooth, its slope is above 0 everywhere (relu's is 0 on the negative side), and it does not saturate on the positive side (tanh does on both).

### encode

From an image $x$ the encoder computes the parameters of a normal distribution, $q(z|x) = \mathcal{N}(\mu, \mathrm{diag}(\sigma^2))$. With $f$ for the activation function,

$$
h_1 = f(x W_1^\top + b_1), \quad h_2 = f(h_1 W_2^\top + b_2), \quad \mu = h_2 W_\mu^\top + b_\mu, \quad \ln \sigma^2 = h_2 W_v^\top + b_v
$$

What is put into `name` will show in the computational graph.
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
print("mu:", mu.shape, " ln_var:", ln_var.shape)
print(f"ln_var: [{ln_var.array.min():.2f}, {ln_var.array.max():.2f}]")
print(f"sigma:  [{sigma.min():.2f}, {sigma.max():.2f}]")

# %% [markdown] lang="ja"
r"""
全結合層の出力は、どんな実数にもなります。実際、学習前の `ln_var` には負の値も正の値もあります。$\sigma$ は正でなければならないので、これを $\sigma$ そのものとみなすわけにはいきません。
$\ln \sigma^2$ とみなせば、どんな値でも $\sigma = e^{\ln \sigma^2 / 2} > 0$ になります。

もう 1 つ理由があります。損失には、$q(z|x)$ が標準正規分布からどれだけ離れているかを表す KL ダイバージェンスが現れます（2-4 節）。潜在変数 1 つにつき $D_{KL} = \frac{1}{2} (\mu^2 + \sigma^2 - \ln \sigma^2 - 1)$ で、これを微分すると、

$$
\frac{\partial D_{KL}}{\partial \ln \sigma^2} = \frac{\sigma^2 - 1}{2}, \qquad \frac{\partial D_{KL}}{\partial \sigma} = \sigma - \frac{1}{\sigma}
$$

です。$\sigma$ が 0 に近いとき、前者は $-1/2$ に近づくだけですが、後者は発散します。数値で確かめます（左が $\ln \sigma^2$ による微分、右が $\sigma$ による微分）。
"""

# %% [markdown] lang="en"
r"""
The outputs of a fully connected layer may be any real numbers. Indeed `ln_var`, before training, has negative values as well as positive ones. $\sigma$ must be positive, so they cannot be taken for $\sigma$ itself.
Taken for $\ln \sigma^2$, every value will do: $\sigma = e^{\ln \sigma^2 / 2} > 0$.

There is another reason. A part of the loss is the KL divergence (section 2-4), which says how far $q(z|x)$ is from the standard normal distribution. For one latent unit it is $D_{KL} = \frac{1}{2} (\mu^2 + \sigma^2 - \ln \sigma^2 - 1)$, and its derivatives are

$$
\frac{\partial D_{KL}}{\partial \ln \sigma^2} = \frac{\sigma^2 - 1}{2}, \qquad \frac{\partial D_{KL}}{\partial \sigma} = \sigma - \frac{1}{\sigma}
$$

Where $\sigma$ is close to 0, the first merely comes close to $-1/2$, while the second goes to infinity. In numbers (on the left the derivative by $\ln \sigma^2$, on the right that by $\sigma$):
"""

# %%
for s in (1.0, 0.1, 0.001):
    v = chainer.Variable(np.array([[np.log(s**2)]]))  # ln(sigma^2)
    F.gaussian_kl_divergence(np.zeros((1, 1)), v).backward()
    np.testing.assert_allclose(v.grad, (s**2 - 1) / 2, atol=1e-12)
    print(f"sigma = {s:5}:  {v.grad.item():+.4f}   {s - 1 / s:+.1f}")

# %% [markdown] lang="ja"
r"""
$\sigma = 0.001$ では、左は約 $-0.5$ のままですが、右は約 $-1000$ です。

### decode：ロジットとシグモイド

デコーダーは、潜在変数 $z$ から、各画素が 1（白）である確率 $p$ を計算します。確率は 0 から 1 の間の数なので、最後にシグモイドを通します。通す前の値 $a$ をロジットといいます。

$$
p = \mathrm{sigmoid}(a) = \frac{1}{1 + e^{-a}}
$$

`sigmoid=False` ならロジットのまま返します。損失が必要とするのはこちらです。
"""

# %% [markdown] lang="en"
r"""
At $\sigma = 0.001$ the left one is still about $-0.5$, but the right one is about $-1000$.

### decode: logits and the sigmoid

From a latent $z$ the decoder computes the probability $p$ of each pixel to be 1, white. A probability is between 0 and 1, which the sigmoid at the end sees to. The value $a$ before it is called the logit.

$$
p = \mathrm{sigmoid}(a) = \frac{1}{1 + e^{-a}}
$$

With `sigmoid=False` the logits are returned as they are. It is these that the loss needs.
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
        return self.decode(self.encode(x)[0])  # ⟦乱数を使わず、mu を復元する|of mu, without noise⟧


# %% [markdown] lang="ja"
r"""
なぜ損失には確率 $p$ でなくロジット $a$ を渡すのでしょうか。画素 $x$ の再構成誤差は

$$
-x \ln p - (1 - x) \ln (1 - p) = \ln (1 + e^a) - x a = \mathrm{softplus}(a) - x a
$$

で、左辺と右辺は数学的には同じものです（$\ln p = a - \ln (1 + e^a)$ と $\ln (1 - p) = -\ln (1 + e^a)$ を代入すると分かります）。しかし float32 で計算すると違いが出ます。
$x = 1$ と $x = 0$ のそれぞれについて、両辺を比べます。`F.bernoulli_nll` が右辺です。
"""

# %% [markdown] lang="en"
r"""
Instead of the probabilities $p$, the loss is given the logits $a$. Why? The reconstruction error of a pixel $x$ is

$$
-x \ln p - (1 - x) \ln (1 - p) = \ln (1 + e^a) - x a = \mathrm{softplus}(a) - x a
$$

To a mathematician both sides are the same (put in $\ln p = a - \ln (1 + e^a)$ and $\ln (1 - p) = -\ln (1 + e^a)$). In float32 they are not.
We compare them for $x = 1$ and for $x = 0$. `F.bernoulli_nll` is the right-hand side.
"""


# %%
def from_probability(x, p):
    with np.errstate(divide="ignore", invalid="ignore"):  # ln 0, 0 ln 0
        return -x * np.log(p) - (1 - x) * np.log(1 - p)


print("  x      a         p   ⟦p から|from p⟧   bernoulli_nll")
for pixel, logit in ((1, -2), (1, -20), (1, -120), (0, 2), (0, 20), (0, -120)):
    one, a = np.float32([[pixel]]), np.float32([[logit]])
    p = F.sigmoid(a).array
    naive, stable = from_probability(one, p), F.bernoulli_nll(one, a)
    print(f"{pixel:3} {logit:6} {p.item():9.2g} {naive.item():8.4g} {stable.item():10.4g}")

# %% [markdown] lang="ja"
r"""
$a = -120$ では、$p \approx e^{-120} \approx 10^{-52}$ が float32 で表せる最小の正の数（約 $10^{-45}$）より小さいため、0 になります。$x = 1$ では $-\ln 0 = \infty$、$x = 0$ では $0 \times \ln 0$ が NaN になります。正しい値は 120 と 0 です。
$a = 20$ では $p$ が 1 に丸められ、$\ln (1 - p)$ が壊れます。$a = -20$ の $p \approx 2 \times 10^{-9}$ は float32 で表せるのに 0 になりました。`F.sigmoid` が $p$ を $\frac{1}{2} + \frac{1}{2} \tanh \frac{a}{2}$ と計算し、$\tanh$ が $-1$ に丸められるからです。右辺は、どの行でも正しい値です。

これは作り話ではありません。学習済みのモデルで、画像 100 枚について両方を計算します。$p$ は、`F.sigmoid` と、式の通りの $1 / (1 + e^{-a})$ の 2 通りで求めます。
"""

# %% [markdown] lang="en"
r"""
At $a = -120$, $p \approx e^{-120} \approx 10^{-52}$ is below the smallest positive number that float32 has (about $10^{-45}$), and becomes 0. For $x = 1$ this gives $-\ln 0 = \infty$; for $x = 0$, $0 \times \ln 0$ is NaN. The true values are 120 and 0.
At $a = 20$, $p$ is rounded to 1, and $\ln (1 - p)$ breaks. At $a = -20$ float32 could hold $p \approx 2 \times 10^{-9}$, and yet it became 0: `F.sigmoid` computes $p$ as $\frac{1}{2} + \frac{1}{2} \tanh \frac{a}{2}$, and $\tanh$ is rounded to $-1$. The right-hand side is correct in every row.

This is no made-up trouble. We compute both, for 100 images, with a trained model, and take $p$ in two ways: from `F.sigmoid`, and as the formula has it, $1 / (1 + e^{-a})$.
"""

# %%
trained, _ = chainer_vae.load_model("z20")
logits = trained.decode(trained.encode(x)[0], sigmoid=False).array
print(f"⟦ロジットの範囲|range of the logits⟧: [{logits.min():.0f}, {logits.max():.0f}]")
with np.errstate(over="ignore"):
    ways = {"F.sigmoid": F.sigmoid(logits).array, "1 / (1 + exp(-a))": 1 / (1 + np.exp(-logits))}
for way, p in ways.items():
    broken = ~np.isfinite(from_probability(x, p))
    print(f"{way}: ⟦壊れる画素は|pixels that break:⟧ {broken.mean():.0%}")
assert np.isfinite(F.bernoulli_nll(x, logits, reduce="no").array).all()

# %% [markdown] lang="ja"
r"""
学習済みのモデルは、黒に違いない画素に大きく負のロジットを与えます（最小は −275）。そのため `F.sigmoid` の確率から計算すると 40 %、式の通りの確率から計算しても 2 % の画素が壊れます。1 画素でも壊れれば、和である損失は NaN か無限大です。ロジットからの計算は 1 画素も壊れません。

### 記事のモデルと比べる

ここまでのクラスを、パッケージの `chainer_vae.VAE` と比べます。同じシードなら同じ重みになり、同じ重みなら同じ出力になるはずです。さらに `copyparams` で学習済みの重みを移し、もう一度比べます。
"""

# %% [markdown] lang="en"
r"""
Where it is certain that a pixel is black, a trained model gives a logit far below 0 (−275 is the lowest). So, computed from the probabilities of `F.sigmoid`, 40 % of the pixels break, and even from those of the formula, 2 %. A single one is enough to make the loss, which is their sum, NaN or infinite. From logits, not one breaks.

### Compared with the article's model

Now we compare our class with the package's `chainer_vae.VAE`. The same seed should give the same weights, and the same weights the same outputs. Then `copyparams` brings the trained weights over, and we compare again.
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
print("⟦重みも出力も、1 ビットも違わない|weights and outputs are the same to the last bit⟧")

# %% [markdown] lang="ja"
r"""
## 2-4. 損失関数 `get_loss_func(C, k)`

### 式とコード

最小にする損失は、変分下限の符号を変えたものです。$B$ はバッチの画像の枚数です。

$$
L = \underbrace{\frac{1}{kB} \sum_{l=1}^{k} \sum_{n, i} \left[ \mathrm{softplus}(a^{(l)}_{ni}) - x_{ni} \, a^{(l)}_{ni} \right]}_{\text{reconstruction error}} + \underbrace{\frac{C}{B} \sum_{n, j} \frac{1}{2} \left( \mu_{nj}^2 + \sigma_{nj}^2 - \ln \sigma_{nj}^2 - 1 \right)}_{\text{latent loss}}
$$

$n$ は画像、$i$ は画素、$j$ は潜在変数の番号です。ロジット $a^{(l)}$ は、$l$ 番目に引いた $z^{(l)} = \mu + \sigma \varepsilon^{(l)}$（$\varepsilon^{(l)} \sim \mathcal{N}(0, I)$）のデコーダーの出力です。次の 3 つの関数が、それぞれの部分を計算します。

- `F.gaussian(mu, ln_var)`：$z = \mu + \sigma \varepsilon$ を引く。
- `F.bernoulli_nll(x, a)`：$\mathrm{softplus}(a) - x a$ の、画素と画像についての和。
- `F.gaussian_kl_divergence(mu, ln_var)`：$q(z|x)$ と $\mathcal{N}(0, I)$ の KL ダイバージェンスの、画像についての和。

どれもバッチ全体の和なので、枚数 $B$ で割って画像 1 枚あたりの値にします。単位は nat（情報量を自然対数で測る単位）です。
"""

# %% [markdown] lang="en"
r"""
## 2-4. The loss: `get_loss_func(C, k)`

### From the formula to the code

The loss, which is to be made small, is the ELBO (the evidence lower bound) with its sign changed. $B$ is the number of images of the batch.

$$
L = \underbrace{\frac{1}{kB} \sum_{l=1}^{k} \sum_{n, i} \left[ \mathrm{softplus}(a^{(l)}_{ni}) - x_{ni} \, a^{(l)}_{ni} \right]}_{\text{reconstruction error}} + \underbrace{\frac{C}{B} \sum_{n, j} \frac{1}{2} \left( \mu_{nj}^2 + \sigma_{nj}^2 - \ln \sigma_{nj}^2 - 1 \right)}_{\text{latent loss}}
$$

$n$ counts the images, $i$ the pixels, $j$ the latent units. The logits $a^{(l)}$ are what the decoder makes of the $l$-th sample, $z^{(l)} = \mu + \sigma \varepsilon^{(l)}$ with $\varepsilon^{(l)} \sim \mathcal{N}(0, I)$. Three functions compute the parts:

- `F.gaussian(mu, ln_var)` draws $z = \mu + \sigma \varepsilon$.
- `F.bernoulli_nll(x, a)` is the sum of $\mathrm{softplus}(a) - x a$ over pixels and images.
- `F.gaussian_kl_divergence(mu, ln_var)` is the KL divergence of $q(z|x)$ from $\mathcal{N}(0, I)$, summed over the images.

All of these are sums over the whole batch. Dividing by its size $B$ gives the value for one image, in nats, the unit of information that goes with the natural logarithm.
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
どの画素にも確率 0.5 を与えるモデルの再構成誤差は $784 \ln 2 \approx 543$ です。学習前のモデルの再構成誤差 607 は、それより 1 割ほど悪い値です。

### NumPy だけで同じ損失を計算する

Chainer を使わずに、重みの配列だけから同じ損失を計算します。乱数は、`F.gaussian` と同じシード、同じ形で引けば同じ値になります。
"""

# %% [markdown] lang="en"
r"""
A model that gives every pixel a probability of 0.5 has a reconstruction error of $784 \ln 2 \approx 543$. Before training, that of our model is 607, about a tenth worse.

### The same loss by NumPy alone

Without Chainer, from the arrays of the weights only, we compute the same loss. The noise is the same as that of `F.gaussian` if it is drawn with the same seed and shape.
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
    print(f"C = {C}, k = {k}:  {by_chainer:.4f}  {by_numpy:.4f}")
    np.testing.assert_allclose(by_numpy, by_chainer, rtol=1e-5)

# %% [markdown] lang="ja"
r"""
3 つの場合のどれでも、float32 の丸め誤差の範囲で一致しました。

### バッチの大きさで割る

$B$ で割るので、バッチの損失は「1 枚ずつ計算した損失の平均」です。乱数は 1 枚ずつでも同じ順に引かれるので、シードを揃えれば、この関係は丸め誤差を除いて厳密に成り立ちます。
"""

# %% [markdown] lang="en"
r"""
In all three cases they agree, up to the rounding of float32.

### Dividing by the batch size

Because of the division by $B$, the loss of a batch is the mean of the losses of its images, one at a time. The noise comes in the same order, so with the same seed this holds exactly but for rounding.
"""

# %%
loss_func = trained.get_loss_func()
np.random.seed(2)
of_batch = loss_func(x).array
np.random.seed(2)
one_by_one = [loss_func(x[i : i + 1]).array for i in range(len(x))]
print(f"{of_batch:.3f}  {np.mean(one_by_one):.3f}")
np.testing.assert_allclose(np.mean(one_by_one), of_batch, rtol=1e-5)

# %% [markdown] lang="ja"
r"""
どちらも 91.255 です。

### `k` の働き：ばらつきを減らす

再構成誤差は $\varepsilon$ を引くたびに変わります。`k` 回引いて平均すると、期待値はそのままで、分散が $1/k$ になるはずです。10 枚の画像について何度も計算し、平均と分散を調べ、損失の分布（左）と分散（右）を図にします。
`no_backprop_mode()` の中では計算の記録を作らないので、時間とメモリーを節約できます。
"""

# %% [markdown] lang="en"
r"""
Both are 91.255.

### What `k` does: less spread

The reconstruction error changes with every draw of $\varepsilon$. The mean of `k` draws should keep its expectation, and have $1/k$ of its variance. We compute it many times for 10 images, look at mean and variance, and plot the distribution of the losses (left) and their variance (right).
Within `no_backprop_mode()` no record of the computation is kept, which saves time and memory.
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
of_one = np.mean(counts * variances)  # ⟦k = 1 での分散の見積もり|the variance for k = 1⟧
axes[1].loglog(counts, of_one / counts, color=style.MUTED, label="∝ 1 / k")
axes[1].set_xticks(counts, [str(k) for k in counts])
axes[1].set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
axes[1].minorticks_off()
axes[1].set(xlabel="k", ylabel="⟦損失の分散|variance of the loss⟧")
axes[1].legend()
plt.show()

# %% [markdown] lang="ja"
r"""
平均はどの `k` でもほぼ同じ 88.3 で、`k` × 分散は 1.0 から 1.2 の間でした。100 回の反復から求めた分散には $\sqrt{2/99} \approx 14\%$ ほどの誤差があるので、分散は $1/k$ と見てよいでしょう。
`k` 倍の計算で標準偏差が $1/\sqrt{k}$ になる、という取引です。記事は、学習では `k=1`、テストでは `k=10` を使っています。

### `C` の働き：latent loss の重み

`C` は latent loss に掛かるだけです。同じシードで計算すると、再構成誤差は変わりません。
"""

# %% [markdown] lang="en"
r"""
The mean is about 88.3 for every `k`, and `k` × variance is between 1.0 and 1.2. A variance that is taken from 100 repeats is off by $\sqrt{2/99} \approx 14\%$ or so, and within that it is $1/k$.
This is the bargain: `k` times the computation for a standard deviation of $1/\sqrt{k}$. The article takes `k=1` for training, and `k=10` for the test.

### What `C` does: the weight of the latent loss

`C` multiplies the latent loss, and nothing else. With the same seed, the reconstruction error stays the same.
"""

# %%
for C in (0.5, 1.0, 4.0):
    np.random.seed(0)
    trained.get_loss_func(C)(x)
    rec_loss, latent_loss = trained.rec_loss.array, trained.latent_loss.array
    print(f"C = {C}: ⟦再構成誤差|reconstruction⟧ {rec_loss:.2f}, latent loss {latent_loss:.2f}")

# %% [markdown] lang="ja"
r"""
latent loss は `C` に比例しました。値を大きくして学習すると、潜在変数が $\mathcal{N}(0, I)$ に強く引き寄せられ、その分、再構成が犠牲になります。`C` が 1 のときだけ、損失が変分下限（の符号違い）になります。

## 2-5. 計算グラフ

### 描く

損失を計算すると、そこに至る計算の記録が残ります。これを図にしたものが計算グラフです。`chainer_vae.graph.dump(loss)` は、グラフを Graphviz の言語で書き出します。
自分のクラスのグラフと、パッケージの VAE のグラフが、文字列として同じになることをまず確かめ、書き出しの冒頭を見て、関数の数も数えます。`n0 [...]` のような 1 行が 1 つのノードで、形が `octagon` なら変数、`record` なら関数です。
"""

# %% [markdown] lang="en"
r"""
The latent loss is proportional to `C`. Trained with a larger one, the latents are drawn to $\mathcal{N}(0, I)$ more strongly, at the cost of the reconstruction. Only with `C` = 1 the loss is the ELBO, with its sign changed.

## 2-5. The computational graph

### The picture

A loss that was computed leaves a record of all that led to it. Drawn, this is the computational graph. `chainer_vae.graph.dump(loss)` writes it down in the language of Graphviz.
First we make sure that the graph of our class and that of the package's VAE are the same text, look at how it begins, and count the functions in it. A line such as `n0 [...]` is a node, a variable if its shape is `octagon`, a function if it is `record`.
"""

# %%
loss = mine.get_loss_func()(x)
text = graph.dump(loss)
assert text == graph.dump(theirs.get_loss_func()(x))
print(*text.splitlines()[:4], "...", sep="\n")
parsed = graph.parse(text)
print(Counter(node.label for node in parsed.nodes.values() if node.function))

# %% [markdown] lang="ja"
r"""
`LinearFunction` は 7 つ（層の数）、`Softplus` は 5 つです。活性化関数は 4 つなので、残りの 1 つは `F.bernoulli_nll` の中の $\mathrm{softplus}(a)$ です。`Gaussian` は 1 つで、乱数が入るのはここだけです。

図を描く関数もパッケージにあります。描かれるのは付属の学習済みモデルのグラフですが、重みの値が違うだけで同じグラフです。青い四角が関数、それ以外が変数です。上から下へ、計算される順に並んでいます。
"""

# %% [markdown] lang="en"
r"""
There are 7 `LinearFunction`, one for each layer, and 5 `Softplus`. Four of these are activations; the fifth is the $\mathrm{softplus}(a)$ within `F.bernoulli_nll`. There is one `Gaussian`, the only place where chance comes in.

The package can draw it, too. What it draws is the graph of the trained model that comes with it, the same graph with other weights. Blue boxes are functions, all others are variables. The computation runs from top to bottom.
"""

# %%
spec = next(spec for spec in figures.all_figures() if spec.id == "network")
picture = draw(spec, figures.Context("⟦ja|en⟧", {"z20": "z20"}))
picture.set_dpi(85)
display(picture)

# %% [markdown] lang="ja"
r"""
名前の付いた変数と、式、コードの対応は次の通りです。

| 変数 | 式 | 計算する行 |
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
| `reconstruction error` | $L$ の第 1 項 | `F.bernoulli_nll(x, logits) / (k * batchsize)` |
| `latent loss` | $L$ の第 2 項 | `C * F.gaussian_kl_divergence(mu, ln_var) / batchsize` |
| `loss` | $L$ | `self.rec_loss + self.latent_loss` |

読みどころを挙げます。

- `x` から出る矢印は 2 本です。1 本はエンコーダーへ、もう 1 本は左端を通って再構成誤差の $x a$ の掛け算 `_ * _` へ向かいます。
- `z_mu` と `z_ln_var` からは、`Gaussian` を経てデコーダーへ進む道と、右側の latent loss へ進む道が出ています。
- 右側の列は上から順に、$\mu^2$ と $e^{\ln \sigma^2}$ の和、$- \ln \sigma^2$、$- 1$、$\times 0.5$、和、`C` 倍（`_ * 1.0`）、$1 / B$ 倍（`_ * 0.01`）です。
- `_ + 0` は、`rec_loss` を 0 から足し始めたことの名残です。
"""

# %% [markdown] lang="en"
r"""
This is how the variables with names, the formulas and the code belong together:

| variable | formula | the line that computes it |
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

What to look for:

- Two arrows leave `x`: one to the encoder, and one along the left edge to the multiplication `_ * _`, the $x a$ of the reconstruction error.
- From `z_mu` and `z_ln_var` there are two ways down: through `Gaussian` to the decoder, and on the right to the latent loss.
- The column on the right is, from above: the sum of $\mu^2$ and $e^{\ln \sigma^2}$, $- \ln \sigma^2$, $- 1$, $\times 0.5$, the sum, times `C` (`_ * 1.0`), times $1 / B$ (`_ * 0.01`).
- The `_ + 0` is left over from `rec_loss`, to which the terms are added, starting at 0.
"""

# %% [markdown] lang="ja"
r"""
### コードでたどる

グラフは図にしなくてもたどれます。変数の `creator` はその変数を計算した関数、関数の `inputs` はその入力です。`loss` から始めて、入力がいくつかあるときは、計算の段数（`rank`）がいちばん大きいもの（同じなら最初のもの）へ進みます。
"""

# %% [markdown] lang="en"
r"""
### Walking it by code

The graph can be walked without a picture. A variable's `creator` is the function that computed it, and a function's `inputs` are what it took. We start at `loss`; where there are several inputs, we go on to the one that took the most steps to compute (`rank`), of equals the first.
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
`loss` から `dec_h3`、`z`、`z_mu`、`enc_h2` を通って `x` に着きました。次は枝分かれも含めてすべてたどり、変数を残らず集めます。その数は、図の変数の数と一致するはずです。
"""

# %% [markdown] lang="en"
r"""
From `loss` it went by `dec_h3`, `z`, `z_mu` and `enc_h2` to `x`. Now we take every branch and collect all variables. There should be as many as in the picture.
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
assert set(names) <= set(nodes)  # ⟦表の変数はすべてある|all of the table are there⟧
parameters = [node for node in found if node.name in ("W", "b")]
print(f"⟦変数|variables⟧ {len(found)}, ⟦そのうちパラメーター|of them parameters⟧ {len(parameters)}")

# %% [markdown] lang="ja"
r"""
表の 12 個の変数がすべて見つかりました。`W` と `b` は 7 つずつ、合わせて 14 個です。

`backward()` は、まさにこの道を `loss` から逆にたどり、関数ごとの微分を掛け合わせていきます。1 か所だけ手計算と比べましょう。$L$ の第 1 項をロジットで微分すると、$\mathrm{softplus}' = \mathrm{sigmoid}$ なので、

$$
\frac{\partial L}{\partial a_{ni}} = \frac{\mathrm{sigmoid}(a_{ni}) - x_{ni}}{B}
$$

となります（$k = 1$）。「予測した確率 − 正解」という、分かりやすい形です。`chainer.grad` は同じ道をたどって、指定した変数の勾配を返します。
"""

# %% [markdown] lang="en"
r"""
All 12 variables of the table are there, and 7 `W` and 7 `b`, 14 parameters in all.

This is the way that `backward()` takes, from `loss` backwards, multiplying the derivatives of the functions. Let us compare it with pen and paper at one place. The first term of $L$ has, since $\mathrm{softplus}' = \mathrm{sigmoid}$, the derivative

$$
\frac{\partial L}{\partial a_{ni}} = \frac{\mathrm{sigmoid}(a_{ni}) - x_{ni}}{B}
$$

by the logits (for $k = 1$): the predicted probability minus the truth, as plain as one could wish. `chainer.grad` takes the same way, and returns the gradient by the variable that we name.
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

### 記事のループ

シードを固定し、重みを引き、画像の順番を引き、100 枚ずつ `loss_func` → `cleargrads` → `backward` → `update` を繰り返します。オプティマイザーは、勾配とその 2 乗の移動平均から、歩幅をパラメーターごとに決める Adam です。1 エポック（全画像を 1 周）だけ学習します。
"""

# %% [markdown] lang="en"
r"""
## 2-6. Training, saving, loading

### The article's loop

Fix the seed, draw the weights, draw an order of the images, and then, 100 images at a time: `loss_func`, `cleargrads`, `backward`, `update`. The optimizer is Adam, which fits the step of each parameter to running means of its gradient and of the square of it. We train for one epoch, once through all images.
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
        model.cleargrads()  # ⟦消さないと、前の勾配に足される|else they add up with the last ones⟧
        loss.backward()
        optimizer.update()
        losses.append(float(loss.array))
    return losses


np.random.seed(config.seed)
mine = MyVAE(784, 20, 500, F.softplus)
before = mine(data.test_images[:10]).array
losses = train(mine, images)
after = mine(data.test_images[:10]).array
print(f"⟦最初の 3 ステップ|first three steps⟧: {np.round(losses[:3], 2)}")
print(f"⟦1 エポックの平均|mean of the epoch⟧: {np.mean(losses):.3f}")
print(f"⟦最後の 100 ステップの平均|mean of the last 100 steps⟧: {np.mean(losses[-100:]):.1f}")

# %% [markdown] lang="ja"
r"""
損失の推移を描きます。比較のため、入力を見ずに、いつも「訓練画像の平均」を答えるモデルの損失を破線で示します。再構成誤差は $x$ について 1 次式なので、その平均は $x$ を平均画像で置き換えたものです。
"""

# %% [markdown] lang="en"
r"""
We plot the losses. To compare with, the dashed line is the loss of a model that never looks at its input and always answers with the mean of the training images. The reconstruction error is linear in $x$, so its mean is what it is with the mean image in place of $x$.
"""

# %%
mean = images.mean(axis=0)
of_mean = np.nansum(from_probability(mean, mean))  # ⟦0 ln 0 は 0 とみなす|0 ln 0 counts as 0⟧
print(f"⟦平均画像の損失|loss of the mean image⟧: {of_mean:.1f}")

plt.figure(figsize=(8, 3))
plt.semilogy(losses, color=style.LOSS, lw=1)
plt.axhline(of_mean, color=style.INK, ls="--", lw=1)
plt.yticks([100, 150, 200, 300, 500], ["100", "150", "200", "300", "500"])
plt.minorticks_off()
plt.xlabel("⟦ステップ|step⟧")
plt.ylabel("⟦バッチの損失|loss of the batch⟧ [nat]")
plt.grid(True)
plt.show()

# %% [markdown] lang="ja"
r"""
損失は最初の数十ステップで破線（206.0）まで落ち、そこでしばらく足踏みします。この間のモデルは、平均画像を答えるのと変わりません。その後、画像ごとの違いを潜在変数 $z$ で伝えられるようになると破線を離れ、最後の 100 ステップでは平均 139.0 まで下がりました。

テスト画像（上）を、学習前のモデル（中）と 1 エポック後のモデル（下）で復元します。
"""

# %% [markdown] lang="en"
r"""
Within a few tens of steps the loss falls to the dashed line (206.0), and lingers there: so far the model does no better than the mean image. Once it has learned to pass on by the latents $z$ what makes one image differ from another, it leaves the line; the last 100 steps have a mean of 139.0.

Test images (above), as the model reconstructs them before training (middle) and after one epoch (below):
"""

# %%
rows = np.stack([data.test_images[:10], before, after]).reshape(3, 10, 28, 28)
plt.figure(figsize=(8, 2.5))
plt.imshow(latent.montage(rows))
plt.axis("off")
plt.show()

# %% [markdown] lang="ja"
r"""
学習前は砂嵐です。1 エポックで 7、1、0 と右端の 9 は読めるようになりましたが、2、4、5 はまだ他の数字と混ざっています。

### 同じ計算を速く

Chainer のループは、行列の掛け算以外にも多くの時間を使います。そこでパッケージには、同じ計算と手で導いた勾配を、使い回す配列の上で行うエンジン（`chainer_vae.engine`）があります。乱数を引く順番も同じなので、同じシードなら、丸め誤差を除いて同じ損失になるはずです。最初の 10 ステップで比べます。
"""

# %% [markdown] lang="en"
r"""
Before training, it is white noise. After one epoch the 7, the 1s, the 0 and the last 9 can be read, while the 2, the 4s and the 5 are still mixed up with other digits.

### The same, faster

Chainer's loop spends much of its time on other things than matrix products. So the package has an engine (`chainer_vae.engine`), which does the same computation, with gradients derived by hand, in arrays that are used again and again. It draws its random numbers in the same order, so the same seed should give the same losses, but for rounding. We compare the first 10 steps.
"""

# %%
np.random.seed(config.seed)
model = chainer_vae.VAE(784, 20, 500, F.softplus)
optimizer = chainer.optimizers.Adam()
optimizer.setup(model)
order = np.random.permutation(len(images))[:1000]
with thread_pool() as pool:  # ⟦計算を分担するスレッド|threads that share the work⟧
    fused = engine.Engine(model, optimizer, 1.0, 1, pool)  # C = 1.0, k = 1
    fused_losses = [
        fused.step(images[order[start : start + 100]])[0] for start in range(0, len(order), 100)
    ]
    fused.finish()
relative = np.abs(np.divide(fused_losses, losses[: len(fused_losses)]) - 1)
print("⟦エンジンの最初の 3 ステップ|the engine's first three⟧:", np.round(fused_losses[:3], 2))
print(f"⟦相対差の最大値|largest relative difference⟧: {relative.max():.0e}")
np.testing.assert_allclose(fused_losses, losses[: len(fused_losses)], rtol=1e-5)

# %% [markdown] lang="ja"
r"""
相対差は float32 の丸め誤差の大きさ（$10^{-7}$ 程度）です。

`chainer_vae.Run` は、このエンジンによる学習、テスト画像での評価、保存をまとめたもので、`chainer-vae train` コマンドの中身です。同じシードで 1 エポック学習し、損失の平均を上のループと比べます。
"""

# %% [markdown] lang="en"
r"""
The relative difference is about $10^{-7}$, as large as the rounding of float32.

`chainer_vae.Run` is the training by this engine, the evaluation on the test images and the saving in one; it is what the command `chainer-vae train` runs. We train for one epoch with the same seed, and compare the mean of the losses with that of our loop.
"""

# %%
folder = Path("lesson02")
shutil.rmtree(folder, ignore_errors=True)  # ⟦Run は上書きをしない|a Run overwrites nothing⟧
for entry in chainer_vae.Run.start(config, folder / "run").train():
    train_loss, test_loss = entry["main/loss"], entry["validation/main/loss"]
    print(f"⟦訓練|train⟧ {train_loss:.3f}, ⟦テスト|test⟧ {test_loss:.3f}")
    np.testing.assert_allclose(train_loss, np.mean(losses), rtol=1e-5)
print(sorted(file.name for file in (folder / "run").iterdir()))

# %% [markdown] lang="ja"
r"""
訓練の損失 170.986 は、自分で書いたループと小数第 3 位まで一致しました。テストの損失 135.882 がそれより低いのは、訓練の値がエポックの初めからの平均で、テストの値が終わりの重みで計算されたものだからです。100 エポック学習すると、テストの損失は 97 ほどになります（README の表）。

### 保存と読み込み

モデルの保存には `chainer.serializers.save_npz` を使います。中身は、名前の付いた配列を集めた npz ファイルです。
読み込みには注意が要ります。npz ファイルには Python のオブジェクトも入れられ、それを復元するとき（pickle）には、どんなプログラムでも実行されうるからです。`chainer.serializers.load_npz` はこれを許すので、出どころの分からないファイルには使えません。
`chainer_vae.checkpoints.load_npz` は、同じ形式のファイルから数の配列だけを読み、それ以外を含むものは拒否します。
"""

# %% [markdown] lang="en"
r"""
The training loss, 170.986, is that of our own loop to the last digit shown. The test loss, 135.882, is lower because it belongs to the weights at the end of the epoch, while the other is a mean from its beginning on. After 100 epochs the test loss is about 97 (see the table in the README).

### Saving and loading

`chainer.serializers.save_npz` saves a model: an npz file of arrays with names.
Loading takes some care. An npz file may hold Python objects, too, and restoring these (pickle) can run any program. `chainer.serializers.load_npz` lets that happen, and so it is not for files of unknown origin.
`chainer_vae.checkpoints.load_npz` reads the same format, takes arrays of numbers only, and refuses a file with anything else.
"""

# %%
file = folder / "mine.npz"
chainer.serializers.save_npz(file, mine)
arrays = checkpoints.load_npz(file)  # ⟦pickle を使わない|without pickle⟧
print(len(arrays), {name: arrays[name].shape for name in sorted(arrays)[:4]})

loaded = chainer_vae.VAE(784, 20, 500, F.softplus)
checkpoints.restore_model(loaded, arrays, file)
np.testing.assert_array_equal(loaded(x).array, mine(x).array)

# %% [markdown] lang="ja"
r"""
14 個の配列が読み込まれ、自分のクラスで学習した重みが、パッケージの VAE でそのまま同じ出力を出しました。

## 演習

### 演習 1（易）：`(B, 28, 28)` の画像

`mine` に形が `(100, 28, 28)` の画像を渡すと、`encode` は動くのに、損失の計算は失敗します。どの行で、なぜ失敗するのでしょうか。`MyVAE` のサブクラスを作って直し、損失が `(100, 784)` のときと同じになることを確かめてください。

<details><summary>解答例</summary>

`L.Linear` は、2 つ目以降の軸を自動的に 1 つにまとめるので、`encode` は動きます。失敗するのは `F.bernoulli_nll(x, logits)` です。`x` は `(100, 28, 28)`、`logits` は `(100, 784)` で、形が違うからです。損失関数の入口で平らにします。

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

### 演習 2（易）：活性化関数を替える

活性化関数を `F.tanh`、`F.relu`、`F.softplus` として、同じシードで最初の 10,000 枚（100 ステップ）を学習し、最後の 20 ステップの損失の平均を比べてください。

<details><summary>解答例</summary>

100 ステップでの差は、学習の始めの速さの差にすぎません。十分に学習した後の良し悪しは、もっと長く学習しないと分かりません。

```python
for act_func in (F.tanh, F.relu, F.softplus):
    np.random.seed(0)
    curve = train(MyVAE(784, 20, 500, act_func), images[:10_000])
    print(f"{act_func.__name__:>8}: {np.mean(curve[-20:]):.1f}")
```

</details>

### 演習 3（中）：隠れ層を 1 つ増やす

`MyVAE` のサブクラスで、エンコーダーとデコーダーに隠れ層を 1 つずつ足してください。名前は `le_extra`、`ld_extra` とします。計算グラフの `LinearFunction` が 9 つになること、損失が学習で下がることを確かめてください。

<details><summary>解答例</summary>

`encode` と `decode` を書き直します。損失関数はこの 2 つを呼ぶだけなので、そのまま使えます。

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

### 演習 4（難）：Trainer と Updater

Chainer の公式の例では、ループを書く代わりに `chainer.training.Trainer` を使います。`SerialIterator`、`StandardUpdater`、`Trainer` で同じ学習を 20 ステップ行い、自分で書いたループと同じ損失になることを確かめてください。画像の順番はシャッフルしないことにします。

<details><summary>解答例</summary>

`StandardUpdater` の 1 回の `update()` は、イテレーターからバッチを取り出し、`optimizer.update(loss_func, batch)` を呼びます。毎ステップ呼ばれる拡張で損失を記録します。重みも雑音も、同じシードからは同じ順に引かれるので、損失は一致します。

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

## 次へ

このノートブックでは、損失の式を与えられたものとして使いました。次は記事の 3 節に進みます。レッスン 3 では、その式が対数尤度の変分下限からどのように出てくるのかを、レッスン 4 では、`F.gaussian` の中の $z = \mu + \sigma \varepsilon$ がなぜ必要なのかを学びます。

### 出典

- kenmatsu4「[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)」2017 年。第 2 節。
- D. P. Kingma and M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013. 損失と、付録 C のデコーダー。
- X. Glorot and Y. Bengio, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html), AISTATS 2010. 式 16 が `Xavier` の分布。
- D. P. Kingma and J. Ba, [Adam: A Method for Stochastic Optimization](https://arxiv.org/abs/1412.6980), 2014.
- S. Tokui et al., [Chainer: A Deep Learning Framework for Accelerating the Research Cycle](https://arxiv.org/abs/1908.00213), 2019.
"""

# %% [markdown] lang="en"
r"""
14 arrays came back, and the weights that our class learned give the same outputs in the package's VAE.

## Exercises

### Exercise 1 (easy): images of shape `(B, 28, 28)`

Give `mine` images of the shape `(100, 28, 28)`: `encode` works, but the loss fails. In which line, and why? Mend it in a subclass of `MyVAE`, and make sure that the loss is the same as with `(100, 784)`.

<details><summary>Solution</summary>

`L.Linear` joins all axes but the first by itself, so `encode` works. What fails is `F.bernoulli_nll(x, logits)`, where `x` is `(100, 28, 28)` and `logits` is `(100, 784)`: two different shapes. We flatten at the entrance of the loss function.

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

With the activation functions `F.tanh`, `F.relu` and `F.softplus`, and the same seed, train on the first 10,000 images (100 steps), and compare the mean losses of the last 20 steps.

<details><summary>Solution</summary>

After 100 steps the difference tells only how fast each one starts. Which is best in the end takes a longer training to see.

```python
for act_func in (F.tanh, F.relu, F.softplus):
    np.random.seed(0)
    curve = train(MyVAE(784, 20, 500, act_func), images[:10_000])
    print(f"{act_func.__name__:>8}: {np.mean(curve[-20:]):.1f}")
```

</details>

### Exercise 3 (medium): one more hidden layer

In a subclass of `MyVAE`, add a hidden layer to the encoder and one to the decoder, `le_extra` and `ld_extra`. Make sure that the computational graph has 9 `LinearFunction`, and that training makes the loss smaller.

<details><summary>Solution</summary>

We write `encode` and `decode` anew. The loss function only calls these two, and stays as it is.

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

Instead of a loop, Chainer's own examples use `chainer.training.Trainer`. Do 20 steps of the same training by `SerialIterator`, `StandardUpdater` and `Trainer`, and make sure that the losses are those of a loop written by hand. Do not shuffle the images.

<details><summary>Solution</summary>

One `update()` of `StandardUpdater` takes a batch from the iterator and calls `optimizer.update(loss_func, batch)`. An extension, called after every step, keeps the losses. From the same seed, weights and noise come in the same order, and so the losses agree.

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

## What comes next

In this notebook the formula of the loss was given. Next comes section 3 of the article: in lesson 3, how this formula follows from a lower bound of the log likelihood; in lesson 4, why `F.gaussian` computes $z = \mu + \sigma \varepsilon$.

### Sources

- kenmatsu4, [Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24), 2017. Section 2.
- D. P. Kingma and M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013. The loss, and in appendix C the decoder.
- X. Glorot and Y. Bengio, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html), AISTATS 2010. Equation 16 is the distribution of `Xavier`.
- D. P. Kingma and J. Ba, [Adam: A Method for Stochastic Optimization](https://arxiv.org/abs/1412.6980), 2014.
- S. Tokui et al., [Chainer: A Deep Learning Framework for Accelerating the Research Cycle](https://arxiv.org/abs/1908.00213), 2019.
"""
