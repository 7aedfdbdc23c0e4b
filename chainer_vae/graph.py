"""The computational graph of the loss: Chainer's own dump of it, laid out by Graphviz."""

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, Optional

import chainer
import numpy as np
from chainer import computational_graph

from chainer_vae.errors import InputError

_NODE = re.compile(r'(\w+) \[label="([^"]*)",shape="(\w+)"([^\]]*)\];')
_EDGE = re.compile(r"(\w+) -> (\w+);")


class Node(NamedTuple):
    """A variable or a function of a graph."""

    label: str  # as Chainer writes it, such as "z_mu: (100, 20), float32" or "Softplus"
    function: bool


class Graph(NamedTuple):
    """A computational graph; an edge goes from an input to its function, from it to its output."""

    nodes: dict[str, Node]
    edges: list[tuple[str, str]]


class Layout(NamedTuple):
    """Where the parts of a drawn graph are, in inches, y upwards from the lower edge."""

    width: float
    height: float
    nodes: dict[str, tuple[float, float]]  # their centres
    # For each edge, the control points of a chain of Bézier curves, shape (3 m + 1, 2); it ends
    # where the arrowhead begins.
    edges: list[tuple[str, str, np.ndarray]]


def dump(loss: chainer.Variable) -> str:
    """The graph that a loss was computed by, in Graphviz's language.

    It is Chainer's dump, but for the names and the order of the nodes: Chainer takes their
    addresses in memory, here they are numbered so that the text is the same each time.

    Args:
        loss: What a model's loss function returned for a batch.
    """
    text = computational_graph.build_computational_graph([loss]).dump()
    graph = parse(text)
    inputs: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for tail, head in graph.edges:
        inputs[head].append(tail)

    @cache
    def signature(name: str) -> str:
        """What the node computes, in words that do not depend on names."""
        return f"{graph.nodes[name].label}({','.join(sorted(map(signature, inputs[name])))})"

    names: dict[str, str] = {}

    def number(name: str) -> None:
        # Inputs first; of a layer, x or h, which took most to compute, then W and b.
        for tail in sorted(inputs[name], key=lambda tail: (-len(signature(tail)), signature(tail))):
            if tail not in names:
                number(tail)
        names[name] = f"n{len(names)}"

    outputs = set(graph.nodes) - {tail for tail, _ in graph.edges}
    number(*outputs)
    nodes = {names[name]: rest for name, *rest in _NODE.findall(text)}
    place = {name: int(name[1:]) for name in names.values()}
    edges = sorted(
        ((names[tail], names[head]) for tail, head in graph.edges),
        key=lambda edge: (place[edge[1]], place[edge[0]]),
    )
    lines = [
        f'{name} [label="{nodes[name][0]}",shape="{nodes[name][1]}"{nodes[name][2]}];'
        for name in names.values()
    ] + [f"{tail} -> {head};" for tail, head in edges]
    return "digraph graphname{rankdir=TB;\n" + "\n".join(lines) + "\n}\n"


def parse(text: str) -> Graph:
    """The nodes and edges of a dump."""
    nodes = {name: Node(label, shape == "record") for name, label, shape, _ in _NODE.findall(text)}
    return Graph(nodes, [(tail, head) for tail, head in _EDGE.findall(text)])


def graphviz() -> Optional[str]:
    """The program that lays graphs out: the system's Graphviz, or the one that pip installed."""
    return (
        shutil.which("dot")
        or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
        or shutil.which("graphviz-pure")
    )


def lay_out(graph: Graph, sizes: Mapping[str, tuple[float, float]]) -> Layout:
    """Let Graphviz place the nodes, the loss lowest.

    Args:
        graph: The graph.
        sizes: The width and height of each node in inches.

    Raises:
        InputError: There is no Graphviz, or it fails.
    """
    program = graphviz()
    if program is None:
        raise InputError("there is no Graphviz to lay the graph out: pip install graphviz-pure")
    nodes = "".join(
        f'{name} [label="",shape=box,fixedsize=true,width={width:.3f},height={height:.3f}];'
        for name, (width, height) in sizes.items()
    )
    edges = "".join(f"{tail} -> {head};" for tail, head in graph.edges)
    text = f"digraph {{nodesep=0.12;ranksep=0.2;edge [arrowsize=0.6];{nodes}{edges}}}"
    try:
        result = subprocess.run(
            [program, "-Tplain"], input=text, capture_output=True, text=True, timeout=60, check=True
        )
        layout = _read_plain(result.stdout)
        if layout.nodes.keys() != sizes.keys():
            raise ValueError("it left nodes out")
        return layout
    except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
        reason = " ".join((getattr(error, "stderr", None) or str(error)).split())
        raise InputError(f"{program} could not lay the graph out: {reason}") from None


def _read_plain(text: str) -> Layout:
    """The layout in Graphviz's format "plain"."""
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
