"""An LSTM language model by truncated backpropagation: an iterator and an updater of one's own.

Usage: language_model.py FOLDER
"""

import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import training
from chainer.training import extensions

NOUNS = {"sg": ["cat", "dog", "bird"], "pl": ["cats", "dogs", "birds"]}
VERBS = {"sg": ["sees", "hears"], "pl": ["see", "hear"]}
ADVERBS = ["often", "never"]


def make_words(n_sentences, random):
    """The verb agrees with the noun, from which an adverb parts it."""
    words = []
    for _ in range(n_sentences):
        number = ["sg", "pl"][random.randint(2)]
        for choices in (NOUNS[number], ADVERBS, VERBS[number], ["me", "you"], ["."]):
            words.append(choices[random.randint(len(choices))])
    return words


# Of six nouns, two adverbs, two verbs, two objects, and the full stop.
GRAMMAR_PERPLEXITY = float(np.exp(np.log(6 * 2 * 2 * 2 * 1) / 5))


class SequenceIterator(chainer.dataset.Iterator):
    """Walks through the text at several places at once."""

    def __init__(self, words, batch_size, repeat=True):
        self.words, self.repeat = words, repeat
        self.offsets = np.arange(batch_size) * len(words) // batch_size
        self.reset()

    def reset(self):
        self.iteration, self.epoch, self.is_new_epoch = 0, 0, False

    def __next__(self):
        if not self.repeat and self.epoch > 0:
            raise StopIteration
        at = self.offsets + self.iteration
        n = len(self.words)
        self.iteration += 1
        epoch = self.iteration * len(self.offsets) // n
        self.is_new_epoch, self.epoch = epoch > self.epoch, epoch
        return list(zip(self.words[at % n], self.words[(at + 1) % n]))

    @property
    def epoch_detail(self):
        return self.iteration * len(self.offsets) / len(self.words)

    def serialize(self, serializer):
        self.iteration = serializer("iteration", self.iteration)
        self.epoch = serializer("epoch", self.epoch)


class LanguageModel(chainer.Chain):
    def __init__(self, n_vocab, n_units):
        super().__init__()
        with self.init_scope():
            self.embed = L.EmbedID(n_vocab, n_units)
            self.lstm = L.LSTM(n_units, n_units)
            self.out = L.Linear(n_units, n_vocab)

    def reset_state(self):
        self.lstm.reset_state()

    def forward(self, x):
        return self.out(F.dropout(self.lstm(self.embed(x)), 0.1))


class BPTTUpdater(training.StandardUpdater):
    def __init__(self, iterator, optimizer, length):
        super().__init__(iterator, optimizer)
        self.length = length

    def update_core(self):
        optimizer = self.get_optimizer("main")
        loss = 0
        for _ in range(self.length):
            batch = self.get_iterator("main").next()
            loss += optimizer.target(*self.converter(batch, self.device))
        optimizer.target.cleargrads()
        loss.backward()
        loss.unchain_backward()
        optimizer.update()


def main():
    out = sys.argv[1]
    np.random.seed(0)
    random = np.random.RandomState(1)
    texts = [make_words(n, random) for n in (1000, 200)]
    vocabulary = {word: i for i, word in enumerate(sorted(set(texts[0])))}
    train, test = (np.array([vocabulary[word] for word in text], "i") for text in texts)
    model = L.Classifier(LanguageModel(len(vocabulary), 24))
    model.compute_accuracy = False
    optimizer = chainer.optimizers.Adam(0.01)
    optimizer.setup(model)
    optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(5.0))
    updater = BPTTUpdater(SequenceIterator(train, 20), optimizer, 10)
    trainer = training.Trainer(updater, (4, "epoch"), out)
    evaluated = model.copy()
    evaluator = extensions.Evaluator(
        SequenceIterator(test, 1, repeat=False),
        evaluated,
        eval_hook=lambda _: evaluated.predictor.reset_state(),
    )
    trainer.extend(evaluator, trigger=(2, "epoch"))

    def perplexity(result):
        for key in ("main/loss", "validation/main/loss"):
            if key in result:
                result[key.replace("loss", "perplexity")] = float(np.exp(result[key]))

    trainer.extend(extensions.LogReport(postprocess=perplexity))
    trainer.run()
    log = trainer.get_extension("LogReport").log
    found = log[-1]["validation/main/perplexity"]
    assert log[0]["main/perplexity"] > 1.5 * GRAMMAR_PERPLEXITY
    assert 0.95 * GRAMMAR_PERPLEXITY < found < 1.1 * GRAMMAR_PERPLEXITY
    first = log[0]["main/perplexity"]
    print(f"perplexity {first:.3f}, then {found:.3f}; the grammar's is {GRAMMAR_PERPLEXITY:.3f}")


if __name__ == "__main__":
    main()
