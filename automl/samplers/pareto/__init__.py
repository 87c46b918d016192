"""Our own sampler, made of few parts: evidence, beliefs, expected gain, candidates."""

from automl.samplers.pareto.sampler import Memory, Pareto

__all__ = ["Memory", "Pareto"]
