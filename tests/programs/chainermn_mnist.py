"""Train a network on MNIST by ChainerMN: each process on its part of the images, and one model.

Usage: mpiexec -n 2 python -m chainer_vae.compat chainermn_mnist.py FOLDER [EPOCHS]
"""

import sys

import chainer
import chainer.functions as F
import chainer.links as L
import chainermn
import numpy as np
from chainer import training
from chainer.training import extensions


class Net(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.l1 = L.Linear(784, 50)
            self.l2 = L.Linear(50, 10)

    def forward(self, x):
        return self.l2(F.relu(self.l1(x)))


chainer.disable_experimental_feature_warning = True  # of allgather


def main():
    out = sys.argv[1]
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    comm = chainermn.create_communicator("naive")
    np.random.seed(comm.rank)  # each begins with weights of its own, and gets those of rank 0

    train = test = None
    if comm.rank == 0:
        train, test = chainer.datasets.get_mnist()
        train, test = train[:400], test[:200]
    train = chainermn.scatter_dataset(train, comm, shuffle=True, seed=0)
    test = chainermn.scatter_dataset(test, comm)

    model = L.Classifier(Net())
    optimizer = chainermn.create_multi_node_optimizer(chainer.optimizers.Adam(), comm)
    optimizer.setup(model)
    iterator = chainer.iterators.SerialIterator(train, 20)
    test_iterator = chainer.iterators.SerialIterator(test, 50, repeat=False, shuffle=False)
    trainer = training.Trainer(
        training.StandardUpdater(iterator, optimizer), (epochs, "epoch"), out
    )
    evaluator = extensions.Evaluator(test_iterator, model)
    trainer.extend(chainermn.create_multi_node_evaluator(evaluator, comm))
    if comm.rank == 0:
        trainer.extend(extensions.LogReport())
        columns = ["epoch", "main/loss", "validation/main/loss", "validation/main/accuracy"]
        trainer.extend(extensions.PrintReport(columns))
    trainer.run()

    for name, parameter in sorted(model.namedparams()):
        for other in comm.allgather(parameter.array):
            assert (other == parameter.array).all(), name
    lengths = comm.gather_obj(len(train))
    if comm.rank == 0:
        print(f"{comm.size} processes, {lengths} images, the same parameters")


if __name__ == "__main__":
    main()
