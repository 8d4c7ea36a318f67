"""What every example prints: a line that follows the training, and at the end its figure."""

import sys
import time


class Progress:
    """One line that follows the training: epoch, step, loss, time left.

    On a terminal the line is written over and over; it stays at the end of every epoch, or eight
    times in all where there are no epochs (None), only steps.
    """

    def __init__(self, epochs, steps):
        self.epochs, self.steps = epochs, steps
        self.started = time.perf_counter()
        self.smooth, self.kept = {}, 0
        self.live = sys.stdout.isatty()

    def show(self, epoch, step, **values):
        """Print where the training is: `show(0, 10, loss=2.3, accuracy=0.1)`."""
        # Smoothed, because a single batch says little.
        for name, value in values.items():
            self.smooth[name] = 0.7 * self.smooth.get(name, value) + 0.3 * value
        done = epoch * self.steps + step + 1
        passed = time.perf_counter() - self.started
        left = passed / done * ((self.epochs or 1) * self.steps - done)
        last = step == self.steps - 1
        if self.epochs is None:
            last = last or (step + 1) * 8 // self.steps > self.kept
            self.kept += last
        if self.live or last:
            shown = "  ".join(
                f"{name} {value:6.2%}" if name == "accuracy" else f"{name} {value:.4f}"
                for name, value in self.smooth.items()
            )
            where = f"epoch {epoch + 1}/{self.epochs}  " if self.epochs else ""
            line = (
                f"{where}step {step + 1:>4}/{self.steps}  {shown}  "
                f"{passed:4.0f} s passed, {left:.0f} s left"
            )
            print(f"\r{line:<78}" if self.live else line, end="\n" if last else "", flush=True)


def report(what, value, reference, seconds):
    """Print the figure of an example beside the published one; `check.py` reads these lines.

    >>> report("test accuracy", "97.1 %", "98 % (Smith 2001, the same split)", 3.21)
    <BLANKLINE>
    figure     test accuracy 97.1 %
    reference  98 % (Smith 2001, the same split)
    training   3 s
    """
    print(f"\nfigure     {what} {value}")
    print(f"reference  {reference}")
    print(f"training   {seconds:.0f} s", flush=True)
