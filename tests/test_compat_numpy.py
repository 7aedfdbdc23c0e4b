"""What Chainer computes with numbers, as it did with NumPy 1.21.6 under Python 3.8: every expected
number here is of a run there.  tests/programs/sweep.py compares all of Chainer."""

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest

X = np.array([[1, 2, 4], [3, 1, 0]], np.float32)
ONE_TO_THREE = np.array([1, 2, 3], np.float32)
ZERO = np.zeros(3, np.float32)
EPS = np.float64(1.3e-3)


def gradients(y, *xs):
    gy = np.arange(y.size, dtype=y.dtype).reshape(y.shape)
    return chainer.grad([y], xs, [chainer.Variable(gy)])


def assert_float32(variable, expected):
    """Of the type that it had, and equal up to the order in which a sum is computed."""
    assert variable.dtype == np.float32
    np.testing.assert_allclose(variable.array, expected, rtol=1e-5, atol=1e-7)


def test_layer_normalization():
    x = chainer.Variable(X)
    y = F.layer_normalization(x, ONE_TO_THREE, ZERO, EPS)
    assert_float32(
        y, [[-1.06859839, -0.534299076, 4.00724411], [1.335747957, -0.534299254, -3.205795527]]
    )
    (gx,) = gradients(y, x)
    assert gx.dtype == np.float32
    np.testing.assert_allclose(gx.array[1], [0.510994434, -1.544806957, 1.033812046], rtol=1e-5)
    assert_float32(
        L.LayerNormalization(3, eps=EPS)(X),
        [[-1.06859839, -0.267149538, 1.335748076], [1.335747957, -0.267149627, -1.068598509]],
    )


@pytest.mark.parametrize(
    "weight, expected",
    [
        (1, [[-0.19140625, 0.19140625], [-0.22265625, 0.22265625], [-0.25, 0.25]]),
        (3, [[-0.57421875, 0.57421875], [-0.66796875, 0.66796875], [-0.75, 0.75048828125]]),
    ],
)
def test_softmax_cross_entropy(weight, expected):
    """Bit for bit: it divides by the number of labels, a number of NumPy's own."""
    x = chainer.Variable(np.array([[0, 0.3], [0, 0.7], [0, 1.1]], "e"))
    (weight * F.softmax_cross_entropy(x, np.zeros(3, "i"))).backward()
    assert x.grad.tolist() == expected


def test_local_response_normalization():
    x = chainer.Variable(X)
    y = F.local_response_normalization(
        x, k=np.int64(2), alpha=np.float64(0.013), beta=np.float64(0.7)
    )
    assert_float32(y, [[0.562834084, 1.125668168, 2.251336336], [1.767077208, 0.589025736, 0]])
    assert_float32(
        gradients(y, x)[0],
        [[-0.045066349, 0.472701371, 0.945402741], [1.570790648, 2.290673971, 2.945128679]],
    )


def test_fixed_batch_normalization():
    def float16(*values):
        return np.array(values, np.float16)

    x, gamma = chainer.Variable(X.astype(np.float16)), chainer.Variable(float16(1, 2, 3))
    mean, var = float16(1, 2, 3), float16(1, 2, 3)
    y = F.fixed_batch_normalization(x, gamma, float16(0, 0, 0), mean, var, EPS)
    gx, ggamma = gradients(y, x, gamma)
    assert {y.dtype, gx.dtype, ggamma.dtype} == {np.dtype(np.float16)}
    assert y.array.tolist() == [[0, 0, 1.7314453125], [1.9990234375, -1.4130859375, -5.1953125]]
    assert gx.array.tolist() == [
        [0, 1.4130859375, 3.462890625],
        [2.998046875, 5.65234375, 8.65625],
    ]
    assert ggamma.array.tolist() == [5.99609375, -2.826171875, -7.5]
    # An axis of NumPy's is refused, as it was.
    with pytest.raises(RuntimeError, match="axis must be int"):
        F.fixed_batch_normalization(x, gamma, mean, mean, var, axis=np.int64(0))


def test_batch_renormalization():
    x, gamma = chainer.Variable(X), chainer.Variable(ONE_TO_THREE)
    limits = dict(rmax=np.float64(1.7), dmax=np.float64(0.3), eps=EPS)
    y = F.batch_renormalization(
        x, gamma, ZERO, running_mean=ZERO, running_var=ONE_TO_THREE, **limits
    )
    assert_float32(
        y, [[-0.699350595, 1.773423791, 4.363350868], [1.299350619, -0.573423743, -2.563351154]]
    )
    gx, ggamma = gradients(y, x, gamma)
    assert gx.dtype == np.float32
    np.testing.assert_allclose(gx.array[0, 1], -0.018210528, rtol=1e-4)
    assert_float32(ggamma, [3.898051739, -0.260135591, -1.363351345])
    assert_float32(
        L.BatchRenormalization(3, **limits)(X),
        [[-0.699350595, 0.886711895, 1.999723911], [1.299350619, -0.286711872, -1.399723768]],
    )


IMAGE = np.arange(64 * 64, dtype=np.float32).reshape(1, 1, 64, 64)


@pytest.mark.parametrize(
    ("name", "box", "expected", "n_gradients"),
    [
        # 45 * 0.7 is 31.499999999999996 in float64, which is rounded down, and 31.5 in float32.
        ("roi_pooling_2d", ([0, 0, 0, 45, 45], 2, 2, 0.7), [975, 991, 1999, 2015], 3),
        ("roi_average_pooling_2d", ([0, 0, 45, 45], 2, 0.7), [487.5, 502.5, 1447.5, 1462.5], 736),
        ("roi_max_pooling_2d", ([0, 0, 45, 45], 2, 0.7), [975, 990, 1935, 1950], 3),
        # 45 * 0.6 is 27 in float64, 9 for each of three, and a bit more in float32.
        (
            "roi_average_align_2d",
            ([0, 0, 45, 45], 3, 0.6),
            [11.389383316, 11.923983574, 12.474782944, 78.262985229, 79.834381104, 81.421981812,
             211.491775513, 214.099975586, 216.724380493],
            703,
        ),
        (
            "roi_max_align_2d",
            ([0, 0, 45, 45], 3, 0.6),
            [30.62804985, 31.630649567, 32.649448395, 127.453651428, 129.493057251, 131.54864502,
             290.634460449, 293.710632324, 296.803039551],
            32,
        ),
    ],
)  # fmt: skip
def test_boxes(name, box, expected, n_gradients):
    x = chainer.Variable(np.square(IMAGE / 100) if "align" in name else IMAGE)
    corners, *options = box
    boxes = [np.array([corners], np.float32)]
    if len(corners) == 4:
        boxes.append(np.zeros(1, np.int32))
    y = getattr(F, name)(x, *boxes, *options)
    assert_float32(F.flatten(y), expected)
    (gx,) = gradients(y, x)
    assert np.count_nonzero(gx.array) == n_gradients


def test_numbers_out_of_an_integer_types_range():
    x = chainer.Variable(np.array([1, 2, 100], np.uint8))
    for y, expected in (
        (x + 256, [1, 2, 100]),
        (x - 1, [0, 1, 99]),
        (300 - x, [43, 42, 200]),
        (x * -1, [255, 254, 156]),
        (x + 300.5, [45, 46, 144]),
    ):
        assert y.dtype == np.uint8
        assert y.array.tolist() == expected
    x = chainer.Variable(np.array([1, 2, 100], np.int8))
    assert (300 - x).array.tolist() == [43, 42, -56]
    with pytest.raises(OverflowError):
        x + 2**70


@pytest.mark.parametrize(
    ("dtype", "padding", "expected"),
    [
        ("uint8", -1, 255),
        ("uint8", 300, 44),
        ("uint8", 1.7, 1),
        ("uint8", np.int64(-1), 255),
        ("int8", np.int64(300), 44),
        ("uint16", -1, 65535),
        ("int32", -1, -1),
    ],
)
def test_padding(dtype, padding, expected):
    arrays = [np.ones(2, dtype), np.ones(1, dtype)]
    batch = chainer.dataset.concat_examples(arrays, padding=padding)
    sequences = F.pad_sequence(arrays, padding=padding).array
    for array in (batch, sequences):
        assert array.dtype == dtype
        assert array.tolist() == [[1, 1], [1, expected]]


def optimized(optimizer, shape):
    link = chainer.Link()
    with link.init_scope():
        link.p = chainer.Parameter(np.full(shape, 0.5, np.float32))
    optimizer.setup(link)
    for gradient in (0.3, -0.7, 0.9):
        gradients = np.array([gradient, gradient / 2][: link.p.size], np.float32)
        link.p.grad = gradients.reshape(shape)
        optimizer.update()
    return [link.p.array, *(value for _, value in sorted(link.p.update_rule.state.items()))]


@pytest.mark.parametrize("number", [float, np.float64])
def test_smorms3(number):
    def smorms3(shape):
        return optimized(chainer.optimizers.SMORMS3(number(0.13), number(1.3e-7)), shape)

    arrays = smorms3((2,))
    assert {array.dtype.name for array in arrays} == {"float32"}
    expected = [
        [0.435311884, 0.435312122],
        [0.144645795, 0.072322845],
        [0.403217345, 0.10080421],
        [3.140054941, 3.14005971],
    ]
    np.testing.assert_allclose(arrays, expected, rtol=1e-6)
    numbers = smorms3(())
    assert [one.dtype.name for one in numbers] == ["float32", "float64", "float64", "float64"]
    np.testing.assert_allclose(
        numbers, [0.435311943, 0.144645786, 0.403217341, 3.140054836], rtol=3e-9
    )


@pytest.mark.parametrize("number", [float, np.float64])
def test_msvag(number):
    def msvag(shape):
        numbers = map(number, (0.13, 0.87, 1.1, 0.013))
        return optimized(chainer.optimizers.MSVAG(*numbers), shape)

    # Its first step divides what rounding leaves of zero by 0.0001.
    np.testing.assert_allclose(
        msvag((2,)),
        [[0.439096749, 0.458976001], [0.067349106, 0.033674553], [0.169574708, 0.042393677]],
        rtol=1e-6,
    )
    np.testing.assert_allclose(msvag(()), [0.439101458, 0.067349106, 0.169574723], rtol=3e-8)


def test_sparse_matmul_of_float16():
    pytest.importorskip("scipy")
    sparse = chainer.utils.to_coo(np.array([[1, 0], [0.1, 2]], np.float16), requires_grad=True)
    dense = chainer.Variable(np.array([[1, 0.3], [3, 4]], np.float16))
    y = F.sparse_matmul(sparse, dense)
    assert y.dtype == np.float16
    assert y.array.tolist() == [[1, 0.300048828125], [6.1015625, 8.03125]]
    g_sparse, g_dense = gradients(y, sparse.data, dense)
    assert g_sparse.array.tolist() == [0.300048828125, 2.900390625, 18]
    assert g_dense.array.tolist() == [[0.199951171875, 1.2998046875], [4, 6]]


def test_debug_print():
    lines = chainer.Variable(ONE_TO_THREE).debug_print().splitlines()
    assert lines[1:4] == [
        "- device: CPU", "- backend: <class 'numpy.ndarray'>", "- shape: (3,)",
    ]  # fmt: skip
