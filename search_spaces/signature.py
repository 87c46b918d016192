"""What a model takes in and gives out, as far as a search space must know it."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One tensor at the edge of a model, without its batch dimension.

    Args:
        name: Name of the tensor in an exported graph.
        shape: Sizes after the batch dimension; None where a size varies, as a sequence's length.
        dtype: numpy's name of the element type.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Reject a shape that no tensor can have."""
        if any(size is not None and size < 1 for size in self.shape):
            raise ValueError(f"sizes of {self.name!r} must be at least 1, got {self.shape}")

    def __str__(self) -> str:
        """Write it as messages do: ``logits (any, 400)``."""
        return f"{self.name} ({', '.join('any' if size is None else str(size) for size in self.shape)})"


@dataclass(frozen=True, kw_only=True)
class ModelSignature:
    """Inputs and outputs that every student of a search shares.

    A classifier has one output ``logits`` of shape (C,), a language model ``logits`` of (None, V), an image
    generator the tensor that it predicts.

    Args:
        inputs: In the order of the arguments of the model's ``forward``.
        outputs: In the order of what ``forward`` returns.
        vocabulary_size: Number of tokens where inputs are token ids, else None.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    vocabulary_size: int | None = None

    def __post_init__(self) -> None:
        """Reject a model without inputs or outputs, or with one name twice."""
        names = [tensor.name for tensor in (*self.inputs, *self.outputs)]
        if not self.inputs or not self.outputs:
            raise ValueError("a model needs at least one input and one output")
        if len(set(names)) < len(names):
            raise ValueError(f"names of inputs and outputs must differ, got {', '.join(names)}")

    def sized(self, size: int) -> "ModelSignature":
        """Give every size of the inputs that varies this value."""
        inputs = tuple(
            replace(tensor, shape=tuple(size if known is None else known for known in tensor.shape))
            for tensor in self.inputs
        )
        return replace(self, inputs=inputs)

    @property
    def sole_input_shape(self) -> tuple[int, ...]:
        """Shape of the only input, all of whose sizes are fixed.

        Raises:
            ValueError: There are several inputs, a size varies, or they are token ids.
        """
        if self.vocabulary_size is not None:
            raise ValueError(
                "this space takes images or vectors, and texts come as token ids of any number; take a space that "
                "reads them, such as encoder"
            )
        return _fixed_shape(self.inputs, "input")

    @property
    def sole_output_shape(self) -> tuple[int, ...]:
        """Shape of the only output, all of whose sizes are fixed.

        Raises:
            ValueError: There are several outputs, or a size varies.
        """
        return _fixed_shape(self.outputs, "output")


def _fixed_shape(tensors: tuple[TensorSpec, ...], role: str) -> tuple[int, ...]:
    fixed = tuple(size for size in tensors[0].shape if size is not None)
    if len(tensors) != 1 or len(fixed) != len(tensors[0].shape):
        each = role == "output" and tensors[0].shape[:1] == (None,)
        hint = "; a language model speaks of each token: take a space that does, such as decoder" if each else ""
        raise ValueError(f"this needs one {role} of fixed size, got {', '.join(map(str, tensors))}{hint}")
    return fixed
