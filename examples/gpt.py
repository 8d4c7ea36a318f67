"""A small GPT reads Shakespeare, and then writes on.

    python examples/gpt.py                         train, test, write 400 letters
    python examples/gpt.py --data BOOK.txt         on a text of your own
    python examples/gpt.py --quick                 seconds, and a worse writer

Four layers of 128, pieces of 64 letters, 2,000 steps of 12: nanoGPT's settings for a processor
without a graphics card, its initialisation, optimizer and schedule too. The network is
src/lampion/models/gpt.py; GPT-2 is the same with larger numbers.
"""

import argparse
import math
import time
from pathlib import Path

import charts
import shakespeare
from progress import Progress, report

import lampion as torch
from lampion.models import GPT, GPTConfig

REFERENCE = "1.88 after the same 2,000 steps (README of nanoGPT, the same split)"


def batch(text, size, length):
    """Draw pieces of a text, and the same one letter later: (size, length) each."""
    start = torch.randint(len(text) - length, (size, 1))
    places = start + torch.arange(length)
    return text[places], text[places + 1]


def make_optimizer(model, learning_rate):
    """AdamW; matrices are drawn towards zero, biases and normalisations are not."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=learning_rate, betas=(0.9, 0.99))


def rate(step, steps, warm_up):
    """Which part of the learning rate a step has: a line up, half a cosine down to a tenth."""
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    done = (step - warm_up) / max(steps - warm_up, 1)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


def train(model, text, steps, batch_size, learning_rate=1e-3):
    optimizer = make_optimizer(model, learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: rate(n, steps, steps // 20))
    progress, losses = Progress(None, steps), []
    model.train()
    for step in range(steps):
        _, loss = model(*batch(text, batch_size, model.config.block_size))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 10 == 0 or step == steps - 1:
            losses.append(loss.item())
            progress.show(0, step, loss=losses[-1])
    return losses


@torch.no_grad()
def mean_loss(model, text):
    """Return the mean cross-entropy in nats over a whole text, cut into pieces side by side."""
    model.eval()
    length = model.config.block_size
    count = (len(text) - 1) // length
    x = text[: count * length].view(count, length)
    y = text[1 : count * length + 1].view(count, length)
    total = 0.0
    for rows, targets in zip(x.split(100), y.split(100)):
        total += model(rows, targets)[1].item() * len(rows)
    return total / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000, help="default: 2000")
    parser.add_argument("--batch-size", type=int, default=12, help="default: 12")
    parser.add_argument("--limit", type=int, help="train on the first LIMIT characters only")
    parser.add_argument("--quick", action="store_true", help="a small network, fewer steps")
    parser.add_argument("--seed", type=int, default=1337, help="default: 1337")
    parser.add_argument("--data", type=Path, default=shakespeare.DATA, help="any text")
    parser.add_argument("--out", type=Path, default=Path("runs/gpt"), help="where files go")
    options = parser.parse_args()
    layers, width = (2, 64) if options.quick else (4, 128)
    if options.quick:
        options.steps = min(options.steps, 200)
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    train_text, test_text, characters = shakespeare.load(options.data)
    train_text = train_text[: options.limit]
    model = GPT(GPTConfig(block_size=64, vocab_size=len(characters), n_layer=layers, n_head=4,
                          n_embd=width, bias=False))
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"GPT: {weights:,} weights, {len(train_text):,} characters, {options.steps:,} steps")

    started = time.perf_counter()
    learning_rate = 3e-3 if options.quick else 1e-3
    losses = train(model, train_text, options.steps, options.batch_size, learning_rate)
    seconds = time.perf_counter() - started
    loss = mean_loss(model, test_text[: 15_000 if options.quick else None])

    beginning = torch.tensor([characters.encode("ROMEO:")])
    written = model.generate(beginning, 5 if options.quick else 400, temperature=0.8, top_k=200)
    print(f"\n{characters.decode(written[0].tolist())}\n")
    torch.save(model.state_dict(), options.out / "gpt.pt")
    charts.lines(
        options.out / "loss.png", {"training": losses}, "Learning to write like Shakespeare",
        "every tenth step", "nats a character")
    print(f"the loss over time:  {options.out / 'loss.png'}")
    print(f"the trained model:   {options.out / 'gpt.pt'}")
    report("validation loss", f"{loss:.4f} nats a character", REFERENCE, seconds)


if __name__ == "__main__":
    main()
