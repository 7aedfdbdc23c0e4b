# %% [markdown] lang="ja"
r"""
# 1. オートエンコーダーとVAE

手書き数字の画像は784個の画素からなります。オートエンコーダーは、それをたった2個の数に圧縮し、その2個だけから元の画像を再構成します。
このレッスンでは、記事の第1節の内容を、コードを動かしながら確かめます。

- **時間**：読んで実行するのに約30分、演習に約30分
- **目標**：オートエンコーダーとVAEの構造を説明できる。潜在空間をたどって画像を生成できる。VAEのほうが優れている点と、差が出ない点を、数値を挙げて言える
- **前提**：PythonとNumPyの基礎。数学はほとんど使いません（1-4節は統計の発展的な内容で、飛ばしてかまいません）
- **エクスプローラー**（`chainer-vae explore --open`）：[0から7への補間](explorer:tab=interpolate&a=0&b=7)、[オートエンコーダーとの比較](explorer:section=comparison)

内容は次のとおりです。

- 1-0：まず、モデルの全体と、潜在空間での補間、潜在空間の地図を見ます。
- 1-1：通常のオートエンコーダーを、実際に学習させます。
- 1-2：VAEと比べます。再構成、潜在変数の分布、乱数から生成した画像を比べます。
- 1-3：なぜこれほど小さく圧縮できるのでしょうか。多様体仮説を、スイスロールと、2枚の画像の「間」で確かめます。
- 1-4（発展）：潜在変数の分布を、統計を使って詳しく調べます。
"""

# %% [markdown] lang="en"
r"""
# 1. Autoencoder and VAE

An image of a handwritten digit has 784 pixels. An autoencoder compresses it into only 2 numbers, and reconstructs the image from those 2 numbers alone.
This lesson works through section 1 of the article by running code.

- **Time**: about 30 minutes to read and run, and 30 more for the exercises
- **Goals**: explain how an autoencoder and a VAE are built; generate images along a path through the latent space; say with numbers where a VAE does better, and where it makes no difference
- **You need**: the basics of Python and NumPy, and hardly any mathematics (section 1-4 goes further into statistics, and can be skipped)
- **In the explorer** (`chainer-vae explore --open`): [from a 0 to a 7](explorer:tab=interpolate&a=0&b=7), [beside a plain autoencoder](explorer:section=comparison)

The sections are:

- 1-0: first, we look at the whole model, a walk through its latent space, and the map of that space.
- 1-1: we train a plain autoencoder.
- 1-2: we compare it with the VAE: reconstructions, the distribution of the latent variables, and images generated from random numbers.
- 1-3: why can images be compressed so far? We test the manifold hypothesis on a swiss roll, and on what lies "between" two images.
- 1-4 (optional): we examine the distribution of the latent variables with statistics.
"""

# %%
import chainer_vae  # ⟦Chainerを使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
import chainer
import chainer.functions as F
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.patheffects import withStroke

from chainer_vae import figures, latent
from chainer_vae.figures import style
from chainer_vae.figures.plane import beside
from chainer_vae.figures.runner import draw
from chainer_vae.figures.swiss_roll import deceptive_pair, swiss_roll

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% [markdown] lang="ja"
r"""
実行時間は、次の3つの数で決まります。下の設定では、2コアのCPUで全体に1〜2分かかります。短くしたいときは `n_images` を小さくしてください（100の倍数にします）。
"""

# %% [markdown] lang="en"
r"""
Three numbers determine the running time. With the values below, the whole notebook takes one to two minutes on a CPU with 2 cores. To make it faster, reduce `n_images` (keep it a multiple of 100).
"""

# %% tags=["parameters"] small={"epochs": 1, "n_images": 2000, "n_random": 100}
epochs = 3  # ⟦学習のエポック数|epochs of training⟧
n_images = 60_000  # ⟦使う訓練画像の枚数|number of training images⟧
n_random = 500  # ⟦乱数から生成する画像の枚数|number of images generated from random numbers⟧

# %% [markdown] lang="ja"
r"""
MNISTはパッケージに付属しています。画像1枚は、0（黒）から1（白）までの784個の数からなる1行です。
画像を行ごとに並べて表示する関数 `show` も定義します。
"""

# %% [markdown] lang="en"
r"""
MNIST comes with the package. Each image is a row of 784 numbers between 0 (black) and 1 (white).
We also define a function `show` that displays images in rows.
"""

# %%
data = chainer_vae.load_mnist()
train_images, train_labels = data.train_images[:n_images], data.train_labels[:n_images]
test_images, test_labels = data.test_images, data.test_labels
print(
    f"⟦訓練画像|training images⟧: {train_images.shape}, ⟦テスト画像|test images⟧: {test_images.shape}"
)


def show(rows):
    """⟦辞書 {名前: 画像 (枚数, 784)} を1行ずつ表示する|Show a dictionary {name: images (number, 784)}, one row for each name⟧"""
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
## 1-0. まず全体を見る

細部に入る前に、学習済みのVAEに何ができるかを見ておきます。構造は次のとおりです。

- **エンコーダー**が、画像 $X$ を少数の数 $z$ に変換します。
- **デコーダー**が、$z$ から画像 $X'$ を作ります。
- 学習では、$X'$ が $X$ に近くなるように、そして $z$ が標準正規分布 $\mathcal{N}(0, I)$ に従うように、2つのネットワークを調整します。
"""

# %% [markdown] lang="en"
r"""
## 1-0. First, the whole picture

Before the details, we look at what a trained VAE can do. It is built like this:

- The **encoder** turns an image $X$ into a few numbers $z$.
- The **decoder** makes an image $X'$ from $z$.
- Training adjusts both networks so that $X'$ becomes close to $X$, and so that $z$ follows the standard normal distribution $\mathcal{N}(0, I)$.
"""

# %%
spec = next(spec for spec in figures.all_figures() if spec.id == "vae-overview")
overview = draw(spec, figures.Context("⟦ja|en⟧", {}))
overview.set_dpi(100)
display(overview)

# %% [markdown] lang="ja"
r"""
### 0から7への補間

パッケージに付属の学習済みモデル `z2` は、潜在変数 $z$ が2次元のVAEです。
テスト画像の最初の0をエンコーダーに通した点 $z^{(0)}$ から、最初の7を通した点 $z^{(7)}$ までを、線形補間します。

$$
z(t) = (1 - t) \, z^{(0)} + t \, z^{(7)}, \quad 0 \le t \le 1
$$

（記事の式は $t$ と $1 - t$ が逆で、$t = 0$ が7になります。ここでは $t = 0$ を0にします。）途中の各点をデコードし、できた画像に最も近い訓練画像のラベルも表示します。
"""

# %% [markdown] lang="en"
r"""
### A walk from 0 to 7

The trained model `z2` that comes with the package is a VAE whose latent vectors $z$ have 2 dimensions.
The encoder maps the first 0 among the test images to a point $z^{(0)}$, and the first 7 to a point $z^{(7)}$. We interpolate linearly between them.

$$
z(t) = (1 - t) \, z^{(0)} + t \, z^{(7)}, \quad 0 \le t \le 1
$$

(The article has $t$ and $1 - t$ the other way round, so its $t = 0$ is the 7. Here, $t = 0$ is the 0.) We decode each point on the way, and print the label of the training image that is nearest to the result.
"""

# %%
z2, _ = chainer_vae.load_model("z2")
mu, ln_var = chainer_vae.encode(z2, test_images)  # ⟦エンコーダーの出力|the encoder's output⟧


def nearest(images):
    """⟦最も近い訓練画像までの距離と、そのラベル|Distance to the nearest training image, and its label⟧"""
    squares = (train_images**2).sum(axis=1)
    distances, indices = [], []
    for batch in np.array_split(images, len(images) // 200 + 1):  # ⟦メモリーの節約|saves memory⟧
        table = squares - 2 * batch @ train_images.T + (batch**2).sum(axis=1, keepdims=True)
        distances.append(np.sqrt(table.min(axis=1).clip(0)))
        indices.append(table.argmin(axis=1))
    return np.concatenate(distances), train_labels[np.concatenate(indices)]


start, end = (latent.first_of_class(test_labels, digit) for digit in (0, 7))
t = np.linspace(0, 1, 17)
path = latent.interpolate(mu[start], mu[end], t)
path_images = latent.decode(z2, path)
show({"z2": path_images})
print("⟦最も近い訓練画像のラベル|labels of the nearest training images⟧:", *nearest(path_images)[1])

# %% [markdown] lang="ja"
r"""
0-6-2-5-3-9-4-7の順に変化しました。5と3のあたりは、8のようにも見えるぼやけた形です。記事では0-6-2-8-9-4-7でした。別に学習させたモデルですが、よく似た順番です。

### 潜在空間の地図

次に、平面の $-2 \le z_1, z_2 \le 2$ の範囲を25 × 25の格子に分け、すべての格子点をデコードして地図のように並べます。右は同じ範囲のテスト画像の位置で、色と数字は正解のラベルを表します。赤い線が上の補間の経路です。
"""

# %% [markdown] lang="en"
r"""
The path passes through 0-6-2-5-3-9-4-7. Around the 5 and the 3, the shapes are blurred and also resemble an 8. The article has 0-6-2-8-9-4-7: its model was trained separately from ours, yet the order is very similar.

### The map of the latent space

Next, we divide $-2 \le z_1, z_2 \le 2$ into a grid of 25 × 25 points, decode all of them, and arrange the images as a map. On the right are the positions of test images in the same range; colours and digits are their true labels. The red line is the path of our interpolation.
"""


# %%
def plot_latents(axes, points):
    """⟦テスト画像の潜在変数を、数字ごとの色でプロットする|Plot latent vectors of test images, a colour for each digit⟧"""
    axes.set(xlabel="$z_1$", ylabel="$z_2$")
    colors = dict(c=test_labels[:3000], cmap=style.DIGIT_COLORS, vmin=-0.5, vmax=9.5)
    return axes.scatter(*points[:3000].T, s=4, lw=0, antialiased=False, **colors)


n, limit = 25, 2.0
tiles = latent.decode(z2, latent.grid(n, limit).reshape(-1, 2)).reshape(n, n, 28, 28)
edge = limit * n / (n - 1)  # ⟦画像の中心を格子点に合わせる|centres each tile on its grid point⟧
window = (-edge, edge, -edge, edge)

ratios = dict(width_ratios=(1.35, 1))
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 4.4), layout="constrained", gridspec_kw=ratios)
left.imshow(latent.montage(tiles), extent=window, interpolation="antialiased")
left.set(xlabel="$z_1$", ylabel="$z_2$")
plot_latents(right, mu)
right.set(xlim=window[:2], ylim=window[2:], aspect="equal")
# ⟦数字の名前を平均の位置に書く。重なるものと、赤い線に掛かるものは離す|Label each digit at its mean; move labels that overlap, or lie on the red line⟧
names_at = latent.spread(latent.class_means(mu, test_labels), 0.3)
for digit, position in enumerate(beside(names_at, path[[0, -1]], 0.25)):
    font = dict(size=14, ha="center", va="center", **style.label_font(str(digit)))
    name = right.text(*position.clip(-1.9, 1.9), digit, **font)
    # ⟦白い縁取り|a white halo⟧
    name.set_path_effects([withStroke(linewidth=3, foreground="white")])
for axes in (left, right):
    axes.plot(*path.T, color="#EF4444", lw=2)
    axes.plot(*path[-1], "o", color="#EF4444", markersize=6)
plt.show()

# %% [markdown] lang="ja"
r"""
地図と散布図の配置はよく対応しています。経路の点が付いている端が7です。地図の隣り合う画像は少しずつしか違いません。数字と数字の境目には、どちらとも言えない形があります。

ラベルは学習に一度も使っていません。それなのに、なぜ数字ごとにまとまり、なめらかに移り変わるのでしょうか。もっと単純なモデルから順に調べていきます。
"""

# %% [markdown] lang="en"
r"""
The map and the scatter plot correspond well. The end marked with a dot is the 7. Neighbouring images on the map differ only a little. At the border between two digits there are shapes that are neither.

Training never used a label. Why, then, does each digit have a region of its own, and why do the regions blend smoothly? We find out step by step, beginning with a simpler model.
"""

# %% [markdown] lang="ja"
r"""
## 1-1. 通常のオートエンコーダー

オートエンコーダーは、2つのニューラルネットワークをつないだものです。

- **エンコーダー** $f$：画像 $x$（784次元）から**潜在変数** $z = f(x)$ を計算します。ここでは2次元にします。
- **デコーダー** $g$：潜在変数 $z$ から画像 $\hat{x} = g(z)$ を計算します。これが $x$ の**再構成**です。

記事の式は1層の場合で、$\hat{x}(x) = \hat{f}(\hat{W} f(Wx + b) + \hat{b})$ でした。ここで使う `chainer_vae.Autoencoder` は
784 → 500 → 500 → **2** → 500 → 500 → 784で、エンコーダーもデコーダーも3層です。隠れ層の活性化関数はsoftplus、$\ln(1 + e^a)$ です。
出力層ではsigmoidを使い、画素の値を0から1の範囲に収めます。

まだ学習していないモデルに画像を3枚入力し、配列の形を確認します。
"""

# %% [markdown] lang="en"
r"""
## 1-1. The plain autoencoder

An autoencoder consists of two neural networks, one after the other.

- The **encoder** $f$ computes from an image $x$ (784 dimensions) the **latent vector** $z = f(x)$. Here it has 2 dimensions.
- The **decoder** $g$ computes from the latent vector $z$ an image $\hat{x} = g(z)$, the **reconstruction** of $x$.

The article gives the formula for one layer, $\hat{x}(x) = \hat{f}(\hat{W} f(Wx + b) + \hat{b})$. We use `chainer_vae.Autoencoder`, which has the sizes
784 → 500 → 500 → **2** → 500 → 500 → 784: three layers in the encoder and three in the decoder. The activation of the hidden layers is softplus, $\ln(1 + e^a)$.
A sigmoid at the output keeps the pixels between 0 and 1.

We pass three images through a model that has not been trained yet, and look at the shapes.
"""

# %%
np.random.seed(0)
autoencoder = chainer_vae.Autoencoder(784, 2, 500, F.softplus)
x = test_images[:3]
z = autoencoder.encode(x)
print(
    "⟦x → z → 再構成の形|shapes of x → z → reconstruction⟧:",
    x.shape,
    "→",
    z.shape,
    "→",
    autoencoder.decode(z).shape,
)

# %% [markdown] lang="ja"
r"""
784個の数が2個になり、また784個に戻りました。重みはまだ乱数のままです。

学習に教師ラベルは使いません。入力そのものが正解で、損失は入力と出力の差の2乗和、つまり再構成誤差です。

$$
\mathrm{Loss} = \frac{1}{N} \sum_{n=1}^{N} \| x_n - \hat{x}(x_n) \|^2
$$

記事の損失は和ですが、ここでは画像の枚数 $N$ で割り、「画像1枚あたり」の値にします。`get_loss_func` の値が、この式をNumPyで書いたものと一致するか確かめます。
"""

# %% [markdown] lang="en"
r"""
784 numbers became 2, and then 784 again. The weights are still random.

Training uses no labels. The input itself is the target, and the loss is the sum of the squared differences between input and output: the reconstruction error.

$$
\mathrm{Loss} = \frac{1}{N} \sum_{n=1}^{N} \| x_n - \hat{x}(x_n) \|^2
$$

The article uses the sum. We divide it by the number of images $N$ to get a value per image. We check that `get_loss_func` agrees with this formula written in NumPy.
"""

# %%
loss_func = autoencoder.get_loss_func()
by_hand = ((x - autoencoder(x).array) ** 2).sum(axis=1).mean()
np.testing.assert_allclose(loss_func(x).array, by_hand, rtol=1e-5)
print(f"⟦学習前の再構成誤差|reconstruction error before training⟧: {by_hand:.1f}")

# %% [markdown] lang="ja"
r"""
2つの値は一致しました。学習前の損失は、画像1枚あたり約211です。

### 学習

エポックごとに画像の順番をシャッフルし、100枚ずつのバッチに分けます。`optimizer.update(loss_func, batch)` の1行が、
損失の計算、誤差逆伝播法による勾配の計算、Adamによる重みの更新をすべて行います。

`np.errstate` の行は、NumPyの警告を1種類だけ抑制します。softplusの微分は $1 - 1 / (1 + e^a)$ です。$a$ が88を超えると
$e^a$ がfloat32の範囲を超えて無限大になります。それでも微分の値は正しく1になるので、結果に影響はありません。
"""

# %% [markdown] lang="en"
r"""
The two values agree. Before training, the loss is about 211 per image.

### Training

In each epoch we shuffle the images and split them into batches of 100. The single line `optimizer.update(loss_func, batch)`
computes the loss, computes its gradient by backpropagation, and updates the weights with Adam.

The line with `np.errstate` silences one kind of NumPy warning. The derivative of softplus is $1 - 1 / (1 + e^a)$. Where $a$ exceeds 88,
$e^a$ overflows float32 and becomes infinite. The derivative still evaluates to 1, which is correct, so the result is not affected.
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
損失は、およそ41、34、32と下がりました。これは小さい値でしょうか。比較のため、入力を見ずに、どの画像に対しても訓練画像の平均を出力する「再構成」を考えます。

学習を続ければ、損失はさらに下がります。同じシードで100エポックまで学習したモデルがパッケージに付属しているので、`ae2` という名前で読み込みます。
次のセルは、平均画像、ここで学習させたモデル（自作）、`ae2` の順に**テスト画像**の再構成誤差を表示し、再構成した画像を並べます。
"""

# %% [markdown] lang="en"
r"""
The loss fell to about 41, 34 and 32. Is that small? For comparison, consider a "reconstruction" that ignores its input and outputs the mean of the training images for every input.

With more training, the loss falls further. The package includes this model after 100 epochs from the same random seed, under the name `ae2`.
The next cell prints the reconstruction error on the **test images** for the mean image, for the model we just trained, and for `ae2`, and shows the reconstructions.
"""

# %%
ae2, _ = chainer_vae.load_autoencoder("ae2")


def encode(model, images):
    """⟦オートエンコーダーの潜在変数。計算グラフは残さない|The latent vectors of an autoencoder, without a graph⟧"""
    with chainer.no_backprop_mode():
        return model.encode(images).array


def squared_error(images, reconstructions):
    return ((images - reconstructions) ** 2).sum(axis=1).mean()


mean_image = train_images.mean(axis=0)
rec_ours = latent.decode(autoencoder, encode(autoencoder, test_images))
rec_ae2 = latent.decode(ae2, encode(ae2, test_images))
for name, reconstructions in (
    ("⟦平均画像|mean image⟧", mean_image),
    ("⟦自作|ours⟧", rec_ours),
    ("ae2", rec_ae2),
):
    error = squared_error(test_images, reconstructions)
    print(f"⟦再構成誤差|reconstruction error⟧, {name}: {error:.1f}")

show({"⟦入力|input⟧": test_images[:10], "⟦自作|ours⟧": rec_ours[:10], "ae2": rec_ae2[:10]})

# %% [markdown] lang="ja"
r"""
再構成誤差は、平均画像の52.9に対して、自作のモデルが約32、`ae2` が27.4です。たった2個の数から、大まかな形は再構成できています。ただし、ぼやけた画像や、
4が9に見える画像もあります。784画素の細部は、2個の数には収まりません。
"""

# %% [markdown] lang="en"
r"""
The mean image has an error of 52.9, our model about 32, and `ae2` 27.4. Two numbers are enough to reconstruct the rough shapes. But some images are blurred,
and some 4s look like 9s: two numbers cannot hold the details of 784 pixels.
"""

# %% [markdown] lang="ja"
r"""
## 1-2. Variational Autoencoder (VAE)

VAEもエンコーダーとデコーダーからなり、層の数も大きさも同じです。違いは3つあります。

- エンコーダーは1点 $z$ ではなく、正規分布 $q(z|x) = \mathcal{N}(\mu(x), \sigma(x)^2)$ の平均と標準偏差を出力します。
- 学習時のデコーダーには、この分布からサンプリングした $z = \mu + \sigma \odot \varepsilon$、$\varepsilon \sim \mathcal{N}(0, I)$ を入力します。同じ画像でも、$z$ は毎回少し変わります。
- 損失に、$q(z|x)$ を事前分布 $p(z) = \mathcal{N}(0, I)$ に近づける項、KLダイバージェンス $D_{KL}[q(z|x) \,\|\, p(z)]$ が加わります。また、再構成誤差は2乗和ではなく、画素ごとの交差エントロピーです。

損失の導出はレッスン3で扱います。ここでは学習済みの `z2`（潜在次元が2）と `z20`（潜在次元が20）を使います。このパッケージのどのレッスンでも、正規分布は $\mathcal{N}(\text{平均}, \text{分散})$ と書きます（記事の最後の節は、標準偏差を使って $N(\mu, \sigma)$ と書いています）。まず、最初のテスト画像（7）に対するエンコーダーの出力と、
そこからサンプリングした3つの $z$ を見ます。
"""

# %% [markdown] lang="en"
r"""
## 1-2. Variational Autoencoder (VAE)

A VAE also has an encoder and a decoder, with the same number of layers and the same sizes. There are three differences.

- The encoder outputs not a point $z$ but the mean and the standard deviation of a normal distribution, $q(z|x) = \mathcal{N}(\mu(x), \sigma(x)^2)$.
- In training, the decoder receives a sample from this distribution, $z = \mu + \sigma \odot \varepsilon$, $\varepsilon \sim \mathcal{N}(0, I)$. The same image gives a slightly different $z$ each time.
- The loss gets another term, the KL divergence $D_{KL}[q(z|x) \,\|\, p(z)]$, which pulls $q(z|x)$ towards the prior $p(z) = \mathcal{N}(0, I)$. Also, the reconstruction error is not a sum of squares but the cross-entropy of each pixel.

Lesson 3 derives this loss. In all lessons a normal distribution is written $\mathcal{N}(\text{mean}, \text{variance})$; the last section of the article writes $N(\mu, \sigma)$, with the standard deviation. Here we use the trained models `z2` (2 latent dimensions) and `z20` (20 latent dimensions). We first look at the encoder's output for the first test image (a 7), and
at three samples of $z$ from it.
"""

# %%
z20, _ = chainer_vae.load_model("z20")

np.random.seed(0)
sigma = np.exp(ln_var / 2)  # ⟦エンコーダーの出力はln σ²|the encoder's output is ln sigma^2⟧
print("mu:   ", mu[0].round(3))
print("sigma:", sigma[0].round(3))
for _ in range(3):
    print("⟦サンプルz|a sample z⟧:", (mu[0] + sigma[0] * np.random.normal(size=2)).round(3))

# %% [markdown] lang="ja"
r"""
この7の $\sigma$ は約0.03で、$z$ は $\mu$ からわずかにずれるだけです。学習時のデコーダーは、このようにノイズの加わった $z$ から元の画像を再構成するように訓練されます。

### 再構成を比べる

テスト画像の再構成を並べます。VAEでは、平均 $\mu$ をデコーダーに入力します。比較のため、再構成誤差はどのモデルでも2乗和で測ります。
"""

# %% [markdown] lang="en"
r"""
For this 7, $\sigma$ is about 0.03, so $z$ deviates only slightly from $\mu$. In training, the decoder learns to reconstruct the original image from such a noisy $z$.

### Comparing reconstructions

We show reconstructions of test images. For a VAE, the decoder receives the mean $\mu$. To make the models comparable, we measure the reconstruction error as a sum of squares for all of them.
"""

# %%
rec_z2 = latent.decode(z2, mu)
rec_z20 = latent.decode(z20, chainer_vae.encode(z20, test_images)[0])
rows = {"⟦入力|input⟧": test_images, "z20": rec_z20, "z2": rec_z2, "ae2": rec_ae2}
for name, images in rows.items():
    error = squared_error(test_images, images)
    print(f"⟦再構成誤差|reconstruction error⟧, {name}: {error:.1f}")

show({name: images[:10] for name, images in rows.items()})

# %% [markdown] lang="ja"
r"""
`z20` の誤差は7.7で、少しぼやけていますが、元の形をほぼ再構成しています。2次元どうしでは、`z2` の28.9に対して `ae2` は27.4で、通常のオートエンコーダーのほうが小さい値です。
これは当然です。`ae2` は2乗和そのものを最小化するように学習し、ノイズも、$\mathcal{N}(0, I)$ に近づける項もありません。**再構成だけが目的なら、VAEである必要はありません。**
では、VAEの利点は何でしょうか。
"""

# %% [markdown] lang="en"
r"""
`z20` has an error of 7.7: its images are a little blurred, but close to the originals. Between the two 2-dimensional models, `z2` has 28.9 and `ae2` has 27.4, so the plain autoencoder is better.
This is no surprise: `ae2` was trained to minimize exactly this sum of squares, without noise and without a term that pulls it towards $\mathcal{N}(0, I)$. **If reconstruction is all you need, you do not need a VAE.**
What, then, is the advantage of a VAE?
"""

# %% [markdown] lang="ja"
r"""
### 潜在空間を比べる

テスト画像の潜在変数を、数字ごとに色を分けて平面にプロットします。左は `z2` の平均 $\mu$、右は `ae2` の $z$ です。**軸の目盛り**に注目してください。
"""

# %% [markdown] lang="en"
r"""
### Comparing the latent spaces

We plot the latent vectors of the test images, with a colour for each digit. On the left are the means $\mu$ of `z2`, on the right the $z$ of `ae2`. Note the **scales of the axes**.
"""

# %%
ae2_latents = encode(ae2, test_images)
fig, panels = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for axes, points, title in zip(panels, (mu, ae2_latents), ("z2 (VAE)", "ae2 (⟦通常|plain⟧)")):
    points_drawn = plot_latents(axes, points)
    axes.set_title(title)
    axes.set_aspect("equal", adjustable="datalim")
fig.colorbar(points_drawn, ticks=range(10)).ax.set_title("⟦数字|digit⟧")
plt.show()

# %% [markdown] lang="ja"
r"""
どちらのモデルも、ラベルを一度も使っていないのに、同じ数字が集まっています。記事は、似た形が近くに集まるのはVAEの乱数の効果だと説明していますが、乱数を使わない `ae2` でも集まっています。
デコーダーはなめらかな関数なので、近い $z$ からは似た画像しか生成できません。それだけでも、似た画像を近くに配置するほうが損失は小さくなります。

違いを数値で調べます。各軸の平均と標準偏差、原点から最も遠い潜在変数までの距離、そして「平面で最も近いテスト画像が同じ数字である割合」（2,000枚で計算）です。
ここで学習させたモデル（自作）も加えます。
"""

# %% [markdown] lang="en"
r"""
In both plots, images of the same digit lie close together, although no label was ever used. The article attributes this to the randomness of the VAE. But it also happens in `ae2`, which has no randomness.
The decoder is a smooth function, so nearby $z$ can only give similar images. This alone makes it favourable to place similar images close together.

Now we measure the differences: the mean and standard deviation of each axis, the distance from the origin to the farthest latent vector, and the share of test images whose nearest neighbour on the plane is the same digit (for 2,000 images).
We include the model that we trained (ours).
"""


# %%
def nearest_agrees(points, labels):
    """⟦最も近い別の点が同じラベルを持つ割合|Share of points whose nearest neighbour has the same label⟧"""
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return (labels[distances.argmin(axis=1)] == labels).mean()


our_latents = encode(autoencoder, test_images)
for name, points in {"⟦自作|ours⟧": our_latents, "ae2": ae2_latents, "z2": mu}.items():
    print(
        f"{name:4}  ⟦平均|mean⟧ {points.mean(axis=0).round(2)}"
        f"  ⟦標準偏差|std⟧ {points.std(axis=0).round(2)}"
        f"  ⟦最大の距離|largest distance⟧ {np.linalg.norm(points, axis=1).max():.1f}"
        f"  ⟦同じ数字|same digit⟧ {nearest_agrees(points[:2000], test_labels[:2000]):.2f}"
    )

# %% [markdown] lang="ja"
r"""
- **位置とスケール**：`z2` の平均は (0.01, −0.01)、標準偏差は (1.03, 1.08) で、事前分布 $\mathcal{N}(0, I)$ の0と1にほぼ一致します。`ae2` の標準偏差は41と48、自作のモデルは40前後で、1からかけ離れています。中心も0からずれています。
  これらの損失には、潜在変数の位置やスケールを決める項がないからです。
- **数字のまとまり**：同じ数字の割合は `z2` が0.68、`ae2` が0.73、3エポックだけ学習させた自作のモデルが約0.56です（自作のモデルの値は、マシンによって少し変わります）。乱数がなくても、無作為に選んだときの0.1よりずっと高い値です。この数値からは、VAEのほうがよくまとまるとは言えません。

### 乱数から画像を生成する

`z2` の $z$ は $\mathcal{N}(0, I)$ に近い分布をしているので、そこからサンプリングした $z$ をデコーダーに入力するだけで、新しい画像を生成できます。`z20` でも同じです。
`ae2` の $z$ の分布は決まっていません。同じ乱数をそのまま入力するとどうなるでしょうか。
"""

# %% [markdown] lang="en"
r"""
- **Location and scale**: the means of `z2` are (0.01, −0.01) and its standard deviations (1.03, 1.08), close to the 0 and 1 of the prior $\mathcal{N}(0, I)$. The standard deviations of `ae2` are 41 and 48, and those of our model around 40, far from 1. Their centres are not at 0 either.
  No term in their loss determines where the latent vectors lie or how large they are.
- **Clustering**: the share whose nearest neighbour is the same digit is 0.68 for `z2`, 0.73 for `ae2`, and about 0.56 for our model after three epochs (the numbers of our own model differ slightly between machines). Even without randomness it is far above the 0.1 of a random choice. These numbers do not show that a VAE clusters the digits better.

### Generating images from random numbers

The $z$ of `z2` are distributed approximately like $\mathcal{N}(0, I)$. So we can generate new images: sample $z$ from it, and pass it to the decoder. The same goes for `z20`.
The distribution of $z$ in `ae2` is not fixed. What happens if it gets the same random numbers?
"""

# %%
np.random.seed(0)
eps = np.random.normal(size=(n_random, 2))
show(
    {
        "z2": latent.decode(z2, eps[:16]),
        "z20": latent.decode(z20, np.random.normal(size=(16, 20))),
        "ae2": latent.decode(ae2, eps[:16]),
    }
)

# %% [markdown] lang="ja"
r"""
VAEの2つのモデルでは、多くが数字に見えます。`z20` は線がくっきりしている代わりに、数字とは言えない形が混ざります。
`ae2` では、どの乱数からもほとんど同じ画像しかできません。標準偏差が40以上もある `ae2` の潜在空間では、$\mathcal{N}(0, I)$ の乱数は1点に集まっているのと変わらないからです。
**VAEでは、どこから $z$ をサンプリングすればよいかが最初から決まっています。** 通常のオートエンコーダーでは、学習の後で調べる必要があります。調べれば `ae2` でも数字を生成できることを、1-4節で確かめます。

## 1-3. 多様体仮説

784個の画素を、なぜ2個や20個の数で表せるのでしょうか。画素を1つずつ独立に決めた画像は、数字になりません。試しに、訓練画像でのその画素の明るさの平均を確率として、各画素を独立に白か黒に決めてみます。
"""

# %% [markdown] lang="en"
r"""
With both VAEs, most images look like digits. `z20` draws crisp strokes, but some of its shapes are not digits.
With `ae2`, all random numbers give almost the same image. Its latent vectors have standard deviations above 40, so random numbers from $\mathcal{N}(0, I)$ are no more than a single point there.
**With a VAE, we know from the start where to sample $z$ from.** With a plain autoencoder, we have to find out after training. Section 1-4 shows that `ae2` can then generate digits, too.

## 1-3. The manifold hypothesis

Why can 784 pixels be represented by 2 or 20 numbers? If each pixel of an image is chosen independently, the result is not a digit. We try it: we make each pixel white or black independently, with its mean brightness in the training images as the probability.
"""

# %%
np.random.seed(0)
noise = (np.random.random((n_random, 784)) < mean_image).astype(np.float32)
show({"⟦独立な画素|independent⟧": noise[:10]})
for name, images in (
    ("⟦独立な画素|independent pixels⟧", noise),
    ("⟦テスト画像|test images⟧", test_images[:n_random]),
):
    distance = nearest(images)[0].mean()
    print(
        f"⟦最も近い訓練画像までの距離|distance to the nearest training image⟧, {name}: {distance:.2f}"
    )

# %% [markdown] lang="ja"
r"""
画素ごとの平均の明るさは合っているのに、数字は1つもありません。最も近い訓練画像までの距離も9.2で、テスト画像の4.2の2倍を超えます。数字の画像は、784次元の空間全体に広がっているわけではありません。
**データは、高次元空間の中の、ずっと低い次元の曲がった面（多様体）の近くに集まっている**。これが多様体仮説です。

### スイスロール

例として、3次元空間の中に巻かれた2次元の面を見ます。左は空間の中の点、右は面を伸び縮みさせずに平らに広げたものです。黒い線で結んだ2点に注目してください。
"""

# %% [markdown] lang="en"
r"""
Each pixel has the right mean brightness, yet there is not a single digit. The distance to the nearest training image is 9.2, more than twice the 4.2 of test images. Images of digits do not fill the space of 784 dimensions.
**The data lie near a curved surface of far fewer dimensions inside the high-dimensional space, a manifold**: this is the manifold hypothesis.

### The swiss roll

As an example, we look at a surface of two dimensions rolled up in three. On the left are the points in space; on the right the surface is unrolled without stretching. Look at the two points joined by a black line.
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
flat.set(xlabel="⟦巻きに沿った長さ|distance along the roll⟧", ylabel="⟦幅|across⟧", aspect="equal")
plt.show()

for name, points in {"⟦空間|space⟧": roll.points, "⟦面|surface⟧": roll.flat}.items():
    print(
        f"⟦2点の距離|distance of the two points⟧, {name}: {np.linalg.norm(points[pair[0]] - points[pair[1]]):.1f}"
    )

# %% [markdown] lang="ja"
r"""
空間での距離は6.3、面に沿った距離は68.9で、10倍以上です。この2点は、空間では近くても、面の上では遠く離れています。2点がどれだけ似ているかを知るには、面に沿って測るほうが適切です。

### 2枚の画像の間

MNISTでも同じことを試します。0と7の間の画像を、2通りの方法で作ります。

- **画素の空間**での直線：$(1 - t) \, x^{(0)} + t \, x^{(7)}$。2枚の画像を混ぜるだけです。
- **潜在空間**での直線：$z(t)$ をデコードします。`z2` と `z20` で試します。
"""

# %% [markdown] lang="en"
r"""
In space the two points are 6.3 apart, along the surface 68.9, more than ten times as far. They are close in space, but far apart on the surface. To tell how similar two points are, it is better to measure along the surface.

### Between two images

We try the same with MNIST, and make the images between the 0 and the 7 in two ways.

- A straight line in **pixel space**: $(1 - t) \, x^{(0)} + t \, x^{(7)}$. This only blends the two images.
- A straight line in the **latent space**: we decode $z(t)$, with `z2` and with `z20`.
"""

# %%
t = np.linspace(0, 1, 11)
mu20 = chainer_vae.encode(z20, test_images)[0]
show(
    {
        "⟦画素|pixels⟧": latent.interpolate(test_images[start], test_images[end], t),
        "z2": latent.decode(z2, latent.interpolate(mu[start], mu[end], t)),
        "z20": latent.decode(z20, latent.interpolate(mu20[start], mu20[end], t)),
    }
)

# %% [markdown] lang="ja"
r"""
上の段では、0が薄れながら7が現れ、途中では2枚の画像が重なっています。下の2段では、線そのものの形が変わります。`z2` はほかの数字を経由します。`z20` では0の左側が消えていき、ほかの数字を経由せずに7になります。

1組だけでは偶然かもしれません。テスト画像の組をたくさん選び、中点の画像（$t = 0.5$）から最も近い訓練画像までの距離を比べます。ぼやけの影響をそろえるため、画素の空間でも、元の画像ではなく、その**再構成** 2枚を混ぜます。
"""

# %% [markdown] lang="en"
r"""
In the top row the 0 fades while the 7 appears, and in between the two images overlap. In the lower two rows the strokes themselves change: `z2` passes through other digits. With `z20`, the left side of the 0 vanishes, and it becomes a 7 without another digit in between.

A single pair may be a coincidence. We take many pairs of test images, and compare the distance from the midpoint ($t = 0.5$) to the nearest training image. To have the same blur in both, we do not blend the original images in pixel space, but their two **reconstructions**.
"""

# %%
np.random.seed(0)
first, second = np.random.permutation(10_000)[: 2 * n_random].reshape(2, n_random)
for name, model, points, images in (("z2", z2, mu, rec_z2), ("z20", z20, mu20, rec_z20)):
    pixel_midpoint = (images[first] + images[second]) / 2
    latent_midpoint = latent.decode(model, (points[first] + points[second]) / 2)
    print(
        f"{name:4} ⟦訓練画像までの距離：再構成|distance to the training images: reconstructions⟧ {nearest(images[first])[0].mean():.2f}"
        f"   ⟦画素空間の中点|pixel midpoint⟧ {nearest(pixel_midpoint)[0].mean():.2f}"
        f"   ⟦潜在空間の中点|latent midpoint⟧ {nearest(latent_midpoint)[0].mean():.2f}"
    )

# %% [markdown] lang="ja"
r"""
`z2` では、画素空間の中点が4.9、潜在空間の中点が4.2、`z20` では5.0と4.2です。どちらの中点も、両端の再構成（3.7と3.6）より訓練画像から遠くなります。しかし、潜在空間を通るほうが、離れ方はずっと小さくなります。
潜在空間での直線は、784次元の空間では、データの面の近くを通る曲線になっていると考えられます。ただし、経路の途中に数字とは言えない形があることは、上の図で見たとおりです。
"""

# %% [markdown] lang="en"
r"""
With `z2`, the pixel midpoint has a distance of 4.9 and the latent midpoint 4.2; with `z20`, 5.0 and 4.2. Both midpoints are farther from the training images than the reconstructions at either end (3.7 and 3.6), but the path through the latent space moves away much less.
A straight line in the latent space seems to be, in 784 dimensions, a curve that stays close to the surface of the data. Still, as the figure above showed, some shapes along the path are not digits.
"""

# %% [markdown] lang="ja"
r"""
## 1-4. （発展）潜在変数の分布を統計で調べる

この節は、統計の知識があるとわかりやすい内容です。飛ばして演習に進んでもかまいません。

1-2節では、`z2` の平均 $\mu$ の分布を $\mathcal{N}(0, I)$ と比べました。しかし、比べるべきなのは、$\mu$ ではなく $z$ の分布です。全画像にわたる $z$ の分散は、$\mu$ の分散と $\sigma^2$ の平均との和です（全分散の公式）。実際に $z$ をサンプリングして確かめます。
"""

# %% [markdown] lang="en"
r"""
## 1-4. (optional) The distribution of the latent variables, in statistics

This section is easier with some statistics. You can skip it and go on to the exercises.

In section 1-2 we compared the distribution of the means $\mu$ of `z2` with $\mathcal{N}(0, I)$. Strictly, it is the distribution of $z$ that should be compared, not that of $\mu$. Over all images, the variance of $z$ is the variance of $\mu$ plus the mean of $\sigma^2$ (the law of total variance). We check this by sampling $z$.
"""

# %%
np.random.seed(0)
z = mu + sigma * np.random.normal(size=mu.shape)
by_formula = np.sqrt(mu.var(axis=0) + (sigma**2).mean(axis=0))
print("⟦σの中央値         |median of sigma        ⟧", np.median(sigma, axis=0).round(3))
print("⟦zの標準偏差（公式）|std of z, by formula   ⟧", by_formula.round(3))
print("⟦zの標準偏差（実測）|std of z, by sampling  ⟧", z.std(axis=0).round(3))
np.testing.assert_allclose(z.std(axis=0), by_formula, rtol=0.01)

# %% [markdown] lang="ja"
r"""
1枚の画像の $\sigma$ は、中央値で0.04と0.03しかありません。画像1枚の分布はごく小さな点にすぎませんが、**すべてを重ね合わせると** $\mathcal{N}(0, I)$ に近い分布になります。

### オートエンコーダーの潜在変数に正規分布を当てはめる

`ae2` の潜在変数の分布は、学習の後で調べます。訓練画像の潜在変数に正規分布 $\mathcal{N}(m, S)$ を当てはめ、$S = L L^{\top}$（コレスキー分解）として $z = m + L \varepsilon$ とします。

公平を期すため、`z2` と `ae2` には同じ乱数 $\varepsilon$ を使います（`z2` では $z = \varepsilon$）。`z20` も加えます。
"""

# %% [markdown] lang="en"
r"""
The median $\sigma$ of a single image is only 0.04 and 0.03. The distribution of each image is little more than a dot, but **all of them together** spread approximately like $\mathcal{N}(0, I)$.

### Fitting a normal distribution to the autoencoder's latent vectors

The distribution of the latent vectors of `ae2` has to be estimated after training. We fit a normal distribution $\mathcal{N}(m, S)$ to the latent vectors of the training images and, with $S = L L^{\top}$ (the Cholesky decomposition), use $z = m + L \varepsilon$.

For a fair comparison, `z2` and `ae2` get the same random numbers $\varepsilon$ (for `z2`, $z = \varepsilon$). We also include `z20`.
"""

# %%
ae2_train_latents = encode(ae2, train_images)
m = ae2_train_latents.mean(axis=0)
L = np.linalg.cholesky(np.cov(ae2_train_latents.T))


def fitted(eps):
    """⟦ε を、ae2の潜在変数に当てはめた正規分布に変換する|Map eps to the normal distribution fitted to the latent vectors of ae2⟧"""
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
どのモデルも、数字に見える画像と、そうでない画像を生成します。`ae2` も数字を生成できています。`z20` は線がくっきりしている代わりに、数字とは言えない形が混ざります。見た目だけでは優劣がはっきりしないので、数値で測ります。

1つめの指標は、生成した画像から**最も近い訓練画像までの距離** $\min_n \| \hat{x} - x_n \|$ です。比較の対象は、テスト画像そのものと、その再構成です。
距離は $\| a - b \|^2 = \| a \|^2 - 2 a \cdot b + \| b \|^2$ で計算し、1枚について直接の計算と一致することを確かめます。
"""

# %% [markdown] lang="en"
r"""
Every model generates some images that look like digits and some that do not. `ae2` can generate digits, too. `z20` draws crisp strokes, but some of its shapes are not digits. It is hard to judge by eye which model is better, so we measure.

The first measure is the distance from a generated image to **the nearest training image**, $\min_n \| \hat{x} - x_n \|$. We compare it with the same distance for the test images themselves and for their reconstructions.
We compute distances by $\| a - b \|^2 = \| a \|^2 - 2 a \cdot b + \| b \|^2$, and check one image against the direct computation.
"""


# %%
one = test_images[:1]
direct = np.linalg.norm(one - train_images, axis=1).min()
np.testing.assert_allclose(nearest(one)[0], direct, rtol=1e-3)

print(
    f"⟦最も近い訓練画像までの距離：テスト画像|distance to the nearest training image: test images⟧ {nearest(test_images[:n_random])[0].mean():.2f}"
)
for name, reconstructions in {"z2": rec_z2, "ae2": rec_ae2, "z20": rec_z20}.items():
    print(
        f"{name:4} ⟦再構成|reconstructions⟧ {nearest(reconstructions[:n_random])[0].mean():.2f}"
        f"   ⟦乱数から|from random numbers⟧ {nearest(random_images[name])[0].mean():.2f}"
    )

# %% [markdown] lang="ja"
r"""
乱数から生成した画像の距離は、`z2` が4.0、`ae2` が3.7、`z20` が4.2でした。この指標では、**`ae2` は `z2` に劣りません**。どのモデルも、テスト画像そのものの4.2と同じか、それより近い値です。

ただし、この指標には偏りがあります。ぼやけた画像は、どの訓練画像にもある程度近くなります。再構成が、元のテスト画像よりも訓練画像に近いのもそのためです。また、`z2` の事前分布は学習の前に決めたものですが、`ae2` の正規分布は潜在変数を見てから当てはめたものです。
したがって、「距離に差がない」ことは「どちらもよく生成できる」ことの証明にはなりません。そこで、別の指標でも測ります。
"""

# %% [markdown] lang="en"
r"""
For images generated from random numbers, the distance is 4.0 with `z2`, 3.7 with `ae2`, and 4.2 with `z20`. By this measure **`ae2` is no worse than `z2`**, and every model is as close as the test images themselves (4.2), or closer.

But the measure is biased: a blurred image is fairly close to every training image. This is why reconstructions are closer to the training images than the original test images are. Also, the prior of `z2` was fixed before training, while the normal distribution of `ae2` was fitted after its latent vectors were known.
So "no difference in distance" does not prove that "both generate well". We use a second measure as well.
"""

# %% [markdown] lang="ja"
r"""
### 潜在空間のすき間

2つめの指標は、**乱数が、潜在変数のほとんどない場所に落ちる割合**です。デコーダーは、訓練画像の潜在変数がある場所でしか訓練されていません。

平面を、$\mathcal{N}(0, I)$ での確率がすべて等しい400個のマスに分けます。半径 $r$ の円の内側の確率は $1 - e^{-r^2/2}$ です。これを20等分した輪と、角度の20等分とを組み合わせます。
潜在変数が正規分布に従っていれば、どのマスにも同じ数だけ入るはずです。その数の10分の1に満たないマスを「すき間」と呼ぶことにします。
正規分布からサンプリングした点ではすき間が（ほとんど）できないことも確かめます。
"""

# %% [markdown] lang="en"
r"""
### Gaps in the latent space

The second measure is **how often a random point falls where there are hardly any latent vectors**. The decoder was trained only where the training images have their latent vectors.

We divide the plane into 400 cells of equal probability under $\mathcal{N}(0, I)$. A circle of radius $r$ contains the probability $1 - e^{-r^2/2}$. Dividing it into 20 equal parts gives rings, which we combine with 20 equal angles.
If the latent vectors follow the normal distribution, each cell contains the same number of them. We call a cell a "gap" if it contains fewer than a tenth of that number.
We also check that points sampled from the normal distribution itself leave (almost) no gaps.
"""


# %%
def cell(eps):
    """⟦点が入るマスの番号、0から399|The cell that a point falls into, 0 to 399⟧"""
    ring = 20 * (1 - np.exp(-(eps**2).sum(axis=1) / 2))
    sector = 20 * (np.arctan2(eps[:, 1], eps[:, 0]) / (2 * np.pi) + 0.5)
    return 20 * ring.astype(int).clip(max=19) + sector.astype(int).clip(max=19)


def gaps(eps):
    """⟦各マスがすき間かどうか|Which cells are gaps⟧"""
    return np.bincount(cell(eps), minlength=400) < len(eps) / 400 / 10


np.random.seed(0)
prior_samples = np.random.normal(size=(n_images, 2))
train_eps = {  # ⟦z = m + L ε を ε について解く。z2ではz = ε|solves z = m + L eps for eps; for z2, z = eps⟧
    "z2": chainer_vae.encode(z2, train_images)[0],
    "ae2": (ae2_train_latents - m) @ np.linalg.inv(L).T,
}
print(f"⟦すき間の割合|share of gaps⟧, N(0, I): {gaps(prior_samples).mean():.3f}")
for name, points in train_eps.items():
    print(f"⟦すき間の割合|share of gaps⟧, {name}: {gaps(points).mean():.3f}")

# %% [markdown] lang="ja"
r"""
どのマスの確率も1/400なので、すき間の割合が、そのまま乱数がすき間に落ちる確率になります。`z2` では約2%、`ae2` では約11%で、ここには差があります。つまり、**潜在変数全体の分布が、サンプリングに使う分布と合っているか**という点の差です。VAEの損失は学習中にこれを考慮しますが、通常のオートエンコーダーの損失は考慮しません。

すき間に落ちた乱数（赤）を、訓練画像の潜在変数（灰色）に重ねて示します。その下は、赤い点から生成した画像です。
"""

# %% [markdown] lang="en"
r"""
Every cell has the probability 1/400, so the share of gaps is the probability that a random point falls into one: about 2 % for `z2`, and about 11 % for `ae2`. Here the models differ. **Do the latent vectors as a whole match the distribution that we sample from?** The loss of a VAE takes this into account during training. The loss of a plain autoencoder does not.

We plot the random points that fall into gaps (red) over the latent vectors of the training images (grey). Below are images generated from red points.
"""

# %%
fig, panels = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
gap_samples = {}
for axes, (name, points) in zip(panels, train_eps.items()):
    gap_samples[name] = prior_samples[gaps(points)[cell(prior_samples)]]
    for shown, color in ((points[:10_000], "#BBBBBB"), (gap_samples[name][:1000], style.LOSS)):
        z = fitted(shown) if name == "ae2" else shown
        axes.scatter(*z.T, s=3, color=color, lw=0, antialiased=False)
    axes.set(title=name, xlabel="$z_1$", ylabel="$z_2$")
plt.show()

show(
    {
        "z2": latent.decode(z2, gap_samples["z2"][:14]),
        "ae2": latent.decode(ae2, fitted(gap_samples["ae2"][:14])),
    }
)

# %% [markdown] lang="ja"
r"""
`ae2` の赤い点の多くは、数字の集まりどうしの間の谷にあります。そこから生成した画像は、いくつかの形がぼんやり重なったようで、多くはどの数字とも言えません。
`z2` の赤い点は、多くが分布の縁や外側にあり、そこから生成した画像も多くは崩れています。すき間で画像が崩れるのはどちらのモデルも同じです。違うのは、そこに落ちる割合です。

ここまでの結果から公平に言えるのは、次のことです。

- 2次元では、通常のオートエンコーダーでも、潜在変数に合う分布を後から見つければ、数字を生成できます。
- VAEでは、その分布を最初から $\mathcal{N}(0, I)$ と決めておけます。ただし、完全には一致せず、小さなすき間が残ります。
- 2つのモデルは再構成誤差の測り方も違います。そのため、この比較だけでは、KLの項と乱数がそれぞれどれだけ効いたのかはわかりません。
"""

# %% [markdown] lang="en"
r"""
Most red points of `ae2` lie in the valleys between the clusters. Images generated there look like several faint shapes on top of each other, and mostly are not digits.
Those of `z2` lie mostly at the edge of the distribution or outside it, and most images generated there are malformed, too. In its gaps, either model fails. The difference is how often a random point falls there.

What we can fairly say so far:

- In 2 dimensions, a plain autoencoder can also generate digits, if we find a distribution that fits its latent vectors afterwards.
- With a VAE, we can fix this distribution as $\mathcal{N}(0, I)$ from the start. The match is not perfect, and small gaps remain.
- The two models also measure the reconstruction error differently. So this comparison alone does not show how much is due to the KL term, and how much to the randomness.
"""

# %% [markdown] lang="ja"
r"""
## 演習

**問1.** `z2` の潜在空間で、1から0へ、4から9へ補間してください。途中でどの数字を通りますか。実行する前に、地図を見て予想してみましょう。

<details><summary>解答例</summary>

経路上の点をデコードし、最も近い訓練画像のラベルを表示します。

```python
interpolated = {}
for begin, goal in ((1, 0), (4, 9)):
    a, b = (mu[latent.first_of_class(test_labels, digit)] for digit in (begin, goal))
    images = latent.decode(z2, latent.interpolate(a, b, np.linspace(0, 1, 15)))
    interpolated[f"{begin} → {goal}"] = images
    print(begin, "→", goal, "のラベル:", *nearest(images)[1])
show(interpolated)
```

1から0への経路は平面の端から端までを通り、途中で8、5、3、6になります。4と9の領域は重なっているので、ほかの数字は通らず、途中で4が9に変わるだけです。

</details>

**問2.** 再構成の2乗誤差を数字ごとに求め、`z20`、`z2`、`ae2` で比べてください。どの数字が易しく、どれが難しいでしょうか。

<details><summary>解答例</summary>

```python
print("再構成誤差z20   z2   ae2")
for digit in range(10):
    of_digit = test_labels == digit
    errors = [
        squared_error(test_images[of_digit], images[of_digit])
        for images in (rec_z20, rec_z2, rec_ae2)
    ]
    print("数字", digit, *(f"{error:5.1f}" for error in errors))
```

どのモデルでも、1が一番易しい数字です。一番難しいのは、`z2` と `ae2` では2（41.0と37.2）、`z20` では8（11.4）です。どの数字でも `z20` の誤差がはるかに小さく、`z2` と `ae2` に足りないのは次元の数だと考えられます。

</details>

**問3.**（1-4節）`z2` で、半径1、2、3、4の円周上の点をデコードしてください。どの半径から数字が崩れますか。それぞれの円の外側の確率はどれだけでしょうか。

<details><summary>解答例</summary>

2次元では $P(\|z\| > r) = e^{-r^2/2}$ です。

```python
angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
rings = {f"r = {r}": latent.decode(z2, r * circle) for r in (1, 2, 3, 4)}
show(rings)
for r, images in zip((1, 2, 3, 4), rings.values()):
    outside = np.exp(-(r**2) / 2)
    in_sample = (np.linalg.norm(prior_samples, axis=1) > r).mean()
    distance = nearest(images)[0].mean()
    print(f"r = {r}: 外側の確率 {outside:.4f}（実測 {in_sample:.4f}）、距離 {distance:.2f}")
```

$r = 2$ までは大半が数字です。$r = 3$ 以上では線が荒れ、白い点が散らばります。$r = 3$ の外側の確率は1.1%しかなく、学習中にそのような潜在変数はほとんど現れません。訓練画像までの距離も、$r = 2$ から $r = 4$ にかけて3.4、3.8、5.1と大きくなります。$r = 1$ が4.2と大きめなのは、その付近に多くの数字が密集し、円が数字の間のぼやけた形を通るからだと考えられます。

</details>

**問4.**（1-4節）`ae2` のすき間は、正規分布を当てはめたことが原因でしょうか。別の方法でサンプリングしてください。訓練画像の潜在変数を1つ無作為に選び、小さな乱数を足します。すき間に落ちる割合はどうなりますか。画像はよくなりますか。

<details><summary>解答例</summary>

潜在変数を1つ選んで $h \varepsilon$ を足すことは、カーネル密度推定からのサンプリングにあたります。$\varepsilon$ の座標で $h = 0.05$ とします。

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
    print(f"{name}: すき間 {in_gap:.3f}、距離 {nearest(images)[0].mean():.2f}")
```

割合は約13%から1%未満に減り、訓練画像までの距離も3.7から3.5に縮まりました。`ae2` のデコーダーも、訓練画像の潜在変数の近くではよい画像を生成できます。合っていなかったのは正規分布のほうです。その代わり、学習の後も潜在変数を保存しておくか、別の分布を当てはめる必要があります。VAEでは、事前分布が最初からわかっています。（後から分布を当てはめる方法はVAEの生成も改善します。下のGhoshらの論文を参照してください。）

</details>

## まとめ

- オートエンコーダーは、画像を少数の潜在変数に圧縮し、そこから再構成します。VAEのエンコーダーは、1点ではなく正規分布を出力します。
- 潜在空間で隣り合う点からは似た画像ができます。これは通常のオートエンコーダーでも同じです。
- VAEの利点は、潜在変数の分布が最初から $\mathcal{N}(0, I)$ と決まっていて、乱数から画像を生成できることです。再構成だけなら、VAEである必要はありません。
- 画像は784次元の空間のごく一部、曲がった面の近くに集まっています。

## 次に読むもの

このレッスンの `z2` と `z20` は、学習済みのモデルでした。[レッスン2](lesson:02)では、このモデルをChainerで組み立てます。損失がなぜ再構成誤差とKLダイバージェンスの和になるのかは、[レッスン3](lesson:03)で確かめます。

### 出典

- kenmatsu4「[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)」（2017）
- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes"（2013）、[arXiv:1312.6114](https://arxiv.org/abs/1312.6114)
- G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks"（2006）、Science 313。MNISTを2次元に圧縮し、平面にプロットしています。
- Y. Bengio, A. Courville, P. Vincent, "Representation Learning: A Review and New Perspectives"（2012）、[arXiv:1206.5538](https://arxiv.org/abs/1206.5538)。多様体仮説と表現学習の解説です。
- P. Ghoshほか, "From Variational to Deterministic Autoencoders"（2019）、[arXiv:1903.12436](https://arxiv.org/abs/1903.12436)。乱数を使わないオートエンコーダーで、潜在変数に後から当てはめた分布を使って画像を生成します。
"""

# %% [markdown] lang="en"
r"""
## Exercises

**1.** In the latent space of `z2`, interpolate from a 1 to a 0, and from a 4 to a 9. Which digits do you pass? Before you run the code, look at the map and guess.

<details><summary>Solution</summary>

We decode the points along the path, and print the label of the nearest training image.

```python
interpolated = {}
for begin, goal in ((1, 0), (4, 9)):
    a, b = (mu[latent.first_of_class(test_labels, digit)] for digit in (begin, goal))
    images = latent.decode(z2, latent.interpolate(a, b, np.linspace(0, 1, 15)))
    interpolated[f"{begin} → {goal}"] = images
    print(begin, "→", goal, "labels:", *nearest(images)[1])
show(interpolated)
```

The path from the 1 to the 0 crosses the plane from one end to the other, through 8, 5, 3 and 6. The regions of 4 and 9 overlap, so no other digit appears: at some point the 4 turns into a 9.

</details>

**2.** Compute the squared error of the reconstructions for each digit, and compare `z20`, `z2` and `ae2`. Which digit is easy, and which is hard?

<details><summary>Solution</summary>

```python
print("error    z20   z2   ae2")
for digit in range(10):
    of_digit = test_labels == digit
    errors = [
        squared_error(test_images[of_digit], images[of_digit])
        for images in (rec_z20, rec_z2, rec_ae2)
    ]
    print("digit", digit, *(f"{error:5.1f}" for error in errors))
```

The 1 is the easiest digit for all three models. The hardest is the 2 for `z2` and `ae2` (41.0 and 37.2), and the 8 for `z20` (11.4). `z20` is far better for every digit, which suggests that what `z2` and `ae2` lack is dimensions.

</details>

**3.** (section 1-4) With `z2`, decode points on circles of radius 1, 2, 3 and 4. At which radius do the digits break down? How much probability lies outside each circle?

<details><summary>Solution</summary>

In 2 dimensions, $P(\|z\| > r) = e^{-r^2/2}$.

```python
angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
rings = {f"r = {r}": latent.decode(z2, r * circle) for r in (1, 2, 3, 4)}
show(rings)
for r, images in zip((1, 2, 3, 4), rings.values()):
    outside = np.exp(-(r**2) / 2)
    in_sample = (np.linalg.norm(prior_samples, axis=1) > r).mean()
    distance = nearest(images)[0].mean()
    print(f"r = {r}: outside {outside:.4f} (counted {in_sample:.4f}), distance {distance:.2f}")
```

Up to $r = 2$, most images are digits. From $r = 3$ on, the strokes become ragged and there are scattered white pixels. Only 1.1 % of the probability lies outside $r = 3$, so such latent vectors hardly ever occurred in training. The distance to the nearest training image also grows from $r = 2$ to $r = 4$ (3.4, 3.8, 5.1). It is as large as 4.2 at $r = 1$, probably because many digits crowd there and the circle passes through blurred shapes between them.

</details>

**4.** (section 1-4) Are the gaps of `ae2` caused by fitting a normal distribution? Try another way of sampling: choose the latent vector of a random training image, and add a small random number. How often does this fall into a gap? Do the images get better?

<details><summary>Solution</summary>

Choosing a latent vector and adding $h \varepsilon$ is sampling from a kernel density estimate. In the coordinates of $\varepsilon$ we use $h = 0.05$.

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
    print(f"{name}: in gaps {in_gap:.3f}, distance {nearest(images)[0].mean():.2f}")
```

The share falls from about 13 % to less than 1 %, and the distance to the training images from 3.7 to 3.5. Close to the latent vectors of the training images, the decoder of `ae2` generates good images, too. It was the normal distribution that did not fit. The price is that we must store the latent vectors after training, or fit another distribution. With a VAE, the prior is known from the start. (Fitting a distribution afterwards also improves generation with VAEs: see Ghosh and others, below.)

</details>

## Summary

- An autoencoder compresses an image into a few latent variables, and reconstructs it from them. The encoder of a VAE outputs a normal distribution instead of a point.
- Neighbouring points of the latent space give similar images. This is also true of a plain autoencoder.
- The advantage of a VAE is that the distribution of its latent variables is fixed as $\mathcal{N}(0, I)$ from the start, so that random numbers give images. For reconstruction alone, you do not need a VAE.
- Images fill only a small part of the 784-dimensional space: they lie near a curved surface.

## What to read next

In this lesson we used `z2` and `z20` as trained models. [Lesson 2](lesson:02) builds this model in Chainer. [Lesson 3](lesson:03) shows why the loss is the sum of the reconstruction error and the KL divergence.

### Sources

- kenmatsu4, "[Variational Autoencoder徹底解説](https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24)" (2017)
- D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes" (2013), [arXiv:1312.6114](https://arxiv.org/abs/1312.6114)
- G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks" (2006), Science 313. MNIST compressed into 2 dimensions and plotted on the plane.
- Y. Bengio, A. Courville, P. Vincent, "Representation Learning: A Review and New Perspectives" (2012), [arXiv:1206.5538](https://arxiv.org/abs/1206.5538). A review of representation learning, including the manifold hypothesis.
- P. Ghosh and others, "From Variational to Deterministic Autoencoders" (2019), [arXiv:1903.12436](https://arxiv.org/abs/1903.12436). Autoencoders without randomness generate images with a distribution fitted to their latent vectors afterwards.
"""
