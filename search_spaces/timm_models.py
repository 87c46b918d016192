"""Students by their names in timm, with random weights."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from search_spaces.choices import Categorical, Choice
from search_spaces.signature import ModelSignature
from search_spaces.space import SearchSpace
from search_spaces.spec import StudentSpec


def timm_models(*, models: Sequence[str] | str, arguments: Mapping[str, object] | None = None) -> SearchSpace:
    """Make a space of models of timm, for images.

    Args:
        models: Names that ``timm.list_models()`` knows; of several one is searched.
        arguments: Further keyword arguments of ``timm.create_model``, for all of them.

    Returns:
        The space ``timm`` with the one choice ``model``.

    Raises:
        ValueError: timm is not installed, or does not know a name.
    """
    timm = _timm()
    names = (models,) if isinstance(models, str) else tuple(models)
    for name in names:
        if not timm.is_model(name):
            near = sorted(difflib.get_close_matches(name, timm.list_models(), n=5))
            hint = f"did you mean one of {', '.join(near)}?" if near else "timm.list_models() lists all"
            raise ValueError(f"timm {timm.__version__} has no model {name!r}; {hint}")
    if taken := sorted({"model_name", "num_classes", "in_chans", "pretrained"} & set(arguments or {})):
        raise ValueError(f"arguments {', '.join(taken)} are set by the space; leave them out")
    return SearchSpace(
        name="timm",
        choices=(Choice(name="model", domain=Categorical(options=names)),),
        build=build_timm,
        constants={"arguments": dict(arguments)} if arguments else {},
    )


def build_timm(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """Build an untrained model with as many channels and classes as the data has.

    Raises:
        ValueError: The input is no image.
    """
    timm, name = _timm(), str(spec.values["model"])
    arguments = spec.constants.get("arguments", {})
    assert isinstance(arguments, dict)
    shape = signature.sole_input_shape
    if len(shape) != 3:
        raise ValueError(f"models of timm need images (channels, height, width), got inputs of shape {shape}")
    (num_classes,) = signature.sole_output_shape
    # Models whose weights depend on the size of the image, as transformers with an embedding for each place.
    defaults = timm.models.get_pretrained_cfg(name)
    sized = {"img_size": shape[1:]} if defaults is not None and defaults.fixed_input_size else {}
    model: nn.Module = timm.create_model(
        name, pretrained=False, num_classes=num_classes, in_chans=shape[0], **sized | arguments
    )
    return model


def _timm() -> Any:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # the latter where torchvision is of another build than PyTorch
        raise ValueError(
            f"space 'timm' needs timm and a torchvision that fits PyTorch ({error}); "
            "pip install 'automl-distill[timm]', from the index that PyTorch came from"
        ) from error
    return timm
