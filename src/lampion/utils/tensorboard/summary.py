"""What an event says: numbers, pictures, sounds, texts, tables, as TensorBoard's messages.

Field numbers are those of TensorBoard's event.proto, summary.proto and its plugins'.
"""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArgumentError
from .records import read_records
from .wire import double, doubles, fields, mapping, single, text, whole

DT_FLOAT, DT_DOUBLE, DT_STRING = 1, 2, 7


def event(wall_time: float, step: int | None = None, summary: bytes | None = None,
          version: str | None = None, graph: bytes | None = None) -> bytes:
    """Return an event: when, at which step, and a summary, a graph, or the file's version."""
    found = double(1, wall_time)
    if step is not None:
        found += whole(2, step)
    if version is not None:
        found += text(3, version)
    if graph is not None:
        found += text(4, graph)
    if summary is not None:
        found += text(5, summary)
    return found


def value(tag: str, content: bytes, plugin: str | None = None, data: bytes = b"") -> bytes:
    """Return a summary of one value.

    Args:
        content: the field that holds it.
        plugin, data: which part of TensorBoard shows it, and what that must know.
    """
    metadata = b"" if plugin is None else text(9, text(1, text(1, plugin) + text(2, data)))
    return text(1, text(1, tag) + metadata + content)


def _tensor(kind: int, shape: tuple[int, ...], content: bytes) -> bytes:
    dims = b"".join(text(2, whole(1, n)) for n in shape)
    return text(8, whole(1, kind) + text(2, dims) + content)


# --- numbers -------------------------------------------------------------------------------------


def scalar(tag: str, number: float, new_style: bool = False, double_precision: bool = False
           ) -> bytes:
    """Return a summary of one number."""
    if not new_style:
        return value(tag, single(2, number))
    if double_precision:
        content = _tensor(DT_DOUBLE, (), text(6, struct.pack("<d", number)))
    else:
        content = _tensor(DT_FLOAT, (), text(5, np.float32(number).tobytes()))
    return value(tag, content, "scalars")


def _default_bins() -> np.ndarray:
    positive = 1e-12 * 1.1 ** np.arange(math.ceil(math.log(1e32) / math.log(1.1)))
    return np.concatenate([-positive[::-1], [0.0], positive])


BINS = _default_bins()


def histogram(tag: str, values: np.ndarray, bins: Any, max_bins: int | None) -> bytes:
    """Return a summary of how numbers are distributed.

    Args:
        bins: "tensorflow" for bounds that grow by a tenth each, or what `np.histogram` takes.
        max_bins: join bins until there are no more.

    Raises:
        ArgumentError: no numbers, or some that are not finite.
    """
    flat = np.asarray(values, np.float64).reshape(-1)
    if not flat.size:
        raise ArgumentError("The input has no element.", why="there is nothing to count")
    if not np.isfinite(flat).all():
        raise ArgumentError(
            f"add_histogram: {tag} has {int((~np.isfinite(flat)).sum())} elements that are NaN or "
            "infinite", why="they lie in no bin", fix="x[x.isfinite()]")
    known = isinstance(bins, str) and bins == "tensorflow"
    counts, limits = np.histogram(flat, BINS if known else bins)
    if max_bins is not None and len(counts) > max_bins:
        joined = -(-len(counts) // max_bins)
        starts = np.arange(0, len(counts), joined)
        counts = np.add.reduceat(counts, starts)
        limits = np.append(limits[starts], limits[-1])
    filled = np.flatnonzero(counts)
    if not filled.size:
        raise ArgumentError(f"add_histogram: no element of {tag} lies in any of the bins")
    # The bins with elements, and an empty one below: a bucket has only its upper bound.
    first, last = filled[0], filled[-1]
    buckets = [0, *counts[first:last + 1]]
    bounds = limits[first:last + 2]
    facts = (flat.min(), flat.max(), flat.size, flat.sum(), float(flat @ flat))
    return raw_histogram(tag, facts, bounds, buckets)


def raw_histogram(tag: str, facts: Sequence[float], bounds: Any, buckets: Any) -> bytes:
    """Return a summary of a distribution.

    Args:
        facts: smallest, largest, count, sum, sum of squares.
        bounds, buckets: the upper bound of each bucket, and how many lie in it.
    """
    content = b"".join(double(k, x) for k, x in enumerate(facts, 1))
    return value(tag, text(5, content + doubles(6, bounds) + doubles(7, buckets)))


def pr_curve(tag: str, labels: np.ndarray, predictions: np.ndarray, thresholds: int,
             weights: Any) -> bytes:
    """Return a summary of precision and recall over the threshold from which on is said yes.

    Args:
        labels: 0 or 1.
        predictions: between 0 and 1.
        thresholds: how many, at most 127.
    """
    thresholds = min(thresholds, 127)
    labels, predictions = labels.reshape(-1).astype(bool), predictions.reshape(-1)
    weigh = np.ones(predictions.shape) if weights is None else np.broadcast_to(
        np.asarray(weights, np.float64).reshape(-1), predictions.shape)
    bucket = np.floor(predictions * (thresholds - 1)).astype(np.int64)
    hits, misses = (
        np.bincount(bucket[chosen], weigh[chosen], thresholds)[::-1].cumsum()[::-1]
        for chosen in (labels, ~labels))
    left, none = hits[0] - hits, misses[0] - misses
    precision = hits / np.maximum(1e-7, hits + misses)
    recall = hits / np.maximum(1e-7, hits + left)
    return pr_table(tag, [hits, misses, none, left, precision, recall], thresholds, weigh)


def pr_table(tag: str, rows: Any, thresholds: int, weights: Any = None) -> bytes:
    """Return a summary of a table of true and false positives and negatives, precision, recall."""
    table = np.asarray(rows, np.float32)
    content = _tensor(DT_FLOAT, table.shape, text(5, table.astype("<f4").tobytes()))
    return value(tag, content, "pr_curves", whole(2, thresholds))


# --- words, pictures, sounds ---------------------------------------------------------------------


def words(tag: str, content: str) -> bytes:
    """Return a summary of a text in Markdown."""
    return value(f"{tag}/text_summary", _tensor(DT_STRING, (1,), text(8, content)), "text")


def png(pixels: np.ndarray) -> bytes:
    """Return a picture of bytes (height, width, channels) as a PNG file.

    Source: W3C, "Portable Network Graphics (PNG) Specification (Second Edition)".

    Example:
        >>> png(np.zeros((1, 1, 3), np.uint8))[1:4]
        b'PNG'
    """
    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # filter 0 before each row
    rows[:, 1:] = pixels.reshape(height, width * channels)
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head)
            + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)) + _chunk(b"IEND", b""))


def _chunk(name: bytes, data: bytes) -> bytes:
    return (struct.pack(">I", len(data)) + name + data
            + struct.pack(">I", zlib.crc32(name + data)))


def png_size(file: bytes) -> tuple[int, int]:
    """Return (height, width) of a PNG file."""
    width, height = struct.unpack(">II", file[16:24])
    return height, width


def picture(tag: str, file: bytes, channels: int) -> bytes:
    """Return a summary of a PNG file."""
    height, width = png_size(file)
    return value(tag, text(4, whole(1, height) + whole(2, width) + whole(3, channels)
                           + text(4, file)))


def sound(tag: str, samples: np.ndarray, rate: int) -> bytes:
    """Return a summary of a sound of one channel, samples between -1 and 1."""
    flat = np.clip(np.asarray(samples, np.float64).reshape(-1), -1, 1)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((flat * 32767).astype("<i2").tobytes())
    return value(tag, text(6, single(1, rate) + whole(2, 1) + whole(3, flat.size)
                           + text(4, buffer.getvalue()) + text(5, "audio/wav")))


# --- hyperparameters -----------------------------------------------------------------------------

STRING, BOOL, NUMBER = 1, 2, 3


def _loose(x: Any) -> tuple[int, bytes]:
    """The kind of a hyperparameter and the message that holds it."""
    if isinstance(x, bool):
        return BOOL, whole(4, x)
    if isinstance(x, (int, float)):
        return NUMBER, double(2, x)
    if isinstance(x, str):
        return STRING, text(3, x)
    raise ArgumentError(
        f"value should be one of int, float, str, bool, or torch.Tensor, got {type(x).__name__}",
        fix="str(value)")


def hyperparameters(chosen: dict[str, Any], metrics: dict[str, Any],
                    domains: dict[str, list] | None) -> tuple[bytes, bytes, bytes]:
    """Return summaries of what may be chosen, of what this run chose, and of its end."""
    infos = b""
    for name, x in chosen.items():
        kind, _ = _loose(x)
        info = text(1, name) + whole(4, kind)
        if domains and name in domains:
            info += text(5, b"".join(text(1, _loose(one)[1]) for one in domains[name]))
        infos += text(4, info)
    infos += b"".join(text(5, text(1, text(2, name))) for name in metrics)
    start = mapping(1, {name: _loose(x)[1] for name, x in chosen.items()})
    parts = (("_hparams_/experiment", text(2, infos)),
             ("_hparams_/session_start_info", text(3, start)),
             ("_hparams_/session_end_info", text(4, whole(1, 1))))
    first, second, third = (
        value(tag, b"", "hparams", content) for tag, content in parts)
    return first, second, third


# --- back ----------------------------------------------------------------------------------------


def read_events(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a file: wall_time, step, and `values` by tag.

    Scalars are numbers; histograms, pictures and sounds are dictionaries; tables and texts are
    arrays and strings.

    Example:
        >>> import glob
        >>> from lampion.utils.tensorboard import SummaryWriter
        >>> with SummaryWriter("log") as writer:
        ...     writer.add_scalar("loss", 0.5, 3)
        >>> [e["values"] for e in read_events(glob.glob("log/events*")[0]) if e["values"]]
        [{'loss': 0.5}]
    """
    for data in read_records(path):
        found: dict[str, Any] = {"wall_time": 0.0, "step": 0, "values": {}}
        for number, content in fields(data):
            if number == 1:
                (found["wall_time"],) = struct.unpack("<d", content)  # type: ignore[arg-type]
            elif number == 2:
                found["step"] = content
            elif number == 3:
                found["version"] = content.decode()  # type: ignore[union-attr]
            elif number == 4:
                found["graph"] = content
            elif number == 5:
                found["values"].update(_read_value(v) for _, v in fields(content))  # type: ignore
        yield found


def _read_value(message: Any) -> tuple[str, Any]:
    parts = dict(fields(message))
    tag = parts[1].decode()  # type: ignore[union-attr]
    if 2 in parts:
        return tag, struct.unpack("<f", parts[2])[0]  # type: ignore[arg-type]
    if 4 in parts:
        picture_ = dict(fields(parts[4]))  # type: ignore[arg-type]
        return tag, {"height": picture_[1], "width": picture_[2], "png": picture_[4]}
    if 5 in parts:
        return tag, _read_histogram(parts[5])
    if 6 in parts:
        sound_ = dict(fields(parts[6]))  # type: ignore[arg-type]
        return tag, {"frames": sound_[3], "wav": sound_[4]}
    if 8 in parts:
        return tag, _read_tensor(parts[8])
    return tag, dict(fields(dict(fields(parts[9]))[1]))[2]  # type: ignore[arg-type]


def _read_histogram(message: Any) -> dict[str, Any]:
    parts = dict(fields(message))
    names = ("min", "max", "num", "sum", "sum_squares")
    found: dict[str, Any] = {
        name: struct.unpack("<d", parts[k])[0]  # type: ignore[arg-type]
        for k, name in enumerate(names, 1)}
    found["bucket_limit"] = np.frombuffer(parts[6], "<f8")  # type: ignore[arg-type]
    found["bucket"] = np.frombuffer(parts[7], "<f8")  # type: ignore[arg-type]
    return found


def _read_tensor(message: Any) -> Any:
    parts = dict(fields(message))
    if parts[1] == DT_STRING:
        return parts[8].decode()  # type: ignore[union-attr]
    shape = [dict(fields(dim)).get(1, 0) for _, dim in fields(parts[2])]  # type: ignore[arg-type]
    kind, place = ("<f8", 6) if parts[1] == DT_DOUBLE else ("<f4", 5)
    return np.frombuffer(parts[place], kind).reshape(shape)  # type: ignore[arg-type, call-overload]
