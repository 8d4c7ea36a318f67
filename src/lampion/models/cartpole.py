"""A pole on a cart: the game that agents of reinforcement learning learn first.

Barto, Sutton, Anderson: Neuronlike adaptive elements that can solve difficult learning control
problems, IEEE Transactions on Systems, Man, and Cybernetics 13, 1983 (the task and, in the
appendix, the equations of motion). Friction is left out, as in Gym's CartPole-v1, whose limits
these are.
"""

from __future__ import annotations

import math
import random

from lampion.errors import ArgumentError, StateError

GRAVITY = 9.8  # m/s^2
CART_MASS = 1.0  # kg
POLE_MASS = 0.1  # kg
HALF_LENGTH = 0.5  # m, from the hinge to the pole's centre of mass
FORCE = 10.0  # N
STEP = 0.02  # s
LARGEST_POSITION = 2.4  # m
LARGEST_ANGLE = math.radians(12)

State = tuple[float, float, float, float]


def accelerations(state: State, force: float) -> tuple[float, float]:
    """Return the accelerations of the cart (m/s^2) and of the pole's angle (1/s^2).

    With M the mass of both, m that of the pole, l half its length, w the speed of the angle a:
    a'' = (g sin a - cos a (F + m l w^2 sin a) / M) / (l (4/3 - m cos^2 a / M)) and
    x'' = (F + m l (w^2 sin a - a'' cos a)) / M.

    Args:
        state: position (m), speed (m/s), angle from upright (rad, right is positive), angular
            speed (rad/s).
        force: on the cart, N, to the right.

    Source: Barto, Sutton, Anderson 1983, appendix, without friction.

    Example:
        >>> accelerations((0.0, 0.0, 0.0, 0.0), 0.0)
        (0.0, 0.0)
    """
    _, _, angle, spin = state
    mass = CART_MASS + POLE_MASS
    sine, cosine = math.sin(angle), math.cos(angle)
    push = (force + POLE_MASS * HALF_LENGTH * spin**2 * sine) / mass
    angular = (GRAVITY * sine - cosine * push) / (
        HALF_LENGTH * (4 / 3 - POLE_MASS * cosine**2 / mass))
    return push - POLE_MASS * HALF_LENGTH * angular * cosine / mass, angular


class CartPole:
    """Push the cart left (0) or right (1) so that the pole stays up; each step up earns 1.

    A game ends when the pole leans by more than 12 degrees or the cart leaves the track of 2.4 m
    to either side (terminated), or after `max_steps` (truncated).

    Args:
        seed: of the first states; None for another each time.
        max_steps: the longest game.

    Example:
        >>> game = CartPole(seed=0)
        >>> state = game.reset()
        >>> state, reward, terminated, truncated = game.step(1)
        >>> reward, terminated, state[1] > 0
        (1.0, False, True)
    """

    def __init__(self, seed: int | None = None, max_steps: int = 500) -> None:
        self.random = random.Random(seed)
        self.max_steps = max_steps
        self.state: State | None = None
        self.steps = 0

    def reset(self) -> State:
        """Begin a game; return its state: four numbers between -0.05 and 0.05."""
        x, speed, angle, spin = (self.random.uniform(-0.05, 0.05) for _ in range(4))
        self.state, self.steps = (x, speed, angle, spin), 0
        return self.state

    def step(self, action: int) -> tuple[State, float, bool, bool]:
        """Push for 0.02 s; return the state, the reward, terminated, truncated.

        Args:
            action: 0 for left, 1 for right.

        Raises:
            ArgumentError: another action.
            StateError: no game is on.
        """
        if action not in (0, 1):
            raise ArgumentError(f"CartPole.step: action is {action!r}",
                                why="0 pushes left, 1 pushes right")
        if self.state is None:
            raise StateError("CartPole.step: no game is on", fix="state = game.reset()")
        x, speed, angle, spin = self.state
        linear, angular = accelerations(self.state, FORCE if action else -FORCE)
        state = (x + STEP * speed, speed + STEP * linear, angle + STEP * spin,
                 spin + STEP * angular)
        self.steps += 1
        terminated = abs(state[0]) > LARGEST_POSITION or abs(state[2]) > LARGEST_ANGLE
        truncated = self.steps >= self.max_steps
        self.state = None if terminated or truncated else state
        return state, 1.0, terminated, truncated
