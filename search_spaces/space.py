"""A search space: choices, conditions and two functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from search_spaces.choices import Categorical, Choice, Domain, Real, Value, Values, check_values, walk
from search_spaces.scales import first_value, num_values
from search_spaces.signature import ModelSignature
from search_spaces.spec import StudentSpec, plain_digest


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a student costs before anything is measured.

    Args:
        params: Number of trainable parameters.
        macs: Multiply-accumulate operations of one forward pass of one sample, in convolutions, linear layers and
            matrix products.
    """

    params: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """What a student can be.

    Args:
        name: Written into every spec of this space.
        choices: In an order in which conditions look backwards only.
        build: From a spec and a signature to an untrained module, whose ``forward`` takes the signature's inputs
            (preprocessed to float) and returns its outputs.
        cost: Parameters and MACs of what ``build`` would build, in closed form; None where they must be counted.
        constants: What shapes every student and is no choice, as plain data: the name of a model, arguments of a
            function. They are part of every spec and of its digest. What only bounds choices does not belong here,
            since it would give one architecture two names.
        features: Numbers that say something of a point's structure which its choices do not say one by one, by name and
            always the same ones: the length of the longest path, layers that are not cut off. A sampler that learns
            from architectures learns along them, too; None where there are none.
        forbids: Why a point that the choices allow is no student all the same, empty where it is one; None where all
            of them are. What is drawn at random is drawn again, and a sampler is asked again; a trial of such a point
            fails before it is trained.
    """

    name: str
    choices: tuple[Choice, ...]
    build: Callable[[StudentSpec, ModelSignature], nn.Module]
    cost: Callable[[StudentSpec, ModelSignature], Cost] | None = None
    constants: Mapping[str, object] = field(default_factory=dict)
    features: Callable[[Values], Mapping[str, float]] | None = None
    forbids: Callable[[Values], str] | None = None

    def __post_init__(self) -> None:
        """Reject two choices of one name, and constants that no file can hold."""
        names = [choice.name for choice in self.choices]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"space {self.name!r} has choices of one name: {', '.join(twice)}")
        try:
            plain_digest(dict(self.constants))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"constants of space {self.name!r} must be plain data, as JSON can hold: {error}"
            ) from error

    @property
    def only_values(self) -> Values | None:
        """The values of the only point, an empty dict in a space without choices; None where there is more than one."""
        values = walk(self.choices, lambda choice: first_value(choice.domain))
        domains = {choice.name: choice.domain for choice in self.choices}
        return values if all(num_values(domains[name]) == 1 for name in values) else None

    def spec(self, values: Values) -> StudentSpec:
        """Make a spec of this space.

        Raises:
            ValueError: The values are not a point of the space.
        """
        check_values(self.choices, values)
        return StudentSpec(space=self.name, values=dict(values), constants=dict(self.constants))

    def narrowed(self, domains: Mapping[str, Domain]) -> "SearchSpace":
        """Copy the space with other domains for some of its choices, each within the old one.

        Raises:
            ValueError: A name is unknown, or a domain reaches outside the old one.
        """
        known = {choice.name: choice for choice in self.choices}
        for name, domain in domains.items():
            if name not in known:
                raise ValueError(f"space {self.name!r} has no choice {name!r}; it has {', '.join(sorted(known))}")
            for value in _reach(domain, known[name].domain):
                if value not in known[name].domain:
                    raise ValueError(f"{name!r} cannot be {value!r}; it can be {known[name].domain}")
        choices = tuple(replace(choice, domain=domains.get(choice.name, choice.domain)) for choice in self.choices)
        return replace(self, choices=choices)


def _reach(domain: Domain, old: Domain) -> Sequence[Value]:
    """Give the values of a domain that lie in the old one only if all of them do."""
    if isinstance(domain, Categorical):
        return domain.options
    if isinstance(domain, Real):
        return domain.low, domain.high
    steps = range(domain.low, domain.high + 1, domain.step)
    # Whoever begins on a step of the old domain, and goes on to another, never leaves them.
    return steps if isinstance(old, Categorical) else (*steps[:2], domain.high)
