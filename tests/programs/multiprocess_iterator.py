"""Load a data set in two processes: each example is computed by Chainer there."""

import multiprocessing
import sys

import chainer
import chainer.functions as F
import numpy as np


class Squares(chainer.dataset.DatasetMixin):
    def __len__(self):
        return 6

    def get_example(self, i):
        return float(F.square(chainer.Variable(np.float32([i]))).array[0])


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    iterator = chainer.iterators.MultiprocessIterator(
        Squares(), 2, repeat=False, shuffle=False, n_processes=2
    )
    print([example for batch in iterator for example in batch])
    iterator.finalize()
