"""One linear layer forecasts a series: DLinear, which beat the Transformers of its time.

    python examples/forecast.py                     taxi passengers, tomorrow from the last week
    python examples/forecast.py --data ETTh1.csv    the benchmark ETTh1: 96 hours from 336
    python examples/forecast.py --quick             fewer epochs

DLinear (Zeng, Chen, Zhang, Xu: "Are Transformers effective for time series forecasting?", 2023)
takes a moving average out of what it sees and forecasts both parts with one matrix each, the same
for all channels. ETTh1, oil temperature and load of a transformer station, may not be changed (CC
BY-ND), so it is not brought along; it can be had at https://github.com/zhouhaoyi/ETDataset
(ETT-small/ETTh1.csv).
"""

import argparse
import csv
import gzip
import time
from pathlib import Path

import charts
import numpy as np
from progress import Progress, report

import lampion as torch

nn, F = torch.nn, torch.nn.functional
DATA = Path(__file__).resolve().parent.parent / "data" / "nab" / "nyc_taxi.csv.gz"
REFERENCES = {
    "ETTh1": "0.375 (DLinear, Zeng et al. 2023, table 2, horizon 96, the same split; its authors' "
             "program); Autoformer 0.449, Informer 0.865",
    "taxi": "none published; the same hour a week ago beside it"}


def read(path):
    """Return a series (T x channels): all columns but the first, which is the time."""
    if not path.exists():
        raise SystemExit(f"there is no {path}")
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    return np.array([row[1:] for row in rows], dtype=np.float64)


def parts(length, etth1):
    """Return where training, validation and test begin and end."""
    if etth1:  # 12, 4 and 4 months of 30 days, as everybody cuts it
        month = 30 * 24
        return (0, 12 * month), (12 * month, 16 * month), (16 * month, 20 * month)
    return (0, length * 6 // 10), (length * 6 // 10, length * 8 // 10), (length * 8 // 10, length)


class DLinear(nn.Module):
    """Forecast = W_trend moving_average(x) + W_rest (x - moving_average(x)) + b.

    Shape:
        (N, seen, channels) -> (N, ahead, channels)

    Source: Zeng et al. 2023, section 4 and figure 2; window of 25 as in their program.
    """

    def __init__(self, seen, ahead, window=25):
        super().__init__()
        self.window = window
        self.trend, self.rest = nn.Linear(seen, ahead), nn.Linear(seen, ahead)

    def forward(self, x):
        x = x.transpose(1, 2)
        margin = self.window // 2
        first = x[:, :, :1].expand(-1, -1, margin)  # the ends are repeated
        last = x[:, :, -1:].expand(-1, -1, margin)
        trend = F.avg_pool1d(torch.cat([first, x, last], dim=2), self.window, stride=1)
        return (self.trend(trend) + self.rest(x - trend)).transpose(1, 2)


class AsBefore(nn.Module):
    """Forecast what was `season` steps before: the guess that a network has to beat."""

    def __init__(self, season, ahead):
        super().__init__()
        self.season, self.ahead = season, ahead

    def forward(self, x):
        start = x.shape[1] - self.season
        return x[:, start : start + self.ahead]


def pieces(series, starts, seen, ahead):
    """Return what is seen and what follows for every start."""
    x = series[starts[:, None] + torch.arange(seen + ahead)]
    return x[:, :seen], x[:, seen:]


@torch.no_grad()
def mean_squares(model, series, part, seen, ahead):
    """Return the mean squared and the mean absolute error over all pieces of a part."""
    model.eval()
    squares = absolutes = count = 0.0
    # What is seen may lie before the part, what is forecast may not.
    for starts in torch.arange(part[0] - seen, part[1] - seen - ahead + 1).split(256):
        x, y = pieces(series, starts, seen, ahead)
        error = model(x) - y
        squares += (error**2).sum().item()
        absolutes += error.abs().sum().item()
        count += error.numel()
    return squares / count, absolutes / count


def train(model, series, part, check, seen, ahead, epochs, batch_size=32, learning_rate=0.005):
    """Train; go back to the weights with the lowest error on the validation part."""
    starts = torch.arange(part[0], part[1] - seen - ahead + 1)
    steps = len(starts) // batch_size
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    progress, best, kept, errors = Progress(epochs, steps), float("inf"), None, []
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(starts))
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            x, y = pieces(series, starts[rows], seen, ahead)
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 20 == 0 or step == steps - 1:
                progress.show(epoch, step, loss=loss.item())
        schedule.step()
        errors.append(mean_squares(model, series, check, seen, ahead)[0])
        if errors[-1] < best:
            best = errors[-1]
            kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="default: 10")
    parser.add_argument("--seen", type=int, default=336, help="steps to look back (default: 336)")
    parser.add_argument("--ahead", type=int, help="steps to forecast (default: 48; ETTh1: 96)")
    parser.add_argument("--quick", action="store_true", help="two epochs")
    parser.add_argument("--seed", type=int, default=2021, help="default: 2021")
    parser.add_argument("--data", type=Path, default=DATA, help="a CSV file: time, value, ...")
    parser.add_argument("--out", type=Path, default=Path("runs/forecast"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.epochs = min(options.epochs, 2)
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    values = read(options.data)
    etth1 = options.data.stem == "ETTh1"
    seen, ahead = options.seen, options.ahead or (96 if etth1 else 48)
    first, second, third = parts(len(values), etth1)
    known = values[first[0] : first[1]]
    mean, deviation = known.mean(0), known.std(0)
    series = torch.tensor(((values - mean) / deviation).astype(np.float32))
    model = DLinear(seen, ahead)
    print(f"DLinear: {seen} steps of {series.shape[1]} channels seen, {ahead} to forecast")

    started = time.perf_counter()
    errors = train(model, series, first, second, seen, ahead, options.epochs)
    seconds = time.perf_counter() - started
    square, absolute = mean_squares(model, series, third, seen, ahead)
    print(f"\nmean absolute error {absolute:.3f}; validation, epoch by epoch: "
          + " ".join(f"{error:.3f}" for error in errors))
    season = 168 if etth1 else 336  # a week
    if seen >= season >= ahead:
        naive = mean_squares(AsBefore(season, ahead), series, third, seen, ahead)[0]
        print(f"test MSE of the same as a week ago: {naive:.3f}")

    start = third[0] + (third[1] - third[0]) // 3
    with torch.no_grad():
        x, y = pieces(series, torch.tensor([start - seen]), seen, ahead)
        guess = model(x)
    lines = [(part[0, :, -1].numpy() * deviation[-1] + mean[-1]) for part in (x, y, guess)]
    after = np.arange(seen, seen + ahead)
    charts.lines(options.out / "forecast.png", {
        "seen": lines[0], "what came": (after, lines[1]), "forecast": (after, lines[2])},
        "The last channel", "step", "value")
    torch.save(model.state_dict(), options.out / "forecast.pt")
    print(f"one forecast:       {options.out / 'forecast.png'}")
    print(f"the trained model:  {options.out / 'forecast.pt'}")
    report("test MSE", f"{square:.4f}", REFERENCES["ETTh1" if etth1 else "taxi"], seconds)


if __name__ == "__main__":
    main()
