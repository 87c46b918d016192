"""A classifier of images from transformers.

Shape letters: B = batch, C = classes.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from teachers.loading.hub import reading
from teachers.loading.loaded import numbers
from teachers.loading.network import Network
from teachers.outputs import Inputs, Outputs
from teachers.preprocessing import Preprocessing

_RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers; of others, bicubic comes closest."""


class ImageClassifier:
    """Brings images into the form that its network was trained on, and gives logits over the classes."""

    copies_held = 2
    """The arrays that it came as, and the network."""

    def __init__(
        self,
        network: Network,
        *,
        for_bytes: Preprocessing,
        for_numbers: Preprocessing,
        columns: Sequence[int] | None,
        batch: int,
    ) -> None:
        """Put them together.

        Args:
            network: Takes ``pixel_values``.
            for_bytes: Goes before it where images are bytes.
            for_numbers: Goes before it where they are of any other type.
            columns: Of the network's logits, those to give; None gives all.
            batch: Images of one run at most.
        """
        self._network = network
        self._for_bytes = for_bytes
        self._for_numbers = for_numbers
        self._columns = None if columns is None else list(columns)
        self._batch = batch

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch."""
        names = tuple(features)
        raw = numbers(inputs)
        preprocessing = self._for_bytes if raw.dtype == torch.uint8 else self._for_numbers
        answers = [
            self._network({"pixel_values": numbers(preprocessing(rows))}, names)
            for rows in torch.split(raw, self._batch)
        ]
        logits_BC = torch.cat([answer.logits for answer in answers])
        return Outputs(
            logits=logits_BC if self._columns is None else logits_BC[:, self._columns],
            features={name: torch.cat([answer.features[name] for answer in answers]) for name in names},
        )

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        return self._network.feature_id(name)


def stored_preprocessing(source: str, *, revision: str | None, config: Any) -> Preprocessing:  # of transformers
    """Read how images were prepared for a model.

    Where a square was cut out of the middle of a larger image, the whole image is brought to the size of that square.
    ``scale`` is for bytes; numbers are taken to run from 0 to 1 already.

    Args:
        source: A folder or a repository.
        revision: Of the repository.
        config: Of the model, for the number of channels.

    Raises:
        ValueError: There is no such file.
    """
    from transformers.image_processing_base import ImageProcessingMixin

    with reading(source):
        # Read as a file: the library's own classes for it want torchvision.
        record, _ = ImageProcessingMixin.get_image_processor_dict(source, revision=revision)
    channels = getattr(config, "num_channels", None)
    normalises = record.get("do_normalize", True)
    return Preprocessing(
        scale=float(record.get("rescale_factor", 1 / 255)) if record.get("do_rescale", True) else 1.0,
        resize=_size(record),
        interpolation=_RESAMPLING.get(record.get("resample", 2), "bicubic"),
        channels=channels if channels in (1, 3) else None,
        mean=tuple(map(float, record.get("image_mean") or ())) if normalises else (),
        std=tuple(map(float, record.get("image_std") or ())) if normalises else (),
    )


def _size(record: Mapping[str, Any]) -> tuple[int, int] | None:
    """Give height and width that images end up with: of the cut, else of the resizing."""
    asked = record.get("crop_size") if record.get("do_center_crop") else None
    if asked is None and record.get("do_resize", True):
        asked = record.get("size")
    if asked is None:
        return None
    if isinstance(asked, int):
        return asked, asked
    side = asked.get("shortest_edge")
    return (int(asked["height"]), int(asked["width"])) if side is None else (int(side), int(side))
