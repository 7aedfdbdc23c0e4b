# %% [markdown] lang="ja"
r"""
# 5. 記事が残した問い：グレースケールの画素とベルヌーイ分布、$C$、$k$

記事のプログラムには、説明のない選択が3つあります。

1. **ベルヌーイ分布。** MNISTの画素は0と1だけではなく、その間のグレースケールの値もとります。それをベルヌーイ分布の式に入れてよいのでしょうか。元のリポジトリでも読者が誤差関数について質問しています。著者も、グレースケールの扱いは以前から疑問に思っていて、まだ答えを見つけられていないと答えています（[issue 2](https://github.com/matsuken92/Qiita_Contents/issues/2)）。
2. **`C`。** KLダイバージェンスの重みです。1以外にすると何が起きるのでしょうか。
3. **`k`。** 画像1枚あたりの $z$ のサンプル数です。増やすと何が良くなり、何が変わらないのでしょうか。

小さなVAEを実際に学習させ、学習済みのモデル `z20` も調べて確かめます。損失の単位はすべて、画像1枚あたりのnat（自然対数で測った情報量の単位）です。画素と潜在次元について和をとり、画像について平均します。

- **時間**：読んで実行するのに約50分、演習に約60分
- **目標**：灰色の画素の損失が何を意味するのかを説明できる。`C` と `k` の効果を予想し、測定できる。使われている潜在次元を数えられる
- **前提**：[レッスン2](lesson:02)と[レッスン3](lesson:03)
- **エクスプローラー**（`chainer-vae explore --open`）：[20個の潜在次元を1つずつ動かす](explorer:section=dimensions)
"""

# %% [markdown] lang="en"
r"""
# 5. What the article leaves open: greyscale pixels and the Bernoulli distribution, $C$, $k$

The article's program makes three choices that it does not explain.

1. **The Bernoulli distribution.** The pixels of MNIST are not only 0 and 1 but also grey values in between. May these be used in the formula of a Bernoulli distribution? A reader of the original repository asked about this loss. The author answered that he, too, had long wondered about the grey values, and had not found the answer ([issue 2](https://github.com/matsuken92/Qiita_Contents/issues/2)).
2. **`C`**, the weight of the KL divergence. What happens if it is not 1?
3. **`k`**, the number of samples of $z$ for each image. What improves with more of them, and what stays the same?

To find out, we train small VAEs, and examine the trained model `z20`. All losses are in nats (the unit of information for natural logarithms) per image: summed over the pixels and the latent dimensions, averaged over the images.

- **Time**: about 50 minutes to read and run, and 60 more for the exercises
- **Goals**: explain what the loss of grey pixels means; predict and measure what `C` and `k` do; count the latent dimensions in use
- **You need**: [lesson 2](lesson:02) and [lesson 3](lesson:03)
- **In the explorer** (`chainer-vae explore --open`): [vary the 20 latent dimensions one at a time](explorer:section=dimensions)
"""

# %%
import chainer_vae  # ⟦Chainerを使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
import math
import time

import chainer
import chainer.functions as F
import matplotlib.pyplot as plt
import numpy as np
from chainer.functions.loss.vae import gaussian_kl_divergence

from chainer_vae import VAE, datasets, encode, engine, evaluate, latent
from chainer_vae.engine import thread_pool
from chainer_vae.figures import style

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% tags=["parameters"] small={"n_images": 500, "n_test": 200, "epochs": 1, "C_epochs": 1, "draws": 5}
n_images = 20_000  # ⟦訓練画像の枚数|number of training images⟧
n_test = 2_000  # ⟦テスト画像の枚数|number of test images⟧
n_latent, n_h = 20, 200  # ⟦潜在次元の数と、隠れ層のユニット数|latent dimensions and hidden units⟧
epochs = 4  # ⟦5-3節の各学習のエポック数|epochs of each training in section 5-3⟧
C_epochs = 6  # ⟦5-5節の各学習のエポック数|epochs of each training in section 5-5⟧
draws = 20  # ⟦5-7節で勾配を計算する回数|how often section 5-7 computes the gradient⟧

# %%
data = chainer_vae.load_mnist()
images, test_images = data.train_images[:n_images], data.test_images[:n_test]
z20, _ = chainer_vae.load_model("z20")  # ⟦学習済みの20次元のモデル|the trained model⟧

# %% [markdown] lang="ja"
r"""
## 5-1. 97 natに含まれる定数

記事の再構成誤差は、画素の値 $x$ とデコーダーの出力 $y$ から

$$-x \ln y - (1 - x) \ln (1 - y)$$

を計算し、全画素で足したものです。$x$ が0か1なら、これはベルヌーイ分布の負の対数尤度で、$y = x$ のときに0になります。
では、$x$ が灰色ならどうでしょうか。$y$ で微分すると $(y - x) / (y (1 - y))$ なので、最小になるのはやはり $y = x$ です。ところが、そこでの値は0ではなく

$$H(x) = -x \ln x - (1 - x) \ln (1 - x)$$

です。つまり、完全に再構成しても $H(x)$ の損失が残ります。左の図は4種類の $x$ での損失、右の図は最初のテスト画像の各画素の $H(x)$ です。
"""

# %% [markdown] lang="en"
r"""
## 5-1. The constant in the 97 nats

From the value $x$ of a pixel and the decoder's output $y$, the article's reconstruction error computes

$$-x \ln y - (1 - x) \ln (1 - y)$$

and adds it up over all pixels. If $x$ is 0 or 1, this is the negative log likelihood of a Bernoulli distribution, and it is 0 at $y = x$.
What if $x$ is grey? The derivative with respect to $y$ is $(y - x) / (y (1 - y))$, so the minimum is still at $y = x$. But its value there is not 0 but

$$H(x) = -x \ln x - (1 - x) \ln (1 - x)$$

So even a perfect reconstruction leaves a loss of $H(x)$. On the left is the loss for four values of $x$; on the right is $H(x)$ for each pixel of the first test image.
"""


# %%
def entropy(x):
    """⟦H(x)。0と1では0|H(x), which is 0 at 0 and at 1⟧"""
    x = np.clip(x.astype(float), 1e-12, 1 - 1e-12)
    return -x * np.log(x) - (1 - x) * np.log(1 - x)


y = np.linspace(0.002, 0.998, 499)
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.9), width_ratios=[3, 2])
for x in (0.0, 0.2, 0.5, 1.0):
    (line,) = left.plot(y, -x * np.log(y) - (1 - x) * np.log(1 - y), label=f"$x = {x}$")
    left.plot(x, entropy(np.array(x)), "o", color=line.get_color(), clip_on=False)
left.set(xlabel="$y$", ylabel="⟦1画素の損失|loss per pixel⟧", xlim=(0, 1), ylim=(0, 3))
left.legend(title="⟦点は最小値|dots: minima⟧", loc="upper center", fontsize=9)
heatmap = right.imshow(entropy(test_images[0]).reshape(28, 28), cmap="magma")
right.set(title="$H(x)$", xticks=[], yticks=[])
fig.colorbar(heatmap, ax=right)
fig.tight_layout()
plt.show()

# %% [markdown] lang="ja"
r"""
灰色の画素は数字の輪郭にあり、$H(x)$ が大きいのもそこです。テスト画像10,000枚で全画素の $H(x)$ の和を平均すると、記事の再構成誤差がとりうる最小値が求まります。それを、記事と同じ大きさのモデル `z20` の損失（約97 nat）と比べます。
"""

# %% [markdown] lang="en"
r"""
The grey pixels lie along the edges of the strokes, and that is where $H(x)$ is large. Summed over the pixels and averaged over the 10,000 test images, $H(x)$ gives the smallest possible value of the article's reconstruction error: its floor. We compare it with the loss of `z20`, a model of the same size as the article's (about 97 nats).
"""

# %%
x = data.test_images
floor = entropy(x).sum(axis=1).mean()
np.random.seed(0)
result = evaluate(z20, x, k=1)
print(f"⟦画素の割合：灰色|share of pixels: grey⟧ {np.mean((x > 0) & (x < 1)):.1%},", end=" ")
print(f"⟦ちょうど0|exactly 0⟧ {np.mean(x == 0):.1%}")
print(f"⟦再構成誤差の最小値|floor⟧: {floor:.2f}")
print(f"z20: ⟦再構成誤差|reconstruction error⟧ {result.rec_loss:.2f}, -ELBO {result.loss:.2f}")
print(f"⟦最小値との差|above the floor⟧: {result.rec_loss - floor:.2f}, {result.loss - floor:.2f}")

# %% [markdown] lang="ja"
r"""
最小値は45.5 natです。記事の97 natのうち半分近くは、どれほど良いモデルでも減らせない定数です。定数なので勾配には影響せず、学習は正しく進みます。ただし、損失の値から再構成の良さを読み取るなら、先にこの定数を引くべきです。

### 確率としての解釈

$x$ を「画素が1になる確率」と考え、$b \sim \mathrm{Bernoulli}(x)$ で白黒画像 $b$ をサンプリングします。$b$ の期待値は $x$ で、ベルヌーイ分布の対数尤度は $b$ の1次式なので

$$\mathbb{E}_b \left[ -b \ln y - (1 - b) \ln (1 - y) \right] = -x \ln y - (1 - x) \ln (1 - y)$$

となります。つまり記事の損失は、**確率 $x$ で二値化した画像** の、負の変分下限の期待値です（エンコーダーは $b$ ではなく $x$ を入力としますが、変分下限は $q(z)$ をどう選んでも成り立ちます）。最小値の45.5 natは、この二値化のエントロピーです。グレースケール画像そのものの尤度ではありません。

テスト画像1枚について、白黒画像を多数サンプリングし、両辺を比べます。
"""

# %% [markdown] lang="en"
r"""
The floor is 45.5 nats. Almost half of the article's 97 nats is a constant that no model can reduce, however good it is. Being a constant, it does not affect the gradient, and training works correctly. But if you read the loss as a measure of how well images are reconstructed, subtract the floor first.

### An interpretation as a probability

Take $x$ as the probability that the pixel is 1, and sample black-and-white images $b$ by $b \sim \mathrm{Bernoulli}(x)$. The mean of $b$ is $x$, and the log likelihood of a Bernoulli distribution is linear in $b$, so

$$\mathbb{E}_b \left[ -b \ln y - (1 - b) \ln (1 - y) \right] = -x \ln y - (1 - x) \ln (1 - y)$$

So the article's loss is the expectation of the negative ELBO over **images binarized with probability $x$** (the encoder's input is $x$ and not $b$, but the ELBO is valid for any choice of $q(z)$). The floor of 45.5 nats is the entropy of this binarization. It is not a likelihood of the greyscale images themselves.

For one test image, we sample many black-and-white images and compare the two sides.
"""

# %%
np.random.seed(0)
x = test_images[:1]
a = z20(x, sigmoid=False).array  # ⟦ロジット：y = 1 / (1 + e^-a)|logits⟧
b = np.random.uniform(size=(5000, 784)) < x
sampled = (np.logaddexp(0, a) - a * b).sum(axis=1)  # -b ln y - (1 - b) ln(1 - y)
exact = F.bernoulli_nll(x, a).array  # ⟦記事の式|the article's formula⟧
error = sampled.std() / math.sqrt(len(b))
print(f"⟦bについての平均|mean over b⟧: {sampled.mean():.2f} ± {error:.2f}")
print(f"⟦記事の式|the article's formula⟧: {exact:.2f}")
assert abs(sampled.mean() - exact) < 4 * error

# %% [markdown] lang="ja"
r"""
誤差の範囲で一致しました。

## 5-2. 足りない正規化定数：連続ベルヌーイ分布

グレースケールの値 $x$ そのものの分布には、$[0, 1]$ での積分が1になる **確率密度** が必要です。ベルヌーイ分布の式 $\lambda^x (1 - \lambda)^{1 - x}$ は、$x = 0$ と $x = 1$ での **和** が1になる式で、積分は1になりません。Loaiza-GanemとCunninghamは2019年に、足りない定数を補った **連続ベルヌーイ分布** を提案しました。

$$p(x) = C(\lambda) \, \lambda^x (1 - \lambda)^{1 - x}, \qquad C(\lambda) = \frac{2 \tanh^{-1} (1 - 2 \lambda)}{1 - 2 \lambda}, \qquad C(1/2) = 2$$

この $C(\lambda)$ は `get_loss_func` の `C` とは別物です。

デコーダーの出力は $\lambda$ ではなくロジット $a = \ln (\lambda / (1 - \lambda))$ です。$1 - 2 \lambda = -\tanh (a / 2)$ なので、$a$ で書くと式はずっと簡単になります。

$$C = \frac{a}{\tanh (a / 2)}, \qquad \ln C = \ln 2 + \frac{a^2}{12} - \frac{7 a^4}{1440} + \cdots$$

$a = 0$（$\lambda = 1/2$）では $0 / 0$ になり、その近くでは勾配に桁落ち（近い数どうしの引き算で有効数字が失われること）も起きます。そこで、$|a| < 0.3$ では右のテイラー展開を使います。
"""

# %% [markdown] lang="en"
r"""
They agree within the error.

## 5-2. The missing normalizing constant: the continuous Bernoulli distribution

A distribution of the grey values $x$ themselves needs a **density**, whose integral over $[0, 1]$ is 1. The Bernoulli formula $\lambda^x (1 - \lambda)^{1 - x}$ has a **sum** of 1 over $x = 0$ and $x = 1$, but its integral is not 1. In 2019, Loaiza-Ganem and Cunningham added the missing constant and proposed the **continuous Bernoulli distribution**.

$$p(x) = C(\lambda) \, \lambda^x (1 - \lambda)^{1 - x}, \qquad C(\lambda) = \frac{2 \tanh^{-1} (1 - 2 \lambda)}{1 - 2 \lambda}, \qquad C(1/2) = 2$$

This $C(\lambda)$ is unrelated to the `C` of `get_loss_func`.

The decoder's output is not $\lambda$ but the logit $a = \ln (\lambda / (1 - \lambda))$. Since $1 - 2 \lambda = -\tanh (a / 2)$, the formula is much simpler in $a$.

$$C = \frac{a}{\tanh (a / 2)}, \qquad \ln C = \ln 2 + \frac{a^2}{12} - \frac{7 a^4}{1440} + \cdots$$

At $a = 0$ ($\lambda = 1/2$) it is $0 / 0$, and close to it the gradient suffers from cancellation (subtracting nearly equal numbers loses significant digits). So for $|a| < 0.3$ we use the Taylor series on the right.
"""


# %%
def ln_C(a):
    """⟦連続ベルヌーイ分布のln C、ロジットaの関数|ln C of the continuous Bernoulli, as a function of the logit a⟧"""
    a = chainer.as_variable(a)
    near = abs(a.array) < 0.3
    m = F.where(near, np.ones_like(a.array), F.absolute(a))  # ⟦0を避ける|avoids 0⟧
    s = a * a
    return F.where(near, math.log(2) + s / 12 - 7 * s * s / 1440, F.log(m / F.tanh(m / 2)))


a = np.linspace(-6, 6, 241, dtype=np.float32)  # ⟦0を含む|includes 0⟧
u = np.tanh(-a[a != 0].astype(float) / 2)  # 1 - 2 λ
np.testing.assert_allclose(ln_C(a).array[a != 0], np.log(2 * np.arctanh(u) / u), rtol=1e-6)
print("C(1/2) =", np.exp(ln_C(np.zeros(1)).array[0]))

x = (np.arange(100_000) + 0.5) / 100_000  # ⟦中点則：積分は平均になる|midpoint rule: ∫ is a mean⟧
for lam in (0.01, 0.3, 0.5, 0.501, 0.9):
    without_C = np.mean(lam**x * (1 - lam) ** (1 - x))
    C = np.exp(ln_C(np.array([math.log(lam / (1 - lam))])).array[0])
    print(f"λ = {lam:<5}  ⟦Cなしの積分|integral without C⟧ {without_C:.4f}", end="   ")
    print(f"⟦Cを掛けた積分|with C⟧ {C * without_C:.8f}")
    np.testing.assert_allclose(C * without_C, 1, rtol=1e-6)

# %% [markdown] lang="ja"
r"""
$C$ がないと積分は0.2から0.5ほどで、$C$ を掛けるとどの $\lambda$ でも1になりました。

もう1つ注意が必要です。ベルヌーイ分布では $\lambda$ が平均ですが、連続ベルヌーイ分布の平均は $\lambda$ では **ありません**。$\ln p(x) = a x + \mathrm{const.}$ なので、これは $[0, 1]$ で切断した指数分布です。平均は

$$m(a) = \frac{1}{2} + \frac{1}{2 \tanh (a / 2)} - \frac{1}{a} = \frac{1}{2} + \frac{a}{12} - \frac{a^3}{720} + \cdots$$

となります。図は、左から密度、定数 $C(\lambda)$、平均です。
"""

# %% [markdown] lang="en"
r"""
Without $C$, the integrals are only about 0.2 to 0.5. Multiplied by $C$, they are 1 for every $\lambda$.

There is one more pitfall. The mean of a Bernoulli distribution is $\lambda$, but the mean of a continuous Bernoulli distribution is **not** $\lambda$. Since $\ln p(x) = a x + \mathrm{const.}$, it is an exponential distribution truncated to $[0, 1]$, and its mean is

$$m(a) = \frac{1}{2} + \frac{1}{2 \tanh (a / 2)} - \frac{1}{a} = \frac{1}{2} + \frac{a}{12} - \frac{a^3}{720} + \cdots$$

The figure shows, from left to right, the density, the constant $C(\lambda)$ and the mean.
"""


# %%
def mean_of(a):
    """⟦連続ベルヌーイ分布の平均、ロジットaの関数|Mean of the continuous Bernoulli, as a function of the logit a⟧"""
    near = abs(a) < 0.3
    s = np.where(near, 1, a)
    return np.where(near, 0.5 + a / 12 - a**3 / 720, 0.5 + 0.5 / np.tanh(s / 2) - 1 / s)


fig, axes = plt.subplots(1, 3, figsize=(8, 2.7))
for lam in (0.02, 0.3, 0.5, 0.9):
    a = np.array([math.log(lam / (1 - lam))])
    density = np.exp(ln_C(a).array) * lam**x * (1 - lam) ** (1 - x)
    np.testing.assert_allclose(np.mean(x * density), mean_of(a)[0], rtol=1e-6)  # ∫ x p(x) dx
    axes[0].plot(x[::500], density[::500], label=f"{lam}")
axes[0].set(xlabel="$x$", ylabel="$p(x)$", ylim=(0, 4.5))
axes[0].legend(title="$\\lambda$", fontsize=9)
lam = np.linspace(0.001, 0.999, 999)
a = np.log(lam / (1 - lam))
axes[1].plot(lam, np.exp(ln_C(a).array), color=style.LATENT)
axes[1].set(xlabel="$\\lambda$", ylabel="$C(\\lambda)$", ylim=(0, 7.2))
axes[2].plot(lam, lam, "--", color=style.MUTED, label="⟦ベルヌーイ|Bernoulli⟧")
axes[2].plot(lam, mean_of(a), color=style.LATENT, label="⟦連続ベルヌーイ|continuous⟧")
axes[2].set(xlabel="$\\lambda$", ylabel="⟦平均|mean⟧")
axes[2].legend(fontsize=9)
fig.tight_layout()
plt.show()
print("m(λ = 0.02) =", mean_of(np.log(0.02 / 0.98)).round(3))

# %% [markdown] lang="ja"
r"""
平均は $\lambda$ より常に1/2に近く、$\lambda = 0.02$ でも0.236です。連続ベルヌーイ分布で「ほとんど黒い画素」を表すには、$a$ が絶対値のもっと大きな負の数でなければなりません。
"""

# %% [markdown] lang="en"
r"""
The mean is always closer to 1/2 than $\lambda$: even at $\lambda = 0.02$ it is 0.236. To express "this pixel is almost black", a continuous Bernoulli distribution needs an $a$ that is far more negative.
"""

# %% [markdown] lang="ja"
r"""
## 5-3. 4つのデコーダー

ネットワークは同じで、デコーダーの分布だけが異なる4つのVAEを学習させます。

- **(a) ベルヌーイ、グレースケール**：記事のモデルと同じです。
- **(b) ベルヌーイ、二値**：0.5以上を1、それ以外を0にした画像を使います。確率 $x$ で二値化する方法もありますが（演習2）、ここではしきい値で二値化します。毎回同じ画像になり、再構成誤差の最小値が0になるからです。
- **(c) 連続ベルヌーイ**：(a) の式から $\sum \ln C$ を引くだけです。
- **(d) ガウス**：平均は $\mathrm{sigmoid}(a)$ です。標準偏差 $\sigma$ は全画素に共通で、これも学習します。損失は

$$\sum_{i=1}^{784} \left( \frac{(x_i - y_i)^2}{2 \sigma^2} + \ln \sigma + \frac{1}{2} \ln 2 \pi \right)$$

(c) と (d) は密度なので、注意が必要です。5-1節で見たとおり、MNISTの画素の8割は **ちょうど** 0です。連続ベルヌーイ分布の $x = 0$ での密度は、$a \to -\infty$ で $|a|$ と同程度に大きくなります。そのため、常に0の画素があると損失はいくらでも下がり、値に意味がなくなります。そこで、0から255の整数 $v$ に $[0, 1)$ の一様乱数 $u$ を加え、$(v + u) / 256$ として幅を持たせます。これを **逆量子化**（dequantization）といい、5-4節でも使います。

クラスは `VAE` を継承し、再構成誤差の項 `nll`（負の対数尤度）だけを差し替えます。`mean` は、ロジット $a$ の画素の分布の平均です。`sample` は、その分布からサンプリングします。
"""

# %% [markdown] lang="en"
r"""
## 5-3. Four decoders

We train four VAEs with the same network that differ only in the distribution of the decoder.

- **(a) Bernoulli, greyscale**: the same as the article's model.
- **(b) Bernoulli, binary**: images in which values of 0.5 and above become 1, and the rest 0. They could also be binarized with probability $x$ (exercise 2). Here we use the threshold, because it gives the same images every time, and because the floor is then 0.
- **(c) Continuous Bernoulli**: we only subtract $\sum \ln C$ from the formula of (a).
- **(d) Gaussian**: the mean is $\mathrm{sigmoid}(a)$. The standard deviation $\sigma$ is shared by all pixels, and is also learned. The loss is

$$\sum_{i=1}^{784} \left( \frac{(x_i - y_i)^2}{2 \sigma^2} + \ln \sigma + \frac{1}{2} \ln 2 \pi \right)$$

(c) and (d) are densities, which need care. As section 5-1 showed, 80 % of MNIST's pixels are **exactly** 0. The density of a continuous Bernoulli distribution at $x = 0$ grows like $|a|$ as $a \to -\infty$. So pixels that are always 0 can reduce the loss without limit, and its value becomes meaningless. Therefore we give each grey level a width: we add a uniform random number $u$ in $[0, 1)$ to the integer $v$ from 0 to 255, and use $(v + u) / 256$. This is called **dequantization**. We use it again in section 5-4.

The classes inherit from `VAE` and replace only the reconstruction term, `nll` (the negative log likelihood). `mean` is the mean of a pixel's distribution with logit $a$, and `sample` samples from it.
"""


# %%
class DecoderVAE(VAE):
    """⟦再構成誤差がnllのVAE|A VAE whose reconstruction error is nll⟧"""

    def get_loss_func(self, C=1.0, k=1):
        def loss_func(x):
            mu, ln_var = self.encode(x)
            self.rec_loss = 0
            for _ in range(k):
                a = self.decode(F.gaussian(mu, ln_var), sigmoid=False)
                self.rec_loss += self.nll(x, a) / (k * len(x))
            self.latent_loss = C * gaussian_kl_divergence(mu, ln_var) / len(x)
            self.loss = self.rec_loss + self.latent_loss
            return self.loss

        return loss_func


class Bernoulli(DecoderVAE):
    def nll(self, x, a):
        return F.bernoulli_nll(x, a)

    def mean(self, a):
        return F.sigmoid(a).array

    def sample(self, a):
        return np.random.uniform(size=a.shape) < self.mean(a)


class ContinuousBernoulli(DecoderVAE):
    def nll(self, x, a):
        return F.bernoulli_nll(x, a) - F.sum(ln_C(a))

    def mean(self, a):
        return mean_of(a)

    def sample(self, a):  # ⟦分布関数の逆関数を使う|by the inverse of the distribution function⟧
        m = np.maximum(abs(a), 1e-3)
        t = -np.log1p(np.random.uniform(size=a.shape) * np.expm1(-m)) / m
        return np.where(a > 0, 1 - t, t)


class Gaussian(DecoderVAE):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        with self.init_scope():
            self.s = chainer.Parameter(np.array(-0.1, np.float32))

    @property
    def ln_sigma(self):  # ⟦10倍して、Adamのステップ幅を広げる|times 10: larger steps for Adam⟧
        return 10 * self.s

    def nll(self, x, a):
        return F.gaussian_nll(x, F.sigmoid(a), F.broadcast_to(2 * self.ln_sigma, x.shape))

    def mean(self, a):
        return F.sigmoid(a).array

    def sample(self, a):
        return self.mean(a) + np.exp(self.ln_sigma.array) * np.random.normal(size=a.shape)


# %% [markdown] lang="ja"
r"""
学習はChainerの単純な学習ループです。`latent_stats` は、潜在次元ごとのKLダイバージェンス（画像についての平均）と、平均 $\mu_j$ の画像間での分散を返します。KLが0.1 natを超える潜在次元を「使われている」と数えることにします（詳しくは5-5節）。
"""

# %% [markdown] lang="en"
r"""
Training is a plain training loop in Chainer. `latent_stats` returns, for each latent dimension, the KL divergence averaged over the images, and the variance of the mean $\mu_j$ across images. We count a latent dimension as "used" if its KL divergence is above 0.1 nats (more on this in section 5-5).
"""


# %%
def batches(n, size=100):
    """⟦n枚の画像の番号を、無作為な順にsize個ずつ|indices of n images in random order, in batches⟧"""
    return np.random.permutation(n).reshape(-1, size)


def train(model, images, epochs):
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    loss_func = model.get_loss_func()
    # ⟦softplusの微分1 - 1 / (1 + e^a) は、e^aがオーバーフローしても正しく1になる|The derivative of softplus, 1 - 1 / (1 + e^a), is correctly 1 where e^a overflows⟧
    with np.errstate(over="ignore"):
        for _ in range(epochs):
            for rows in batches(len(images)):
                optimizer.update(loss_func, images[rows])


def latent_stats(model, images):
    mu, ln_var = encode(model, images)
    kl = (mu**2 + np.exp(ln_var) - ln_var - 1).mean(axis=0) / 2
    return kl, mu.var(axis=0)


def as_is(x):
    return x


def binarize(x):
    return (x >= 0.5).astype(np.float32)


def dequantize(x):
    return ((255 * x + np.random.uniform(size=x.shape)) / 256).astype(np.float32)


decoders = {
    "⟦(a) ベルヌーイ、グレースケール|(a) Bernoulli, greyscale⟧": (Bernoulli, as_is),
    "⟦(b) ベルヌーイ、二値|(b) Bernoulli, binary⟧": (Bernoulli, binarize),
    "⟦(c) 連続ベルヌーイ|(c) continuous Bernoulli⟧": (ContinuousBernoulli, dequantize),
    "⟦(d) ガウス|(d) Gaussian⟧": (Gaussian, dequantize),
}
trained, results = {}, {}
print("   ⟦-ELBO   再構成誤差      KL   使用|  -ELBO      rec.       KL   used⟧")
for name, (kind, prepare) in decoders.items():
    np.random.seed(0)
    model = trained[name] = kind(784, n_latent, n_h, F.softplus)
    train(model, prepare(images), epochs)
    x = prepare(test_images)
    loss, rec_loss, kl = results[name] = evaluate(model, x, k=1)
    used = np.sum(latent_stats(model, x)[0] > 0.1)
    print(f"{loss:9.1f} {rec_loss:9.1f} {kl:8.1f} {used:6}   {name}")

# %% [markdown] lang="ja"
r"""
(a) は約134 nat、(b) は約127 nat、(c) と (d) は負になりました。確率密度は1を超えうるので、負の対数が負になっても間違いではありません。この表から「(c) が一番良い」とは言えない理由は、5-4節で説明します。

使われている潜在次元の数も異なります。(a) と (b) では何個か余りますが、(c) と (d) では20個すべてが使われます。(c) と (d) では $z$ による再構成誤差の差が大きいので、KLが増えても損失全体は小さくなるからです。(d) で見るとはっきりします。損失に $2 \sigma^2$ を掛けると

$$\sum_{i=1}^{784} (x_i - y_i)^2 + 2 \sigma^2 D_{KL} + \cdots$$

となります（$\cdots$ は $\sigma$ だけの項）。$2 \sigma^2$ は二乗誤差に対するKLの重み、つまり記事の `C` の役割をしています。最適な $\sigma$ は、損失を $\sigma$ で微分して0と置けば求まり、$\sigma^2$ は二乗誤差の平均に等しくなります。学習で得た $\sigma$ がそうなっているかを確かめます。
"""

# %% [markdown] lang="en"
r"""
(a) has about 134 nats and (b) about 127, while (c) and (d) are negative. A density may exceed 1, so a negative value is not an error. Section 5-4 explains why the table does not show that "(c) is the best".

The number of used latent dimensions also differs. (a) and (b) leave some unused; (c) and (d) use all 20. In (c) and (d), $z$ makes a larger difference to the reconstruction error, so a higher KL divergence still reduces the total loss. This is clear in (d). Multiplied by $2 \sigma^2$, its loss is

$$\sum_{i=1}^{784} (x_i - y_i)^2 + 2 \sigma^2 D_{KL} + \cdots$$

(the $\cdots$ depend only on $\sigma$). So $2 \sigma^2$ is the weight of the KL divergence against the squared error: it plays the role of the article's `C`. The optimal $\sigma$ follows from setting the derivative of the loss with respect to $\sigma$ to 0: $\sigma^2$ equals the mean squared error. We check whether this holds for the learned $\sigma$.
"""

# %%
model = trained["⟦(d) ガウス|(d) Gaussian⟧"]
np.random.seed(0)
x = dequantize(test_images)
with chainer.no_backprop_mode():
    y = model.decode(F.gaussian(*model.encode(x))).array
print(f"σ = {np.exp(model.ln_sigma.array):.3f}, ", end="")
print(f"⟦二乗平均平方根誤差|root mean square error⟧ {np.sqrt(np.mean((x - y) ** 2)):.3f}")

# %% [markdown] lang="ja"
r"""
ほぼ一致しました。KLの重み $2 \sigma^2$ は約0.04です。

次は画像です。左は再構成の平均、中央は同じ分布から画素を1つずつ **実際にサンプリングした** もの、右は標準正規分布からサンプリングした $z$ から生成した平均です（$z$ は4つのモデルで同じ）。(c) では、平均と誤解されて表示されがちな $\lambda$ も並べます（白い欄は空欄です）。
"""

# %% [markdown] lang="en"
r"""
They nearly agree. The weight of the KL divergence, $2 \sigma^2$, is about 0.04.

Now the images. On the left is the mean of the reconstruction; in the middle, pixels **actually sampled** from the same distribution, one by one; on the right, the mean for $z$ sampled from the standard normal distribution (the same $z$ for all four models). For (c) we also show $\lambda$, which is often shown as if it were the mean. (White cells are blank.)
"""

# %%
np.random.seed(1)
prior = np.random.normal(size=(6, n_latent)).astype(np.float32)
blank = np.ones((6, 784))
rows = [(test_images[:6], blank, blank)]
for model, (kind, prepare) in zip(trained.values(), decoders.values()):
    with chainer.no_backprop_mode():
        a = model(prepare(test_images[:6]), sigmoid=False).array
        a_prior = model.decode(prior, sigmoid=False).array
    if kind is ContinuousBernoulli:
        rows.append((F.sigmoid(a).array, blank, F.sigmoid(a_prior).array))  # λ
    rows.append((model.mean(a), model.sample(a), model.mean(a_prior)))
titles = (
    "⟦再構成：平均|reconstruction: mean⟧",
    "⟦再構成：画素をサンプリング|reconstruction: sampled pixels⟧",
    "⟦$z \\sim N(0, I)$ から：平均|from $z \\sim N(0, I)$: mean⟧",
)
fig, axes = plt.subplots(1, 3, figsize=(8, 2.8))
for ax, title, column in zip(axes, titles, zip(*rows)):
    ax.imshow(latent.montage(np.reshape(column, (6, 6, 28, 28))), vmin=0, vmax=1)
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[])
axes[0].set_yticks(14 + 28 * np.arange(6), ["$x$", "(a)", "(b)", "(c) $\\lambda$", "(c)", "(d)"])
axes[0].tick_params(length=0)
fig.tight_layout()
plt.show()

# %% [markdown] lang="ja"
r"""
- 「VAEが生成した画像」として普段見ているのは平均です。画素をサンプリングすると、(a) と (b) では白黒の粒、(d) では画面全体に一様なノイズになります。元の画像の背景にノイズはありません。(d) にノイズが現れるのは、$\sigma$ が全画素に共通だからです。
- (c) の平均は薄い灰色で、$\lambda$ のほうがくっきり見えます。しかし、$\lambda$ は平均ではありません。

## 5-4. 比べてよい値と、いけない値

**規則1：データが同じでなければ比べられない。** (a) の134と (b) の127の差は、モデルの差でしょうか、データの差でしょうか。どちらのモデルも白黒画像の確率を与えるので、両方のモデルを両方のデータで評価すればわかります。

**規則2：密度は確率ではない。** 密度の値は画素の単位に依存します。$[0, 1]$ の代わりに0から256の単位で測ると、密度は1画素につき256分の1になり、画像1枚の負の対数尤度は $784 \ln 256$ だけ増えます。逆量子化した画像なら、この換算から、8ビットの画像 $v$ の **確率** $P(v)$ についての正しい下限が得られます（Theisほか2016）。イェンセンの不等式により

$$\ln P(v) = \ln \int p \left( \frac{v + u}{256} \right) du - 784 \ln 256 \geq \int \ln p \left( \frac{v + u}{256} \right) du - 784 \ln 256$$

だからです（右辺の $\ln p$ は、さらに変分下限で置き換えます）。これで、(c) と (d) を互いに比べることも、圧縮プログラムと比べることもできます。$784 \ln 2$ で割れば1画素あたりのビット数です。
"""

# %% [markdown] lang="en"
r"""
- What is usually shown as "images generated by a VAE" are means. With sampled pixels, (a) and (b) become black and white grains, and (d) has the same noise everywhere. The background of the original images has no noise. (d) adds it there because its $\sigma$ is shared by all pixels.
- The mean of (c) is a pale grey, and $\lambda$ looks sharper. But $\lambda$ is not the mean.

## 5-4. Which values can be compared

**Rule 1: values on different data cannot be compared.** Is the difference between the 134 of (a) and the 127 of (b) due to the models or to the data? Both models give probabilities of black-and-white images, so we can evaluate both models on both data sets.

**Rule 2: densities are not probabilities.** The value of a density depends on the unit. Measured from 0 to 256 instead of in $[0, 1]$, the density of a pixel becomes 256 times smaller, and the negative log likelihood of an image grows by $784 \ln 256$. For dequantized images, this conversion gives a valid lower bound on the **probability** $P(v)$ of the 8-bit image $v$ (Theis et al., 2016). By Jensen's inequality,

$$\ln P(v) = \ln \int p \left( \frac{v + u}{256} \right) du - 784 \ln 256 \geq \int \ln p \left( \frac{v + u}{256} \right) du - 784 \ln 256$$

(we further replace the $\ln p$ on the right by its own lower bound, the ELBO). So (c) and (d) can be compared with each other, and even with a compression program. Divided by $784 \ln 2$, it becomes bits per pixel.
"""

# %%
(name_a, name_b, *densities) = trained
print("⟦  グレー     二値   評価に使う画像|    grey   binary   images used for evaluation⟧")
for name in (name_a, name_b):
    np.random.seed(0)
    losses = [
        evaluate(trained[name], prepare(test_images), k=1).loss for prepare in (as_is, binarize)
    ]
    print(f"{losses[0]:8.1f} {losses[1]:8.1f}   {name}")


def bits(loss):
    """⟦密度での -ELBOから、8ビット画像の1画素あたりのビット数を求める|Bits per pixel of an 8-bit image, from the -ELBO of a density⟧"""
    return (loss + 784 * math.log(256)) / (784 * math.log(2))


file = datasets.DATA_DIR / "t10k-images-idx3-ubyte.gz"
print(f"⟦換算：|conversion: ⟧784 ln 256 = {784 * math.log(256):.1f}")
print("⟦1画素あたりのビット数|bits per pixel⟧:")
print(f"{bits(0):.2f}   ⟦一様な密度p(x) = 1|uniform density, p(x) = 1⟧")
for name in densities:
    print(f"{bits(results[name].loss):.2f}   {name}")
print(f"{8 * file.stat().st_size / data.test_images.size:.2f}   gzip")

# %% [markdown] lang="ja"
r"""
同じデータで比べると、2つのモデルの差は大きくても1 natほどです。7 natの差は、ほとんどがデータの差でした。

密度のほうは、何も学習していない一様な密度が8ビット、(d) が約7.3ビット、(c) が約3.2ビットで、この2つのデコーダーでは (c) のほうが良いと言えます。しかし、gzipは1.63ビットです（付属の圧縮ファイルの大きさから計算）。(d) は、8割を占める0の画素にも同じ幅 $\sigma$ を割り当てます。(c) の密度は単調なので、灰色の値にピークを作れません。

**規則3：(a)(b) と (c)(d) は比べられない。** 前者は白黒画像についての値、後者はグレースケール画像についての値で、確率の対象が違います。記事の97 natと比べられるのは、同じテスト画像で同じ式を使った値だけです。

## 5-5. `C` と、使われなくなる潜在次元

次は (a) に戻り、損失

$$\mathbb{E}_{q(z|x)} \left[ -\ln p(x|z) \right] + C \, D_{KL} \left[ q(z|x) \,\|\, p(z) \right]$$

の $C$ を変えます。$C$ はKL 1 natあたりのコストです。各潜在次元 $z_j$ は、KLのコストと引き換えに再構成誤差を減らします。コストに見合わなければ、エンコーダーは $z_j$ に情報を入れず、$q(z_j|x) = p(z_j)$ としてKLを0にします。これを **事後分布の崩壊**（posterior collapse）といいます。

学習にはパッケージの高速なエンジン（`chainer_vae.engine`）を使います。`schedule` はエポックごとの $C$ の列です。使われている潜在次元は、2通りの基準で数えます。

- 画像について平均したKLが0.1 natを超える。
- Burdaほか（2016）の基準（active units）：$\mathrm{Var}_x \left( \mathbb{E}_{q(z_j|x)} [z_j] \right)$、つまり $\mu_j$ の画像間での分散が0.01を超える。

最後の行は、どの画像に対しても訓練画像の平均を出力するモデルの損失です。
"""

# %% [markdown] lang="en"
r"""
On the same data, the two models differ by at most about 1 nat. Nearly all of the 7 nats were due to the data.

As for the densities, a uniform density, which has learned nothing, needs 8 bits, (d) about 7.3, and (c) about 3.2. Of these two decoders, (c) is indeed better. But gzip needs 1.63 bits (computed from the size of the compressed file in the package). (d) gives the same width $\sigma$ even to the 80 % of pixels that are 0. The density of (c) is monotonic, so it cannot have a peak at a grey value.

**Rule 3: (a) and (b) cannot be compared with (c) and (d).** The former are values for black-and-white images, the latter for greyscale images: they are probabilities of different things. The article's 97 nats can be compared only with values of the same formula on the same test images.

## 5-5. `C`, and latent dimensions that are no longer used

We return to (a), and change $C$ in its loss

$$\mathbb{E}_{q(z|x)} \left[ -\ln p(x|z) \right] + C \, D_{KL} \left[ q(z|x) \,\|\, p(z) \right]$$

$C$ is the price of a nat of KL divergence. Each latent dimension $z_j$ pays this price for a smaller reconstruction error. If it is not worth the price, the encoder puts no information into $z_j$: $q(z_j|x) = p(z_j)$, with a KL divergence of 0. This is called **posterior collapse**.

For training we use the package's fast engine (`chainer_vae.engine`). `schedule` contains a $C$ for each epoch. We count the used latent dimensions by two criteria.

- Their KL divergence, averaged over the images, is above 0.1 nats.
- The criterion of Burda et al. (2016), "active units": $\mathrm{Var}_x \left( \mathbb{E}_{q(z_j|x)} [z_j] \right)$, the variance of $\mu_j$ across images, is above 0.01.

The last line is the loss of a model that outputs the mean of the training images for every image.
"""


# %%
def train_with_engine(schedule):
    """⟦記事のVAEを、エポックごとのCの列に従って学習させる|Train the article's VAE with a C for each epoch⟧"""
    np.random.seed(0)
    model = VAE(784, n_latent, n_h, F.softplus)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    with thread_pool() as pool:
        fused = engine.Engine(model, optimizer, 1.0, 1, pool)  # C = 1.0, k = 1
        for C in schedule:
            fused.C = C
            for rows in batches(n_images):
                fused.step(images[rows])
        fused.finish()
    return model


Cs = (0.1, 0.5, 1.0, 4.0, 20.0)
sweep = {}
print(
    "⟦     C  再構成誤差      KL    -ELBO|     C  rec.error       KL    -ELBO⟧   KL > 0.1   Var > 0.01"
)
for C in Cs:
    model = train_with_engine([C] * C_epochs)
    result = evaluate(model, test_images, k=1)
    kl, variance = latent_stats(model, test_images)
    sweep[C] = result, kl
    print(f"{C:6} {result.rec_loss:10.1f} {result.kl:8.1f} {result.loss:8.1f}", end="")
    print(f"{np.sum(kl > 0.1):11} {np.sum(variance > 0.01):12}")
mean_image = np.clip(images.mean(axis=0), 1e-6, 1 - 1e-6)
a = np.log(mean_image / (1 - mean_image))  # ⟦平均画像のロジット|logits of the mean image⟧
mean_loss = np.sum(np.logaddexp(0, a) - a * test_images) / n_test
print(f"{mean_loss:17.1f}   ⟦平均画像|mean image⟧")

# %% [markdown] lang="ja"
r"""
$C$ を上げると、使われる潜在次元は、KLの基準で20個から17、11、5個へと減り、$C = 20$ では1個も使われません。このとき損失は平均画像だけのモデルと同じ約200 natで、デコーダーは $z$ を使っていません。

この表を、横軸をKL、縦軸を再構成誤差としてプロットします。灰色の線の上では両者の和、つまり負の変分下限が一定です（線の間隔は20 nat）。下の棒グラフは、大きい順に並べた各潜在次元のKLです。
"""

# %% [markdown] lang="en"
r"""
With a higher $C$, fewer latent dimensions are used: by the KL criterion, 20, 17, 11, 5, and at $C = 20$ none. There the loss is about 200 nats, the same as for the mean image: the decoder no longer uses $z$.

We plot this table with the KL divergence on the horizontal axis and the reconstruction error on the vertical axis. Along each grey line their sum, the negative ELBO, is constant (the lines are 20 nats apart). The bar charts below show the KL divergence of each latent dimension in decreasing order.
"""

# %%
fig, ax = plt.subplots(figsize=(5.5, 3.6))
rate = [sweep[C][0].kl for C in Cs]
distortion = [sweep[C][0].rec_loss for C in Cs]
for loss in (120, 140, 160, 180, 200):
    ax.plot([0, 80], [loss, loss - 80], color="#D1D5DB", zorder=0)
ax.plot(rate, distortion, "o-", color=style.LATENT)
for C, x, y in zip(Cs, rate, distortion):
    ax.annotate(f"$C = {C:g}$", (x, y), (7, 4), textcoords="offset points")
ax.set(xlabel="KL", ylabel="⟦再構成誤差|reconstruction error⟧", xlim=(-2, 65), ylim=(70, 210))
fig.tight_layout()
plt.show()

fig, axes = plt.subplots(1, len(Cs), figsize=(8, 2.2), sharey=True)
for ax, C in zip(axes, Cs):
    kl = np.sort(sweep[C][1])[::-1]
    ax.bar(np.arange(n_latent), kl, color=np.where(kl > 0.1, style.LATENT, style.MUTED))
    ax.set(title=f"$C = {C:g}$", xticks=[], xlabel="$j$")
axes[0].set(ylabel="KL")
fig.tight_layout()
plt.show()

# %% [markdown] lang="ja"
r"""
点の列は **レート・歪み曲線** です（Alemiほか2018）。KLは $z$ が画像について運ぶ情報量の上限（レート）、再構成誤差は歪みにあたり、曲線上のどの点になるかは $C$ で決まります。

2つの基準の結果は大きく異なりました。KLの式から $\mathrm{KL}_j \geq \frac{1}{2} \mathrm{Var}(\mu_j)$ です。したがって、0.01の分散に必要なKLは少なくとも0.005 natです。これは下限なので実際のKLはもっと大きいこともありますが、KLが0.1 natよりずっと小さくても、分散の基準は満たせます。学習が短いと、2つの基準の間にある潜在次元（棒グラフの低い棒）が多く残ります。100エポック学習した `z20` ではどうなるかを次の節で調べます。

もう1つ気づくことがあります。負の変分下限は $C = 1$ の目的関数そのものですが、この短い学習では $C = 0.5$ のほうがわずかに小さくなりました（約123 natと124 nat）。いったん使われなくなった潜在次元は、エンコーダーにもデコーダーにも無視されるので、なかなか再び使われるようになりません。$C$ が小さいと、それが起きにくくなります。そこで、$C$ を0から少しずつ1に上げる **ウォームアップ** がよく使われます（Bowmanほか2016、Sønderbyほか2016）。演習3で試します。

## 5-6. `z20` の20個の潜在次元のうち、使われているのは何個か

パッケージの学習済みモデル `z20` を調べます。左から、テスト画像でのKL、$\mu_j$ の分散、デコーダーの最初の層 `ld1` で $z_j$ に掛かる重みのノルムです（KLの大きい順。紫が使われている潜在次元）。
"""

# %% [markdown] lang="en"
r"""
The points form a **rate-distortion curve** (Alemi et al., 2018). The KL divergence is an upper bound on the information that $z$ carries about the image (the rate), the reconstruction error is the distortion, and $C$ selects a point on the curve.

The two criteria give very different counts. By the formula of the KL divergence, $\mathrm{KL}_j \geq \frac{1}{2} \mathrm{Var}(\mu_j)$. So a variance of 0.01 costs at least 0.005 nats. This is a lower bound, and the actual KL divergence may be larger, but a dimension can meet the variance criterion with far less than 0.1 nats. After a short training, many latent dimensions lie between the two criteria (the low bars). The next section shows what happens in `z20`, which was trained for 100 epochs.

There is another observation. The negative ELBO is exactly what $C = 1$ minimizes, yet in this short training $C = 0.5$ ended slightly lower (about 123 against 124 nats). Once a latent dimension is unused, the encoder and the decoder both ignore it, and it rarely comes back into use. With a smaller $C$, this is less likely to happen. This is why a **warm-up** is common, which raises $C$ gradually from 0 to 1 (Bowman et al., 2016; Sønderby et al., 2016). Exercise 3 tries it.

## 5-6. How many of the 20 latent dimensions of `z20` are used

We examine `z20`, the trained model that comes with the package. From left to right: the KL divergence on the test images, the variance of $\mu_j$, and the norm of the weights by which `ld1`, the decoder's first layer, multiplies $z_j$ (in order of decreasing KL divergence; used dimensions are violet).
"""

# %%
mu, ln_var = encode(z20, data.test_images)
kl, variance = latent_stats(z20, data.test_images)
order = np.argsort(-kl)
used = kl > 0.1
print(f"KL > 0.1: {used.sum()},  ⟦分散|variance⟧ > 0.01: {np.sum(variance > 0.01)}")
print(f"⟦使われていない潜在次元|unused dimensions⟧: KL ≤ {kl[~used].max():.4f}, ", end="")
print(
    f"⟦分散|variance⟧ ≤ {variance[~used].max():.4f}, |μ| ≤ {abs(mu[:, ~used]).max():.2f}, ", end=""
)
sigma = np.exp(ln_var[:, ~used] / 2)
print(f"{sigma.min():.2f} ≤ σ ≤ {sigma.max():.2f}")
fig, axes = plt.subplots(1, 3, figsize=(8, 2.4))
norms = np.linalg.norm(z20.ld1.W.array, axis=0)
titles = (
    "KL",
    "⟦$\\mu_j$ の分散|variance of $\\mu_j$⟧",
    "⟦ld1の列のノルム|norm of a column of ld1⟧",
)
for ax, title, values in zip(axes, titles, (kl, variance, norms)):
    ax.bar(np.arange(20), values[order], color=np.where(used[order], style.LATENT, style.MUTED))
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], xlabel="$j$")
fig.tight_layout()
plt.show()

# %% [markdown] lang="ja"
r"""
使われているのは20個中11個で、ここでは2つの基準が一致しました。残りの9個は、どの画像でも $\mu_j$ がほぼ0、$\sigma_j$ がほぼ1です。つまり $z_j$ は画像に関係のない標準正規乱数で、デコーダーの重みもそれを無視するように小さくなっています。

それなら、この9個を乱数に置き換えても、デコーダーの出力は変わらないはずです。使われている1個を置き換えた場合と、画素の値の変化を比べます。
"""

# %% [markdown] lang="en"
r"""
11 of the 20 are used, and here both criteria agree. The other 9 have $\mu_j$ close to 0 and $\sigma_j$ close to 1 for every image. Their $z_j$ is standard normal noise unrelated to the image, and the decoder's weights for it have become small, so that it is ignored.

Then replacing these 9 with random numbers should not change the decoder's output. We compare the change of the pixels with the change from replacing one used dimension.
"""

# %%
np.random.seed(0)
z = mu[:500]
before = latent.decode(z20, z)
for name, chosen in (
    ("⟦使われていない9個すべて|all 9 unused dimensions⟧", np.flatnonzero(~used)),
    ("⟦使われている中でKLが最小の1個|the used one with the smallest KL⟧", order[10:11]),
):
    changed = z.copy()
    changed[:, chosen] = np.random.normal(size=(len(z), len(chosen)))
    change = abs(latent.decode(z20, changed) - before)
    print(f"{name}: ⟦平均|mean⟧ {change.mean():.4f}, ⟦最大|max⟧ {change.max():.3f}")

# %% [markdown] lang="ja"
r"""
9個すべてを置き換えても変化は平均0.001ほどで、使われている1個を置き換えたときの10分の1以下です。完全に0ではありませんが、実質的に使われていないと言えます。

使われる潜在次元の数は、損失に影響します。このプロジェクトの `results/README.md` には、乱数だけを変えてGPUで100エポック学習した7回の記録があります。テスト損失は、10個のとき97.9、11個のとき97.1から97.4、12個のとき96.5でした。テスト損失を比べるときは、使われている潜在次元の数も確認するとよいでしょう。

## 5-7. `k` を増やすと何が変わるか

`k` は、再構成誤差の期待値の推定に使う $z$ のサンプル数です。学習での勾配のばらつきには2つの原因があります。どの画像がバッチに入るかと、どの $\varepsilon$ がサンプリングされるかです。`k` で減らせるのは後者だけです。

`z20` で勾配を繰り返し計算し、約130万個の成分の分散の和を測ります。「同じバッチ」ではばらつきの原因は $\varepsilon$ だけ、「別のバッチ」では両方です。最後の行は、`k` を1のままにして、画像を500枚に増やした場合です。行列積の計算量は $k = 10$ の行とほぼ同じです（画像1枚につき、エンコーダーは1回、デコーダーは $k$ 回計算します）。時間は最初の行を1とした比で、マシンとそのときの負荷によって変わります。
"""

# %% [markdown] lang="en"
r"""
Replacing all 9 changes the pixels by about 0.001 on average, less than a tenth of the change from one used dimension. It is not exactly 0, but in effect they are unused.

The number of used latent dimensions affects the loss. The project's `results/README.md` records seven trainings of 100 epochs on a GPU that differ only in their random numbers. The test loss was 97.9 with 10 dimensions, 97.1 to 97.4 with 11, and 96.5 with 12. When you compare test losses, check the number of used latent dimensions as well.

## 5-7. What a larger `k` changes

`k` is the number of samples of $z$ used to estimate the expectation in the reconstruction error. In training, the gradient varies for two reasons: which images are in the batch, and which $\varepsilon$ are sampled. `k` reduces only the second.

With `z20`, we compute the gradient repeatedly, and measure the variance, summed over its approximately 1.3 million components. With the "same batch", only $\varepsilon$ causes variation; with "other batches", both do. In the last line `k` is still 1, but there are 500 images. Its matrix products take about as much computation as those with $k = 10$ (for each image, the encoder is computed once and the decoder $k$ times). The time is relative to the first line, and depends on the machine and its load.
"""

# %%
optimizer = chainer.optimizers.Adam()
optimizer.setup(z20)


def gradient_noise(k, batches):
    """⟦batchesの勾配の分散（全成分の和）と、1回の秒数|Variance of the gradients, summed over components, and seconds per gradient⟧"""
    with thread_pool() as pool:
        fused = engine.Engine(z20, optimizer, 1.0, k, pool)  # C = 1.0
        started = time.perf_counter()
        found = [list(fused.gradients(x).values()) for x in batches]
        seconds = (time.perf_counter() - started) / len(batches)
    gradients = [np.concatenate([g.ravel() for g in parts]) for parts in found]
    return np.var(gradients, axis=0, ddof=1).sum(), seconds


np.random.seed(0)
small = data.train_images[batches(60_000)[:draws]]
large = data.train_images[batches(60_000, 500)[:draws]]
first_seconds = None
print(
    "⟦   k   枚数   同じバッチ   別のバッチ   時間|   k  images  same batch  other batches  time⟧"
)
for k, groups in ((1, small), (5, small), (10, small), (1, large)):
    same, _ = gradient_noise(k, [groups[0]] * draws)
    other, seconds = gradient_noise(k, groups)
    first_seconds = first_seconds or seconds
    print(f"{k:4} {groups.shape[1]:7} {same:10.0f} {other:12.0f} {seconds / first_seconds:10.1f}")

# %% [markdown] lang="ja"
r"""
同じバッチでの分散はほぼ $1 / k$ に比例して減りました。しかし別のバッチでは、画像の選び方による分散が残るので、`k` を5から10にしてもあまり減りません。計算量がほぼ同じ、$k = 10$ の100枚と $k = 1$ の500枚を比べると、別のバッチでの分散は255と117です。画像を増やせば、両方の原因によるばらつきが減るからです。これは、バッチが100枚ほどあれば $k = 1$ で十分だというKingmaとWelling（2013）の経験則とも合います。

もう1つ、誤解しやすい点があります。`k` を増やすと損失の推定値の **ばらつき** は減りますが、**期待値** は変わりません。平均の期待値は、1個の期待値と同じだからです。記事のプログラムがテストで $k = 10$ とするのは、同じ変分下限をより正確に測るためです。
下限そのものを引き上げるには、平均を対数の **中** でとります。これが重点サンプリングによる下限です（Burdaほか2016）。

$$\mathcal{L}_k = \mathbb{E}_{z_1, \ldots, z_k \sim q(z|x)} \left[ \ln \frac{1}{k} \sum_{i=1}^{k} \frac{p(x|z_i) \, p(z_i)}{q(z_i|x)} \right]$$

$k = 1$ なら記事の変分下限と同じで、$k$ が大きくなると $\ln p(x)$ に近づきます。最初のテスト画像100枚で、同じ乱数から両方を計算します。図の縦棒は、$z$ をサンプリングし直したときの、100枚の平均の標準偏差です。
"""

# %% [markdown] lang="en"
r"""
With the same batch, the variance falls nearly as $1 / k$. But with other batches, the variance due to the choice of images remains, so going from `k` = 5 to 10 gains little. Of the two settings with about the same computation, 100 images with $k = 10$ have a variance of 255, and 500 images with $k = 1$ have 117: more images reduce both causes. This agrees with the rule of thumb of Kingma and Welling (2013) that $k = 1$ is enough if the batch has about 100 images.

Another point is easily misunderstood. A larger `k` reduces the **variance** of the estimated loss, but does not change its **expectation**: the expectation of a mean is that of one of its terms. The article's program uses $k = 10$ for its test in order to measure the same ELBO more precisely.
To raise the bound itself, take the mean **inside** the logarithm. This is the importance-weighted bound (Burda et al., 2016).

$$\mathcal{L}_k = \mathbb{E}_{z_1, \ldots, z_k \sim q(z|x)} \left[ \ln \frac{1}{k} \sum_{i=1}^{k} \frac{p(x|z_i) \, p(z_i)}{q(z_i|x)} \right]$$

For $k = 1$ it is the article's ELBO, and as $k$ grows it approaches $\ln p(x)$. We compute both from the same random numbers, for the first 100 test images. The vertical bars in the figure are the standard deviation of the mean over the 100 images when $z$ is resampled.
"""


# %%
def log_weights(x):
    """ln p(x|z) + ln p(z) - ln q(z|x)⟦、zは画像ごとに1つ|, with one z per image⟧"""
    mu, ln_var = encode(z20, x)
    eps = np.random.normal(size=mu.shape).astype(np.float32)
    z = mu + np.exp(ln_var / 2) * eps
    with chainer.no_backprop_mode():
        a = z20.decode(z, sigmoid=False).array
    ln_p_x = (a * x - np.logaddexp(0, a)).sum(axis=1)
    return ln_p_x + (eps**2 + ln_var - z**2).sum(axis=1) / 2  # ⟦ln 2π は打ち消し合う|ln 2π cancels⟧


np.random.seed(0)
ln_w = np.array([log_weights(data.test_images[:100]) for _ in range(10 * draws)])
ks = (1, 5, 10, 50)
elbo, spread, weighted = [], [], []
for k in ks:
    groups = ln_w.reshape(-1, k, 100)  # ⟦k個ずつに分ける|groups of k⟧
    estimates = groups.mean(axis=(1, 2))
    elbo.append(-estimates.mean())
    spread.append(estimates.std())
    # ⟦指数関数がオーバーフローしないように、最大値を引く|Subtract the maximum, so that exp does not overflow⟧
    top = groups.max(axis=1, keepdims=True)
    weighted.append(-(np.log(np.exp(groups - top).mean(axis=1)) + top[:, 0]).mean())
    print(f"k = {k:2}: -ELBO {elbo[-1]:.2f} (± {spread[-1]:.2f}), ", end="")
    print(f"⟦重点サンプリング|importance weighted⟧ {weighted[-1]:.2f}")
fig, ax = plt.subplots(figsize=(5, 3))
ax.errorbar(ks, elbo, spread, marker="o", capsize=3, color=style.ENCODER, label="-ELBO")
ax.plot(ks, weighted, "o-", color=style.DECODER, label="⟦重点サンプリング|importance weighted⟧")
ax.set(xscale="log", xlabel="$k$", ylabel="⟦nat|nats⟧")
ax.set_xticks(ks, ks)
ax.minorticks_off()
ax.legend()
fig.tight_layout()
plt.show()

# %% [markdown] lang="ja"
r"""
$k = 1$、5、10と増やすと、損失のばらつきはおよそ $1 / \sqrt{k}$ で小さくなりますが、平均は変わりません。重点サンプリングでは、94.4から $k = 50$ で91.1 natまで下がりました（下限の符号を変えた値なので、下がった分だけ下限は上がっています）。

## 演習

### 演習1（易）：$C = 0$

$C = 0$ にすると、KLは損失に影響しません。再構成誤差とKLはどうなるでしょうか。$z \sim \mathcal{N}(0, I)$ から生成した画像は数字に見えるでしょうか。

<details><summary>解答例</summary>

再構成誤差は下がりますが、KLは非常に大きくなります。$\mu$ は標準正規分布よりずっと広い範囲に分布し、$\sigma$ はほぼ0になって、通常のオートエンコーダーと変わりません。$\mathcal{N}(0, I)$ からサンプリングした $z$（上の段）は、デコーダーが学習で見ていない場所なので、数字になりません。$\mu$ の平均と標準偏差に合わせてサンプリングしても（下の段）、潜在次元どうしの相関までは合わないので、やはり崩れます。

```python
model = train_with_engine([0.0] * C_epochs)
rec_loss, kl = evaluate(model, test_images, k=1)[1:]
mu, ln_var = encode(model, test_images)
print(f"再構成誤差 {rec_loss:.1f}, KL {kl:.1f}")
print(f"μ の標準偏差 {mu.std():.1f}, σ の中央値 {np.median(np.exp(ln_var / 2)):.0e}")
np.random.seed(0)
wide = np.random.normal(size=(20, n_latent)).astype(np.float32)
tiles = [latent.decode(model, wide), latent.decode(model, wide * mu.std(axis=0) + mu.mean(axis=0))]
plt.figure(figsize=(8, 1.3))
plt.imshow(latent.montage(np.reshape(tiles, (2, 20, 28, 28))))
plt.yticks([14, 42], ["N(0, I)", "μ に合わせる"])
plt.xticks([])
plt.tick_params(length=0)
plt.show()
```

</details>

### 演習2（中）：毎回サンプリングし直す二値化

5-1節の解釈をそのまま学習に使いましょう。バッチごとに $b \sim \mathrm{Bernoulli}(x)$ をサンプリングし直して学習し、グレースケールのテスト画像と $b$ の両方で、(a) のモデルと比べてください。

<details><summary>解答例</summary>

どちらのモデルでも、どちらのデータでも、損失は132から134 natほどで、ほとんど変わりません。5-1節のとおり、$x$ の損失は $b$ の損失の期待値だからです。残る違いはエンコーダーの入力だけです。$b$ を入力としたエンコーダーは、その $b$ に合わせて $z$ を選べるので、$b$ での損失のほうが少し小さくなります。

```python
np.random.seed(0)
model = Bernoulli(784, n_latent, n_h, F.softplus)
optimizer = chainer.optimizers.Adam()
optimizer.setup(model)
loss_func = model.get_loss_func()
for _ in range(epochs):
    for rows in batches(n_images):
        x = images[rows]
        b = (np.random.uniform(size=x.shape) < x).astype(np.float32)  # 毎回サンプリングし直す
        optimizer.update(loss_func, b)
b = (np.random.uniform(size=test_images.shape) < test_images).astype(np.float32)
for name, other in ((name_a, trained[name_a]), ("確率で二値化", model)):
    on_grey, on_b = evaluate(other, test_images, k=1), evaluate(other, b, k=1)
    print(f"グレー {on_grey.loss:.1f}, b {on_b.loss:.1f}   {name}")
```

</details>

### 演習3（中）：ウォームアップ

学習を2倍の長さにし、前半で $C$ を0から1に上げ、後半は1のままにします。はじめから $C = 1$ の場合と、使われる潜在次元の数と負の変分下限を比べてください。

<details><summary>解答例</summary>

`train_with_engine` に渡す列を変えるだけです。このノートブックの設定では、使われる潜在次元は13個から18個に増え、負の変分下限は約113.7から112.7 natに下がりました。

```python
total = 2 * C_epochs
warm_up = np.minimum(1, np.arange(total) / C_epochs)  # 前半で0から1へ
for name, schedule in (("C = 1", np.ones(total)), ("ウォームアップ", warm_up)):
    model = train_with_engine(schedule)
    loss = evaluate(model, test_images, k=10).loss
    used = np.sum(latent_stats(model, test_images)[0] > 0.1)
    print(f"-ELBO {loss:.1f}, 使用 {used}   {name}")
```

</details>

### 演習4（難）：フリービット

Kingmaほか（2016）のフリービットでは、潜在次元ごとのKLを $\max(\lambda, \mathrm{KL}_j)$ で置き換えます（$\mathrm{KL}_j$ はバッチの平均）。$\lambda$ natまではコストがかからないので、潜在次元をまったく使わなくしても得になりません。$\lambda = 0.5$ で実装してください。

<details><summary>解答例</summary>

`latent_loss` は本来のKLのままにし、学習に使う損失だけを変えます。そうすれば `evaluate` は引き続き変分下限を測ります。このノートブックの設定では20個すべてが使われますが、負の変分下限は約136 natで、元の約134 natより悪くなります。使われていることと、損失の改善に役立つことは同じではありません。

```python
class FreeBits(VAE):
    def get_loss_func(self, C=1.0, k=1, least=0.5):
        elbo = super().get_loss_func(C, k)

        def loss_func(x):
            elbo(x)  # rec_lossとlatent_lossを計算する
            mu, ln_var = self.encode(x)
            kl = F.mean(mu**2 + F.exp(ln_var) - ln_var - 1, axis=0) / 2  # (n_latent,)
            return self.rec_loss + F.sum(F.maximum(kl, np.full_like(kl.array, least)))

        return loss_func


for kind in (VAE, FreeBits):
    np.random.seed(0)
    model = kind(784, n_latent, n_h, F.softplus)
    train(model, images, epochs)
    result = evaluate(model, test_images, k=1)
    kl, _ = latent_stats(model, test_images)
    print(f"{kind.__name__}: -ELBO {result.loss:.1f}, KL {result.kl:.1f},", end=" ")
    print(f"使用 {np.sum(kl > 0.1)}, 最小のKL {kl.min():.2f}")
```

</details>

## まとめ

- 灰色の画素の損失には、モデルでは減らせない定数が含まれます。97 natのうち45.5 natがそれです。
- 画素の分布を変えると損失の値も変わります。異なる分布の値どうしは、そのままでは比べられません。
- `C` を上げると使われる潜在次元が減り、再構成が悪くなります。`k` を増やしても、バッチの選び方によるばらつきは減りません。
- 0.01の分散に必要なKLは、少なくとも0.005 natです。使われている次元の数は、基準によって変わります。

## 次に読むもの

[レッスン6](lesson:06)では、このモデルが2017年から今日までにどう動き続けてきたのかを見ます。自分で試すなら、データをFashion-MNISTに替えたり（`--dataset`）、`chainer-vae train --C 4` や `--k 5` で100エポック学習したりして、ここで見た傾向が長い学習でも続くかを確かめてください。

### 出典

- kenmatsu4, [Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24), 2017。コードへの質問は [issue 2](https://github.com/matsuken92/Qiita_Contents/issues/2)。
- D. P. Kingma and M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013。
- G. Loaiza-Ganem and J. P. Cunningham, [The continuous Bernoulli: fixing a pervasive error in variational autoencoders](https://arxiv.org/abs/1907.06845), 2019。
- L. Theis, A. van den Oord and M. Bethge, [A note on the evaluation of generative models](https://arxiv.org/abs/1511.01844), 2016。逆量子化と下限。
- O. Rybkin, K. Daniilidis and S. Levine, [Simple and Effective VAE Training with Calibrated Decoders](https://arxiv.org/abs/2006.13202), 2020。$\sigma$ を学習させる方法。
- I. Higgins et al., [beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework](https://openreview.net/forum?id=Sy2fzU9gl), 2017。`C` はここでの $\beta$。
- A. A. Alemi et al., [Fixing a Broken ELBO](https://arxiv.org/abs/1711.00464), 2018。
- Y. Burda, R. Grosse and R. Salakhutdinov, [Importance Weighted Autoencoders](https://arxiv.org/abs/1509.00519), 2016。
- S. R. Bowman et al., [Generating Sentences from a Continuous Space](https://arxiv.org/abs/1511.06349), 2016。
- C. K. Sønderby et al., [Ladder Variational Autoencoders](https://arxiv.org/abs/1602.02282), 2016。
- D. P. Kingma et al., [Improving Variational Inference with Inverse Autoregressive Flow](https://arxiv.org/abs/1606.04934), 2016。フリービット。
"""

# %% [markdown] lang="en"
r"""
With $k = 1$, 5, 10, the variation of the loss decreases roughly as $1 / \sqrt{k}$, but its mean does not change. The importance-weighted bound went from 94.4 to 91.1 nats at $k = 50$ (this is the bound with its sign changed, so the bound itself went up).

## Exercises

### Exercise 1 (easy): $C = 0$

With $C = 0$, the KL divergence does not affect the loss. What happens to the reconstruction error and to the KL divergence? Do images generated from $z \sim \mathcal{N}(0, I)$ look like digits?

<details><summary>Solution</summary>

The reconstruction error goes down, and the KL divergence becomes very large. The $\mu$ spread far beyond the standard normal distribution, $\sigma$ is nearly 0, and the model is no different from a plain autoencoder. A $z$ sampled from $\mathcal{N}(0, I)$ (upper row) lies where the decoder was never trained, and does not give a digit. Even when sampled with the mean and the standard deviation of $\mu$ (lower row), the correlations between the latent dimensions do not match, and the images are malformed, too.

```python
model = train_with_engine([0.0] * C_epochs)
rec_loss, kl = evaluate(model, test_images, k=1)[1:]
mu, ln_var = encode(model, test_images)
print(f"reconstruction {rec_loss:.1f}, KL {kl:.1f}")
print(f"std of μ {mu.std():.1f}, median σ {np.median(np.exp(ln_var / 2)):.0e}")
np.random.seed(0)
wide = np.random.normal(size=(20, n_latent)).astype(np.float32)
tiles = [latent.decode(model, wide), latent.decode(model, wide * mu.std(axis=0) + mu.mean(axis=0))]
plt.figure(figsize=(8, 1.3))
plt.imshow(latent.montage(np.reshape(tiles, (2, 20, 28, 28))))
plt.yticks([14, 42], ["N(0, I)", "fitted to μ"])
plt.xticks([])
plt.tick_params(length=0)
plt.show()
```

</details>

### Exercise 2 (medium): binarization resampled each time

Use the interpretation of section 5-1 for training: for each batch, resample $b \sim \mathrm{Bernoulli}(x)$. Compare with the model of (a), both on the greyscale test images and on $b$.

<details><summary>Solution</summary>

For both models and both data sets, the losses are about 132 to 134 nats, almost the same. As section 5-1 showed, the loss of $x$ is the expectation of the loss of $b$. The only remaining difference is the input of the encoder. An encoder that receives $b$ can choose the $z$ that suits this $b$, so the loss on $b$ is a little lower.

```python
np.random.seed(0)
model = Bernoulli(784, n_latent, n_h, F.softplus)
optimizer = chainer.optimizers.Adam()
optimizer.setup(model)
loss_func = model.get_loss_func()
for _ in range(epochs):
    for rows in batches(n_images):
        x = images[rows]
        b = (np.random.uniform(size=x.shape) < x).astype(np.float32)  # resampled each time
        optimizer.update(loss_func, b)
b = (np.random.uniform(size=test_images.shape) < test_images).astype(np.float32)
for name, other in ((name_a, trained[name_a]), ("randomly binarized", model)):
    on_grey, on_b = evaluate(other, test_images, k=1), evaluate(other, b, k=1)
    print(f"grey {on_grey.loss:.1f}, b {on_b.loss:.1f}   {name}")
```

</details>

### Exercise 3 (medium): warm-up

Make the training twice as long, raise $C$ from 0 to 1 in the first half, and keep it at 1 in the second. Compare the number of used latent dimensions and the negative ELBO with those of $C = 1$ from the beginning.

<details><summary>Solution</summary>

We only pass another list to `train_with_engine`. With the settings of this notebook, the number of used latent dimensions rises from 13 to 18, and the negative ELBO falls from about 113.7 to 112.7 nats.

```python
total = 2 * C_epochs
warm_up = np.minimum(1, np.arange(total) / C_epochs)  # 0 to 1 in the first half
for name, schedule in (("C = 1", np.ones(total)), ("warm-up", warm_up)):
    model = train_with_engine(schedule)
    loss = evaluate(model, test_images, k=10).loss
    used = np.sum(latent_stats(model, test_images)[0] > 0.1)
    print(f"-ELBO {loss:.1f}, used {used}   {name}")
```

</details>

### Exercise 4 (hard): free bits

The free bits of Kingma et al. (2016) replace the KL divergence of each latent dimension by $\max(\lambda, \mathrm{KL}_j)$ ($\mathrm{KL}_j$ is the mean over the batch). Up to $\lambda$ nats are free, so there is no gain in leaving a latent dimension completely unused. Implement this with $\lambda = 0.5$.

<details><summary>Solution</summary>

Leave the true KL divergence in `latent_loss`, and change only the loss used for training. Then `evaluate` still measures the ELBO. With the settings of this notebook, all 20 dimensions are used, but the negative ELBO, about 136 nats, is worse than the original's 134. Being used is not the same as improving the loss.

```python
class FreeBits(VAE):
    def get_loss_func(self, C=1.0, k=1, least=0.5):
        elbo = super().get_loss_func(C, k)

        def loss_func(x):
            elbo(x)  # computes rec_loss and latent_loss
            mu, ln_var = self.encode(x)
            kl = F.mean(mu**2 + F.exp(ln_var) - ln_var - 1, axis=0) / 2  # (n_latent,)
            return self.rec_loss + F.sum(F.maximum(kl, np.full_like(kl.array, least)))

        return loss_func


for kind in (VAE, FreeBits):
    np.random.seed(0)
    model = kind(784, n_latent, n_h, F.softplus)
    train(model, images, epochs)
    result = evaluate(model, test_images, k=1)
    kl, _ = latent_stats(model, test_images)
    print(f"{kind.__name__}: -ELBO {result.loss:.1f}, KL {result.kl:.1f},", end=" ")
    print(f"used {np.sum(kl > 0.1)}, least KL {kl.min():.2f}")
```

</details>

## Summary

- With grey pixels, the loss contains a constant that no model can reduce: 45.5 of the 97 nats.
- Another distribution of the pixels gives losses of another kind. Values of different distributions cannot be compared directly.
- A higher `C` leaves fewer latent dimensions in use, and worse reconstructions. A larger `k` does not reduce the variation between batches.
- A variance of 0.01 costs at least 0.005 nats of KL divergence. How many dimensions count as used depends on the criterion.

## What to read next

[Lesson 6](lesson:06) shows what keeps this model running from 2017 to today. To try things yourself, you can replace MNIST by Fashion-MNIST (`--dataset`), or train for 100 epochs with `chainer-vae train --C 4` or `--k 5`, and see whether the tendencies observed here persist in a long training.

### Sources

- kenmatsu4, [Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24), 2017. The question about its code: [issue 2](https://github.com/matsuken92/Qiita_Contents/issues/2).
- D. P. Kingma and M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013.
- G. Loaiza-Ganem and J. P. Cunningham, [The continuous Bernoulli: fixing a pervasive error in variational autoencoders](https://arxiv.org/abs/1907.06845), 2019.
- L. Theis, A. van den Oord and M. Bethge, [A note on the evaluation of generative models](https://arxiv.org/abs/1511.01844), 2016. Dequantization, and the lower bound.
- O. Rybkin, K. Daniilidis and S. Levine, [Simple and Effective VAE Training with Calibrated Decoders](https://arxiv.org/abs/2006.13202), 2020. The learned $\sigma$.
- I. Higgins et al., [beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework](https://openreview.net/forum?id=Sy2fzU9gl), 2017. `C` is its $\beta$.
- A. A. Alemi et al., [Fixing a Broken ELBO](https://arxiv.org/abs/1711.00464), 2018.
- Y. Burda, R. Grosse and R. Salakhutdinov, [Importance Weighted Autoencoders](https://arxiv.org/abs/1509.00519), 2016.
- S. R. Bowman et al., [Generating Sentences from a Continuous Space](https://arxiv.org/abs/1511.06349), 2016.
- C. K. Sønderby et al., [Ladder Variational Autoencoders](https://arxiv.org/abs/1602.02282), 2016.
- D. P. Kingma et al., [Improving Variational Inference with Inverse Autoregressive Flow](https://arxiv.org/abs/1606.04934), 2016. Free bits.
"""
