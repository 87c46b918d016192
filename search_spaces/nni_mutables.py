"""The mutables of an NNI model space as choices, each with its condition."""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from search_spaces.choices import Categorical, Choice, Domain, Integer, Real, Value, Values
from search_spaces.nni_library import import_layers, import_nni

_MOST_OPTIONS = 256
"""Options that a list of values is taken as; what has more is seen otherwise."""
_TAIL = 0.00135
"""Share of a distribution without an end that is left out on either side: beyond three standard deviations."""

Requirement = tuple[str, tuple[Value, ...]]
"""A choice, and the values of it under which something is reached."""
Path = tuple[Requirement, ...]


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The condition of a mutable that stands within others: at least one of the paths to it is open.

    Args:
        paths: All requirements of a path must hold.
    """

    paths: tuple[Path, ...]

    def __call__(self, values: Values) -> bool:
        """Tell whether a student with these values has the mutable."""
        return any(all(name in values and values[name] in open_ for name, open_ in path) for path in self.paths)

    @property
    def names(self) -> set[str]:
        """The choices that it reads."""
        return {name for path in self.paths for name, _ in path}


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaf:
    """A mutable, as choices.

    Args:
        mutable: Of NNI.
        domains: By name of the choice; several where any number of things may be picked.
        decode: From the values of these choices to what NNI's sample holds under the mutable's label.
    """

    mutable: Any
    domains: Mapping[str, Domain]
    decode: Callable[[Values], object]
    paths: list[Path] = field(default_factory=list)

    @property
    def when(self) -> Reached | None:
        """Its condition; None where it is always there."""
        return None if () in self.paths else Reached(paths=tuple(dict.fromkeys(self.paths)))


class Reading:
    """What a model space leaves open.

    Args:
        space: An NNI ``ModelSpace``.

    Raises:
        ValueError: Two mutables of one label differ, or one is of a kind that cannot be chosen.
    """

    def __init__(self, space: Any) -> None:
        self._layers = import_layers()
        self._mutable = import_nni().mutable
        self._leaves: dict[str, Leaf] = {}
        self._picked: set[str] = set()
        self.has_rules = False
        known = space.simplify()
        self._depths = {
            str(module.depth_choice.label)
            for module in space.modules()
            if isinstance(module, self._layers.Repeat) and isinstance(module.depth_choice, self._mutable.Categorical)
        }
        self._walk(space, ())
        for mutable in known.values():  # What a module of the user's own tells of itself, and not by its parts.
            if str(mutable.label) not in self._leaves:
                self._add(mutable, ())

    @property
    def names(self) -> set[str]:
        """Of all choices."""
        return {name for leaf in self._leaves.values() for name in leaf.domains}

    def choices(self) -> tuple[Choice, ...]:
        """Give the choices, each after those that its condition reads."""
        ordered: dict[str, Choice] = {}
        leaves = list(self._leaves.values())
        while leaves:
            ready = [leaf for leaf in leaves if leaf.when is None or leaf.when.names <= set(ordered)]
            # Two labels within each other, at different places: asked always, though not always needed.
            circular, leaf = not ready, (ready or leaves)[0]
            leaves.remove(leaf)
            for name, domain in leaf.domains.items():
                ordered[name] = Choice(name=name, domain=domain, when=None if circular else leaf.when)
        return tuple(ordered.values())

    def sample(self, values: Values) -> dict[str, object]:
        """Give NNI's sample of a point; what the point leaves out, since nothing reads it, stands at its default.

        Raises:
            ValueError: The point picks nothing where a layer needs an input.
        """
        sample: dict[str, object] = {}
        for label, leaf in self._leaves.items():
            if all(name in values for name in leaf.domains):
                sample[label] = leaf.decode(values)
                if label in self._picked and not sample[label]:
                    raise ValueError(f"{label!r} picks no input, and its layer needs at least one")
            else:
                leaf.mutable.default(sample)
        return sample

    def _walk(self, module: Any, path: Path) -> None:
        layers = self._layers
        if isinstance(module, layers.LayerChoice):
            leaf = self._add(module.choice, path)
            ((name, domain),) = leaf.domains.items()
            assert isinstance(domain, Categorical)
            for option, key in zip(domain.options, module.names, strict=True):
                self._descend(module[key], (*path, (name, (option,))))
        elif isinstance(module, layers.Repeat):
            depths = self._depths_of(module, path)
            for index, block in enumerate(module.blocks):
                self._descend(block, (*path, *depths(index)))
        else:
            if isinstance(module, layers.InputChoice):
                self._picked.add(str(module.label))
            for mutable in module.mutables:
                for leaf_mutable in mutable.leaf_mutables(lambda each: isinstance(each, self._mutable.LabeledMutable)):
                    self._add(leaf_mutable, path)
            for part in module.mutable_descendants():
                self._walk(part, path)

    def _descend(self, module: Any, path: Path) -> None:
        if isinstance(module, self._layers.MutableModule):
            self._walk(module, path)
        else:
            for _, part in self._layers.MutableModule.named_mutable_descendants(module):
                self._walk(part, path)

    def _depths_of(self, module: Any, path: Path) -> Callable[[int], Path]:
        """Give what each block of a repeated one requires: a depth that reaches it."""
        depth = module.depth_choice
        if isinstance(depth, int):
            return lambda index: ()
        symbols = {str(each.label): each for each in depth.leaf_symbols()}
        for symbol in symbols.values():
            self._add(symbol, path)
        ((label, symbol),) = list(symbols.items())[:1]
        if len(symbols) > 1 or not isinstance(symbol, self._mutable.Categorical):
            return lambda index: ()  # Of several choices at once; asked always, though not always needed.
        options = _options(symbol.values)
        reached = {option: depth.evaluate({label: value}) for option, value in zip(options, symbol.values, strict=True)}

        def required(index: int) -> Path:
            open_ = tuple(option for option, blocks in reached.items() if blocks > index)
            return () if len(open_) == len(options) else ((label, open_),)

        return required

    def _add(self, mutable: Any, path: Path) -> Leaf:
        label = str(mutable.label)
        if isinstance(mutable, self._mutable.Constraint):
            self.has_rules = True
            return _EMPTY
        if label not in self._leaves:
            self._leaves[label] = self._leaf(label, mutable)
        self._leaves[label].paths.append(path)
        return self._leaves[label]

    def _leaf(self, label: str, mutable: Any) -> Leaf:
        kinds = self._mutable
        if isinstance(mutable, kinds.Categorical):
            return _categorical(label, mutable, is_depth=label in self._depths)
        if isinstance(mutable, kinds.CategoricalMultiple):
            leaf = _several(label, mutable)
            self.has_rules |= len(leaf.domains) > 1 and (mutable.n_chosen is not None or label in self._picked)
            return leaf
        if isinstance(mutable, kinds.Numerical):
            return _number(label, mutable)
        raise ValueError(f"mutable {label!r} is a {type(mutable).__name__}, which no search space here can choose")


_EMPTY = Leaf(mutable=None, domains={}, decode=lambda values: None)


def _categorical(label: str, mutable: Any, *, is_depth: bool) -> Leaf:
    options = _options(mutable.values)
    # A depth is a number by what it does; of all else NNI says that numbers are options without an order.
    domain = _even(options) if is_depth else None
    places = dict(zip(options, mutable.values, strict=True))
    return Leaf(
        mutable=mutable,
        domains={label: domain or Categorical(options=options)},
        decode=lambda values: places[values[label]],
    )


def _several(label: str, mutable: Any) -> Leaf:
    """Take a pick of some from a list: an option for each such pick, or yes and no for each thing in it."""
    options, count = _options(mutable.values), mutable.n_chosen
    if count is not None and math.comb(len(options), count) <= _MOST_OPTIONS:
        named = {_name_of(pick, options): pick for pick in itertools.combinations(range(len(options)), count)}
        return Leaf(
            mutable=mutable,
            domains={label: Categorical(options=tuple(named))},
            decode=lambda values: [mutable.values[place] for place in named[values[label]]],
        )
    names = [f"{label}/{place}" for place in range(len(options))]
    return Leaf(
        mutable=mutable,
        domains={name: Categorical(options=(True, False)) for name in names},
        decode=lambda values: [value for name, value in zip(names, mutable.values, strict=True) if values[name]],
    )


def _number(label: str, mutable: Any) -> Leaf:
    low = mutable.low if math.isfinite(mutable.low) else mutable.qclip(float(mutable.distribution.ppf(_TAIL)))
    high = mutable.high if math.isfinite(mutable.high) else mutable.qclip(float(mutable.distribution.ppf(1 - _TAIL)))
    domain: Domain | None = Real(low=float(low), high=float(high), log=bool(mutable.log_distributed))
    if mutable.quantize is not None and (high - low) / mutable.quantize < _MOST_OPTIONS:
        first, last = math.floor(low / mutable.quantize), math.ceil(high / mutable.quantize)
        steps = [float(mutable.qclip(step * mutable.quantize)) for step in range(first, last + 1)]
        steps = list(dict.fromkeys(min(max(step, low), high) for step in steps))
        whole = tuple(int(step) if step.is_integer() else step for step in steps)
        domain = _even(whole) or Categorical(options=tuple(steps))
    assert domain is not None
    return Leaf(
        mutable=mutable, domains={label: domain}, decode=lambda values: float(mutable.qclip(float(values[label])))
    )


def _even(options: tuple[Value, ...]) -> Integer | None:
    """Give whole numbers that stand at even steps as a range; None where they do not."""
    if len(options) < 2 or not all(type(option) is int for option in options):
        return None
    numbers = [int(option) for option in options]
    step = numbers[1] - numbers[0]
    if step < 1 or any(after - before != step for before, after in itertools.pairwise(numbers)):
        return None
    return Integer(low=numbers[0], high=numbers[-1], step=step)


def _options(values: list[object]) -> tuple[Value, ...]:
    """Name the values of a choice: plain ones by themselves, others as Python writes them."""
    named = tuple(value if type(value) in (str, int, float, bool) else repr(value) for value in values)
    if len(set(map(repr, named))) < len(named) or any(" object at 0x" in str(name) for name in named):
        # Two that look alike, or an address, which is another in the next process.
        named = tuple(f"option {place}" for place in range(len(values)))
    return named  # type: ignore[return-value] # mypy does not follow `type(value) in`


def _name_of(places: tuple[int, ...], options: tuple[Value, ...]) -> Value:
    return options[places[0]] if len(places) == 1 else " + ".join(str(options[place]) for place in places)
