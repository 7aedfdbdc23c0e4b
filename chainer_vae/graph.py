"""The computational graph of the loss, dumped by Chainer and laid out by Graphviz."""

import hashlib
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import NamedTuple, Optional

import chainer
import numpy as np
from chainer import computational_graph

from chainer_vae import validation
from chainer_vae.errors import InputError

_NODE = re.compile(r'^(\w+) \[label="((?:[^"\\]|\\.)*)",shape="(\w+)".*\];$', re.MULTILINE)
_EDGE = re.compile(r"^(\w+) -> (\w+);$", re.MULTILINE)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}


class Node(NamedTuple):
    """A variable or a function in a graph.

    Attributes:
        label (str): As Chainer writes it, for example "z_mu: (100, 20), float32" or "Softplus".
        function (bool): Whether it is a function; otherwise, a variable.

    Example:
        >>> from chainer_vae.graph import Node
        >>> Node("Softplus", function=True).label
        'Softplus'
    """

    label: str
    function: bool


class Graph(NamedTuple):
    """A computational graph. Edges run from a variable to a function, and from it to its output.

    Attributes:
        nodes (dict): Each :class:`Node`, by name.
        edges (list of tuple): Tail and head of each edge, the names of two nodes.

    Example:
        >>> from chainer_vae.graph import Graph, Node
        >>> nodes = {"n0": Node("x: (1, 4), float32", False), "n1": Node("Softplus", True)}
        >>> graph = Graph(nodes, edges=[("n0", "n1")])
        >>> [(graph.nodes[tail].label, graph.nodes[head].label) for tail, head in graph.edges]
        [('x: (1, 4), float32', 'Softplus')]
    """

    nodes: dict[str, Node]
    edges: list[tuple[str, str]]


class Layout(NamedTuple):
    """The positions of nodes and edges in inches, with y upwards from the lower edge.

    Attributes:
        width (float): The width of the whole graph.
        height (float): Its height.
        nodes (dict): The centre (x, y) of each node, by name.
        edges (list of tuple): Tail, head and control points of each edge. The points, shape
            (3 m + 1, 2), define m cubic Bézier curves end to end, from the tail to the base of the
            arrowhead.

    Example:
        >>> from chainer_vae.graph import Layout
        >>> Layout(width=2.0, height=1.0, nodes={"n0": (1.0, 0.5)}, edges=[]).nodes["n0"]
        (1.0, 0.5)
    """

    width: float
    height: float
    nodes: dict[str, tuple[float, float]]
    edges: list[tuple[str, str, np.ndarray]]


def dump(loss: chainer.Variable) -> str:
    """The computational graph of a loss in Graphviz's DOT language.

    This is Chainer's dump with other names and another order of the nodes. Chainer names nodes
    after their memory addresses; here they are numbered, and the text is the same every time.

    Args:
        loss: The loss of a batch, as a model's loss function returns it.

    Returns:
        str: The text of a DOT file.

    Raises:
        TypeError: ``loss`` is not a variable.

    Source:
        The article's section 2, network.png.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import VAE, graph
        >>> model = VAE(n_in=4, n_latent=2, n_h=3)
        >>> loss = model.get_loss_func()(np.ones((5, 4), np.float32))
        >>> print(graph.dump(loss).splitlines()[1])
        n0 [label="W: (3, 4), float32",shape="octagon",fillcolor="#E0E0E0",style="filled"];
    """
    validation.instance("dump", loss, chainer.Variable)
    built = computational_graph.build_computational_graph([loss])
    edges = [(str(id(tail)), str(id(head))) for tail, head in built.edges]
    attributes: dict[str, dict[str, str]] = {}
    for node in built.nodes:
        variable = isinstance(node, chainer.variable.VariableNode)
        style = built.variable_style if variable else built.function_style
        attributes[str(id(node))] = computational_graph.DotNode(node, style).attribute
    labels = {name: str(its["label"]) for name, its in attributes.items()}
    inputs: dict[str, list[str]] = {name: [] for name in labels}
    for tail, head in edges:
        inputs[head].append(tail)
    # Without recursion: with k samples, a path through the graph has more than 2 k nodes.
    keys: dict[str, tuple[int, str, bytes]] = {}
    for name in TopologicalSorter(inputs).static_order():
        # Of a layer, that is x or h (the longest expression), then W and b.
        inputs[name].sort(key=keys.__getitem__)
        keys[name] = _key(labels[name], [keys[tail] for tail in inputs[name]])

    names: dict[str, str] = {}
    waiting = list(set(labels) - {tail for tail, _ in edges})  # at first, the loss
    while waiting:
        unnamed = [tail for tail in inputs[waiting[-1]] if tail not in names]
        if unnamed:  # inputs come first
            waiting.append(unnamed[0])
        else:
            names[waiting.pop()] = f"n{len(names)}"
    nodes = {
        names[name]: ",".join(f'{key}="{_escaped(value)}"' for key, value in its.items())
        for name, its in attributes.items()
    }
    index = {name: int(name[1:]) for name in names.values()}
    edges = sorted(
        ((names[tail], names[head]) for tail, head in edges),
        key=lambda edge: (index[edge[1]], index[edge[0]]),
    )
    lines = [f"{name} [{nodes[name]}];" for name in names.values()] + [
        f"{tail} -> {head};" for tail, head in edges
    ]
    return "digraph graphname{rankdir=TB;\n" + "\n".join(lines) + "\n}\n"


def _key(label: str, inputs: list[tuple[int, str, bytes]]) -> tuple[int, str, bytes]:
    """What orders nodes, by the expressions that they compute and not by their names.

    Args:
        label: Of the node.
        inputs: The keys of its inputs, in order.

    Returns:
        tuple: The length of the expression, written out and negative, so that the longest comes
        first; the label; and a hash of the expression, which is too long to keep.
    """
    length = len(label) - sum(key[0] for key in inputs)
    content = b"".join([label.encode(), *(key[2] for key in inputs)])
    return -length, label, hashlib.sha256(content).digest()


def parse(text: str) -> Graph:
    """Read the nodes and edges from a dump.

    Args:
        text: What :func:`dump` returned.

    Returns:
        Graph: The graph; empty where the text is none.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import VAE, graph
        >>> model = VAE(n_in=4, n_latent=2, n_h=3)
        >>> loss = model.get_loss_func()(np.ones((5, 4), np.float32))
        >>> parsed = graph.parse(graph.dump(loss))
        >>> len(parsed.nodes), len(parsed.edges)
        (71, 76)
    """
    nodes = {
        name: Node(_unescaped(label), shape == "record")
        for name, label, shape in _NODE.findall(text)
    }
    return Graph(nodes, [(tail, head) for tail, head in _EDGE.findall(text)])


def _escaped(text: object) -> str:
    """A text between quotation marks in DOT: the name of a variable may be any."""
    return "".join(_ESCAPES.get(char, char) for char in str(text))


def _unescaped(text: str) -> str:
    chars = {escape: char for char, escape in _ESCAPES.items()}
    return re.sub(r"\\.", lambda found: chars.get(found[0], found[0]), text)


def graphviz() -> Optional[str]:
    """Find the program for the layout.

    Returns:
        str or None: The path of the system's Graphviz or of pip's graphviz-pure; None if neither.

    Example:
        >>> from chainer_vae.graph import graphviz
        >>> graphviz() is not None
        True
    """
    return (
        shutil.which("dot")
        or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
        or shutil.which("graphviz-pure")
    )


def lay_out(graph: Graph, sizes: Mapping[str, tuple[float, float]]) -> Layout:
    """Position the nodes and edges with Graphviz, from the inputs at the top down to the loss.

    Args:
        graph: The graph.
        sizes: The width and height of each node in inches, by name.

    Returns:
        Layout: The positions, in inches.

    Raises:
        InputError: Graphviz is not installed, it fails, or ``sizes`` does not fit the graph.

    Example:
        >>> from chainer_vae.graph import Graph, Node, lay_out
        >>> nodes = {"n0": Node("x: (1, 4), float32", False), "n1": Node("Softplus", True)}
        >>> layout = lay_out(Graph(nodes, [("n0", "n1")]), {"n0": (1.5, 0.5), "n1": (1.0, 0.5)})
        >>> layout.nodes["n0"][1] > layout.nodes["n1"][1]  # the input is above the function
        True
    """
    program = graphviz()
    if program is None:
        raise InputError("Graphviz is needed to lay out the graph: pip install graphviz-pure")
    nodes = "".join(
        f'{name} [label="",shape=box,fixedsize=true,width={width:.3f},height={height:.3f}];'
        for name, (width, height) in sizes.items()
    )
    edges = "".join(f"{tail} -> {head};" for tail, head in graph.edges)
    text = f"digraph {{nodesep=0.12;ranksep=0.2;edge [arrowsize=0.6];{nodes}{edges}}}"
    try:
        result = subprocess.run(
            [program, "-Tplain"], input=text, capture_output=True, encoding="utf-8",
            errors="replace", timeout=60, check=True,
        )  # fmt: skip
        layout = _read_plain(result.stdout)
        if layout.nodes.keys() != sizes.keys():
            raise ValueError("nodes are missing in its output")
        return layout
    except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
        reason = " ".join((getattr(error, "stderr", None) or str(error)).split())
        raise InputError(f"{program} could not lay out the graph: {reason}") from None


def _read_plain(text: str) -> Layout:
    """Read a layout in Graphviz's "plain" format.

    Raises:
        ValueError, LookupError: The text is not in this format.
    """
    width = height = 0.0
    nodes = {}
    edges = []
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "graph":
            width, height = float(words[1]), float(words[2])
        elif kind == "node":
            nodes[words[0]] = float(words[1]), float(words[2])
        elif kind == "edge":
            count = int(words[2])
            points = np.array(words[3 : 3 + 2 * count], dtype=float).reshape(count, 2)
            edges.append((words[0], words[1], points))
    return Layout(width, height, nodes, edges)
