"""What all trials of a search share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from search_spaces import ModelSignature, SearchSpace, StudentSpec
from teachers import EnsembleOutputs, TeacherEnsemble, TeacherModel
from trials.data import Dataset
from trials.decoding import decodes, prompt_signature, token_signature
from trials.lesson import Lesson
from trials.reading import Reading
from trials.records import VARYING_SIZE, LatencySettings, Limit, Trial
from trials.student import Normalisation
from trials.tasks import Task
from trials.written import WritingTest


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What all trials of a search share; sent to the workers once.

    Args:
        space: Builds the students.
        dataset: What they learn from and are judged on.
        task: How they are judged.
        statistics: Of the training inputs, for the preprocessing in the graph.
        ensemble: Who the teachers are; None without teachers.
        teachers: Where they are heard; None without teachers.
        taps: Names that the user gives to layers of the student.
        teacher_models: Models of all teachers, for losses that run them; empty where none does.
        precisions: Each gives a candidate; the first is the one that the sampler is told.
        limits: What a shipped student must keep.
        latency: How latency is measured.
        threads: Threads of PyTorch.
        reading: How students read texts; None where the inputs are numbers.
        writing: What members of the front write after, to be judged; None where they write nothing.
        device: Where students are trained: ``cpu``, ``cuda``, or ``auto`` for ``cuda`` where there is one. They are
            measured on the processor, or where ``latency`` says.
    """

    space: SearchSpace
    dataset: Dataset
    task: Task
    statistics: Normalisation | None
    ensemble: TeacherEnsemble | None = None
    teachers: EnsembleOutputs | None = None
    taps: Mapping[str, str] = field(default_factory=dict)
    teacher_models: tuple[TeacherModel, ...] = ()
    precisions: tuple[str, ...] = ("float32",)
    limits: tuple[Limit, ...] = ()
    latency: LatencySettings = field(default_factory=LatencySettings)
    threads: int = 1
    device: str = "auto"
    reading: Reading | None = None
    writing: WritingTest | None = None
    _signatures: dict[int, ModelSignature] = field(default_factory=dict, init=False, repr=False)

    def reading_of(self, spec: StudentSpec) -> Reading | None:
        """Say how a student reads texts; None where the inputs are numbers. Language models all read alike."""
        return self.reading if self.reading is None or self.dataset.of_tokens else self.reading.of(spec)

    def signature_of(self, spec: StudentSpec) -> ModelSignature:
        """Say what a student takes in and gives out."""
        reading = self.reading_of(spec)
        if reading is None or self.dataset.of_tokens:
            return self.task.signature(self.dataset)
        vocabulary_size = reading.tokenizer.vocabulary_size
        if vocabulary_size not in self._signatures:
            self._signatures[vocabulary_size] = self.task.signature(reading.outline(self.dataset))
        return self._signatures[vocabulary_size]

    def dataset_of(self, spec: StudentSpec) -> Dataset:
        """Give the data as a student sees it: texts as token ids, all else as it is."""
        reading = self.reading_of(spec)
        return self.dataset if reading is None or self.dataset.of_tokens else reading.read(self.dataset)

    def timed_signature_of(self, spec: StudentSpec) -> ModelSignature:
        """Say with which sizes a student's latency is measured: texts of one length, and nothing varies.

        Of one that writes, the last token of a text is measured, those before it being kept.
        """
        signature, length = self.signature_of(spec), self.timed_length_of(spec)
        return token_signature(spec, signature, length=length) if decodes(spec, signature) else signature.sized(length)

    def prompt_signature_of(self, spec: StudentSpec) -> ModelSignature | None:
        """Say with which sizes the first token of a student that writes is timed; None of one that does not write."""
        signature, length = self.signature_of(spec), self.timed_length_of(spec)
        return prompt_signature(spec, signature, length=length) if decodes(spec, signature) else None

    def timed_length_of(self, spec: StudentSpec) -> int:
        """Give the tokens of the texts on which a student's latency is measured."""
        reading = self.reading_of(spec)
        return self.latency.length or (VARYING_SIZE if reading is None else reading.length)

    def lesson(self, trial: Trial, dataset: Dataset | None = None) -> Lesson:
        """Say what a trial's student is taught.

        Args:
            trial: What is asked.
            dataset: Instead of the student's, such as one with fewer rows.

        Raises:
            ValueError: The recipe names unknown methods, or does not fit the teachers.
        """
        return Lesson(
            dataset=dataset or self.dataset_of(trial.spec),
            task=self.task,
            recipe=trial.recipe,
            seed=trial.seed,
            ensemble=self.ensemble,
            teachers=self.teachers,
            teacher_models=self.teacher_models,
            taps=self.taps,
            device=self.device,
        )
