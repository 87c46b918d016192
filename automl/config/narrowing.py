"""A choice of a search space, narrowed as a config says."""

from automl.config.searchable import NumberRange, domain_of, possible_values
from search_spaces import Categorical, Domain, Integer, Real
from trials.data.settings import SettingError


def narrowed(setting: object, known: Domain | None) -> Domain:
    """Give what a choice is narrowed to; what a range does not say stays as the space has it.

    Args:
        setting: A value, a list or a range, whose values or ends lie in what is known.
        known: What the choice can be in the whole space; None where there is no such choice.

    Raises:
        SettingError: ``step`` or ``log`` of the range contradict the space.
    """
    if not isinstance(setting, NumberRange) or known is None:
        return domain_of(setting) or Categorical(options=possible_values(setting))
    if isinstance(known, Categorical):
        return _among(setting, known)
    log = setting.log if "log" in setting.model_fields_set else known.log
    if isinstance(known, Real):  # 1 to 4 is a range of real numbers there.
        return Real(low=float(setting.low), high=float(setting.high), log=log)
    step = known.step if setting.step is None else setting.step
    if step % known.step:
        raise SettingError(f"the space goes in steps of {known.step}; expected a multiple of that, got {step}", "step")
    if known.step > 1 and log:
        raise SettingError(f"the space goes in steps of {known.step}, which log cannot; leave it out", "log")
    # One that says step means its values to be spread evenly.
    return Integer(low=int(setting.low), high=int(setting.high), step=step, log=log and step == 1)


def _among(setting: NumberRange, known: Categorical) -> Categorical:
    """Take the options within a range; those of a list have no steps between them."""
    for name in ("step", "log"):
        if name in setting.model_fields_set:
            listed = ", ".join(map(str, known.options))
            raise SettingError(f"this choice is one of {listed}, of which none is between; leave it out", name)
    numbers = [option for option in known.options if isinstance(option, int | float) and not isinstance(option, bool)]
    return Categorical(options=tuple(option for option in numbers if setting.low <= option <= setting.high))
