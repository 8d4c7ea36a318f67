"""Boxes, regions, losses and layers: torchvision (where installed) and definitions by hand."""

import numpy as np
import pytest

import lampion
from lampion import nn
from lampion.vision import ops

RANDOM = np.random.default_rng(0)


def some_boxes(count, size=20.0):
    corners = RANDOM.uniform(0, size, (count, 2, 2)).astype(np.float32)
    return np.concatenate([corners.min(1), corners.max(1) + 0.5], 1)


ONE, TWO = some_boxes(6), some_boxes(4)
SAME = some_boxes(6)
SCORES, TARGETS = RANDOM.normal(size=(3, 4)), RANDOM.integers(0, 2, (3, 4)).astype(float)
CALLS = {
    "box_area": (lambda o, a, b: o.box_area(a), ONE, TWO),
    "box_area xywh": (lambda o, a, b: o.box_area(a, fmt="xywh"), ONE, TWO),
    "box_iou": (lambda o, a, b: o.box_iou(a, b), ONE, TWO),
    "box_iou cxcywh": (lambda o, a, b: o.box_iou(a, b, fmt="cxcywh"), ONE, TWO),
    "box_iou batch": (lambda o, a, b: o.box_iou(a[None], b[None]), ONE, TWO),
    "generalized_box_iou": (lambda o, a, b: o.generalized_box_iou(a, b), ONE, TWO),
    "distance_box_iou": (lambda o, a, b: o.distance_box_iou(a, b), ONE, TWO),
    "complete_box_iou": (lambda o, a, b: o.complete_box_iou(a, b), ONE, TWO),
    "clip": (lambda o, a, b: o.clip_boxes_to_image(a, (7, 12)), ONE, TWO),
    "remove_small": (lambda o, a, b: o.remove_small_boxes(a, 5.0), ONE, TWO),
    "masks_to_boxes": (lambda o, a, b: o.masks_to_boxes(a > 10), RANDOM.uniform(
        0, 11, (3, 5, 6)), TWO),
    **{f"{one} to {two}": (lambda o, a, b, one=one, two=two: o.box_convert(a, one, two), ONE, TWO)
       for one in ("xyxy", "xywh", "cxcywh") for two in ("xyxy", "xywh", "cxcywh")},
    "focal": (lambda o, a, b: o.sigmoid_focal_loss(a, b), SCORES, TARGETS),
    "focal plain": (lambda o, a, b: o.sigmoid_focal_loss(a, b, -1, 1.5, "mean"), SCORES, TARGETS),
    "giou loss": (lambda o, a, b: o.generalized_box_iou_loss(a, b), ONE, SAME),
    "diou loss": (lambda o, a, b: o.distance_box_iou_loss(a, b, "sum"), ONE, SAME),
    "ciou loss": (lambda o, a, b: o.complete_box_iou_loss(a, b, "mean"), ONE, SAME),
}


@pytest.mark.parametrize("name", CALLS)
def test_as_torchvision(name):
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("torchvision.ops")
    call, a, b = CALLS[name]
    differentiable = name not in ("remove_small", "masks_to_boxes")
    results = []
    for library, functions in ((lampion, ops), (torch, reference)):
        one = library.tensor(a.tolist(), dtype=library.float64, requires_grad=differentiable)
        two = library.tensor(b.tolist(), dtype=library.float64)
        value = call(functions, one, two)
        if differentiable:
            (value ** 2).sum().backward()
            results.append((value.detach().numpy(), one.grad.numpy()))
        else:
            results.append((value.numpy(),))
    for ours, theirs in zip(*results):
        assert ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def test_overlaps_by_hand():
    one = lampion.tensor([[0.0, 0, 2, 2]])
    two = lampion.tensor([[1.0, 0, 3, 2], [4, 0, 6, 2], [0, 0, 2, 2]])
    assert np.allclose(ops.box_iou(one, two).numpy(), [[1 / 3, 0, 1]])
    assert np.allclose(ops.generalized_box_iou(one, two).numpy(), [[1 / 3, -1 / 3, 1]])
    assert np.allclose(ops.distance_box_iou(one, two).numpy(), [[1 / 3 - 1 / 13, -16 / 40, 1]])


def test_suppression_against_the_definition():
    boxes, scores = some_boxes(40), RANDOM.uniform(size=40)
    classes = RANDOM.integers(0, 3, 40)

    def by_hand(numbers):
        kept = []
        for k in sorted(numbers, key=lambda k: -scores[k]):
            overlap = ops.box_iou(lampion.tensor(boxes[[k]]), lampion.tensor(boxes)).numpy()[0]
            if all(overlap[other] <= 0.3 for other in kept):
                kept.append(k)
        return kept

    given = lampion.tensor(boxes), lampion.tensor(scores)
    assert ops.nms(*given, 0.3).tolist() == by_hand(range(40))
    each = [k for c in range(3) for k in by_hand(np.flatnonzero(classes == c))]
    found = ops.batched_nms(*given, idxs=lampion.tensor(classes), iou_threshold=0.3)
    assert found.tolist() == sorted(each, key=lambda k: -scores[k])


def sample(picture, y, x):
    """Bilinear value between places, as RoIAlign takes it: one place outside counts as the edge."""
    height, width = picture.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = picture[y0, x0] * (x0 + 1 - x) + picture[y0, x1] * (x - x0)
    bottom = picture[y1, x0] * (x0 + 1 - x) + picture[y1, x1] * (x - x0)
    return top * (y0 + 1 - y) + bottom * (y - y0)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [-1, 2])
def test_roi_align_against_the_definition(aligned, ratio):
    maps = RANDOM.normal(size=(2, 3, 7, 9))
    rois = [[0, 1.5, 2.0, 9.0, 12.0], [1, 0.0, 0.0, 17.0, 13.0], [1, 4.0, 4.0, 4.1, 4.2],
            [0, -6.0, -3.0, 30.0, 8.0]]
    scale, (high, wide) = 0.5, (2, 3)
    given = lampion.tensor(maps), lampion.tensor(rois, dtype=lampion.float64)
    found = ops.roi_align(*given, (high, wide), scale, ratio, aligned).numpy()
    for number, (picture, *box) in enumerate(rois):
        x1, y1, x2, y2 = (value * scale - 0.5 * aligned for value in box)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1), max(height, 1)
        down = ratio if ratio > 0 else int(np.ceil(height / high))
        across = ratio if ratio > 0 else int(np.ceil(width / wide))
        for i in range(high):
            for j in range(wide):
                values = [[sample(channel, y1 + (i + (a + 0.5) / down) * height / high,
                                  x1 + (j + (b + 0.5) / across) * width / wide)
                           for a in range(down) for b in range(across)]
                          for channel in maps[picture]]
                assert np.allclose(found[number, :, i, j], np.mean(values, 1))


def test_roi_pool_against_the_definition():
    maps = RANDOM.normal(size=(2, 3, 7, 9))
    boxes = [np.array([[0.0, 1, 5, 6], [3, 3, 3, 3]]), np.array([[2.0, -4, 20, 5.6]])]
    given = lampion.tensor(maps, requires_grad=True)
    found = ops.roi_pool(given, [lampion.tensor(entry) for entry in boxes], 2)
    number = 0
    for picture, entries in enumerate(boxes):
        for box in entries:
            x1, y1, x2, y2 = np.floor(box + 0.5).astype(int)
            height, width = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
            for i in range(2):
                for j in range(2):
                    rows = slice(max(y1 + i * height // 2, 0),
                                 max(y1 - (-(i + 1) * height // 2), 0))
                    columns = slice(max(x1 + j * width // 2, 0),
                                    max(x1 - (-(j + 1) * width // 2), 0))
                    part = maps[picture][:, rows, columns].reshape(3, -1)
                    wanted = part.max(1) if part.size else np.zeros(3)
                    assert np.allclose(found[number, :, i, j].detach().numpy(), wanted)
            number += 1
    found.sum().backward()
    assert given.grad.sum().item() == (found != 0).sum().item()


def test_regions_have_gradients():
    maps = lampion.tensor(RANDOM.normal(size=(1, 2, 5, 6)), requires_grad=True)
    boxes = [lampion.tensor([[0.5, 0.5, 4.0, 3.0], [1.0, 0.0, 5.0, 4.0]])]
    assert lampion.autograd.gradcheck(lambda x: ops.roi_align(x, boxes, 2, 1.0, 2, True), (maps,))
    assert lampion.autograd.gradcheck(lambda x: ops.roi_pool(x, boxes, 2), (maps,))
    layer = ops.RoIAlign(2, 1.0, 2)
    assert layer(maps, boxes).shape == ops.RoIPool((2, 2), 1.0)(maps, boxes).shape == (2, 2, 2, 2)


def test_layers_as_torchvision():
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("torchvision.ops")
    builders = {
        "Conv2dNormActivation": lambda o, n: o.Conv2dNormActivation(4, 6, 5, dilation=2),
        "Conv2dNormActivation bare": lambda o, n: o.Conv2dNormActivation(
            4, 6, (3, 5), norm_layer=None, activation_layer=None),
        "SqueezeExcitation": lambda o, n: o.SqueezeExcitation(4, 2),
        "MLP": lambda o, n: o.MLP(10, [8, 3], norm_layer=n.LayerNorm, dropout=0.0),
        "FrozenBatchNorm2d": lambda o, n: o.FrozenBatchNorm2d(4),
        "Permute": lambda o, n: o.Permute([0, 2, 3, 1]),
    }
    images = RANDOM.normal(size=(2, 4, 8, 10)).astype(np.float32)
    for name, build in builders.items():
        ours, theirs = build(ops, nn), build(reference, torch.nn)
        state = {key: lampion.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
        ours.load_state_dict(state)
        result = ours(lampion.tensor(images)).detach().numpy()
        wanted = theirs(torch.tensor(images)).detach().numpy()
        assert np.allclose(result, wanted, atol=1e-5), name


def test_stochastic_depth_and_blocks():
    lampion.manual_seed(0)
    ones = lampion.ones(2000, 1, 2)
    rows = ops.stochastic_depth(ones, 0.25, "row").numpy()[:, 0]
    assert set(np.unique(rows)) == {0.0, np.float32(1 / 0.75)} and (rows[:, 0] == rows[:, 1]).all()
    assert abs(rows.mean() - 1) < 0.05
    whole = ops.StochasticDepth(0.5, "batch")
    assert len({float(whole(ones).sum()) for _ in range(20)}) == 2
    assert whole.eval()(ones) is ones
    blocked = ops.drop_block2d(lampion.ones(8, 4, 30, 30), 0.3, 5).numpy()
    assert abs((blocked == 0).mean() - 0.27) < 0.08 and abs(blocked.mean() - 1) < 1e-3
    images = lampion.ones(1, 1, 4, 4)
    assert ops.DropBlock2d(0.0, 3)(images) is images


@pytest.mark.parametrize(("call", "error", "hint"), [
    (lambda: ops.box_convert(lampion.ones(1, 4), "xyxy", "yxyx"), ValueError, "xywh"),
    (lambda: ops.box_iou(lampion.ones(1, 3), lampion.ones(1, 4)), RuntimeError, "four numbers"),
    (lambda: ops.masks_to_boxes(lampion.zeros(1, 2, 2)), ValueError, "empty"),
    (lambda: ops.roi_align(lampion.ones(3, 4, 4), lampion.ones(1, 5), 2), RuntimeError, "four"),
    (lambda: ops.roi_align(lampion.ones(1, 3, 4, 4), lampion.ones(1, 4), 2), RuntimeError, "K, 5"),
    (lambda: ops.roi_align(lampion.ones(1, 3, 4, 4), lampion.ones(1, 5), 2), IndexError, "1 pict"),
    (lambda: ops.sigmoid_focal_loss(lampion.ones(2), lampion.ones(2), 2), ValueError, "alpha"),
    (lambda: ops.sigmoid_focal_loss(lampion.ones(2), lampion.ones(2), reduction="all"), ValueError,
     "none"),
    (lambda: ops.stochastic_depth(lampion.ones(2), 2, "row"), ValueError, "between"),
    (lambda: ops.stochastic_depth(lampion.ones(2), 0.5, "column"), ValueError, "row"),
    (lambda: ops.drop_block2d(lampion.ones(1, 1, 8, 8), 0.5, 4), ValueError, "odd"),
])
def test_errors_teach(call, error, hint):
    with pytest.raises(error, match=hint):
        call()
