"""Deep Q-learning learns to balance a pole on a cart.

    python examples/dqn.py

The algorithm of Mnih et al. (Human-level control through deep reinforcement learning, 2015) with
the settings for this game in Stable-Baselines3's zoo; the game is that of Barto, Sutton and
Anderson (1983) with the limits of Gym's CartPole-v1: a game ends after 500 steps. The figure is the
mean return of 100 new games without exploration; pushing at random earns about 22.
"""

import argparse
import time
from pathlib import Path

import charts
import numpy as np
from progress import Progress, report

import lampion as torch
from lampion.models import DQN, MLP, CartPole

REFERENCE = "475 counts as solved (Gym's CartPole-v1, mean of 100 games), 500 is the most"


def exploration(step, steps):
    """Return the probability of a random push: from 1 down to 0.04 in a sixth of the steps."""
    return max(0.04, 1 - step / (0.16 * steps))


def train(agent, steps, warm_up=1000, play_steps=256, learn_steps=128, check_every=2500):
    """Play and learn by turns; keep the best network; return ends and returns of the games.

    The turns are long, as in the tuned settings of Stable-Baselines3's zoo: learning after every
    push makes the values of late, long games swing.
    """
    game = CartPole(seed=0)
    progress = Progress(1, steps)
    ends, returns, earned = [], [], 0.0
    best, best_return = copy_of(agent.network), -1.0
    state = game.reset()
    for step in range(steps):
        action = agent.act(state, exploration(step, steps))
        following, reward, terminated, truncated = game.step(action)
        agent.memory.push(state, action, reward, following, terminated)
        state, earned = following, earned + reward
        if terminated or truncated:
            ends.append(step + 1)
            returns.append(earned)
            state, earned = game.reset(), 0.0
        if step >= warm_up and step % play_steps == 0:
            for _ in range(learn_steps):
                agent.learn()
        if (step + 1) % check_every == 0 and step > steps / 2 or step == steps - 1:
            mean = float(np.mean(play(agent, 10, seed=step)))
            if mean > best_return:
                best, best_return = copy_of(agent.network), mean
        if step % 100 == 0 or step == steps - 1:
            progress.show(0, step, last_ten_games=float(np.mean(returns[-10:] or 0)))
    agent.network.load_state_dict(best)
    return ends, returns


def copy_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def play(agent, games, seed):
    """Return what each of some games earns when the agent does what it thinks best."""
    returns = []
    game = CartPole(seed=seed)
    for _ in range(games):
        state, earned, over = game.reset(), 0.0, False
        while not over:
            state, reward, terminated, truncated = game.step(agent.act(state))
            earned, over = earned + reward, terminated or truncated
        returns.append(earned)
    return returns


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=50_000, help="pushes (default: 50000)")
    parser.add_argument("--games", type=int, default=100, help="games of the test (default: 100)")
    parser.add_argument("--quick", action="store_true", help="4,500 pushes, 5 games")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--out", type=Path, default=Path("runs/dqn"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.steps, options.games = 4500, 5
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    network = MLP(4, [256, 256, 2])
    agent = DQN(network, torch.optim.Adam(network.parameters(), lr=2.3e-3), capacity=100_000,
                batch_size=64, sync_every=128, seed=options.seed)
    started = time.process_time()
    ends, returns = train(agent, options.steps)
    seconds = time.process_time() - started

    test = play(agent, options.games, seed=12345)
    smooth = [np.mean(returns[max(0, i - 9) : i + 1]) for i in range(len(returns))]
    curves = {"game": (ends, returns), "mean of ten": (ends, smooth)}
    charts.lines(options.out / "returns.png", curves,
                 "Learning to balance a pole", "pushes", "steps until the game ended")
    torch.save(network.state_dict(), options.out / "dqn.pt")
    print(f"\n{len(returns)} games played; the test: worst {min(test):.0f}, best {max(test):.0f}")
    print(f"the returns:        {options.out / 'returns.png'}")
    print(f"the trained model:  {options.out / 'dqn.pt'}")
    report("mean return", f"{np.mean(test):.1f} steps", REFERENCE, seconds)


if __name__ == "__main__":
    main()
