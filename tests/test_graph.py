"""The computational graph matches the article's, node by node."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from chainer_vae import VAE, InputError, graph, load_model

# The graph in the article (its image 14), transcribed from the image. Numbers after # distinguish
# nodes with the same label. Chainer 7.8.1 names and computes everything as Chainer 2 did.
ARTICLE = """
x: (100, 784), float32 > LinearFunction#1 > (100, 500), float32#1 > Softplus#1
Softplus#1 > enc_h1: (100, 500), float32 > LinearFunction#2 > (100, 500), float32#2 > Softplus#2
Softplus#2 > enc_h2: (100, 500), float32
enc_h2: (100, 500), float32 > LinearFunction#3 > z_ln_var: (100, 20), float32
enc_h2: (100, 500), float32 > LinearFunction#4 > z_mu: (100, 20), float32
z_ln_var: (100, 20), float32 > Gaussian > z: (100, 20), float32
z_mu: (100, 20), float32 > Gaussian
z: (100, 20), float32 > LinearFunction#5 > (100, 500), float32#3 > Softplus#3
Softplus#3 > dec_h1: (100, 500), float32 > LinearFunction#6 > (100, 500), float32#4 > Softplus#4
Softplus#4 > dec_h2: (100, 500), float32 > LinearFunction#7 > dec_h3: (100, 784), float32
W: (500, 784), float32 > LinearFunction#1
b: (500), float32#1 > LinearFunction#1
W: (500, 500), float32#1 > LinearFunction#2
b: (500), float32#2 > LinearFunction#2
W: (20, 500), float32#1 > LinearFunction#3
b: (20), float32#1 > LinearFunction#3
W: (20, 500), float32#2 > LinearFunction#4
b: (20), float32#2 > LinearFunction#4
W: (500, 20), float32 > LinearFunction#5
b: (500), float32#3 > LinearFunction#5
W: (500, 500), float32#2 > LinearFunction#6
b: (500), float32#4 > LinearFunction#6
W: (784, 500), float32 > LinearFunction#7
b: (784), float32 > LinearFunction#7
dec_h3: (100, 784), float32 > Softplus#5 > (100, 784), float32#1 > _ - _#1
dec_h3: (100, 784), float32 > _ * _#1 > (100, 784), float32#2 > _ - _#1
x: (100, 784), float32 > _ * _#1
_ - _#1 > (100, 784), float32#3 > Sum#1 > float32#1 > _ * 0.01#1 > float32#2 > _ + 0
_ + 0 > reconstruction error: float32 > _ + _#1 > loss: float32
z_ln_var: (100, 20), float32 > exp > (100, 20), float32#1 > _ + _#2
z_mu: (100, 20), float32 > _ * _#2 > (100, 20), float32#2 > _ + _#2
_ + _#2 > (100, 20), float32#3 > _ - _#2
z_ln_var: (100, 20), float32 > _ - _#2
_ - _#2 > (100, 20), float32#4 > _ + (-1) > (100, 20), float32#5 > _ * 0.5 > (100, 20), float32#6
(100, 20), float32#6 > Sum#2 > float32#3 > _ * 1.0 > float32#4 > _ * 0.01#2 > latent loss: float32
latent loss: float32 > _ + _#1
"""


def article_edges():
    chains = [line.split(" > ") for line in ARTICLE.strip().splitlines()]
    return [edge for chain in chains for edge in zip(chain, chain[1:])]


def signatures(labels, edges):
    """Count the expressions that the nodes compute, written out down to the inputs."""
    inputs = {name: [] for name in labels}
    for tail, head in edges:
        inputs[head].append(tail)

    def signature(name):
        return labels[name], tuple(sorted(map(signature, inputs[name])))

    return Counter(map(signature, labels))


@pytest.fixture(scope="module")
def text(mnist):
    return graph.dump(load_model("z20")[0].get_loss_func()(mnist.test_images[:100]))


def test_graph_is_the_article_s(text):
    edges = article_edges()
    article = {name: name.split("#")[0] for edge in edges for name in edge}
    ours = graph.parse(text)
    labels = {name: node.label for name, node in ours.nodes.items()}
    assert Counter(labels.values()) == Counter(article.values())
    assert len(ours.edges) == len(edges)
    assert signatures(labels, ours.edges) == signatures(article, edges)
    functions = {node.label for node in ours.nodes.values() if node.function}
    assert {"LinearFunction", "Softplus", "Gaussian", "Sum", "_ * 0.01"} < functions
    assert not any("float32" in label for label in functions)


def test_dump_is_the_same_each_time(text, mnist):
    model = load_model("z20")[0]
    keep = [model.get_loss_func()(mnist.test_images[:100]) for _ in range(3)]  # other addresses
    assert graph.dump(model.get_loss_func()(mnist.test_images[100:200])) == text
    assert len(keep) == 3


def test_the_order_of_the_nodes_stays(text, mnist):
    """As recorded when signatures were written out: network.png depends on it."""
    several = graph.dump(load_model("z2")[0].get_loss_func(C=2.0, k=3)(mnist.test_images[:5]))
    assert [hashlib.sha256(each.encode()).hexdigest()[:16] for each in (text, several)] == [
        "c2454c109dcbf8db", "c0ba6fcdcb542e2f",
    ]  # fmt: skip


@pytest.mark.slow
def test_very_many_samples():
    """Far more than Python lets a function call itself, and in a time that does not square."""
    k = 1500
    loss = VAE(n_in=4, n_latent=2, n_h=3).get_loss_func(k=k)(np.ones((5, 4), np.float32))
    text = graph.dump(loss)
    parsed = graph.parse(text)
    labels = Counter(node.label for node in parsed.nodes.values())
    assert labels["Gaussian"] == k and labels["_ + _"] == k + 1
    assert list(parsed.nodes) == [f"n{i}" for i in range(len(parsed.nodes))]
    assert len(set(parsed.edges)) == len(parsed.edges)
    assert all(int(tail[1:]) < int(head[1:]) for tail, head in parsed.edges)
    assert {tail for tail, _ in parsed.edges} == parsed.nodes.keys() - {list(parsed.nodes)[-1]}


def test_several_samples(mnist):
    loss = load_model("z2")[0].get_loss_func(C=2.0, k=3)(mnist.test_images[:5])
    parsed = graph.parse(graph.dump(loss))
    labels = Counter(node.label for node in parsed.nodes.values())
    assert labels["Gaussian"] == labels["z: (5, 2), float32"] == 3
    assert labels["_ * 2.0"] == 1


def test_layout_has_every_node_and_edge(text):
    parsed = graph.parse(text)
    layout = graph.lay_out(parsed, dict.fromkeys(parsed.nodes, (1.0, 0.3)))
    assert layout.nodes.keys() == parsed.nodes.keys()
    assert sorted(edge[:2] for edge in layout.edges) == sorted(parsed.edges)
    centres = np.array(list(layout.nodes.values()))
    assert (centres > 0).all() and (centres < [layout.width, layout.height]).all()
    for tail, head, points in layout.edges:
        assert len(points) % 3 == 1
        assert layout.nodes[tail][1] > layout.nodes[head][1]  # downwards
        for end, name in ((points[0], tail), (points[-1], head)):
            assert (np.abs(end - layout.nodes[name]) < [0.62, 0.28]).all()


def test_no_graphviz(text, monkeypatch):
    monkeypatch.setattr(graph, "graphviz", lambda: None)
    with pytest.raises(InputError, match="pip install graphviz-pure"):
        graph.lay_out(graph.parse(text), {})


@pytest.mark.parametrize(
    "script",
    ("exit 3", "echo oops >&2; exit 1", "echo edge n0", "echo graph 1 x y", "true"),
    ids=str,
)
def test_graphviz_fails(text, monkeypatch, tmp_path, script):
    program = tmp_path / "dot"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    parsed = graph.parse(text)
    with pytest.raises(InputError, match=r"/dot could not lay out the graph: \S") as error:
        graph.lay_out(parsed, dict.fromkeys(parsed.nodes, (1.0, 0.3)))
    assert "\n" not in str(error.value)
