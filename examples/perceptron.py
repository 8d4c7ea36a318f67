"""A perceptron learns AND and OR, never XOR; one hidden layer is enough for XOR.

    python examples/perceptron.py

Rosenblatt's rule (1958) settles wherever a line separates the classes (Novikoff 1962). For XOR no
line does: src/lampion/models/perceptron.py has the proof in three lines. A network with four hidden
units that is trained by backpropagation (Rumelhart, Hinton, Williams 1986) learns it; the picture
shows where it says 1.
"""

import argparse
import time
from pathlib import Path

from progress import report

import lampion as torch
from lampion.models import MLP, Perceptron, xor_network
from lampion.vision import write_png

F = torch.nn.functional
INPUTS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
REFERENCE = ("at most 3 of 4 with one unit (Minsky and Papert 1969), 4 with a hidden layer "
             "(Rumelhart, Hinton, Williams 1986)")
TABLES = {"AND": [0.0, 0.0, 0.0, 1.0], "OR": [0.0, 1.0, 1.0, 1.0], "XOR": [0.0, 1.0, 1.0, 0.0]}


def right(answers, wanted):
    """Return how many of the four rows are right."""
    return int((answers.flatten() == wanted).sum())


def learn_by_rule(name):
    wanted = torch.tensor(TABLES[name])
    unit = Perceptron(2)
    mistakes = unit.fit(INPUTS, wanted, epochs=50)
    w, b = unit.weight.tolist(), unit.bias.item()
    settled = "settled" if mistakes[-1] == 0 else "does not settle"
    print(f"{name:>4}: {settled} after {len(mistakes):>2} epochs, {right(unit(INPUTS), wanted)} of "
          f"4 rows right, y = [{w[0]:+.0f} x1 {w[1]:+.0f} x2 {b:+.0f} > 0]")


def learn_by_backpropagation(steps):
    wanted = torch.tensor(TABLES["XOR"])
    network = MLP(2, [4, 1], activation_layer=torch.nn.Tanh)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for step in range(steps):
        loss = F.binary_cross_entropy_with_logits(network(INPUTS).squeeze(1), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (steps // 5) == 0 or step == steps - 1:
            print(f"      step {step + 1:>4}: loss {loss.item():.4f}")
    return network


def map_of(network, size=192):
    """Return a picture of a network's answers over the square from -0.5 to 1.5: white is 1."""
    line = torch.linspace(-0.5, 1.5, size)
    x1, x2 = torch.meshgrid(line, line, indexing="xy")
    with torch.no_grad():
        share = torch.sigmoid(network(torch.stack([x1.flatten(), x2.flatten()], dim=1)))
    picture = (255 * share.reshape(size, size)).round().to(torch.uint8).numpy()
    return picture[::-1]  # x2 grows upwards


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500, help="of backpropagation (default: 500)")
    parser.add_argument("--quick", action="store_true", help="the same: it takes a second")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--out", type=Path, default=Path("runs/perceptron"), help="for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    started = time.process_time()

    print("one unit, Rosenblatt's rule:")
    for name in TABLES:
        learn_by_rule(name)
    wanted = torch.tensor(TABLES["XOR"])
    print("two layers, weights chosen by hand:")
    print(f" XOR: {right(xor_network()(INPUTS), wanted)} of 4 rows right")
    print("two layers, backpropagation:")
    network = learn_by_backpropagation(options.steps)
    learned = right((network(INPUTS) > 0).float(), wanted)

    write_png(options.out / "xor.png", map_of(network))
    print(f"where it says 1:  {options.out / 'xor.png'}")
    report("XOR with a hidden layer, rows right", f"{learned} of 4", REFERENCE,
           time.process_time() - started)


if __name__ == "__main__":
    main()
