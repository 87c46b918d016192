"""Configs of transformers: which fields a model has, which of them are searched, and which follow from others."""

import difflib
from collections.abc import Mapping
from typing import Any

from search_spaces.choices import Categorical, Choice, Domain, Integer, Real, Values, walk
from search_spaces.scales import first_value

_FROM_DATA = ("image_size", "num_channels", "num_labels", "id2label", "label2id", "vocab_size")
"""Fields of a config that follow from the data, as do ids of tokens."""
_NOT_THE_MODEL = (
    "model_type",
    "architectures",
    "dtype",
    "problem_type",
    "transformers_version",
    "use_cache",
    "_name_or_path",
    "_commit_hash",
)
"""Fields that are no part of an architecture's name: they say where it came from, or how it is run."""
_RANGE = {"low", "high", "step", "log"}


def library() -> Any:
    """Import the library.

    Raises:
        ValueError: It is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise ValueError(
            f"space 'transformers' needs transformers ({error}); pip install 'automl-distill[transformers]'"
        ) from error
    return transformers


def from_data(name: str) -> bool:
    """Tell whether a field follows from the data."""
    return name in _FROM_DATA or name.endswith("_token_id")


def plain(config: Any) -> dict[str, object]:
    """Give all fields of a config that shape the model, with the defaults of its type: these may change."""
    fields = config.to_diff_dict()
    return {name: value for name, value in fields.items() if name not in _NOT_THE_MODEL and not from_data(name)}


def checked_config(model_type: str, fields: Mapping[str, object], *, stored: Mapping[str, object]) -> Any:
    """Make a config, and refuse fields that it would keep without a word.

    Args:
        model_type: Of a model.
        fields: That were given for it.
        stored: All fields that are known of it, with their values.

    Raises:
        ValueError: A field is unknown, or the config refuses a value.
    """
    auto_config = library().AutoConfig
    default = auto_config.for_model(model_type)
    known = {*default.to_dict(), *default.attribute_map, *stored}
    allowed = sorted(name for name in known if name not in _NOT_THE_MODEL and not from_data(name))
    for name in fields:
        if name not in allowed:
            near = sorted(difflib.get_close_matches(name, allowed, n=3))
            hint = f"did you mean one of {', '.join(near)}?" if near else f"its fields are {', '.join(allowed)}"
            raise ValueError(f"model {model_type!r} has no option {name!r}; {hint}")
    try:
        return auto_config.for_model(model_type, **{**stored, **fields})
    except Exception as error:  # The library has an error class of its own for each kind of check.
        raise ValueError(f"model {model_type!r} cannot have options {dict(fields)}: {error}") from error


def searched_fields(fields: Mapping[str, object], default: Any) -> tuple[Choice, ...]:
    """Make choices of the fields that are given as a list or as a range.

    A field that is itself a list, or a mapping, in the default config keeps what is given as its value.

    Args:
        fields: That were given.
        default: The config without them.

    Raises:
        ValueError: A list holds something else than texts, numbers, true and false, or a range is wrong.
    """
    known = default.to_dict()
    choices = []
    for name, value in fields.items():
        own = known.get(default.attribute_map.get(name, name))
        if isinstance(value, list | tuple) and not isinstance(own, list | tuple):
            choices.append(Choice(name=name, domain=_options(name, value)))
        elif isinstance(value, Mapping) and {"low", "high"} <= set(value) <= _RANGE and not isinstance(own, Mapping):
            choices.append(Choice(name=name, domain=_range(name, value)))
    return tuple(choices)


def base_values(choices: tuple[Choice, ...]) -> Values:
    """Give the first values of the choices."""
    return walk(choices, lambda choice: first_value(choice.domain))


def following(model_type: str, fixed: Mapping[str, object], choices: tuple[Choice, ...]) -> set[str]:
    """Find fields that the library works out from others, as the width of a head from width and heads.

    Each choice is changed by itself, and what else changes in the config follows from it.

    Args:
        model_type: Of the model.
        fixed: Fields that are not searched.
        choices: Fields that are.

    Returns:
        Their names, and the config's own names of the choices.
    """
    auto_config = library().AutoConfig
    base = dict(base_values(choices))
    before = plain(auto_config.for_model(model_type, **{**fixed, **base}))
    names = auto_config.for_model(model_type).attribute_map
    found = {names.get(choice.name, choice.name) for choice in choices}
    for choice in choices:
        changed = {**base, choice.name: _last_value(choice.domain)}
        try:
            after = plain(auto_config.for_model(model_type, **{**fixed, **changed}))
        except Exception:  # noqa: S112 - a point that the config refuses shows nothing
            continue
        found |= {name for name in before | after if before.get(name) != after.get(name)}
    return found


def without_defaults(model_type: str, fields: Mapping[str, object]) -> dict[str, object]:
    """Leave out the fields of a config that the library gives or works out by itself."""
    auto_config = library().AutoConfig
    kept = dict(fields)
    for name in fields:
        rest = {other: value for other, value in kept.items() if other != name}
        try:
            if plain(auto_config.for_model(model_type, **rest)).get(name) == fields[name]:
                kept = rest
        except Exception:  # noqa: S112 - the config cannot do without it
            continue
    return kept


def forbidden(values: Values, *, model_type: str, fixed: Mapping[str, object]) -> str:
    """Say why a point is no model; empty where it is one, as far as its config knows.

    Args:
        values: Of the choices.
        model_type: Of the model.
        fixed: Fields that are not searched.
    """
    chosen = {name: value for name, value in values.items() if name not in ("length", "vocabulary_size")}
    try:
        config = library().AutoConfig.for_model(model_type, **{**fixed, **chosen})
    except Exception as error:  # The library has an error class of its own for each kind of check.
        return f"model {model_type!r} cannot have {chosen}: {error}"
    width, heads = getattr(config, "hidden_size", None), getattr(config, "num_attention_heads", None)
    kv_heads = getattr(config, "num_key_value_heads", None)
    if isinstance(width, int) and isinstance(heads, int) and width % heads and "head_dim" not in {**fixed, **chosen}:
        return f"hidden_size must be a multiple of num_attention_heads, got {width} and {heads}"
    if isinstance(heads, int) and isinstance(kv_heads, int) and heads % kv_heads:
        return f"num_attention_heads must be a multiple of num_key_value_heads, got {heads} and {kv_heads}"
    return ""


def _options(name: str, values: list[object] | tuple[object, ...]) -> Categorical:
    options = tuple(value for value in values if isinstance(value, str | int | float | bool))
    if len(options) < len(values):
        raise ValueError(f"option {name!r} can be searched over texts, numbers, true and false, got {list(values)}")
    try:
        return Categorical(options=options)
    except ValueError as error:
        raise ValueError(f"option {name!r}: {error}") from error


def _range(name: str, value: Mapping[str, Any]) -> Domain:
    whole = all(isinstance(value[end], int) and not isinstance(value[end], bool) for end in ("low", "high"))
    try:
        return Integer(**value) if whole else Real(**value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"option {name!r} is no range: {error}") from error


def _last_value(domain: Domain) -> Any:
    return domain.options[-1] if isinstance(domain, Categorical) else domain.high
