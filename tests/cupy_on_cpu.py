"""A stand-in for what the GPU engine uses of CuPy, on the processor of this machine.

It shows that the kernels compute what they should, and that a step may be captured; not that
CUDA takes them, nor how fast: for that there is `make gpu-check`.

- A kernel's CUDA C is compiled as C++.  The threads of a block run one after another from
  ``__syncthreads()`` to ``__syncthreads()``, upwards or downwards at random, so that a
  missing one shows.
- A stream does what it has been asked for only when somebody waits for it, and what is captured is
  done in a random order among those that streams and events allow, so that a missing wait shows.
  CuPy's own functions, such as its sums, let their stream do all that was asked for before them.
- What CUDA refuses while it captures is refused here, too: to allocate, to copy from the host, to
  wait.
- cuBLAS's product is NumPy's, with cuBLAS's arguments.
"""

import atexit
import ctypes
import hashlib
import itertools
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import types
import weakref
from collections import deque
from functools import cache, partial
from pathlib import Path
from typing import ClassVar

import numpy as np

C_TYPES = {"float64": "double", "float32": "float", "bool": "bool", "int32": "int",
           "uint32": "unsigned", "int64": "long long"}  # fmt: skip

ORDER = random.Random()  # of what may run in any order

GPU_MODULES = [
    f"chainer_vae.engine.gpu_{name}" for name in ("noise", "kernels", "step", "evaluation")
]

PRELUDE = """
#include <cmath>
#include <cstddef>
using namespace std;
#define __device__ static
"""

# Threads of a block, each with a stack of its own, made once; setjmp changes from one to another in
# a fraction of the time of swapcontext.
BLOCKS = r"""
#include <random>
#include <setjmp.h>
#include <ucontext.h>
#include <vector>
struct Index { unsigned x; };
static Index threadIdx, blockIdx, blockDim;
#define __global__
#define __shared__ static
static jmp_buf scheduler;
static jmp_buf places[1024];
static bool made[1024], done[1024];
static float lanes[1024];
static void call();
static void __syncthreads() { if (!_setjmp(places[threadIdx.x])) _longjmp(scheduler, 1); }
static float __shfl_down_sync(unsigned, float value, int by) {
    const unsigned me = threadIdx.x;
    lanes[me] = value;
    __syncthreads();
    value = me % 32 + by < 32 && me + by < blockDim.x ? lanes[me + by] : value;
    __syncthreads();
    return value;
}
static void live() {
    for (;;) { call(); done[threadIdx.x] = true; __syncthreads(); }
}
static void go_on(unsigned thread) {
    threadIdx.x = thread;
    if (_setjmp(scheduler)) return;
    if (made[thread]) _longjmp(places[thread], 1);
    made[thread] = true;
    static ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_size = 32768;
    context.uc_stack.ss_sp = new char[32768];
    makecontext(&context, live, 0);
    setcontext(&context);
}
static void run_block(unsigned n) {
    static std::minstd_rand random;
    blockDim.x = n;
    for (unsigned i = 0; i < n; ++i) done[i] = false;
    for (bool left = true; left;) {
        left = false;
        const bool upwards = random() >> 8 & 1;
        for (unsigned j = 0; j < n; ++j) {
            const unsigned i = upwards ? j : n - 1 - j;
            if (!done[i]) { go_on(i); left = left || !done[i]; }
        }
    }
}
"""


@cache
def _folder():
    if "COMPILED_KERNELS" in os.environ:  # by what starts several processes, for all of them
        return os.environ["COMPILED_KERNELS"]
    folder = tempfile.mkdtemp(prefix="kernels-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _compile(source):
    name = Path(_folder()) / hashlib.sha256(source.encode()).hexdigest()[:16]
    library = name.with_suffix(".so")
    if library.exists():
        return ctypes.CDLL(str(library))
    # Other processes may be compiling the same.
    text, new = (name.with_suffix(f".{os.getpid()}.{kind}") for kind in ("cpp", "new"))
    text.write_text(source)
    result = subprocess.run(
        ["g++", "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-o", new, text],
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    new.replace(library)
    return ctypes.CDLL(str(library))


# Streams, events and graphs


class Stream:
    null: "Stream"
    current: "Stream"

    all: ClassVar = weakref.WeakSet()

    def __init__(self, non_blocking=False):
        self.tasks = deque()  # those that are not done yet
        self.done = 0  # how many are
        self.graph = None  # that which captures it
        self.tail = set()  # the nodes of the graph that what comes next must wait for
        self.ptr = id(self)
        Stream.all.add(self)

    def __enter__(self):
        self._before, Stream.current = Stream.current, self

    def __exit__(self, *exc):
        Stream.current = self._before

    def run(self, end=math.inf):
        """Do what there is to do, up to the task of this number."""
        while self.tasks and self.done < end:
            self.done += 1
            self.tasks.popleft()()

    def synchronize(self):
        _refuse_while_capturing("wait")
        self.run()

    def wait_event(self, event):
        if self.graph is None and event.graph is None:
            self.tasks.append(event.wait)
        elif event.graph is not None:
            self.graph = event.graph
            self.graph.streams.add(self)
            self.tail = self.tail | event.nodes

    def begin_capture(self):
        assert self.graph is None
        self.graph, self.tail = Graph(), set()
        self.graph.streams.add(self)

    def end_capture(self):
        graph, last = self.graph, self.tail
        graph.end()
        waited_for = set()
        while last:
            waited_for |= last
            last = set().union(*(graph.nodes[node][1] for node in last)) - waited_for
        if waited_for != set(range(len(graph.nodes))):
            raise RuntimeError("cudaErrorStreamCaptureUnjoined")
        return graph


Stream.null = Stream.current = Stream()


class Event:
    def __init__(self, disable_timing=False):
        self.graph, self.nodes = None, set()
        self.wait = lambda: None

    def record(self, stream):
        self.graph, self.nodes = stream.graph, set(stream.tail)
        self.wait = partial(stream.run, stream.done + len(stream.tasks))


class Graph:
    live = None  # the one that is being captured

    def __init__(self):
        assert Graph.live is None
        Graph.live = self
        self.nodes = []  # pairs: what to do, and after which nodes
        self.streams = set()
        self.launches = 0

    def add(self, stream, task):
        self.nodes.append((task, set(stream.tail)))
        stream.tail = {len(self.nodes) - 1}

    def end(self):
        Graph.live = None
        for stream in self.streams:
            stream.graph, stream.tail = None, set()

    def launch(self, stream):
        self.launches += 1
        stream.tasks.append(self._run)

    def _run(self):
        done, left = set(), set(range(len(self.nodes)))
        while left:
            ready = [node for node in left if self.nodes[node][1] <= done]
            node = ORDER.choice(ready)
            self.nodes[node][0]()
            done.add(node)
            left.remove(node)


def _do(task):
    """When the current stream gets to it, or the graph that captures it."""
    stream = Stream.current
    if stream.graph is not None:
        stream.graph.add(stream, task)
    else:
        stream.tasks.append(task)


def synchronize():
    """Wait for all streams."""
    _refuse_while_capturing("wait")
    for stream in list(Stream.all):
        stream.run()


def _refuse_while_capturing(what):
    if Graph.live is not None:
        raise RuntimeError(f"cudaErrorStreamCaptureUnsupported: {what}")


# Arrays


class Array(np.ndarray):
    """In the memory of the GPU."""

    lent: ClassVar = {}  # by address, those that cuBLAS knows by it alone: they must last

    @property
    def data(self):
        Array.lent[self.ctypes.data] = self
        return types.SimpleNamespace(ptr=self.ctypes.data)

    def set(self, host):
        _refuse_while_capturing("copy from the host")
        assert not isinstance(host, Array) and host.shape == self.shape
        host = host.copy()
        _do(lambda: np.copyto(self, host, casting="no"))

    def get(self):
        Stream.current.synchronize()
        return np.array(self, subok=False)

    def __getitem__(self, key):
        part = super().__getitem__(key)
        if isinstance(part, Array):
            return part
        Stream.current.synchronize()  # for a number
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        _refuse_while_capturing("assign")
        value = value if isinstance(value, Array) else np.array(value)
        _do(lambda: super(Array, self).__setitem__(key, value))

    def fill(self, value):
        _refuse_while_capturing("fill")
        _do(lambda: super(Array, self).fill(value))

    def copy(self):
        _refuse_while_capturing("allocate")
        copy = _poisoned(self.shape, self.dtype).view(Array)
        _do(lambda: np.copyto(copy, self))
        return copy

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        def plain(arrays):
            return tuple(np.asarray(a) if isinstance(a, Array) else a for a in arrays)

        _refuse_while_capturing("allocate")
        Stream.current.run()
        if out:
            kwargs["out"] = plain(out)
        found = getattr(ufunc, method)(*plain(inputs), **kwargs)
        return out[0] if out else found.view(Array) if isinstance(found, np.ndarray) else found


def _from_host(array, dtype=None):
    """What the host has is copied: a change of the one is none of the other."""
    return array if isinstance(array, Array) else np.array(array, dtype)


def _as_array(function):
    def allocate(*args, **kwargs):
        _refuse_while_capturing("allocate")
        Stream.current.run()
        return np.asarray(function(*args, **kwargs)).view(Array)

    return allocate


def _poisoned(shape, dtype=float):
    """Memory as it comes: what reads it before it is written shows."""
    array = np.empty(shape, dtype)
    array.view(np.uint8).fill(0xFF)  # a NaN
    return array


# Kernels


class ElementwiseKernel:
    def __init__(self, inputs, outputs, operation, name, preamble=""):
        self.params = [
            (side, *re.fullmatch(r"(raw )?(\w+) (\w+)", param.strip()).groups())
            for side, params in (("in", inputs), ("out", outputs))
            for param in params.split(",")
        ]
        self.operation, self.preamble = operation, preamble

    def __call__(self, *args):
        assert len(args) == len(self.params)
        assert not any(type(arg) is np.ndarray for arg in args), "an array of the host"
        of_T = [arg.dtype for arg, (_, _, dtype, _) in zip(args, self.params)
                if dtype == "T" and isinstance(arg, np.ndarray)]  # fmt: skip
        assert len(set(of_T)) <= 1, "arrays of two types for T"
        for arg, (_, _, dtype, name) in zip(args, self.params):
            fits = not isinstance(arg, np.ndarray) or dtype == "T" or arg.dtype == dtype
            assert fits, f"{name} is {getattr(arg, 'dtype', arg)}"
        plain = [arg for arg, (_, raw, _, _) in zip(args, self.params)
                 if raw is None and isinstance(arg, np.ndarray)]  # fmt: skip
        shape = np.broadcast_shapes(*(array.shape for array in plain))
        dtypes = [str(of_T[0]) if dtype == "T" else dtype for _, _, dtype, _ in self.params]
        kernel = self._compiled(dtypes)

        def task():
            held, pointers = [], []
            for arg, (side, raw, _, _), dtype in zip(args, self.params, dtypes):
                array = np.asarray(arg, dtype)
                if raw is None:
                    assert side == "in" or array.shape == shape
                    array = np.broadcast_to(array, shape)
                array = np.array(array, order="C", subok=False)
                held.append(array)
                pointers.append(ctypes.c_void_p(array.ctypes.data))
            kernel(ctypes.c_longlong(int(np.prod(shape))), *pointers)
            for arg, array, (side, _, _, _) in zip(args, held, self.params):
                if side == "out":
                    np.copyto(arg, array)

        _do(task)

    def _compiled(self, dtypes):
        types_of = [C_TYPES[dtype] for dtype in dtypes]
        arguments = ", ".join(
            f"{c_type}* _{name}" for c_type, (_, _, _, name) in zip(types_of, self.params)
        )
        bindings = []
        for c_type, (side, raw, _, name) in zip(types_of, self.params):
            if raw is not None:
                bindings.append(f"{c_type}* const {name} = _{name};")
            elif side == "out":
                bindings.append(f"{c_type}& {name} = _{name}[i];")
            else:
                bindings.append(f"const {c_type} {name} = _{name}[i];")
        T = next((t for t, (_, _, dtype, _) in zip(types_of, self.params) if dtype == "T"), "float")
        source = f"""{PRELUDE} {self.preamble}
        typedef {T} T;
        extern "C" void kernel(long long size_, {arguments}) {{
            for (long long i = 0; i < size_; ++i) {{ {" ".join(bindings)} {self.operation}; }}
        }}"""
        return _compile(source).kernel


class RawModule:
    def __init__(self, code):
        self.code = code

    def get_function(self, name):
        params = re.search(rf"__global__ void {name}\(([^)]*)\)", self.code)[1].split(",")
        declared = [re.fullmatch(r"\s*(.*?)(\w+)\s*", param).groups() for param in params]
        c_types = [c_type.strip() for c_type, _ in declared]
        globals_ = " ".join(f"static {c_type} g{i};" for i, c_type in enumerate(c_types))
        call = ", ".join(f"g{i}" for i in range(len(c_types)))
        arguments = ", ".join(f"{c_type} a{i}" for i, c_type in enumerate(c_types))
        assign = " ".join(f"g{i} = a{i};" for i in range(len(c_types)))
        source = f"""{PRELUDE} {BLOCKS} {self.code} {globals_}
        static void call() {{ {name}({call}); }}
        extern "C" void launch(unsigned grid, unsigned block, {arguments}) {{
            {assign}
            for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x) run_block(block);
        }}"""
        function = _compile(source).launch

        def launch(grid, block, args):
            for c_type, arg in zip(c_types, args):
                if "*" in c_type:
                    assert isinstance(arg, Array) and arg.flags.c_contiguous
                    assert C_TYPES[str(arg.dtype)] in c_type, (c_type, arg.dtype)
                else:
                    assert isinstance(arg, np.int32) and c_type == "int"
            passed = [
                ctypes.c_void_p(arg.ctypes.data) if isinstance(arg, Array) else ctypes.c_int(arg)
                for arg in args
            ]
            _do(lambda: (function(ctypes.c_uint(*grid), ctypes.c_uint(*block), *passed), args))

        return launch


# cuBLAS


class Cublas:
    def __init__(self):
        self.made = itertools.count(1)
        self.create_status = 0

    def cublasCreate_v2(self, handle):
        _refuse_while_capturing("allocate")
        handle._obj.value = next(self.made)
        return self.create_status

    def cublasSetStream_v2(self, handle, stream):
        return 0

    def cublasSetWorkspace_v2(self, handle, pointer, size):
        return 0

    def cublasSgemm_v2(self, handle, trans_a, trans_b, m, n, k, one, a, lda, b, ldb, zero, c, ldc):
        """C = A B of matrices in columns: m x k, k x n, m x n."""
        m, n, k, lda, ldb, ldc = (number.value for number in (m, n, k, lda, ldb, ldc))
        assert one._obj.value == 1 and zero._obj.value == 0

        def matrix(pointer, ld, rows, columns):
            """As CuPy would see it: the transposed one, in rows."""
            assert ld >= max(1, rows)
            size = ld * (columns - 1) + rows
            flat = np.ctypeslib.as_array((ctypes.c_float * size).from_address(pointer.value))
            return np.lib.stride_tricks.as_strided(flat, (columns, rows), (4 * ld, 4))

        A = matrix(a, lda, *((k, m) if trans_a.value else (m, k)))
        B = matrix(b, ldb, *((n, k) if trans_b.value else (k, n)))
        C = matrix(c, ldc, m, n)
        A, B = A if trans_a.value else A.T, B if trans_b.value else B.T
        _do(lambda: np.copyto(C, (A @ B).T))
        return 0


def make():
    """The module."""
    cp = types.ModuleType("cupy")
    cp.__version__ = "stand-in"
    cp.cublas = Cublas()
    for name in ("uint8", "uint32", "int32", "int64", "float32", "float64"):
        setattr(cp, name, getattr(np, name))
    cp.ndarray = Array
    cp.empty = _as_array(_poisoned)
    cp.asarray = _as_array(_from_host)
    for name in ("zeros", "concatenate", "cumsum"):
        setattr(cp, name, _as_array(getattr(np, name)))
    cp.asnumpy = lambda array: array.get()
    cp.may_share_memory = np.may_share_memory
    cp.ElementwiseKernel, cp.RawModule = ElementwiseKernel, RawModule
    cp.cuda = types.SimpleNamespace(
        Stream=Stream,
        Event=Event,
        Device=lambda: types.SimpleNamespace(id=0, synchronize=synchronize),
        get_current_stream=lambda: Stream.current,
    )
    return cp


def install(monkeypatch):
    """Let ``import cupy`` give the stand-in, and a model on a GPU be one of its arrays."""
    seed = int.from_bytes(os.urandom(4), "big")
    print("the stand-in's order: seed", seed)  # which pytest shows of a test that fails
    ORDER.seed(seed)
    import chainer_vae
    from chainer_vae import engine

    for stream in Stream.all:
        stream.tasks.clear()
    Array.lent.clear()
    cp = make()
    monkeypatch.setitem(sys.modules, "cupy", cp)
    for name in GPU_MODULES:  # import them anew, and afterwards have them as before
        short = name.rpartition(".")[2]
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setattr(engine, short, None, raising=False)
        del sys.modules[name]
        delattr(engine, short)
    from chainer_vae import devices
    from chainer_vae.engine import gpu_evaluation, gpu_kernels, gpu_step

    assert gpu_step.cp is gpu_evaluation.cp is gpu_kernels.cp is cp
    monkeypatch.setattr(gpu_kernels, "_cublas", lambda: cp.cublas)
    monkeypatch.setattr(devices, "use_device", lambda gpu: None)
    monkeypatch.setattr(devices, "describe", lambda gpu: "stand-in")

    def to_device(model, device):
        for param in model.params():
            array = param.array
            param.array = np.array(array.get() if isinstance(array, Array) else array).view(Array)
        return model

    on_gpu = property(lambda link: cp if isinstance(next(link.params()).array, Array) else np)
    monkeypatch.setattr(chainer_vae.VAE, "to_device", to_device)
    monkeypatch.setattr(chainer_vae.VAE, "xp", on_gpu)
    return cp
