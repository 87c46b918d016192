"""Our own sampler, made of few parts: evidence, beliefs, expected gain, candidates."""

from automl.samplers.pareto.sampler import Memory, ParetoSampler

__all__ = ["Memory", "ParetoSampler"]
