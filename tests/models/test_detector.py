"""The single-shot detector, and the network that looks at video."""

import numpy as np
import pytest

import lampion
from lampion import models
from lampion.errors import ShapeError
from lampion.models import detector
from lampion.nn import functional as F


def train(model, loss, steps, lr=0.01):
    optimizer = lampion.optim.Adam(model.parameters(), lr=lr)
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values


def test_anchors_lie_as_the_maps_are_read():
    anchors = detector.anchor_boxes(2, 0.5, (1.0, 4.0)).numpy()
    assert anchors.shape == (8, 4)
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    assert np.allclose(centres[::2], [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
    sides = anchors[:, 2:] - anchors[:, :2]
    assert np.allclose(sides[:, 0] * sides[:, 1], 0.25)
    assert np.allclose(sides[:, 0] / sides[:, 1], [1, 4] * 4)


def test_several_scales_on_a_map():
    both = detector.anchor_boxes(2, (0.25, 0.5), (1.0, 4.0)).reshape(4, 4, 4)
    assert lampion.equal(both[:, :2].reshape(8, 4), detector.anchor_boxes(2, 0.25, (1.0, 4.0)))
    assert lampion.equal(both[:, 2:].reshape(8, 4), detector.anchor_boxes(2, 0.5, (1.0, 4.0)))
    model = models.SingleShotDetector(2, 32, width=2, scales=((0.1, 0.2), 0.5), ratios=(1.0,))
    scores, offsets = model(lampion.zeros(1, 3, 32, 32))
    assert scores.shape == (1, 36, 3) and offsets.shape == (1, 36, 4)
    assert model.anchors.shape == (36, 4)


def test_each_head_speaks_for_its_own_anchor():
    """A change of one place of the fine map changes the numbers of that place's anchors alone."""
    model = models.SingleShotDetector(1, image_size=32, in_channels=1, width=2).eval()
    with lampion.no_grad():
        for head in model.classes:
            head.weight[:] = 0.0
            head.weight[:, :, 1, 1] = 1.0
    # The fine map itself goes in.
    model.fine, model.image_size = lampion.nn.Identity(), 4
    picture = lampion.zeros(1, 8, 4, 4)
    changed = picture.clone()
    changed[0, :, 2, 1] = 1.0
    difference = (model(changed)[0] - model(picture)[0]).detach()
    moved = difference.abs().sum(2)[0, :48].numpy()
    assert np.flatnonzero(moved).tolist() == [3 * (2 * 4 + 1) + ratio for ratio in range(3)]


def test_matching():
    anchors = detector.anchor_boxes(4, 0.25, (1.0,))
    boxes = lampion.tensor([[0.0, 0.0, 0.25, 0.25], [0.55, 0.55, 0.6, 0.6]])
    classes, offsets = detector.match_anchors(anchors, boxes, lampion.tensor([3, 5]))
    assert classes.nonzero().flatten().tolist() == [0, 10]
    assert classes[lampion.tensor([0, 10])].tolist() == [3, 5]  # the second overlaps only by 4 %
    assert offsets[0].tolist() == pytest.approx([0.0] * 4, abs=1e-6)
    none = detector.match_anchors(anchors, lampion.zeros(0, 4), lampion.zeros(0).long())
    assert none[0].sum() == 0 and none[1].shape == (16, 4)


def test_loss_by_hand():
    """One matched anchor; of six background ones the three that are most wrong."""
    generator = np.random.default_rng(0)
    scores, offsets = generator.standard_normal((1, 7, 2)), generator.standard_normal((1, 7, 4))
    classes = np.array([[0, 0, 1, 0, 0, 0, 0]])
    log_p = scores - np.log(np.exp(scores).sum(2, keepdims=True))
    background = np.sort(-log_p[0, classes[0] == 0, 0])[-3:].sum()
    distance = np.abs(offsets[0, 2])
    smooth = np.where(distance < 1, distance**2 / 2, distance - 0.5).sum()
    got = detector.multibox_loss(
        lampion.tensor(scores), lampion.tensor(offsets), lampion.tensor(classes),
        lampion.zeros(1, 7, 4, dtype=lampion.float64))
    assert got.item() == pytest.approx(background - log_p[0, 2, 1] + smooth)


def test_the_detector_finds_bright_squares():
    lampion.manual_seed(0)
    model = models.SingleShotDetector(1, image_size=32, in_channels=1, width=4, ratios=(1.0,))
    x, boxes = lampion.zeros(4, 1, 32, 32), []
    for picture, (row, column) in enumerate([(2, 4), (18, 6), (8, 20), (20, 20)]):
        x[picture, 0, row : row + 10, column : column + 10] = 1.0
        boxes.append(lampion.tensor([[column, row, column + 10, row + 10]]) / 32)
    pairs = [detector.match_anchors(model.anchors, box, lampion.tensor([1])) for box in boxes]
    classes, wanted = (lampion.stack(parts) for parts in zip(*pairs))
    values = train(model, lambda: detector.multibox_loss(*model(x), classes, wanted), 40, lr=0.02)
    assert values[-1] < 0.2 * values[0]
    for found, box in zip(model.detect(x, score_threshold=0.3), boxes):
        assert detector.box_iou(found["boxes"][:1], box).item() > 0.5
        assert found["labels"][0] == 1


def test_sizes_are_checked():
    with pytest.raises(ShapeError, match="multiple of 16"):
        models.SingleShotDetector(1, image_size=40)
    with pytest.raises(ShapeError, match="32x32"):
        models.SingleShotDetector(1, image_size=32)(lampion.zeros(1, 3, 16, 16))


def test_video_is_told_by_its_direction():
    """A dot that goes right and one that goes left show the same pictures in another order."""
    lampion.manual_seed(0)
    video = lampion.zeros(2, 4, 1, 8, 8)
    for step in range(4):
        video[0, step, 0, 3:5, 2 * step : 2 * step + 2] = 1.0
        video[1, 3 - step, 0, 3:5, 2 * step : 2 * step + 2] = 1.0
    model = models.CNNLSTM(2, in_channels=1, width=4, hidden_size=16)
    values = train(model, lambda: F.cross_entropy(model(video), lampion.arange(2)), 25, lr=0.02)
    assert values[-1] < 0.5 * values[0]
    assert model(video).argmax(1).tolist() == [0, 1]
