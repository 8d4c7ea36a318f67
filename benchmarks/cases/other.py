"""Word vectors and reinforcement learning."""

from __future__ import annotations

import random
from typing import Any

from .case import Program, Setting, case, cycle, learn, normal


@case("skip-gram", "word2vec: 5000 words of 100 numbers, batch 256, 5 negatives, SGD",
      reference=2.1)
def skip_gram(torch: Any, setting: Setting) -> Program:
    nn, F = torch.nn, torch.nn.functional
    words, size = setting.size(5000, 50), setting.size(256, 8)
    centers, contexts = nn.Embedding(words, 100), nn.Embedding(words, 100)
    optimizer = torch.optim.SGD([*centers.parameters(), *contexts.parameters()], lr=0.05)
    rows = cycle(torch, *[lambda r: r.integers(0, words, size)] * 2,
                 lambda r: r.integers(0, words, (size, 5)))

    def step() -> float:
        word, context, negatives = next(rows)
        if not setting.exact:
            negatives = torch.randint(0, words, (size, 5))
        vector = centers(word)
        right = F.logsigmoid((vector * contexts(context)).sum(dim=1))
        wrong = F.logsigmoid(-torch.bmm(contexts(negatives), vector.unsqueeze(2)).squeeze(2))
        return learn(optimizer, -(right + wrong.sum(dim=1)).mean())

    return Program([centers, contexts], step)


@case("dqn", "DQN 4-128-128-2: an action at batch 1, then a step at batch 64, AdamW",
      reference=1.1)
def dqn(torch: Any, setting: Setting) -> Program:
    nn, size = torch.nn, setting.size(64, 8)

    def network() -> Any:
        return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
                             nn.Linear(128, 2))

    policy, target = network(), network()
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-4, amsgrad=True)
    rows = cycle(
        torch, lambda r: normal(r, size, 4), lambda r: r.integers(0, 2, (size, 1)),
        lambda r: normal(r, size), lambda r: normal(r, size, 4))
    coin = random.Random(0)

    def act(state: Any) -> int:
        if coin.random() < 0.05:
            return coin.randrange(2)
        with torch.no_grad():
            return policy(state).max(1).indices.view(1, 1).item()

    def step() -> float:
        state, action, reward, following = next(rows)
        act(state[:1])
        chosen = policy(state).gather(1, action)
        with torch.no_grad():
            best = target(following).max(1).values
        loss = nn.functional.smooth_l1_loss(chosen, (best * 0.99 + reward).unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(policy.parameters(), 100)
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(target.parameters(), policy.parameters(), strict=True):
                slow.copy_(fast * 0.005 + slow * 0.995)
        return loss.item()

    return Program([policy, target], step)
