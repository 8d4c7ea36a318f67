"""An LSTM reads Shakespeare letter by letter, and then writes on.

    python examples/char_lstm.py                      train, test, write 400 letters
    python examples/char_lstm.py --data BOOK.txt      on a text of your own
    python examples/char_lstm.py --quick              seconds, and a worse writer

After Karpathy's char-rnn ("The unreasonable effectiveness of recurrent neural networks", 2015): one
layer of 256, trained by truncated backpropagation through time. The text is cut into as many
strands as the batch is large, and the state at the end of one piece begins the next. The network is
src/lampion/models/rnn_language_model.py.
"""

import argparse
import time
from pathlib import Path

import charts
import shakespeare
from progress import Progress, report

import lampion as torch
from lampion.models import RNNLanguageModel
from lampion.models.rnn_language_model import detach_hidden

F = torch.nn.functional
REFERENCE = ("none for this network; 1.88 and 1.47 for GPTs of 0.8 and 10.7 million weights "
             "(README of nanoGPT, the same split)")


def strands(text, batch_size):
    """Cut a text into batch_size strands side by side: (length, batch_size)."""
    length = len(text) // batch_size
    return text[: length * batch_size].view(batch_size, length).t().contiguous()


def pieces(text, length):
    """Give inputs and targets, one letter later, piece after piece: (length, N) each."""
    for start in range(0, len(text) - length, length):
        yield text[start : start + length], text[start + 1 : start + length + 1]


def train(model, text, length, epochs, learning_rate=5e-3):
    steps = len(list(pieces(text, length)))
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps * epochs, pct_start=0.1)
    progress, losses = Progress(epochs, steps), []
    model.train()
    for epoch in range(epochs):
        state = model.init_hidden(text.shape[1])
        for step, (x, y) in enumerate(pieces(text, length)):
            state = detach_hidden(state)
            scores, state = model(x, state)
            loss = F.cross_entropy(scores.flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if step % 10 == 0 or step == steps - 1:
                losses.append(loss.item())
                progress.show(epoch, step, loss=losses[-1])
    return losses


@torch.no_grad()
def mean_loss(model, text, length):
    """Return the mean cross-entropy of the next letter in nats, the state carried all along."""
    model.eval()
    state, total, count = model.init_hidden(text.shape[1]), 0.0, 0
    for x, y in pieces(text, length):
        scores, state = model(x, state)
        total += F.cross_entropy(scores.flatten(0, 1), y.flatten(), reduction="sum").item()
        count += y.numel()
    return total / count


@torch.no_grad()
def write(model, characters, start, count, temperature=0.8):
    """Let the network go on after `start`; a lower temperature makes it more careful."""
    model.eval()
    state = model.init_hidden(1)
    scores, state = model(torch.tensor(characters.encode(start))[:, None], state)
    written = []
    for _ in range(count):
        letter = torch.multinomial(torch.softmax(scores[-1] / temperature, dim=1), 1)
        written.append(letter.item())
        scores, state = model(letter, state)
    return start + characters.decode(written)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4, help="passes over the text (default: 4)")
    parser.add_argument("--hidden", type=int, default=256, help="features of the state")
    parser.add_argument("--batch-size", type=int, default=32, help="strands (default: 32)")
    parser.add_argument("--limit", type=int, help="train on the first LIMIT characters only")
    parser.add_argument("--quick", action="store_true", help="a small network, part of the text")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--data", type=Path, default=shakespeare.DATA, help="any text")
    parser.add_argument("--out", type=Path, default=Path("runs/char_lstm"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.hidden, options.batch_size = 2, 96, 16
        options.limit = options.limit or 120_000
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    train_text, test_text, characters = shakespeare.load(options.data)
    train_text = train_text[: options.limit]
    model = RNNLanguageModel("LSTM", len(characters), 64, options.hidden, 1, dropout=0.1)
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"LSTM: {weights:,} weights, {len(train_text):,} characters, {options.epochs} epochs")

    started = time.perf_counter()
    losses = train(model, strands(train_text, options.batch_size), 64, options.epochs)
    seconds = time.perf_counter() - started
    loss = mean_loss(model, strands(test_text[: 20_000 if options.quick else None], 20), 64)

    print(f"\n{write(model, characters, 'ROMEO:', 50 if options.quick else 400)}\n")
    torch.save(model.state_dict(), options.out / "char_lstm.pt")
    charts.lines(
        options.out / "loss.png", {"training": losses}, "Learning to write like Shakespeare",
        "every tenth step", "nats a character")
    print(f"the loss over time:  {options.out / 'loss.png'}")
    print(f"the trained model:   {options.out / 'char_lstm.pt'}")
    report("validation loss", f"{loss:.4f} nats a character", REFERENCE, seconds)


if __name__ == "__main__":
    main()
