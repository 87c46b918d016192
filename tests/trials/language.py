"""A small language model, documents and teachers, which tests of language modelling share."""

import numpy as np
import torch
from torch import Tensor, nn

from teachers import Coverage, Inputs, LiveOutputs, Outputs, Teacher, TeacherEnsemble
from trials.data import SPLITS, Dataset
from trials.lesson import Lesson
from trials.packing import pack_documents
from trials.recipe import Recipe
from trials.student import Student
from trials.tasks import LanguageModelling
from trials.tokenization import Tokenizer, train_tokenizer

TEXTS = [
    f"The {what} {does} the {whom}." for what in ("cat", "dog", "fox") for does in ("sees", "eats") for whom in "abcd"
]


class SmallModel(nn.Module):
    """An embedding, a running mean over what came before, and a head; fulfils ``LanguageModel``."""

    def __init__(self, num_tokens: int, width: int = 8) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, width)
        self.mix = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, num_tokens)

    def hidden(self, input_ids: Tensor) -> Tensor:
        tokens = self.embedding(input_ids)
        counts = torch.arange(1, input_ids.shape[1] + 1)[:, None]
        return torch.relu(self.mix(torch.cat([tokens, tokens.cumsum(dim=1) / counts], dim=-1)))

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(self.hidden(input_ids))


class SmallTeacher:
    """A fixed random model of pairs of tokens; fulfils ``TeacherModel``."""

    def __init__(self, num_tokens: int, seed: int) -> None:
        self.logits_VV = 2 * torch.randn(num_tokens, num_tokens, generator=torch.Generator().manual_seed(seed))

    def __call__(self, inputs: Inputs, features: object = ()) -> Outputs:
        assert isinstance(inputs, Tensor)
        return Outputs(logits=self.logits_VV[inputs])


def documents(texts: list[str] = TEXTS) -> Dataset:
    """Split texts three ways, with a column that tells short ones from long ones."""
    rows = np.arange(len(texts))
    return Dataset(
        inputs=texts,
        labels=np.zeros(len(texts), dtype=np.int64),
        class_names=("text",),
        splits=dict(zip(SPLITS, np.array_split(rows, 3), strict=True)),
        columns={"kind": np.array(["even" if row % 2 == 0 else "odd" for row in rows])},
    )


def tokenizer(vocabulary_size: int = 264) -> Tokenizer:
    """Train a tokenizer on the texts."""
    return train_tokenizer(TEXTS, vocabulary_size=vocabulary_size)


def packed(length: int = 7) -> tuple[Dataset, LanguageModelling]:
    """Pack the documents, and make the task."""
    dataset = pack_documents(documents(), tokenizer(), length=length)
    return dataset, LanguageModelling.of(tokenizer(), dataset)


def student(num_tokens: int, seed: int = 0) -> Student:
    """Build an untrained student."""
    torch.manual_seed(seed)
    dataset, task = packed()
    return Student(SmallModel(num_tokens), signature=task.signature(dataset), statistics=None)


def teachers_of(dataset: Dataset, names: tuple[str, ...] = ("even", "odd")) -> tuple[list[Teacher], TeacherEnsemble]:
    """Make teachers, each for the rows of its name."""
    coverages = {name: Coverage(column="kind", values=(name,)) for name in names}
    ensemble = TeacherEnsemble(
        coverages, num_classes=dataset.num_classes, num_rows=len(dataset), columns=dataset.columns
    )
    loaded = [
        Teacher(name=name, model=SmallTeacher(dataset.num_classes, seed), coverage=coverages[name], digest=name)
        for seed, name in enumerate(names)
    ]
    return loaded, ensemble


def lesson(recipe: Recipe, teachers: object = None) -> Lesson:
    """Make a lesson with two teachers that are heard on the spot, unless others are given."""
    dataset, task = packed()
    loaded, ensemble = teachers_of(dataset)
    return Lesson(
        dataset=dataset,
        task=task,
        recipe=recipe,
        seed=0,
        ensemble=ensemble if recipe.needs_teachers else None,
        teachers=(teachers or LiveOutputs(loaded, num_classes=dataset.num_classes)) if recipe.needs_teachers else None,
    )
