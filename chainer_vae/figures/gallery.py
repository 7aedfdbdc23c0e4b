"""Pages that show the figures: ``index.html`` in their folder, and the gallery in the READMEs."""

from html import escape
from pathlib import Path
from typing import Optional, Union

from PIL import Image

from chainer_vae import validation
from chainer_vae.figures.output import SUFFIXES
from chainer_vae.figures.registry import LANGUAGES, SECTIONS, FigureSpec, all_figures
from chainer_vae.figures.style import DPI
from chainer_vae.runs.files import save_text

ARTICLE = "https://qiita.com/kenmatsu4/items/b029d697e9995d93aa24"
WORDS = {
    "title": {
        "en": "The figures of “Variational Autoencoder徹底解説”",
        "ja": "「Variational Autoencoder徹底解説」の図",
    },
    "about": {
        "en": f'Figures of <a href="{ARTICLE}">the article</a> by kenmatsu4 (2017), in its order,'
        " redrawn by chainer-vae. Click a figure to see it in full size.",
        "ja": f'kenmatsu4氏の<a href="{ARTICLE}">記事</a>（2017）の図を、記事の順に'
        "chainer-vaeで描き直したものです。クリックすると原寸で表示します。",
    },
    "others": {
        "en": "The captions speak of the article’s digits. A figure of a model of other images"
        " shows their classes; for the 0 and the 7 (or 9), where no classes have these numbers, it"
        " has the first and the last class.",
        "ja": "説明は、記事の数字についてのものです。他の画像で学習したモデルの図は、その画像の"
        "クラスを示します。0と7（または9）という番号のクラスがなければ、最初のクラスと最後のクラスを使っています。",
    },
    "figure": {"en": "image", "ja": "画像"},
    "original": {"en": "in the article", "ja": "記事での名前"},
    "attached": {"en": "Also written:", "ja": "関連ファイル:"},
    "contents": {"en": "Contents", "ja": "目次"},
    "back": {"en": "contents", "ja": "目次へ"},
    "copy": {"en": "Copy", "ja": "コピー"},
    "copied": {"en": "Copied", "ja": "コピーしました"},
}
# What a figure writes to the same folder, by its ID.
ATTACHED = {"network": "network.dot", "embedding": "embedding"}

# The figures in the READMEs, with captions for there.
SELECTION = {
    "interp-all-anim": {
        "en": "From every digit to every digit, in 20 dimensions",
        "ja": "各数字から各数字への補間（20次元）",
    },
    "manifold": {
        "en": "The 2-dimensional latent space, decoded",
        "ja": "2次元の潜在空間をデコードした画像",
    },
    "latent-arrow": {
        "en": "The latent means of the test images",
        "ja": "テスト画像の潜在変数の平均",
    },
    "interp-0-7-anim": {
        "en": "Interpolation from 0 to 7, along the arrow",
        "ja": "矢印に沿った0から7への補間",
    },
    "vae-model": {
        "en": "The whole model",
        "ja": "VAE全体のモデル",
    },
    "eq-two-terms": {
        "en": "The two terms of the variational lower bound",
        "ja": "変分下限の2つの項",
    },
    "embedding": {
        "en": "The latent means in 20 dimensions, by t-SNE",
        "ja": "20次元の潜在変数の平均（t-SNE）",
    },
    "learning-curve": {
        "en": "The losses, beside those of the article’s author",
        "ja": "学習曲線（記事の著者の2回の学習との比較）",
    },
}
COLUMNS = 2  # no more, for the pictures to be large enough on a phone

PAGE = """\
<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #222; line-height: 1.6;
       font-family: system-ui, "Hiragino Sans", "Yu Gothic", "Noto Sans JP", sans-serif; }}
h2 {{ margin: 3rem 0 1rem; border-bottom: 1px solid #ddd; }}
figure {{ margin: 0 0 2.5rem; }}
img {{ display: block; max-width: 100%; height: auto; margin: 0 auto .6rem; }}
code {{ background: #f3f4f6; padding: .1em .4em; border-radius: 3px; }}
small {{ color: #6b7280; display: block; }}
nav h2 {{ margin: 1rem 0 .4rem; border: 0; font-size: 1rem; }}
nav div {{ display: grid; gap: .5rem;
          grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); }}
nav a {{ display: block; border: 1px solid #ddd; border-radius: 4px; padding: .3rem;
        color: inherit; font-size: .75rem; text-align: center; text-decoration: none;
        overflow-wrap: anywhere; }}
nav a:hover, nav a:focus-visible {{ border-color: #2563eb; }}
nav img {{ width: 100%; height: 5rem; object-fit: contain; margin: 0; }}
button {{ font: inherit; color: inherit; cursor: pointer;
         background: none; border: 1px solid #ddd; border-radius: 3px; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{about}</p>
{note}<nav id="contents" aria-label="{contents}">
{thumbnails}
</nav>
{body}
<script>
for (const button of document.querySelectorAll("button")) {{
  button.onclick = async () => {{
    const code = button.previousElementSibling;
    getSelection().selectAllChildren(code);  // for who copies by hand, where the next is refused
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "{copied}";
    setTimeout(() => button.textContent = "{copy}", 2000);
  }};
}}
</script>
</body>
</html>
"""


def write_index(
    folder: Union[str, Path],
    lang: str,
    suffix: str = "png",
    options: str = "",
    others: bool = False,
) -> int:
    """Write ``index.html``, which shows every figure found in the folder.

    Args:
        folder: The folder with the figures.
        lang: Language of the captions, "en" or "ja".
        suffix: Preferred format of stills: png, svg or pdf. If a file is missing, another format is
            shown.
        options: What the page's commands have besides ``--only``, ``--lang`` and ``--format``,
            such as ``--rainbow``.
        others: Whether a figure shows other images than MNIST's; the page says so then.

    Returns:
        int: The number of figures shown.

    Raises:
        InputError: The page cannot be written, or there is no such language or format.

    Example:
        >>> from pathlib import Path
        >>> from chainer_vae.figures import Context, all_figures, draw_figures, write_index
        >>> specs = [spec for spec in all_figures() if spec.id == "graphical-model"]
        >>> drawn = list(draw_figures(specs, Context("en", {}), Path("figures")))
        >>> write_index(Path("figures"), "en")
        1
    """
    folder = validation.path("folder", folder)
    lang = validation.choice("lang", lang, LANGUAGES)
    suffix = validation.choice("suffix", suffix, SUFFIXES)
    validation.instance("write_index", options, str)
    others = validation.flag("others", others)
    given = [f"--lang {lang}"] if lang != "en" else []
    given += [f"--format {suffix}"] if suffix != "png" else []
    given += [options] if options else []
    parts, contents = [], []
    shown = 0
    for section, titles in SECTIONS.items():
        specs = [spec for spec in all_figures() if spec.section == section]
        found = [(spec, _find(folder, spec, suffix)) for spec in specs]
        entries = [(spec, file) for spec, file in found if file is not None]
        if entries:
            heading = f"<h2>{escape(titles[lang])}</h2>"
            thumbnails = [_thumbnail(spec, file, lang) for spec, file in entries]
            contents += [heading, "<div>", *thumbnails, "</div>"]
            parts += [heading, *(_entry(folder, spec, file, lang, given) for spec, file in entries)]
            shown += len(entries)
    words = {key: in_both[lang] for key, in_both in WORDS.items()}
    note = f"<p>{words['others']}</p>\n" if others else ""
    page = PAGE.format(
        lang=lang, note=note, thumbnails="\n".join(contents), body="\n".join(parts), **words
    )
    save_text(folder / "index.html", page)
    return shown


def _find(folder: Path, spec: FigureSpec, suffix: str) -> Optional[Path]:
    for other in (suffix, *SUFFIXES):
        file = folder / spec.file_name(other)
        if file.is_file():
            return file
    return None


def _thumbnail(spec: FigureSpec, file: Path, lang: str) -> str:
    name = spec.id
    if spec.numbers:
        name = f"{WORDS['figure'][lang]} {', '.join(map(str, spec.numbers))}"
    image = "" if file.suffix == ".pdf" else f'<img src="{file.name}" alt="" loading="lazy">'
    return f'<a href="#{spec.id}" title="{escape(spec.caption[lang])}">{image}{name}</a>'


def _entry(folder: Path, spec: FigureSpec, file: Path, lang: str, options: list[str]) -> str:
    caption = escape(spec.caption[lang])
    if file.suffix == ".pdf":
        content = escape(file.name)
    else:
        content = f'<img src="{file.name}" alt="{caption}" loading="lazy"{_size(file)}>'
    notes = []
    if spec.numbers:
        numbers = ", ".join(map(str, spec.numbers))
        notes.append(f"{WORDS['figure'][lang]} {numbers}")
    if spec.original:
        notes.append(f"{WORDS['original'][lang]}: {escape(spec.original)}")
    attached = ATTACHED.get(spec.id)
    if attached is not None and (folder / attached).exists():
        notes.append(f'{WORDS["attached"][lang]} <a href="{attached}">{attached}</a>')
    again = escape(" ".join(["chainer-vae figures --only", spec.id, *options]))
    return (
        f'<figure id="{spec.id}">\n<a href="{file.name}">{content}</a>\n'
        f"<figcaption>{caption}\n<small>{' · '.join(notes)}</small>\n"
        f"<small><code>{again}</code> <button>{WORDS['copy'][lang]}</button>"
        f' · <a href="#contents">{WORDS["back"][lang]}</a></small></figcaption>\n</figure>'
    )


def _size(file: Path) -> str:
    """The display size, as HTML attributes. Stills have twice the pixels, for sharp screens."""
    try:
        with Image.open(file, formats=("PNG", "GIF")) as image:
            width, height = image.size
    except Exception:  # an SVG; or a damaged file, which the page shows as such
        return ""
    scale = 1 if file.suffix == ".gif" else DPI / 100
    return f' width="{width / scale:.0f}" height="{height / scale:.0f}"'


def selection(folder: str, lang: str) -> str:
    """The gallery of a README: an HTML table of the figures in SELECTION.

    Args:
        folder: The folder of the figures, relative to the README.
        lang: Language of the captions, "en" or "ja".
    """
    specs = {spec.id: spec for spec in all_figures()}
    cells = []
    for id, caption in SELECTION.items():
        image = f'<img src="{folder}/{specs[id].file}" alt="{escape(specs[id].caption[lang])}">'
        text = f"<sub>{escape(caption[lang])}</sub>"
        cells.append(
            f'<td width="{100 // COLUMNS}%" align="center" valign="bottom">{image}<br>{text}</td>'
        )
    rows = [cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]
    lines = [line for row in rows for line in ("<tr>", *row, "</tr>")]
    return "\n".join(["<table>", *lines, "</table>", ""])
