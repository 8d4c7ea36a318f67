"""Grids, files and drawings of pictures."""

import numpy as np
import pytest

import lampion
from lampion.errors import FileFormatError
from lampion.vision import io, read_picture, utils

RANDOM = np.random.default_rng(0)
BATCH = RANDOM.uniform(-1, 2, (5, 3, 4, 6)).astype(np.float32)
BYTES = RANDOM.integers(0, 256, (3, 20, 30), dtype=np.uint8)


def grid_by_hand(images, nrow, padding, pad_value):
    count, channels, height, width = images.shape
    rows = -(-count // nrow)
    grid = np.full((channels, rows * (height + padding) + padding,
                    nrow * (width + padding) + padding), pad_value, images.dtype)
    for k in range(count):
        top, left = (k // nrow) * (height + padding), (k % nrow) * (width + padding)
        grid[:, top + padding:top + padding + height,
             left + padding:left + padding + width] = images[k]
    return grid


def test_make_grid():
    grid = utils.make_grid(lampion.tensor(BATCH), nrow=2, padding=1, pad_value=0.5)
    assert np.array_equal(grid.numpy(), grid_by_hand(BATCH, 2, 1, 0.5))
    low, high = BATCH.min(), BATCH.max()
    scaled = utils.make_grid(list(lampion.tensor(BATCH)), nrow=5, padding=0, normalize=True)
    assert np.allclose(scaled.numpy(), grid_by_hand((BATCH - low) / (high - low), 5, 0, 0),
                       atol=1e-6)
    each = utils.make_grid(lampion.tensor(BATCH), padding=0, normalize=True, scale_each=True)
    assert np.isclose(each.numpy()[:, :, :6].max(), 1) and np.isclose(each.numpy()[:, :, :6].min(),
                                                                     0)
    clipped = utils.make_grid(lampion.tensor(BATCH), padding=0, normalize=True, value_range=(0, 1))
    assert np.allclose(clipped.numpy(), grid_by_hand(BATCH.clip(0, 1), 5, 0, 0))
    assert utils.make_grid(lampion.ones(4, 6)).shape == (3, 4, 6)
    with pytest.raises(TypeError, match="list of tensors"):
        utils.make_grid([1, 2])


def test_as_torchvision():
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("torchvision.utils")
    for settings in ({}, {"nrow": 2, "padding": 3, "pad_value": 0.3},
                     {"normalize": True, "scale_each": True},
                     {"normalize": True, "value_range": (0.0, 1.5)}):
        ours = utils.make_grid(lampion.tensor(BATCH), **settings)
        theirs = reference.make_grid(torch.tensor(BATCH), **settings)
        assert np.allclose(ours.numpy(), theirs.numpy(), atol=1e-6)
    boxes, colours = [[2, 3, 20, 12], [5, 5, 8, 18]], ["red", (0, 255, 9)]
    for settings in ({}, {"fill": True, "width": 2}, {"labels": ["a", None]},
                     {"labels": ["a", "b"], "fill_labels": True}):
        ours = utils.draw_bounding_boxes(lampion.tensor(BYTES), lampion.tensor(boxes),
                                         colors=colours, **settings)
        theirs = reference.draw_bounding_boxes(torch.tensor(BYTES), torch.tensor(boxes),
                                               colors=colours, **settings)
        assert np.array_equal(ours.numpy(), theirs.numpy())
    masks = RANDOM.uniform(size=(2, 20, 30)) > 0.7
    ours = utils.draw_segmentation_masks(lampion.tensor(BYTES), lampion.tensor(masks), 0.4,
                                         colours)
    theirs = reference.draw_segmentation_masks(torch.tensor(BYTES), torch.tensor(masks), 0.4,
                                               colours)
    assert np.abs(ours.numpy().astype(int) - theirs.numpy()).max() <= 1
    points = [[[3, 4], [15, 10], [25, 3]]]
    ours = utils.draw_keypoints(lampion.tensor(BYTES), lampion.tensor(points), [(0, 1)], "blue")
    theirs = reference.draw_keypoints(torch.tensor(BYTES), torch.tensor(points), [(0, 1)], "blue")
    assert np.array_equal(ours.numpy(), theirs.numpy())


def test_save_image(tmp_path):
    image = lampion.tensor([[[0.0, 0.5], [1.0, 2.0]]])
    utils.save_image(image, tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png")[:, :, 0].tolist() == [[0, 128], [255, 255]]
    pytest.importorskip("PIL")
    utils.save_image(lampion.tensor(BATCH), str(tmp_path / "a.bmp"), nrow=2, normalize=True)
    assert io.read_image(tmp_path / "a.bmp").shape == (3, 3 * 6 + 2, 2 * 8 + 2)


def test_boxes_and_masks_by_hand():
    pytest.importorskip("PIL")
    black = lampion.zeros(3, 6, 8)
    drawn = utils.draw_bounding_boxes(black, lampion.tensor([[1, 1, 5, 4]]), colors="lime")
    wanted = np.zeros((6, 8))
    wanted[1, 1:6] = wanted[4, 1:6] = wanted[1:5, 1] = wanted[1:5, 5] = 1
    assert np.array_equal(drawn.numpy(), np.stack([wanted * 0, wanted, wanted * 0]))
    several = utils.draw_bounding_boxes(black, lampion.tensor([[0, 0, 1, 1], [4, 4, 5, 5]]))
    assert not np.array_equal(several[:, 0, 0].numpy(), several[:, 4, 4].numpy())
    mask = lampion.zeros(6, 8, dtype=lampion.bool)
    mask[2, 3] = True
    shaded = utils.draw_segmentation_masks(black, mask, 0.25, (255, 0, 0))
    assert shaded[:, 2, 3].tolist() == [0.25, 0, 0] and shaded.sum().item() == 0.25
    assert not black.any()


@pytest.mark.parametrize(("call", "hint"), [
    (lambda x: utils.draw_bounding_boxes(x, lampion.tensor([[5, 0, 1, 1]])), "box_convert"),
    (lambda x: utils.draw_bounding_boxes(x[None], lampion.ones(1, 4)), "batches"),
    (lambda x: utils.draw_bounding_boxes(x, lampion.tensor([[0, 0, 1, 1]]), ["a", "b"]),
     "mismatch"),
    (lambda x: utils.draw_bounding_boxes(x.long(), lampion.ones(1, 4)), "uint8"),
    (lambda x: utils.draw_segmentation_masks(x, lampion.ones(4, 4)), "bool"),
    (lambda x: utils.draw_bounding_boxes(x, lampion.tensor([[0, 0, 1, 1]]), colors=[]), "colors"),
])
def test_errors_teach(call, hint):
    pytest.importorskip("PIL")
    with pytest.raises(ValueError, match=hint):
        call(lampion.zeros(3, 4, 4))


def test_files(tmp_path):
    image = pytest.importorskip("PIL.Image")
    io.write_png(lampion.tensor(BYTES), tmp_path / "a.png", 1)
    assert np.array_equal(io.read_image(tmp_path / "a.png").numpy(), BYTES)
    assert np.array_equal(read_picture(tmp_path / "a.png"), BYTES.transpose(1, 2, 0))
    assert io.read_image(tmp_path / "a.png", io.ImageReadMode.GRAY).shape == (1, 20, 30)
    assert io.read_image(tmp_path / "a.png", "RGB_ALPHA").shape == (4, 20, 30)
    io.write_jpeg(lampion.full((1, 8, 8), 100, dtype=lampion.uint8), tmp_path / "a.jpg", 95)
    assert abs(io.read_image(tmp_path / "a.jpg").float() - 100).max() < 3
    content = io.read_file(tmp_path / "a.png")
    assert np.array_equal(io.decode_image(content).numpy(), BYTES)
    assert np.array_equal(io.decode_png(io.encode_png(lampion.tensor(BYTES))).numpy(), BYTES)
    assert len(io.encode_jpeg(lampion.tensor(BYTES), 10)) < len(io.encode_jpeg(
        lampion.tensor(BYTES), 90))
    io.write_file(tmp_path / "b.png", content)
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    image.new("P", (2, 1)).save(tmp_path / "p.png")
    assert io.read_image(tmp_path / "p.png").shape == (3, 1, 2)
    (tmp_path / "no.png").write_bytes(b"no")
    with pytest.raises(FileFormatError):
        io.read_image(tmp_path / "no.png")
    with pytest.raises(FileNotFoundError):
        io.read_image(tmp_path / "none.png")
    with pytest.raises(ValueError, match="uint8"):
        io.write_png(lampion.ones(3, 2, 2), tmp_path / "c.png")
    with pytest.raises(ValueError, match="9"):
        io.encode_png(lampion.tensor(BYTES), 11)
