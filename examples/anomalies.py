"""An autoencoder finds the strange days in New York's taxi traffic.

    python examples/anomalies.py                  train, list the strangest days, draw them
    python examples/anomalies.py --quick          fewer steps
    python examples/anomalies.py --series SERIES.csv --day 24    `timestamp,value` of your own

Passengers every half hour for seven months, from the Numenta Anomaly Benchmark. A day of 48 numbers
must pass through a code of three: what most days have in common fits through, what only one has
does not. How badly a day comes back is how strange it is. No label is used for that; the
benchmark's five windows (marathon, Thanksgiving, Christmas, New Year, snow storm) only say
afterwards what was found. The network is src/lampion/models/autoencoder.py.
"""

import argparse
import csv
import gzip
import json
import time
from datetime import datetime
from pathlib import Path

import charts
import numpy as np
from progress import Progress, report

import lampion as torch
from lampion.models import Autoencoder

F = torch.nn.functional
DATA = Path(__file__).resolve().parent.parent / "data" / "nab"
REFERENCE = "5 windows in the benchmark; ten days drawn by chance meet one"


def read(path, day):
    """Return the days of a series (D x day) and when each begins."""
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    first = next(n for n, row in enumerate(rows) if datetime.fromisoformat(row[0]).hour == 0)
    rows = rows[first : first + (len(rows) - first) // day * day]
    values = np.array([float(row[1]) for row in rows], dtype=np.float32).reshape(-1, day)
    return values, [datetime.fromisoformat(row[0]) for row in rows[::day]]


def read_windows(path):
    """Return the benchmark's windows of the series, (from, to) each."""
    windows = json.loads(path.read_text(encoding="utf-8"))["realKnownCause/nyc_taxi.csv"]
    return [tuple(datetime.fromisoformat(time) for time in window) for window in windows]


def train(model, days, steps, learning_rate=3e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps)
    progress, losses = Progress(None, steps), []
    model.train()
    for step in range(steps):
        rows = torch.randperm(len(days))[:64]
        x = days[rows]
        loss = F.smooth_l1_loss(model(x), x, beta=0.02)  # strange days must not pull too hard
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0 or step == steps - 1:
            losses.append(loss.item())
            progress.show(0, step, loss=losses[-1])
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6000, help="default: 6000")
    parser.add_argument("--code", type=int, default=3, help="numbers in the code (default: 3)")
    parser.add_argument("--alarms", type=int, default=10, help="days to list (default: 10)")
    parser.add_argument("--day", type=int, default=48, help="values in a day (default: 48)")
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--series", type=Path, default=DATA / "nyc_taxi.csv.gz")
    parser.add_argument("--out", type=Path, default=Path("runs/anomalies"), help="where files go")
    options = parser.parse_args()
    if options.quick:
        options.steps = min(options.steps, 1500)
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    values, starts = read(options.series, options.day)
    days = torch.tensor(values / values.max())
    model = Autoencoder(options.day, 32, options.code)
    print(f"autoencoder: {options.day} numbers a day, a code of {options.code}, {len(days)} days")

    started = time.perf_counter()
    losses = train(model, days, options.steps)
    seconds = time.perf_counter() - started
    model.eval()
    with torch.no_grad():
        again = model(days).numpy()
    strange = ((again - days.numpy()) ** 2).mean(1)

    own = options.series != DATA / "nyc_taxi.csv.gz"
    windows = [] if own else read_windows(DATA / "windows.json")
    inside = [next((n + 1 for n, (first, last) in enumerate(windows)
                    if start.date() >= first.date() and start.date() <= last.date()), None)
              for start in starts]
    alarms = np.argsort(strange)[::-1][: options.alarms]
    print("\nthe strangest days          error, times the median")
    for day in alarms:
        print(f"    {starts[day]:%a %Y-%m-%d}  {strange[day] / np.median(strange):>12.1f}"
              + (f"   window {inside[day]}" if inside[day] else ""))
    found = {inside[day] for day in alarms} - {None}

    spans = [((first - starts[0]).days, (last - starts[0]).days + 1) for first, last in windows]
    charts.lines(options.out / "strange.png", {"error": strange / np.median(strange)},
                 "How strange each day is; red: the benchmark's windows", "day",
                 "error, times the median", marks=spans)
    charts.lines(options.out / "strangest.png",
                 {"the day": values[alarms[0]], "as it came back": again[alarms[0]] * values.max()},
                 f"{starts[alarms[0]]:%A %Y-%m-%d}", "half hour", "passengers")
    charts.lines(options.out / "loss.png", {"training": losses}, "Learning what a day is like",
                 "every twentieth step", "smooth distance")
    print(f"\nhow strange each day is:  {options.out / 'strange.png'}")
    print(f"the strangest day:        {options.out / 'strangest.png'}")
    report("windows found", f"{len(found)} of {len(windows)}, with {options.alarms} alarms",
           REFERENCE, seconds)


if __name__ == "__main__":
    main()
