"""What a model space of NNI leaves open: its mutables as choices, each with its condition."""

from collections.abc import Callable
from typing import Any

from search_spaces.choices import Categorical, Choice, Values
from search_spaces.nni_leaves import EMPTY, Leaf, Path, categorical, number, options_of, several
from search_spaces.nni_library import import_layers, import_nni


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
        options = options_of(symbol.values)
        reached = {option: depth.evaluate({label: value}) for option, value in zip(options, symbol.values, strict=True)}

        def required(index: int) -> Path:
            open_ = tuple(option for option, blocks in reached.items() if blocks > index)
            return () if len(open_) == len(options) else ((label, open_),)

        return required

    def _add(self, mutable: Any, path: Path) -> Leaf:
        label = str(mutable.label)
        if isinstance(mutable, self._mutable.Constraint):
            self.has_rules = True
            return EMPTY
        if label not in self._leaves:
            self._leaves[label] = self._leaf(label, mutable)
        self._leaves[label].paths.append(path)
        return self._leaves[label]

    def _leaf(self, label: str, mutable: Any) -> Leaf:
        kinds = self._mutable
        if isinstance(mutable, kinds.Categorical):
            return categorical(label, mutable, is_depth=label in self._depths)
        if isinstance(mutable, kinds.CategoricalMultiple):
            leaf = several(label, mutable)
            self.has_rules |= len(leaf.domains) > 1 and (mutable.n_chosen is not None or label in self._picked)
            return leaf
        if isinstance(mutable, kinds.Numerical):
            return number(label, mutable)
        raise ValueError(f"mutable {label!r} is a {type(mutable).__name__}, which no search space here can choose")
