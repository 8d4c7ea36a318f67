"""Reads a handwritten digit with the model that examples/lenet5.py saved.

How to call it:

    python examples/classify_digit.py PICTURE      a PNG, PGM or PPM file (others with Pillow)
    python examples/classify_digit.py 42           picture 42 of MNIST's test set
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from digit_pictures import as_mnist, as_text
from lenet5 import ROOT, prepare

import lampion as torch
from lampion.models import LeNet5
from lampion.vision import mnist, read_picture


def digit_of(source, data):
    """Return the 28x28 picture that the command line names: a file, or a number in the test set."""
    if source.isdigit() and not Path(source).exists():
        pictures, labels = mnist.load(data, train=False)
        if int(source) >= len(pictures):
            sys.exit(f"the test set has pictures 0 to {len(pictures) - 1}, not {source}")
        print(f"test picture {source}; its label is {labels[int(source)]}")
        return pictures[int(source)]
    if not Path(source).exists():
        sys.exit(f"there is no picture {source}")
    return as_mnist(read_picture(source))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", help="a picture of one digit, or a number in MNIST's test set")
    parser.add_argument("--model", type=Path, default=Path("runs/lenet5/lenet5.pt"))
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "mnist")
    options = parser.parse_args()
    if not options.model.exists():
        sys.exit(f"there is no model {options.model}; make one: python examples/lenet5.py")

    model = LeNet5()
    model.load_state_dict(torch.load(options.model))
    model.eval()
    digit = digit_of(options.picture, options.data)
    with torch.no_grad():
        scores = model(prepare(torch.from_numpy(digit[None, None])))
        shares = torch.softmax(scores, 1)[0].numpy()

    print(as_text(digit))
    for candidate in np.argsort(-shares)[:3]:
        bar = "#" * round(40 * float(shares[candidate]))
        print(f"  {candidate}  {shares[candidate]:7.2%}  {bar}")
    print(f"this is a {shares.argmax()}")


if __name__ == "__main__":
    main()
