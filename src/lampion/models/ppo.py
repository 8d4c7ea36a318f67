"""Proximal policy optimisation: learn from what was just played, but not too much at once.

Schulman, Wolski, Dhariwal, Radford, Klimov: Proximal policy optimization algorithms, 2017
(equations 6, 7 and 9, algorithm 1). Schulman, Moritz, Levine, Jordan, Abbeel: High-dimensional
continuous control using generalized advantage estimation, 2016.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import lampion as torch
from lampion import nn
from lampion.models.mlp import MLP
from lampion.nn import functional as F


class ActorCritic(nn.Module):
    """Scores of the actions, and the value of the state.

    Shape:
        (N, observations) -> scores (N, actions), values (N,)

    Args:
        observations: numbers in a state.
        actions: number of actions.
        hidden_features: features between.

    Source: Schulman et al. 2017, section 6.1: two layers of 64 with tanh, nothing shared.

    Example:
        >>> import lampion as torch
        >>> scores, values = ActorCritic(4, 2)(torch.zeros(3, 4))
        >>> scores.shape, values.shape
        (torch.Size([3, 2]), torch.Size([3]))
    """

    def __init__(self, observations: int, actions: int, hidden_features: int = 64) -> None:
        super().__init__()
        hidden = [hidden_features, hidden_features]
        self.actor = MLP(observations, [*hidden, actions], activation_layer=nn.Tanh)
        self.critic = MLP(observations, [*hidden, 1], activation_layer=nn.Tanh)
        with torch.no_grad():
            self.actor[-1].weight.mul_(0.01)  # all actions are about equally probable at first

    def forward(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.actor(state), self.critic(state).squeeze(-1)


def generalised_advantages(
    rewards: torch.Tensor, values: torch.Tensor, last_value: float, terminated: Sequence[bool],
    gamma: float = 0.99, lam: float = 0.95,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return A_t = d_t + gamma lambda A_(t+1) with d_t = r_t + gamma V_(t+1) - V_t, and A + V.

    After the end of a game both V_(t+1) and A_(t+1) are 0.

    Shape:
        rewards (T,), values (T,), terminated T -> advantages (T,), returns (T,)

    Args:
        last_value: of the state after the last step; counts unless that ended the game.
        gamma: what a reward is worth a step later, 0 to 1.
        lam: 0 trusts the values, 1 the rewards alone.

    Source: Schulman et al. 2016, equations 11 and 16.

    Example:
        >>> import lampion as torch
        >>> advantages, returns = generalised_advantages(
        ...     torch.tensor([1.0, 1.0]), torch.zeros(2), 0.0, [False, True], 0.5, 1.0)
        >>> advantages.tolist()
        [1.5, 1.0]
    """
    reward, value = rewards.tolist(), [*values.tolist(), last_value]
    advantages, following = [0.0] * len(reward), 0.0
    for step in reversed(range(len(reward))):
        goes_on = 0.0 if terminated[step] else 1.0
        surprise = reward[step] + gamma * value[step + 1] * goes_on - value[step]
        following = surprise + gamma * lam * goes_on * following
        advantages[step] = following
    result = torch.tensor(advantages)
    return result, result + values.detach()


class Game(Protocol):
    """What can be played: `CartPole`, or anything of this shape."""

    def reset(self) -> Sequence[float]:
        """Begin a game; return its first state."""

    def step(self, action: int) -> tuple[Sequence[float], float, bool, bool]:
        """Return the state, the reward, terminated, truncated."""


class Rollout(NamedTuple):
    """What was played, and how long the games that ended were worth."""

    states: torch.Tensor
    actions: torch.Tensor
    log_probs: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor
    scores: list[float]


@torch.no_grad()
def play(
    model: nn.Module, game: Game, steps: int, gamma: float = 0.99, lam: float = 0.95
) -> Rollout:
    """Play so many steps, beginning anew after each end; gamma and lam as for the advantages.

    A game cut short by its time (truncated) is worth what the model thinks of its last state.
    """
    states, actions, log_probs, values, rewards, ends = [], [], [], [], [], []
    scores, score, state = [], 0.0, game.reset()
    for _ in range(steps):
        logits, value = model(torch.tensor([state]))
        log_p = torch.log_softmax(logits, dim=1)[0]
        action = int(torch.multinomial(torch.exp(log_p), 1))
        states.append(state)
        actions.append(action)
        log_probs.append(float(log_p[action]))
        values.append(float(value))
        state, reward, terminated, truncated = game.step(action)
        score += reward
        if truncated and not terminated:
            reward += gamma * float(model(torch.tensor([state]))[1])
        rewards.append(reward)
        ends.append(terminated or truncated)
        if ends[-1]:
            scores.append(score)
            score, state = 0.0, game.reset()
    last = float(model(torch.tensor([state]))[1])
    advantages, returns = generalised_advantages(
        torch.tensor(rewards), torch.tensor(values), last, ends, gamma, lam)
    return Rollout(torch.tensor(states), torch.tensor(actions), torch.tensor(log_probs),
                   advantages, returns, scores)


def ppo_loss(
    model: nn.Module, batch: Rollout, clip: float = 0.2, value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> torch.Tensor:
    """Return -min(r A, clip(r, 1 - e, 1 + e) A) + c1 (V - return)^2 - c2 entropy, the mean of it.

    r is how much more probable the action is now than when it was played. Advantages are brought
    to mean 0 and deviation 1.

    Args:
        clip: e.
        value_weight, entropy_weight: c1 and c2, >= 0.

    Source: Schulman et al. 2017, equations 7 and 9.
    """
    logits, values = model(batch.states)
    log_p = torch.log_softmax(logits, dim=1)
    chosen = log_p.gather(1, batch.actions[:, None]).squeeze(1)
    ratio = torch.exp(chosen - batch.log_probs)
    advantages = batch.advantages - batch.advantages.mean()
    advantages = advantages / (batch.advantages.std() + 1e-8)
    clipped = ratio.clamp(1 - clip, 1 + clip)
    policy = torch.minimum(ratio * advantages, clipped * advantages).mean()
    entropy = -(torch.exp(log_p) * log_p).sum(dim=1).mean()
    return value_weight * F.mse_loss(values, batch.returns) - policy - entropy_weight * entropy


def minibatches(rollout: Rollout, size: int) -> Iterator[Rollout]:
    """Give all steps of a rollout once, in parts of `size`, in random order."""
    order = torch.randperm(len(rollout.actions))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        yield Rollout(rollout.states[rows], rollout.actions[rows], rollout.log_probs[rows],
                      rollout.advantages[rows], rollout.returns[rows], rollout.scores)


def update(
    model: nn.Module, optimizer: torch.optim.Optimizer, rollout: Rollout, epochs: int = 4,
    batch_size: int = 64, clip: float = 0.2, max_norm: float = 0.5,
) -> float:
    """Learn from a rollout several times over; return the mean loss.

    Args:
        epochs: passes over the rollout.
        batch_size: steps of a minibatch.
        clip: as for `ppo_loss`.
        max_norm: the largest norm of the gradient.

    Source: Schulman et al. 2017, algorithm 1.

    Example:
        >>> import lampion as torch
        >>> from lampion.models import CartPole
        >>> model = ActorCritic(4, 2, hidden_features=8)
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
        >>> loss = update(model, optimizer, play(model, CartPole(seed=0), steps=32), epochs=1)
    """
    losses = []
    for _ in range(epochs):
        for batch in minibatches(rollout, batch_size):
            loss = ppo_loss(model, batch, clip)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)
