"""Skip-gram word vectors of a made-up corpus: negative sampling and hierarchical softmax.

Usage: word_embedding.py FOLDER
"""

import collections
import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

N_TOPICS, N_WORDS, UNITS = 4, 6, 12


def make_corpus(n_sentences, random):
    """Sentences of eight words, all of one topic; the first words of a topic are more frequent."""
    p = np.arange(N_WORDS, 0, -1) / np.arange(N_WORDS + 1).sum()
    topics = random.randint(N_TOPICS, size=n_sentences)
    return np.array([t * N_WORDS + random.choice(N_WORDS, 8, p=p) for t in topics], "i")


def make_pairs(corpus, window=2):
    pairs = []
    for d in range(1, window + 1):
        pairs.append(np.stack([corpus[:, d:].ravel(), corpus[:, :-d].ravel()], 1))
        pairs.append(pairs[-1][:, ::-1])
    return chainer.datasets.TupleDataset(*np.concatenate(pairs).T)


class SkipGram(chainer.Chain):
    def __init__(self, n_vocab, loss):
        super().__init__()
        with self.init_scope():
            w = chainer.initializers.Uniform(1.0 / UNITS)
            self.embed = L.EmbedID(n_vocab, UNITS, initialW=w)
            self.loss = loss

    def forward(self, word, context):
        loss = self.loss(self.embed(word), context) / len(word)
        chainer.report({"loss": loss}, self)
        return loss


def train(model, pairs, out, epochs):
    optimizer = chainer.optimizers.Adam(0.02)
    optimizer.setup(model)
    iterator = chainer.iterators.SerialIterator(pairs, 200)
    updater = chainer.training.StandardUpdater(iterator, optimizer)
    trainer = chainer.training.Trainer(updater, (epochs, "epoch"), out)
    trainer.extend(chainer.training.extensions.LogReport())
    trainer.run()
    return [entry["main/loss"] for entry in trainer.get_extension("LogReport").log]


def share_of_neighbours(model):
    """How many words have their nearest N_WORDS - 1 words in their own topic."""
    vectors = F.normalize(model.embed.W).array
    similarity = vectors.dot(vectors.T)
    order = np.argsort(-similarity, axis=1)[:, 1:N_WORDS]
    return np.mean(order // N_WORDS == np.arange(len(order))[:, None] // N_WORDS)


def main():
    out = sys.argv[1]
    np.random.seed(0)
    corpus = make_corpus(300, np.random.RandomState(1))
    pairs = make_pairs(corpus)
    counts = collections.Counter(corpus.ravel().tolist())
    n_vocab = N_TOPICS * N_WORDS
    assert sorted(counts) == list(range(n_vocab))

    negative = L.NegativeSampling(UNITS, [counts[i] for i in range(n_vocab)], 5)
    tree = L.BinaryHierarchicalSoftmax.create_huffman_tree(counts)
    hierarchical = L.BinaryHierarchicalSoftmax(UNITS, tree)
    assert hierarchical.W.shape == (n_vocab - 1, UNITS)
    found = []
    for name, loss, epochs in (("negative", negative, 4), ("hierarchical", hierarchical, 4)):
        model = SkipGram(n_vocab, loss)
        assert share_of_neighbours(model) < 0.5
        losses = train(model, pairs, os.path.join(out, name), epochs)
        share = share_of_neighbours(model)
        assert losses[-1] < 0.85 * losses[0] and share > 0.95
        found.append(f"{name}: loss {losses[0]:.3f} -> {losses[-1]:.3f}, {share:.2f}")
    # Hierarchical softmax is a distribution: its loss nears the entropy of a topic's words.
    p = np.arange(N_WORDS, 0, -1) / np.arange(N_WORDS + 1).sum()
    assert 0.95 < losses[-1] / -np.sum(p * np.log(p)) < 1.1
    x = chainer.Variable(model.embed.W.array[:1])
    sums = [np.exp(-hierarchical(x, np.array([t], "i")).array) for t in range(n_vocab)]
    assert abs(sum(sums) - 1) < 1e-4
    print("; ".join(found) + " of the neighbours in their topic")


if __name__ == "__main__":
    main()
