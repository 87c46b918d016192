import numpy as np
import pytest
import torch
from PIL import Image

from teachers import Preprocessing


def test_the_default_only_makes_floats_and_a_copy():
    raw = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    values = Preprocessing()(raw)
    assert torch.equal(values, raw)
    values += 1
    assert raw[0, 0] == 0


def test_scale_mean_and_std_come_in_this_order():
    raw = torch.tensor([[[[255]], [[0]], [[51]]]], dtype=torch.uint8)
    values = Preprocessing(scale=1 / 255, mean=(0.5, 0.25, 0.0), std=(0.5, 0.5, 0.1))(raw)
    torch.testing.assert_close(values.flatten(), torch.tensor([1.0, -0.5, 2.0]))


def test_one_mean_serves_all_features_of_vectors():
    assert Preprocessing(mean=(1.0,), std=(2.0,))(torch.full((2, 5), 3.0)).eq(1.0).all()


def test_grey_becomes_colour_and_colour_grey_as_pillow_does():
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, size=(8, 8, 3), dtype=np.uint8)
    grey = Preprocessing(channels=1)(torch.from_numpy(colour).permute(2, 0, 1)[None])
    pillow = np.asarray(Image.fromarray(colour).convert("L"), dtype=np.float32)
    np.testing.assert_allclose(grey[0, 0], pillow, atol=1.0)
    assert torch.equal(Preprocessing(channels=3)(grey), grey.repeat(1, 3, 1, 1))
    with pytest.raises(ValueError, match=r"images have 2 channels; only 1 and 3"):
        Preprocessing(channels=3)(torch.zeros(1, 2, 4, 4))


@pytest.mark.parametrize(
    ("interpolation", "pillow", "size"),
    [
        ("bilinear", Image.Resampling.BILINEAR, (5, 7)),
        ("bilinear", Image.Resampling.BILINEAR, (20, 24)),
        ("nearest", Image.Resampling.NEAREST, (6, 8)),
        ("nearest", Image.Resampling.NEAREST, (24, 32)),
    ],
)
def test_resizing_is_as_pillow_does(interpolation, pillow, size):
    image = np.random.default_rng(0).random((12, 16)).astype(np.float32)
    values = Preprocessing(resize=size, interpolation=interpolation)(torch.from_numpy(image)[None, None])
    expected = np.asarray(Image.fromarray(image).resize(size[::-1], pillow))
    np.testing.assert_allclose(values[0, 0], expected, atol=1e-4)


def test_flatten_and_texts():
    assert Preprocessing(flatten=True)(torch.zeros(2, 1, 4, 4)).shape == (2, 16)
    texts = ["a", "b"]
    assert Preprocessing(scale=2.0, flatten=True)(texts) is texts


def test_digest_differs_with_every_field():
    settings = [
        Preprocessing(),
        Preprocessing(scale=2.0),
        Preprocessing(resize=(2, 2)),
        Preprocessing(resize=(2, 2), interpolation="nearest"),
        Preprocessing(channels=1),
        Preprocessing(mean=(0.5,)),
        Preprocessing(std=(0.5,)),
        Preprocessing(flatten=True),
    ]
    assert len({one.digest for one in settings}) == len(settings)
    assert Preprocessing(scale=2.0).digest == settings[1].digest


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"interpolation": "cubic"}, r"one of bicubic, bilinear, nearest, got 'cubic'"),
        ({"resize": (0, 4)}, r"height and a width of at least 1"),
        ({"channels": 4}, r"channels must be 1, 3 or nothing, got 4"),
        ({"std": (1.0, 0.0)}, r"std must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**fields)


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"need images \(B, C, H, W\), got inputs of shape \(2, 64\)"):
        Preprocessing(resize=(4, 4))(torch.zeros(2, 64))
    with pytest.raises(ValueError, match=r"mean has 3 values, the inputs have 1 channels"):
        Preprocessing(mean=(0.1, 0.2, 0.3))(torch.zeros(2, 1, 4, 4))
