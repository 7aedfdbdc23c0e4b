# %% [markdown] lang="ja"
r"""
# 4. 誤差逆伝播を手で書く：サンプリングを通して勾配を伝える

記事の最後の節は、VAEの学習に残った問題を1つ挙げています。エンコーダーとデコーダーの間で潜在変数 $z$ をサンプリングするため、誤差逆伝播がそこで途切れることです。
その解決策がReparameterization Trick、$z = \mu(X) + \varepsilon * \sigma(X)$ でした。このレッスンでは、この1行の働きを数値で確かめ、VAE全体の勾配を自分で計算します。

- **時間**：読んで実行するのに約50分、演習に約50分
- **目標**：サンプリングを通る勾配を2つの方法で推定できる。VAE全体の勾配とAdamを自分で書ける
- **前提**：[レッスン2](lesson:02)、偏微分、行列の積
- **エクスプローラー**（`chainer-vae explore --open`）：[$\varepsilon$ をサンプリングし直して、$z$ と画像を見る](explorer:tab=draw)

内容は次のとおりです。

- 期待値の勾配を推定する2つの方法（スコア関数法とpathwise法）を導き、分散を比べる。
- VAEの順伝播と逆伝播をNumPyだけで書き、Chainerの自動微分、数値微分と比べる。
- `chainer_vae` の学習を高速化している部分も、同じ計算をしていることを確かめる。
- Adamも自分で書いて学習させる。最後に、学習済みのVAEで2つの方法の分散を比べる。
"""

# %% [markdown] lang="en"
r"""
# 4. Backpropagation by hand, through random sampling

The last section of the article names one remaining problem in training a VAE: between the encoder and the decoder, the latent variable $z$ is sampled at random, and backpropagation stops there.
The solution was the reparameterization trick, $z = \mu(X) + \varepsilon * \sigma(X)$. In this lesson we see in numbers what this one line does, and compute the gradient of the whole VAE ourselves.

- **Time**: about 50 minutes to read and run, and 50 more for the exercises
- **Goals**: estimate a gradient through sampling in two ways; write the gradients of the whole VAE, and Adam
- **You need**: [lesson 2](lesson:02), partial derivatives, matrix products
- **In the explorer** (`chainer-vae explore --open`): [resample $\varepsilon$, and see $z$ and the images](explorer:tab=draw)

In this lesson, we

- derive two estimators for the gradient of an expectation (the score function estimator and the pathwise estimator), and compare their variances.
- write the forward and backward pass of the VAE in NumPy alone, and compare it with Chainer's automatic differentiation and with finite differences.
- check that the part of `chainer_vae` that makes training fast does the same computation.
- write Adam by hand, too, and train with it. At the end, compare the variances of both estimators on a trained VAE.
"""

# %%
from time import perf_counter
from types import SimpleNamespace

import chainer_vae  # ⟦Chainerを使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
import chainer
import chainer.functions as F
import matplotlib.pyplot as plt
import numpy as np

from chainer_vae.engine import Engine, thread_pool
from chainer_vae.figures import style

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% tags=["parameters"] small={"n_draws": 60, "n_steps": 5, "n_timed": 3}
n_samples = 100_000  # ⟦1次元の例でのサンプル数|number of samples in the 1-dimensional example⟧
batchsize = 20  # ⟦逆伝播を確かめる画像の枚数|number of images for checking gradients⟧
n_timed = 31  # ⟦時間を測るステップの数|number of timed steps⟧
n_steps = 100  # ⟦自分で書いたAdamのステップの数|number of steps with our own Adam⟧
n_draws = 500  # ⟦学習済みのVAEでノイズをサンプリングする回数|number of noise samples with the trained VAE⟧

# %% [markdown] lang="ja"
r"""
## 1. 問題：サンプリングで勾配が途切れる

再構成誤差は、エンコーダーの分布 $q_\phi(z|X)$ についての期待値です。本質だけを取り出すと、次の形をしています。

$$J(\phi) = \mathbb{E}_{z \sim q_\phi}[f(z)]$$

$\phi$ は $f$ の中ではなく、$z$ をサンプリングする分布の中にあります。サンプリングした $z$ はただの数なので、$f(z)$ を微分しても $\phi$ についての勾配は得られません。

答えのわかる例で考えましょう。$q = \mathcal{N}(\mu, \sigma^2)$、$f(z) = (z - a)^2$ とします。期待値は手で計算できます。

$$J(\mu, \sigma) = \mathbb{E}[(z - a)^2] = (\mu - a)^2 + \sigma^2, \qquad \frac{\partial J}{\partial \mu} = 2(\mu - a), \qquad \frac{\partial J}{\partial \sigma} = 2\sigma$$

次のセルでは、$z$ を `np.random` でサンプリングしてから、Chainerで微分します。$z$ についての勾配は得られますが、$\mu$ についての勾配はどうなるでしょうか。
"""

# %% [markdown] lang="en"
r"""
## 1. The problem: the gradient stops at the sampling

The reconstruction error is an expectation over the encoder's distribution $q_\phi(z|X)$. Reduced to the essentials, it has this form:

$$J(\phi) = \mathbb{E}_{z \sim q_\phi}[f(z)]$$

$\phi$ is not in $f$ but in the distribution that $z$ is sampled from. Once sampled, $z$ is just a number, and differentiating $f(z)$ gives no gradient with respect to $\phi$.

Let us take an example whose answer we know: $q = \mathcal{N}(\mu, \sigma^2)$ and $f(z) = (z - a)^2$. Its expectation can be computed by hand:

$$J(\mu, \sigma) = \mathbb{E}[(z - a)^2] = (\mu - a)^2 + \sigma^2, \qquad \frac{\partial J}{\partial \mu} = 2(\mu - a), \qquad \frac{\partial J}{\partial \sigma} = 2\sigma$$

In the next cell we sample $z$ with `np.random`, and let Chainer differentiate. We get a gradient with respect to $z$. What about $\mu$?
"""

# %%
np.random.seed(0)
a, mu, sigma = 3.0, 2.0, 1.0
exact = 2 * (mu - a), 2 * sigma

node = chainer.Variable(np.array([mu]))
z = chainer.Variable(np.random.normal(node.array, sigma))
F.sum((z - a) ** 2).backward()

print("⟦手計算のdJ/dmu、dJ/dsigma：|dJ/dmu and dJ/dsigma by hand: ⟧", exact)
print("⟦Chainerのdf/dz：|Chainer's df/dz: ⟧", z.grad)
print("⟦Chainerのdf/dmu：|Chainer's df/dmu:⟧", node.grad)

# %% [markdown] lang="ja"
r"""
$\mu$ の勾配は `None`、つまり「つながっていない」でした。計算グラフの上で、$z$ は $\mu$ の関数ではなく、独立した入力だからです。正解の $-2$ を得るには工夫が必要です。

## 2. 2つの推定量

### 2.1スコア関数法（REINFORCE）

期待値を積分で書き、微分を積分の中に入れます。対数の微分 $\nabla \log q = \nabla q / q$ から $\nabla q = q \, \nabla \log q$ が得られ、これを使うと、また期待値の形に戻ります。

$$\nabla_\phi \mathbb{E}_{q_\phi}[f(z)] = \int f(z) \, \nabla_\phi q_\phi(z) \, dz = \int f(z) \, q_\phi(z) \, \nabla_\phi \log q_\phi(z) \, dz = \mathbb{E}_{q_\phi}[f(z) \, \nabla_\phi \log q_\phi(z)]$$

$f$ の微分は必要ありません。$z$ をサンプリングし、$f(z)$ と $\nabla_\phi \log q_\phi(z)$（スコア関数）の積を平均します。正規分布では $\varepsilon = (z - \mu) / \sigma$ として

$$\frac{\partial \log q}{\partial \mu} = \frac{z - \mu}{\sigma^2} = \frac{\varepsilon}{\sigma}, \qquad \frac{\partial \log q}{\partial \sigma} = \frac{(z - \mu)^2}{\sigma^3} - \frac{1}{\sigma} = \frac{\varepsilon^2 - 1}{\sigma}$$

スコア関数の期待値は0です（上の式で $f = 1$ とすると、左辺は定数1の微分です）。そのため、どんな定数 $b$ を $f$ から引いても期待値は変わりません。この定数を **ベースライン** といい、うまく選ぶと分散が減ります。ここでは $b = \mathbb{E}[f]$ とします。

### 2.2 pathwise法（Reparameterization Trick）

乱数を、パラメーターを含まない $\varepsilon \sim \mathcal{N}(0, 1)$ に分離し、$z = \mu + \sigma \varepsilon$ と書きます。期待値は $\varepsilon$ についてのものになり、その分布は $\phi$ を含まないので、微分をそのまま期待値の中に入れられます。

$$\nabla_\phi \mathbb{E}_{\varepsilon}[f(\mu + \sigma \varepsilon)] = \mathbb{E}_{\varepsilon}\left[f'(z) \, \nabla_\phi z\right], \qquad \frac{\partial z}{\partial \mu} = 1, \qquad \frac{\partial z}{\partial \sigma} = \varepsilon$$

この方法では $f'$ を使います。$z$ の勾配が、$z$ を計算した経路（path）を逆にたどって $\mu$ と $\sigma$ に届きます。記事の図にある青い矢印が、この経路です。

### 2.3どちらも正しいか

同じ $\varepsilon$ で3つの推定量を計算し、平均を正解の $-2$ と $2$ に比べます。± の後ろは平均の標準誤差（標準偏差をサンプル数の平方根で割ったもの）です。どの平均も、正解から標準誤差の数倍以内に入るはずです。
"""

# %% [markdown] lang="en"
r"""
The gradient with respect to $\mu$ is `None`: "not connected". In the computational graph, $z$ is not a function of $\mu$ but an independent input. To get the correct answer, $-2$, we need another approach.

## 2. Two estimators

### 2.1 The score function estimator (REINFORCE)

Write the expectation as an integral, and move the derivative inside. The derivative of a logarithm, $\nabla \log q = \nabla q / q$, gives $\nabla q = q \, \nabla \log q$. With this, the integral becomes an expectation again:

$$\nabla_\phi \mathbb{E}_{q_\phi}[f(z)] = \int f(z) \, \nabla_\phi q_\phi(z) \, dz = \int f(z) \, q_\phi(z) \, \nabla_\phi \log q_\phi(z) \, dz = \mathbb{E}_{q_\phi}[f(z) \, \nabla_\phi \log q_\phi(z)]$$

No derivative of $f$ is needed. We sample $z$, multiply $f(z)$ by $\nabla_\phi \log q_\phi(z)$ (the score function), and average. For the normal distribution, with $\varepsilon = (z - \mu) / \sigma$,

$$\frac{\partial \log q}{\partial \mu} = \frac{z - \mu}{\sigma^2} = \frac{\varepsilon}{\sigma}, \qquad \frac{\partial \log q}{\partial \sigma} = \frac{(z - \mu)^2}{\sigma^3} - \frac{1}{\sigma} = \frac{\varepsilon^2 - 1}{\sigma}$$

The expectation of the score function is 0 (with $f = 1$ above, the left-hand side is the derivative of the constant 1). So we may subtract any constant $b$ from $f$ without changing the expectation. This constant is called a **baseline**. If well chosen, it reduces the variance. We take $b = \mathbb{E}[f]$.

### 2.2 The pathwise estimator (the reparameterization trick)

Separate the randomness into $\varepsilon \sim \mathcal{N}(0, 1)$, which has no parameters, and write $z = \mu + \sigma \varepsilon$. The expectation is now over $\varepsilon$, whose distribution does not contain $\phi$, so the derivative can simply move inside:

$$\nabla_\phi \mathbb{E}_{\varepsilon}[f(\mu + \sigma \varepsilon)] = \mathbb{E}_{\varepsilon}\left[f'(z) \, \nabla_\phi z\right], \qquad \frac{\partial z}{\partial \mu} = 1, \qquad \frac{\partial z}{\partial \sigma} = \varepsilon$$

This estimator uses $f'$. The gradient with respect to $z$ follows the path by which $z$ was computed back to $\mu$ and $\sigma$. These are the blue arrows in the article's figure.

### 2.3 Are both correct?

We compute three estimators with the same $\varepsilon$, and compare their means with the correct answers, $-2$ and $2$. After ± is the standard error of the mean (the standard deviation divided by the square root of the number of samples). All means should be within a few standard errors of the answer.
"""

# %%
eps = np.random.standard_normal(n_samples)
z = mu + sigma * eps
f = (z - a) ** 2
b = (mu - a) ** 2 + sigma**2  # E[f]
scores = eps / sigma, (eps**2 - 1) / sigma  # d log q / dmu, d log q / dsigma

names = "⟦スコア関数|score⟧", "⟦スコア関数（ベースライン付き）|score with baseline⟧", "pathwise"
colors = style.DECODER, style.LATENT, style.ENCODER
by_mu = f * scores[0], (f - b) * scores[0], 2 * (z - a)  # f'(z) dz/dmu
by_sigma = f * scores[1], (f - b) * scores[1], 2 * (z - a) * eps  # f'(z) dz/dsigma

for parameter, answer, estimators in zip(("mu", "sigma"), exact, (by_mu, by_sigma)):
    print(f"dJ/d{parameter} = {answer:g}")
    for g, name in zip(estimators, names):
        error = g.std() / np.sqrt(n_samples)
        print(f"   {g.mean():7.3f} ± {error:.3f}   {name}")
        assert abs(g.mean() - answer) < 4 * error

# %% [markdown] lang="ja"
r"""
3つとも、誤差の範囲で正解と一致しました。どれも期待値が正解に等しい、つまり **不偏** です。違うのは ± の後ろで、同じ10万個の乱数から求めた $\mu$ の勾配の誤差は、順に0.017、0.014、0.006でした。個々の値の分布を見てみましょう（縦軸は対数です）。
"""

# %% [markdown] lang="en"
r"""
All three agree with the answer within their errors. Their expectation equals the answer: they are **unbiased**. What differs is the number after ±. From the same 100,000 random numbers, the errors of the gradient with respect to $\mu$ are 0.017, 0.014 and 0.006. Let us look at the distribution of the individual values (the vertical axis is logarithmic).
"""

# %%
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for g, name, color in zip(by_mu, names, colors):
    ax.hist(g, bins=np.linspace(-40, 20, 121), histtype="step", lw=1.5, color=color, label=name)
ax.axvline(exact[0], color=style.INK, lw=1, ls="--", label="⟦正解|exact⟧")
ax.set_yscale("log")
ax.set_xlabel("⟦1つの $z$ から推定した $\\mu$ の勾配|gradient for $\\mu$, from one $z$⟧")
ax.set_ylabel("⟦個数|count⟧")
ax.legend(fontsize=9)
plt.show()

# %% [markdown] lang="ja"
r"""
pathwise法の値は、$-2$ を中心に左右対称に分布します。スコア関数法では多くの値が0の近くに集まり、左に長く伸びた裾によって平均が $-2$ になります。このように裾に左右される平均は、ばらつきが大きくなります。

### 2.4分散を手で計算する

$m = \mu - a$ と置くと $z - a = m + \sigma \varepsilon$ です。必要なのは $\mathbb{E}[\varepsilon^2] = 1$、$\mathbb{E}[\varepsilon^4] = 3$、$\mathbb{E}[\varepsilon^6] = 15$ と、奇数乗の期待値が0であることだけです。$\mu$ の勾配について、

- **pathwise**：$g = 2(m + \sigma \varepsilon)$ なので、$\mathrm{Var}[g] = 4 \sigma^2$。
- **スコア関数**：$g = (m + \sigma \varepsilon)^2 \, \varepsilon / \sigma$。4乗を展開して $\mathbb{E}[g^2] = (m^4 + 18 m^2 \sigma^2 + 15 \sigma^4) / \sigma^2$。ここから平均の2乗 $4 m^2$ を引いて、$\mathrm{Var}[g] = m^4 / \sigma^2 + 14 m^2 + 15 \sigma^2$。
- **ベースライン付き**：$b$ を引くと $\mathbb{E}[g^2]$ は $(2 b \, \mathbb{E}[f \varepsilon^2] - b^2) / \sigma^2$ だけ減ります。$\mathbb{E}[f \varepsilon^2] = m^2 + 3 \sigma^2$ と $b = m^2 + \sigma^2$ を代入して、$\mathrm{Var}[g] = 8 m^2 + 10 \sigma^2$。

$m = -1$、$\sigma = 1$ では、スコア関数、ベースライン付き、pathwiseの順に30、18、4になるはずです。
"""

# %% [markdown] lang="en"
r"""
The pathwise values are distributed symmetrically around $-2$. Most values of the score function estimator lie close to 0, and it is a long tail to the left that makes their mean $-2$. A mean that depends on its tail has a large variance.

### 2.4 The variances by hand

With $m = \mu - a$, we have $z - a = m + \sigma \varepsilon$. All we need is $\mathbb{E}[\varepsilon^2] = 1$, $\mathbb{E}[\varepsilon^4] = 3$, $\mathbb{E}[\varepsilon^6] = 15$, and that odd powers have the expectation 0. For the gradient with respect to $\mu$:

- **Pathwise**: $g = 2(m + \sigma \varepsilon)$, so $\mathrm{Var}[g] = 4 \sigma^2$.
- **Score function**: $g = (m + \sigma \varepsilon)^2 \, \varepsilon / \sigma$. Expanding the fourth power, $\mathbb{E}[g^2] = (m^4 + 18 m^2 \sigma^2 + 15 \sigma^4) / \sigma^2$. Subtracting the square of the mean, $4 m^2$, gives $\mathrm{Var}[g] = m^4 / \sigma^2 + 14 m^2 + 15 \sigma^2$.
- **With baseline**: subtracting $b$ reduces $\mathbb{E}[g^2]$ by $(2 b \, \mathbb{E}[f \varepsilon^2] - b^2) / \sigma^2$. With $\mathbb{E}[f \varepsilon^2] = m^2 + 3 \sigma^2$ and $b = m^2 + \sigma^2$, we get $\mathrm{Var}[g] = 8 m^2 + 10 \sigma^2$.

For $m = -1$, $\sigma = 1$, these should be 30 (score function), 18 (with baseline) and 4 (pathwise).
"""

# %%
m = mu - a
by_hand = [m**4 / sigma**2 + 14 * m**2 + 15 * sigma**2, 8 * m**2 + 10 * sigma**2, 4 * sigma**2]
for g, variance, name in zip(by_mu, by_hand, names):
    print(f"⟦手計算|by hand⟧ {variance:4.1f}   ⟦実測|measured⟧ {g.var():5.2f}   {name}")
    np.testing.assert_allclose(g.var(), variance, rtol=0.1)

# %% [markdown] lang="ja"
r"""
実測値は30.55、18.51、3.98で、手計算と一致しています。

### 2.5次元が増えると

潜在変数が1次元とは限りません。$D$ 個の独立な $z_j$ について $f(z) = \sum_{j=1}^{D} (z_j - a)^2$ とし、$\mu_1$ の勾配だけを見ます。正解は $D$ によらず、常に $2(\mu_1 - a)$ です。

スコア関数法は $f(z)$ の **全体** に $\varepsilon_1 / \sigma$ を掛けます。$z_1$ と関係のない残りの $D - 1$ 個の項も、すべてノイズとして勾配に混ざります。pathwise法は $\partial f / \partial z_1$ を使うので、残りの項は微分すると消えます。

<details><summary>D次元の分散の式</summary>

$f$ を、$z_1$ の項 $f_1$ と、$\varepsilon_1$ と独立な残り $R$ に分けます。$\mathbb{E}[R] = (D - 1)(m^2 + \sigma^2)$、$\mathrm{Var}[R] = (D - 1)(4 m^2 \sigma^2 + 2 \sigma^4)$ です。$\mathbb{E}[(f_1 + R)^2 \varepsilon_1^2]$ を展開すると、1次元の分散に次の項が加わります。

- スコア関数：$(2 \, \mathbb{E}[R] \, (m^2 + 3 \sigma^2) + \mathrm{Var}[R] + \mathbb{E}[R]^2) / \sigma^2$。$D$ の2次式です。
- ベースライン付き：$R$ の平均が0になるので、$\mathrm{Var}[R] / \sigma^2$。$D$ の1次式です。
- pathwise：何も加わりません。

</details>

この式（線）と、乱数で測った分散（点）を重ねて示します。
"""

# %% [markdown] lang="en"
r"""
The measured values are 30.55, 18.51 and 3.98, in agreement with the computation by hand.

### 2.5 More dimensions

A latent variable usually has more than one dimension. For $D$ independent $z_j$, let $f(z) = \sum_{j=1}^{D} (z_j - a)^2$, and consider the gradient with respect to $\mu_1$ alone. The answer is always $2(\mu_1 - a)$, whatever $D$ is.

The score function estimator multiplies **all** of $f(z)$ by $\varepsilon_1 / \sigma$. The other $D - 1$ terms, which have nothing to do with $z_1$, enter the gradient as noise. The pathwise estimator uses $\partial f / \partial z_1$, so the other terms vanish when we differentiate.

<details><summary>The variances in D dimensions</summary>

Split $f$ into the term of $z_1$, $f_1$, and the rest $R$, which is independent of $\varepsilon_1$. We have $\mathbb{E}[R] = (D - 1)(m^2 + \sigma^2)$ and $\mathrm{Var}[R] = (D - 1)(4 m^2 \sigma^2 + 2 \sigma^4)$. Expanding $\mathbb{E}[(f_1 + R)^2 \varepsilon_1^2]$ adds these terms to the variance in one dimension:

- Score function: $(2 \, \mathbb{E}[R] \, (m^2 + 3 \sigma^2) + \mathrm{Var}[R] + \mathbb{E}[R]^2) / \sigma^2$, quadratic in $D$.
- With baseline: the mean of $R$ becomes 0, so $\mathrm{Var}[R] / \sigma^2$, linear in $D$.
- Pathwise: nothing.

</details>

We plot these formulas (lines) and the variances measured with random numbers (dots).
"""


# %%
def measure(D):
    """⟦3つの推定量の分散を測る|Measure the variances of the three estimators⟧"""
    eps = np.random.standard_normal((n_samples, D))
    z = mu + sigma * eps
    f = ((z - a) ** 2).sum(axis=1)
    score = eps[:, 0] / sigma
    return (f * score).var(), ((f - D * b) * score).var(), (2 * (z[:, 0] - a)).var()


dims = np.array([1, 2, 5, 10, 20, 50])
measured = np.array([measure(D) for D in dims])

mean_R, var_R = (dims - 1) * b, (dims - 1) * (4 * m**2 * sigma**2 + 2 * sigma**4)
added = 2 * mean_R * (m**2 + 3 * sigma**2) + var_R + mean_R**2, var_R, 0 * var_R
theory = np.array(by_hand) + np.stack(added, axis=1) / sigma**2
np.testing.assert_allclose(measured, theory, rtol=0.1)

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for i, color in enumerate(colors):
    ax.loglog(dims, theory[:, i], color=color, label=names[i])
    ax.loglog(dims, measured[:, i], "o", color=color)
ax.set_xticks(dims, dims)
ax.set_xticks([], minor=True)
ax.set_xlabel("⟦潜在次元の数 $D$|number of latent dimensions $D$⟧")
ax.set_ylabel("⟦勾配の分散|variance of the gradient⟧")
ax.legend(fontsize=9)
ax.grid()
plt.show()
print("⟦D = 50での分散|D = 50, variances⟧:", *(f"{variance:,.1f}" for variance in measured[-1]))

# %% [markdown] lang="ja"
r"""
50次元では、分散は約10,700、約314、約4でした。平均の分散はサンプル数に反比例して減ります。そのため、pathwise法の1サンプルと同じ精度を得るには、スコア関数法では約2,700サンプル、ベースライン付きでも約80サンプルが必要です。

ただし、pathwise法はいつでも使えるわけではありません。$f$ が微分可能で、$z$ が連続で、かつパラメーターを含まない乱数から計算できる必要があります。離散的な $z$ や、中身のわからない $f$ には、スコア関数法が使えます。
また、$f$ が激しく振動するときは $f'$ が大きくなり、分散の大小が逆転することもあります。VAEでは、デコーダーが微分可能で $z$ が正規分布に従うので、pathwise法が適しています。

## 3. VAEの逆伝播を手で書く

次に、VAE全体の勾配を計算します。バッチは $B$ 枚の画像で、1行に1枚ずつ並べます。損失 $L$ の、ある量 $y$ による微分を $g_y = \partial L / \partial y$ と書きます。形は $y$ と同じです。$\odot$ は成分ごとの積です。

### 3.1 5つの規則

記号は2節から少し変わります。ここからは $a$ が層の出力（活性化関数に入力する前の値）、$b$ がバイアスです。$\rho = \log \sigma^2$ は、コードの `ln_var` です。

**全結合層**、$a = h W^\top + b$：

$$g_W = g_a^\top h, \qquad g_b = \sum_n g_{a,n}, \qquad g_h = g_a W$$

成分で書くと $a_{ni} = \sum_j W_{ij} h_{nj} + b_i$ です。$W_{ij}$ は、すべての画像 $n$ の $a_{ni}$ に、係数 $h_{nj}$ で影響します。よって $\partial L / \partial W_{ij} = \sum_n g_{a,ni} h_{nj}$ で、行列で書くと $g_a^\top h$ です。$h_{nj}$ は、すべての $i$ の $a_{ni}$ に、係数 $W_{ij}$ で影響するので、$g_h = g_a W$ です。

**活性化関数**、$h = \mathrm{softplus}(a) = \log(1 + e^a)$：

$$g_a = g_h \odot \mathrm{sigmoid}(a)$$

$\log(1 + e^a)$ の微分は $e^a / (1 + e^a) = \mathrm{sigmoid}(a)$ です。さらに $\mathrm{sigmoid}(a) = 1 - e^{-h}$ なので、$a$ を保存しておかなくても $h$ だけから計算できます。

**再構成誤差**、$\log(1 + e^a) - x a$：

$$g_a = (\mathrm{sigmoid}(a) - x) / B$$

白になる確率が $\mathrm{sigmoid}(a)$ である画素の $-\log p(x|z)$ を整理すると、この形になります。微分は「予測 − 画素」です。$B$ で割るのは、損失がバッチの平均だからです。

**潜在変数**、$z = \mu + \sigma \varepsilon$、$\sigma = e^{\rho / 2}$：

$$g_\mu = g_z, \qquad g_\rho = g_z \odot \sigma \varepsilon / 2$$

これがReparameterization Trickです。$\varepsilon$ は定数なので、$\partial z / \partial \mu = 1$、$\partial z / \partial \rho = \sigma \varepsilon / 2$ です。

**KL**、$C \cdot \frac{1}{2}(\mu^2 + \sigma^2 - \rho - 1)$：$g_\mu$ に $C \mu / B$ を、$g_\rho$ に $C (\sigma^2 - 1) / (2B)$ を加えます。$\sigma^2 = e^\rho$ の $\rho$ による微分は $\sigma^2$ 自身です。

### 3.2順伝播

逆伝播で使う値を `v` に保存しながら計算します。`sigmoid` は、大きな $a$ でもオーバーフローしないように、$e^{-\mathrm{softplus}(-a)}$ と書きました。
"""

# %% [markdown] lang="en"
r"""
In 50 dimensions, the variances are about 10,700, about 314 and about 4. The variance of a mean is inversely proportional to the number of samples. So for the precision of one pathwise sample, the score function estimator needs about 2,700 samples, and with the baseline still about 80.

But the pathwise estimator cannot always be used. $f$ must be differentiable, and $z$ must be continuous and computed from random numbers without parameters. The score function estimator also works for a discrete $z$, or for an $f$ that is a black box.
And where $f$ oscillates strongly, $f'$ is large, and the pathwise variance may be the larger one. In a VAE the decoder is differentiable and $z$ is normal, so the pathwise estimator is a good fit.

## 3. The VAE's backward pass by hand

Now we compute the gradient of the whole VAE. A batch has $B$ images, one per row. For the derivative of the loss $L$ with respect to a quantity $y$ we write $g_y = \partial L / \partial y$. It has the shape of $y$. $\odot$ is the element-wise product.

### 3.1 Five rules

The notation changes a little from section 2: from here on, $a$ is the output of a layer (before the activation), and $b$ its bias. $\rho = \log \sigma^2$ is `ln_var` in the code.

**Fully connected layer**, $a = h W^\top + b$:

$$g_W = g_a^\top h, \qquad g_b = \sum_n g_{a,n}, \qquad g_h = g_a W$$

In components, $a_{ni} = \sum_j W_{ij} h_{nj} + b_i$. $W_{ij}$ affects $a_{ni}$ of every image $n$, with the factor $h_{nj}$, so $\partial L / \partial W_{ij} = \sum_n g_{a,ni} h_{nj}$. As a matrix product this is $g_a^\top h$. $h_{nj}$ affects $a_{ni}$ for every $i$, with the factor $W_{ij}$, so $g_h = g_a W$.

**Activation**, $h = \mathrm{softplus}(a) = \log(1 + e^a)$:

$$g_a = g_h \odot \mathrm{sigmoid}(a)$$

The derivative of $\log(1 + e^a)$ is $e^a / (1 + e^a) = \mathrm{sigmoid}(a)$. Moreover, $\mathrm{sigmoid}(a) = 1 - e^{-h}$, so we do not need to store $a$: it can be computed from $h$ alone.

**Reconstruction error**, $\log(1 + e^a) - x a$:

$$g_a = (\mathrm{sigmoid}(a) - x) / B$$

This is $-\log p(x|z)$ of a pixel, simplified, where $\mathrm{sigmoid}(a)$ is the probability of white. Its derivative is "prediction minus pixel". We divide by $B$ because the loss is the mean over the batch.

**Latent variable**, $z = \mu + \sigma \varepsilon$, $\sigma = e^{\rho / 2}$:

$$g_\mu = g_z, \qquad g_\rho = g_z \odot \sigma \varepsilon / 2$$

This is the reparameterization trick. $\varepsilon$ is a constant, so $\partial z / \partial \mu = 1$ and $\partial z / \partial \rho = \sigma \varepsilon / 2$.

**KL divergence**, $C \cdot \frac{1}{2}(\mu^2 + \sigma^2 - \rho - 1)$: add $C \mu / B$ to $g_\mu$, and $C (\sigma^2 - 1) / (2B)$ to $g_\rho$. The derivative of $\sigma^2 = e^\rho$ with respect to $\rho$ is $\sigma^2$ itself.

### 3.2 Forward pass

Along the way, we store in `v` the values that the backward pass needs. `sigmoid` is written as $e^{-\mathrm{softplus}(-a)}$, so it does not overflow for large $a$.
"""


# %%
def softplus(a):
    return np.logaddexp(0, a)  # log(1 + e^a)


def sigmoid(a):
    return np.exp(-softplus(-a))


def affine(p, name, h):
    return h @ p[f"/{name}/W"].T + p[f"/{name}/b"]


def forward(p, x, eps, C=1.0, act=softplus):
    v = SimpleNamespace(x=x, eps=eps, C=C)
    v.h1 = act(affine(p, "le1", x))
    v.h2 = act(affine(p, "le2", v.h1))
    v.mu = affine(p, "le3_mu", v.h2)
    v.ln_var = affine(p, "le3_ln_var", v.h2)
    v.sigma = np.exp(v.ln_var / 2)
    v.z = v.mu + v.sigma * eps
    v.d1 = act(affine(p, "ld1", v.z))
    v.d2 = act(affine(p, "ld2", v.d1))
    v.a = affine(p, "ld3", v.d2)
    v.rec = (softplus(v.a) - x * v.a).sum(axis=1)  # ⟦画像ごと|per image⟧
    v.kl = (v.mu**2 + v.sigma**2 - v.ln_var - 1).sum(axis=1) / 2
    v.loss = (v.rec + C * v.kl).mean()
    return v


# %% [markdown] lang="ja"
r"""
### 3.3逆伝播

順伝播を下から上へ読みながら、1行ずつ規則を適用します。`h2` は2つの層（`le3_mu` と `le3_ln_var`）に入力されるので、`g_h2` は両方から来る勾配の **和** です。
"""

# %% [markdown] lang="en"
r"""
### 3.3 Backward pass

We read the forward pass from bottom to top, and apply the rules line by line. `h2` is the input of two layers (`le3_mu` and `le3_ln_var`), so `g_h2` is the **sum** of the gradients from both.
"""


# %%
def softplus_prime(h):
    return -np.expm1(-h)  # 1 - e^-h = sigmoid(a)


def affine_backward(p, g, name, g_a, h):
    g[f"/{name}/W"] = g_a.T @ h
    g[f"/{name}/b"] = g_a.sum(axis=0)
    return g_a @ p[f"/{name}/W"]  # g_h


def backward(p, v, act_prime=softplus_prime):
    g, B = {}, len(v.x)
    g_a = (sigmoid(v.a) - v.x) / B
    g_a = affine_backward(p, g, "ld3", g_a, v.d2) * act_prime(v.d2)
    g_a = affine_backward(p, g, "ld2", g_a, v.d1) * act_prime(v.d1)
    g_z = affine_backward(p, g, "ld1", g_a, v.z)
    g_mu = g_z + v.C * v.mu / B
    g_ln_var = g_z * v.sigma * v.eps / 2 + v.C * (v.sigma**2 - 1) / (2 * B)
    g_h2 = affine_backward(p, g, "le3_mu", g_mu, v.h2)
    g_h2 = g_h2 + affine_backward(p, g, "le3_ln_var", g_ln_var, v.h2)
    g_a = affine_backward(p, g, "le2", g_h2 * act_prime(v.h2), v.h1) * act_prime(v.h1)
    v.g_x = affine_backward(p, g, "le1", g_a, v.x)  # ⟦演習3で使う|for exercise 3⟧
    return g


# %% [markdown] lang="ja"
r"""
これですべてです。空行を除いて約40行で、VAEのすべての勾配を計算できます。

### 3.4 Chainerの自動微分と比べる

潜在変数が2次元の学習済みモデルで確かめます。丸め誤差に紛れて間違いを見逃さないように、パラメーターを **float64** に変換します（`param.array = param.array.astype("f8")`）。入力 `x` もfloat64にします。

勾配を一致させるには、同じ $\varepsilon$ が必要です。CPUでは、`F.gaussian` は `np.random.standard_normal` で $\varepsilon$ をサンプリングするので、同じシードから同じ順番で引けば一致します（自分で計算グラフを組む場合は、`F.gaussian(mu, ln_var, eps=eps)` と渡すことも、`return_eps=True` で受け取ることもできます）。

14個のパラメーターすべてが、`rtol=1e-10` で一致するはずです。ただし、ほぼ0の成分では相対誤差に意味がないので、最大成分の $10^{-12}$ 倍までの差を許容します。
"""

# %% [markdown] lang="en"
r"""
That is all. About 40 lines, not counting blank ones, compute every gradient of the VAE.

### 3.4 Comparison with Chainer's automatic differentiation

We test it on the trained model with 2 latent dimensions. So that rounding errors do not hide a mistake, we convert the parameters to **float64** (`param.array = param.array.astype("f8")`), and the input `x`, too.

For the same gradient we need the same $\varepsilon$. On the CPU, `F.gaussian` samples $\varepsilon$ with `np.random.standard_normal`, so the same seed and the same order give the same numbers (in a graph of your own, you can also pass them with `F.gaussian(mu, ln_var, eps=eps)`, or get them with `return_eps=True`).

All 14 parameters should agree with `rtol=1e-10`. Where an entry is almost 0, a relative error is meaningless, so we allow a difference of $10^{-12}$ times the largest entry.
"""


# %%
def in_float64(model):
    """⟦パラメーターをfloat64に変換し、名前をキーとする辞書を返す|Convert the parameters to float64, and return them by name⟧"""
    for param in model.params():
        param.array = param.array.astype("f8")
    return {name: param.array for name, param in model.namedparams()}


def autograd(model, x, C=1.0, k=1):
    """⟦Chainerの勾配を、名前をキーとする辞書で返す|Chainer's gradients, by name⟧"""
    model.cleargrads()
    model.get_loss_func(C, k)(x).backward()
    return {name: param.grad for name, param in model.namedparams()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, g in expected.items():
        atol = 1e-12 * np.abs(g).max()
        np.testing.assert_allclose(found[name], g, rtol=1e-10, atol=atol, err_msg=name)


mnist = chainer_vae.load_mnist()
x = mnist.test_images[:batchsize].astype("f8")
model, _ = chainer_vae.load_model("z2")
p = in_float64(model)

np.random.seed(1)
eps = np.random.standard_normal((batchsize, 2))
v = forward(p, x, eps)
g = backward(p, v)

np.random.seed(1)
expected = autograd(model, x)
assert_same(g, expected)
np.testing.assert_allclose(v.loss, model.loss.array, rtol=1e-12)

print(f"⟦損失|loss⟧ {v.loss:.6f} (⟦自分の計算|ours⟧), {model.loss.array:.6f} (Chainer)")
for name, array in expected.items():
    largest = np.abs(array).max()
    off = np.abs(g[name] - array).max() / largest
    print(f"{name:13} {array.shape!s:11} ⟦最大|largest⟧ {largest:7.3f}   ⟦差|difference⟧ {off:.0e}")

# %% [markdown] lang="ja"
r"""
14個すべてが一致しました。「差」は最大成分に対する比で、どれも約 $10^{-15}$ です。残っているのはfloat64の丸め誤差だけです。

サンプルが $k$ 個なら、損失は、$\varepsilon$ だけが違う $k$ 個の損失の平均です（KLの項はどれも同じ）。したがって勾配も平均になります。$C = 2$、$k = 3$ で確かめます。
"""

# %% [markdown] lang="en"
r"""
All 14 agree. The difference is relative to the largest entry, and about $10^{-15}$ for each: only the rounding errors of float64 remain.

With $k$ samples, the loss is the mean of $k$ losses that differ only in $\varepsilon$ (their KL terms are the same). So the gradient is a mean, too. We check this for $C = 2$ and $k = 3$.
"""

# %%
np.random.seed(1)
three = [backward(p, forward(p, x, np.random.standard_normal(eps.shape), C=2)) for _ in range(3)]
np.random.seed(1)
assert_same({name: sum(g[name] for g in three) / 3 for name in p}, autograd(model, x, C=2, k=3))
print("⟦k = 3でも一致|also in agreement for k = 3⟧")

# %% [markdown] lang="ja"
r"""
### 3.5数値微分と比べる

自動微分も同じ規則を使っています。数値微分なら、規則を一切使わずに検算できます。パラメーターの1つの成分を $\pm \delta$ だけ動かし、損失の変化を見ます。

$$\frac{\partial L}{\partial w} \approx \frac{L(w + \delta) - L(w - \delta)}{2 \delta}$$

1つの成分に順伝播が2回必要です。約129万個の成分をすべて調べると、非常に時間がかかります（逆伝播なら1回ですべて求まります）。ここでは各パラメーターで、勾配の絶対値が最大の成分だけを調べます。
"""

# %% [markdown] lang="en"
r"""
### 3.5 Comparison with finite differences

Automatic differentiation uses the same rules. Finite differences are a check that uses no rules at all: we move one entry of a parameter by $\pm \delta$, and see how the loss changes.

$$\frac{\partial L}{\partial w} \approx \frac{L(w + \delta) - L(w - \delta)}{2 \delta}$$

One entry needs two forward passes, so all of the approximately 1.29 million entries would take very long (the backward pass computes all of them at once). We check one entry of each parameter, the one with the largest absolute gradient.
"""

# %%
delta = 1e-5
for name, array in p.items():
    index = np.unravel_index(np.abs(g[name]).argmax(), array.shape)
    value = array[index]
    array[index] = value + delta
    above = forward(p, x, eps).loss
    array[index] = value - delta
    below = forward(p, x, eps).loss
    array[index] = value  # ⟦元に戻す|restore⟧
    difference = (above - below) / (2 * delta)
    np.testing.assert_allclose(g[name][index], difference, rtol=1e-6)
    print(
        f"{name:13} ⟦勾配|gradient⟧ {g[name][index]:12.7f}   ⟦差分|difference⟧ {difference:12.7f}"
    )

# %% [markdown] lang="ja"
r"""
左が逆伝播、右が数値微分です。ほとんどの行で、表示した桁がすべて一致しています。勾配が最大の `/le3_mu/W` だけ小数第6位が違うのは、$\delta$ が0でないために残る誤差です。

## 4. このパッケージの学習も同じ計算

`chainer_vae` の学習では、`chainer_vae.engine` が計算を行います。そこにも、ここで書いたものと同じ式があります（画像を行ではなく列に並べるので、転置の位置は変わります）。`Engine(...).gradients(x)` で勾配だけを取り出し、自分の計算と比べます。`thread_pool()` は、計算を分担するスレッドプールです。
"""

# %% [markdown] lang="en"
r"""
On the left is the backward pass, on the right the finite difference. In almost all lines, all digits shown agree. Only the largest one, `/le3_mu/W`, differs in the sixth decimal. This error remains because $\delta$ is not 0.

## 4. The package's own training does the same computation

When you train with `chainer_vae`, the package's fused engine, `chainer_vae.engine`, does the computation. It contains the same formulas that we have just written (with images in columns rather than rows, so the transposes are in other positions). `Engine(...).gradients(x)` returns the gradients alone, and we compare them with ours. `thread_pool()` gives a thread pool that shares the work.
"""

# %%
optimizer = chainer.optimizers.Adam().setup(model)
np.random.seed(1)
with thread_pool() as pool:
    found = Engine(model, optimizer, 1.0, 1, pool).gradients(x)
assert_same(found, g)
print("⟦14個とも一致|all 14 agree⟧")

# %% [markdown] lang="ja"
r"""
同じ式なら、なぜChainerに任せずに別に実装しているのでしょうか。速さのためです。

1. 途中の値は、最初に一度だけ確保した配列に書き込みます。`le3_mu` と `le3_ln_var` は1つの行列積にまとめます。
2. 各層の $g_W$ とAdamによる更新は、次のステップで $W$ を使うときまでに終わればよい計算です。そのため、逆伝播を先に進めながら、別のスレッドで計算します。
3. softplusなどは、$e^a$ を一度だけ計算して求めます。その際、行列積を極端に遅くする非正規化数（0にごく近い数）が現れないようにします。

記事と同じモデル（潜在変数20次元、バッチ100、float32）で、1ステップにかかる時間の中央値を比べます。
"""

# %% [markdown] lang="en"
r"""
If the formulas are the same, why not leave it to Chainer? For speed:

1. Intermediate values are written to arrays that are allocated only once, and `le3_mu` and `le3_ln_var` are combined in one matrix product.
2. A layer's $g_W$, and its Adam update, are not needed until the next step uses $W$. So other threads compute them while the backward pass continues.
3. Softplus and similar functions are computed from $e^a$, which is computed only once. They are kept from producing subnormal numbers (numbers extremely close to 0), which would make the matrix products very slow.

With the article's model (20 latent dimensions, batches of 100, float32), we compare the median time per step.
"""


# %%
def median_ms(step):
    times = []
    for i in range(n_timed):
        batch = mnist.train_images[100 * i : 100 * (i + 1)]
        start = perf_counter()
        step(batch)
        times.append(perf_counter() - start)
    return 1000 * np.median(times)


model20, _ = chainer_vae.load_model("z20")
optimizer20 = chainer.optimizers.Adam().setup(model20)
loss_func = model20.get_loss_func()
chainer_ms = median_ms(lambda batch: optimizer20.update(loss_func, batch))
with thread_pool() as pool:
    engine = Engine(model20, optimizer20, 1.0, 1, pool)
    engine_ms = median_ms(engine.step)
    engine.finish()
    print(f"⟦スレッドの数|threads⟧: {len(pool)}")
print(
    f"⟦1ステップの時間：|time of a step: ⟧Chainer {chainer_ms:.1f} ms, ⟦エンジン|engine⟧ {engine_ms:.1f} ms"
)

# %% [markdown] lang="ja"
r"""
この数値は、このノートブックを実行したマシンでの、そのときの値です。他の負荷やコア数によって変わります。お使いの環境ではどうなるでしょうか。

## 5. Adamを手で書く

勾配が揃ったので、パラメーターを更新します。記事でも使っているAdamは、勾配の移動平均 $m$ と、勾配の2乗の移動平均 $v$ を使い、成分ごとにステップ幅を変えます。

$$m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad w \leftarrow w - \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \cdot \frac{m}{\sqrt{v} + \epsilon}$$

$m$ も $v$ も0から始まるので、はじめのうちは値が小さすぎます。$1 - \beta^t$ の因子がそれを補正します。論文のAlgorithm 1では、$\epsilon$ を補正後の $\sqrt{v}$ に加えます。Chainerは、同じ論文の2節にある、計算の少ないこの順序を使っています。
"""

# %% [markdown] lang="en"
r"""
These numbers are for the machine that ran this notebook, at that time. They depend on what else is running, and on the number of cores. What are they on your machine?

## 5. Adam by hand

With all the gradients, we can update the parameters. Adam, which the article uses, keeps a moving average $m$ of the gradient and a moving average $v$ of its square, and gives each entry its own step size:

$$m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad w \leftarrow w - \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \cdot \frac{m}{\sqrt{v} + \epsilon}$$

Both $m$ and $v$ start at 0, so they are too small at first. The factors with $1 - \beta^t$ correct this. In Algorithm 1 of the paper, $\epsilon$ is added to the corrected $\sqrt{v}$. Chainer uses the order shown here, which takes less computation and is given in section 2 of the same paper.
"""


# %%
def adam(p, g, state, alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    state["t"] = t = state.get("t", 0) + 1
    step = alpha * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    for name in p:
        m, v = state.get(name, (0, 0))
        m = beta1 * m + (1 - beta1) * g[name]
        v = beta2 * v + (1 - beta2) * g[name] ** 2
        state[name] = m, v
        p[name] -= step * m / (np.sqrt(v) + eps)


# %% [markdown] lang="ja"
r"""
隠れ層が200ユニットの新しいVAEを、自分で書いた `forward`、`backward`、`adam` と、Chainerのそれぞれで、同じ画像と同じ $\varepsilon$ を使って学習させます。2本の損失曲線は重なり、パラメーターも同じになるはずです。
"""

# %% [markdown] lang="en"
r"""
We train a new VAE, with 200 units in each hidden layer, both with our own `forward`, `backward` and `adam` and with Chainer, on the same images and with the same $\varepsilon$. The two loss curves should coincide, and the parameters should be the same.
"""

# %%
np.random.seed(0)
fresh = chainer_vae.VAE(784, 2, 200, F.softplus)
own = {name: array.copy() for name, array in in_float64(fresh).items()}
optimizer = chainer.optimizers.Adam().setup(fresh)
loss_func = fresh.get_loss_func()

state, losses = {}, []
for t in range(n_steps):
    batch = mnist.train_images[100 * t : 100 * (t + 1)].astype("f8")
    np.random.seed(t)
    optimizer.update(loss_func, batch)
    np.random.seed(t)
    trained = forward(own, batch, np.random.standard_normal((100, 2)))
    adam(own, backward(own, trained), state)
    losses.append((trained.loss, float(fresh.loss.array)))
    if t == 4:  # ⟦5ステップ後|after 5 steps⟧
        for name, param in fresh.namedparams():
            np.testing.assert_allclose(own[name], param.array, rtol=1e-8, atol=1e-10)

losses = np.array(losses)
print(f"⟦損失：最初|loss: first⟧ {losses[0, 0]:.1f}, ⟦最後|last⟧ {losses[-1, 0]:.1f}")
difference = max(np.abs(own[name] - param.array).max() for name, param in fresh.namedparams())
print(f"⟦最後のパラメーターの差|difference of the final parameters⟧: {difference:.0e}")

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(losses[:, 0], color=style.LOSS, label="⟦自分の実装|our own⟧")
ax.plot(losses[:, 1], ".", color=style.INK, ms=4, label="Chainer")
ax.set_xlabel("⟦ステップ|step⟧")
ax.set_ylabel("⟦損失（nat/画像）|loss (nats per image)⟧")
ax.legend()
plt.show()

# %% [markdown] lang="ja"
r"""
NumPyだけで書いたVAEが学習できました。損失は557から約207まで下がり、100ステップ後でも、Chainerとの差は丸め誤差だけです。

## 6. 学習済みのVAEで、2つの推定量を比べる

2節の比較を、学習済みのVAEでやり直します。調べるのは `le3_mu` のバイアスの勾配です。バイアスは画像 $n$ の $\mu_n$ にそのまま足されるので、スコア関数法では

$$g_b = \frac{1}{B} \sum_{n=1}^{B} \left( (\mathrm{rec}_n - b_n) \frac{\varepsilon_n}{\sigma_n} + \mu_n \right)$$

です。$\mathrm{rec}_n$ は画像 $n$ の再構成誤差、最後の $\mu_n$ はKLの勾配で、乱数を含みません。ベースライン $b_n$ は、なし（0）の場合と、ノイズなし（$\varepsilon = 0$）の再構成誤差にした場合を試します。$b_n$ は $\varepsilon$ によらないので、どちらも不偏です。pathwise法の勾配は `backward` で計算します。

同じ20枚の画像でノイズだけを500回サンプリングし直し、潜在変数が2次元と20次元のモデルで、平均と標準偏差を比べます。再構成誤差は100 nat程度で、$\sigma$ は小さいので、ベースラインなしでは標準偏差がかなり大きいはずです。
"""

# %% [markdown] lang="en"
r"""
A VAE written in NumPy alone has been trained. The loss fell from 557 to about 207, and even after 100 steps the difference from Chainer is only rounding error.

## 6. Both estimators on a trained VAE

We repeat the comparison of section 2 with a trained VAE. We look at the gradient of the bias of `le3_mu`. The bias is simply added to the $\mu_n$ of image $n$, so the score function estimator gives

$$g_b = \frac{1}{B} \sum_{n=1}^{B} \left( (\mathrm{rec}_n - b_n) \frac{\varepsilon_n}{\sigma_n} + \mu_n \right)$$

Here $\mathrm{rec}_n$ is the reconstruction error of image $n$, and the last $\mu_n$ is the gradient of the KL divergence, which contains no random number. As baseline $b_n$ we try none (0), and the reconstruction error without noise ($\varepsilon = 0$). $b_n$ does not depend on $\varepsilon$, so both are unbiased. `backward` computes the pathwise gradient.

With the same 20 images, we resample the noise 500 times, and compare means and standard deviations for the models with 2 and with 20 latent dimensions. Reconstruction errors are of the order of 100 nats, and $\sigma$ is small, so without a baseline the standard deviation should be quite large.
"""


# %%
def bias_gradients(p, x):
    """⟦推定した勾配、形は (n_draws, 3, 潜在次元の数)|Estimated gradients, shape (n_draws, 3, n_latent)⟧"""
    n_latent = len(p["/le3_mu/b"])
    b = forward(p, x, np.zeros((len(x), n_latent))).rec
    found = []
    for _ in range(n_draws):
        v = forward(p, x, np.random.standard_normal((len(x), n_latent)))
        score = v.eps / v.sigma
        kl_part = v.mu.mean(axis=0)
        by_score = (v.rec[:, None] * score).mean(axis=0) + kl_part
        with_baseline = ((v.rec - b)[:, None] * score).mean(axis=0) + kl_part
        found.append([by_score, with_baseline, backward(p, v)["/le3_mu/b"]])
    return np.array(found)


np.random.seed(2)
models = {"z2": model, "z20": chainer_vae.load_model("z20")[0]}
gradients = {name: bias_gradients(in_float64(trained), x) for name, trained in models.items()}

first = gradients["z2"][:, :, 0]  # ⟦バイアスの最初の成分|the first entry of the bias⟧
means, stds = first.mean(axis=0), first.std(axis=0)
errors = stds / np.sqrt(n_draws)
for i, name in enumerate(names):
    print(f"{means[i]:7.1f} ± {errors[i]:5.1f}   ⟦標準偏差|std⟧ {stds[i]:7.1f}   {name}")
    assert abs(means[i] - means[2]) < 4 * np.hypot(errors[i], errors[2])

# %% [markdown] lang="ja"
r"""
潜在変数が2次元のモデルの、バイアスの最初の成分です。3つの平均は標準誤差の2倍ほどの範囲で一致し、標準偏差は1,140、35.4、6.9でした。ベースラインなしのスコア関数法の標準偏差は、pathwise法の約165倍です。同じ精度を得るには、その2乗、約27,000倍のサンプルが必要です。ノイズなしの再構成誤差を引くだけで、比は約5倍まで下がります。

これをヒストグラムで示します。左と右では横軸の範囲が違います。縦軸は対数です。その下に、20次元のモデルも含めて、標準偏差がpathwise法の何倍になるかと、画像について平均した $\sigma$ の範囲を表示します。
"""

# %% [markdown] lang="en"
r"""
This is the first entry of the bias, in the model with 2 latent dimensions. The three means agree within about twice their standard errors; the standard deviations are 1,140, 35.4 and 6.9. Without a baseline, the standard deviation of the score function estimator is about 165 times that of the pathwise estimator. For the same precision it would need the square of that, about 27,000 times as many samples. Merely subtracting the reconstruction error without noise reduces the ratio to about 5.

Let us see this in histograms. Note that the two horizontal axes have different ranges; the vertical axes are logarithmic. Below, we print how many times larger the standard deviations are than that of the pathwise estimator, including the model with 20 latent dimensions, and the range of $\sigma$, averaged over the images.
"""

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for ax, shown in zip(axes, ([0, 2], [1, 2])):
    half = 4 * stds[shown[0]]
    bins = np.linspace(means[2] - half, means[2] + half, 52)
    for i in shown:
        label = f"{names[i]}⟦、標準偏差|, std⟧ {stds[i]:,.1f}"
        ax.hist(first[:, i], bins=bins, color=colors[i], alpha=0.6, label=label)
    ax.set_yscale("log")
    ax.set_ylim(0.7, 30 * n_draws)
    ax.set_xlabel("⟦le3_muのバイアスの勾配|gradient of the bias of le3_mu⟧")
    ax.legend(fontsize=8, loc="upper center")
axes[0].set_ylabel("⟦回数|count⟧")
plt.show()

for name, found in gradients.items():
    total = np.sqrt(found.var(axis=0).sum(axis=1))  # ⟦全成分を合わせて|over all entries⟧
    sigmas = np.exp(chainer_vae.encode(models[name], x)[1] / 2).mean(axis=0)
    print(
        f"{name:3}: {total[0] / total[2]:5.1f}, {total[1] / total[2]:.1f} ⟦倍|times⟧"
        f"   sigma: {sigmas.min():.2f} - {sigmas.max():.2f}"
    )

# %% [markdown] lang="ja"
r"""
左の図では、pathwise法は1本の細い棒にしか見えません。

最後の2行の比は、バイアスの全成分を合わせたものです（先がベースラインなし、後がベースライン付き）。2次元で約183倍と5.0倍、20次元で約75倍と6.2倍でした。次元が増えたのにベースラインなしの比が下がったのは、意外かもしれません。2.5節では $\sigma$ が次元の数によらず同じでしたが、ここでは違うことが一因です。2次元のモデルは狭い範囲に多くの画像を配置するので、$\sigma$ が0.03から0.04しかなく、$\varepsilon / \sigma$ が大きくなります。20次元のモデルの $\sigma$ は0.07から1までで、1に近いのは使われていない潜在次元です（レッスン5で詳しく扱います）。

記事がVAEの学習にReparameterization Trickを使う理由を、数値で確かめました。スコア関数法でも、多くのサンプルで平均すれば正しい勾配が得られますが、1サンプルでは勾配がノイズに埋もれます。

## 演習

### 演習1（易）：tanh

記事のクラスの既定の活性化関数は `F.tanh` です。活性化関数をtanhに変えると、逆伝播のどこがどう変わりますか。$h = \tanh a$ の微分を $h$ だけで表し、Chainerと比べてください。`forward` と `backward` には、活性化関数とその微分を渡せます。

<details><summary>解答例</summary>

$\tanh' a = 1 - \tanh^2 a = 1 - h^2$ です。変わるのは活性化関数の微分だけで、ほかの規則はそのままです。

```python
np.random.seed(0)
tanh_model = chainer_vae.VAE(784, 2, 50)  # 既定はtanh
tanh_p = in_float64(tanh_model)

np.random.seed(1)
tanh_v = forward(tanh_p, x, np.random.standard_normal((batchsize, 2)), act=np.tanh)
tanh_g = backward(tanh_p, tanh_v, act_prime=lambda h: 1 - h**2)

np.random.seed(1)
assert_same(tanh_g, autograd(tanh_model, x))
print("tanhでも14個すべて一致")
```

</details>

### 演習2（中）：逆伝播で ε をサンプリングし直すと

`backward` が、順伝播で使った $\varepsilon$ を保存せず、新しくサンプリングし直したとします。どの勾配が間違いになり、学習すると $\sigma$ はどうなるでしょうか。まず1次元の例で考え、次にVAEの `le3_ln_var` のバイアスで、正しい勾配の平均と比べてください。

<details><summary>解答例</summary>

$g_\rho = g_z \odot \sigma \varepsilon / 2$ に意味があるのは、$g_z$ が **同じ** $\varepsilon$ で計算されているからです。別の $\varepsilon'$ は $g_z$ と独立なので、$\mathbb{E}[g_z \, \varepsilon'] = \mathbb{E}[g_z] \, \mathbb{E}[\varepsilon'] = 0$ になります。「ノイズが大きいと再構成が悪くなる」という情報が失われ、$\sigma$ にはKLの項しか作用しません。KLは $\sigma$ を1に近づけるので、$\sigma$ は1に向かい、$z$ はノイズに埋もれます。間違いは、`le3_ln_var` と、逆伝播でその先にある `le2`、`le1` に伝わります。$\mu$ の勾配そのものは、$\partial z / \partial \mu = 1$ に $\varepsilon$ が現れないので正しいままです。

```python
np.random.seed(3)
new = np.random.standard_normal(n_samples)
z = mu + sigma * np.random.standard_normal(n_samples)
print(f"1次元：正解 {2 * sigma}、サンプリングし直すと {(2 * (z - a) * new).mean():.3f}")

correct, wrong = [], []
for _ in range(n_draws):
    values = forward(p, x, np.random.standard_normal(eps.shape))
    correct.append(backward(p, values)["/le3_ln_var/b"])
    values.eps = np.random.standard_normal(eps.shape)  # サンプリングし直す
    wrong.append(backward(p, values)["/le3_ln_var/b"])
kl_alone = (values.sigma**2 - 1).mean(axis=0) / 2
print("正しい勾配の平均　　　　　　　", np.mean(correct, axis=0).round(2))
print("サンプリングし直したときの平均", np.mean(wrong, axis=0).round(2))
print("KLの項だけの勾配　　　　　　 ", kl_alone.round(2))
```

VAEでは、正しい勾配の平均は $-0.17$ と $-0.15$、サンプリングし直すと $-0.50$ と $-0.49$ で、KLの項だけの勾配 $-0.50$ とほぼ同じです。

</details>

### 演習3（中）：画像についての勾配

損失をパラメーターではなく画像 $x$ で微分すると、どの画素が損失に影響するかがわかります。`backward` は、エンコーダーを通る勾配を `v.g_x` に保存しています。しかし、これだけでは足りません。$x$ は損失の中にもう1か所現れます。その分を加えて、Chainerの `x.grad` と一致することを確かめ、2つの部分を画像として表示してください。

<details><summary>解答例</summary>

再構成誤差 $\log(1 + e^a) - x a$ は、$x$ を直接含んでいます。$x$ についての微分は $-a$、バッチの平均なので $-a / B$ です。ロジット $a$ は、デコーダーが「黒」と確信している画素では大きな負の数です。そのため、そこを少しでも白くすると損失が大きく増えます。

```python
values = forward(p, x, eps)
backward(p, values)
parts = values.g_x, -values.a / batchsize

np.random.seed(1)
variable = chainer.Variable(x)
model.cleargrads()
model.get_loss_func()(variable).backward()
np.testing.assert_allclose(parts[0] + parts[1], variable.grad, rtol=1e-10, atol=1e-12)

titles = "画像", "エンコーダーから", "再構成誤差から"
fig, axes = plt.subplots(3, 6, figsize=(7, 3.8), layout="constrained")
for row, title, images in zip(axes, titles, (x, *parts)):
    row[0].set_ylabel(title, fontsize=9)
    for ax, image in zip(row, images):
        limit = np.quantile(np.abs(image), 0.8)
        colors_of = dict() if images is x else dict(cmap="bwr", vmin=-limit, vmax=limit)
        ax.imshow(image.reshape(28, 28), **colors_of)
        ax.set_xticks([])
        ax.set_yticks([])
plt.show()
```

赤は「明るくすると損失が増える」、青は「減る」を表します（色の濃さは画像ごとに決め、上位2割の値は飽和させました）。下の段の薄い青は、デコーダーが再構成した数字の形をしています。5枚目の4は、9のような形に再構成されています。

</details>

### 演習4（難）：最適なベースライン

2節では $b = \mathbb{E}[f]$ としましたが、これは最適ではありません。分散を $b$ の2次式と見て、最小にする $b$ を求めてください。1次元の例ではいくつになり、分散はどこまで下がるでしょうか。

<details><summary>解答例</summary>

スコア関数を $s$ とすると、$g = (f - b) s$ の平均は $b$ によらないので、$\mathbb{E}[g^2] = \mathbb{E}[f^2 s^2] - 2 b \, \mathbb{E}[f s^2] + b^2 \, \mathbb{E}[s^2]$ を最小にすればよく、

$$b^* = \frac{\mathbb{E}[f s^2]}{\mathbb{E}[s^2]}$$

です。$\mu$ の勾配では $s = \varepsilon / \sigma$ なので、$b^* = \mathbb{E}[f \varepsilon^2] = m^2 + 3 \sigma^2$ です。これを分散の式に代入すると $8 m^2 + 6 \sigma^2$ になります。$m = -1$、$\sigma = 1$ では $b^* = 4$ で、分散は18から14に下がります。それでもpathwise法の4には及びません。

```python
np.random.seed(4)
e = np.random.standard_normal(n_samples)
f = (mu + sigma * e - a) ** 2
bs = np.linspace(0, 8, 81)
curve = [((f - b) * e / sigma).var() for b in bs]
best = (f * e**2).mean()  # 1 / sigma^2は約分される
variance = ((f - best) * e / sigma).var()
print(f"b*：手計算 {m**2 + 3 * sigma**2:.2f}、実測 {best:.2f}")
print(f"分散：手計算 {8 * m**2 + 6 * sigma**2:.2f}、実測 {variance:.2f}")
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(bs, curve, color=style.LATENT)
ax.axvline(best, color=style.INK, ls="--", lw=1)
ax.set_ylim(0)
ax.set_xlabel("ベースライン $b$")
ax.set_ylabel("勾配の分散")
plt.show()
```

</details>

## まとめ

- サンプリングした $z$ はただの数なので、勾配はそこで途切れます。$z = \mu + \sigma \varepsilon$ と書けば、$\mu$ と $\sigma$ まで届きます。
- スコア関数法も正しい勾配を与えますが、分散がはるかに大きく、次元が増えるとさらに悪くなります。
- VAEの逆伝播は5つの規則だけで書け、Chainerの自動微分と丸め誤差の範囲で一致しました。

## 次に読むもの

- これで、記事のVAEの式と勾配をすべて確かめました。[レッスン5](lesson:05)では、記事が説明していない選択を調べます。グレースケールの画素をベルヌーイ分布の式に入れてよいのか、$C$ や $k$ を変えると何が起きるのか、という問いです。
- `chainer_vae/engine/network.py` の冒頭には、このレッスンの式が、画像を列に並べた形で書かれています。今なら最初から最後まで読めるはずです。そこからどのように速いエンジンとGPUのグラフができるのかは、[レッスン6](lesson:06)で説明します。

## 出典

- D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
- R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning 8, 1992（REINFORCE）.
- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114).
- D. J. Rezende, S. Mohamed, D. Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014, [arXiv:1401.4082](https://arxiv.org/abs/1401.4082).
- D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", 2014, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
- S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, "Monte Carlo Gradient Estimation in Machine Learning", 2019, [arXiv:1906.10652](https://arxiv.org/abs/1906.10652)（2つの推定量の比較）.
- kenmatsu4「[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)」、2017.
"""

# %% [markdown] lang="en"
r"""
In the left figure, the pathwise estimator is no more than a thin bar.

The ratios in the last two lines are over all entries of the bias (first without the baseline, then with it): about 183 and 5.0 in 2 dimensions, about 75 and 6.2 in 20. It may be surprising that the ratio without a baseline fell although there are more dimensions. One reason is $\sigma$: in section 2.5 it did not depend on the number of dimensions, but here it does. The model with 2 latent dimensions packs many images into a small region, so its $\sigma$ is only 0.03 to 0.04, and $\varepsilon / \sigma$ is large. In the model with 20, $\sigma$ ranges from 0.07 to 1; those near 1 are unused latent dimensions (more on them in lesson 5).

We have now seen in numbers why the article trains its VAE with the reparameterization trick. Averaged over many samples, the score function estimator also gives the correct gradient, but in a single sample the gradient drowns in noise.

## Exercises

### Exercise 1 (easy): tanh

The default activation of the article's class is `F.tanh`. What changes in the backward pass when the activation is tanh? Express the derivative of $h = \tanh a$ in terms of $h$ alone, and compare with Chainer. `forward` and `backward` accept an activation and its derivative.

<details><summary>Solution</summary>

$\tanh' a = 1 - \tanh^2 a = 1 - h^2$. Only the derivative of the activation changes; all other rules stay the same.

```python
np.random.seed(0)
tanh_model = chainer_vae.VAE(784, 2, 50)  # the default is tanh
tanh_p = in_float64(tanh_model)

np.random.seed(1)
tanh_v = forward(tanh_p, x, np.random.standard_normal((batchsize, 2)), act=np.tanh)
tanh_g = backward(tanh_p, tanh_v, act_prime=lambda h: 1 - h**2)

np.random.seed(1)
assert_same(tanh_g, autograd(tanh_model, x))
print("all 14 agree with tanh, too")
```

</details>

### Exercise 2 (medium): ε resampled in the backward pass

Suppose that `backward` does not store the $\varepsilon$ of the forward pass, but samples it again. Which gradients become wrong, and what happens to $\sigma$ in training? Consider the one-dimensional example first. Then, for the bias of the VAE's `le3_ln_var`, compare with the mean of the correct gradient.

<details><summary>Solution</summary>

$g_\rho = g_z \odot \sigma \varepsilon / 2$ is meaningful because $g_z$ was computed with the **same** $\varepsilon$. Another $\varepsilon'$ is independent of $g_z$, so $\mathbb{E}[g_z \, \varepsilon'] = \mathbb{E}[g_z] \, \mathbb{E}[\varepsilon'] = 0$. The information that more noise makes the reconstruction worse is lost, and only the KL term acts on $\sigma$. It pulls $\sigma$ towards 1, so $\sigma$ goes to 1, and $z$ drowns in noise. The error propagates to `le3_ln_var`, and further back to `le2` and `le1`. The gradient with respect to $\mu$ itself stays correct, since $\partial z / \partial \mu = 1$ does not contain $\varepsilon$.

```python
np.random.seed(3)
new = np.random.standard_normal(n_samples)
z = mu + sigma * np.random.standard_normal(n_samples)
print(f"one dimension: exact {2 * sigma}, resampled {(2 * (z - a) * new).mean():.3f}")

correct, wrong = [], []
for _ in range(n_draws):
    values = forward(p, x, np.random.standard_normal(eps.shape))
    correct.append(backward(p, values)["/le3_ln_var/b"])
    values.eps = np.random.standard_normal(eps.shape)  # resampled
    wrong.append(backward(p, values)["/le3_ln_var/b"])
kl_alone = (values.sigma**2 - 1).mean(axis=0) / 2
print("mean of the correct gradient ", np.mean(correct, axis=0).round(2))
print("mean, with eps resampled     ", np.mean(wrong, axis=0).round(2))
print("gradient of the KL term alone", kl_alone.round(2))
```

In the VAE, the mean of the correct gradient is $-0.17$ and $-0.15$. Resampled, it is $-0.50$ and $-0.49$, almost the same as that of the KL term alone, $-0.50$.

</details>

### Exercise 3 (medium): the gradient with respect to the image

The derivative of the loss with respect to the image $x$, instead of a parameter, shows which pixels affect it. `backward` stores the gradient that comes through the encoder in `v.g_x`. But this is not enough: $x$ appears in the loss in one more place. Add this part, check that the sum agrees with Chainer's `x.grad`, and show both parts as images.

<details><summary>Solution</summary>

The reconstruction error, $\log(1 + e^a) - x a$, contains $x$ directly. Its derivative with respect to $x$ is $-a$; in the mean over the batch, $-a / B$. Where the decoder is sure of black, the logit $a$ is far below 0, so making that pixel even slightly brighter increases the loss a lot.

```python
values = forward(p, x, eps)
backward(p, values)
parts = values.g_x, -values.a / batchsize

np.random.seed(1)
variable = chainer.Variable(x)
model.cleargrads()
model.get_loss_func()(variable).backward()
np.testing.assert_allclose(parts[0] + parts[1], variable.grad, rtol=1e-10, atol=1e-12)

titles = "image", "from the encoder", "from the error"
fig, axes = plt.subplots(3, 6, figsize=(7, 3.8), layout="constrained")
for row, title, images in zip(axes, titles, (x, *parts)):
    row[0].set_ylabel(title, fontsize=9)
    for ax, image in zip(row, images):
        limit = np.quantile(np.abs(image), 0.8)
        colors_of = dict() if images is x else dict(cmap="bwr", vmin=-limit, vmax=limit)
        ax.imshow(image.reshape(28, 28), **colors_of)
        ax.set_xticks([])
        ax.set_yticks([])
plt.show()
```

Red means that a brighter pixel increases the loss, blue that it decreases it (the colours are scaled for each image, and the largest fifth of its values is clipped). In the bottom row, the pale blue has the shape of the digit that the decoder reconstructed. It reconstructed the fifth image, a 4, in a shape like a 9.

</details>

### Exercise 4 (hard): the best baseline

In section 2 we took $b = \mathbb{E}[f]$, but this is not optimal. Treat the variance as a quadratic function of $b$, and find the $b$ that minimizes it. What is it in the one-dimensional example, and how far does the variance fall?

<details><summary>Solution</summary>

Let $s$ be the score function. The mean of $g = (f - b) s$ does not depend on $b$, so it is enough to minimize $\mathbb{E}[g^2] = \mathbb{E}[f^2 s^2] - 2 b \, \mathbb{E}[f s^2] + b^2 \, \mathbb{E}[s^2]$:

$$b^* = \frac{\mathbb{E}[f s^2]}{\mathbb{E}[s^2]}$$

For the gradient with respect to $\mu$, $s = \varepsilon / \sigma$, so $b^* = \mathbb{E}[f \varepsilon^2] = m^2 + 3 \sigma^2$. Substituting this into the variance gives $8 m^2 + 6 \sigma^2$. For $m = -1$, $\sigma = 1$ we have $b^* = 4$, and the variance falls from 18 to 14. This is still more than the 4 of the pathwise estimator.

```python
np.random.seed(4)
e = np.random.standard_normal(n_samples)
f = (mu + sigma * e - a) ** 2
bs = np.linspace(0, 8, 81)
curve = [((f - b) * e / sigma).var() for b in bs]
best = (f * e**2).mean()  # 1 / sigma^2 cancels
variance = ((f - best) * e / sigma).var()
print(f"b*: by hand {m**2 + 3 * sigma**2:.2f}, measured {best:.2f}")
print(f"variance: by hand {8 * m**2 + 6 * sigma**2:.2f}, measured {variance:.2f}")
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(bs, curve, color=style.LATENT)
ax.axvline(best, color=style.INK, ls="--", lw=1)
ax.set_ylim(0)
ax.set_xlabel("baseline $b$")
ax.set_ylabel("variance of the gradient")
plt.show()
```

</details>

## Summary

- A sampled $z$ is just a number, and gradients stop there. Written as $z = \mu + \sigma \varepsilon$, they reach $\mu$ and $\sigma$.
- The score function estimator is correct, too, but its variance is far larger, and grows with the number of dimensions.
- Five rules are enough for the whole backward pass of the VAE. It agrees with Chainer's automatic differentiation up to rounding.

## What to read next

- We have now checked all the formulas and gradients of the article's VAE. [Lesson 5](lesson:05) examines the choices that the article does not explain: may grey pixels be used in the formula of a Bernoulli distribution, and what happens when $C$ or $k$ changes?
- The source code of `chainer_vae/engine/network.py` begins with the formulas of this lesson, with images in columns. You should now be able to read it from beginning to end. [Lesson 6](lesson:06) shows how the fast engine and the graph on a GPU follow from them.

## Sources

- D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
- R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning 8, 1992 (REINFORCE).
- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114).
- D. J. Rezende, S. Mohamed, D. Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014, [arXiv:1401.4082](https://arxiv.org/abs/1401.4082).
- D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", 2014, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
- S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, "Monte Carlo Gradient Estimation in Machine Learning", 2019, [arXiv:1906.10652](https://arxiv.org/abs/1906.10652) (a comparison of the two estimators).
- kenmatsu4, "[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)", 2017.
"""
