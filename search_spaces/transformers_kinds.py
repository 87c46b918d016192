"""What a model of transformers is used for, told by what a student takes in and gives out.

Shape letters: B = batch, C = classes, T = tokens, V = vocabulary, H, W = pixels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from search_spaces.embedding import PADDING, seen, vocabulary_size_of
from search_spaces.signature import ModelSignature
from search_spaces.spec import StudentSpec
from search_spaces.transformers_configs import library


class ImageClassifier(nn.Module):
    """A classifier of transformers that takes an image and returns logits."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap the model; its parts keep their names below ``model``."""
        super().__init__()
        self.model = model

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Turn normalised images into logits (B, C)."""
        logits_BC: Tensor = self.model(pixel_values=image_BCHW).logits
        return logits_BC


class TextModel(nn.Module):
    """A model of transformers that takes token ids and returns logits, of a text or of the token after each."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap the model; its parts keep their names below ``model``."""
        super().__init__()
        self.model = model

    def forward(self, input_ids_BT: Tensor) -> Tensor:
        """Turn token ids into logits, (B, C) or (B, T, V)."""
        mask_BT = seen(input_ids_BT).to(input_ids_BT.dtype)
        logits: Tensor = self.model(input_ids=input_ids_BT, attention_mask=mask_BT).logits
        return logits


def _image_fields(spec: StudentSpec, signature: ModelSignature, config: Any) -> dict[str, object]:
    del spec
    channels, height, width = signature.sole_input_shape
    (num_classes,) = signature.sole_output_shape
    sizes = {"image_size": height if height == width else [height, width], "num_channels": channels}
    return {"num_labels": num_classes} | {name: size for name, size in sizes.items() if hasattr(config, name)}


def _text_fields(spec: StudentSpec, signature: ModelSignature, config: Any) -> dict[str, object]:
    # Other ids than padding's are for generation and pretraining, and may lie outside this vocabulary.
    fields: dict[str, object] = {name: None for name in config.to_dict() if name.endswith("_token_id")}
    fields |= {"vocab_size": vocabulary_size_of(signature), "pad_token_id": PADDING}
    if len(signature.outputs[0].shape) == 1:
        (fields["num_labels"],) = signature.sole_output_shape
    elif hasattr(config, "is_decoder"):
        fields["is_decoder"] = True  # Else BERT and its like would see the token that they are to tell.
    if "length" in spec.values and hasattr(config, "max_position_embeddings"):
        # One row more than tokens: RoBERTa and its like count positions from 1.
        fields["max_position_embeddings"] = int(spec.values["length"]) + 1
    return fields | ({"use_cache": False} if hasattr(config, "use_cache") else {})


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """A use of a model.

    Args:
        what: In words.
        auto: Name of the library's class that finds the model of a config.
        types: Name of the library's mapping from model types to such models.
        wrap: Makes a student of such a model.
        fields: Fields of the config that follow from the spec and the signature; the third is a config of its type.
    """

    what: str
    auto: str
    types: str
    wrap: Callable[[nn.Module], nn.Module]
    fields: Callable[[StudentSpec, ModelSignature, Any], Mapping[str, object]]

    def model_types(self) -> list[str]:
        """List the model types that have such a model."""
        from transformers.models.auto import modeling_auto

        return sorted(getattr(modeling_auto, self.types))


IMAGE = ModelKind(
    what="image classifier",
    auto="AutoModelForImageClassification",
    types="MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    wrap=ImageClassifier,
    fields=_image_fields,
)
TEXT = ModelKind(
    what="text classifier",
    auto="AutoModelForSequenceClassification",
    types="MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    wrap=TextModel,
    fields=_text_fields,
)
LANGUAGE = ModelKind(
    what="causal language model",
    auto="AutoModelForCausalLM",
    types="MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    wrap=TextModel,
    fields=_text_fields,
)
KINDS = (IMAGE, TEXT, LANGUAGE)


def kind_of(signature: ModelSignature) -> ModelKind:
    """Tell what a student is for.

    Raises:
        ValueError: No model here takes or gives such tensors.
    """
    if signature.vocabulary_size is not None:
        vocabulary_size = vocabulary_size_of(signature)
        shapes = [tensor.shape for tensor in signature.outputs]
        if shapes == [(None, vocabulary_size)]:
            return LANGUAGE
        if len(shapes) == 1 and len(shapes[0]) == 1:
            return TEXT
        raise ValueError(f"text models give (classes,) or (tokens, {vocabulary_size}), got outputs {signature.outputs}")
    if len(shape := signature.sole_input_shape) != 3:
        raise ValueError(f"image classifiers need images (channels, height, width), got inputs of shape {shape}")
    return IMAGE


def sized(spec: StudentSpec, signature: ModelSignature) -> Any:
    """Make the config of a spec, for the inputs and outputs of the data.

    Raises:
        ValueError: The model has no such use, or its config refuses the values.
    """
    kind, model = kind_of(signature), str(spec.constants["model"])
    if model not in kind.model_types():
        raise ValueError(f"model {model!r} is no {kind.what}; such are {', '.join(kind.model_types())}")
    chosen = {name: value for name, value in spec.values.items() if name not in ("length", "vocabulary_size")}
    constants = {name: value for name, value in spec.constants.items() if name not in ("model", "pretrained")}
    auto_config = library().AutoConfig
    try:
        default = auto_config.for_model(model)
        fields: dict[str, object] = {}
        for given in (constants, chosen, kind.fields(spec, signature, default)):
            # By the config's own name of a field, so that what follows from the data stands last and holds.
            fields |= {default.attribute_map.get(name, name): value for name, value in given.items()}
        return auto_config.for_model(model, **fields)
    except Exception as error:  # The library has an error class of its own for each kind of check.
        raise ValueError(f"model {model!r} cannot have {chosen}: {error}") from error
