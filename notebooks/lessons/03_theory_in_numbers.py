# %% [markdown] lang="ja"
r"""
# 3. 理論を数値で確かめる

記事の第3節は、VAEの理論を式で説明しています。周辺尤度 $p(X)$ から出発し、イェンセンの不等式で変分下限（ELBO）$\mathcal{L}(X, z)$ を導きます。
次に、その差がKLダイバージェンスであることを示し、最後に学習で使う2つの項を導きます。このレッスンでは、その各段階を
**実際の数値**で確かめます。等式では両辺を別々に計算して比べ、不等式では両辺の差を測ります。

通常のVAEでは $\log p(X)$ を計算できないので、この方法は使えません。ここでは、積分できるほど小さいモデルを2つ使います。

- 潜在変数が1次元、画像が4画素のトイモデル
- 付属の学習済みモデル `z2`。MNISTのVAEで、潜在変数が2次元しかないので、平面を格子で覆って積分できる

文字は記事に合わせます。データ（画像）を $X$ または $x$、潜在変数を $z$、エンコーダーの分布を $q(z|x)$、デコーダーの分布を $p(x|z)$、
事前分布を $p(z) = \mathcal{N}(0, I)$ と書きます。$\mathcal{N}$ の2番目は分散です（記事には標準偏差を書いている箇所があります）。対数は自然対数で、単位はnatです。

- **時間**：読んで実行するのに約60分、演習に約60分
- **目標**：変分下限を導ける。対数尤度との差がKLダイバージェンスであることを、数値で示せる。損失の2つの項を式から計算できる
- **前提**：[レッスン1](lesson:01)、積分と確率（期待値、正規分布）
- **エクスプローラー**（`chainer-vae explore --open`）：[数字を書いて、KLと再構成誤差を見る](explorer:tab=draw)
"""

# %% [markdown] lang="en"
r"""
# 3. The theory in numbers

Section 3 of the article explains the theory of the VAE with formulas. It starts from the marginal likelihood $p(X)$ and derives the variational lower bound (ELBO) $\mathcal{L}(X, z)$ with
Jensen's inequality. It then shows that the difference is a KL divergence, and arrives at the two terms used in training. This lesson checks each of these steps
**with actual numbers**. For an equality, we compute both sides separately and compare them; for an inequality, we measure the difference.

With an ordinary VAE this is impossible, because $\log p(X)$ cannot be computed. Here we use two models that are small enough to integrate:

- a toy model with a 1-dimensional latent variable and images of four pixels
- the trained model `z2` that comes with the package: a VAE for MNIST with only 2 latent dimensions, so we can integrate on a grid over the plane

The notation follows the article: $X$ or $x$ is the data (an image), $z$ the latent variable, $q(z|x)$ the encoder's distribution, $p(x|z)$ the decoder's distribution,
and $p(z) = \mathcal{N}(0, I)$ the prior. The second place of $\mathcal{N}$ holds the variance (the article has the standard deviation there in one place). Logarithms are natural, and the unit is the nat.

- **Time**: about 60 minutes to read and run, and 60 more for the exercises
- **Goals**: derive the lower bound; show in numbers that its gap to the log likelihood is a KL divergence; compute both terms of the loss from their formulas
- **You need**: [lesson 1](lesson:01), integrals, and probability (expectations, normal distributions)
- **In the explorer** (`chainer-vae explore --open`): [draw a digit, and see its KL divergence and its reconstruction error](explorer:tab=draw)
"""

# %%
import chainer_vae  # ⟦Chainerを使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
from itertools import product

import chainer
import chainer.functions as F
import matplotlib.pyplot as plt
import numpy as np
from chainer.functions.loss.vae import gaussian_kl_divergence

from chainer_vae import latent
from chainer_vae.figures import style

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% tags=["parameters"] small={"n_images": 40, "n_plane": 121, "n_window": 81, "n_prior": 500, "n_draws": 1024, "n_steps": 15}
n_images = 500  # ⟦テスト画像の枚数|number of test images⟧
n_plane = 226  # ⟦平面全体の格子の、一辺の点の数|grid points per side, for the whole plane⟧
n_window = 121  # ⟦画像1枚の格子の、一辺の点の数|grid points per side, for one image⟧
n_prior = 10_000  # ⟦事前分布からのサンプルの数|number of samples from the prior⟧
n_draws = 16_384  # ⟦重点サンプリングで使うサンプルの数|number of samples for importance sampling⟧
n_steps = 150  # ⟦演習4の最適化のステップ数|optimization steps in exercise 4⟧

# %% [markdown] lang="ja"
r"""
## 1. 積分できる小さな生成モデル

VAEの生成モデルは、まず $z$ を事前分布からサンプリングし、次に $x$ をデコーダーの分布からサンプリングします。画像 $x$ が現れる確率は、すべての $z$ についての和、つまり積分になります。

$$p(x) = \int p(x|z)\, p(z)\, dz$$

**トイモデル。** 一列に並んだ4つの画素の上を、ランプが1つ動くとします。$z$ はランプの位置、$x$ は各画素が光る（1）か光らない（0）かです。
ランプが近いほど画素は光りやすく、$i$ 番目の画素が光る確率 $y_i$ は

$$y_i(z) = \mathrm{sigmoid}(h_i(z)), \qquad h_i(z) = 6 - 5\,(z - c_i)^2, \qquad c = (-1.5,\ -0.5,\ 0.5,\ 1.5)$$

とします。$h_i$ をロジットといいます。$z$ が決まれば画素は互いに独立で、$x$ の確率はベルヌーイ分布の積です。対数をとると

$$\log p(x|z) = \sum_i \left\{ x_i \log y_i + (1 - x_i) \log(1 - y_i) \right\} = \sum_i \left\{ x_i h_i - \log(1 + e^{h_i}) \right\}$$

となります。2つめの等号は第6節で確かめます。次のセルの関数は、トイモデルとMNISTの両方で使います。配列 $z$ の1行が、1つの潜在変数です。
"""

# %% [markdown] lang="en"
r"""
## 1. A generative model small enough to integrate

The generative model of a VAE first samples $z$ from the prior, and then samples $x$ from the decoder's distribution. The probability of an image $x$ is a sum over all $z$, that is, an integral:

$$p(x) = \int p(x|z)\, p(z)\, dz$$

**The toy model.** A lamp moves along a row of four pixels. $z$ is the position of the lamp, and $x$ says for each pixel whether it is lit (1) or not (0).
The closer the lamp, the more likely a pixel is to be lit. Pixel $i$ is lit with probability $y_i$,

$$y_i(z) = \mathrm{sigmoid}(h_i(z)), \qquad h_i(z) = 6 - 5\,(z - c_i)^2, \qquad c = (-1.5,\ -0.5,\ 0.5,\ 1.5)$$

where $h_i$ is called the logit. Given $z$, the pixels are independent, and the probability of $x$ is a product of Bernoulli distributions. Its logarithm is

$$\log p(x|z) = \sum_i \left\{ x_i \log y_i + (1 - x_i) \log(1 - y_i) \right\} = \sum_i \left\{ x_i h_i - \log(1 + e^{h_i}) \right\}$$

Section 6 checks the second equality. We use the functions of the next cell for both the toy model and MNIST. Each row of the array $z$ is one latent vector.
"""


# %%
def log_bernoulli(x, logits):
    """⟦対数尤度。行は画像、列はz|Log likelihood: a row for each image, a column for each z⟧"""
    return x @ logits.T - np.logaddexp(0, logits).sum(axis=1)


def log_normal(z, mu=0.0, sigma=1.0):
    """⟦log N(z; mu, sigma^2)。次元について和をとる|log N(z; mu, sigma^2), summed over the dimensions⟧"""
    return -0.5 * (((z - mu) / sigma) ** 2 + np.log(2 * np.pi * sigma**2)).sum(axis=-1)


def sigmoid(h):
    """⟦1 / (1 + exp(-h))。オーバーフローしない形|1 / (1 + exp(-h)), in a form that does not overflow⟧"""
    return 0.5 * (1 + np.tanh(h / 2))


def logsumexp(a):
    """⟦log Σ exp(a)。最大値をくくり出し、アンダーフローを防ぐ|log Σ exp(a), without underflow⟧"""
    top = a.max(axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(a - top).sum(axis=-1))


# %% [markdown] lang="ja"
r"""
4画素の画像は $2^4 = 16$ 通りしかありません。そこで、16通りすべての $p(x)$ を計算します。$z$ を間隔 $\Delta z$ の格子点に置き換え、積分を和で近似します。

$$\log p(x) \approx \log \sum_j e^{\log p(x|z_j) + \log p(z_j)} + \log \Delta z$$

`logsumexp` を使うのは、確率がとても小さいときに `exp` が0になるのを防ぐためです。トイモデルでは必要ありませんが、784画素のMNISTでは確率が桁違いに小さくなるので、対数のまま計算します。
計算が正しければ、16個の確率の和は1になります。
"""

# %% [markdown] lang="en"
r"""
There are only $2^4 = 16$ images of four pixels, so we compute $p(x)$ for all of them. We replace $z$ by grid points with spacing $\Delta z$, and approximate the integral by a sum:

$$\log p(x) \approx \log \sum_j e^{\log p(x|z_j) + \log p(z_j)} + \log \Delta z$$

`logsumexp` prevents very small probabilities from becoming 0 in `exp`. The toy model does not need it, but with the 784 pixels of MNIST the probabilities are smaller by many orders of magnitude, so we work with logarithms.
If the computation is correct, the 16 probabilities add up to 1.
"""

# %%
centres = np.array([-1.5, -0.5, 0.5, 1.5])
toy_images = np.array(list(product([0, 1], repeat=4)))
names = ["".join(map(str, x)) for x in toy_images]


def toy_logits(z):
    return 6 - 5 * (z - centres) ** 2


line = np.linspace(-15, 15, 6001)[:, None]  # ⟦zの格子点|grid points of z⟧
dz = line[1, 0] - line[0, 0]
toy_joint = log_bernoulli(toy_images, toy_logits(line)) + log_normal(line)  # log p(x, z)
toy_log_p = logsumexp(toy_joint) + np.log(dz)
print("⟦16通りの画像の確率の和|sum of p(x) over all 16 images⟧:", np.exp(toy_log_p).sum().round(12))
np.testing.assert_allclose(np.exp(toy_log_p).sum(), 1)

# %% [markdown] lang="ja"
r"""
和は1です。別の方法でも確かめます。モデルの定義どおりに $z$ と $x$ を10万回サンプリングし、各画像が現れた割合を数えます。
下の図の左は、各画素が光る確率 $y_i(z)$ と事前分布です。右の棒は積分で求めた $p(x)$、点は数えた割合です。
"""

# %% [markdown] lang="en"
r"""
They add up to 1. We check this in another way: we sample $z$ and then $x$ from the model 100,000 times, and count how often each image appears.
Below on the left are the probabilities $y_i(z)$ of the pixels, and the prior. On the right, the bars are $p(x)$ from the integral, and the dots are the observed frequencies.
"""

# %%
np.random.seed(0)
z = np.random.randn(100_000, 1)  # z ~ p(z)
x = np.random.rand(100_000, 4) < sigmoid(toy_logits(z))  # x ~ p(x|z)
counted = np.bincount(x @ [8, 4, 2, 1], minlength=16) / len(x)

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for i, y in enumerate(sigmoid(toy_logits(line)).T):
    left.plot(line, y, label=f"$y_{i + 1}$")
prior = np.exp(log_normal(line))
left.fill_between(line[:, 0], prior, color=style.MUTED, alpha=0.3, label="$p(z)$")
left.set(xlim=(-4, 4), ylim=(0, 1.05), xlabel="$z$", ylabel="⟦光る確率|probability of being lit⟧")
above = dict(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
left.legend(**above, ncols=5, handlelength=1, columnspacing=1)
right.bar(names, np.exp(toy_log_p), color=style.DECODER, alpha=0.5, label="⟦積分|integral⟧")
right.plot(names, counted, "o", color=style.INK, ms=4, label="⟦数えた割合|counted⟧")
right.tick_params(axis="x", rotation=90)
right.set(xlabel="$x$", ylabel="$p(x)$")
right.legend(frameon=False)
plt.show()
print("⟦差の最大値|largest difference⟧:", np.abs(counted - np.exp(toy_log_p)).max().round(4))
assert np.abs(counted - np.exp(toy_log_p)).max() < 0.006

# %% [markdown] lang="ja"
r"""
積分とサンプリングの結果は、10万回のサンプルで期待できる精度で一致しました（差は最大でも約0.002）。最も多いのは中央の2画素が光る `0110` です。
離れた画素だけが光る `1001` は、ランプが1つしかないのでほとんど現れません。
画素が1つも光らない `0000` は、ランプが左右どちらかの外側にあるときの画像です。どちらの側かは画像からはわかりません。このことは後で重要になります。
"""

# %% [markdown] lang="en"
r"""
The integral and the sampling agree as well as 100,000 samples allow (the largest difference is about 0.002). The most frequent image is `0110`, with the two middle pixels lit.
`1001`, where only distant pixels are lit, hardly ever appears, because there is only one lamp.
`0000`, with no pixel lit, appears when the lamp is outside, on the left or on the right. The image does not tell us on which side. This will matter later.
"""

# %% [markdown] lang="ja"
r"""
## 2. MNISTのlog p(x) を積分で求める

次はMNISTのVAEです。`z2` の潜在変数は2次元なので、同じ計算を平面の上でできます。丸め誤差の影響を除くため、パラメーターをfloat64に変換します。
"""

# %% [markdown] lang="en"
r"""
## 2. log p(x) of an MNIST image, by integration

Next, a VAE for MNIST. `z2` has 2 latent dimensions, so we can do the same on a plane. To exclude the effect of rounding errors, we convert its parameters to float64.
"""

# %%
model, config = chainer_vae.load_model("z2")
for param in model.params():
    param.array = param.array.astype(np.float64)
    param.cleargrad()  # ⟦float32の勾配を捨てる|discard its float32 gradient⟧

data = chainer_vae.load_mnist()
images = data.test_images[:n_images].astype(np.float64)
labels = data.test_labels[:n_images]
mu, ln_var = chainer_vae.encode(model, images)  # ⟦エンコーダーの出力|the encoder's output⟧
sigma = np.exp(ln_var / 2)


def log_likelihood(model, x, z, batch=2_000):
    """⟦対数尤度。行は画像、列はz|Log likelihood: a row for each image, a column for each z⟧"""
    values = np.empty((len(x), len(z)))
    with chainer.no_backprop_mode():
        for start in range(0, len(z), batch):
            part = slice(start, start + batch)
            values[:, part] = log_bernoulli(x, model.decode(z[part], sigmoid=False).array)
    return values


print("mu   =", mu[0].round(3))
print("sigma =", sigma[0].round(3))

# %% [markdown] lang="ja"
r"""
最初のテスト画像（7）の $q(z|x)$ は、中心が $(1.56, 1.27)$、標準偏差が約0.03です。事前分布の標準偏差は1なので、平面のごく小さな領域です。
$z$ がこの近くになければ $p(x|z)$ は桁違いに小さいので、格子はこの近くで細かくする必要があります。そこで、窓 $\mu \pm 8\sigma$ に格子を置きます。

格子による積分は、格子を変えても値が変わらないことを確かめて初めて信用できます。間隔を細かくした場合と、窓を広げた場合の値を表示します。
"""

# %% [markdown] lang="en"
r"""
For the first test image (a 7), $q(z|x)$ has its centre at $(1.56, 1.27)$ and standard deviations of about 0.03. The standard deviation of the prior is 1, so this is a tiny region of the plane.
Unless $z$ is close to it, $p(x|z)$ is smaller by many orders of magnitude, so the grid must be fine here. We put a grid into the window $\mu \pm 8\sigma$.

An integral on a grid can be trusted only if a different grid gives the same value. So we print the value for finer steps, and for wider windows.
"""


# %%
def log_p_in_window(i, extent, per_sigma):
    """⟦窓mu ± extent sigmaでのlog p(x)|log p(x) in the window mu ± extent sigma⟧"""
    side = np.arange(-extent, extent + 1e-9, 1 / per_sigma)
    z = mu[i] + sigma[i] * np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    log_joint = log_likelihood(model, images[i : i + 1], z)[0] + log_normal(z)
    area = sigma[i].prod() / per_sigma**2
    return logsumexp(log_joint) + np.log(area)


for per_sigma in (0.5, 1, 2, 4):
    value = log_p_in_window(0, 8, per_sigma)
    print(f"⟦窓|window⟧ ±  8 sigma, ⟦間隔|step⟧ {1 / per_sigma:.2f} sigma: log p(x) = {value:.8f}")
for extent in (2, 4, 12, 16):
    value = log_p_in_window(0, extent, 2)
    print(f"⟦窓|window⟧ ± {extent:2} sigma, ⟦間隔|step⟧ 0.50 sigma: log p(x) = {value:.8f}")

# %% [markdown] lang="ja"
r"""
間隔が $\sigma$ 程度まで細かくなれば、値はもう変わりません。なめらかに0へ減衰する関数では、等間隔の和が非常に速く積分に収束するからです
（正規分布なら、相対誤差はおよそ $2e^{-2\pi^2\sigma^2/h^2}$ です。間隔 $h$ が $\sigma$ なら $10^{-8}$ 程度、$2\sigma$ なら1%程度です）。
窓も $\pm 8\sigma$ で十分で、それより広げても値は変わりません。

$\log p(x)$ は約 $-90.18$ です。確率に直すと約 $10^{-39}$ で、float32で正確に表せる範囲をすでに外れています。すぐ後に出てくる $-200$ 前後の画像なら、float32では完全に0になります。float64でも $e^{-745}$ あたりが限界で、もっと大きな画像では足りません。対数のまま計算すれば、この問題は起きません。
"""

# %% [markdown] lang="en"
r"""
Once the step is about $\sigma$ or smaller, the value no longer changes. For functions that decay smoothly to 0, sums over equal steps converge to the integral very fast
(for a normal distribution the relative error is about $2e^{-2\pi^2\sigma^2/h^2}$: for a step $h$ of $\sigma$ about $10^{-8}$, for $2\sigma$ about 1 %).
The window $\pm 8\sigma$ is also wide enough: a wider one gives the same value.

$\log p(x)$ is about $-90.18$. As a probability this is about $10^{-39}$, already outside the range that float32 represents precisely. For the images around $-200$ that follow, it would be exactly 0 in float32. Even float64 ends near $e^{-745}$, which is not enough for much larger images. With logarithms, this problem does not arise.
"""

# %% [markdown] lang="ja"
r"""
### 平面全体でも計算する

窓は $q(z|x)$ の位置に置きました。エンコーダーの出力が見当違いの位置だったらどうでしょうか。念のため、平面全体 $[-4.5, 4.5]^2$ も格子で覆います。
$\log p(x|z)$ は $x$ とロジットの行列積から求まるので、デコーダーは格子上で1回計算すれば、すべての画像に使えます。
"""

# %% [markdown] lang="en"
r"""
### The whole plane

We placed the window where $q(z|x)$ is. What if the encoder is wrong about the position? To be safe, we cover the whole square $[-4.5, 4.5]^2$ with a grid.
$\log p(x|z)$ is a matrix product of $x$ and the logits, so we compute the decoder on the grid only once, for all images.
"""

# %%
plane = latent.grid(n_plane, limit=4.5).reshape(-1, 2).astype(np.float64)
step = 9 / (n_plane - 1)
plane_joint = log_likelihood(model, images, plane)  # log p(x|z)
plane_joint += log_normal(plane)  # log p(x, z)
plane_log_p = np.array([logsumexp(row) for row in plane_joint]) + 2 * np.log(step)
for i in range(10):
    value = log_p_in_window(i, 8, 2)
    print(
        f"⟦画像|image⟧ {i} ({labels[i]}): ⟦平面全体|whole plane⟧ {plane_log_p[i]:9.3f},"
        f" ⟦窓|window⟧ {value:9.3f}"
    )

# %% [markdown] lang="ja"
r"""
10枚のうち9枚では、2つの格子の差は0.03以下です（この差は、間隔0.04が、最も狭い事後分布には少し粗いために残ります）。ところが8番の画像（5）だけは、窓の値が平面全体の値よりおよそ49も小さくなりました。
この画像では、$p(x|z)$ の大きい場所が、エンコーダーの出力から遠く離れています。この例はあとで何度か取り上げます。
"""

# %% [markdown] lang="en"
r"""
For nine of the ten images, the two grids differ by 0.03 or less (a step of 0.04 is a little too coarse for the narrowest posteriors). But for image 8 (a 5), the value of the window is lower than that of the whole plane by about 49.
For this image, $p(x|z)$ is large only far from the encoder's output. We will come back to it several times.
"""

# %% [markdown] lang="ja"
r"""
### なぜ一般には計算できないのか

格子の方法は、次元が増えるとすぐに破綻します。1軸に226点なら2次元では約5万点ですが、20次元では $226^{20} \approx 10^{47}$ 点です。
では、$z$ を事前分布からサンプリングして平均すればどうでしょうか。

$$p(x) = E_{p(z)}[p(x|z)] \approx \frac{1}{n} \sum_{j=1}^{n} p(x|z_j), \qquad z_j \sim p(z)$$

次のセルでは、2次元と20次元のモデルで、画像1（2）についてこれを1万個のサンプルで3回ずつ試します。20次元では真の値がわかりませんが、
変分下限（次の節で説明します。$\log p(x)$ は必ずこれ以上です）と比べられます。
"""

# %% [markdown] lang="en"
r"""
### Why this is impossible in general

A grid breaks down as the number of dimensions grows. With 226 points per axis, it has about 50,000 points in 2 dimensions, and $226^{20} \approx 10^{47}$ in 20.
What about sampling $z$ from the prior and averaging?

$$p(x) = E_{p(z)}[p(x|z)] \approx \frac{1}{n} \sum_{j=1}^{n} p(x|z_j), \qquad z_j \sim p(z)$$

The next cell tries this with 10,000 samples for image 1 (a 2), three times each, with the 2-dimensional and the 20-dimensional model. In 20 dimensions the true value is unknown,
but we can compare with the lower bound (explained in the next section: $\log p(x)$ is never below it).
"""

# %%
np.random.seed(0)
model20, _ = chainer_vae.load_model("z20")
for name, a_model, dimension in (("z2", model, 2), ("z20", model20, 20)):
    for _ in range(3):
        z = np.random.randn(n_prior, dimension)
        estimate = logsumexp(log_likelihood(a_model, images[1:2], z))[0] - np.log(len(z))
        print(f"{name:3}: ⟦事前分布からのサンプルで|samples from the prior⟧ {estimate:8.2f}")
with chainer.no_backprop_mode():
    lower_bound = -float(model20.get_loss_func(k=100)(images[1:2]).array)
print(f"z2 : ⟦格子で|on the grid⟧ {plane_log_p[1]:8.2f}")
print(f"z20: ⟦変分下限|lower bound⟧ {lower_bound:8.2f}")

# %% [markdown] lang="ja"
r"""
2次元なら、1万個のサンプルで真の値に近い値が得られます。20次元では変分下限にさえ遠く及ばず、値も毎回大きく変わります。1万個の中に、この画像をうまく生成できる $z$ が1つも含まれていないからです。
どこを探せばよいかを示すものが必要です。それがエンコーダー $q(z|x)$ です。
"""

# %% [markdown] lang="en"
r"""
In 2 dimensions, 10,000 samples come close to the true value. In 20, they do not even get near the lower bound, and the value changes a lot from one run to the next: among 10,000 samples there is not one $z$ that generates this image well.
Something has to tell us where to look. That is the encoder, $q(z|x)$.
"""

# %% [markdown] lang="ja"
r"""
## 3. イェンセンの不等式から変分下限へ

任意の分布 $q(z|X)$ に対して、積分に $q/q$ を掛けると、$p(X)$ は $q$ についての期待値になります。ここで対数を期待値の中に入れると、不等号になります。

$$\log p(X) = \log \int q(z|X)\, \frac{p(X, z)}{q(z|X)}\, dz \ \geq\ \int q(z|X) \log \frac{p(X, z)}{q(z|X)}\, dz = \mathcal{L}(X, z)$$

これがイェンセンの不等式です。比を $w(z) = p(X, z) / q(z|X)$ と書けば、「平均の対数は、対数の平均以上」と読めます。

$$\log E_q[w] \ \geq\ E_q[\log w]$$

トイモデルの画像 `0010`（3番目の画素だけが光った）で確かめます。$q$ は意図的に少しずらして $\mathcal{N}(0.2,\ 0.35^2)$ とします。
$q$ から6個の $z$ をサンプリングし、$w$ と $\log w$ を図にします。黒い点は6点の重心です。
"""

# %% [markdown] lang="en"
r"""
## 3. From Jensen's inequality to the lower bound

For any distribution $q(z|X)$, multiplying by $q/q$ turns $p(X)$ into an expectation over $q$. Moving the logarithm inside the expectation gives an inequality:

$$\log p(X) = \log \int q(z|X)\, \frac{p(X, z)}{q(z|X)}\, dz \ \geq\ \int q(z|X) \log \frac{p(X, z)}{q(z|X)}\, dz = \mathcal{L}(X, z)$$

This is Jensen's inequality. With the ratio $w(z) = p(X, z) / q(z|X)$, it says that the logarithm of the mean is at least the mean of the logarithms.

$$\log E_q[w] \ \geq\ E_q[\log w]$$

We look at the toy image `0010` (only the third pixel is lit). We deliberately choose a $q$ that is slightly off, $\mathcal{N}(0.2,\ 0.35^2)$.
We sample 6 values of $z$ from $q$, and plot $w$ and $\log w$. The black dot is the centre of gravity of the 6 points.
"""

# %%
toy = names.index("0010")
q_mu, q_sigma = 0.2, np.array([0.35])


def toy_log_w(z):
    """log p(x, z) - log q(z|x)"""
    log_joint = log_bernoulli(toy_images[toy : toy + 1], toy_logits(z))[0] + log_normal(z)
    return log_joint - log_normal(z, q_mu, q_sigma)


np.random.seed(10)
w = np.exp(toy_log_w(q_mu + q_sigma * np.random.randn(6, 1)))

fig, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
curve = np.linspace(0.0015, 0.037, 500)
axes.plot(curve, np.log(curve), color=style.MUTED, label=r"$\log w$")
axes.plot(w, np.log(w), "o", color=style.LATENT, label="⟦6個のサンプル|6 samples⟧")
mean, low, high = w.mean(), np.log(w).mean(), np.log(w.mean())
axes.annotate(
    "", (mean, high), (mean, low), arrowprops=dict(arrowstyle="<->", color=style.LOSS, lw=1.5)
)
for height, marker, color, words, below in (
    (high, "s", style.DECODER, "⟦平均の対数|log of the mean⟧", 8),
    (low, "o", style.INK, "⟦対数の平均|mean of the logs⟧", -14),
):
    axes.plot(mean, height, marker, color=color)
    ha = "right" if below > 0 else "left"
    axes.annotate(words, (mean, height), (0, below), textcoords="offset points", color=color, ha=ha)
axes.set(xlabel="$w$", ylabel=r"$\log w$")
axes.legend(loc="lower right", frameon=False)
plt.show()
print(f"⟦6個|6 samples⟧: log mean w = {high:.3f}, mean log w = {low:.3f}")

# %% [markdown] lang="ja"
r"""
対数の曲線は上に凸なので、点の重心（黒）は必ず曲線の下に来ます。赤い矢印がイェンセンの不等式のギャップです。$w$ がすべて同じ値なら、ギャップはなくなります。

サンプルを20万個に増やせば、平均の対数は $\log p(x)$ に、対数の平均は変分下限 $\mathcal{L}$ に近づくはずです。どちらも格子上の積分と比べます。
"""

# %% [markdown] lang="en"
r"""
The logarithm is concave, so the centre of gravity of the points (black) always lies below the curve. The red arrow is the gap of Jensen's inequality. It would vanish if all $w$ were equal.

With 200,000 samples, the log of the mean should approach $\log p(x)$, and the mean of the logs the lower bound $\mathcal{L}$. We compare both with integrals on the grid.
"""

# %%
np.random.seed(0)
log_w = toy_log_w(q_mu + q_sigma * np.random.randn(200_000, 1))

toy_log_q = log_normal(line, q_mu, q_sigma)
bound = (np.exp(toy_log_q) * (toy_joint[toy] - toy_log_q)).sum() * dz  # ∫ q log(p(x, z) / q) dz

print(f"log p(x): ⟦サンプル|samples⟧ {logsumexp(log_w) - np.log(len(log_w)):.4f}", end="")
print(f", ⟦格子|grid⟧ {toy_log_p[toy]:.4f}")
print(f"L       : ⟦サンプル|samples⟧ {log_w.mean():.4f}, ⟦格子|grid⟧ {bound:.4f}")
np.testing.assert_allclose(log_w.mean(), bound, atol=0.03)
assert bound < toy_log_p[toy]

# %% [markdown] lang="ja"
r"""
変分下限は $\log p(x)$ より約0.52低くなりました。記事の図で「？」と書かれたギャップが、ここでは数値で得られます。次に、その正体を調べます。
"""

# %% [markdown] lang="en"
r"""
The lower bound is about 0.52 below $\log p(x)$. The gap that the article's figure marks with "?" is available here as a number. Next we find out what it is.
"""

# %% [markdown] lang="ja"
r"""
## 4. ギャップの正体はKLダイバージェンス

記事は $\log p(X)$ と $\mathcal{L}(X, z)$ の差を計算し、

$$\log p(X) - \mathcal{L}(X, z) = D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z|X) \right] \geq 0$$

を導きます。右辺の $p(z|X)$ は真の事後分布で、ベイズの定理により $p(z|X) = p(X, z) / p(X)$ です。格子の上では、この事後分布も、次のKLダイバージェンスの定義も、そのまま計算できます（$q$ と $r$ は2つの分布です）。

$$D_{\mathrm{KL}}\left[ q \,\|\, r \right] = \int q(z) \left\{ \log q(z) - \log r(z) \right\} dz$$

まずトイモデルで、$q$ をいくつか変えて試します。左は画像 `0010`、右は `0000` です。青は変分下限 $\mathcal{L}$、赤は別に計算したKL、
黒い線は $\log p(x)$ です。式が正しければ、$q$ が何であっても赤の上端が黒い線に一致します。
"""

# %% [markdown] lang="en"
r"""
## 4. The gap is a KL divergence

The article computes the difference between $\log p(X)$ and $\mathcal{L}(X, z)$ and finds

$$\log p(X) - \mathcal{L}(X, z) = D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z|X) \right] \geq 0$$

On the right, $p(z|X)$ is the true posterior: $p(z|X) = p(X, z) / p(X)$ by Bayes' theorem. On a grid we can compute this directly, and also the definition of the KL divergence between two distributions $q$ and $r$:

$$D_{\mathrm{KL}}\left[ q \,\|\, r \right] = \int q(z) \left\{ \log q(z) - \log r(z) \right\} dz$$

First the toy model, with several $q$. On the left is image `0010`, on the right `0000`. Blue is the lower bound $\mathcal{L}$, red the separately computed KL divergence,
and the black line is $\log p(x)$. If the formula is right, the top of the red bar is at the black line whatever $q$ is.
"""

# %%
fig, panels = plt.subplots(2, 2, figsize=(8, 5), height_ratios=[2, 3], layout="constrained")
choices = {
    "0010": [(0.0, 1.0), (0.2, 0.35), (0.48, 0.25)],
    "0000": [(0.0, 1.0), (0.0, 2.28), (2.8, 0.34)],
}
for (name, q_list), (top, bottom) in zip(choices.items(), panels.T):
    log_joint, log_p = toy_joint[names.index(name)], toy_log_p[names.index(name)]
    log_posterior = log_joint - log_p  # ⟦ベイズの定理|Bayes' theorem⟧
    top.fill_between(line[:, 0], np.exp(log_posterior), color=style.DECODER, alpha=0.4)
    for column, (m, s) in enumerate(q_list):
        log_q = log_normal(line, m, np.array([s]))
        q = np.exp(log_q)
        bound = (q * (log_joint - log_q)).sum() * dz
        kl = (q * (log_q - log_posterior)).sum() * dz
        np.testing.assert_allclose(log_p - bound, kl, rtol=1e-9)
        print(f"{name}, q = N({m}, {s}²): log p(x) = {log_p:.4f}, L = {bound:.4f}, KL = {kl:.4f}")
        top.plot(line, q, color=style.ENCODER, lw=1 + 0.7 * column)
        bottom.bar(column, bound + 12, bottom=-12, color=style.ENCODER, alpha=0.5)
        bottom.bar(column, kl, bottom=bound, color=style.LOSS, alpha=0.35)
    bottom.axhline(log_p, color=style.INK, lw=1.5)
    top.set(xlim=(-4, 4), xlabel="$z$", title=f"$x$ = {name}", yticks=[])
    bottom.set_xticks(range(3), [rf"$\mathcal{{N}}({m}, {s}^2)$" for m, s in q_list])
    bottom.set(ylim=(-12, 0), ylabel="nat")
    bottom.text(-0.38, log_p + 0.4, r"$\log p(x)$")
    bottom.text(2, -8, r"$\mathcal{L}$", ha="center", size=14, color=style.ENCODER)
plt.show()

# %% [markdown] lang="ja"
r"""
上の段では、オレンジ色が真の事後分布、青い線が $q$ です（太い線ほど、棒グラフの右側に対応します）。
$q$ を変えても $\log p(x)$ は変わらず、変分下限とKLの**内訳**だけが変わります。記事の「$\mathcal{L}$ の最大化はKLの最小化と同じ」とは、このことです
（デコーダーを固定して $q$ だけを動かす場合です。$\theta$ も動かす学習では、$\log p(x)$ 自身も変わります）。

左では、$q$ を事後分布に合わせるとギャップは0.03まで縮みます。右の `0000` では事後分布に山が2つあるので、1つの正規分布ではうまく近似できません。
両方を覆うより片方の山だけに合わせるほうがよく、それでも0.74が残ります。そのうち $\log 2 \approx 0.69$ は、もう片方の山にある半分の確率を無視したことによります。
"""

# %% [markdown] lang="en"
r"""
In the upper row, the true posterior is orange and the blue lines are the $q$ (thicker lines correspond to bars further right).
Whatever $q$ is, $\log p(x)$ does not change. Only its **split** into the lower bound and the KL divergence does. This is what the article means by saying that maximizing $\mathcal{L}$ is the same as minimizing the KL divergence
(as long as the decoder is fixed and only $q$ changes: training also changes $\theta$, and with it $\log p(x)$ itself).

On the left, a $q$ that fits the posterior shrinks the gap to 0.03. On the right, the posterior of `0000` has two peaks, and no single normal distribution fits it well.
It is better to fit one of the peaks than to cover both. Even so, 0.74 remains. Of this, $\log 2 \approx 0.69$ comes from ignoring half of the probability, in the other peak.
"""

# %% [markdown] lang="ja"
r"""
### MNISTでも同じ等式を確かめる

同じことを `z2` で、4枚のテスト画像について行います。今度は、$q$ と事後分布の**両方**が完全に入る窓を使います。事後分布の位置は、平面全体の格子からわかります。
"""

# %% [markdown] lang="en"
r"""
### The same equality on MNIST

Now the same with `z2`, for four test images. This time the window contains **both** $q$ and the posterior. The grid over the whole plane tells us where the posterior is.
"""


# %%
def window(i):
    """⟦qと事後分布の、平均 ± 8標準偏差を含む格子|A grid that contains mean ± 8 sd of both q and the posterior⟧"""
    p = np.exp(plane_joint[i] - logsumexp(plane_joint[i]))
    mean = p @ plane
    sd = np.maximum(np.sqrt(p @ (plane - mean) ** 2), step)
    low = np.minimum(mean - 8 * sd, mu[i] - 8 * sigma[i])
    high = np.maximum(mean + 8 * sd, mu[i] + 8 * sigma[i])
    z1, z2 = np.linspace(low, high, n_window).T
    return z1, z2, (z1[1] - z1[0]) * (z2[1] - z2[0])


examples = (0, 7, 3, 8)
results = {}
for i in examples:
    z1, z2, area = window(i)
    z = np.stack(np.meshgrid(z1, z2), axis=-1).reshape(-1, 2)
    log_lik = log_likelihood(model, images[i : i + 1], z)[0]
    log_joint = log_lik + log_normal(z)
    log_p = logsumexp(log_joint) + np.log(area)
    log_posterior = log_joint - log_p
    log_q = log_normal(z, mu[i], sigma[i])
    q = np.exp(log_q)
    bound = (q * (log_joint - log_q)).sum() * area
    kl = (q * (log_q - log_posterior)).sum() * area
    print(
        f"⟦画像|image⟧ {i} ({labels[i]}): log p(x) = {log_p:.5f}, L = {bound:.5f},"
        f" log p(x) - L = {log_p - bound:.5f}, KL = {kl:.5f}"
    )
    np.testing.assert_allclose(log_p - bound, kl, rtol=1e-6)
    results[i] = dict(z1=z1, z2=z2, area=area, z=z, log_lik=log_lik, log_posterior=log_posterior)
    results[i].update(log_q=log_q, q=q, log_p=log_p, bound=bound, kl=kl)

# %% [markdown] lang="ja"
r"""
差とKLは小数第5位まで一致しました。ギャップの大きさは画像によって大きく異なります。$q$ と真の事後分布を重ねて描くと、その理由がわかります。
等高線は、それぞれの最大値の $e^{-r^2/2}$ 倍（$r = 1, 2, 3$）の高さです。青が $q(z|x)$、オレンジ色が $p(z|x)$ です。
"""

# %% [markdown] lang="en"
r"""
The difference and the KL divergence agree to five decimal places. The size of the gap varies a lot between images. A plot of $q$ and the true posterior together shows why.
The contours are at $e^{-r^2/2}$ times the maximum of each, for $r = 1, 2, 3$. Blue is $q(z|x)$, orange is $p(z|x)$.
"""

# %%
fig, panels = plt.subplots(1, 4, figsize=(8, 2.6), layout="constrained")
levels = -0.5 * np.array([3, 2, 1]) ** 2
for axes, (i, result) in zip(panels, results.items()):
    seen = np.zeros(len(result["z"]), bool)
    for log_density, color in (
        (result["log_posterior"], style.DECODER),
        (result["log_q"], style.ENCODER),
    ):
        height = log_density - log_density.max()
        seen |= height > -7
        height = height.reshape(n_window, n_window)
        axes.contour(
            result["z1"], result["z2"], height, levels, colors=color, linestyles="-", linewidths=1.3
        )
    low, high = result["z"][seen].min(axis=0), result["z"][seen].max(axis=0)
    half = (high - low).max() / 2
    middle = (low + high) / 2
    axes.set(xlim=middle[0] + [-half, half], ylim=middle[1] + [-half, half], aspect="equal")
    axes.set_title(f"⟦画像|image⟧ {i} ({labels[i]})\n⟦ギャップ|gap⟧ {result['kl']:.2f}")
    axes.set_xlabel("$z_1$")
panels[0].set_ylabel("$z_2$", rotation=0, labelpad=10)
plt.show()

# %% [markdown] lang="ja"
r"""
左から順に見ていきます。

- **画像0**：形も大きさもよく似ていますが、中心が少しずれています。それだけで1.7 natです。
- **画像7**：事後分布は斜めに伸びています。$q$ は軸に平行な楕円しか表せないので、中心だけでなく向きも合いません。
- **画像3**：事後分布には山が2つあり、正規分布とは大きく異なる形です。$q$ は一方の山に偏っています。
- **画像8**：事後分布は $q$ から遠く離れています。エンコーダーがこの画像を別の数字と取り違えたためです。ギャップは118 natです。

ギャップの原因は2つあります。軸に平行な正規分布では事後分布の形を表せないこと（画像3, 7）と、エンコーダーが最適な $\mu, \sigma$ を出力できなかったこと（画像0, 8ではっきりわかります）です。演習4で、この2つを数値で分けます。
"""

# %% [markdown] lang="en"
r"""
From left to right:

- **Image 0**: the shapes and sizes are very similar, but the centre is slightly off. That alone costs 1.7 nats.
- **Image 7**: the posterior is elongated along a diagonal. $q$ can only be an ellipse aligned with the axes, so not only the centre but also the direction is off.
- **Image 3**: the posterior has two peaks and is far from a normal distribution. $q$ leans towards one of them.
- **Image 8**: the posterior is far away from $q$, because the encoder mistook this image for another digit. The gap is 118 nats.

The gap has two causes. A normal distribution aligned with the axes cannot take the shape of the posterior (images 3 and 7), and the encoder does not output the best $\mu, \sigma$ (clear in images 0 and 8). Exercise 4 separates the two in numbers.
"""

# %% [markdown] lang="ja"
r"""
## 5. 3つの項への分解と、2つの項による変分下限

真の事後分布は一般にわからないので、ギャップの式のままでは学習に使えません。記事は、ベイズの定理でKLを3つの項に分解します。

$$D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z|X) \right] = D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z) \right] - E_{q(z|X)}\left[ \log p(X|z) \right] + \log p(X)$$

これを $\mathcal{L} = \log p(X) - D_{\mathrm{KL}}[q(z|X) \,\|\, p(z|X)]$ に代入すると、計算できない $\log p(X)$ が消え、計算できる2つの項が残ります。

$$\mathcal{L}(X, z) = -D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z) \right] + E_{q(z|X)}\left[ \log p(X|z) \right]$$

4枚の画像で、各項を格子の上で別々に計算し、2つの等式を確かめます。
"""

# %% [markdown] lang="en"
r"""
## 5. Three terms, and the lower bound in two terms

In general the true posterior is unknown, so the formula for the gap cannot be used in training as it is. The article splits the KL divergence into three terms by Bayes' theorem:

$$D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z|X) \right] = D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z) \right] - E_{q(z|X)}\left[ \log p(X|z) \right] + \log p(X)$$

Substituted into $\mathcal{L} = \log p(X) - D_{\mathrm{KL}}[q(z|X) \,\|\, p(z|X)]$, the intractable $\log p(X)$ cancels, and two terms remain that can be computed:

$$\mathcal{L}(X, z) = -D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z) \right] + E_{q(z|X)}\left[ \log p(X|z) \right]$$

For the four images, we compute each term separately on the grid, and check both equalities.
"""

# %%
print("⟦画像|image⟧  KL[q||p(z)]  E_q[log p(x|z)]    log p(x)  KL[q||p(z|x)]          L")
for i, result in results.items():
    q, area = result["q"], result["area"]
    kl_prior = (q * (result["log_q"] - log_normal(result["z"]))).sum() * area
    reconstruction = (q * result["log_lik"]).sum() * area
    # ⟦3つの項|three terms⟧
    np.testing.assert_allclose(result["kl"], kl_prior - reconstruction + result["log_p"], rtol=1e-6)
    # ⟦2つの項|two terms⟧
    np.testing.assert_allclose(result["bound"], -kl_prior + reconstruction, rtol=1e-6)
    print(
        f"{i:4}{kl_prior:14.4f}{reconstruction:17.4f}{result['log_p']:13.4f}"
        f"{result['kl']:15.4f}{result['bound']:12.4f}"
    )
    result.update(kl_prior=kl_prior, reconstruction=reconstruction)

# %% [markdown] lang="ja"
r"""
どの画像でも、両方の等式が成り立ちました。たとえば画像0では、$7.9 - (-84.0) + (-90.2) = 1.7$ がギャップ、$-7.9 - 84.0 = -91.9$ が変分下限です。

ここまでは同じ格子を使ったので、格子を使わない方法でも $\mathcal{L}$ を求めます。$z = \mu + \sigma \varepsilon$ と書けば、$E_q$ は標準正規分布に従う $\varepsilon$ についての期待値です。
これは、適切に選んだ少数の点での重み付き和で、非常に正確に計算できます（ガウス・エルミート求積。1軸 $m$ 点なら、各軸について $2m - 1$ 次までの多項式で厳密です）。ここでは $8 \times 8 = 64$ 点を使います。
KLは次の節の閉じた式で計算します。
"""

# %% [markdown] lang="en"
r"""
Both equalities hold for every image. For image 0, for instance, the gap is $7.9 - (-84.0) + (-90.2) = 1.7$, and the lower bound is $-7.9 - 84.0 = -91.9$.

All of this used the same grid, so we also compute $\mathcal{L}$ without it. With $z = \mu + \sigma \varepsilon$, $E_q$ is an expectation over a standard normal $\varepsilon$.
A weighted sum over a few well-chosen points computes it very precisely (Gauss-Hermite quadrature: $m$ points per axis are exact for polynomials of degree up to $2m - 1$ in each axis). We use $8 \times 8 = 64$ points.
The KL divergence comes from the closed form of the next section.
"""

# %%
node, weight = np.polynomial.hermite_e.hermegauss(8)
eps = np.stack(np.meshgrid(node, node), axis=-1).reshape(-1, 2)
weights = np.outer(weight, weight).ravel() / (2 * np.pi)  # ⟦和は1|they sum to 1⟧


def two_terms(x, mu, sigma):
    """⟦画像1枚の、変分下限の2つの項|The two terms of the lower bound, for one image⟧"""
    log_lik = log_likelihood(model, x[None], mu + sigma * eps)[0]
    kl = 0.5 * (mu**2 + sigma**2 - np.log(sigma**2) - 1).sum()
    return weights @ log_lik, kl


for i, result in results.items():
    reconstruction, kl = two_terms(images[i], mu[i], sigma[i])
    print(
        f"⟦画像|image⟧ {i}: L = {reconstruction - kl:.5f} (⟦格子|grid⟧ {result['bound']:.5f}),"
        f" KL = {kl:.5f} ({result['kl_prior']:.5f})"
    )
    np.testing.assert_allclose(reconstruction - kl, result["bound"], atol=1e-3)
    np.testing.assert_allclose(kl, result["kl_prior"], rtol=1e-6)

# %% [markdown] lang="ja"
r"""
格子とは無関係な64点でも、同じ変分下限が得られました。
"""

# %% [markdown] lang="en"
r"""
64 points that are unrelated to the grid give the same lower bound.
"""

# %% [markdown] lang="ja"
r"""
## 6. 2つの項を計算する式

### 正規分布どうしのKLダイバージェンス

$q(z|X) = \mathcal{N}(\mu, \mathrm{diag}(\sigma^2))$、$p(z) = \mathcal{N}(0, I)$ のとき、正則化項（KL）は閉じた形で書けます。

$$D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z) \right] = \frac{1}{2} \sum_{j=1}^{J} \left( \mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1 \right)$$

これを3通りの方法で確かめます。Chainerの `gaussian_kl_divergence`、前節の格子、そして定義どおりのモンテカルロ法 $\frac{1}{n} \sum_i \{\log q(z_i|X) - \log p(z_i)\}$、$z_i \sim q$ です。
モンテカルロ法の誤差は、サンプル数 $n$ に対して $1/\sqrt{n}$ に比例して小さくなるはずです。左の図は1回の推定とエラーバー（標準誤差の2倍）、右の図は200回繰り返したときの誤差の大きさ（二乗平均平方根）です。
"""

# %% [markdown] lang="en"
r"""
## 6. The formulas for the two terms

### The KL divergence between normal distributions

For $q(z|X) = \mathcal{N}(\mu, \mathrm{diag}(\sigma^2))$ and $p(z) = \mathcal{N}(0, I)$, the regularization term (the KL divergence) has a closed form:

$$D_{\mathrm{KL}}\left[ q(z|X) \,\|\, p(z) \right] = \frac{1}{2} \sum_{j=1}^{J} \left( \mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1 \right)$$

We check it in three ways: with Chainer's `gaussian_kl_divergence`, with the grid of the last section, and with Monte Carlo by the definition, $\frac{1}{n} \sum_i \{\log q(z_i|X) - \log p(z_i)\}$ with $z_i \sim q$.
The error of Monte Carlo should shrink like $1/\sqrt{n}$ with the number of samples $n$. On the left are single estimates with error bars (twice the standard error). On the right is the size of the error (root mean square) over 200 repetitions.
"""

# %%
closed = 0.5 * (mu[0] ** 2 + sigma[0] ** 2 - ln_var[0] - 1).sum()
of_chainer = float(gaussian_kl_divergence(mu[:1], ln_var[:1]).array)
print(f"⟦閉じた式|closed form⟧ {closed:.8f}, Chainer {of_chainer:.8f}", end="")
print(f", ⟦格子|grid⟧ {results[0]['kl_prior']:.8f}")
np.testing.assert_allclose([of_chainer, results[0]["kl_prior"]], closed, rtol=1e-6)

np.random.seed(0)
sizes = [10, 30, 100, 300, 1_000, 3_000, 10_000]
estimates, errors = [], []
for n in sizes:
    z = mu[0] + sigma[0] * np.random.randn(200, n, 2)
    terms = log_normal(z, mu[0], sigma[0]) - log_normal(z)  # (200, n)
    estimates.append((terms[0].mean(), 2 * terms[0].std(ddof=1) / np.sqrt(n)))
    errors.append(np.sqrt(np.mean((terms.mean(axis=1) - closed) ** 2)))
spread = terms.std()  # ⟦1つのサンプルの標準偏差|standard deviation of a single sample⟧

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.errorbar(sizes, *np.transpose(estimates), fmt="o", color=style.LATENT, capsize=3)
left.axhline(closed, color=style.INK, lw=1, label="⟦閉じた式|closed form⟧")
left.set(xscale="log", xlabel="$n$", ylabel="⟦KLの推定値|estimate of the KL divergence⟧")
left.legend(frameon=False)
right.loglog(sizes, errors, "o", color=style.LATENT, label="⟦200回の誤差|error over 200 runs⟧")
right.loglog(sizes, spread / np.sqrt(sizes), color=style.MUTED, label=r"$1/\sqrt{n}$")
right.set(xlabel="$n$", ylabel="⟦誤差の大きさ|size of the error⟧")
right.legend(frameon=False)
plt.show()
print(f"⟦n = 10での誤差|error at n = 10⟧ {errors[0]:.3f}, ⟦10000では|at 10000⟧ {errors[-1]:.4f}")
np.testing.assert_allclose(errors, spread / np.sqrt(sizes), rtol=0.25)

# %% [markdown] lang="ja"
r"""
閉じた式、Chainer、格子は同じ値です。モンテカルロ法の値もこれに近づきますが、$n$ を1000倍にしても、誤差は $\sqrt{1000} \approx 32$ 分の1にしかなりません。
閉じた式なら誤差はなく、乱数も必要ありません。そのため、この項だけはサンプルを使わずに計算します。
"""

# %% [markdown] lang="en"
r"""
The closed form, Chainer and the grid give the same value. Monte Carlo approaches it, but increasing $n$ by a factor of 1,000 reduces the error only by a factor of $\sqrt{1000} \approx 32$.
The closed form has no error and needs no random numbers. That is why this term is computed without samples.
"""

# %% [markdown] lang="ja"
r"""
### ベルヌーイ分布の対数尤度

もう1つの項は、$\log p(x|z)$ の期待値です。第1節の2通りの式と、記事のプログラムが使う `F.bernoulli_nll`（負の対数尤度）を、画像0とその $\mu$ で比べます。

2つの式が等しいのは、$y = \mathrm{sigmoid}(h)$ なら $\log y = h - \log(1 + e^h)$、$\log(1 - y) = -\log(1 + e^h)$ だからです。数学的には同じですが、レッスン2で見たように、計算機ではロジット $h$ の式のほうが安全です。
float64でも、$h = 40$ では $y$ が丸められてちょうど1になり、$\log(1 - y)$ が $-\infty$ になります。そこで $y$ の式は、$|h| < 30$ の画素だけで比べます。
"""

# %% [markdown] lang="en"
r"""
### The Bernoulli log likelihood

The other term is the expectation of $\log p(x|z)$. With image 0 and its $\mu$, we compare the two forms of section 1 with `F.bernoulli_nll` (the negative log likelihood), which the article's program uses.

The two forms are equal because for $y = \mathrm{sigmoid}(h)$ we have $\log y = h - \log(1 + e^h)$ and $\log(1 - y) = -\log(1 + e^h)$. Mathematically they are the same, but on a computer, as lesson 2 showed, the form with the logit $h$ is safer.
Even in float64, at $h = 40$, $y$ is rounded to exactly 1, and $\log(1 - y)$ becomes $-\infty$. So we compare the form with $y$ only on pixels with $|h| < 30$.
"""

# %%
x, z = images[:1], mu[:1]
with chainer.no_backprop_mode():
    h = model.decode(z, sigmoid=False).array
    of_chainer = -float(F.bernoulli_nll(x, h).array)
by_logit = (x * h - np.logaddexp(0, h)).sum()
print(f"⟦全画素|all pixels⟧: h {by_logit:.8f}, Chainer {of_chainer:.8f}")
np.testing.assert_allclose(by_logit, of_chainer, rtol=1e-9)

near = np.abs(h) < 30  # ⟦yが0や1に丸められない画素|where y is not rounded to 0 or 1⟧
y = sigmoid(h)
by_logit = (x * h - np.logaddexp(0, h))[near].sum()
by_probability = (x[near] * np.log(y[near]) + (1 - x[near]) * np.log1p(-y[near])).sum()
print(f"⟦そのうち|of them⟧ {near.sum()}: h {by_logit:.8f}, y {by_probability:.8f}")
np.testing.assert_allclose(by_probability, by_logit, rtol=1e-6)
print("1 - sigmoid(40) =", 1 - sigmoid(40))

# %% [markdown] lang="ja"
r"""
3つとも同じ値です。784画素のうち198画素は $|h| \geq 30$ で、どれも黒い画素です。これらの画素では対数尤度がほぼ0なので、残りの586画素の和が全画素の和と一致します。

**グレースケールの画素についての注意。** ここまで「$\log p(x)$」と書いてきましたが、これが厳密に確率の対数になるのは、画素が0か1のときだけです。トイモデルの画像では、16個の $p(x)$ の和が1でした。
一方、MNISTの画素は0から1までの灰色の値をとります。そこに $y^x (1 - y)^{1 - x}$ を当てはめても、$x$ についての積分は1になりません。たとえば $y = 0.5$ なら、$x$ が何であっても値は0.5で、積分も0.5です。次のセルは、いくつかの $y$ でこの積分を計算し、式 $(2y - 1) / \log \frac{y}{1 - y}$ の値と比べます。
"""

# %% [markdown] lang="en"
r"""
All three agree. Of the 784 pixels, 198 have $|h| \geq 30$. All of them are black, and their log likelihood is almost 0, so the sum over the other 586 equals the sum over all pixels.

**A caution about grey pixels.** We have been writing "$\log p(x)$", but strictly this is the logarithm of a probability only if the pixels are 0 or 1. For the toy images, the 16 values of $p(x)$ did add up to 1.
The pixels of MNIST, however, are grey values between 0 and 1. Applied to those, $y^x (1 - y)^{1 - x}$ does not integrate to 1 over $x$. With $y = 0.5$, for instance, it is 0.5 whatever $x$ is, and so is the integral. The next cell computes this integral for several $y$, and compares it with the formula $(2y - 1) / \log \frac{y}{1 - y}$.
"""

# %%
grey = (np.arange(1000) + 0.5) / 1000  # ⟦1000区間の中点|midpoints of 1,000 intervals⟧
for y in (0.5, 0.9, 0.99):
    integral = np.mean(y**grey * (1 - y) ** (1 - grey))
    exact = (2 * y - 1) / np.log(y / (1 - y)) if y != 0.5 else 0.5
    print(f"y = {y}: ∫ = {integral:.3f} (⟦式で|by formula⟧ {exact:.3f})")
    np.testing.assert_allclose(integral, exact, rtol=1e-5)

# %% [markdown] lang="ja"
r"""
どれも1より小さい値です。つまり、このレッスンのMNISTの $\log p(x)$ は、正規化されていない「擬似的な対数尤度」です。別の種類のモデル（たとえば灰色の値を正しく扱う分布）の対数尤度と大小を比べることはできません。この問題はレッスン5で取り上げます。

それでも、これまでの等式と不等式はすべて成り立ちます。どれも、$x$ を1つ固定したときの正の関数 $p(x|z)$ についての関係で、$x$ についての和が1であることを使っていないからです。
事後分布 $p(z|x)$ も、$z$ について積分すれば1になる、正しい確率分布です。
"""

# %% [markdown] lang="en"
r"""
All of them are below 1. So what this lesson calls $\log p(x)$ of an MNIST image is a pseudo log likelihood that is not normalized. It must not be compared with the log likelihood of another kind of model, such as one with a proper distribution for grey values. Lesson 5 discusses this problem.

Still, all equalities and inequalities so far hold. They are relations for a positive function $p(x|z)$ at one fixed $x$, and none of them uses that the sum over $x$ is 1.
The posterior $p(z|x)$ is also a proper probability distribution: over $z$ it integrates to 1.
"""

# %% [markdown] lang="ja"
r"""
## 7. サンプルを増やす：k個の変分下限と、K個の重点サンプリング

学習では、$E_q[\log p(x|z)]$ を $k$ 個のサンプルの平均で置き換えます。$k$ を増やすと何が良くなるでしょうか。$w_j = p(x, z_j) / q(z_j|x)$、$z_j \sim q$ として、2つの量を比べます。

$$\mathcal{L}^{(k)} = \frac{1}{k} \sum_{j=1}^{k} \log w_j, \qquad \mathcal{L}_K = \log \left( \frac{1}{K} \sum_{j=1}^{K} w_j \right)$$

左は記事の $k$ で、**対数の平均**です（記事のプログラムはKLに閉じた式を使うので、平均する値は少し違いますが、期待値は同じです）。右は**平均の対数**で、Burdaらが2015年に提案した重点サンプリングによる下限です（IWAE）。
この下限の期待値は、$K$ とともに大きくなり、緩い条件のもとで、$K \to \infty$ で $\log p(x)$ に近づくことが証明されています。

次の図では、4枚の画像について、それぞれを何度も繰り返した平均を、標準誤差の2倍のエラーバーとともに示します。2本の横線は、格子で求めた $\log p(x)$ と $\mathcal{L}$ です。
"""

# %% [markdown] lang="en"
r"""
## 7. More samples: the lower bound with k samples, and importance sampling with K

In training, the mean of $k$ samples replaces $E_q[\log p(x|z)]$. What improves as $k$ grows? With $w_j = p(x, z_j) / q(z_j|x)$ and $z_j \sim q$, we compare two quantities:

$$\mathcal{L}^{(k)} = \frac{1}{k} \sum_{j=1}^{k} \log w_j, \qquad \mathcal{L}_K = \log \left( \frac{1}{K} \sum_{j=1}^{K} w_j \right)$$

The first, with the article's $k$, is a **mean of logs** (the article's program uses the closed form for the KL divergence, so the values that it averages differ a little, but their expectation is the same). The second is the **log of a mean**: the lower bound by importance sampling proposed by Burda and others in 2015 (IWAE).
It has been proved that its expectation grows with $K$ and approaches $\log p(x)$ as $K \to \infty$ (under mild conditions).

The next plot shows, for four images, the mean of many repetitions of each, with error bars of twice the standard error. The two horizontal lines are $\log p(x)$ and $\mathcal{L}$ from the grid.
"""

# %%
np.random.seed(0)
fig, panels = plt.subplots(1, 4, figsize=(8, 3), layout="constrained")
for axes, (i, result) in zip(panels, results.items()):
    z = mu[i] + sigma[i] * np.random.randn(n_draws, 2)
    log_w = log_likelihood(model, images[i : i + 1], z)[0]
    log_w += log_normal(z) - log_normal(z, mu[i], sigma[i])
    Ks = [4**power for power in range(6)]
    for color, estimate, label in (
        (style.ENCODER, lambda a: a.mean(axis=1), r"$\mathcal{L}^{(k)}$"),
        (style.LOSS, lambda a: logsumexp(a) - np.log(a.shape[1]), r"$\mathcal{L}_K$"),
    ):
        values = [estimate(log_w.reshape(-1, K)) for K in Ks]
        means = [v.mean() for v in values]
        bars = [2 * v.std() / np.sqrt(len(v)) for v in values]
        axes.errorbar(Ks, means, bars, fmt="o-", ms=3, lw=1, color=color, label=label)
    result.update(log_w=log_w, importance=means[-1])
    axes.axhline(result["log_p"], color=style.INK, lw=1)
    axes.axhline(result["bound"], color=style.MUTED, lw=1, ls="--")
    axes.set(xscale="log", xlabel="$k$, $K$", xticks=[1, 32, 1024], xticklabels=[1, 32, 1024])
    axes.minorticks_off()
    axes.set_title(f"⟦画像|image⟧ {i} ({labels[i]})")
panels[0].set_ylabel("nat")
panels[0].legend(frameon=False, fontsize=9, loc="center right")
plt.show()
for i, result in results.items():
    print(
        f"⟦画像|image⟧ {i}: L = {result['bound']:.2f}, L_1024 = {result['importance']:.2f},"
        f" log p(x) = {result['log_p']:.2f}"
    )
for k in (1, 16, 256):
    spread = results[0]["log_w"].reshape(-1, k).mean(axis=1).std()
    print(f"⟦画像|image⟧ 0, k = {k}: ⟦1回の推定の標準偏差|std of one estimate⟧ {spread:.2f}")

# %% [markdown] lang="ja"
r"""
青い点（$k$）は、$k$ がいくつでも同じ高さです。同じサンプルをどのように分けても、対数の平均の平均は変わらないからです。$k$ を増やしても下限は高くならず、1回の推定のばらつきが $1/\sqrt{k}$ に減るだけです。赤い点（$K$）は $\mathcal{L}$ から始まって $K$ とともに上がり、画像0と7では黒い線 $\log p(x)$ に届きます。山が2つある画像3では、$q$ の覆っていない山にサンプルがなかなか当たらないので収束が遅く、$K = 1024$ でもまだ約0.6足りません。

画像8は、$K = 1024$ でもまだ91 nat下です。サンプルはすべて $q$ のまわりにあり、事後分布のある場所には1つも届かないからです。重点サンプリングが有効なのは、$q$ が正しい場所を（わずかでも）覆っているときだけです。
"""

# %% [markdown] lang="en"
r"""
The blue points ($k$) are at the same height for every $k$: however we group the same samples, the mean of the means of logs is the same. A larger $k$ does not raise the bound. It only reduces the noise of a single estimate, by $1/\sqrt{k}$. The red points ($K$) start at $\mathcal{L}$ and rise with $K$. For images 0 and 7 they reach the black line, $\log p(x)$. For image 3, with its two peaks, samples seldom hit the peak that $q$ does not cover, so convergence is slow: at $K = 1024$, about 0.6 is still missing.

For image 8, they are still 91 nats below at $K = 1024$. All samples lie around $q$, and none reaches the posterior. Importance sampling works only if $q$ covers the right place (however thinly).
"""

# %% [markdown] lang="ja"
r"""
## 8. 500枚のテスト画像で測る

最後に、多くの画像で平均をとります。$\log p(x)$ は平面全体の格子から、$\mathcal{L}$ は64点の求積から求めます。変分下限の平均は、パッケージの `evaluate`（サンプルによる推定）とも比べます。
"""

# %% [markdown] lang="en"
r"""
## 8. Five hundred test images

Finally, we average over many images: $\log p(x)$ from the grid over the whole plane, $\mathcal{L}$ from the quadrature with 64 points. We also compare the mean of the lower bound with the package's `evaluate`, which estimates it with samples.
"""

# %%
terms = np.array([two_terms(*row) for row in zip(images, mu, sigma)])
bounds = terms[:, 0] - terms[:, 1]
gaps = plane_log_p - bounds

np.random.seed(0)
evaluation = chainer_vae.evaluate(model, images, k=10)
print(f"log p(x)   {plane_log_p.mean():8.1f}")
print(f"L          {bounds.mean():8.1f}  (evaluate, k = 10: {-evaluation.loss:.1f})")
print(f"⟦ギャップ|gap ⟧       {gaps.mean():8.1f}  (⟦中央値|median⟧ {np.median(gaps):.1f})")
print(f"⟦最小と最大|smallest and largest⟧: {gaps.min():.2f}, {gaps.max():.2f}")
np.testing.assert_allclose(-evaluation.loss, bounds.mean(), atol=1)
share = np.sort(gaps)[-(n_images // 10) :].sum() / gaps.sum()
print(
    f"⟦ギャップの大きい1割の画像が、合計に占める割合|share of the total from the largest tenth of the gaps⟧: {share:.0%}"
)

# %% [markdown] lang="ja"
r"""
$\log p(x)$ の平均は約 $-133.3$、$\mathcal{L}$ の平均は約 $-141.5$ で、`evaluate` の値とも一致しています。ギャップの平均は8.2 natですが、中央値は1.8 natしかありません。ギャップの大きい1割の画像が、合計の68%を占めています。ギャップの分布（横軸は対数）と、数字ごとの中央値と平均を図にします。
"""

# %% [markdown] lang="en"
r"""
$\log p(x)$ is about $-133.3$ on average, and $\mathcal{L}$ about $-141.5$, which agrees with `evaluate`. The mean gap is 8.2 nats, but the median is only 1.8: the tenth of the images with the largest gaps makes up 68 % of the total. We plot the distribution of the gaps (on a logarithmic axis), and the median and mean for each digit.
"""

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.hist(gaps, bins=np.geomspace(0.01, 300, 40), color=style.LOSS, alpha=0.5)
left.set(xscale="log", xlabel="⟦ギャップ (nat)|gap (nats)⟧", ylabel="⟦画像の枚数|number of images⟧")
digits = np.unique(labels)
colors = style.DIGIT_COLORS(digits)
medians = np.array([np.median(gaps[labels == digit]) for digit in digits])
means = np.array([gaps[labels == digit].mean() for digit in digits])
right.bar(digits, means, color=colors, alpha=0.35)
right.bar(digits, medians, color=colors, width=0.5)
right.set(xlabel="⟦数字|digit⟧", ylabel="⟦ギャップ (nat)|gap (nats)⟧", xticks=digits)
right.set_title("⟦淡い棒：平均、濃い棒：中央値|light: mean, dark: median⟧")
plt.show()
for digit, median, mean in zip(digits, medians, means):
    print(f"{digit}: ⟦中央値|median⟧ {median:.1f}, ⟦平均|mean⟧ {mean:.1f}")

# %% [markdown] lang="ja"
r"""
ギャップは0.03から155 natまで、4桁近い範囲に広がっています。中央値で見ると、大きいのは5（4.8）、2（3.9）、7（3.0）、小さいのは1と9（0.9）です。各数字は50枚ほどなので、平均のほうは数枚の画像で大きく変わります。

ギャップの大きい画像では、何が起きているのでしょうか。上位8枚について、元の画像、エンコーダーの $\mu$ からの再構成、平面全体で $p(x|z)\,p(z)$ が最大になる $z$ からの再構成を並べます。
"""

# %% [markdown] lang="en"
r"""
The gaps range from 0.03 to 155 nats, almost four orders of magnitude. By the median, they are largest for 5 (4.8), 2 (3.9) and 7 (3.0), and smallest for 1 and 9 (0.9). There are only about 50 images of each digit, so a few of them change the mean a lot.

What happens in the images with large gaps? For the top eight, we show the image, the reconstruction from the encoder's $\mu$, and the reconstruction from the $z$ that maximizes $p(x|z)\,p(z)$ on the whole plane.
"""

# %%
worst = np.argsort(gaps)[::-1][:8]
best_z = plane[plane_joint[worst].argmax(axis=1)]
rows = np.stack([images[worst], latent.decode(model, mu[worst]), latent.decode(model, best_z)])
fig, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
axes.imshow(latent.montage(rows.reshape(3, 8, 28, 28)))
axes.set_xticks(
    14 + 28 * np.arange(8), [f"⟦ギャップ|gap⟧ {gaps[i]:.0f}" for i in worst], fontsize=9
)
axes.set_yticks(14 + 28 * np.arange(3), ["⟦元の画像|image⟧", r"$\mu$", "⟦最適な $z$|best $z$⟧"])
axes.tick_params(length=0)
plt.show()
at_mu = log_likelihood(model, images[worst], mu[worst]).diagonal()
at_best = log_likelihood(model, images[worst], best_z).diagonal()
print("⟦対数尤度の差|difference of log likelihoods⟧:", (at_best - at_mu).round(0))

# %% [markdown] lang="ja"
r"""
上の段と中の段を比べると、エンコーダーは元の画像を別の数字と取り違えています。下の段は、同じデコーダーが平面全体の中で出力できる、最も良い再構成です。左から3枚目の8や右端の0では、正しい数字になっています。
そうでない画像でも、ぼかして大きな外れを避けるなどして、$p(x|z)$ は $e^{90}$ 倍以上になっています。

### 訓練画像ではどうか

学習で最大化したのは訓練画像の $\mathcal{L}$ で、テスト画像の $\mathcal{L}$ ではありません。訓練画像でも同じ量を測り、比べます。
"""

# %% [markdown] lang="en"
r"""
A comparison of the first two rows shows that the encoder mistook each image for another digit. The third row is the best reconstruction that the same decoder can give anywhere on the plane. For the third image, an 8, and the last one, a 0, it is the right digit.
Where it is not, the reconstruction avoids large errors, for instance by blurring, and $p(x|z)$ still becomes more than $e^{90}$ times larger.

### What about the training images?

Training maximized the $\mathcal{L}$ of the training images, not the $\mathcal{L}$ of the test images. We measure the same quantities for training images, and compare.
"""

# %%
train_images = data.train_images[: n_images // 2].astype(np.float64)
train_mu, train_ln_var = chainer_vae.encode(model, train_images)
train_sigma = np.exp(train_ln_var / 2)

train_joint = log_likelihood(model, train_images, plane) + log_normal(plane)
train_log_p = np.array([logsumexp(row) for row in train_joint]) + 2 * np.log(step)
terms = np.array([two_terms(*row) for row in zip(train_images, train_mu, train_sigma)])
train_bounds = terms[:, 0] - terms[:, 1]

for name, log_p, bound in (
    ("⟦訓練画像|training images⟧", train_log_p, train_bounds),
    ("⟦テスト画像|test images⟧", plane_log_p, bounds),
):
    print(name)
    for title, values in (("log p(x)", log_p), ("L", bound), ("⟦ギャップ|gap⟧", log_p - bound)):
        error = 2 * values.std() / np.sqrt(len(values))
        print(f"    {title} = {values.mean():.1f} ± {error:.1f}")

# %% [markdown] lang="ja"
r"""
± は標準誤差の2倍です。ギャップの平均は、訓練画像では2.1、テスト画像では8.2と、4倍近く違います。$\mathcal{L}$ の差およそ10 natのうち、6 natがギャップの差です。
残りの4 natは $\log p(x)$ の差ですが、$\log p(x)$ は画像ごとに大きく違うので（± を見てください）、この枚数では偶然の可能性があります。
この枚数ではっきり言えるのは、エンコーダーの過学習によって、テスト画像の変分下限が6 natほど低くなっていることです。デコーダーにはもっと良い $z$ があるのに、学習で見ていない画像では、エンコーダーがそれを出力できません。Zhangらが2022年に報告したのと同じ傾向です。
"""

# %% [markdown] lang="en"
r"""
± is twice the standard error. The mean gap is 2.1 for training images and 8.2 for test images, almost four times as large. Of the difference in $\mathcal{L}$, about 10 nats, 6 are the difference of the gaps.
The other 4 are a difference in $\log p(x)$, but $\log p(x)$ varies so much between images (see its ±) that with this many images it may be a coincidence.
What these images do show is that overfitting of the encoder lowers the bound on test images by about 6 nats. The decoder has a better $z$, but the encoder does not find it for images that it has not seen in training. Zhang and others reported the same tendency in 2022.
"""

# %% [markdown] lang="ja"
r"""
## 演習

### 演習1（易）：格子の粗さ

画像0, 7, 3の $\log p(x)$ を、窓 $\mu \pm 8\sigma$、間隔 $h = \sigma / 0.3$ から $\sigma$ までの格子で計算し、細かい格子の値（`results`）との差を表にしてください。
第2節の式 $2e^{-2\pi^2\sigma^2/h^2}$ は、誤差の大きさを予測できるでしょうか。

<details><summary>解答例</summary>

誤差が小さければ、対数の誤差は、元の値の相対誤差にほぼ等しくなります。

```python
for per_sigma in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0):
    errors = [log_p_in_window(i, 8, per_sigma) - results[i]["log_p"] for i in (0, 7, 3)]
    formula = 2 * np.exp(-2 * np.pi**2 * per_sigma**2)
    print(f"h = {1 / per_sigma:.2f} sigma:", np.abs(errors).round(6), f"公式 {formula:.6f}")
```

画像0では、$h = 2\sigma$ の誤差0.011に対して式は0.014、$h = 1.43\sigma$ では0.00015に対して0.00013と、桁が合います。画像3の誤差は増減しますが（$h = 2\sigma$ で小さいのは偶然です）、$h = 1.25\sigma$ でもまだ0.0003あり、式の50倍です。
画像3の事後分布には $q$ より狭い方向があるので、$q$ の $\sigma$ を基準にした間隔は、実質的にはもっと粗いからです。

</details>

### 演習2（中）：逆向きのKLダイバージェンス

$D_{\mathrm{KL}}[p(z|x) \,\|\, q(z|x)]$ を4枚の画像で計算し、$D_{\mathrm{KL}}[q(z|x) \,\|\, p(z|x)]$ と比べてください。次に、トイモデルの `0000` で、それぞれのKLを最小にする正規分布を探してください。

<details><summary>解答例</summary>

```python
for i, result in results.items():
    p = np.exp(result["log_posterior"])
    reverse = (p * (result["log_posterior"] - result["log_q"])).sum() * result["area"]
    print(f"画像 {i}: KL[q||p] = {result['kl']:.2f}, KL[p||q] = {reverse:.2f}")

log_posterior = toy_joint[0] - toy_log_p[0]
p = np.exp(log_posterior)
table = []
for m in np.arange(0, 3.5, 0.1):
    for s in np.arange(0.2, 3.5, 0.1):
        log_q = log_normal(line, m, np.array([s]))
        forward = (np.exp(log_q) * (log_q - log_posterior)).sum() * dz
        reverse = (p * (log_posterior - log_q)).sum() * dz
        table.append((m, s, forward, reverse))
m, s, forward, reverse = np.transpose(table)
for name, value in (("KL[q||p]", forward), ("KL[p||q]", reverse)):
    best = value.argmin()
    print(f"{name}: N({m[best]:.1f}, {s[best]:.1f}²), 最小値 {value[best]:.2f}")
```

逆向きのKLは、事後分布があるのに $q$ が小さい場所があると大きくなります。画像3では2.29が7.69に、画像8では118が525になります。
トイモデルでは、VAEの使う $D_{\mathrm{KL}}[q \,\|\, p]$ は片方の山だけを選び、逆向きの $D_{\mathrm{KL}}[p \,\|\, q]$ は両方の山を1つの広い分布で覆います。後者を最小にするのは、平均と分散が事後分布と等しい正規分布です。

</details>

### 演習3（中）：意図的に悪いqを使う

画像0の $q$ の $\sigma$ を0.1倍から4倍まで変えて、変分下限をプロットしてください。最もよいのは1倍でしょうか。また、ほかの画像の $q$ を使うと、画像0の変分下限はどうなるでしょうか。$\log p(x)$ を超えることはあるでしょうか。

<details><summary>解答例</summary>

```python
factors = np.geomspace(0.1, 4, 30)
curve = [np.dot([1, -1], two_terms(images[0], mu[0], f * sigma[0])) for f in factors]
fig, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.semilogx(factors, curve, color=style.ENCODER)
axes.axhline(results[0]["log_p"], color=style.INK, lw=1)
axes.set(xlabel=r"$\sigma$ の倍率", ylabel=r"$\mathcal{L}$")
plt.show()
print(f"最良の倍率 {factors[np.argmax(curve)]:.2f}, そのときL = {max(curve):.2f}")
others = np.array([np.dot([1, -1], two_terms(images[0], *q)) for q in zip(mu[:40], sigma[:40])])
print(f"L > log p(x): {(others > results[0]['log_p']).sum()} 枚")
order = np.argsort(others)[::-1][:5]
print("上位5枚:", [(int(i), int(labels[i]), round(float(others[i]), 1)) for i in order])
```

最もよいのは1倍ではなく、約1.3倍です。中心がずれているので、少し広いほうが下限は高くなります。倍率を変えても、ほかの画像の $q$ を使っても、変分下限は $\log p(x)$ を超えません。悪い $q$ は下限を低くするだけで、真の値より高くすることはありません。
ほかの画像の $q$ では、同じ7である画像17のものが最もよいのですが、それでも下限は $-120.5$ まで下がります。その次が画像8、エンコーダーが取り違えた5です。

</details>

### 演習4（難）：エンコーダーのせいか、正規分布のせいか

ギャップは2つに分けられます。1枚の画像のために最適な $\mu, \sigma$ を選んでも残る分（近似ギャップ、approximation gap）と、エンコーダーがその最適な値を出力できなかった分（償却ギャップ、amortization gap）です。
画像0, 7, 3, 8について、$\mu$ と $\ln\sigma^2$ をAdamで直接最適化し、2つを求めてください。エンコーダーの出力から始めた場合と、平面全体で $p(x, z)$ が最大の点から始めた場合を比べてください。

<details><summary>解答例</summary>

$E_q$ は $4 \times 4 = 16$ 点の求積で計算するので、乱数を含まない関数の最大化になります。最後の値は、64点で計算し直します。

```python
node4, weight4 = np.polynomial.hermite_e.hermegauss(4)
eps4 = np.stack(np.meshgrid(node4, node4), axis=-1).reshape(-1, 2)
weights4 = np.outer(weight4, weight4).ravel() / (2 * np.pi)


def optimize(x, mu, ln_var):
    # muとln_varを、xの変分下限が最大になるように動かす
    q = chainer.Link()
    with q.init_scope():
        q.mu = chainer.Parameter(mu[None].copy())
        q.ln_var = chainer.Parameter(ln_var[None].copy())
    optimizer = chainer.optimizers.Adam(alpha=0.02).setup(q)
    for _ in range(n_steps):
        size = eps4.shape
        z = F.broadcast_to(q.mu, size) + F.broadcast_to(F.exp(q.ln_var / 2), size) * eps4
        h = model.decode(z, sigmoid=False)
        log_lik = F.sum(h * np.broadcast_to(x, h.shape) - F.softplus(h), axis=1)
        loss = gaussian_kl_divergence(q.mu, q.ln_var) - F.sum(weights4 * log_lik)
        q.cleargrads()
        model.cleargrads()
        loss.backward()
        optimizer.update()
    return q.mu.array[0], np.exp(q.ln_var.array[0] / 2)


for i, result in results.items():
    gaps_after = []
    for start in (mu[i], plane[plane_joint[i].argmax()]):
        reconstruction, kl = two_terms(images[i], *optimize(images[i], start, ln_var[i]))
        gaps_after.append(result["log_p"] - reconstruction + kl)
    print(
        f"画像 {i}: ギャップ {result['kl']:.3f}, 最適化後 {gaps_after[0]:.3f} (エンコーダーから),"
        f" {gaps_after[1]:.3f} (事後分布が最大の点から)"
    )
```

最適化すると、画像0のギャップは1.72から0.005に、画像8のギャップは118から0.29になります。つまり、ほとんどが償却ギャップです。画像7では、斜めの分布を軸に平行な楕円で近似したことによる0.36が残ります。
画像3では、開始点によって0.96か0.72になります。2つの山のどちらに収束するかが違うからです。0.72は $\log 2 \approx 0.69$ に近く、同程度の山が2つあるときに片方だけを覆った場合の値です。

</details>

## まとめ

- $\log p(x)$ と変分下限の差は、$q(z|x)$ と真の事後分布とのKLダイバージェンスにちょうど一致します。
- 変分下限は、事前分布とのKLダイバージェンスと、再構成の期待値の2つの項で計算できます。
- サンプルを $k$ 個に増やすと推定のばらつきが減り、重点サンプリングで $K$ 個使うと下限そのものが $\log p(x)$ に近づきます。
- ギャップは画像によって大きく異なり、少数の画像が平均の大半を占めます。

## 次に読むもの

- これで式は揃いました。残る問題は、$z$ のサンプリングを通して勾配を伝えることです。[レッスン4](lesson:04)で、Reparameterization Trickと誤差逆伝播を手で書きます。
- 灰色の画素にベルヌーイ分布を当てはめてよいのか、$C$ や $k$ を変えると何が起きるのかは、[レッスン5](lesson:05)で調べます。

## 出典

- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114)（変分下限と2つの項。付録BにKLの閉じた式、付録Cにベルヌーイ分布のデコーダー）
- Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", 2015, [arXiv:1509.00519](https://arxiv.org/abs/1509.00519)（$\mathcal{L}_K$）
- C. Cremer, X. Li, D. Duvenaud, "Inference Suboptimality in Variational Autoencoders", 2018, [arXiv:1801.03558](https://arxiv.org/abs/1801.03558)（近似ギャップと償却ギャップ）
- M. Zhang, P. Hayes, D. Barber, "Generalization Gap in Amortized Inference", 2022, [arXiv:2205.11640](https://arxiv.org/abs/2205.11640)（エンコーダーの過学習）
- G. Loaiza-Ganem, J. P. Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders", 2019, [arXiv:1907.06845](https://arxiv.org/abs/1907.06845)（灰色の画素）
- L. N. Trefethen, J. A. C. Weideman, "The Exponentially Convergent Trapezoidal Rule", SIAM Review 56, 2014（等間隔の和が速く収束する理由）
- kenmatsu4, "[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)", 2017
"""

# %% [markdown] lang="en"
r"""
## Exercises

### Exercise 1 (easy): how coarse can the grid be?

Compute $\log p(x)$ of images 0, 7 and 3 in the window $\mu \pm 8\sigma$ with steps from $h = \sigma / 0.3$ down to $\sigma$, and tabulate the difference from the fine grid (`results`).
Does the formula of section 2, $2e^{-2\pi^2\sigma^2/h^2}$, predict the size of the error?

<details><summary>Solution</summary>

If the error is small, the error of the logarithm is approximately the relative error of the value itself.

```python
for per_sigma in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0):
    errors = [log_p_in_window(i, 8, per_sigma) - results[i]["log_p"] for i in (0, 7, 3)]
    formula = 2 * np.exp(-2 * np.pi**2 * per_sigma**2)
    print(f"h = {1 / per_sigma:.2f} sigma:", np.abs(errors).round(6), f"formula {formula:.6f}")
```

For image 0, the order of magnitude is right: at $h = 2\sigma$ the error is 0.011 and the formula gives 0.014; at $h = 1.43\sigma$ it is 0.00015 against 0.00013. For image 3, the error goes up and down (that it is small at $h = 2\sigma$ is chance), but at $h = 1.25\sigma$ it is still 0.0003, 50 times the formula.
The posterior of image 3 is narrower than $q$ in one direction, so a step measured in the $\sigma$ of $q$ is effectively coarser.

</details>

### Exercise 2 (medium): the reverse KL divergence

Compute $D_{\mathrm{KL}}[p(z|x) \,\|\, q(z|x)]$ for the four images, and compare it with $D_{\mathrm{KL}}[q(z|x) \,\|\, p(z|x)]$. Then, for `0000` of the toy model, find the normal distribution that minimizes each of them.

<details><summary>Solution</summary>

```python
for i, result in results.items():
    p = np.exp(result["log_posterior"])
    reverse = (p * (result["log_posterior"] - result["log_q"])).sum() * result["area"]
    print(f"image {i}: KL[q||p] = {result['kl']:.2f}, KL[p||q] = {reverse:.2f}")

log_posterior = toy_joint[0] - toy_log_p[0]
p = np.exp(log_posterior)
table = []
for m in np.arange(0, 3.5, 0.1):
    for s in np.arange(0.2, 3.5, 0.1):
        log_q = log_normal(line, m, np.array([s]))
        forward = (np.exp(log_q) * (log_q - log_posterior)).sum() * dz
        reverse = (p * (log_posterior - log_q)).sum() * dz
        table.append((m, s, forward, reverse))
m, s, forward, reverse = np.transpose(table)
for name, value in (("KL[q||p]", forward), ("KL[p||q]", reverse)):
    best = value.argmin()
    print(f"{name}: N({m[best]:.1f}, {s[best]:.1f}²), minimum {value[best]:.2f}")
```

The reverse KL divergence is large where the posterior has probability but $q$ is small. For image 3, 2.29 becomes 7.69, and for image 8, 118 becomes 525.
In the toy model, the $D_{\mathrm{KL}}[q \,\|\, p]$ used by the VAE picks one of the peaks, while the reverse $D_{\mathrm{KL}}[p \,\|\, q]$ covers both with one wide distribution. The latter is minimized by the normal distribution with the posterior's mean and variance.

</details>

### Exercise 3 (medium): a deliberately bad q

Multiply the $\sigma$ of image 0's $q$ by factors from 0.1 to 4, and plot the lower bound. Is a factor of 1 the best? And what is the lower bound of image 0 with the $q$ of other images? Does it ever exceed $\log p(x)$?

<details><summary>Solution</summary>

```python
factors = np.geomspace(0.1, 4, 30)
curve = [np.dot([1, -1], two_terms(images[0], mu[0], f * sigma[0])) for f in factors]
fig, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.semilogx(factors, curve, color=style.ENCODER)
axes.axhline(results[0]["log_p"], color=style.INK, lw=1)
axes.set(xlabel=r"factor of $\sigma$", ylabel=r"$\mathcal{L}$")
plt.show()
print(f"best factor {factors[np.argmax(curve)]:.2f}, L = {max(curve):.2f} there")
others = np.array([np.dot([1, -1], two_terms(images[0], *q)) for q in zip(mu[:40], sigma[:40])])
print(f"L > log p(x): {(others > results[0]['log_p']).sum()} images")
order = np.argsort(others)[::-1][:5]
print("top five:", [(int(i), int(labels[i]), round(float(others[i]), 1)) for i in order])
```

The best factor is not 1 but about 1.3: since the centre is off, a slightly wider distribution gives a higher bound. Neither another factor nor the $q$ of another image lifts the bound above $\log p(x)$. A bad $q$ only lowers the bound. It never raises it above the true value.
Among the $q$ of other images, that of image 17, also a 7, is the best, and even so the bound falls to $-120.5$. Next comes image 8, the 5 that the encoder mistook.

</details>

### Exercise 4 (hard): the encoder, or the normal distribution?

The gap has two parts: what remains even with the best $\mu, \sigma$ for this one image (the approximation gap), and what is lost because the encoder does not output these best values (the amortization gap).
Find both for images 0, 7, 3 and 8, by optimizing $\mu$ and $\ln\sigma^2$ directly with Adam. Compare starting from the encoder's output with starting from the point of the whole plane where $p(x, z)$ is largest.

<details><summary>Solution</summary>

$E_q$ is computed by quadrature with $4 \times 4 = 16$ points, so this is the maximization of a function without random numbers. The final value is recomputed with 64 points.

```python
node4, weight4 = np.polynomial.hermite_e.hermegauss(4)
eps4 = np.stack(np.meshgrid(node4, node4), axis=-1).reshape(-1, 2)
weights4 = np.outer(weight4, weight4).ravel() / (2 * np.pi)


def optimize(x, mu, ln_var):
    # moves mu and ln_var to where the lower bound of x is largest
    q = chainer.Link()
    with q.init_scope():
        q.mu = chainer.Parameter(mu[None].copy())
        q.ln_var = chainer.Parameter(ln_var[None].copy())
    optimizer = chainer.optimizers.Adam(alpha=0.02).setup(q)
    for _ in range(n_steps):
        size = eps4.shape
        z = F.broadcast_to(q.mu, size) + F.broadcast_to(F.exp(q.ln_var / 2), size) * eps4
        h = model.decode(z, sigmoid=False)
        log_lik = F.sum(h * np.broadcast_to(x, h.shape) - F.softplus(h), axis=1)
        loss = gaussian_kl_divergence(q.mu, q.ln_var) - F.sum(weights4 * log_lik)
        q.cleargrads()
        model.cleargrads()
        loss.backward()
        optimizer.update()
    return q.mu.array[0], np.exp(q.ln_var.array[0] / 2)


for i, result in results.items():
    gaps_after = []
    for start in (mu[i], plane[plane_joint[i].argmax()]):
        reconstruction, kl = two_terms(images[i], *optimize(images[i], start, ln_var[i]))
        gaps_after.append(result["log_p"] - reconstruction + kl)
    print(
        f"image {i}: gap {result['kl']:.3f}, optimized {gaps_after[0]:.3f} (from the encoder),"
        f" {gaps_after[1]:.3f} (from the posterior's maximum)"
    )
```

After the optimization, the gap of image 0 falls from 1.72 to 0.005, and that of image 8 from 118 to 0.29. So nearly all of it is the amortization gap. For image 7, 0.36 remains, the cost of approximating a slanted distribution by an ellipse aligned with the axes.
For image 3 it is 0.96 or 0.72, depending on the start, because the optimization converges to one or the other of the two peaks. 0.72 is close to $\log 2 \approx 0.69$, the value for covering only one of two peaks of about equal weight.

</details>

## Summary

- The gap between $\log p(x)$ and the lower bound is exactly the KL divergence of $q(z|x)$ from the true posterior.
- The lower bound is computed from two terms: the KL divergence from the prior, and the expected reconstruction.
- With $k$ samples the estimate varies less; with $K$ samples in importance sampling the bound itself approaches $\log p(x)$.
- The gap differs a lot between images, and a few of them make up most of its mean.

## What to read next

- The formulas are now complete. What remains is to pass gradients through the sampling of $z$. [Lesson 4](lesson:04) writes the reparameterization trick and backpropagation by hand.
- [Lesson 5](lesson:05) asks whether a Bernoulli distribution may be applied to grey pixels, and what happens when $C$ or $k$ changes.

## Sources

- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114) (the lower bound and its two terms; appendix B has the closed form of the KL divergence, appendix C the Bernoulli decoder)
- Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", 2015, [arXiv:1509.00519](https://arxiv.org/abs/1509.00519) ($\mathcal{L}_K$)
- C. Cremer, X. Li, D. Duvenaud, "Inference Suboptimality in Variational Autoencoders", 2018, [arXiv:1801.03558](https://arxiv.org/abs/1801.03558) (the approximation gap and the amortization gap)
- M. Zhang, P. Hayes, D. Barber, "Generalization Gap in Amortized Inference", 2022, [arXiv:2205.11640](https://arxiv.org/abs/2205.11640) (overfitting of the encoder)
- G. Loaiza-Ganem, J. P. Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders", 2019, [arXiv:1907.06845](https://arxiv.org/abs/1907.06845) (grey pixels)
- L. N. Trefethen, J. A. C. Weideman, "The Exponentially Convergent Trapezoidal Rule", SIAM Review 56, 2014 (why sums over equal steps converge so fast)
- kenmatsu4, "[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)", 2017
"""
