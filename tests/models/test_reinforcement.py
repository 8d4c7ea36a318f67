"""Games and agents: the equations of motion, the targets, the advantages, and learning."""

import math

import numpy as np
import pytest

import lampion
from lampion import models
from lampion.errors import ArgumentError, StateError
from lampion.models import cartpole, dqn, ppo


def test_equations_of_motion_follow_from_the_energy():
    """Lagrange's equations of cart and rod, solved as two linear equations.

    With L = (M + m) x'^2 / 2 + m l x' a' cos a + (2/3) m l^2 a'^2 - m g l cos a:
    (M + m) x'' + m l cos a a'' = F + m l a'^2 sin a;  m l cos a x'' + (4/3) m l^2 a'' = m g l sin a
    """
    for state in [(0.0, 0.3, 0.1, -0.7), (1.0, 0.0, -0.2, 1.5), (0.0, 0.0, 3.0, 0.2)]:
        for force in (-10.0, 0.0, 10.0):
            _, _, angle, spin = state
            left = [[1.1, 0.05 * math.cos(angle)],
                    [0.05 * math.cos(angle), 4 / 3 * 0.1 * 0.25]]
            right = [force + 0.05 * spin**2 * math.sin(angle), 0.05 * 9.8 * math.sin(angle)]
            assert cartpole.accelerations(state, force) == pytest.approx(
                np.linalg.solve(left, right))


def test_a_game():
    game = models.CartPole(seed=1)
    first = game.reset()
    assert all(abs(number) <= 0.05 for number in first)
    steps, terminated = 0, False
    while not terminated:  # always to the right: the pole soon falls to the left
        state, reward, terminated, truncated = game.step(1)
        steps += 1
        assert reward == 1.0 and not truncated
    assert 7 <= steps <= 12 and state[2] < -math.radians(12) and state[1] > 0
    with pytest.raises(StateError, match="reset"):
        game.step(0)
    assert models.CartPole(seed=1).reset() == first
    game.reset()
    with pytest.raises(ArgumentError, match="0 pushes left"):
        game.step(2)


def test_a_good_hand_reaches_the_end():
    game = models.CartPole(seed=0, max_steps=300)
    state, ended, steps = game.reset(), False, 0
    while not ended:
        x, speed, angle, spin = state
        state, _, terminated, truncated = game.step(
            int(angle + 0.3 * spin + 0.02 * x + 0.05 * speed > 0))
        ended, steps = terminated or truncated, steps + 1
    assert truncated and not terminated and steps == 300


def test_the_atari_network(nothing_is_computed):
    count = sum(p.numel() for p in models.AtariQNetwork(4).parameters())
    assert count == (4 * 64 * 32 + 32) + (32 * 16 * 64 + 64) + (64 * 9 * 64 + 64) + (
        3136 * 512 + 512) + (512 * 4 + 4) == 1_686_180


def test_memory_forgets_the_oldest():
    memory = models.ReplayBuffer(3, seed=0)
    for number in range(5):
        memory.push([float(number)], number % 2, float(number), [number + 1.0], number == 4)
    batch = memory.sample(3)
    assert sorted(batch.rewards.tolist()) == [2.0, 3.0, 4.0]
    for state, following, end in zip(batch.states, batch.next_states, batch.terminated):
        assert following.item() == state.item() + 1 and end.item() == (state.item() == 4)
    with pytest.raises(ArgumentError, match="it holds 3"):
        memory.sample(4)


@pytest.mark.parametrize("double", [False, True])
def test_temporal_difference_by_hand(double):
    lampion.manual_seed(0)
    network, target = models.MLP(2, [4, 3]), models.MLP(2, [4, 3])
    batch = dqn.Batch(lampion.randn(5, 2), lampion.tensor([0, 2, 1, 1, 0]), lampion.randn(5) * 3,
                      lampion.randn(5, 2), lampion.tensor([False, True, False, False, True]))
    q, own, other = (model(x).detach().numpy() for model, x in (
        (network, batch.states), (network, batch.next_states), (target, batch.next_states)))
    total = 0.0
    for row in range(5):
        best = (own if double else other)[row].argmax()
        future = 0.0 if batch.terminated[row] else 0.9 * other[row, best]
        error = abs(batch.rewards[row].item() + future - q[row, batch.actions[row].item()])
        total += error**2 / 2 if error < 1 else error - 0.5
    loss = dqn.td_loss(network, target, batch, gamma=0.9, double=double)
    assert loss.item() == pytest.approx(total / 5, rel=1e-4)
    loss.backward()
    assert all(p.grad is None for p in target.parameters())


def test_dqn_learns_values_that_can_be_computed():
    """A walk of four rooms: going right (1) three times ends with a reward of 1; gamma is 0.5."""
    lampion.manual_seed(0)
    network = models.MLP(4, [16, 2])
    agent = models.DQN(network, lampion.optim.Adam(network.parameters(), lr=0.03), batch_size=6,
                       gamma=0.5, sync_every=10, seed=0)
    rooms = lampion.eye(4).tolist()
    for room in range(3):
        agent.memory.push(rooms[room], 1, float(room == 2), rooms[room + 1], room == 2)
        agent.memory.push(rooms[room], 0, 0.0, rooms[max(room - 1, 0)], False)
    losses = [agent.learn() for _ in range(120)]
    assert losses[-1] < losses[0]
    values = network(lampion.tensor(rooms[:3])).detach().numpy()
    assert np.allclose(values, [[0.125, 0.25], [0.125, 0.5], [0.25, 1.0]], atol=0.06)
    assert [agent.act(room) for room in rooms[:3]] == [1, 1, 1]
    assert {agent.act(rooms[0], epsilon=1.0) for _ in range(20)} == {0, 1}


def test_advantages_are_sums_of_all_surprises():
    """Equation 16's sum written out, with an end in the middle."""
    generator = np.random.default_rng(0)
    rewards, values = generator.standard_normal(7), generator.standard_normal(7)
    ends, last, gamma, lam = [False, False, True, False, False, False, False], 0.3, 0.9, 0.8
    following = [*values[1:], last]
    surprise = [r + gamma * v2 * (not end) - v for r, v2, end, v in zip(
        rewards, following, ends, values)]
    expected = []
    for start in range(7):
        total = 0.0
        for step in range(start, 7):
            total += (gamma * lam) ** (step - start) * surprise[step]
            if ends[step]:
                break
        expected.append(total)
    advantages, returns = ppo.generalised_advantages(
        lampion.tensor(rewards), lampion.tensor(values), last, ends, gamma, lam)
    assert advantages.tolist() == pytest.approx(expected, rel=1e-5)
    assert returns.tolist() == pytest.approx([a + v for a, v in zip(expected, values)], rel=1e-5)


def test_clipped_objective_by_hand():
    lampion.manual_seed(0)
    model = models.ActorCritic(3, 2, 8)
    states = lampion.randn(6, 3)
    logits, values = (x.detach().numpy().astype(float) for x in model(states))
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    actions = np.array([0, 1, 1, 0, 1, 0])
    old = log_p[np.arange(6), actions] + np.array([0.5, -0.5, 0.1, -0.1, 0.0, 0.4])
    advantages, returns = np.random.default_rng(0).standard_normal((2, 6))
    a = (advantages - advantages.mean()) / advantages.std(ddof=1)
    ratio = np.exp(log_p[np.arange(6), actions] - old)
    policy = np.minimum(ratio * a, np.clip(ratio, 0.8, 1.2) * a).mean()
    expected = 0.5 * ((values - returns) ** 2).mean() - policy + 0.01 * (
        np.exp(log_p) * log_p).sum(1).mean()
    batch = ppo.Rollout(states, lampion.tensor(actions), lampion.tensor(old).float(),
                        lampion.tensor(advantages).float(), lampion.tensor(returns).float(), [])
    assert ppo.ppo_loss(model, batch).item() == pytest.approx(expected, rel=1e-4)


class Lever:
    """One step: action 1 earns 1, action 0 nothing."""

    def reset(self):
        return [1.0]

    def step(self, action):
        return [1.0], float(action), True, False


def test_ppo_learns_to_pull_the_lever():
    lampion.manual_seed(0)
    model = models.ActorCritic(1, 2, 8)
    optimizer = lampion.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(6):
        rollout = ppo.play(model, Lever(), steps=32)
        ppo.update(model, optimizer, rollout, epochs=3, batch_size=16)
    assert len(rollout.scores) == 32
    assert lampion.softmax(model(lampion.tensor([[1.0]]))[0], dim=1)[0, 1].item() > 0.9


def test_minibatches_hold_every_step_once():
    steps = lampion.arange(10)
    rollout = ppo.Rollout(steps, steps, steps, steps, steps, [])
    parts = list(ppo.minibatches(rollout, 4))
    assert [len(part.actions) for part in parts] == [4, 4, 2]
    assert sorted(lampion.cat([part.actions for part in parts]).tolist()) == list(range(10))
    assert all(lampion.equal(part.states, part.returns) for part in parts)
