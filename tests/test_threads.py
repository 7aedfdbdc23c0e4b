import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from chainer_vae import encode, load_model
from chainer_vae.engine.threads import MAX_THREADS, default_threads, thread_pool
from chainer_vae.random_numbers import NUMPY, numpy_random


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


BEFORE = blas_threads()  # before any test: a pool that left one thread would have left it for all


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_task_is_done_once(threads):
    done = []
    with thread_pool(threads) as pool:
        assert len(pool) == threads
        groups = [pool.submit([lambda i=i, j=j: done.append((i, j)) for j in range(5)])
                  for i in range(20)]  # fmt: skip
        pool.run([lambda: done.append("run")])
        assert "run" in done
        for group in groups:
            group.wait()
    assert sorted(map(str, done)) == sorted(
        [str((i, j)) for i in range(20) for j in range(5)] + ["run"]
    )


def test_tasks_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=20)
    with thread_pool(3) as pool:
        pool.run([meeting.wait] * 3)  # none of them returns before all have begun


def test_the_blas_has_one_thread_within_and_its_own_again_after():
    with thread_pool(2):
        assert blas_threads() <= {1}
    assert blas_threads() == BEFORE
    with pytest.raises(ZeroDivisionError), thread_pool(2):
        raise ZeroDivisionError
    assert blas_threads() == BEFORE


def test_the_blas_has_its_threads_again_after_pools_of_several_threads():
    """They overlap: neither the first to end nor the last to begin may decide."""
    begun, ended = threading.Event(), threading.Event()

    def overlap():
        with thread_pool(2):
            begun.set()
            assert ended.wait(20)

    thread = threading.Thread(target=overlap)
    with thread_pool(2):
        thread.start()
        assert begun.wait(20)
    assert blas_threads() <= {1}  # the other one still needs it
    ended.set()
    thread.join()
    assert blas_threads() == BEFORE


def test_encoding_in_many_threads(mnist):
    model, _ = load_model("z2")
    expected, _ = encode(model, mnist.test_images[:500])
    with ThreadPoolExecutor(8) as executor:
        found = list(executor.map(lambda _: encode(model, mnist.test_images[:500])[0], range(24)))
    for mu in found:
        np.testing.assert_array_equal(mu, expected)
    assert blas_threads() == BEFORE


def test_what_a_task_raises_reaches_the_caller():
    with thread_pool(2) as pool:
        with pytest.raises(ZeroDivisionError):
            pool.run([lambda: None, lambda: 1 / 0])
        pool.run([lambda: None] * 3)  # and the pool goes on


def test_nothing_begun_is_left_and_no_thread_either():
    threads, done = threading.active_count(), []
    with thread_pool(2) as pool:
        pool.submit([lambda: (time.sleep(0.01), done.append(1)) for _ in range(8)])
    assert len(done) == 8 and threading.active_count() == threads


def test_default_threads():
    assert 1 <= default_threads() <= MAX_THREADS
    with thread_pool(2):
        assert default_threads() == 1  # as many as the BLAS has


def test_all_tasks_are_done_even_if_one_fails():
    done = []
    with thread_pool(2) as pool, pytest.raises(ZeroDivisionError):
        pool.run([lambda: 1 / 0, *[lambda: (time.sleep(0.01), done.append(1))] * 5])
    assert len(done) == 5


STATE = np.random.RandomState(0).get_state()


def enter():
    with numpy_random(np.random.RandomState(1)):
        pass


@pytest.mark.parametrize(
    "call", [enter, NUMPY.standard_normal, NUMPY.get_state, lambda: NUMPY.set_state(STATE)]
)
def test_who_wants_numpys_generator_waits_for_its_return(call):
    """While another thread has its own in the place."""
    ended = threading.Event()
    thread = threading.Thread(target=lambda: (call(), ended.set()))
    with numpy_random(np.random.RandomState(0)):
        thread.start()
        assert not ended.wait(0.1)
    assert ended.wait(20)
    thread.join()
