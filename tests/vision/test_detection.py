"""Boxes: overlap, suppression and average precision against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lampion
from lampion.errors import ArgumentError, ShapeError
from lampion.vision import detection


def boxes_of(seed, count, size=12):
    """Boxes with whole corners, so that their area can be counted in cells."""
    corners = np.random.default_rng(seed).integers(0, size, (count, 2, 2))
    return np.concatenate([corners.min(1), corners.max(1) + 1], axis=1)


def cells(box):
    x1, y1, x2, y2 = (int(edge) for edge in box)
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


def overlap(a, b):
    return len(cells(a) & cells(b)) / len(cells(a) | cells(b))


def as_tensor(array):
    return lampion.tensor(array).float()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_overlap_is_that_of_cells(seed):
    a, b = boxes_of(seed, 4), boxes_of(seed + 1, 3)
    expected = [[overlap(x, y) for y in b] for x in a]
    assert np.allclose(detection.box_iou(as_tensor(a), as_tensor(b)).numpy(), expected)
    assert detection.box_area(as_tensor(a)).tolist() == [len(cells(x)) for x in a]


def test_boxes_without_area_overlap_nothing():
    point = lampion.tensor([[1.0, 1.0, 1.0, 1.0]])
    assert detection.box_iou(point, point).tolist() == [[0.0]]
    assert detection.box_iou(lampion.zeros(0, 4), point).shape == (0, 1)


def suppressed(boxes, scores, threshold):
    """Suppression as it is told: take the best, drop what overlaps it, go on."""
    left, kept = sorted(range(len(boxes)), key=lambda box: -scores[box]), []
    while left:
        best, *left = left
        kept.append(best)
        left = [box for box in left if overlap(boxes[best], boxes[box]) <= threshold]
    return kept


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.25, 0.5, 0.9]))
def test_suppression(seed, threshold):
    boxes = boxes_of(seed, 12)
    scores = np.random.default_rng(seed).permutation(12) / 12
    kept = detection.nms(as_tensor(boxes), as_tensor(scores), threshold).tolist()
    assert kept == suppressed(boxes, scores, threshold)


def test_suppression_keeps_classes_apart():
    boxes, classes = boxes_of(3, 20), np.arange(20) % 3
    scores = np.random.default_rng(3).permutation(20) / 20
    expected = []
    for kind in range(3):
        rows = np.flatnonzero(classes == kind)
        expected += [int(rows[k]) for k in suppressed(boxes[rows], scores[rows], 0.3)]
    kept = detection.batched_nms(
        as_tensor(boxes), as_tensor(scores), lampion.tensor(classes), 0.3).tolist()
    assert kept == sorted(expected, key=lambda box: -scores[box])
    none = lampion.zeros(0, 4), lampion.zeros(0), lampion.zeros(0, dtype=lampion.long)
    assert detection.batched_nms(*none, 0.3).shape == (0,)


def test_bad_boxes_are_refused():
    with pytest.raises(ShapeError, match="x1, y1, x2, y2"):
        detection.box_area(lampion.zeros(4))
    with pytest.raises(ShapeError, match="one score"):
        detection.nms(lampion.zeros(3, 4), lampion.zeros(2), 0.5)
    with pytest.raises(ArgumentError, match="pairs"):
        detection.average_precision([1.0], [])
    with pytest.raises(ArgumentError, match="one of each"):
        detection.mean_average_precision([], [{}])


def test_offsets_there_and_back():
    boxes, anchors = as_tensor(boxes_of(0, 9)), as_tensor(boxes_of(1, 9))
    offsets = detection.encode_boxes(boxes, anchors)
    assert lampion.allclose(detection.decode_boxes(offsets, anchors), boxes, atol=1e-4)
    centre = detection.corners_to_centre(boxes)
    assert lampion.allclose(detection.centre_to_corners(centre), boxes)
    # SSD's equation 2, one number at a time.
    (x1, y1, x2, y2), (a1, b1, a2, b2) = boxes[0].tolist(), anchors[0].tolist()
    expected = [((x1 + x2) / 2 - (a1 + a2) / 2) / (a2 - a1) / 0.1,
                ((y1 + y2) / 2 - (b1 + b2) / 2) / (b2 - b1) / 0.1,
                np.log((x2 - x1) / (a2 - a1)) / 0.2, np.log((y2 - y1) / (b2 - b1)) / 0.2]
    assert offsets[0].tolist() == pytest.approx(expected, rel=1e-5)


def precision_by_brute_force(predictions, targets, label, threshold):
    """The area below the best precision at each recall or more, found by looking at every one."""
    found = [(s, picture, box) for picture, p in enumerate(predictions)
             for s, box, kind in zip(p["scores"], p["boxes"], p["labels"]) if kind == label]
    found.sort(key=lambda item: -item[0])
    taken, right = set(), []
    for _, picture, box in found:
        truth = [(overlap(box, other), picture, n) for n, (other, kind) in enumerate(
            zip(targets[picture]["boxes"], targets[picture]["labels"])) if kind == label]
        best = max(truth, default=(0, 0, 0), key=lambda item: item[0])
        hit = best[0] >= threshold and best[1:] not in taken
        if hit:
            taken.add(best[1:])
        right.append(hit)
    count = sum(int((t["labels"] == label).sum()) for t in targets)
    points = [(sum(right[:n]) / count, sum(right[:n]) / n) for n in range(1, len(right) + 1)]
    area, before = 0.0, 0.0
    for recall, _ in points:
        area += (recall - before) * max(p for r, p in points if r >= recall)
        before = recall
    return area


@pytest.mark.parametrize("seed", range(4))
def test_mean_average_precision(seed):
    generator = np.random.default_rng(seed)
    predictions, targets = [], []
    for picture in range(5):
        truth = boxes_of(100 * seed + picture, 5, 8)
        guess = np.concatenate([truth, boxes_of(100 * seed + picture + 50, 6, 8)])
        predictions.append({"boxes": guess, "scores": generator.permutation(11) / 11 + picture / 99,
                            "labels": generator.integers(0, 3, 11)})
        targets.append({"boxes": truth, "labels": generator.integers(0, 3, 5)})
    mean, each = detection.mean_average_precision(
        [{"boxes": as_tensor(p["boxes"]), "scores": as_tensor(p["scores"]),
          "labels": lampion.tensor(p["labels"])} for p in predictions],
        [{"boxes": as_tensor(t["boxes"]), "labels": lampion.tensor(t["labels"])} for t in targets])
    expected = {label: precision_by_brute_force(predictions, targets, label, 0.5)
                for label in range(3)}
    assert each == pytest.approx(expected) and mean == pytest.approx(sum(expected.values()) / 3)
    assert 0 < mean < 1


def test_a_second_find_of_the_same_thing_is_wrong():
    box = lampion.tensor([[0.0, 0.0, 2.0, 2.0]])
    truth = {"boxes": lampion.cat([box, box + 9]), "labels": lampion.tensor([1, 1])}
    twice = {"boxes": lampion.cat([box, box, box + 9]), "labels": lampion.tensor([1, 1, 1]),
             "scores": lampion.tensor([0.9, 0.8, 0.7])}
    assert detection.mean_average_precision([twice], [truth])[0] == pytest.approx(0.5 + 0.5 * 2 / 3)
    nothing = {"boxes": lampion.zeros(0, 4), "labels": lampion.zeros(0, dtype=lampion.long),
               "scores": lampion.zeros(0)}
    assert detection.mean_average_precision([nothing], [truth])[0] == 0.0
    assert detection.mean_average_precision([twice], [nothing]) == (0.0, {})
