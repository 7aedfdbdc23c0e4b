# %% [markdown] lang="ja"
r"""
# 4. 誤差逆伝播を手で書く：乱数の向こう側へ

記事の最後の節は、VAE の学習に残った問題を一つ挙げています。エンコーダーとデコーダーの間で潜在変数 $z$ を乱数として引くため、誤差逆伝播がそこで途切れてしまうのです。
その答えが Reparameterization Trick、$z = \mu(X) + \varepsilon * \sigma(X)$ でした。このノートブックでは、この一行のはたらきを数で確かめ、VAE 全体の勾配を自分の手で計算します。

- 期待値の勾配を推定する二つの方法（スコア関数法と pathwise 法）を導き、ばらつきを比べる。
- VAE の順伝播と逆伝播を NumPy だけで書き、Chainer の自動微分と、数値微分と照らし合わせる。
- `chainer_vae` の学習を速くしている部分も、同じ計算をしていることを見る。
- Adam も手で書いて学習させ、最後に本物の VAE で二つの方法のばらつきを測る。
"""

# %% [markdown] lang="en"
r"""
# 4. Backpropagation by hand, through the random numbers

The last section of the article names one problem that is left in training a VAE: between the encoder and the decoder the latent variable $z$ is drawn at random, and there backpropagation breaks off.
The answer was the reparameterization trick, $z = \mu(X) + \varepsilon * \sigma(X)$. In this notebook we see in numbers what this one line does, and compute the gradient of the whole VAE with our own hands.

- Derive two ways to estimate the gradient of an expectation (the score function and the pathwise estimator), and compare how much they scatter.
- Write the forward and the backward pass of the VAE in NumPy alone, and hold them against Chainer's automatic differentiation and against finite differences.
- See that the part of `chainer_vae` that makes training fast computes the same.
- Write Adam by hand, too, and train with it; and at the end measure the scatter of both estimators on the real VAE.
"""

# %%
from time import perf_counter
from types import SimpleNamespace

import chainer_vae  # ⟦Chainer を使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
import chainer
import chainer.functions as F
import matplotlib.pyplot as plt
import numpy as np

from chainer_vae.engine import Engine, thread_pool
from chainer_vae.figures import style

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% tags=["parameters"] small={"n_draws": 60, "n_steps": 5, "n_timed": 3}
n_samples = 100_000  # ⟦1 次元の例で引く z の数|draws of z in the small example⟧
batchsize = 20  # ⟦逆伝播を確かめるときの画像の数|images in the batch that checks the gradients⟧
n_timed = 31  # ⟦時間を測るステップの数|steps that are timed⟧
n_steps = 100  # ⟦手で書いた Adam のステップの数|steps with the hand-written Adam⟧
n_draws = 500  # ⟦本物の VAE でノイズを引く回数|draws of the noise with the real VAE⟧

# %% [markdown] lang="ja"
r"""
## 1. 問題：乱数のところで勾配が途切れる

再構成誤差は、エンコーダーの分布 $q_\phi(z|X)$ についての期待値です。余分なものを取り去ると、こういう形をしています。

$$J(\phi) = \mathbb{E}_{z \sim q_\phi}[f(z)]$$

$\phi$ は $f$ の中ではなく、$z$ を引く分布のほうに入っています。引いてしまった $z$ はただの数なので、$f(z)$ をいくら微分しても $\phi$ にはたどり着きません。

答えの分かる例で考えましょう。$q = \mathcal{N}(\mu, \sigma^2)$、$f(z) = (z - a)^2$ とします。期待値は手で計算できます。

$$J(\mu, \sigma) = \mathbb{E}[(z - a)^2] = (\mu - a)^2 + \sigma^2, \qquad \frac{\partial J}{\partial \mu} = 2(\mu - a), \qquad \frac{\partial J}{\partial \sigma} = 2\sigma$$

次のセルでは、$z$ を `np.random` で引いてから Chainer に微分させます。$z$ についての勾配は出ますが、$\mu$ についての勾配はどうなるでしょうか。
"""

# %% [markdown] lang="en"
r"""
## 1. The problem: the gradient breaks off at the random number

The reconstruction error is an expectation over the encoder's distribution $q_\phi(z|X)$. Stripped of all else, it has this form:

$$J(\phi) = \mathbb{E}_{z \sim q_\phi}[f(z)]$$

$\phi$ is not in $f$ but in the distribution that $z$ is drawn from. Once drawn, $z$ is a mere number, and however we differentiate $f(z)$, we never get to $\phi$.

Let us take an example whose answer we know: $q = \mathcal{N}(\mu, \sigma^2)$ and $f(z) = (z - a)^2$. Its expectation can be computed by hand:

$$J(\mu, \sigma) = \mathbb{E}[(z - a)^2] = (\mu - a)^2 + \sigma^2, \qquad \frac{\partial J}{\partial \mu} = 2(\mu - a), \qquad \frac{\partial J}{\partial \sigma} = 2\sigma$$

In the next cell we draw $z$ with `np.random`, and let Chainer differentiate. There will be a gradient by $z$; what about the one by $\mu$?
"""

# %%
np.random.seed(0)
a, mu, sigma = 3.0, 2.0, 1.0
exact = 2 * (mu - a), 2 * sigma

node = chainer.Variable(np.array([mu]))
z = chainer.Variable(np.random.normal(node.array, sigma))
F.sum((z - a) ** 2).backward()

print("⟦手計算の dJ/dmu、dJ/dsigma：|dJ/dmu and dJ/dsigma by hand: ⟧", exact)
print("⟦Chainer の df/dz：|Chainer's df/dz: ⟧", z.grad)
print("⟦Chainer の df/dmu：|Chainer's df/dmu:⟧", node.grad)

# %% [markdown] lang="ja"
r"""
$\mu$ の勾配は `None`、つまり「つながっていない」でした。計算グラフの上で、$z$ は $\mu$ の関数ではなく、どこからともなく現れた入力だからです。正解の $-2$ を得るには工夫が要ります。

## 2. 二つの推定量

### 2.1 スコア関数法（REINFORCE）

期待値を積分で書き、微分を積分の中に入れます。対数の微分 $\nabla \log q = \nabla q / q$ から得られる $\nabla q = q \, \nabla \log q$ を使うと、また期待値の形に戻ります。

$$\nabla_\phi \mathbb{E}_{q_\phi}[f(z)] = \int f(z) \, \nabla_\phi q_\phi(z) \, dz = \int f(z) \, q_\phi(z) \, \nabla_\phi \log q_\phi(z) \, dz = \mathbb{E}_{q_\phi}[f(z) \, \nabla_\phi \log q_\phi(z)]$$

$f$ の微分は要りません。$z$ を引いて、$f(z)$ と $\nabla_\phi \log q_\phi(z)$（スコア関数）を掛けて平均すればよいのです。正規分布では $\varepsilon = (z - \mu) / \sigma$ として

$$\frac{\partial \log q}{\partial \mu} = \frac{z - \mu}{\sigma^2} = \frac{\varepsilon}{\sigma}, \qquad \frac{\partial \log q}{\partial \sigma} = \frac{(z - \mu)^2}{\sigma^3} - \frac{1}{\sigma} = \frac{\varepsilon^2 - 1}{\sigma}$$

スコア関数の期待値は 0 です（上の式で $f = 1$ とすると、左辺は定数 1 の微分です）。そこで、どんな定数 $b$ を $f$ から引いても期待値は変わりません。これを **ベースライン** と呼び、うまく選ぶとばらつきが減ります。ここでは $b = \mathbb{E}[f]$ とします。

### 2.2 pathwise 法（Reparameterization Trick）

乱数を、パラメーターを含まない $\varepsilon \sim \mathcal{N}(0, 1)$ に追い出し、$z = \mu + \sigma \varepsilon$ と書きます。期待値は $\varepsilon$ についてのものになり、その分布は $\phi$ を含まないので、微分はそのまま中に入ります。

$$\nabla_\phi \mathbb{E}_{\varepsilon}[f(\mu + \sigma \varepsilon)] = \mathbb{E}_{\varepsilon}\left[f'(z) \, \nabla_\phi z\right], \qquad \frac{\partial z}{\partial \mu} = 1, \qquad \frac{\partial z}{\partial \sigma} = \varepsilon$$

こちらは $f'$ を使います。$z$ の勾配が、$z$ の作られた道筋（path）を逆にたどって $\mu$ と $\sigma$ に届きます。記事の図にある青い矢印は、この道筋です。

### 2.3 どちらも正しいか

同じ $\varepsilon$ で三つの推定量を計算し、平均を正解 $-2$ と $2$ に比べます。± の後ろは平均の標準誤差（標準偏差を標本数の平方根で割ったもの）です。どれも正解から標準誤差の数倍以内に入るはずです。
"""

# %% [markdown] lang="en"
r"""
The gradient by $\mu$ is `None`: "not connected". In the computational graph, $z$ is no function of $\mu$, but an input that came from nowhere. To get the right answer, $-2$, takes an idea.

## 2. Two estimators

### 2.1 The score function (REINFORCE)

Write the expectation as an integral, and move the derivative into it. The derivative of a logarithm, $\nabla \log q = \nabla q / q$, gives $\nabla q = q \, \nabla \log q$, and with this it is an expectation again:

$$\nabla_\phi \mathbb{E}_{q_\phi}[f(z)] = \int f(z) \, \nabla_\phi q_\phi(z) \, dz = \int f(z) \, q_\phi(z) \, \nabla_\phi \log q_\phi(z) \, dz = \mathbb{E}_{q_\phi}[f(z) \, \nabla_\phi \log q_\phi(z)]$$

No derivative of $f$ is needed. We draw $z$, multiply $f(z)$ by $\nabla_\phi \log q_\phi(z)$ (the score function), and average. For the normal distribution, with $\varepsilon = (z - \mu) / \sigma$,

$$\frac{\partial \log q}{\partial \mu} = \frac{z - \mu}{\sigma^2} = \frac{\varepsilon}{\sigma}, \qquad \frac{\partial \log q}{\partial \sigma} = \frac{(z - \mu)^2}{\sigma^3} - \frac{1}{\sigma} = \frac{\varepsilon^2 - 1}{\sigma}$$

The expectation of the score function is 0 (with $f = 1$ above, the left-hand side is the derivative of the constant 1). So any constant $b$ may be subtracted from $f$ without changing the expectation. This is called a **baseline**; well chosen, it reduces the scatter. We take $b = \mathbb{E}[f]$.

### 2.2 Pathwise (the reparameterization trick)

Drive the randomness out into $\varepsilon \sim \mathcal{N}(0, 1)$, which has no parameters, and write $z = \mu + \sigma \varepsilon$. The expectation is now over $\varepsilon$, whose distribution does not contain $\phi$, and so the derivative simply moves inside:

$$\nabla_\phi \mathbb{E}_{\varepsilon}[f(\mu + \sigma \varepsilon)] = \mathbb{E}_{\varepsilon}\left[f'(z) \, \nabla_\phi z\right], \qquad \frac{\partial z}{\partial \mu} = 1, \qquad \frac{\partial z}{\partial \sigma} = \varepsilon$$

This one uses $f'$. The gradient by $z$ goes back along the path of $z$ and reaches $\mu$ and $\sigma$: the blue arrows in the article's figure.

### 2.3 Are both right?

We compute three estimators with the same $\varepsilon$ and compare their means with the right answers, $-2$ and $2$. After ± stands the standard error of the mean (the standard deviation divided by the square root of the number of samples). All should be within a few standard errors of the answer.
"""

# %%
eps = np.random.standard_normal(n_samples)
z = mu + sigma * eps
f = (z - a) ** 2
b = (mu - a) ** 2 + sigma**2  # E[f]
scores = eps / sigma, (eps**2 - 1) / sigma  # d log q / dmu, d log q / dsigma

names = "⟦スコア関数|score⟧", "⟦スコア関数（ベースラインつき）|score with a baseline⟧", "pathwise"
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
三つとも、誤差の範囲で正解と一致しました。どれも期待値が正解に等しい、つまり **不偏** です。違うのは ± の後ろで、同じ 10 万個の乱数から、$\mu$ の勾配の誤差は順に 0.017、0.014、0.006 でした。一つひとつの値の散らばりを見てみましょう（縦軸は対数です）。
"""

# %% [markdown] lang="en"
r"""
All three agree with the answer within their errors: their expectation is the answer, or in a word, they are **unbiased**. What differs is what stands after ±: from the same 100,000 random numbers, the errors of the gradient by $\mu$ are 0.017, 0.014 and 0.006. Let us look at how the single values scatter (the vertical axis is logarithmic).
"""

# %%
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for g, name, color in zip(by_mu, names, colors):
    ax.hist(g, bins=np.linspace(-40, 20, 121), histtype="step", lw=1.5, color=color, label=name)
ax.axvline(exact[0], color=style.INK, lw=1, ls="--", label="⟦正解|exact⟧")
ax.set_yscale("log")
ax.set_xlabel("⟦1 つの $z$ から推定した $\\mu$ の勾配|gradient by $\\mu$, from one $z$⟧")
ax.set_ylabel("⟦個数|number of draws⟧")
ax.legend(fontsize=9)
plt.show()

# %% [markdown] lang="ja"
r"""
pathwise 法の値は $-2$ を中心に左右対称に散らばります。スコア関数法では多くの値が 0 の近くに集まり、平均が $-2$ になるのは、左に長く伸びた裾のおかげです。裾に頼る平均は、ばらつきが大きくなります。

### 2.4 分散を手で計算する

$m = \mu - a$ と置くと $z - a = m + \sigma \varepsilon$ です。必要なのは $\mathbb{E}[\varepsilon^2] = 1$、$\mathbb{E}[\varepsilon^4] = 3$、$\mathbb{E}[\varepsilon^6] = 15$ と、奇数乗の期待値が 0 であることだけです。$\mu$ の勾配について、

- **pathwise**：$g = 2(m + \sigma \varepsilon)$ なので、$\mathrm{Var}[g] = 4 \sigma^2$。
- **スコア関数**：$g = (m + \sigma \varepsilon)^2 \, \varepsilon / \sigma$。4 乗を展開して $\mathbb{E}[g^2] = (m^4 + 18 m^2 \sigma^2 + 15 \sigma^4) / \sigma^2$。ここから平均の 2 乗 $4 m^2$ を引いて、$\mathrm{Var}[g] = m^4 / \sigma^2 + 14 m^2 + 15 \sigma^2$。
- **ベースラインつき**：$b$ を引くと $\mathbb{E}[g^2]$ は $(2 b \, \mathbb{E}[f \varepsilon^2] - b^2) / \sigma^2$ だけ減ります。$\mathbb{E}[f \varepsilon^2] = m^2 + 3 \sigma^2$ と $b = m^2 + \sigma^2$ を入れて、$\mathrm{Var}[g] = 8 m^2 + 10 \sigma^2$。

$m = -1$、$\sigma = 1$ では 30、18、4 になるはずです。
"""

# %% [markdown] lang="en"
r"""
The pathwise values scatter symmetrically about $-2$. Most of the score function's lie close to 0, and that their mean is $-2$ is owed to a long tail to the left. A mean that leans on its tail scatters a lot.

### 2.4 The variances by hand

With $m = \mu - a$, we have $z - a = m + \sigma \varepsilon$. All that we need is $\mathbb{E}[\varepsilon^2] = 1$, $\mathbb{E}[\varepsilon^4] = 3$, $\mathbb{E}[\varepsilon^6] = 15$, and that the odd powers have the expectation 0. For the gradient by $\mu$:

- **Pathwise**: $g = 2(m + \sigma \varepsilon)$, so $\mathrm{Var}[g] = 4 \sigma^2$.
- **Score function**: $g = (m + \sigma \varepsilon)^2 \, \varepsilon / \sigma$. Expanding the fourth power, $\mathbb{E}[g^2] = (m^4 + 18 m^2 \sigma^2 + 15 \sigma^4) / \sigma^2$. Less the square of the mean, $4 m^2$, this gives $\mathrm{Var}[g] = m^4 / \sigma^2 + 14 m^2 + 15 \sigma^2$.
- **With the baseline**: subtracting $b$ makes $\mathbb{E}[g^2]$ less by $(2 b \, \mathbb{E}[f \varepsilon^2] - b^2) / \sigma^2$. With $\mathbb{E}[f \varepsilon^2] = m^2 + 3 \sigma^2$ and $b = m^2 + \sigma^2$, we get $\mathrm{Var}[g] = 8 m^2 + 10 \sigma^2$.

For $m = -1$, $\sigma = 1$, these should be 30, 18 and 4.
"""

# %%
m = mu - a
by_hand = [m**4 / sigma**2 + 14 * m**2 + 15 * sigma**2, 8 * m**2 + 10 * sigma**2, 4 * sigma**2]
for g, variance, name in zip(by_mu, by_hand, names):
    print(f"⟦手計算|by hand⟧ {variance:4.1f}   ⟦実測|measured⟧ {g.var():5.2f}   {name}")
    np.testing.assert_allclose(g.var(), variance, rtol=0.1)

# %% [markdown] lang="ja"
r"""
実測値は 30.55、18.51、3.98 で、手計算と合っています。

### 2.5 次元が増えると

潜在変数は一つではありません。$D$ 個の独立な $z_j$ について $f(z) = \sum_{j=1}^{D} (z_j - a)^2$ とし、$\mu_1$ の勾配だけを見ます。正解はいつも $2(\mu_1 - a)$ で、$D$ によりません。

スコア関数法は $f(z)$ の **全体** に $\varepsilon_1 / \sigma$ を掛けます。$z_1$ と関係のない残りの $D - 1$ 個の項も、すべてノイズとして勾配に混ざります。pathwise 法は $\partial f / \partial z_1$ を使うので、残りの項は微分したときに消えます。

<details><summary>D 次元の分散の式</summary>

$f$ を、$z_1$ の項 $f_1$ と、$\varepsilon_1$ と独立な残り $R$ に分けます。$\mathbb{E}[R] = (D - 1)(m^2 + \sigma^2)$、$\mathrm{Var}[R] = (D - 1)(4 m^2 \sigma^2 + 2 \sigma^4)$ です。$\mathbb{E}[(f_1 + R)^2 \varepsilon_1^2]$ を展開すると、1 次元の分散に次のものが加わります。

- スコア関数：$(2 \, \mathbb{E}[R] \, (m^2 + 3 \sigma^2) + \mathrm{Var}[R] + \mathbb{E}[R]^2) / \sigma^2$。$D$ の 2 次式です。
- ベースラインつき：$R$ の平均が 0 になるので、$\mathrm{Var}[R] / \sigma^2$。$D$ の 1 次式です。
- pathwise：何も加わりません。

</details>

この式（線）と、乱数で測った分散（点）を重ねます。
"""

# %% [markdown] lang="en"
r"""
The measured values are 30.55, 18.51 and 3.98: they agree.

### 2.5 With more dimensions

There is more than one latent variable. For $D$ independent $z_j$, let $f(z) = \sum_{j=1}^{D} (z_j - a)^2$, and look at the gradient by $\mu_1$ alone. The answer is always $2(\mu_1 - a)$, whatever $D$ is.

The score function estimator multiplies **all** of $f(z)$ by $\varepsilon_1 / \sigma$. The other $D - 1$ terms, which have nothing to do with $z_1$, get into the gradient as noise. The pathwise estimator uses $\partial f / \partial z_1$, and the other terms vanish when we differentiate.

<details><summary>The variances in D dimensions</summary>

Split $f$ into the term of $z_1$, $f_1$, and the rest $R$, which is independent of $\varepsilon_1$. We have $\mathbb{E}[R] = (D - 1)(m^2 + \sigma^2)$ and $\mathrm{Var}[R] = (D - 1)(4 m^2 \sigma^2 + 2 \sigma^4)$. Expanding $\mathbb{E}[(f_1 + R)^2 \varepsilon_1^2]$ adds to the variance in one dimension:

- Score function: $(2 \, \mathbb{E}[R] \, (m^2 + 3 \sigma^2) + \mathrm{Var}[R] + \mathbb{E}[R]^2) / \sigma^2$, quadratic in $D$.
- With the baseline: the mean of $R$ becomes 0, so $\mathrm{Var}[R] / \sigma^2$, linear in $D$.
- Pathwise: nothing.

</details>

We draw these formulas (lines) and the variances measured with random numbers (dots).
"""


# %%
def measure(D):
    """⟦三つの推定量の分散を測る|The variances of the three estimators, measured⟧"""
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
ax.set_xlabel("⟦潜在変数の次元 $D$|number of latent dimensions $D$⟧")
ax.set_ylabel("⟦勾配の分散|variance of the gradient⟧")
ax.legend(fontsize=9)
ax.grid()
plt.show()
print("D = 50:", *(f"{variance:,.1f}" for variance in measured[-1]))

# %% [markdown] lang="ja"
r"""
50 次元では、分散は約 10,700、約 314、約 4 でした。分散は標本数に反比例して減るので、pathwise 法の 1 標本と同じ精度を得るのに、スコア関数法は 2,700 ほどの標本を、ベースラインつきでも 80 ほどの標本を必要とします。

ただし、pathwise 法はいつでも使えるわけではありません。$f$ が微分でき、$z$ が連続で、パラメーターを含まない乱数から作れる必要があります。離散的な $z$ や、中身の見えない $f$ にはスコア関数法が使えます。
また、$f$ が激しく振動するときは $f'$ が大きくなり、分散の大小が逆転することもあります。VAE は微分できるデコーダーと正規分布の $z$ を使うので、pathwise 法に向いています。

## 3. VAE の逆伝播を手で書く

それでは VAE 全体です。画像 $B$ 枚のバッチを、一行に一枚ずつ並べます。損失 $L$ を何かの量 $y$ で微分したものを $g_y = \partial L / \partial y$ と書きます。形は $y$ と同じです。$\odot$ は成分ごとの積です。

### 3.1 五つの規則

記号は 2 節から少し変わり、ここから $a$ は層の出力（活性化関数に入れる前の値）、$b$ はバイアスです。$\rho = \log \sigma^2$ は、コードの `ln_var` です。

**全結合層**、$a = h W^\top + b$：

$$g_W = g_a^\top h, \qquad g_b = \sum_n g_{a,n}, \qquad g_h = g_a W$$

成分で書くと $a_{ni} = \sum_j W_{ij} h_{nj} + b_i$ です。$W_{ij}$ は、すべての画像 $n$ の $a_{ni}$ に $h_{nj}$ 倍で効くので、$\partial L / \partial W_{ij} = \sum_n g_{a,ni} h_{nj}$ となり、これを行列で書いたものが $g_a^\top h$ です。$h_{nj}$ は、すべての $i$ の $a_{ni}$ に $W_{ij}$ 倍で効くので、$g_h = g_a W$ です。

**活性化関数**、$h = \mathrm{softplus}(a) = \log(1 + e^a)$：

$$g_a = g_h \odot \mathrm{sigmoid}(a)$$

$\log(1 + e^a)$ の微分は $e^a / (1 + e^a) = \mathrm{sigmoid}(a)$ です。しかも $\mathrm{sigmoid}(a) = 1 - e^{-h}$ なので、$a$ を覚えておかなくても $h$ だけから求まります。

**再構成誤差**、$\log(1 + e^a) - x a$：

$$g_a = (\mathrm{sigmoid}(a) - x) / B$$

白くなる確率が $\mathrm{sigmoid}(a)$ の画素の $-\log p(x|z)$ を整理すると、この形になります。微分は「予測 − 画素」です。$B$ で割るのは、損失がバッチの平均だからです。

**潜在変数**、$z = \mu + \sigma \varepsilon$、$\sigma = e^{\rho / 2}$：

$$g_\mu = g_z, \qquad g_\rho = g_z \odot \sigma \varepsilon / 2$$

これが Reparameterization Trick です。$\varepsilon$ は定数なので、$\partial z / \partial \mu = 1$、$\partial z / \partial \rho = \sigma \varepsilon / 2$ です。

**KL**、$C \cdot \frac{1}{2}(\mu^2 + \sigma^2 - \rho - 1)$：$g_\mu$ に $C \mu / B$ を、$g_\rho$ に $C (\sigma^2 - 1) / (2B)$ を足します。$\sigma^2 = e^\rho$ の $\rho$ での微分は $\sigma^2$ 自身です。

### 3.2 順伝播

逆伝播で使う値を `v` にしまいながら進みます。`sigmoid` は、大きな $a$ でも桁あふれしないように $e^{-\mathrm{softplus}(-a)}$ と書きました。
"""

# %% [markdown] lang="en"
r"""
In 50 dimensions, the variances are about 10,700, about 314 and about 4. A variance falls in inverse proportion to the number of samples, so to be as exact as one pathwise sample, the score function needs some 2,700 samples, and with the baseline still some 80.

But the pathwise estimator cannot always be used. $f$ must be differentiable, and $z$ continuous and made from random numbers without parameters. The score function also works for a discrete $z$, or for an $f$ whose inside we cannot see.
And where $f$ oscillates wildly, $f'$ is large, and the pathwise variance may be the larger one. A VAE has a differentiable decoder and a normal $z$, which suits the pathwise estimator.

## 3. The VAE's backward pass by hand

Now for the whole VAE. A batch has $B$ images, one in each row. For the derivative of the loss $L$ by any quantity $y$ we write $g_y = \partial L / \partial y$; it has the shape of $y$. $\odot$ multiplies entry by entry.

### 3.1 Five rules

The letters change a little from section 2: from here on, $a$ is what a layer gives (before the activation), and $b$ its bias. $\rho = \log \sigma^2$ is `ln_var` in the code.

**Affine layer**, $a = h W^\top + b$:

$$g_W = g_a^\top h, \qquad g_b = \sum_n g_{a,n}, \qquad g_h = g_a W$$

In components, $a_{ni} = \sum_j W_{ij} h_{nj} + b_i$. $W_{ij}$ acts on $a_{ni}$ of every image $n$, with the factor $h_{nj}$, so $\partial L / \partial W_{ij} = \sum_n g_{a,ni} h_{nj}$; as a matrix product this is $g_a^\top h$. $h_{nj}$ acts on $a_{ni}$ for every $i$, with the factor $W_{ij}$, so $g_h = g_a W$.

**Activation**, $h = \mathrm{softplus}(a) = \log(1 + e^a)$:

$$g_a = g_h \odot \mathrm{sigmoid}(a)$$

The derivative of $\log(1 + e^a)$ is $e^a / (1 + e^a) = \mathrm{sigmoid}(a)$. Moreover $\mathrm{sigmoid}(a) = 1 - e^{-h}$: we need not remember $a$, since $h$ is enough.

**Reconstruction error**, $\log(1 + e^a) - x a$:

$$g_a = (\mathrm{sigmoid}(a) - x) / B$$

This is what $-\log p(x|z)$ of a pixel simplifies to, where $\mathrm{sigmoid}(a)$ is the probability of white. Its derivative is "prediction minus pixel". The division by $B$ comes from the loss being the mean over the batch.

**Latent variable**, $z = \mu + \sigma \varepsilon$, $\sigma = e^{\rho / 2}$:

$$g_\mu = g_z, \qquad g_\rho = g_z \odot \sigma \varepsilon / 2$$

This is the reparameterization trick. $\varepsilon$ is a constant, so $\partial z / \partial \mu = 1$ and $\partial z / \partial \rho = \sigma \varepsilon / 2$.

**KL**, $C \cdot \frac{1}{2}(\mu^2 + \sigma^2 - \rho - 1)$: to $g_\mu$ add $C \mu / B$, to $g_\rho$ add $C (\sigma^2 - 1) / (2B)$. The derivative of $\sigma^2 = e^\rho$ by $\rho$ is $\sigma^2$ itself.

### 3.2 Forward

On the way we keep in `v` what the backward pass will need. `sigmoid` is written as $e^{-\mathrm{softplus}(-a)}$, so that no large $a$ makes it overflow.
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
    v.rec = (softplus(v.a) - x * v.a).sum(axis=1)  # ⟦画像ごと|of each image⟧
    v.kl = (v.mu**2 + v.sigma**2 - v.ln_var - 1).sum(axis=1) / 2
    v.loss = (v.rec + C * v.kl).mean()
    return v


# %% [markdown] lang="ja"
r"""
### 3.3 逆伝播

順伝播を下から上へ読むように、一行ずつ規則を当てはめます。`h2` は二つの層（`le3_mu` と `le3_ln_var`）に入るので、`g_h2` は両方から来る勾配の **和** です。
"""

# %% [markdown] lang="en"
r"""
### 3.3 Backward

We read the forward pass from the bottom to the top, and apply the rules line by line. `h2` goes into two layers (`le3_mu` and `le3_ln_var`), so `g_h2` is the **sum** of the gradients that come from both.
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
    v.g_x = affine_backward(p, g, "le1", g_a, v.x)  # ⟦演習 3 で使う|for exercise 3⟧
    return g


# %% [markdown] lang="ja"
r"""
これで全部です。空行を除いて 40 行ほどで、VAE の勾配がすべて計算できます。

### 3.4 Chainer の自動微分と比べる

学習済みの潜在変数 2 次元のモデルで試します。丸め誤差に紛れて間違いを見逃さないよう、パラメーターを **float64** に変えます（`param.array = param.array.astype("f8")`）。入力 `x` も float64 にします。

同じ勾配になるには、同じ $\varepsilon$ が必要です。CPU 上の `F.gaussian` は `np.random.standard_normal` で $\varepsilon$ を引くので、同じ種から同じ順に引けば一致します（自分の計算グラフを組むなら、`F.gaussian(mu, ln_var, eps=eps)` と渡すことも、`return_eps=True` で受け取ることもできます）。

14 個のパラメーターすべてで、`rtol=1e-10` で一致するはずです。ただし、ほとんど 0 の成分では相対誤差に意味がないので、最大成分の $10^{-12}$ 倍までの差を許します。
"""

# %% [markdown] lang="en"
r"""
That is all: in about 40 lines, not counting blank ones, every gradient of the VAE.

### 3.4 Against Chainer's automatic differentiation

We try it on the trained model with 2 latent units. So that no mistake hides behind rounding errors, we turn the parameters into **float64** (`param.array = param.array.astype("f8")`), and the input `x`, too.

For the same gradient we need the same $\varepsilon$. On the CPU, `F.gaussian` draws $\varepsilon$ with `np.random.standard_normal`, so the same seed and the same order give the same numbers (in a graph of your own you may also give them, `F.gaussian(mu, ln_var, eps=eps)`, or get them with `return_eps=True`).

All 14 parameters should agree with `rtol=1e-10`. Where an entry is almost 0 a relative error means nothing, so we allow a difference of $10^{-12}$ times the largest entry.
"""


# %%
def in_float64(model):
    """⟦パラメーターを float64 にして、名前で引ける辞書を返す|The parameters, made float64, by their names⟧"""
    for param in model.params():
        param.array = param.array.astype("f8")
    return {name: param.array for name, param in model.namedparams()}


def autograd(model, x, C=1.0, k=1):
    """⟦Chainer の勾配を、名前で引ける辞書で返す|Chainer's gradients, by their names⟧"""
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

print(f"⟦損失|loss⟧ {v.loss:.6f} (⟦手|by hand⟧), {model.loss.array:.6f} (Chainer)")
for name, array in expected.items():
    largest = np.abs(array).max()
    off = np.abs(g[name] - array).max() / largest
    print(f"{name:13} {array.shape!s:11} ⟦最大|largest⟧ {largest:7.3f}   ⟦差|off by⟧ {off:.0e}")

# %% [markdown] lang="ja"
r"""
14 個すべてが一致しました。「差」は最大成分に対する比で、どれも $10^{-15}$ 程度です。float64 の丸め誤差しか残っていません。

標本が $k$ 個なら、損失は「$\varepsilon$ だけが違う $k$ 個の損失」の平均です（KL の項はどれも同じ）。ですから勾配も平均になります。$C = 2$、$k = 3$ で確かめます。
"""

# %% [markdown] lang="en"
r"""
All 14 agree. What they are off by is given as a part of the largest entry, and is about $10^{-15}$ in each: nothing but the rounding of float64.

With $k$ samples the loss is the mean of $k$ losses that differ in $\varepsilon$ alone (their KL terms are the same). So the gradient is a mean, too. We check it for $C = 2$ and $k = 3$.
"""

# %%
np.random.seed(1)
three = [backward(p, forward(p, x, np.random.standard_normal(eps.shape), C=2)) for _ in range(3)]
np.random.seed(1)
assert_same({name: sum(g[name] for g in three) / 3 for name in p}, autograd(model, x, C=2, k=3))
print("⟦k = 3 でも一致|the same with k = 3, too⟧")

# %% [markdown] lang="ja"
r"""
### 3.5 数値微分と比べる

自動微分も同じ規則を使っています。規則を一切使わない確かめ方が、数値微分です。パラメーターの一つの成分を $\pm \delta$ だけ動かして、損失の変化を見ます。

$$\frac{\partial L}{\partial w} \approx \frac{L(w + \delta) - L(w - \delta)}{2 \delta}$$

一つの成分に順伝播が 2 回要るので、およそ 129 万個ある成分をすべて調べるには大変な時間がかかります（逆伝播なら 1 回で済みます）。ここでは各パラメーターで、勾配の絶対値が最大の成分だけを調べます。
"""

# %% [markdown] lang="en"
r"""
### 3.5 Against finite differences

Automatic differentiation uses the same rules. Finite differences are a check that uses no rule at all: move one entry of a parameter by $\pm \delta$, and see how the loss changes.

$$\frac{\partial L}{\partial w} \approx \frac{L(w + \delta) - L(w - \delta)}{2 \delta}$$

One entry takes two forward passes, so all entries, about 1.29 million of them, would take very long (the backward pass gets them all at once). We look at one entry of each parameter, the one whose gradient is largest in size.
"""

# %%
delta = 1e-5
for name, array in p.items():
    place = np.unravel_index(np.abs(g[name]).argmax(), array.shape)
    value = array[place]
    array[place] = value + delta
    above = forward(p, x, eps).loss
    array[place] = value - delta
    below = forward(p, x, eps).loss
    array[place] = value  # ⟦元に戻す|as it was⟧
    difference = (above - below) / (2 * delta)
    np.testing.assert_allclose(g[name][place], difference, rtol=1e-6)
    print(f"{name:13} {g[name][place]:12.7f} {difference:12.7f}")

# %% [markdown] lang="ja"
r"""
左が逆伝播、右が数値微分です。ほとんどの行で、表示した桁がすべて一致しています。一番大きい `/le3_mu/W` で小数第 6 位が違うのは、$\delta$ が 0 でないために残る誤差です。

## 4. このパッケージの学習も同じ計算

`chainer_vae` で学習するとき、実際に動いているのは `chainer_vae.engine` です。そこにも、いま書いたものと同じ式が並んでいます（画像を行でなく列に並べるので、転置の付く場所は変わります）。`Engine(...).gradients(x)` で勾配だけを取り出し、手で書いたものと比べます。`team()` は、計算を分担するスレッドの組です。
"""

# %% [markdown] lang="en"
r"""
On the left is the backward pass, on the right the finite difference. In almost all lines, all digits shown agree. That the largest one, `/le3_mu/W`, differs in its sixth decimal is the error that remains because $\delta$ is not 0.

## 4. The package's own training computes the same

When you train with `chainer_vae`, what runs is `chainer_vae.engine`. There you find the very formulas that we have just written (with images in columns rather than rows, so that the transposes stand elsewhere). `Engine(...).gradients(x)` gives the gradients alone, and we compare them with ours. `team()` is a team of threads that share the work.
"""

# %%
optimizer = chainer.optimizers.Adam().setup(model)
np.random.seed(1)
with thread_pool() as pool:
    found = Engine(model, optimizer, 1.0, 1, pool).gradients(x)
assert_same(found, g)
print("⟦14 個とも一致|all 14 are the same⟧")

# %% [markdown] lang="ja"
r"""
式が同じなら、なぜ Chainer に任せず別に書いてあるのでしょうか。速さのためです。

1. 途中の値は、最初に一度だけ確保した配列に書き込み、`le3_mu` と `le3_ln_var` は一つの行列積にまとめます。
2. 各層の $g_W$ と Adam の更新は、次のステップで $W$ を使うときまでに済めばよいので、逆伝播を先に進めながら別のスレッドに任せます。
3. softplus などは $e^a$ を一度だけ計算して作り、行列積を極端に遅くする非正規化数（0 のすぐそばの数）が現れないようにします。

記事と同じモデル（潜在変数 20 次元、バッチ 100、float32）で、1 ステップにかかる時間の中央値を比べましょう。
"""

# %% [markdown] lang="en"
r"""
If the formulas are the same, why not leave it to Chainer? For speed:

1. What is computed on the way goes into arrays that are allocated once, and `le3_mu` and `le3_ln_var` are joined in one matrix product.
2. The $g_W$ of a layer, and Adam's step on it, are not needed before the next step uses $W$, so they are left to other threads while the backward pass goes on.
3. Softplus and the like are made from $e^a$, which is computed once, and kept from giving subnormal numbers (the ones right beside 0), which would make the matrix products very slow.

With the article's model (20 latent units, batches of 100, float32) we compare the medians of the time that a step takes.
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
print(f"Chainer {chainer_ms:.1f} ms, engine {engine_ms:.1f} ms")

# %% [markdown] lang="ja"
r"""
この数字は、このノートブックを実行した機械の、そのときのものです。ほかに何か動いていれば変わりますし、コアの数によっても変わります。皆さんの環境ではどうなるでしょうか。

## 5. Adam を手で書く

勾配が出そろったら、パラメーターを動かします。記事でも使っている Adam は、勾配の移動平均 $m$ と、勾配の 2 乗の移動平均 $v$ を持ち、成分ごとに歩幅を変えます。

$$m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad w \leftarrow w - \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \cdot \frac{m}{\sqrt{v} + \epsilon}$$

$m$ も $v$ も 0 から始まるので、はじめのうちは小さすぎます。$1 - \beta^t$ の因子がそれを補います。$\epsilon$ は、論文の Algorithm 1 では補正した後の $\sqrt{v}$ に足しますが、Chainer は、同じ論文の 2 節に載っている、計算の少ないこの順序を使っています。
"""

# %% [markdown] lang="en"
r"""
These numbers are those of the machine that ran this notebook, at that time. They change if something else is running, and with the number of cores. What are they on yours?

## 5. Adam by hand

With all the gradients there, the parameters move. Adam, which the article uses, keeps a moving average $m$ of the gradient and one, $v$, of its square, and gives each entry a step of its own:

$$m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad w \leftarrow w - \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \cdot \frac{m}{\sqrt{v} + \epsilon}$$

Both $m$ and $v$ begin at 0 and so are too small at first; the factors with $1 - \beta^t$ make up for it. In Algorithm 1 of the paper $\epsilon$ is added to the corrected $\sqrt{v}$; Chainer uses this order, which takes less computing and is given in section 2 of the same paper.
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
隠れ層が 200 ユニットの新しい VAE を、手で書いた `forward`、`backward`、`adam` と、Chainer の両方で、同じ画像と同じ $\varepsilon$ で学習させます。2 本の損失は重なり、パラメーターも同じになるはずです。
"""

# %% [markdown] lang="en"
r"""
We train a new VAE, with 200 units in each hidden layer, with our own `forward`, `backward` and `adam`, and with Chainer, on the same images and with the same $\varepsilon$. The two losses should coincide, and the parameters be the same.
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
    if t == 4:  # ⟦5 ステップの後|after 5 steps⟧
        for name, param in fresh.namedparams():
            np.testing.assert_allclose(own[name], param.array, rtol=1e-8, atol=1e-10)

losses = np.array(losses)
print(f"⟦損失|loss⟧: {losses[0, 0]:.1f} -> {losses[-1, 0]:.1f}")
difference = max(np.abs(own[name] - param.array).max() for name, param in fresh.namedparams())
print(f"⟦最後のパラメーターの差|difference of the parameters at the end⟧: {difference:.0e}")

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(losses[:, 0], color=style.LOSS, label="⟦手で書いたもの|by hand⟧")
ax.plot(losses[:, 1], ".", color=style.INK, ms=4, label="Chainer")
ax.set_xlabel("⟦ステップ|step⟧")
ax.set_ylabel("⟦損失（nat/画像）|loss (nats per image)⟧")
ax.legend()
plt.show()

# %% [markdown] lang="ja"
r"""
NumPy だけの VAE が学習しました。損失は 557 から 207 ほどまで下がり、100 ステップの後でも、Chainer との差は丸め誤差だけです。

## 6. 本物の VAE で、二つの推定量を比べる

2 節の比較を、学習済みの VAE でやり直します。見るのは `le3_mu` のバイアスの勾配です。画像 $n$ の $\mu_n$ は、バイアスがそのまま足されてできているので、スコア関数法では

$$g_b = \frac{1}{B} \sum_{n=1}^{B} \left( (\mathrm{rec}_n - b_n) \frac{\varepsilon_n}{\sigma_n} + \mu_n \right)$$

です。$\mathrm{rec}_n$ は画像 $n$ の再構成誤差、最後の $\mu_n$ は KL の勾配で、乱数を含みません。ベースライン $b_n$ は、なし（0）の場合と、ノイズなし（$\varepsilon = 0$）の再構成誤差にした場合を試します。$b_n$ は $\varepsilon$ によらないので、どちらも不偏です。pathwise 法は `backward` がそのまま計算してくれます。

同じ 20 枚の画像でノイズだけを 500 回引き直し、潜在変数が 2 次元と 20 次元のモデルで、平均と標準偏差を比べます。再構成誤差は 100 nat ほどもあり、$\sigma$ は小さいので、ベースラインなしのばらつきはかなり大きいはずです。
"""

# %% [markdown] lang="en"
r"""
A VAE in NumPy alone has learned. The loss fell from 557 to about 207, and even after 100 steps nothing but rounding separates it from Chainer's.

## 6. Both estimators on the real VAE

We repeat the comparison of section 2 with a trained VAE. We look at the gradient of the bias of `le3_mu`. The bias is simply added to the $\mu_n$ of image $n$, so with the score function it is

$$g_b = \frac{1}{B} \sum_{n=1}^{B} \left( (\mathrm{rec}_n - b_n) \frac{\varepsilon_n}{\sigma_n} + \mu_n \right)$$

Here $\mathrm{rec}_n$ is the reconstruction error of image $n$, and the last $\mu_n$ is the gradient of the KL divergence, which holds no random number. As baseline $b_n$ we try none (0), and the reconstruction error without noise ($\varepsilon = 0$). $b_n$ does not depend on $\varepsilon$, so both are unbiased. The pathwise gradient is what `backward` computes anyway.

With the same 20 images we draw the noise anew 500 times, and compare means and standard deviations, for the models with 2 and with 20 latent units. Reconstruction errors are of the order of 100 nats, and $\sigma$ is small, so without a baseline the scatter must be large.
"""


# %%
def bias_gradients(p, x):
    """⟦推定した勾配、形は (n_draws, 3, 潜在変数の次元)|Estimated gradients, shape (n_draws, 3, n_latent)⟧"""
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
潜在変数が 2 次元のモデルの、バイアスの最初の成分です。三つの平均は標準誤差の 2 倍ほどの範囲で一致し、標準偏差は 1,140、35.4、6.9 でした。ベースラインなしのスコア関数法は、pathwise 法の約 165 倍ばらつきます。同じ精度を得るには、その 2 乗、27,000 倍ほどの標本が要ることになります。ノイズなしの再構成誤差を引くだけで、比は 5 倍ほどまで下がります。

ヒストグラムで見ましょう。左と右では横軸の幅が違います。縦軸は対数です。その下に、20 次元のモデルも含めて、ばらつきが pathwise 法の何倍になるかと、画像について平均した $\sigma$ の範囲を表示します。
"""

# %% [markdown] lang="en"
r"""
This is the first entry of the bias, in the model with 2 latent units. The three means agree within about twice their standard errors; the standard deviations are 1,140, 35.4 and 6.9. The plain score function scatters about 165 times as much as the pathwise estimator; for the same precision it would take the square of that, some 27,000 times as many samples. Merely subtracting the reconstruction error without noise brings the ratio down to about 5.

Let us see it in histograms. Mind that the two horizontal axes are not the same; the vertical ones are logarithmic. Below them we print, for the model with 20 latent units, too, how many times as much as the pathwise estimator the others scatter, and the range of $\sigma$, averaged over the images.
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
    ax.set_xlabel("⟦le3_mu のバイアスの勾配|gradient of the bias of le3_mu⟧")
    ax.legend(fontsize=8, loc="upper center")
axes[0].set_ylabel("⟦回数|number of draws⟧")
plt.show()

for name, found in gradients.items():
    total = np.sqrt(found.var(axis=0).sum(axis=1))  # ⟦全成分を合わせて|of all entries together⟧
    sigmas = np.exp(chainer_vae.encode(models[name], x)[1] / 2).mean(axis=0)
    print(
        f"{name:3}: {total[0] / total[2]:5.1f}, {total[1] / total[2]:.1f} ⟦倍|times⟧"
        f"   sigma: {sigmas.min():.2f} - {sigmas.max():.2f}"
    )

# %% [markdown] lang="ja"
r"""
左の図では、pathwise 法は 1 本の細い棒にしか見えません。

最後の 2 行の比は、バイアスの全成分を合わせたものです（先がベースラインなし、後があり）。2 次元で約 183 倍と 5.0 倍、20 次元で約 75 倍と 6.2 倍でした。次元が増えたのに、ベースラインなしの比が下がったのは意外かもしれません。2.5 節では次元によらず同じだった $\sigma$ が、ここでは違うことが一因です。2 次元のモデルは狭い場所に多くの画像を詰め込むので、$\sigma$ が 0.03 から 0.04 しかなく、$\varepsilon / \sigma$ が大きくなります。20 次元のモデルの $\sigma$ は 0.07 から 1 までで、1 に近いのは使われていない潜在変数です（レッスン 5 で詳しく見ます）。

記事が VAE の学習に Reparameterization Trick を使う理由が、数字で確かめられました。スコア関数法でも、多くの標本で平均すれば正しい勾配が得られますが、1 標本では勾配がノイズに埋もれてしまいます。

## 演習

### 演習 1（易）：tanh

記事のクラスは、何も指定しなければ `F.tanh` を使います。活性化関数を tanh に変えると、逆伝播のどこがどう変わりますか。$h = \tanh a$ の微分を $h$ だけで表し、Chainer と比べてください。`forward` と `backward` には、活性化関数とその微分を渡せます。

<details><summary>解答例</summary>

$\tanh' a = 1 - \tanh^2 a = 1 - h^2$ です。変わるのは活性化関数の微分だけで、ほかの規則はそのままです。

```python
np.random.seed(0)
tanh_model = chainer_vae.VAE(784, 2, 50)  # 指定しなければ tanh
tanh_p = in_float64(tanh_model)

np.random.seed(1)
tanh_v = forward(tanh_p, x, np.random.standard_normal((batchsize, 2)), act=np.tanh)
tanh_g = backward(tanh_p, tanh_v, act_prime=lambda h: 1 - h**2)

np.random.seed(1)
assert_same(tanh_g, autograd(tanh_model, x))
print("tanh でも 14 個すべて一致")
```

</details>

### 演習 2（中）：逆伝播で ε を引き直すと

`backward` が、順伝播で使った $\varepsilon$ を覚えておかず、新しく引き直したとします。どの勾配が間違い、学習すると $\sigma$ はどうなるでしょうか。まず 1 次元の例で考え、それから VAE の `le3_ln_var` のバイアスで、正しい勾配の平均と比べてください。

<details><summary>解答例</summary>

$g_\rho = g_z \odot \sigma \varepsilon / 2$ が意味を持つのは、$g_z$ が **同じ** $\varepsilon$ で計算されているからです。別の $\varepsilon'$ なら $g_z$ と独立なので、$\mathbb{E}[g_z \, \varepsilon'] = \mathbb{E}[g_z] \, \mathbb{E}[\varepsilon'] = 0$。「ばらつくと再構成が悪くなる」という情報が消え、$\sigma$ には KL の項しか効きません。KL は $\sigma$ を 1 に近づけようとするので、$\sigma$ は 1 に向かい、$z$ は大きなノイズに埋もれます。間違いは、ここから下の `le3_ln_var`、`le2`、`le1` に伝わります。$\mu$ の勾配そのものは、$\partial z / \partial \mu = 1$ に $\varepsilon$ が出てこないので正しいままです。

```python
np.random.seed(3)
new = np.random.standard_normal(n_samples)
z = mu + sigma * np.random.standard_normal(n_samples)
print(f"1 次元：正解 {2 * sigma}、引き直すと {(2 * (z - a) * new).mean():.3f}")

right, wrong = [], []
for _ in range(n_draws):
    drawn = forward(p, x, np.random.standard_normal(eps.shape))
    right.append(backward(p, drawn)["/le3_ln_var/b"])
    drawn.eps = np.random.standard_normal(eps.shape)  # 引き直す
    wrong.append(backward(p, drawn)["/le3_ln_var/b"])
kl_alone = (drawn.sigma**2 - 1).mean(axis=0) / 2
print("正しい勾配の平均　", np.mean(right, axis=0).round(2))
print("引き直したときの平均", np.mean(wrong, axis=0).round(2))
print("KL の項だけの勾配　", kl_alone.round(2))
```

VAE では、正しい勾配の平均は $-0.17$ と $-0.15$、引き直すと $-0.50$ と $-0.49$ で、KL の項だけの勾配 $-0.50$ とほぼ同じです。

</details>

### 演習 3（中）：画像についての勾配

損失をパラメーターではなく画像 $x$ で微分すると、どの画素が損失に効くかが分かります。`backward` は、エンコーダーを通って来る勾配を `v.g_x` に残しています。しかし、これだけでは足りません。$x$ はもう一か所、損失の中に現れます。それを足して、Chainer の `x.grad` と一致することを確かめ、二つの部分を絵にしてください。

<details><summary>解答例</summary>

再構成誤差 $\log(1 + e^a) - x a$ に $x$ がそのまま入っています。$x$ についての微分は $-a$、バッチの平均なので $-a / B$ です。ロジット $a$ は、デコーダーが「黒」と確信している画素では大きな負の数なので、そこを少しでも白くすると損失が大きく増えます。

```python
drawn = forward(p, x, eps)
backward(p, drawn)
parts = drawn.g_x, -drawn.a / batchsize

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

赤は「明るくすると損失が増える」、青は「減る」です（色の濃さは画像ごとに決め、上位 2 割の値で頭打ちにしました）。下の段の薄い青は、デコーダーが描いた数字の形をしています。5 枚目の 4 は、9 のように描かれています。

</details>

### 演習 4（難）：一番よいベースライン

2 節では $b = \mathbb{E}[f]$ としましたが、これは最良ではありません。分散を $b$ の 2 次式と見て、最小にする $b$ を求めてください。1 次元の例ではいくつになり、分散はどこまで下がるでしょうか。

<details><summary>解答例</summary>

スコア関数を $s$ とすると、$g = (f - b) s$ の平均は $b$ によらないので、$\mathbb{E}[g^2] = \mathbb{E}[f^2 s^2] - 2 b \, \mathbb{E}[f s^2] + b^2 \, \mathbb{E}[s^2]$ を最小にすればよく、

$$b^* = \frac{\mathbb{E}[f s^2]}{\mathbb{E}[s^2]}$$

です。$\mu$ の勾配では $s = \varepsilon / \sigma$ なので、$b^* = \mathbb{E}[f \varepsilon^2] = m^2 + 3 \sigma^2$。これを分散の式に入れると $8 m^2 + 6 \sigma^2$ になります。$m = -1$、$\sigma = 1$ では $b^* = 4$、分散は 18 から 14 に下がります。それでも pathwise 法の 4 には届きません。

```python
np.random.seed(4)
e = np.random.standard_normal(n_samples)
f = (mu + sigma * e - a) ** 2
bs = np.linspace(0, 8, 81)
curve = [((f - b) * e / sigma).var() for b in bs]
best = (f * e**2).mean()  # 1 / sigma^2 は約分される
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

## 次へ

- 式も勾配もそろい、記事の VAE を隅々まで調べ終えました。レッスン 5 では、記事が説明せずに残した選択を調べます。濃淡のある画素をベルヌーイ分布の式に入れてよいのか、$C$ や $k$ を変えると何が起きるのか、という問いです。
- `chainer_vae/engine.py` の冒頭には、このノートブックの式が、画像を列に並べた形で書かれています。今なら上から下まで読めるはずです。

## 出典

- D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
- R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning 8, 1992（REINFORCE）.
- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114).
- D. J. Rezende, S. Mohamed, D. Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014, [arXiv:1401.4082](https://arxiv.org/abs/1401.4082).
- D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", 2014, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
- S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, "Monte Carlo Gradient Estimation in Machine Learning", 2019, [arXiv:1906.10652](https://arxiv.org/abs/1906.10652)（二つの推定量の比較）.
- kenmatsu4「[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)」、2017.
"""

# %% [markdown] lang="en"
r"""
In the left figure, the pathwise estimator is no more than a thin bar.

The ratios in the last two lines are of all entries of the bias together (first without the baseline, then with it): about 183 and 5.0 in 2 dimensions, about 75 and 6.2 in 20. That the ratio without a baseline fell, with more dimensions, may surprise. One reason is that $\sigma$, always the same in section 2.5, is not so here. The model with 2 latent units packs many images into a narrow place, so its $\sigma$ is only 0.03 to 0.04, and $\varepsilon / \sigma$ is large. In the model with 20, $\sigma$ goes from 0.07 to 1, and those near 1 are latent units that are not used (more on them in lesson 5).

Now we have seen in numbers why the article trains its VAE with the reparameterization trick. On average the score function gives the right gradient, too, but in a single sample the gradient drowns in noise.

## Exercises

### Exercise 1 (easy): tanh

Unless it is told otherwise, the article's class uses `F.tanh`. What changes in the backward pass when the activation is tanh? Write the derivative of $h = \tanh a$ with $h$ alone, and compare with Chainer. `forward` and `backward` take an activation and its derivative.

<details><summary>Solution</summary>

$\tanh' a = 1 - \tanh^2 a = 1 - h^2$. Only the derivative of the activation changes; all other rules stay.

```python
np.random.seed(0)
tanh_model = chainer_vae.VAE(784, 2, 50)  # tanh, unless it is told otherwise
tanh_p = in_float64(tanh_model)

np.random.seed(1)
tanh_v = forward(tanh_p, x, np.random.standard_normal((batchsize, 2)), act=np.tanh)
tanh_g = backward(tanh_p, tanh_v, act_prime=lambda h: 1 - h**2)

np.random.seed(1)
assert_same(tanh_g, autograd(tanh_model, x))
print("all 14 are the same with tanh, too")
```

</details>

### Exercise 2 (medium): ε drawn anew in the backward pass

Suppose that `backward` does not remember the $\varepsilon$ of the forward pass, but draws it anew. Which gradients are wrong, and what becomes of $\sigma$ in training? Think of the one-dimensional example first; then compare with the mean of the right gradient for the bias of the VAE's `le3_ln_var`.

<details><summary>Solution</summary>

$g_\rho = g_z \odot \sigma \varepsilon / 2$ means something because $g_z$ was computed with the **same** $\varepsilon$. Another $\varepsilon'$ is independent of $g_z$, so $\mathbb{E}[g_z \, \varepsilon'] = \mathbb{E}[g_z] \, \mathbb{E}[\varepsilon'] = 0$. The knowledge that scatter harms the reconstruction is gone, and only the KL term acts on $\sigma$. It pulls $\sigma$ towards 1, so $\sigma$ goes to 1, and $z$ drowns in noise. The fault goes on to what lies below, `le3_ln_var`, `le2` and `le1`. The gradient by $\mu$ itself stays right, since there is no $\varepsilon$ in $\partial z / \partial \mu = 1$.

```python
np.random.seed(3)
new = np.random.standard_normal(n_samples)
z = mu + sigma * np.random.standard_normal(n_samples)
print(f"one dimension: exact {2 * sigma}, drawn anew {(2 * (z - a) * new).mean():.3f}")

right, wrong = [], []
for _ in range(n_draws):
    drawn = forward(p, x, np.random.standard_normal(eps.shape))
    right.append(backward(p, drawn)["/le3_ln_var/b"])
    drawn.eps = np.random.standard_normal(eps.shape)  # anew
    wrong.append(backward(p, drawn)["/le3_ln_var/b"])
kl_alone = (drawn.sigma**2 - 1).mean(axis=0) / 2
print("mean of the right gradient   ", np.mean(right, axis=0).round(2))
print("mean, with eps drawn anew    ", np.mean(wrong, axis=0).round(2))
print("gradient of the KL term alone", kl_alone.round(2))
```

In the VAE, the mean of the right gradient is $-0.17$ and $-0.15$; drawn anew it is $-0.50$ and $-0.49$, almost that of the KL term alone, $-0.50$.

</details>

### Exercise 3 (medium): the gradient by the image

The derivative of the loss, not by a parameter but by the image $x$, shows which pixels matter for it. `backward` leaves in `v.g_x` the gradient that comes through the encoder. But that is not enough: $x$ occurs in the loss at one more place. Add this, check that the sum is Chainer's `x.grad`, and draw both parts.

<details><summary>Solution</summary>

In the reconstruction error, $\log(1 + e^a) - x a$, there is $x$ itself. The derivative by $x$ is $-a$; in the mean over the batch, $-a / B$. Where the decoder is sure of black, the logit $a$ is far below 0, and to make that pixel even a little brighter raises the loss a lot.

```python
drawn = forward(p, x, eps)
backward(p, drawn)
parts = drawn.g_x, -drawn.a / batchsize

np.random.seed(1)
variable = chainer.Variable(x)
model.cleargrads()
model.get_loss_func()(variable).backward()
np.testing.assert_allclose(parts[0] + parts[1], variable.grad, rtol=1e-10, atol=1e-12)

titles = "image", "by the encoder", "by the error"
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

Red means that a brighter pixel raises the loss, blue that it lowers it (the colours are scaled for each image, and the largest fifth of its values is cut off). In the lowest row, what is pale blue has the shape of the digit that the decoder drew. It made the fifth image, a 4, look like a 9.

</details>

### Exercise 4 (hard): the best baseline

In section 2 we took $b = \mathbb{E}[f]$, but this is not the best one. See the variance as a quadratic function of $b$, and find the $b$ that makes it smallest. What is it in the one-dimensional example, and how far does the variance fall?

<details><summary>Solution</summary>

Let $s$ be the score function. The mean of $g = (f - b) s$ does not depend on $b$, so it is enough to make $\mathbb{E}[g^2] = \mathbb{E}[f^2 s^2] - 2 b \, \mathbb{E}[f s^2] + b^2 \, \mathbb{E}[s^2]$ smallest:

$$b^* = \frac{\mathbb{E}[f s^2]}{\mathbb{E}[s^2]}$$

For the gradient by $\mu$, $s = \varepsilon / \sigma$, so $b^* = \mathbb{E}[f \varepsilon^2] = m^2 + 3 \sigma^2$. Put into the variance, this gives $8 m^2 + 6 \sigma^2$. For $m = -1$, $\sigma = 1$ we have $b^* = 4$, and the variance falls from 18 to 14; still not the 4 of the pathwise estimator.

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

## What comes next

- With the formulas and their gradients, we have seen the whole of the article's VAE. Lesson 5 looks into the choices that the article leaves unexplained: may grey pixels be put into the formula of a Bernoulli distribution, and what happens where $C$ or $k$ is changed?
- At its top, `chainer_vae/engine.py` has the formulas of this notebook, with images in columns. You should now be able to read it from beginning to end.

## Sources

- D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
- R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning 8, 1992 (REINFORCE).
- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114).
- D. J. Rezende, S. Mohamed, D. Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014, [arXiv:1401.4082](https://arxiv.org/abs/1401.4082).
- D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", 2014, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
- S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, "Monte Carlo Gradient Estimation in Machine Learning", 2019, [arXiv:1906.10652](https://arxiv.org/abs/1906.10652) (a comparison of both estimators).
- kenmatsu4, "[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)", 2017.
"""
