"""The whole config."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from automl.config.data import Data
from automl.config.environment import expanded
from automl.config.limits import WrittenLimit
from automl.config.part import CatalogName, FolderName, Listed, NaturalInt, Part, PositiveInt
from automl.config.places import Places
from automl.config.recipe import Recipe
from automl.config.running import Cache, Latency, Resources, Search, Tracking
from automl.config.searchable import possible_values
from automl.config.sequences import Sequences
from automl.config.student import Student
from automl.config.teachers import Teacher
from automl.config.tokenizer import Tokenizer
from automl.searching.rungs import Rungs

LANGUAGE_MODELLING = "language_modelling"
"""Name of the task whose labels are the next tokens."""


class Task(Part):
    """What students shall do."""

    kind: CatalogName = "classification"
    """classification, language_modelling, or package.module:name of a function that takes the data set and returns a
    Task."""
    length: PositiveInt | None = None
    """Tokens of a row that a language model learns from at a time; null takes 128."""
    annotate: CatalogName | None = None
    """What is told of the tokens of documents to losses that ask for it: python_syntax, or package.module:name; null
    for nothing."""

    @model_validator(mode="after")
    def _rows_of_tokens(self) -> Self:
        """Reject what speaks of tokens where no documents are packed into rows."""
        for name in ("length", "annotate"):
            if getattr(self, name) is not None and self.kind != LANGUAGE_MODELLING:
                raise ValueError(f"{name} is for {LANGUAGE_MODELLING}; leave it out")
        return self


def _folder(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("expected a path")
    return Path(value).expanduser()


class Config(Part):
    """Everything about a search; ``load_config`` reads it from YAML."""

    name: FolderName
    """Of the search: its folder is runs/NAME, its MLflow experiment has this name."""
    seed: NaturalInt = 0
    """Decides weights, proposals and everything else that chance decides."""
    runs: Annotated[Path, BeforeValidator(_folder)] = Path("runs")
    """Folder of all runs; a relative one starts from where the command is typed."""
    data: Data
    """Where rows come from: kind is sklearn, npz, image_folder, table, idx, huggingface or factory."""
    task: Task = Task()
    """What students shall do."""
    tokenizer: Tokenizer | None = None
    """How texts become tokens; null trains a tokenizer on the training texts."""
    student: Student
    """What students can be."""
    recipe: Recipe
    """How students are distilled; a list or a range is searched together with the architecture."""
    teachers: Listed[Teacher] = ()
    """Whom students learn from; without any, they learn from labels alone."""
    sequences: Sequences | None = None
    """Texts that teachers write before any trial, of which students learn from the best; null for none."""
    objectives: Listed[str] = Field(min_length=1)
    """Metrics to optimise: accuracy (or another one of the task), latency_ms, size_bytes, params, macs."""
    limits: Listed[WrittenLimit] = ()
    """What every student must keep, such as latency_ms <= 2."""
    precisions: Listed[Literal["float32", "int8"]] = Field(default=("float32",), min_length=1)
    """In which precisions students are exported and measured; the first is the one that the sampler is told."""
    latency: Latency = Latency()
    """Under which conditions latency is measured."""
    search: Search = Search()
    """Who proposes students, and when the search stops."""
    resources: Resources = Resources()
    """What each trial may use."""
    cache: Cache = Cache()
    """How teachers' answers are kept."""
    address: str | None = None
    """Ray cluster: host:port, or auto for the one that this machine belongs to; null starts Ray on this machine."""
    storage: str | None = None
    """Optuna storage, such as postgresql://user:${PASSWORD}@host/db; null keeps a file in the run's folder."""
    tracking: Tracking = Tracking()
    """Where MLflow keeps the runs."""

    _places: Places = PrivateAttr(default_factory=Places)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.runs / self.name

    def place(self, *path: str | int) -> str:
        """Say where a setting stands: ``config.yaml:12:5: teachers[1].covers``.

        Args:
            path: Keys and positions: ``"teachers", 1, "covers"``; need not be written in the file.
        """
        return self._places.of(path)

    def rungs(self) -> Rungs | None:
        """Place the rungs at which trials are compared; None without halving.

        Raises:
            ValueError: None stands before the end of the recipe, or they do not rise.
        """
        halving = self.search.halving
        return None if halving is None else halving.placed(max(map(int, possible_values(self.recipe.epochs))))

    def expanded_storage(self) -> str | None:
        """Give the storage's address with its variables filled in; never to be written anywhere.

        Raises:
            UserError: A variable is not set.
        """
        return None if self.storage is None else expanded(self.storage)
