"""How a search runs: who proposes, when it stops, what a trial may use, where results go."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from automl.config.environment import expanded
from automl.config.part import CatalogName, Listed, NaturalInt, NaturalReal, Options, Part, PositiveInt, PositiveReal
from automl.searching.rungs import Rungs
from trials.records import LEAST_ROUNDS, LatencySettings


class Latency(Part):
    """Under which conditions latency is measured, in ONNX Runtime."""

    batch_size: PositiveInt = 1
    """Samples of one run."""
    length: PositiveInt | None = None
    """Tokens of each text; null takes as many as a student reads at most."""
    threads: PositiveInt = 1
    """Threads that ONNX Runtime may use."""
    provider: Literal["cpu", "cuda"] = "cpu"
    """Execution provider."""
    rounds: Annotated[int, Field(ge=LEAST_ROUNDS)] = 9
    """Rounds that the runs and the time below are spread over, each with the graph opened anew."""
    warmup_runs: NaturalInt = 20
    """Runs of a graph that are not timed."""
    min_runs: PositiveInt = 100
    """Timed runs of a graph at least."""
    seconds: PositiveReal = 0.3
    """Time to go on timing a graph for."""

    def settings(self) -> LatencySettings:
        """Give them as a trial takes them."""
        return LatencySettings(**self.model_dump())


class Sampler(Part):
    """Who proposes students."""

    name: CatalogName = "pareto"
    """pareto, tpe, nsga2, evolution, reinforce, random, nni_tpe, nni_evolution, nni_random, nni_grid, or
    package.module:name of what makes an Optuna sampler."""
    options: Options = Field(default={})
    """Keyword arguments of the sampler."""


def _name_alone(named: Any) -> Any:
    return {"name": named} if isinstance(named, str) else named


class Stall(Part):
    """Stops a search that finds nothing more."""

    trials: PositiveInt
    """Look back over so many ended trials."""
    growth: NaturalReal = 0.001
    """Stop where the hypervolume (0 to 1) grew by less than this over them."""


class WarmStart(Part):
    """Starts from the trials of an earlier search."""

    run: str = Field(min_length=1)
    """Its folder, its name below runs, or the id of one of its MLflow runs."""
    students: PositiveInt = 10
    """So many of the best students of its front are tried first, at most."""


class Proxy(Part):
    """Orders candidates by a score of the untrained student, as long as it beats the number of parameters."""

    name: CatalogName
    """synflow, naswot, relations (which needs teachers), or package.module:name of a function that scores."""
    candidates: PositiveInt = 4
    """Proposals of the sampler for each trial, of which one is tried; with 1 the proxy is followed alone."""
    followed: Listed[CatalogName] = ()
    """Further proxies whose scores are kept and compared in the report, and order nothing."""


def _run_alone(warm_start: Any) -> Any:
    return {"run": warm_start} if isinstance(warm_start, str) else warm_start


class Halving(Part):
    """Stops trials at rungs where others did better. Epochs are those of the longest recipe; others: the same share."""

    reduction: Annotated[int, Field(ge=2)] = 3
    """At each rung the best one in so many goes on."""
    grace: PositiveInt | None = None
    """Epoch of the first rung; each next one has reduction times as many, up to the middle of the recipe."""
    rungs: Listed[PositiveInt] = ()
    """Epochs of all rungs, rising, instead of grace."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        """Let the rungs be told in one way."""
        if (self.grace is None) == (not self.rungs):
            raise ValueError("expected either grace, such as 3, or rungs, such as [3, 9]")
        return self

    def placed(self, longest: int) -> Rungs:
        """Place the rungs in recipes of at most so many epochs.

        Raises:
            ValueError: None stands before their end, or they do not rise.
        """
        if self.grace is not None:
            return Rungs.rising(first=self.grace, longest=longest, reduction=self.reduction)
        return Rungs(epochs=self.rungs, longest=longest, reduction=self.reduction)


class Search(Part):
    """Who proposes students, and when the search stops: by whichever of trials, minutes and stall comes first."""

    sampler: Annotated[Sampler, BeforeValidator(_name_alone)] = Sampler()
    """Who proposes students: a name, or {name, options}."""
    trials: PositiveInt | None = None
    """Stop after so many trials."""
    minutes: PositiveReal | None = None
    """Start no further trial after so many minutes."""
    stall: Stall | None = None
    """Stop where the front no longer grows: {trials, growth}."""
    halving: Halving | None = None
    """Stop trials early that others beat at a rung: {grace, reduction}, or {rungs, reduction}; null trains each to its
    end."""
    in_flight: PositiveInt | None = None
    """Trials at a time at most; null takes as many as the machines have room for."""
    warm_start: Annotated[WarmStart | None, BeforeValidator(_run_alone)] = None
    """An earlier search whose best students are tried first: a run, or {run, students}."""
    proxy: Annotated[Proxy | None, BeforeValidator(_name_alone)] = None
    """A score of untrained students that orders what the sampler proposes: a name, or {name, candidates, followed};
    null tries each proposal as it comes."""


class Resources(Part):
    """What each trial may use."""

    cpus: PositiveReal = 1.0
    """Processors of one trial."""
    gpus: NaturalReal = 0.0
    """GPUs of one trial; 0.5 puts two trials on one."""
    threads: PositiveInt = 1
    """Threads of PyTorch in one trial."""
    retries: NaturalInt = 2
    """How often a trial whose process died starts again before it counts as failed."""
    trial_minutes: PositiveReal | None = None
    """A trial that takes longer, all its rungs together, is stopped and counts as failed; null waits for ever."""


CUTS = ("dtype", "top_k", "sampled")
"""Settings of the cache that decide how much of a prediction students hear; the others say what room there is."""


class Cache(Part):
    """How teachers' answers are kept, once for all trials and searches; what finds no room is asked on the spot."""

    gb: PositiveReal = 10.0
    """Disk that the cache may fill, in gigabytes."""
    memory_gb: PositiveReal | None = None
    """Memory of a machine that teachers which run may take, in gigabytes; null takes half of it."""
    dtype: Literal["float16", "float32"] = "float16"
    """Type of the numbers that are kept."""
    top_k: PositiveInt | None = None
    """Keep the largest logits of each row alone, and the mass of all others as one; null keeps all, of tokens 64."""
    sampled: PositiveInt | None = None
    """Instead, draw so many classes from each prediction: right on average, for forward_kl and kd alone."""

    @model_validator(mode="after")
    def _one_way_to_cut(self) -> Self:
        """Let logits be cut in one way."""
        if self.top_k is not None and self.sampled is not None:
            raise ValueError("expected either top_k, such as 64, or sampled, such as 50")
        return self

    @property
    def limit_bytes(self) -> int:
        """Give the disk in bytes."""
        return int(self.gb * 1e9)


class Tracking(Part):
    """Where MLflow keeps the runs."""

    uri: str | None = None
    """MLflow's tracking server; null keeps the runs in the run's folder. ${NAME} stands for an environment variable."""
    experiment: str | None = Field(default=None, min_length=1)
    """Name of the MLflow experiment; null takes the name of the search."""

    def expanded_uri(self) -> str | None:
        """Give the server's address with its variables filled in; never to be written anywhere.

        Raises:
            UserError: A variable is not set.
        """
        return None if self.uri is None else expanded(self.uri)
