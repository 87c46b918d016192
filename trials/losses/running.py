"""Runs a model from one of its stages on, with other features in place of those that it made itself."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from teachers import Inputs


def run_from(
    model: nn.Module,
    inputs: Inputs,
    *,
    path: str,
    features: Tensor,
    keep: Collection[str] = (),
    idle: bool = False,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run a model whose module at a path gives these features.

    Modules before it run in vain: no one can tell which of a stranger's modules those are. Running statistics of batch
    normalisation stay as they are, so that features which the model did not make itself do not spoil them.

    Args:
        model: As it is trained or asked; its parameters get gradients if they take any.
        inputs: As the model takes them (B, ...).
        path: Of the module, as in ``named_modules``.
        features: What the module gives (B, ...).
        keep: Paths of modules whose outputs are wanted.
        idle: Whether the module at the path need not run itself, as ``can_idle`` found.

    Returns:
        The model's logits, and the outputs of these modules.

    Raises:
        ValueError: The module, or the model, gives something else than a tensor, or than a tuple that begins with one.
    """
    kept: dict[str, Tensor] = {}

    def replace(_module: nn.Module, _inputs: object, answer: object) -> object:
        if isinstance(answer, tuple):
            return (features.clone(), *answer[1:])
        _first(answer, path)
        return features.clone()  # What comes next may write over it.

    def record(at: str, _module: nn.Module, _inputs: object, answer: object) -> None:
        kept[at] = _first(answer, at).clone()

    with ExitStack() as stack:
        stack.enter_context(_statistics_kept(model))
        if idle:
            stack.enter_context(_idle(model.get_submodule(path), features))
        else:
            stack.callback(model.get_submodule(path).register_forward_hook(replace).remove)
        for at in keep:
            stack.callback(model.get_submodule(at).register_forward_hook(partial(record, at)).remove)
        answer = model(inputs)
    return _first(getattr(answer, "logits", answer), "the model"), kept


def can_idle(model: nn.Module, inputs: Inputs, *, path: str, features: Tensor, keep: Collection[str] = ()) -> bool:
    """Tell whether a module's own run changes nothing where its output is replaced, so that it can be saved.

    It does where it gives a tuple, writes over what others read, or leaves something behind for them.

    Args:
        model: In evaluation mode, so that runs can be compared.
        inputs: A few rows, at least two that differ; of texts it is not found out, and the module runs.
        path: As for ``run_from``.
        features: As for ``run_from``, of these rows.
        keep: As for ``run_from``.
    """
    module = model.get_submodule(path)
    scripted = isinstance(module, torch.jit.ScriptModule)
    if scripted or not isinstance(inputs, Tensor) or any(at.startswith(f"{path}.") for at in keep):
        return False
    with torch.no_grad():
        run_from(model, inputs.flip(0), path=path, features=features)  # What it may leave behind is of other rows now.
        try:
            logits, kept = run_from(model, inputs, path=path, features=features, keep=keep, idle=True)
        except (
            AttributeError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ):  # Others expect more of it than a tensor.
            return False
        own_logits, own_kept = run_from(model, inputs, path=path, features=features, keep=keep)
    return torch.equal(logits, own_logits) and all(torch.equal(kept[at], own_kept[at]) for at in keep)


@contextmanager
def _idle(module: nn.Module, features: Tensor) -> Iterator[None]:
    """Let a module give features without a run; its hooks see them."""
    given = module.__dict__.get("forward")
    module.forward = lambda *_inputs, **_options: features.clone()
    try:
        yield
    finally:
        if given is None:
            del module.forward
        else:
            module.forward = given


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    # In training, a normalisation that does not track uses the batch's statistics as before; only then is it switched.
    norms = [each for each in model.modules() if isinstance(each, _BatchNorm) and each.training]
    tracking = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, tracks in zip(norms, tracking, strict=True):
            norm.track_running_stats = tracks


def _first(answer: object, where: str) -> Tensor:
    found = answer[0] if isinstance(answer, tuple) and answer else answer
    if not isinstance(found, Tensor):
        raise ValueError(
            f"a model can be run from a stage on if its stages give tensors, or tuples that begin with one; {where} "
            f"gave {type(answer).__name__}"
        )
    return found
