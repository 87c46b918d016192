"""A teacher whose columns of logits are more classes than the data has, or stand in another order.

Shape letters: B = batch, C = classes of the teacher.
"""

from collections.abc import Collection, Sequence

from teachers.digests import record_digest
from teachers.loading.loaded import LoadedModel
from teachers.outputs import Inputs, Outputs
from teachers.teacher import TeacherModel

_SHOWN = 12


class ChosenClasses:
    """Gives some of a model's columns. It has no ``module``: that would give all of them."""

    def __init__(self, model: TeacherModel, columns: Sequence[int], *, width: int) -> None:
        """Keep the model.

        Args:
            model: Gives logits (B, C).
            columns: Those to give, in this order.
            width: C, as the config names them.
        """
        self._model = model
        self._columns = list(columns)
        self._width = width

    @property
    def copies_held(self) -> int:
        """What a process holds of it, as of the model alone."""
        return int(getattr(self._model, "copies_held", 1))

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch."""
        answer = self._model(inputs, features)
        if answer.logits.shape[-1] != self._width:
            raise ValueError(
                f"it gave {answer.logits.shape[-1]} columns of logits, and `classes` names {self._width}; name each of "
                "its columns once"
            )
        return Outputs(logits=answer.logits[..., self._columns], features=answer.features)

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        resolve = getattr(self._model, "feature_id", None)
        return name if resolve is None else str(resolve(name))


def choose_classes(
    loaded: LoadedModel, classes: Sequence[str], *, class_names: Sequence[str], labels: Sequence[int] | None
) -> LoadedModel:
    """Find the classes of the data among a model's own, by name.

    Args:
        loaded: The model.
        classes: Name of each of its columns.
        class_names: Of the data, in the order of their numbers.
        labels: Classes of the data that it is heard on, in the order of the columns to give; None means all.

    Raises:
        ValueError: A name stands twice, or one that it is heard on is none of its classes.
    """
    wanted = [class_names[label] for label in (range(len(class_names)) if labels is None else labels)]
    if twice := sorted({name for name in classes if list(classes).count(name) > 1}):
        raise ValueError(f"`classes` names {', '.join(twice)} more than once; name each of its columns once")
    if missing := [name for name in wanted if name not in classes]:
        raise ValueError(
            f"it shall be heard on {_shown(missing)}, which its classes lack: {_shown(classes)}; list those that it "
            "knows in covers.labels"
        )
    columns = [list(classes).index(name) for name in wanted]
    if list(classes) == list(class_names) and labels is None:
        return loaded
    digest = record_digest(["classes", loaded.digest, columns])
    return LoadedModel(model=ChosenClasses(loaded.model, columns, width=len(classes)), digest=digest)


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
