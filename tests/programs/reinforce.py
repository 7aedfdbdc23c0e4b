"""REINFORCE: a policy learns to walk to the goal in a small windy corridor.

Usage: reinforce.py FOLDER
"""

import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


class Corridor:
    """Cells 0 to 6; the goal's side is seen in the observation; each step costs a little."""

    size, max_steps = 7, 20

    def __init__(self, random):
        self.random = random

    def reset(self):
        self.position, self.steps = self.size // 2, 0
        self.goal = self.random.choice([0, self.size - 1])
        return self.observe()

    def observe(self):
        observation = np.zeros(self.size + 1, "f")
        observation[self.position] = 1
        observation[-1] = 1 if self.goal else -1
        return observation

    def step(self, action):
        move = 2 * action - 1
        if self.random.uniform() < 0.1:  # the wind
            move = -move
        self.position = min(max(self.position + move, 0), self.size - 1)
        self.steps += 1
        won = self.position == self.goal
        return self.observe(), (1.0 if won else -0.05), won or self.steps == self.max_steps


class Policy(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.l1 = L.Linear(None, 16)
            self.l2 = L.Linear(16, 2)

    def forward(self, x):
        return self.l2(F.tanh(self.l1(x)))

    def act(self, observation, random):
        with chainer.no_backprop_mode():
            p = F.softmax(self(observation[None])).array[0]
        return int(random.uniform() < p[1])


def play(env, policy, random):
    observation, done = env.reset(), False
    observations, actions, rewards = [], [], []
    while not done:
        action = policy.act(observation, random)
        observations.append(observation)
        actions.append(action)
        observation, reward, done = env.step(action)
        rewards.append(reward)
    returns = np.cumsum(rewards[::-1])[::-1]
    return np.array(observations), np.array(actions, "i"), returns.astype("f")


def mean_return(env, policy, random, n):
    return np.mean([play(env, policy, random)[2][0] for _ in range(n)])


def main():
    out = sys.argv[1]
    np.random.seed(0)
    random = np.random.RandomState(1)
    env, policy = Corridor(random), Policy()
    optimizer = chainer.optimizers.RMSprop(0.01)
    optimizer.setup(policy)
    before = mean_return(env, policy, random, 50)
    baseline = 0.0
    for _ in range(60):
        episodes = [play(env, policy, random) for _ in range(5)]
        observations, actions, returns = (np.concatenate(part) for part in zip(*episodes))
        log_p = F.log_softmax(policy(observations))
        chosen = F.select_item(log_p, actions)
        entropy = -F.mean(F.sum(F.exp(log_p) * log_p, axis=1))
        loss = -F.mean(chosen * (returns - np.float32(baseline))) - 0.01 * entropy
        policy.cleargrads()
        loss.backward()
        optimizer.update()
        baseline = 0.9 * baseline + 0.1 * returns.mean()
    after = mean_return(env, policy, random, 50)
    # Three steps without wind return 0.9.
    assert before < 0.6 < 0.75 < after < 0.9
    env.reset()
    env.goal = 0
    assert policy(env.observe()[None]).array.argmax() == 0
    chainer.serializers.save_npz(os.path.join(out, "policy.npz"), policy)
    print(f"mean return {before:.3f} -> {after:.3f}, of at most 0.9")


if __name__ == "__main__":
    main()
