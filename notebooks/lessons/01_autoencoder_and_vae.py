# %% [markdown] lang="ja"
r"""
# 1. オートエンコーダーと VAE

手書き数字の画像は 784 個の画素でできています。それをたった 2 個の数に縮め、その 2 個だけから元の画像を描き直す——それがオートエンコーダーです。
このレッスンでは記事の第 1 節を、手を動かしながらたどります。

- 1-1：通常のオートエンコーダーを、ここで実際に学習させます。
- 1-2：VAE と並べて、復元・潜在変数の散らばり・乱数からの生成を比べ、潜在空間を 0 から 7 まで歩きます。
- 1-3：なぜこんなに縮められるのか。多様体仮説を、スイスロールと 2 枚の画像の「間」で確かめます。

VAE のほうがよく見えるところだけでなく、差が出ないところも数で確かめていきます。
"""

# %% [markdown] lang="en"
r"""
# 1. Autoencoder and VAE

An image of a handwritten digit has 784 pixels. Squeeze it into only 2 numbers, and paint the image again from those 2 alone: that is an autoencoder.
This lesson goes through section 1 of the article, hands on.

- 1-1: we really train a plain autoencoder, here.
- 1-2: we lay it beside the VAE (reconstructions, where the latent variables lie, images from random numbers) and walk through the latent space from a 0 to a 7.
- 1-3: why can images be squeezed so far? The manifold hypothesis, with a swiss roll and with what lies "between" two images.

We shall measure not only where the VAE looks better, but also where no difference shows.
"""

# %%
import chainer_vae  # ⟦Chainer を使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
import chainer
import chainer.functions as F
import matplotlib.pyplot as plt
import numpy as np

from chainer_vae import latent
from chainer_vae.figures import style
from chainer_vae.figures.swiss_roll import deceptive_pair, swiss_roll

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% [markdown] lang="ja"
r"""
時間を決めるのは次の 3 つの数です。そのままで、2 コアの CPU なら全体が 1 分ほどで終わります。急ぐときは `n_images` を小さくしてください（100 の倍数にします）。
"""

# %% [markdown] lang="en"
r"""
Three numbers set how long this takes. As they are, all of it takes about a minute on a CPU with 2 cores. If you are in a hurry, make `n_images` smaller (a multiple of 100).
"""

# %% tags=["parameters"] small={"epochs": 1, "n_images": 2000, "n_random": 100}
epochs = 3  # ⟦学習の回数|passes over the training images⟧
n_images = 60_000  # ⟦使う訓練画像の枚数|training images used⟧
n_random = 500  # ⟦乱数から作る画像の枚数|images made from random numbers⟧

# %% [markdown] lang="ja"
r"""
MNIST はパッケージに入っています。画像 1 枚は、0（黒）から 1（白）までの数が 784 個並んだ行です。
画像を何段か並べて見せる関数 `show` も用意しておきます。
"""

# %% [markdown] lang="en"
r"""
MNIST comes with the package. An image is a row of 784 numbers between 0 (black) and 1 (white).
We also write a function `show`, which sets out images in a few rows.
"""

# %%
data = chainer_vae.load_mnist()
train_images, train_labels = data.train_images[:n_images], data.train_labels[:n_images]
test_images, test_labels = data.test_images, data.test_labels
print(train_images.shape, test_images.shape)


def show(rows):
    """⟦辞書 {名前: 画像 (枚数, 784)} を 1 段ずつ並べる|Show a dictionary {name: images (number, 784)} as rows⟧"""
    tiles = np.stack(list(rows.values())).reshape(len(rows), -1, 28, 28)
    _, axes = plt.subplots(figsize=(8, 0.2 + 7 * len(rows) / tiles.shape[1]))
    axes.imshow(latent.montage(tiles), vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks(28 * np.arange(len(rows)) + 13.5, list(rows))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    plt.show()


show({"⟦入力|input⟧ $x$": test_images[:10]})

# %% [markdown] lang="ja"
r"""
## 1-1. 通常のオートエンコーダー

オートエンコーダーは 2 つのニューラルネットワークをつないだものです。

- **エンコーダー** $f$：画像 $x$（784 次元）から潜在変数 $z = f(x)$ を作ります。ここでは 2 次元にします。画像を符号に変えるので、この値を**コード**（符号）とも呼びます。
- **デコーダー** $g$：潜在変数 $z$ から画像 $\hat{x} = g(z)$ を描きます。

記事の式は 1 層の場合で、$\hat{x}(x) = \hat{f}(\hat{W} f(Wx + b) + \hat{b})$ でした。ここで使う `chainer_vae.Autoencoder` は、
784 → 500 → 500 → **2** → 500 → 500 → 784 と、エンコーダーもデコーダーも 3 層です。隠れ層の活性化関数は softplus、$\ln(1 + e^a)$ で、
最後は sigmoid で画素を 0 と 1 の間に収めます。

まだ学習していないモデルに画像を 3 枚入れて、形を見ます。
"""

# %% [markdown] lang="en"
r"""
## 1-1. The plain autoencoder

An autoencoder is two neural networks, one after the other.

- The **encoder** $f$ makes of an image $x$ (784 dimensions) the latent variable $z = f(x)$; here of 2 dimensions. Its value is also called the **code** of the image.
- The **decoder** $g$ paints from the latent variable $z$ an image $\hat{x} = g(z)$.

The article's formula is that of one layer, $\hat{x}(x) = \hat{f}(\hat{W} f(Wx + b) + \hat{b})$. `chainer_vae.Autoencoder`, which we use here, has
784 → 500 → 500 → **2** → 500 → 500 → 784, three layers each way. The activation of the hidden layers is softplus, $\ln(1 + e^a)$,
and at the end a sigmoid keeps the pixels between 0 and 1.

We put three images into a model that has not been trained yet, and look at the shapes.
"""

# %%
np.random.seed(0)
autoencoder = chainer_vae.Autoencoder(784, 2, 500, F.softplus)
x = test_images[:3]
z = autoencoder.encode(x)
print(x.shape, "->", z.shape, "->", autoencoder.decode(z).shape)

# %% [markdown] lang="ja"
r"""
784 個の数が 2 個になり、また 784 個に戻りました。まだ重みは乱数のままです。

学習に教師ラベルは使いません。手本は入力そのもので、損失は入力と出力の差の 2 乗和、つまり再構成誤差です。

$$
\mathrm{Loss} = \frac{1}{N} \sum_{n=1}^{N} \| x_n - \hat{x}(x_n) \|^2
$$

記事では和ですが、ここでは画像の枚数 $N$ で割って「1 枚あたり」にします。`get_loss_func` の値が、この式を NumPy でそのまま書いた値と一致することを確かめます。
"""

# %% [markdown] lang="en"
r"""
784 numbers became 2, and 784 again. The weights are still random.

No labels are used in training. The input is its own model answer, and the loss is the sum of the squared differences of input and output, the reconstruction error.

$$
\mathrm{Loss} = \frac{1}{N} \sum_{n=1}^{N} \| x_n - \hat{x}(x_n) \|^2
$$

The article has the sum; we divide it by the number of images $N$, to have it "per image". Does the value of `get_loss_func` agree with this formula, written down in NumPy?
"""

# %%
loss_func = autoencoder.get_loss_func()
by_hand = ((x - autoencoder(x).array) ** 2).sum(axis=1).mean()
np.testing.assert_allclose(loss_func(x).array, by_hand, rtol=1e-5)
print(f"{by_hand:.1f}")

# %% [markdown] lang="ja"
r"""
2 つの値は一致しました。学習前の損失は 1 枚あたり約 211 です。

### 学習させる

1 周ごとに画像の順番を混ぜ、100 枚ずつのバッチに分けます。`optimizer.update(loss_func, batch)` の 1 行が、
損失の計算、誤差逆伝播法による勾配の計算、Adam による重みの更新をすべて行います。

`np.errstate` の行は NumPy の警告を 1 種類だけ止めています。softplus の微分は $1 - 1 / (1 + e^a)$ で、$a$ が 88 を超えると
$e^a$ が float32 で表せる範囲を超えて無限大になります。それでも微分の値は正しく 1 になるので、結果に影響はありません。
"""

# %% [markdown] lang="en"
r"""
The two agree: before training, the loss is about 211 per image.

### Training it

In each pass we shuffle the images and cut them into batches of 100. The single line `optimizer.update(loss_func, batch)` does all of it:
it computes the loss, its gradient by backpropagation, and Adam's update of the weights.

The line with `np.errstate` silences one kind of NumPy's warnings. The derivative of softplus is $1 - 1 / (1 + e^a)$, and where $a$ exceeds 88,
$e^a$ is more than a float32 can hold and becomes infinite. The derivative still comes out as 1, which is right, so the result does not suffer.
"""

# %%
optimizer = chainer.optimizers.Adam()
optimizer.setup(autoencoder)

for epoch in range(1, epochs + 1):
    losses = []
    shuffled = train_images[np.random.permutation(n_images)]
    with np.errstate(over="ignore"):
        for batch in np.split(shuffled, n_images // 100):
            optimizer.update(loss_func, batch)
            losses.append(float(autoencoder.loss.array))
    print(f"⟦エポック|epoch⟧ {epoch}: ⟦損失|loss⟧ {np.mean(losses):.1f}")

# %% [markdown] lang="ja"
r"""
損失はおよそ 41、34、32 と下がりました。この数は小さいのでしょうか。比べる相手として、どの画像に対しても「訓練画像の平均」を答えるだけの、何も見ない復元を考えます。

続けて学習すれば、もっと下がります。この学習を、同じ種の乱数で 100 エポックまで続けたモデルがパッケージに入っているので、`ae2` という名前で読み込みます。
次のセルは、平均画像、自分で学習させたモデル（自作）、`ae2` の順に、**テスト画像**の再構成誤差を表示し、復元を並べます。
"""

# %% [markdown] lang="en"
r"""
The loss fell: about 41, 34, 32. Is that small? For comparison, think of a reconstruction that does not look at all, and answers every image with the mean of the training images.

Trained longer, it falls further. What this training becomes after 100 epochs, from the same random seed, comes with the package; we load it by its name, `ae2`.
The next cell prints the reconstruction error of the **test images** for the mean image, for the model that we trained, and for `ae2`, and sets out the reconstructions.
"""

# %%
ae2, _ = chainer_vae.load_autoencoder("ae2")


def encode(model, images):
    """⟦オートエンコーダーのコード。計算グラフは残さない|Codes by an autoencoder, without a graph⟧"""
    with chainer.no_backprop_mode():
        return model.encode(images).array


def squared_error(images, reconstructions):
    return ((images - reconstructions) ** 2).sum(axis=1).mean()


mean_image = train_images.mean(axis=0)
ours = latent.decode(autoencoder, encode(autoencoder, test_images))
by_ae2 = latent.decode(ae2, encode(ae2, test_images))
for reconstructions in (mean_image, ours, by_ae2):
    print(f"{squared_error(test_images, reconstructions):.1f}")

show({"⟦入力|input⟧": test_images[:10], "⟦自作|ours⟧": ours[:10], "ae2": by_ae2[:10]})

# %% [markdown] lang="ja"
r"""
平均画像の 52.9 に対して、自作のモデルは 32 ほど、`ae2` は 27.4 です。たった 2 個の数から、形の大筋は戻ってきます。ただし、ぼやけたり、
4 が 9 に見えたりするものもあります。2 個の数には、784 画素の細部まで入りきりません。
"""

# %% [markdown] lang="en"
r"""
Against 52.9 of the mean image, our model has about 32, and `ae2` has 27.4. From 2 numbers alone the gist of the shapes comes back. But some are blurred,
and here and there a 4 looks like a 9: two numbers do not hold the details of 784 pixels.
"""

# %% [markdown] lang="ja"
r"""
## 1-2. Variational Autoencoder (VAE)

VAE もエンコーダーとデコーダーでできていて、層の数も大きさも同じです。違いは 3 つあります。

- エンコーダーは $z$ を 1 点で答えず、正規分布 $q(z|x) = \mathcal{N}(\mu(x), \sigma(x)^2)$ の平均と標準偏差を答えます。
- 学習では、そこから引いた $z = \mu + \sigma \odot \varepsilon$、$\varepsilon \sim \mathcal{N}(0, I)$ をデコーダーに渡します。同じ画像でも、毎回少しずれた $z$ になります。
- 損失に、$q(z|x)$ を事前分布 $p(z) = \mathcal{N}(0, I)$ へ引き寄せる項 $D_{KL}[q(z|x) \,\|\, p(z)]$ が加わります。再構成誤差も 2 乗和ではなく、画素ごとの交差エントロピーです。

損失の導き方はレッスン 3 で扱います。ここでは学習済みの `z2`（潜在変数 2 個）と `z20`（20 個）を使い、まずテスト画像の最初の 1 枚（7）に対するエンコーダーの答えと、
そこから引いた 3 つの $z$ を見ます。
"""

# %% [markdown] lang="en"
r"""
## 1-2. Variational Autoencoder (VAE)

A VAE has an encoder and a decoder, too, with as many layers of the same sizes. Three things differ.

- The encoder does not answer with one point $z$, but with the mean and the standard deviation of a normal distribution, $q(z|x) = \mathcal{N}(\mu(x), \sigma(x)^2)$.
- In training, the decoder gets a draw from it, $z = \mu + \sigma \odot \varepsilon$, $\varepsilon \sim \mathcal{N}(0, I)$: even for the same image, a slightly different $z$ each time.
- The loss gets a term that pulls $q(z|x)$ towards the prior $p(z) = \mathcal{N}(0, I)$, namely $D_{KL}[q(z|x) \,\|\, p(z)]$. And its reconstruction error is not a sum of squares, but the cross-entropy of each pixel.

Where this loss comes from is the matter of lesson 3. Here we take the trained `z2` (2 latent variables) and `z20` (20 of them), and first look at what the encoder answers for the first test image (a 7), and
at three draws of $z$ from it.
"""

# %%
z2, _ = chainer_vae.load_model("z2")
z20, _ = chainer_vae.load_model("z20")

np.random.seed(0)
mu, ln_var = chainer_vae.encode(z2, test_images)
sigma = np.exp(ln_var / 2)  # ⟦エンコーダーの出力は ln σ²|the encoder's output is ln sigma^2⟧
print("mu   ", mu[0].round(3))
print("sigma", sigma[0].round(3))
for _ in range(3):
    print("z    ", (mu[0] + sigma[0] * np.random.normal(size=2)).round(3))

# %% [markdown] lang="ja"
r"""
この 7 の $\sigma$ は 0.03 ほどで、$z$ は $\mu$ のまわりでごくわずかに揺れます。学習中のデコーダーは、このように揺れた $z$ を受け取り、そこから元の画像を描くように鍛えられます。

### 復元を比べる

テスト画像の復元を並べます。VAE では平均 $\mu$ をデコーダーに入れます。再構成誤差は、比べられるように、どれも 2 乗和で測ります。
"""

# %% [markdown] lang="en"
r"""
The $\sigma$ of this 7 is about 0.03: $z$ trembles around $\mu$ only slightly. In training, the decoder gets such a trembling $z$, and is taught to paint the original image from it.

### Comparing reconstructions

We set out the reconstructions of test images; for a VAE, the decoder gets the mean $\mu$. To be comparable, the reconstruction error is the sum of squares for all.
"""

# %%
by_z2 = latent.decode(z2, mu)
by_z20 = latent.decode(z20, chainer_vae.encode(z20, test_images)[0])
rows = {"⟦入力|input⟧": test_images, "z20": by_z20, "z2": by_z2, "ae2": by_ae2}
for name, images in rows.items():
    print(f"{name}: {squared_error(test_images, images):.1f}")

show({name: images[:10] for name, images in rows.items()})

# %% [markdown] lang="ja"
r"""
`z20` は 7.7 で、少しぼやけているものの、ほとんど元の形です。2 次元どうしでは、`z2` の 28.9 に対して `ae2` は 27.4 と、通常のオートエンコーダーのほうが小さい値です。
`ae2` は 2 乗和そのものを小さくするように学習し、揺れも $\mathcal{N}(0, I)$ への引き寄せも受けていないのですから、不思議ではありません。**復元だけが目的なら、VAE である必要はない**のです。
では、VAE は何を手に入れたのでしょうか。
"""

# %% [markdown] lang="en"
r"""
`z20` has 7.7: a little blurred, but nearly the original shapes. Among the two of 2 dimensions, `z2` has 28.9 and `ae2` 27.4: the plain autoencoder is lower.
No wonder: `ae2` was trained to make just this sum of squares small, with no trembling and nothing that pulls it towards $\mathcal{N}(0, I)$. **For reconstruction alone, it need not be a VAE.**
What, then, did the VAE gain?
"""

# %% [markdown] lang="ja"
r"""
### 潜在空間を比べる

テスト画像のコード（潜在変数の値）を、数字ごとに色を変えて平面に置きます。左が `z2` の平均 $\mu$、右が `ae2` の $z$ です。**軸の目盛り**に注目してください。
"""

# %% [markdown] lang="en"
r"""
### Comparing the latent spaces

We put the codes of the test images (the values of their latent variables) on the plane, with a colour for each digit. Left, the means $\mu$ of `z2`; right, the $z$ of `ae2`. Mind the **scales of the axes**.
"""

# %%


def plot_codes(axes, points):
    """⟦テスト画像のコードを、数字ごとの色で置く|The codes of test images, a colour for each digit⟧"""
    axes.set(xlabel="$z_1$", ylabel="$z_2$")
    colors = dict(c=test_labels[:3000], cmap=style.DIGIT_COLORS, vmin=-0.5, vmax=9.5)
    return axes.scatter(*points[:3000].T, s=4, lw=0, antialiased=False, **colors)


codes = encode(ae2, test_images)
fig, panels = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for axes, points, title in zip(panels, (mu, codes), ("z2 (VAE)", "ae2 (⟦通常|plain⟧)")):
    points_drawn = plot_codes(axes, points)
    axes.set_title(title)
    axes.set_aspect("equal", adjustable="datalim")
fig.colorbar(points_drawn, ticks=range(10), label="⟦数字|digit⟧")
plt.show()

# %% [markdown] lang="ja"
r"""
どちらも、ラベルを一度も見ていないのに、同じ数字が集まっています。記事は、似た形が近くに集まることを VAE の乱数の効果として説明していますが、乱数のない `ae2` でも集まる点に注意してください。
デコーダーはなめらかな関数なので、近い $z$ からは似た画像しか描けません。それだけでも、似た画像は近くに置くのが得になります。

違いを数で見ます。各軸の平均と標準偏差、もっとも遠いコードまでの距離、それに「平面で一番近いテスト画像が同じ数字である割合」（2,000 枚で計算）です。
自作のモデル（`ours`）も加えます。
"""

# %% [markdown] lang="en"
r"""
In both, images of the same digit lie together, though no label was ever seen. The article explains that similar shapes come together by the VAE's randomness; note that they do so in `ae2`, too, which has none.
The decoder is a smooth function and can only paint similar images from nearby $z$. This alone makes it pay to put similar images near each other.

Now the difference in numbers: mean and standard deviation of each axis, the distance of the farthest code, and the share of test images whose nearest one on the plane is the same digit (of 2,000 images).
The model that we trained (`ours`) joins them.
"""


# %%
def nearest_agrees(points, labels):
    """⟦一番近い別の点が同じラベルを持つ割合|Share of points whose nearest other has the same label⟧"""
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return (labels[distances.argmin(axis=1)] == labels).mean()


own_codes = encode(autoencoder, test_images)
for name, points in {"ours": own_codes, "ae2": codes, "z2": mu}.items():
    print(
        f"{name:4}  mean {points.mean(axis=0).round(2)}  std {points.std(axis=0).round(2)}"
        f"  max {np.linalg.norm(points, axis=1).max():.1f}"
        f"  same {nearest_agrees(points[:2000], test_labels[:2000]):.2f}"
    )

# %% [markdown] lang="ja"
r"""
- **位置と大きさ**：`z2` の平均は (0.01, −0.01)、標準偏差は (1.03, 1.08) で、事前分布 $\mathcal{N}(0, I)$ の 0 と 1 にほぼ一致します。`ae2` の標準偏差は 41 と 48、自作のモデルは 38 と 42 ほどで、1 とはかけ離れています。中心も 0 からずれています。
  損失のどこにも、コードをどこに、どの大きさで置くかを決める項がないからです。
- **集まり方**：同じ数字の割合は `z2` が 0.68、`ae2` が 0.73、3 周だけ学習させた自作のモデルが 0.56 です。乱数がなくても、でたらめに選んだときの 0.1 よりずっと高い値になります。この数からは、VAE のほうがよく集まるとは言えません。

ところで、$\mathcal{N}(0, I)$ と比べるべきなのは、$\mu$ ではなく $z$ の散らばりです。全画像にわたる $z$ の分散は、$\mu$ の分散と $\sigma^2$ の平均との和になります（全分散の公式）。実際に $z$ を引いて確かめます。
"""

# %% [markdown] lang="en"
r"""
- **Place and scale**: the means of `z2` are (0.01, −0.01), its standard deviations (1.03, 1.08), nearly the 0 and 1 of the prior $\mathcal{N}(0, I)$. The standard deviations of `ae2` are 41 and 48, those of our model about 38 and 42, far from 1; and their centres are not at 0.
  No term of its loss says where the codes should lie, or how large they should be.
- **Gathering**: the share of the same digit is 0.68 for `z2`, 0.73 for `ae2`, and 0.56 for our model of three epochs. Even without randomness it is far above the 0.1 of a blind choice. By this number one cannot say that a VAE gathers them better.

By the way, what should be compared with $\mathcal{N}(0, I)$ is how $z$ spreads, rather than $\mu$. Over all images, the variance of $z$ is the variance of $\mu$ plus the mean of $\sigma^2$ (the law of total variance). We check it by really drawing $z$.
"""

# %%
np.random.seed(0)
z = mu + sigma * np.random.normal(size=mu.shape)
by_formula = np.sqrt(mu.var(axis=0) + (sigma**2).mean(axis=0))
print("sigma      ", np.median(sigma, axis=0).round(3), "⟦（中央値）|(median)⟧")
print("by formula ", by_formula.round(3))
print("by drawing ", z.std(axis=0).round(3))
np.testing.assert_allclose(z.std(axis=0), by_formula, rtol=0.01)

# %% [markdown] lang="ja"
r"""
1 枚の画像の $\sigma$ は、中央値で 0.04 と 0.03 しかありません。1 枚ずつの分布は小さな点のようなもので、**全部を重ね合わせると** $\mathcal{N}(0, I)$ に近い広がりになる、というわけです。

### 乱数から画像を作る

$z$ の分布がわかっていれば、そこから乱数を引いてデコーダーに入れるだけで、新しい画像が作れます。

- VAE では $z \sim \mathcal{N}(0, I)$ と、学習の前から決まっています。
- 通常のオートエンコーダーでは決まっていないので、学習の後で調べます。訓練画像のコードに正規分布 $\mathcal{N}(m, S)$ を当てはめ、$S = L L^{\top}$（コレスキー分解）として $z = m + L \varepsilon$ とします。

公平になるように、`z2` と `ae2` には同じ乱数 $\varepsilon$ を使います（`z2` では $z = \varepsilon$）。`z20` も並べます。
"""

# %% [markdown] lang="en"
r"""
The median $\sigma$ of a single image is only 0.04 and 0.03. Each image's distribution is little more than a dot, and **all of them laid over each other** spread about as $\mathcal{N}(0, I)$.

### Images from random numbers

If we know how $z$ is distributed, we can draw it at random, put it into the decoder, and have a new image.

- For the VAE it is $z \sim \mathcal{N}(0, I)$, settled before the training.
- For the plain autoencoder it is not settled, so we look afterwards: we fit a normal distribution $\mathcal{N}(m, S)$ to the codes of the training images and, with $S = L L^{\top}$ (Cholesky), take $z = m + L \varepsilon$.

To be fair, `z2` and `ae2` get the same random numbers $\varepsilon$ (for `z2`, $z = \varepsilon$). `z20` joins them.
"""

# %%
train_codes = encode(ae2, train_images)
m = train_codes.mean(axis=0)
L = np.linalg.cholesky(np.cov(train_codes.T))


def fitted(eps):
    """⟦ε を、ae2 のコードに当てはめた正規分布へ移す|From eps to the normal distribution of ae2's codes⟧"""
    return m + eps @ L.T


np.random.seed(0)
eps = np.random.normal(size=(n_random, 2))
random_images = {
    "z2": latent.decode(z2, eps),
    "ae2": latent.decode(ae2, fitted(eps)),
    "z20": latent.decode(z20, np.random.normal(size=(n_random, 20))),
}
show({name: images[:16] for name, images in random_images.items()})

# %% [markdown] lang="ja"
r"""
どのモデルからも、数字に見えるものと、そうでないものが出ます。`ae2` も数字を作れていますし、`z20` は線がくっきりしている代わりに、数字と言えないものがまざります。見た目だけでは差がはっきりしないので、測ってみましょう。

一つめの測り方は、作られた画像から**一番近い訓練画像までの距離** $\min_n \| \hat{x} - x_n \|$ です。比べる相手は、テスト画像そのものと、その復元です。
距離は $\| a - b \|^2 = \| a \|^2 - 2 a \cdot b + \| b \|^2$ で計算し、1 枚について直接の計算と一致するか確かめます。
"""

# %% [markdown] lang="en"
r"""
From each model come some that look like digits, and some that do not. `ae2`, too, makes digits; `z20` has crisp strokes, but some of its shapes are no digits. The eye alone cannot tell for sure which does better, so let us measure.

The first measure is how far a made image is from **the nearest training image**, $\min_n \| \hat{x} - x_n \|$. It is to be compared with that of the test images themselves, and of their reconstructions.
We compute distances by $\| a - b \|^2 = \| a \|^2 - 2 a \cdot b + \| b \|^2$, and check one of them against the direct way.
"""


# %%
def nearest(images):
    """⟦一番近い訓練画像までの距離と、そのラベル|Distance to the nearest training image, and its label⟧"""
    squares = (train_images**2).sum(axis=1)
    distances, places = [], []
    for some in np.array_split(images, len(images) // 200 + 1):  # ⟦メモリーの節約|saves memory⟧
        table = squares - 2 * some @ train_images.T + (some**2).sum(axis=1, keepdims=True)
        distances.append(np.sqrt(table.min(axis=1).clip(0)))
        places.append(table.argmin(axis=1))
    return np.concatenate(distances), train_labels[np.concatenate(places)]


one = test_images[:1]
direct = np.linalg.norm(one - train_images, axis=1).min()
np.testing.assert_allclose(nearest(one)[0], direct, rtol=1e-3)

print(f"⟦テスト画像|test images⟧  {nearest(test_images[:n_random])[0].mean():.2f}")
for name, reconstructions in {"z2": by_z2, "ae2": by_ae2, "z20": by_z20}.items():
    print(
        f"{name:4} ⟦復元|reconstructions⟧ {nearest(reconstructions[:n_random])[0].mean():.2f}"
        f"   ⟦乱数から|from random numbers⟧ {nearest(random_images[name])[0].mean():.2f}"
    )

# %% [markdown] lang="ja"
r"""
乱数からの画像では、`z2` が 4.0、`ae2` が 3.7、`z20` が 4.2 でした。この測り方では、**`ae2` は `z2` に負けていません**。どれも、テスト画像そのものの 4.2 と同じか、それより近い値です。

ただし、この測り方には癖があります。ぼやけた画像は、どの訓練画像からもそこそこ近くなります。復元が、元のテスト画像よりも訓練画像に近いのもそのためです。それに `z2` の事前分布は学習の前に決めたもので、`ae2` の正規分布はコードを見てから当てはめたものでした。
ですから「距離に差がない」は「どちらもよく生成できる」の証明ではありません。そこで、もう一つの測り方をします。
"""

# %% [markdown] lang="en"
r"""
The images from random numbers have 4.0 with `z2`, 3.7 with `ae2`, 4.2 with `z20`. By this measure **`ae2` is no worse than `z2`**, and all are as near as the test images themselves, with 4.2, or nearer.

But the measure has a bias: a blurred image is fairly near to every training image; that is why reconstructions are nearer to the training images than the test images that they come from. And the prior of `z2` was settled before training, while the normal distribution of `ae2` was fitted once the codes were known.
So "no difference in distance" does not prove that "both generate well". Let us measure in another way, too.
"""

# %% [markdown] lang="ja"
r"""
### コードのすき間

二つめの測り方は、**乱数がコードのないところに落ちる割合**です。デコーダーは、コードのあるところでしか練習していません。

平面を、$\mathcal{N}(0, I)$ の確率がどれも等しい 400 個のマスに分けます。半径 $r$ の円の内側の確率は $1 - e^{-r^2/2}$ なので、これを 20 等分すると輪ができ、角度の 20 等分と組み合わせます。
コードが正規分布のとおりに散らばっていれば、どのマスにも同じ数だけ入るはずです。コードの数が、その 10 分の 1 に満たないマスを「すき間」と呼ぶことにします。
本当に正規分布から引いた点ではすき間が（ほとんど）できないことも確かめます。
"""

# %% [markdown] lang="en"
r"""
### Gaps between the codes

The second measure is **how often a random point falls where there are no codes**. The decoder has practised only where there are some.

We cut the plane into 400 cells that all have the same probability under $\mathcal{N}(0, I)$. The circle of radius $r$ holds $1 - e^{-r^2/2}$ of it, and 20 equal parts of this give rings, which we combine with 20 equal parts of the angle.
If codes spread just as the normal distribution does, each cell gets equally many of them. Where there are fewer than a tenth of that number, we shall speak of a "gap".
We also check that points truly drawn from the normal distribution leave (nearly) no gaps.
"""


# %%
def cell(eps):
    """⟦点が入るマスの番号、0 から 399|The cell that a point falls into, 0 to 399⟧"""
    ring = 20 * (1 - np.exp(-(eps**2).sum(axis=1) / 2))
    sector = 20 * (np.arctan2(eps[:, 1], eps[:, 0]) / (2 * np.pi) + 0.5)
    return 20 * ring.astype(int).clip(max=19) + sector.astype(int).clip(max=19)


def gaps(eps):
    """⟦マスごとに、すき間かどうか|Which cells are gaps⟧"""
    return np.bincount(cell(eps), minlength=400) < len(eps) / 400 / 10


np.random.seed(0)
many = np.random.normal(size=(n_images, 2))
train_eps = {  # ⟦z = m + L ε を ε について解く。z2 では z = ε|solves z = m + L eps for eps; for z2, z = eps⟧
    "z2": chainer_vae.encode(z2, train_images)[0],
    "ae2": (train_codes - m) @ np.linalg.inv(L).T,
}
print(f"N(0, I): {gaps(many).mean():.3f}")
for name, points in train_eps.items():
    print(f"{name}: {gaps(points).mean():.3f}")

# %% [markdown] lang="ja"
r"""
マスの確率はどれも 1/400 なので、すき間の割合が、そのまま乱数がすき間に落ちる確率です。`z2` では約 2 %、`ae2` では約 11 % で、ここには差があります。**コード全体が、引く分布と合っているか**。VAE の損失はそれを学習のときから気にかけ、通常のオートエンコーダーは気にかけません。

すき間に落ちた乱数（赤）を、訓練画像のコード（灰色）に重ねます。その下に、赤い点から描いた画像を並べます。
"""

# %% [markdown] lang="en"
r"""
Each cell has the probability 1/400, so the share of gaps is the probability that a random point falls into one: about 2 % for `z2`, about 11 % for `ae2`. Here they differ. **Do the codes as a whole fit the distribution that we draw from?** The loss of a VAE cares for that while it trains; that of a plain autoencoder does not.

We lay the random points that fall into gaps (red) over the codes of the training images (grey), and below it show what is painted from red points.
"""

# %%
fig, panels = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
fallen = {}
for axes, (name, points) in zip(panels, train_eps.items()):
    fallen[name] = many[gaps(points)[cell(many)]]
    for shown, color in ((points[:10_000], "#BBBBBB"), (fallen[name][:1000], style.LOSS)):
        z = fitted(shown) if name == "ae2" else shown
        axes.scatter(*z.T, s=3, color=color, lw=0, antialiased=False)
    axes.set(title=name, xlabel="$z_1$", ylabel="$z_2$")
plt.show()

show(
    {
        "z2": latent.decode(z2, fallen["z2"][:14]),
        "ae2": latent.decode(ae2, fitted(fallen["ae2"][:14])),
    }
)

# %% [markdown] lang="ja"
r"""
`ae2` の赤い点の多くは、数字の集まりと集まりの間の谷に落ちています。そこから描いた画像は、いくつかの形がぼんやり重なったようで、多くはどの数字とも言えません。
`z2` の赤い点は、多くが散らばりの外側や縁にあり、そこから描いた画像も多くは崩れています。すき間で崩れるのはどちらも同じで、違うのは、そこに落ちる割合です。

ここまでで公平に言えるのは、次のことです。

- 2 次元では、通常のオートエンコーダーでも、コードに合う分布を後から見つければ数字を生成できます。
- VAE は、その分布を最初から $\mathcal{N}(0, I)$ と決めておけます。ただし、ぴったり一致するわけではなく、小さなすき間は残ります。
- 2 つのモデルは再構成誤差の測り方も違うので、この比較だけから、KL の項と乱数のどちらがどれだけ効いたかまではわかりません。
"""

# %% [markdown] lang="en"
r"""
Most red points of `ae2` fall into the valleys between the clusters. What is painted from there looks like a few shapes faintly over each other, and mostly is no digit.
Those of `z2` lie mostly at the rim or beyond it, and most of what is painted from there is broken, too. In its gaps either model breaks; what differs is how often a point falls there.

What can fairly be said so far:

- In 2 dimensions, a plain autoencoder generates digits, too, if a distribution that fits its codes is found afterwards.
- A VAE can settle on $\mathcal{N}(0, I)$ from the start. The fit is not perfect, and small gaps remain.
- The two models also measure the reconstruction error differently, so this comparison alone does not tell how much is owed to the KL term, and how much to the randomness.
"""

# %% [markdown] lang="ja"
r"""
### 0 から 7 まで歩く

`z2` の平面の上を、テスト画像の最初の 0 のコード $z^{(0)}$ から最初の 7 のコード $z^{(7)}$ まで、まっすぐ歩きます。

$$
z(t) = (1 - t) \, z^{(0)} + t \, z^{(7)}, \quad 0 \le t \le 1
$$

（記事の式は $t$ と $1 - t$ が逆で、$t = 0$ が 7 になります。ここでは $t = 0$ を 0 にします。）各点をデコードし、一番近い訓練画像のラベルも表示します。
"""

# %% [markdown] lang="en"
r"""
### A walk from 0 to 7

On the plane of `z2` we walk straight from the code of the first 0 among the test images, $z^{(0)}$, to that of the first 7, $z^{(7)}$.

$$
z(t) = (1 - t) \, z^{(0)} + t \, z^{(7)}, \quad 0 \le t \le 1
$$

(In the article's formula $t$ and $1 - t$ stand the other way round, so that $t = 0$ is the 7; here $t = 0$ is the 0.) We decode each point, and print the label of the nearest training image.
"""

# %%
start, end = (latent.first_of_class(test_labels, digit) for digit in (0, 7))
t = np.linspace(0, 1, 17)
path = latent.interpolate(mu[start], mu[end], t)
walk = latent.decode(z2, path)
show({"z2": walk})
print(*nearest(walk)[1])

# %% [markdown] lang="ja"
r"""
0-6-2-5-3-9-4-7 の順に通りました。5 と 3 のあたりは、8 のようにも見えるぼやけた形です。記事では 0-6-2-8-9-4-7 でした。別に学習させたモデルなのに、よく似た並びになりました。

次に、平面の $-2 \le z_1, z_2 \le 2$ を 25 × 25 の格子に切り、すべてデコードして地図にします。右は同じ範囲のテスト画像のコードで、赤い線がいまの道です。
"""

# %% [markdown] lang="en"
r"""
We passed 0-6-2-5-3-9-4-7. About the 5 and the 3 the shapes are blurred, and may be taken for an 8. The article has 0-6-2-8-9-4-7: its model was trained apart from ours, and yet the order is much the same.

Next we cut $-2 \le z_1, z_2 \le 2$ into a grid of 25 × 25, and decode all of it into a map. On the right are the codes of test images in the same window; the red line is our path.
"""

# %%
n, limit = 25, 2.0
tiles = latent.decode(z2, latent.grid(n, limit).reshape(-1, 2)).reshape(n, n, 28, 28)
edge = limit * n / (n - 1)  # ⟦画像の中心が格子点に来るように|a tile's centre lies on its point⟧
window = (-edge, edge, -edge, edge)

ratios = dict(width_ratios=(1.35, 1))
fig, (atlas, plane) = plt.subplots(1, 2, figsize=(8, 4.4), layout="constrained", gridspec_kw=ratios)
atlas.imshow(latent.montage(tiles), extent=window, interpolation="antialiased")
atlas.set(xlabel="$z_1$", ylabel="$z_2$")
plot_codes(plane, mu)
plane.set(xlim=window[:2], ylim=window[2:], aspect="equal")
# ⟦数字の名前は平均の位置に。重なるものは少し離す|A digit's name stands at its mean, moved if it covers another⟧
for digit, place in enumerate(latent.spread(latent.class_means(mu, test_labels), 0.3)):
    plane.text(*place.clip(-1.9, 1.9), digit, size=14, ha="center", va="center", clip_on=True)
for axes in (atlas, plane):
    axes.plot(*path.T, color="#EF4444", lw=2)
    axes.plot(*path[-1], "o", color="#EF4444", markersize=6)
plt.show()

# %% [markdown] lang="ja"
r"""
地図と散布図の配置はよく合っています。道の丸い端が 7 です。地図のとなり合う画像は少しずつしか違わず、数字と数字の境目では、どちらともつかない形になります。

## 1-3. 多様体仮説

784 個の画素を、なぜ 2 個や 20 個の数で表せるのでしょうか。画素を 1 つずつ勝手に決めた画像は、数字になりません。訓練画像でのその画素の明るさの平均を確率として、各画素を独立に白か黒に決めてみます。
"""

# %% [markdown] lang="en"
r"""
Map and scatter plot agree well. The round end of the path is the 7. Neighbours on the map differ only a little, and on the border of two digits there are shapes that are neither.

## 1-3. The manifold hypothesis

Why can 784 pixels be written in 2 or 20 numbers? An image whose pixels are each chosen on their own is no digit. Let us make each pixel white or black independently, with its mean brightness in the training images as the probability.
"""

# %%
np.random.seed(0)
noise = (np.random.random((n_random, 784)) < mean_image).astype(np.float32)
show({"⟦独立な画素|independent⟧": noise[:10]})
print(f"{nearest(noise)[0].mean():.2f}")

# %% [markdown] lang="ja"
r"""
画素ごとの明るさは合っているのに、数字は 1 つもありません。一番近い訓練画像までの距離も 9.2 と、テスト画像の 4.2 の 2 倍を超えます。数字の画像は、784 次元の空間のあちこちにまんべんなくあるのではないのです。
**データは、高次元の空間の中の、ずっと低い次元の曲がった面（多様体）の近くに集まっている**——これが多様体仮説です。

### スイスロール

3 次元の中に巻かれた 2 次元の面を例に見ます。左は空間の中の点、右は面を伸ばさずに広げたものです。黒い線で結んだ 2 点に注目してください。
"""

# %% [markdown] lang="en"
r"""
Each pixel is right on average, and there is not one digit. The distance to the nearest training image is 9.2, more than twice the 4.2 of test images. Images of digits are not spread all over the space of 784 dimensions.
**Data lie near a bent sheet of far fewer dimensions in the space of many, a manifold**: that is the manifold hypothesis.

### The swiss roll

For an example we look at a sheet of two dimensions that is rolled up in three. Left, the points in space; right, the sheet laid flat without stretching it. Mind the two points that a black line joins.
"""

# %%
roll = swiss_roll(600)
pair = list(deceptive_pair(roll))
dots = dict(c=roll.segment, cmap="turbo", s=8, lw=0, antialiased=False)
line = dict(color="black", marker="o", markersize=6)

fig = plt.figure(figsize=(8, 3.6), layout="constrained")
space = fig.add_subplot(1, 2, 1, projection="3d")
space.scatter(*roll.points.T, depthshade=False, **dots)
space.plot(*roll.points[pair].T, zorder=10, **line)
space.set(xlabel="$x$", ylabel="$y$", zlabel="$z$", yticks=(0, 10, 20))
space.view_init(elev=9, azim=-72)
space.set_box_aspect(np.ptp(roll.points, axis=0))
flat = fig.add_subplot(1, 2, 2)
flat.scatter(*roll.flat.T, **dots)
flat.plot(*roll.flat[pair].T, **line)
flat.set(xlabel="⟦巻きに沿った長さ|along the roll⟧", ylabel="⟦幅|across⟧", aspect="equal")
plt.show()

for name, points in {"⟦空間|space⟧": roll.points, "⟦面|sheet⟧": roll.flat}.items():
    print(f"{name}: {np.linalg.norm(points[pair[0]] - points[pair[1]]):.1f}")

# %% [markdown] lang="ja"
r"""
空間での距離は 6.3、面に沿うと 68.9 で、10 倍以上です。2 点は、空間では近くても、面の上では遠く離れています。似ているかどうかを測るなら、面に沿って測るほうがよいわけです。

### 2 枚の画像の間

MNIST でも同じことを試します。0 と 7 の「真ん中」を、2 とおりのやり方で作ります。

- **画素の空間**のまっすぐな道：$(1 - t) \, x^{(0)} + t \, x^{(7)}$。2 枚を混ぜるだけです。
- **潜在空間**のまっすぐな道：$z(t)$ をデコードします。`z2` と `z20` で試します。
"""

# %% [markdown] lang="en"
r"""
In space they are 6.3 apart, along the sheet 68.9, more than ten times as far. Near in space, the two points are far from each other on the sheet. To tell how alike two points are, it is better to measure along the sheet.

### Between two images

Now the same with MNIST. We make the "middle" of the 0 and the 7 in two ways.

- The straight way in the space of **pixels**: $(1 - t) \, x^{(0)} + t \, x^{(7)}$. It only blends the two.
- The straight way in the **latent space**: decode $z(t)$; with `z2` and with `z20`.
"""

# %%
t = np.linspace(0, 1, 11)
codes20 = chainer_vae.encode(z20, test_images)[0]
show(
    {
        "⟦画素|pixels⟧": latent.interpolate(test_images[start], test_images[end], t),
        "z2": latent.decode(z2, latent.interpolate(mu[start], mu[end], t)),
        "z20": latent.decode(z20, latent.interpolate(codes20[start], codes20[end], t)),
    }
)

# %% [markdown] lang="ja"
r"""
上の段では、0 が薄れながら 7 が浮かび上がり、途中は 2 枚が重なった絵です。下の 2 段では線そのものが動きます。`z2` はほかの数字を通り、`z20` では 0 の左側が消えながら、ほかの数字を通らずに 7 になります。

1 組だけでは偶然かもしれません。テスト画像の組をたくさん選び、真ん中の画像（$t = 0.5$）から一番近い訓練画像までの距離を比べます。ぼやけの影響をそろえるため、画素のほうも、元の画像ではなく**復元した 2 枚**を混ぜます。
"""

# %% [markdown] lang="en"
r"""
In the upper row the 0 fades while the 7 appears, and in between the two lie over each other. In the lower two the strokes themselves move: `z2` passes other digits, and with `z20` the left side of the 0 vanishes and it becomes a 7, without another digit between.

A single pair may be chance. We take many pairs of test images, and compare how far the middle ($t = 0.5$) is from the nearest training image. To have the same blur in both, we blend in pixels not the originals, but their two **reconstructions**.
"""

# %%
np.random.seed(0)
first, second = np.random.permutation(10_000)[: 2 * n_random].reshape(2, n_random)
for name, model, points, images in (("z2", z2, mu, by_z2), ("z20", z20, codes20, by_z20)):
    blend = (images[first] + images[second]) / 2
    morph = latent.decode(model, (points[first] + points[second]) / 2)
    print(
        f"{name:4} ⟦復元|reconstructions⟧ {nearest(images[first])[0].mean():.2f}"
        f"   ⟦画素の真ん中|blend⟧ {nearest(blend)[0].mean():.2f}"
        f"   ⟦潜在空間の真ん中|morph⟧ {nearest(morph)[0].mean():.2f}"
    )

# %% [markdown] lang="ja"
r"""
`z2` では、画素の真ん中が 4.9、潜在空間の真ん中が 4.2、`z20` では 5.0 と 4.2 です。どちらの真ん中も、混ぜる前の復元（3.7 と 3.6）より訓練画像から遠くなりますが、潜在空間を通るほうが、離れ方はずっと小さく済みます。
潜在空間のまっすぐな道は、784 次元の中では、データの面の近くを通る曲がった道になっている、と考えられます。とはいえ、道の途中に数字とは言えない形があることは、上の図で見たとおりです。
"""

# %% [markdown] lang="en"
r"""
With `z2`, the blend has 4.9 and the morph 4.2; with `z20`, 5.0 and 4.2. Either middle is farther from the training images than the reconstructions that it lies between (3.7 and 3.6), but the way through the latent space leads away far less.
The straight way in the latent space seems to be, in 784 dimensions, a bent one that stays near the sheet of the data. And yet, as the figure above showed, there are shapes on the way that are no digits.
"""

# %% [markdown] lang="ja"
r"""
## 演習

**問 1.** `z2` の平面で、1 から 0 へ、4 から 9 へ歩いてください。途中でどの数字を通りますか。歩く前に、地図を見て予想してみましょう。

<details><summary>解答例</summary>

歩く点をデコードし、一番近い訓練画像のラベルを表示します。

```python
walks = {}
for begin, goal in ((1, 0), (4, 9)):
    a, b = (mu[latent.first_of_class(test_labels, digit)] for digit in (begin, goal))
    images = latent.decode(z2, latent.interpolate(a, b, np.linspace(0, 1, 15)))
    walks[f"{begin} → {goal}"] = images
    print(begin, "→", goal, ":", *nearest(images)[1])
show(walks)
```

1 から 0 へは平面の端から端までの道で、8、5、3、6 を通ります。4 と 9 は重なり合っているので、ほかの数字は通らず、途中で 4 が 9 に替わるだけです。

</details>

**問 2.** 復元の 2 乗和を数字ごとに求め、`z20`、`z2`、`ae2` で比べてください。どの数字がやさしく、どれが難しいでしょうか。

<details><summary>解答例</summary>

```python
for digit in range(10):
    of_digit = test_labels == digit
    errors = [
        squared_error(test_images[of_digit], images[of_digit])
        for images in (by_z20, by_z2, by_ae2)
    ]
    print(digit, *(f"{error:5.1f}" for error in errors))
```

どのモデルでも、1 が一番やさしい数字です。一番難しいのは、`z2` と `ae2` では 2（41.0 と 37.2）、`z20` では 8（11.4）です。どの数字でも `z20` がはるかに小さく、`z2` と `ae2` に足りないのは次元の数だと考えられます。

</details>

**問 3.** `z2` で、半径 1、2、3、4 の円周上の点をデコードしてください。数字はどこで崩れますか。それぞれの円の外側の確率はどれだけでしょうか。

<details><summary>解答例</summary>

2 次元では $P(\|z\| > r) = e^{-r^2/2}$ です。

```python
angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
rings = {f"r = {r}": latent.decode(z2, r * circle) for r in (1, 2, 3, 4)}
show(rings)
for r, images in zip((1, 2, 3, 4), rings.values()):
    outside = np.exp(-(r**2) / 2)
    in_sample = (np.linalg.norm(many, axis=1) > r).mean()
    print(f"r = {r}: {outside:.4f} ({in_sample:.4f})  {nearest(images)[0].mean():.2f}")
```

$r = 2$ までは大半が数字で、$r = 3$ から先は線が荒れ、白い点が散らばります。$r = 3$ の外側の確率は 1.1 % しかなく、学習中にそのようなコードはほとんど現れません。訓練画像までの距離も、$r = 2$ から $r = 4$ へ 3.4、3.8、5.1 と大きくなります。$r = 1$ が 4.2 と大きめなのは、そこに多くの数字が混み合い、間のぼやけた形が円周に乗るからだと考えられます。

</details>

**問 4.** `ae2` のすき間は、正規分布を当てはめたから生まれたのでしょうか。訓練画像のコードを 1 つ選び、小さな乱数を足す、という引き方を試してください。すき間に落ちる割合はどうなりますか。画像はよくなりますか。

<details><summary>解答例</summary>

コードを 1 つ選んで $h \varepsilon$ を足すのは、カーネル密度推定からの乱数です。$\varepsilon$ の座標で $h = 0.05$ とします。

```python
np.random.seed(0)
chosen = train_eps["ae2"][np.random.randint(n_images, size=n_random)]
kernel_eps = chosen + 0.05 * np.random.normal(size=chosen.shape)
kernel_images = latent.decode(ae2, fitted(kernel_eps))
show({"正規分布": random_images["ae2"][:14], "カーネル": kernel_images[:14]})
for name, points, images in (
    ("normal", eps, random_images["ae2"]),
    ("kernel", kernel_eps, kernel_images),
):
    in_gap = gaps(train_eps["ae2"])[cell(points)].mean()
    print(f"{name}: {in_gap:.3f}  {nearest(images)[0].mean():.2f}")
```

割合は約 13 % から 1 % 未満に減り、訓練画像までの距離も 3.7 から 3.5 に縮まりました。`ae2` のデコーダーも、コードの近くではよく描けます。合っていなかったのは正規分布のほうでした。その代わり、学習の後もコードをとっておくか、別の分布を当てはめる手間がかかります。VAE では、事前分布が最初からわかっています。（後から分布を探すやり方は VAE の生成も改善します。下の Ghosh らの論文を見てください。）

</details>

## 次へ

ここまで `z2` と `z20` は出来合いのものを使いました。レッスン 2 では、このモデルを Chainer で組み立てます。損失、つまり再構成誤差と KL ダイバージェンスの和がどこから来たのかは、レッスン 3 で確かめます。

- kenmatsu4「[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)」（2017）
- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes"（2013）、[arXiv:1312.6114](https://arxiv.org/abs/1312.6114)
- G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks"（2006）、Science 313。MNIST を 2 次元に縮めて平面に並べています。
- Y. Bengio, A. Courville, P. Vincent, "Representation Learning: A Review and New Perspectives"（2012）、[arXiv:1206.5538](https://arxiv.org/abs/1206.5538)。多様体仮説と表現学習の解説です。
- P. Ghosh ほか, "From Variational to Deterministic Autoencoders"（2019）、[arXiv:1903.12436](https://arxiv.org/abs/1903.12436)。乱数を使わないオートエンコーダーに、後から当てはめた分布で画像を生成させます。
"""

# %% [markdown] lang="en"
r"""
## Exercises

**1.** On the plane of `z2`, walk from a 1 to a 0, and from a 4 to a 9. Which digits do you pass? Before you walk, look at the map and guess.

<details><summary>Solution</summary>

We decode the points of the walk, and print the label of the nearest training image.

```python
walks = {}
for begin, goal in ((1, 0), (4, 9)):
    a, b = (mu[latent.first_of_class(test_labels, digit)] for digit in (begin, goal))
    images = latent.decode(z2, latent.interpolate(a, b, np.linspace(0, 1, 15)))
    walks[f"{begin} → {goal}"] = images
    print(begin, "→", goal, ":", *nearest(images)[1])
show(walks)
```

From the 1 to the 0 is a walk from one end of the plane to the other, by way of 8, 5, 3 and 6. 4 and 9 lie over each other, so no other digit is passed: somewhere the 4 turns into a 9, and that is all.

</details>

**2.** Compute the squared error of the reconstructions for each digit, and compare `z20`, `z2` and `ae2`. Which digit is easy, and which is hard?

<details><summary>Solution</summary>

```python
for digit in range(10):
    of_digit = test_labels == digit
    errors = [
        squared_error(test_images[of_digit], images[of_digit])
        for images in (by_z20, by_z2, by_ae2)
    ]
    print(digit, *(f"{error:5.1f}" for error in errors))
```

The 1 is the easiest for all three models. Hardest is the 2 for `z2` and `ae2` (41.0 and 37.2), and the 8 for `z20` (11.4). `z20` is far better at every digit: what `z2` and `ae2` lack seems to be dimensions.

</details>

**3.** With `z2`, decode points on circles of radius 1, 2, 3 and 4. Where do the digits break? How much probability lies outside each circle?

<details><summary>Solution</summary>

In 2 dimensions, $P(\|z\| > r) = e^{-r^2/2}$.

```python
angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
rings = {f"r = {r}": latent.decode(z2, r * circle) for r in (1, 2, 3, 4)}
show(rings)
for r, images in zip((1, 2, 3, 4), rings.values()):
    outside = np.exp(-(r**2) / 2)
    in_sample = (np.linalg.norm(many, axis=1) > r).mean()
    print(f"r = {r}: {outside:.4f} ({in_sample:.4f})  {nearest(images)[0].mean():.2f}")
```

Up to $r = 2$ most are digits; from $r = 3$ on, strokes become ragged and pixels scatter. Outside $r = 3$ there is only 1.1 % of the probability, so such codes were hardly ever seen in training. The distance to the nearest training image, too, grows from $r = 2$ to $r = 4$ (3.4, 3.8, 5.1). That it is as large as 4.2 at $r = 1$ seems to come from the crowd of digits there: the circle passes blurred shapes between them.

</details>

**4.** Are the gaps of `ae2` there because we fitted a normal distribution? Draw in another way: choose the code of a training image at random, and add a small random number. How often does this fall into a gap? Do the images get better?

<details><summary>Solution</summary>

To choose a code and add $h \varepsilon$ is to draw from a kernel density estimate. In the coordinates of $\varepsilon$ we take $h = 0.05$.

```python
np.random.seed(0)
chosen = train_eps["ae2"][np.random.randint(n_images, size=n_random)]
kernel_eps = chosen + 0.05 * np.random.normal(size=chosen.shape)
kernel_images = latent.decode(ae2, fitted(kernel_eps))
show({"normal": random_images["ae2"][:14], "kernel": kernel_images[:14]})
for name, points, images in (
    ("normal", eps, random_images["ae2"]),
    ("kernel", kernel_eps, kernel_images),
):
    in_gap = gaps(train_eps["ae2"])[cell(points)].mean()
    print(f"{name}: {in_gap:.3f}  {nearest(images)[0].mean():.2f}")
```

The share falls from about 13 % to less than 1 %, and the distance to the training images from 3.7 to 3.5. Near its codes, the decoder of `ae2` paints well, too; it was the normal distribution that did not fit. The price is that the codes must be kept, or another distribution fitted, after the training. With a VAE the prior is known beforehand. (To find such a distribution afterwards also improves VAEs: see Ghosh and others, below.)

</details>

## What comes next

So far we took `z2` and `z20` ready-made. Lesson 2 builds this model in Chainer. Where its loss comes from, the sum of reconstruction error and KL divergence, is seen in lesson 3.

- kenmatsu4, "[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)" (2017)
- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes" (2013), [arXiv:1312.6114](https://arxiv.org/abs/1312.6114)
- G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks" (2006), Science 313. MNIST, squeezed into 2 dimensions and set out on the plane.
- Y. Bengio, A. Courville, P. Vincent, "Representation Learning: A Review and New Perspectives" (2012), [arXiv:1206.5538](https://arxiv.org/abs/1206.5538). On the manifold hypothesis and representation learning.
- P. Ghosh and others, "From Variational to Deterministic Autoencoders" (2019), [arXiv:1903.12436](https://arxiv.org/abs/1903.12436). Autoencoders without randomness make images, by a distribution fitted to their codes afterwards.
"""
