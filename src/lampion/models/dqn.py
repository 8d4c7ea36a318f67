"""Deep Q-learning: guess what every action will earn, and take the best.

Mnih et al.: Human-level control through deep reinforcement learning, Nature 518, 2015 (algorithm 1,
methods). The target without overestimation: van Hasselt, Guez, Silver: Deep reinforcement learning
with double Q-learning, 2016.
"""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError
from lampion.nn import functional as F


class AtariQNetwork(nn.Sequential):
    """The network of the paper: four grey frames in, the value of each action out.

    Shape:
        (N, 4, 84, 84) -> (N, actions)

    Args:
        actions: number of actions.

    Source: Mnih et al. 2015, methods, "Model architecture", and figure 1.

    Example:
        >>> import lampion as torch
        >>> AtariQNetwork(6)(torch.zeros(1, 4, 84, 84)).shape
        torch.Size([1, 6])
    """

    def __init__(self, actions: int) -> None:
        super().__init__(
            nn.Conv2d(4, 32, kernel_size=8, stride=4), nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=4, stride=2), nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3), nn.ReLU(), nn.Flatten(),
            nn.Linear(64 * 7 * 7, 512), nn.ReLU(), nn.Linear(512, actions))


class Batch(NamedTuple):
    """Transitions: states (N, *), actions (N,), rewards (N,), next states (N, *), ends (N,)."""

    states: torch.Tensor
    actions: torch.Tensor
    rewards: torch.Tensor
    next_states: torch.Tensor
    terminated: torch.Tensor


class ReplayBuffer:
    """The last `capacity` transitions, drawn from in any order: neighbours are too much alike.

    Args:
        capacity: number of transitions kept.
        seed: of the draws; None for another each time.

    Source: Mnih et al. 2015, methods, "Training algorithm"; Lin 1992, Self-improving reactive
    agents.

    Example:
        >>> memory = ReplayBuffer(capacity=2)
        >>> for state in range(3):
        ...     memory.push([float(state)], 0, 1.0, [state + 1.0], False)
        >>> len(memory), sorted(memory.sample(2).states.flatten().tolist())
        (2, [1.0, 2.0])
    """

    def __init__(self, capacity: int, seed: int | None = None) -> None:
        self.transitions: deque[tuple] = deque(maxlen=capacity)
        self.random = random.Random(seed)

    def __len__(self) -> int:
        return len(self.transitions)

    def push(self, state: Sequence[float], action: int, reward: float,
             next_state: Sequence[float], terminated: bool) -> None:
        """Remember a transition; the oldest is forgotten."""
        self.transitions.append((state, action, reward, next_state, terminated))

    def sample(self, batch_size: int) -> Batch:
        """Return different transitions.

        Raises:
            ArgumentError: there are not that many yet.
        """
        if batch_size > len(self):
            raise ArgumentError(
                f"ReplayBuffer.sample: batch_size is {batch_size}, it holds {len(self)}",
                fix="begin to learn when len(memory) >= batch_size")
        states, actions, rewards, following, ends = zip(
            *self.random.sample(self.transitions, batch_size))
        return Batch(torch.tensor(states), torch.tensor(actions), torch.tensor(rewards),
                     torch.tensor(following), torch.tensor(ends))


def td_loss(
    network: nn.Module, target: nn.Module, batch: Batch, gamma: float = 0.99, double: bool = False
) -> torch.Tensor:
    """Return the Huber loss of Q(s, a) against r + gamma max_a' Q_target(s', a').

    Where the game ended, the second term is 0. With `double`, the network chooses a' and the
    target values it.

    Args:
        network: states (N, *) -> values (N, actions); learns.
        target: an older copy of it.
        gamma: what a reward is worth a step later, 0 to 1.

    Source: Mnih et al. 2015, equation 2; van Hasselt et al. 2016, equation 4.
    """
    value = network(batch.states).gather(1, batch.actions[:, None]).squeeze(1)
    with torch.no_grad():
        following = target(batch.next_states)
        if double:
            best = network(batch.next_states).argmax(dim=1, keepdim=True)
            future = following.gather(1, best).squeeze(1)
        else:
            future = following.amax(dim=1)
        wanted = batch.rewards + gamma * future * (~batch.terminated).float()
    return F.smooth_l1_loss(value, wanted)


class DQN:
    """An agent: a network, its target, a memory.

    Args:
        network: states (N, *) -> values (N, actions).
        optimizer: of its parameters.
        capacity: transitions remembered.
        batch_size: transitions in a step of learning.
        gamma: what a reward is worth a step later, 0 to 1.
        sync_every: steps of learning after which the target becomes a copy of the network.
        double: as for `td_loss`.
        seed: of what the agent draws.

    Source: Mnih et al. 2015, algorithm 1.

    Example:
        >>> import lampion as torch
        >>> from lampion.models import MLP
        >>> network = MLP(4, [32, 2])
        >>> agent = DQN(network, torch.optim.Adam(network.parameters()), batch_size=1, seed=0)
        >>> agent.memory.push([0.0] * 4, 1, 1.0, [0.1] * 4, False)
        >>> agent.learn() > 0, agent.act([0.0] * 4, epsilon=0.1) in (0, 1)
        (True, True)
    """

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, capacity: int = 10_000,
        batch_size: int = 64, gamma: float = 0.99, sync_every: int = 200, double: bool = False,
        seed: int | None = None,
    ) -> None:
        self.network, self.optimizer = network, optimizer
        self.target = copy.deepcopy(network)
        self.memory = ReplayBuffer(capacity, seed)
        self.random = random.Random(seed)
        self.batch_size, self.gamma, self.double = batch_size, gamma, double
        self.sync_every, self.learned = sync_every, 0

    @torch.no_grad()
    def act(self, state: Sequence[float], epsilon: float = 0.0) -> int:
        """Return the best action, or any one with probability epsilon (0 to 1)."""
        values = self.network(torch.tensor([state]))[0]
        if self.random.random() < epsilon:
            return self.random.randrange(len(values))
        return int(values.argmax())

    def learn(self) -> float:
        """Take one step on a batch of the memory; return the loss."""
        batch = self.memory.sample(self.batch_size)
        loss = td_loss(self.network, self.target, batch, self.gamma, self.double)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.learned += 1
        if self.learned % self.sync_every == 0:
            self.target.load_state_dict(self.network.state_dict())
        return loss.item()
