# %% [markdown] lang="ja"
r"""
# 0. 10分で見るVAE

VAE（Variational Autoencoder）は、画像を少数の数に圧縮し、その数から画像を作るニューラルネットワークです。
このレッスンでは、学習済みのモデルを動かして、何ができるかを見るだけです。式は出てきません。

- **時間**：約10分
- **目標**：画像を「数」に変え、「数」から画像を作り、その間をたどってみる
- **前提**：特にありません。セルを上から順に実行してください（Shift + Enter）
- **エクスプローラー**（`chainer-vae explore --open`）：[数字を書く](explorer:tab=draw)、[数から画像を作る](explorer:tab=decode)、[0から7への補間](explorer:tab=interpolate&a=0&b=7)
"""

# %% [markdown] lang="en"
r"""
# 0. A VAE in ten minutes

A VAE (variational autoencoder) is a neural network that compresses an image into a few numbers, and makes an image from such numbers.
In this lesson we only run a trained model, to see what it can do. There are no formulas.

- **Time**: about ten minutes
- **Goals**: turn an image into numbers, make an image from numbers, and walk from one to another
- **You need**: nothing in particular. Run the cells from top to bottom (Shift + Enter)
- **In the explorer** (`chainer-vae explore --open`): [draw a digit](explorer:tab=draw), [make an image from numbers](explorer:tab=decode), [from a 0 to a 7](explorer:tab=interpolate&a=0&b=7)
"""

# %%
import chainer_vae  # ⟦Chainerを使えるようにする。最初に読み込む|makes Chainer usable: import it first⟧

# isort: split
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

from chainer_vae import latent
from chainer_vae.figures import style

plt.rcParams.update(style.settings("⟦ja|en⟧"))

# %% tags=["parameters"] small={"n_random": 6}
n_random = 12  # ⟦乱数から作る画像の枚数|number of images made from random numbers⟧

# %% [markdown] lang="ja"
r"""
パッケージには、手書き数字の画像（MNIST）と、それで学習した2つのモデルが付属しています。`z2` は画像を2個の数に、`z20` は20個の数に圧縮します。
"""

# %% [markdown] lang="en"
r"""
The package comes with images of handwritten digits (MNIST), and with two models trained on them. `z2` compresses an image into 2 numbers, `z20` into 20.
"""

# %%
data = chainer_vae.load_mnist()
z2, _ = chainer_vae.load_model("z2")
z20, _ = chainer_vae.load_model("z20")


def show(rows):
    """⟦辞書 {名前: 画像} を1行ずつ表示する|Show a dictionary {name: images}, one row for each name⟧"""
    tiles = np.stack(list(rows.values())).reshape(len(rows), -1, 28, 28)
    _, axes = plt.subplots(figsize=(8, 0.3 + 7 * len(rows) / tiles.shape[1]))
    axes.imshow(latent.montage(tiles), vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks(28 * np.arange(len(rows)) + 13.5, list(rows))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    plt.show()


images = [data.test_images[latent.first_of_class(data.test_labels, digit)] for digit in range(10)]
images = np.stack(images)
show({"⟦入力|input⟧": images})

# %% [markdown] lang="ja"
r"""
## 圧縮して、元に戻す

**エンコーダー**が画像を数に変え、**デコーダー**がその数から画像を作ります。2個の数（`z2`）だけでは細部が失われ、4や5が9に見えるように、別の数字になることもあります。20個（`z20`）あれば、元の画像にかなり近くなります。
"""

# %% [markdown] lang="en"
r"""
## Compress, and restore

The **encoder** turns an image into numbers, and the **decoder** makes an image from these numbers. With only 2 numbers (`z2`), details are lost, and some digits even turn into others: the 4 and the 5 look like a 9. With 20 (`z20`), the result comes quite close to the original.
"""

# %%
numbers2, _ = chainer_vae.encode(z2, images)
numbers20, _ = chainer_vae.encode(z20, images)
show(
    {
        "⟦入力|input⟧": images,
        "z20": latent.decode(z20, numbers20),
        "z2": latent.decode(z2, numbers2),
    }
)
for digit in (0, 7):
    print(
        f"⟦z2で{digit}の画像から得た2個の数|the two numbers of the {digit} in z2⟧:",
        numbers2[digit].round(2),
    )

# %% [markdown] lang="ja"
r"""
## 数字を書いてみる

自分の数字ではどうでしょうか。下のセルは、点を線で結んで数字を描きます。`points` の座標（左上が0, 0、右下が28, 28）を変えて、好きな形を描いてみてください。[エクスプローラー](explorer:tab=draw)では、マウスや指で書けます。
"""

# %% [markdown] lang="en"
r"""
## Draw a digit

What about a digit of your own? The cell below draws one by joining points with lines. Change the coordinates in `points` (0, 0 is the upper left corner, 28, 28 the lower right one) to draw what you like. In the [explorer](explorer:tab=draw) you can draw with the mouse or a finger.
"""

# %%
points = [(8, 8), (12, 6), (17, 7), (18, 10), (13, 13)]  # ⟦3のつもり|meant as a 3⟧
points += [(18, 15), (19, 19), (15, 22), (9, 21)]


def drawn(points):
    """⟦点を順に結んだ画像、784個の画素|An image of the points joined by lines, 784 pixels⟧"""
    large = Image.new("L", (280, 280))
    ImageDraw.Draw(large).line([(10 * x, 10 * y) for x, y in points], 255, 24, "curve")
    return np.asarray(large.resize((28, 28), Image.Resampling.BOX), np.float32).reshape(1, -1) / 255


mine = drawn(points)
restored2, restored20 = (
    latent.decode(model, chainer_vae.encode(model, mine)[0]) for model in (z2, z20)
)
fig, axes = plt.subplots(1, 3, figsize=(6, 2.3))
for ax, name, image in zip(axes, ("⟦入力|input⟧", "z20", "z2"), (mine, restored20, restored2)):
    ax.imshow(image.reshape(28, 28), vmin=0, vmax=1)
    ax.set_title(name)
    ax.axis("off")
plt.show()

# %% [markdown] lang="ja"
r"""
モデルは、学習で見た数字に似せて描き直します。

## 乱数から画像を作る

VAEでは、画像全体で見た数の散らばりが、平均0、標準偏差1の正規分布に近づくように学習します。ですから、その分布の乱数をデコーダーに入れるだけで、今までになかった数字の画像ができます。数字に見えない画像も混ざります。
"""

# %% [markdown] lang="en"
r"""
The model redraws it like the digits that it was trained on.

## Images from random numbers

A VAE is trained so that the numbers of all images together come close to a normal distribution with mean 0 and standard deviation 1. So random numbers of this distribution are all that the decoder needs to make images of digits that never existed. Some of them are no digits at all.
"""

# %%
np.random.seed(0)
show(
    {
        "z20": latent.decode(z20, np.random.normal(size=(n_random, 20))),
        "z2": latent.decode(z2, np.random.normal(size=(n_random, 2))),
    }
)

# %% [markdown] lang="ja"
r"""
## 0から7まで歩く

0の画像から得た数と、7の画像から得た数があります。前者から後者まで、少しずつ数を動かしながらデコードすると、0が7に変わっていきます。途中には何が現れるでしょうか。実行する前に予想してみてください。
"""

# %% [markdown] lang="en"
r"""
## A walk from 0 to 7

We have the numbers of a 0, and the numbers of a 7. If we move from the first to the second in small steps and decode each, the 0 turns into the 7. What appears on the way? Guess before you run the cell.
"""

# %%
t = np.linspace(0, 1, 13)
show(
    {
        "z20": latent.decode(z20, latent.interpolate(numbers20[0], numbers20[7], t)),
        "z2": latent.decode(z2, latent.interpolate(numbers2[0], numbers2[7], t)),
    }
)

# %% [markdown] lang="ja"
r"""
2個の数では平面の上を歩くことになり、途中でほかの数字の領域を通ります。20個の数では、ほかの数字をほとんど通りません。

## 地図

`z2` の2個の数は、平面の座標です。平面を格子に分けてすべての点をデコードすると、数字の地図ができます。
"""

# %% [markdown] lang="en"
r"""
With 2 numbers the walk crosses a plane, and passes through the regions of other digits. With 20 numbers, it hardly meets any.

## The map

The 2 numbers of `z2` are coordinates on a plane. If we decode every point of a grid on this plane, we get a map of the digits.
"""

# %%
n = 20
tiles = latent.decode(z2, latent.grid(n, 2.0).reshape(-1, 2)).reshape(n, n, 28, 28)
plt.figure(figsize=(6, 6))
edge = 2 * n / (n - 1)
plt.imshow(latent.montage(tiles), extent=(-edge, edge, -edge, edge), interpolation="antialiased")
plt.xlabel("⟦1つめの数|first number⟧")
plt.ylabel("⟦2つめの数|second number⟧")
plt.show()

# %% [markdown] lang="ja"
r"""
数字どうしの境目では、一方から他方へなめらかに変わります。

## 演習

**問1.** 4から9まで歩いてください。

<details><summary>解答例</summary>

```python
show(
    {
        "z20": latent.decode(z20, latent.interpolate(numbers20[4], numbers20[9], t)),
        "z2": latent.decode(z2, latent.interpolate(numbers2[4], numbers2[9], t)),
    }
)
```

z20では、4がそのまま9に変わります。z2では、出発点の4がすでに9のように見えます。4と9の領域が重なっているからです。

</details>

**問2.** イニシャルなど、数字でない形を描いて、`drawn` で画像にしてください。モデルは何を返しますか。

<details><summary>解答例</summary>

```python
letter = drawn([(7, 21), (14, 6), (21, 21), (17, 15), (10, 15)])  # Aのつもり
show({"入力": letter, "z20": latent.decode(z20, chainer_vae.encode(z20, letter)[0])})
```

数字しか見たことがないので、数字に近い形になります。

</details>

**問3.** 地図の外はどうなっているでしょうか。`2.0` を `6.0` にして、地図を描き直してください。

<details><summary>解答例</summary>

```python
far = latent.decode(z2, latent.grid(n, 6.0).reshape(-1, 2)).reshape(n, n, 28, 28)
plt.figure(figsize=(6, 6))
plt.imshow(latent.montage(far), interpolation="antialiased")
plt.axis("off")
plt.show()
```

中心から離れると、形が崩れていきます。学習中にそのような数はほとんど現れないからです。

</details>

## まとめ

- エンコーダーは画像を少数の数に、デコーダーは数を画像に変えます。
- 近い数からは似た画像ができるので、間をたどれば、なめらかに変わります。
- 数の分布が決まっているので、乱数から新しい画像を作れます。

## 次に読むもの

なぜこうなるのかを知りたくなったら、[レッスン1](lesson:01)へ進んでください。手を動かして遊ぶなら、[エクスプローラー](guide:explorer)があります。
"""

# %% [markdown] lang="en"
r"""
Where two digits meet, one changes smoothly into the other.

## Exercises

**1.** Walk from the 4 to the 9.

<details><summary>Solution</summary>

```python
show(
    {
        "z20": latent.decode(z20, latent.interpolate(numbers20[4], numbers20[9], t)),
        "z2": latent.decode(z2, latent.interpolate(numbers2[4], numbers2[9], t)),
    }
)
```

With z20, the 4 turns straight into the 9. With z2, the 4 looks like a 9 from the start, because the regions of both overlap.

</details>

**2.** With `drawn`, make an image of something that is not a digit, such as your initial. What does the model give back?

<details><summary>Solution</summary>

```python
letter = drawn([(7, 21), (14, 6), (21, 21), (17, 15), (10, 15)])  # meant as an A
show({"input": letter, "z20": latent.decode(z20, chainer_vae.encode(z20, letter)[0])})
```

It has seen nothing but digits, so the result resembles one.

</details>

**3.** What lies outside the map? Draw it again with `6.0` in place of `2.0`.

<details><summary>Solution</summary>

```python
far = latent.decode(z2, latent.grid(n, 6.0).reshape(-1, 2)).reshape(n, n, 28, 28)
plt.figure(figsize=(6, 6))
plt.imshow(latent.montage(far), interpolation="antialiased")
plt.axis("off")
plt.show()
```

Far from the centre the shapes fall apart, because such numbers hardly ever occurred in training.

</details>

## Summary

- The encoder turns an image into a few numbers, and the decoder turns numbers into an image.
- Close numbers give similar images, so a walk between two images changes smoothly.
- The distribution of the numbers is known, so random numbers give new images.

## What to read next

To find out why all this works, go on to [lesson 1](lesson:01). To play, open the [explorer](guide:explorer).
"""
