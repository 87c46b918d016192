"""The section ``student``: which space, narrowed or fixed."""

from typing import Self

from pydantic import Field, model_validator

from automl.config.narrowing import narrowed
from automl.config.part import CatalogName, Named, Options, Part, Plain
from automl.config.searchable import SearchablePlain
from automl.config.space_factory import make_space
from search_spaces import Domain, SearchSpace, Values


class Student(Part):
    """What students can be."""

    space: CatalogName
    """A built-in search space (mlp, convnet, encoder, decoder), given models (factory, transformers, timm), a model
    space of NNI (nni), or package.module:name of a function that returns a space."""
    options: Options = Field(default={})
    """Keyword arguments of the space's factory: how wide it is at most, or which model."""
    choices: Named[SearchablePlain] = Field(default={})
    """Narrows the space: a value, a list or a range for some of its choices; others stay as the space has them, and so
    do step and log of a range that does not say its own."""
    values: Named[Plain] | None = None
    """Fixes the student: a value for every choice that is active; nothing of the architecture is searched then. Not
    needed for a space that holds one student only."""
    taps: Named[str] = Field(default={})
    """Names of yours for features of the students: each stands for the path of a module, or for stage1, stage2, …,
    last, attention1.weights and the like."""

    @model_validator(mode="after")
    def _narrowed_or_fixed(self) -> Self:
        """Reject a student that is both narrowed and fixed."""
        if self.choices and self.values is not None:
            raise ValueError("give either choices (to narrow the space) or values (to fix the student), not both")
        return self

    def fixed_values(self, space: SearchSpace) -> Values | None:
        """Give the values of the one student, by ``values`` or since the space holds no other; None if several can be.

        Args:
            space: As ``make_space`` makes it.
        """
        return space.only_values if self.values is None else self.values

    def make_space(self) -> SearchSpace:
        """Make the space, narrowed as ``choices`` say.

        Raises:
            ValueError: There is no such space, it does not take the options, or it cannot be narrowed so.
        """
        space = self.whole_space()
        return space.narrowed({name: self.domain(name, space) for name in self.choices})

    def domain(self, name: str, space: SearchSpace) -> Domain:
        """Give what one of ``choices`` narrows to, read as the space means it.

        Args:
            name: A key of ``choices``.
            space: The whole space; a range keeps step and log of its choice, unless it says otherwise.

        Raises:
            SettingError: It contradicts the space.
        """
        known = {choice.name: choice.domain for choice in space.choices}
        return narrowed(self.choices[name], known.get(name))

    def whole_space(self) -> SearchSpace:
        """Make the space before it is narrowed.

        Raises:
            ValueError: There is no such space, or it does not take the options.
        """
        return make_space(self.space, self.options)


class FixedStudent(Part):
    """One architecture."""

    space: CatalogName
    """A built-in search space (mlp, convnet, encoder, decoder), given models (factory, transformers, timm), a model
    space of NNI (nni), or package.module:name of a function that returns a space."""
    options: Options = Field(default={})
    """Keyword arguments of the space's factory."""
    values: Named[Plain] = Field(default={})
    """A value for every choice that is active; none for a space without choices."""

    def make_space(self) -> SearchSpace:
        """Make the space that it is a point of.

        Raises:
            ValueError: There is no such space, or it does not take the options.
        """
        return Student(space=self.space, options=self.options).make_space()
