"""Event files, read back by an own reader always, and by TensorBoard's where it is installed."""

from __future__ import annotations

import io
import json
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lampion
from lampion.errors import FileFormatError
from lampion.utils.tensorboard import SummaryWriter, read_events, records, wire

RANDOM = np.random.default_rng(0)


def written(folder):
    """All values of a folder's event files: {tag: [(step, value), ...]}."""
    found = {}
    for path in sorted(Path(folder).glob("events.*")):
        for event in read_events(path):
            for tag, value in event["values"].items():
                found.setdefault(tag, []).append((event["step"], value))
    return found


def accumulator(folder):
    """TensorBoard's own reader of the folder."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator",
                                 reason="TensorBoard's reader is a second witness")
    made = module.EventAccumulator(str(folder), size_guidance=dict.fromkeys(
        ("scalars", "images", "histograms", "tensors", "audio"), 0))
    return made.Reload()


# --- bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("data, expected", [
    # RFC 3720, appendix B.4
    (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C), (b"", 0), (b"123456789", 0xE3069283)])
def test_checksums_are_those_of_the_standard(data, expected):
    assert records.crc32c(data) == expected


@pytest.mark.parametrize("size", [records.LONG - 1, records.LONG, 3 * records.LONG + 77])
def test_long_data_has_the_checksum_of_one_byte_after_another(size):
    data = RANDOM.bytes(size)
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (records.POLYNOMIAL if register & 1 else 0)
    assert records.crc32c(data) == register ^ 0xFFFFFFFF


def test_messages_there_and_back():
    message = (wire.whole(1, 0) + wire.whole(2, 1 << 40) + wire.whole(3, -5) + wire.text(4, "äö")
               + wire.double(5, 0.1) + wire.single(200, 1e300) + wire.doubles(7, [1, 2.5]))
    found = dict(wire.fields(message))
    assert (found[1], found[2], found[3], found[4]) == (0, 1 << 40, -5, "äö".encode())
    assert struct.unpack("<d", found[5]) == (0.1,)
    assert struct.unpack("<f", found[200]) == (float("inf"),)
    assert np.frombuffer(found[7]).tolist() == [1, 2.5]
    for cut in (1, 3, len(message) - 1):
        with pytest.raises(FileFormatError):
            list(wire.fields(message[:cut]))


def test_damaged_files_are_refused_and_unfinished_ones_are_read(tmp_path):
    path = tmp_path / "x"
    whole = records.record(b"first") + records.record(b"second")
    path.write_bytes(whole[:-3])
    assert list(records.read_records(path)) == [b"first"]
    for place in (0, 13):
        broken = bytearray(whole)
        broken[place] ^= 1
        path.write_bytes(broken)
        with pytest.raises(FileFormatError, match="damaged"):
            list(records.read_records(path))


# --- numbers -------------------------------------------------------------------------------------


def test_scalars(tmp_path):
    t = lampion
    with SummaryWriter(tmp_path) as writer:
        for step in range(25):
            writer.add_scalar("loss/train", 1 / (step + 1), step)
        writer.add_scalar("tensor", t.tensor([2.5], requires_grad=True) * 2, t.tensor(3))
        writer.add_scalar("array", np.float32(1.5), 4, walltime=12.5)
        writer.add_scalar("narrow", t.tensor(1.5, dtype=t.bfloat16), 1)
        writer.add_scalar("nan", float("nan"), 1)
        writer.add_scalar("none", 1)
        writer.add_scalar("new", 0.1, 7, new_style=True)
        writer.add_scalar("double", 0.1, 7, new_style=True, double_precision=True)
    found = written(tmp_path)
    assert [s for s, _ in found["loss/train"]] == list(range(25))
    np.testing.assert_allclose([v for _, v in found["loss/train"]], 1 / np.arange(1, 26), 1e-6)
    assert found["tensor"] == [(3, 5.0)] and found["array"] == [(4, 1.5)]
    assert np.isnan(found["nan"][0][1]) and found["narrow"] == [(1, 1.5)]
    assert found["double"][0][1] == 0.1 and abs(found["new"][0][1] - 0.1) < 1e-8
    times = [e["wall_time"] for p in tmp_path.glob("events.*") for e in read_events(p)]
    assert 12.5 in times
    with pytest.raises(ValueError, match="mean"):
        SummaryWriter(tmp_path / "other").add_scalar("x", t.ones(2))


def test_scalars_as_tensorboard_reads_them(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for step in range(3):
            writer.add_scalar("loss", step / 2, step)
        writer.add_scalar("new", 0.25, 1, new_style=True)
    read = accumulator(tmp_path)
    assert [(e.step, e.value) for e in read.Scalars("loss")] == [(0, 0), (1, 0.5), (2, 1)]
    assert read.Tags()["tensors"] == ["new"]
    assert list(read.Tensors("new")[0].tensor_proto.float_val) == [0.25]
    assert read.SummaryMetadata("new").plugin_data.plugin_name == "scalars"


def test_several_curves_in_one_figure(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("run/loss", {"a": 1.0, "b": lampion.tensor(2.0)}, 5)
    assert written(tmp_path / "run_loss_a") == {"run/loss": [(5, 1.0)]}
    assert written(tmp_path / "run_loss_b") == {"run/loss": [(5, 2.0)]}


@pytest.mark.parametrize("bins", ["tensorflow", "auto", 7, [-1.0, 0.0, 2.0]])
def test_histograms(tmp_path, bins):
    values = RANDOM.normal(size=(50, 4))
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("h", lampion.tensor(values.tolist(), dtype=lampion.float64), 2, bins)
    ((step, found),) = written(tmp_path)["h"]
    assert step == 2 and found["num"] == 200
    np.testing.assert_allclose(
        [found[k] for k in ("min", "max", "sum", "sum_squares")],
        [values.min(), values.max(), values.sum(), (values ** 2).sum()])
    limits, counts = found["bucket_limit"], found["bucket"]
    assert len(limits) == len(counts) and (np.diff(limits) > 0).all() and counts[0] == 0
    inside = values if bins != [-1.0, 0.0, 2.0] else values[(values >= -1) & (values <= 2)]
    assert counts.sum() == inside.size
    for k, limit in enumerate(limits[:-1]):
        assert counts[:k + 1].sum() == (inside < limit).sum()
    read = accumulator(tmp_path).Histograms("h")[0].histogram_value
    np.testing.assert_allclose(read.bucket, counts)
    np.testing.assert_allclose(read.bucket_limit, limits)


def test_histograms_at_the_edges(tmp_path):
    writer = SummaryWriter(tmp_path)
    writer.add_histogram("one number", lampion.zeros(5), 0)
    writer.add_histogram("whole", lampion.arange(10), 0, max_bins=4)
    writer.add_histogram_raw("raw", 0.0, 1.0, 2, 1.0, 1.0, [0.5, 1.0], [1, 1], 3)
    writer.close()
    found = written(tmp_path)
    assert found["one number"][0][1]["bucket"].sum() == 5
    assert found["whole"][0][1]["bucket"].sum() == 10 and len(
        found["whole"][0][1]["bucket"]) <= 5
    assert found["raw"][0][1]["bucket"].tolist() == [1, 1]
    for wrong in (lampion.zeros(0), lampion.tensor([1.0, float("nan")])):
        with pytest.raises(ValueError):
            writer.add_histogram("wrong", wrong)
    with pytest.raises(ValueError):
        writer.add_histogram_raw("raw", 0, 1, 2, 1, 1, [0.5], [1, 1])


def test_precision_and_recall(tmp_path):
    labels, chances = RANDOM.integers(0, 2, 200), RANDOM.random(200)
    with SummaryWriter(tmp_path) as writer:
        writer.add_pr_curve("pr", lampion.tensor(labels.tolist()),
                            lampion.tensor(chances.tolist(), dtype=lampion.float64), 1, 11)
    ((_, table),) = written(tmp_path)["pr"]
    assert table.shape == (6, 11)
    for k in range(11):
        said = np.floor(chances * 10) >= k
        hits, misses = (said & (labels == 1)).sum(), (said & (labels == 0)).sum()
        left = (labels == 1).sum() - hits
        expected = [hits, misses, (labels == 0).sum() - misses, left,
                    hits / max(1e-7, hits + misses), hits / max(1e-7, hits + left)]
        np.testing.assert_allclose(table[:, k], expected, 1e-6)


# --- pictures, words, sounds ---------------------------------------------------------------------


def picture(value):
    image = np.asarray(Image.open(io.BytesIO(value["png"])))
    assert image.shape[:2] == (value["height"], value["width"])
    return image


@pytest.mark.parametrize("form", ["CHW", "HWC", "HW", "WH"])
def test_images(tmp_path, form):
    shape = {"C": 3, "H": 5, "W": 7}
    image = RANDOM.random([shape[a] for a in form])
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("x", lampion.tensor(image.tolist()), 3, dataformats=form)
        writer.add_image("bytes", (image * 255).astype(np.uint8), 3, dataformats=form)
    names = form if "C" in form else form + "C"
    full = image if "C" in form else image[..., None].repeat(3, -1)
    expected = np.floor(full.transpose([names.index(a) for a in "HWC"]) * 255)
    for tag in ("x", "bytes"):
        ((step, value),) = written(tmp_path)[tag]
        assert step == 3
        np.testing.assert_allclose(picture(value), expected, atol=1)


def test_images_side_by_side_and_with_frames(tmp_path):
    images = RANDOM.random((10, 3, 4, 6))
    with SummaryWriter(tmp_path) as writer:
        writer.add_images("many", lampion.tensor(images.tolist()))
        writer.add_image_with_boxes("boxes", np.zeros((3, 8, 8)), np.array([[1, 2, 5, 6]]))
    found = written(tmp_path)
    many = picture(found["many"][0][1])
    assert many.shape == (8, 48, 3)
    np.testing.assert_allclose(many[4:, 6:12], images[9].transpose(1, 2, 0) * 255, atol=1)
    boxes = picture(found["boxes"][0][1])
    assert (boxes[2, 1:6, 0] == 255).all() and (boxes[2:7, 5, 0] == 255).all()
    assert boxes[..., 0].sum() == 255 * 16 and not boxes[..., 1:].any()
    assert len(accumulator(tmp_path).Images("many")) == 1


@pytest.mark.parametrize("shape, form", [((5, 4, 4), "CHW"), ((4, 4), "CHW"), ((3, 4, 4), "CHX"),
                                         ((3, 4, 4), "CCH")])
def test_pictures_that_are_none(tmp_path, shape, form):
    with pytest.raises(ValueError):
        SummaryWriter(tmp_path).add_image("x", np.zeros(shape), dataformats=form)


def test_figures(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(2, 1), dpi=50)
    axes.plot([0, 1])
    with SummaryWriter(tmp_path) as writer:
        writer.add_figure("f", figure, 1, close=False)
        writer.add_figure("many", [figure, pyplot.figure()], 1)
    assert not pyplot.get_fignums()
    found = written(tmp_path)
    assert picture(found["f"][0][1]).shape[:2] == (50, 100)
    assert {"many/0", "many/1"} <= set(found)


def test_words_and_sounds(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("note", "**fat** and ünïcode", 2)
        writer.add_audio("tone", lampion.tensor([0.0, 0.5, -1.0, 2.0]), 1, 8000)
        with pytest.raises(TypeError):
            writer.add_text("note", 3)
        with pytest.raises(NotImplementedError):
            writer.add_video("film", None)
    found = written(tmp_path)
    assert found["note/text_summary"] == [(2, "**fat** and ünïcode")]
    with wave.open(io.BytesIO(found["tone"][0][1]["wav"])) as file:
        assert file.getframerate() == 8000
        samples = np.frombuffer(file.readframes(10), "<i2")
    np.testing.assert_allclose(samples / 32767, [0, 0.5, -1, 1], atol=1e-4)
    read = accumulator(tmp_path)
    assert read.Tensors("note/text_summary")[0].tensor_proto.string_val == [
        "**fat** and ünïcode".encode()]


# --- networks ------------------------------------------------------------------------------------


def nodes_of(definition):
    found = {}
    for number, content in wire.fields(definition):
        if number == 1:
            parts = list(wire.fields(content))
            name = next(v for k, v in parts if k == 1).decode()
            found[name] = (next(v for k, v in parts if k == 2).decode(),
                           [v.decode() for k, v in parts if k == 3])
    return found


def test_graphs(tmp_path):
    nn = lampion.nn
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 2)))
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(model, lampion.zeros(3, 4))
        with pytest.raises(ValueError):
            writer.add_graph(model)
    (path,) = tmp_path.glob("events.*")
    (graph,) = [e["graph"] for e in read_events(path) if "graph" in e]
    nodes = nodes_of(graph)
    for _, sources in nodes.values():
        assert all(source in nodes for source in sources)
    assert nodes["input/0"][0] == "Placeholder" and nodes["output/0"][0] == "Output"
    parameters = {n for n, (op, _) in nodes.items() if op == "Parameter"}
    assert parameters == {"Sequential/0/weight", "Sequential/0/bias", "Sequential/2/0/weight",
                          "Sequential/2/0/bias"}
    assert any(n.startswith("Sequential/1/") for n in nodes)
    assert any(op == "matmul" and n.startswith("Sequential/2/0/") for n, (op, _) in nodes.items())

    def reaches(name, seen):
        seen.add(name)
        for source in nodes[name][1]:
            reaches(source, seen)
        return seen

    assert {"input/0", *parameters} <= reaches("output/0", set())
    assert model.training and not any(m._forward_hooks for m in model.modules())


def test_graphs_as_tensorboard_reads_them(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(lampion.nn.LSTM(3, 4), lampion.zeros(5, 2, 3))
    graph = accumulator(tmp_path).Graph()
    names = [node.name for node in graph.node]
    assert "input/0" in names and len(names) == len(set(names))
    shapes = {node.name: node.attr["_output_shapes"].list.shape for node in graph.node}
    assert [d.size for d in shapes["input/0"][0].dim] == [5, 2, 3]


def test_hyperparameters(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_hparams({"lr": 0.1, "layers": 3, "bias": True, "name": "x"},
                           {"hparam/accuracy": lampion.tensor(0.5)}, {"name": ["x", "y"]},
                           run_name="one")
        with pytest.raises(TypeError):
            writer.add_hparams([], {})
        with pytest.raises(ValueError):
            writer.add_hparams({"x": []}, {})
    found = written(tmp_path / "one")
    assert found["hparam/accuracy"][0][1] == 0.5
    assert {"_hparams_/experiment", "_hparams_/session_start_info",
            "_hparams_/session_end_info"} <= set(found)
    plugin = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2",
                                 reason="TensorBoard's reader is a second witness")
    start = plugin.HParamsPluginData.FromString(found["_hparams_/session_start_info"][0][1])
    hparams = start.session_start_info.hparams
    assert (hparams["lr"].number_value, hparams["bias"].bool_value,
            hparams["name"].string_value) == (0.1, True, "x")
    experiment = plugin.HParamsPluginData.FromString(
        found["_hparams_/experiment"][0][1]).experiment
    assert [m.name.tag for m in experiment.metric_infos] == ["hparam/accuracy"]
    names = {info.name: [v.string_value for v in info.domain_discrete.values]
             for info in experiment.hparam_infos}
    assert names == {"lr": [], "layers": [], "bias": [], "name": ["x", "y"]}


def test_embeddings(tmp_path):
    points = RANDOM.normal(size=(5, 3)).astype(np.float32)
    with SummaryWriter(tmp_path) as writer:
        writer.add_embedding(lampion.tensor(points.tolist()), ["a", "b", "c", "d", "e"],
                             np.ones((5, 3, 4, 4)), 7, "words")
        writer.add_embedding(points, [(1, 2)] * 5, metadata_header=["x", "y"])
        with pytest.raises(ValueError, match="labels"):
            writer.add_embedding(points, ["a"])
        with pytest.raises(ValueError, match="2D"):
            writer.add_embedding(points[0])
    folder = tmp_path / "00007" / "words"
    table = np.loadtxt(folder / "tensors.tsv", delimiter="\t")
    np.testing.assert_allclose(table, points, 1e-6)
    assert (folder / "metadata.tsv").read_text().split() == ["a", "b", "c", "d", "e"]
    assert np.asarray(Image.open(folder / "sprite.png")).shape == (12, 12, 3)
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert config.count("embeddings {") == 2 and 'tensor_path: "00007/words/tensors.tsv"' in config
    assert (tmp_path / "00000/default/metadata.tsv").read_text().startswith("x\ty\n1\t2\n")


# --- the writer ----------------------------------------------------------------------------------


def test_default_folder_and_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writer = SummaryWriter(comment="_test", filename_suffix=".mine")
    assert writer.get_logdir().startswith("runs") and writer.get_logdir().endswith("_test")
    writer.add_scalar("x", 1.0)
    writer.flush()
    (path,) = Path(writer.log_dir).glob("events.*.mine")
    assert [e["values"] for e in read_events(path)] == [{}, {"x": 1.0}]
    writer.close()
    writer.add_scalar("x", 2.0)  # opens the file again
    writer.close()
    assert len(list(read_events(path))) == 3
    first = next(read_events(path))
    assert first["version"] == "brain.Event:2"
    json.dumps(first)


def test_a_full_queue_is_written(tmp_path):
    writer = SummaryWriter(tmp_path, max_queue=3)
    (path,) = tmp_path.glob("events.*")
    for step in range(3):
        writer.add_scalar("x", 1.0, step)
    assert len(list(read_events(path))) >= 4  # the version, and what was waiting
    writer.close()


def test_steps_of_an_interrupted_run_are_forgotten(tmp_path):
    for start in (0, 2):
        with SummaryWriter(tmp_path, purge_step=start or None, filename_suffix=f".{start}") as w:
            for step in range(start, 4):
                w.add_scalar("x", float(start), step)
    read = accumulator(tmp_path)
    assert [(e.step, e.value) for e in read.Scalars("x")] == [(0, 0), (1, 0), (2, 2), (3, 2)]
