"""`SummaryWriter`: the log of a training run."""

from __future__ import annotations

import io
import itertools
import os
import socket
import sys
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...base import TensorBase
from ...errors import ArgumentError, ArgumentTypeError, ShapeArgumentError, UnsupportedError
from . import projector, summary
from .graph import graph
from .pictures import grid, pixels, with_boxes
from .records import record

_numbers = itertools.count()


class FileWriter:
    """An event file that grows.

    Args:
        log_dir: the folder; made if it is not there.
        max_queue: events that may wait before they are written.
        flush_secs: seconds that one may wait.
        filename_suffix: put behind the file's name.
    """

    def __init__(self, log_dir: str | os.PathLike, max_queue: int = 10, flush_secs: float = 120,
                 filename_suffix: str = ""):
        self._folder = os.fspath(log_dir)
        self._max_queue, self._flush_secs = max_queue, flush_secs
        self._waiting, self._last = 0, time.monotonic()
        os.makedirs(self._folder, exist_ok=True)
        name = (f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}."
                f"{next(_numbers)}{filename_suffix}")
        self.path = os.path.join(self._folder, name)
        # Closed when the writer goes, or Python ends, also where nobody called close().
        self._held: list[IO[bytes]] = [open(self.path, "wb")]  # noqa: SIM115
        weakref.finalize(self, _close, self._held)
        self._put(summary.event(time.time(), version="brain.Event:2"))
        self._file.flush()

    @property
    def _file(self) -> IO[bytes]:
        return self._held[0]

    def get_logdir(self) -> str:
        """Return the folder."""
        return self._folder

    def _put(self, event: bytes) -> None:
        if self._file.closed:
            self._held[0] = open(self.path, "ab")  # noqa: SIM115
        self._file.write(record(event))
        self._waiting += 1
        if self._waiting > self._max_queue or time.monotonic() - self._last > self._flush_secs:
            self.flush()

    def add_summary(self, content: bytes, global_step: int | None = None,
                    walltime: float | None = None) -> None:
        """Write a summary."""
        self._put(summary.event(time.time() if walltime is None else walltime,
                                None if global_step is None else int(global_step), content))

    def add_graph(self, definition: bytes, walltime: float | None = None) -> None:
        """Write a graph."""
        self._put(summary.event(time.time() if walltime is None else walltime, graph=definition))

    def flush(self) -> None:
        """Bring everything to the file."""
        if not self._file.closed:
            self._file.flush()
        self._waiting, self._last = 0, time.monotonic()

    def close(self) -> None:
        """Bring everything to the file and close it; what comes later opens it again."""
        self._file.close()

    def reopen(self) -> None:
        """Go on after `close`."""


def _close(held: list[IO[bytes]]) -> None:
    held[0].close()


def _array(x: Any) -> np.ndarray:
    """Numbers of a tensor (also of bfloat16), an array, a list or a number."""
    if isinstance(x, TensorBase):
        return np.array(x.detach()._read())  # type: ignore[attr-defined]
    return np.asarray(x)


def _number(x: Any) -> float:
    array = _array(x)
    if array.size != 1:
        raise ArgumentError(f"scalar should be 0D: got {array.size} numbers",
                            fix="x.mean(), or add_histogram for many numbers")
    return float(array.reshape(()))


class SummaryWriter:
    """Writes scalars, histograms, pictures, texts and more for TensorBoard to show.

    Args:
        log_dir: the folder (default: runs/ and a name of the time, the machine and `comment`).
        comment: put behind the default name.
        purge_step: forget what an interrupted run wrote from this step on.
        max_queue: events that may wait before they are written (default 10).
        flush_secs: seconds that one may wait (default 120).
        filename_suffix: put behind the file's name.

    Every `add_...` takes `global_step`, the step it belongs to, and `walltime`, the time in
    seconds (default: now). Tags with a slash stand together: "loss/train", "loss/test".

    Example:
        >>> import lampion as torch
        >>> from lampion.utils.tensorboard import SummaryWriter
        >>> with SummaryWriter("runs/example") as writer:
        ...     for step in range(3):
        ...         writer.add_scalar("loss", 1 / (step + 1), step)
        ...     writer.add_histogram("weights", torch.randn(100), step)
    """

    def __init__(self, log_dir: Any = None, comment: str = "", purge_step: int | None = None,
                 max_queue: int = 10, flush_secs: int = 120, filename_suffix: str = ""):
        if not log_dir:
            now = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self.purge_step = purge_step
        self._settings = (max_queue, flush_secs, filename_suffix)
        self.file_writer = FileWriter(self.log_dir, *self._settings)
        self.all_writers: dict[str, FileWriter] = {self.log_dir: self.file_writer}
        if purge_step is not None:
            # An event of a session's start lets TensorBoard forget later steps before it.
            started = summary.text(7, summary.whole(1, 1))
            self.file_writer._put(summary.event(time.time(), purge_step) + started)

    def _get_file_writer(self) -> FileWriter:
        return self.file_writer

    def get_logdir(self) -> str:
        """Return the folder."""
        return self.log_dir

    def _add(self, content: bytes, step: Any, walltime: float | None) -> None:
        step = None if step is None else int(_number(step))
        self.file_writer.add_summary(content, step, walltime)

    # --- numbers -------------------------------------------------------------------------------

    def add_scalar(self, tag: str, scalar_value: Any, global_step: Any = None,
                   walltime: float | None = None, new_style: bool = False,
                   double_precision: bool = False) -> None:
        """Add one number.

        Args:
            tag: its name.
            scalar_value: a number or a tensor of one number.
            new_style: as a tensor, which newer readers expect.
            double_precision: of float64, with new_style.

        Raises:
            ArgumentError: more than one number.
        """
        self._add(summary.scalar(tag, _number(scalar_value), new_style, double_precision),
                  global_step, walltime)

    def add_scalars(self, main_tag: str, tag_scalar_dict: dict[str, Any], global_step: Any = None,
                    walltime: float | None = None) -> None:
        """Add several numbers to be drawn in one figure: each gets a folder of its own.

        Args:
            main_tag: the figure's name.
            tag_scalar_dict: the curves' names and numbers.
        """
        step = None if global_step is None else int(_number(global_step))
        for tag, number in tag_scalar_dict.items():
            folder = os.path.join(
                self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            if folder not in self.all_writers:
                self.all_writers[folder] = FileWriter(folder, *self._settings)
            self.all_writers[folder].add_summary(
                summary.scalar(main_tag, _number(number)), step, walltime)

    def add_histogram(self, tag: str, values: Any, global_step: Any = None,
                      bins: Any = "tensorflow", walltime: float | None = None,
                      max_bins: int | None = None) -> None:
        """Add how numbers are distributed.

        Args:
            values: a tensor, an array or a list.
            bins: "tensorflow" (default), "auto", "fd", ..., or the bounds.
            max_bins: the largest number of bins.

        Raises:
            ArgumentError: no numbers, or some that are not finite.
        """
        self._add(summary.histogram(tag, _array(values), bins, max_bins), global_step, walltime)

    def add_histogram_raw(self, tag: str, min: float, max: float, num: int, sum: float,
                          sum_squares: float, bucket_limits: Sequence[float],
                          bucket_counts: Sequence[float], global_step: Any = None,
                          walltime: float | None = None) -> None:
        """Add a distribution that was counted already.

        Raises:
            ShapeArgumentError: another number of limits than of counts.
        """
        if len(bucket_limits) != len(bucket_counts):
            raise ShapeArgumentError("len(bucket_limits) != len(bucket_counts), see the document.")
        self._add(summary.raw_histogram(tag, (min, max, num, sum, sum_squares), bucket_limits,
                                        bucket_counts), global_step, walltime)

    def add_pr_curve(self, tag: str, labels: Any, predictions: Any, global_step: Any = None,
                     num_thresholds: int = 127, weights: Any = None,
                     walltime: float | None = None) -> None:
        """Add precision and recall for every threshold.

        Args:
            labels: 0 or 1 for each sample.
            predictions: the probability of 1.
            num_thresholds: how many, at most 127.
            weights: of the samples.
        """
        self._add(summary.pr_curve(tag, _array(labels), _array(predictions).astype(np.float64),
                                   num_thresholds, None if weights is None else _array(weights)),
                  global_step, walltime)

    # --- pictures, words, sounds ---------------------------------------------------------------

    def add_image(self, tag: str, img_tensor: Any, global_step: Any = None,
                  walltime: float | None = None, dataformats: str = "CHW") -> None:
        """Add a picture.

        Shape: (3, H, W) by default; "HWC", "HW", ... say otherwise.

        Args:
            img_tensor: uint8 from 0 to 255, or floating from 0 to 1.
        """
        self._add_pixels(tag, pixels(_array(img_tensor), dataformats), global_step, walltime)

    def add_images(self, tag: str, img_tensor: Any, global_step: Any = None,
                   walltime: float | None = None, dataformats: str = "NCHW") -> None:
        """Add several pictures as one, side by side.

        Shape: (N, 3, H, W) by default; "NHWC", ... say otherwise.
        """
        self._add_pixels(tag, grid(_array(img_tensor), dataformats), global_step, walltime)

    def add_image_with_boxes(self, tag: str, img_tensor: Any, box_tensor: Any,
                             global_step: Any = None, walltime: float | None = None,
                             rescale: float = 1, dataformats: str = "CHW",
                             labels: Sequence[str] | None = None) -> None:
        """Add a picture with red frames.

        Args:
            box_tensor: (N, 4), each left, top, right, bottom in pixels.
            rescale: accepted; TensorBoard scales pictures itself.
            labels: accepted; frames carry no words.
        """
        drawn = with_boxes(pixels(_array(img_tensor), dataformats), _array(box_tensor))
        self._add_pixels(tag, drawn, global_step, walltime)

    def _add_pixels(self, tag: str, image: np.ndarray, step: Any, walltime: float | None) -> None:
        self._add(summary.picture(tag, summary.png(image), image.shape[2]), step, walltime)

    def add_figure(self, tag: str, figure: Any, global_step: Any = None, close: bool = True,
                   walltime: float | None = None) -> None:
        """Add matplotlib figures as pictures.

        Args:
            figure: a figure, or a list of figures.
            close: let pyplot forget them afterwards.
        """
        figures = figure if isinstance(figure, (list, tuple)) else [figure]
        for k, one in enumerate(figures):
            name = tag if len(figures) == 1 else f"{tag}/{k}"
            self._add(summary.picture(name, _drawn(one), 4), global_step, walltime)
            pyplot = sys.modules.get("matplotlib.pyplot")
            if close and pyplot is not None:
                pyplot.close(one)

    def add_text(self, tag: str, text_string: str, global_step: Any = None,
                 walltime: float | None = None) -> None:
        """Add a text, in Markdown."""
        if not isinstance(text_string, str):
            raise ArgumentTypeError(f"add_text: text_string is {type(text_string).__name__}",
                                    fix="str(x)")
        self._add(summary.words(tag, text_string), global_step, walltime)

    def add_audio(self, tag: str, snd_tensor: Any, global_step: Any = None,
                  sample_rate: int = 44100, walltime: float | None = None) -> None:
        """Add a sound of one channel.

        Args:
            snd_tensor: samples between -1 and 1.
            sample_rate: samples in a second.
        """
        self._add(summary.sound(tag, _array(snd_tensor), sample_rate), global_step, walltime)

    def add_video(self, tag: str, vid_tensor: Any, global_step: Any = None, fps: int = 4,
                  walltime: float | None = None) -> None:
        """Raise: films are not written."""
        raise UnsupportedError("add_video is not implemented", fix="add_images(tag, frames)")

    # --- networks ------------------------------------------------------------------------------

    def add_graph(self, model: Any, input_to_model: Any = None, verbose: bool = False,
                  use_strict_trace: bool = True) -> None:
        """Add what a model does with an input, as a graph with a box for each module.

        Args:
            model: a module.
            input_to_model: a tensor, or the arguments in a tuple.
            verbose, use_strict_trace: accepted.
        """
        if input_to_model is None:
            raise ArgumentError("add_graph: input_to_model is not given",
                                why="the model is run once to see what it does",
                                fix="writer.add_graph(model, torch.zeros(1, 3, 32, 32))")
        self.file_writer.add_graph(graph(model, input_to_model))

    def add_hparams(self, hparam_dict: dict[str, Any], metric_dict: dict[str, Any],
                    hparam_domain_discrete: dict[str, list] | None = None,
                    run_name: str | None = None, global_step: Any = None) -> None:
        """Add hyperparameters and what came of them, to compare runs.

        Args:
            hparam_dict: names and values (numbers, texts, truth values).
            metric_dict: names and numbers.
            hparam_domain_discrete: for some, which values are possible.
            run_name: the run's folder (default: the time).
        """
        if not isinstance(hparam_dict, dict) or not isinstance(metric_dict, dict):
            raise ArgumentTypeError("hparam_dict and metric_dict should be dictionary.")
        chosen = {name: _array(x).item() if isinstance(x, (TensorBase, np.generic)) else x
                  for name, x in hparam_dict.items()}
        folder = os.path.join(self.log_dir, str(time.time()) if run_name is None else run_name)
        parts = summary.hyperparameters(chosen, metric_dict, hparam_domain_discrete)
        with SummaryWriter(folder) as writer:
            for part in parts:
                writer.file_writer.add_summary(part, None if global_step is None
                                               else int(_number(global_step)))
            for name, x in metric_dict.items():
                writer.add_scalar(name, x, global_step)

    def add_embedding(self, mat: Any, metadata: Sequence | None = None, label_img: Any = None,
                      global_step: Any = None, tag: str = "default",
                      metadata_header: Sequence[str] | None = None) -> None:
        """Add points of many dimensions for the projector.

        Shape: mat (N, D); label_img (N, C, H, W).

        Args:
            metadata: a label for each point, or several under metadata_header.
            label_img: a picture for each point.

        Raises:
            ShapeArgumentError: another number of labels or pictures than of points.
        """
        step = 0 if global_step is None else int(_number(global_step))
        folder = Path(self.log_dir) / f"{step:05d}" / tag
        projector.write(folder, _array(mat), metadata, metadata_header,
                        None if label_img is None else _array(label_img))
        projector.enter(Path(self.log_dir), folder, tag, step, metadata is not None,
                        None if label_img is None else label_img.shape[2:])

    # --- the end -------------------------------------------------------------------------------

    def flush(self) -> None:
        """Bring everything to the files."""
        for writer in self.all_writers.values():
            writer.flush()

    def close(self) -> None:
        """Bring everything to the files and close them."""
        for writer in self.all_writers.values():
            writer.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


def _drawn(figure: Any) -> bytes:
    """A matplotlib figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi)
    return buffer.getvalue()
