"""A recurrent controller that is trained by reinforcement learning, as a sampler."""

from automl.samplers.reinforce.learner import Teaching
from automl.samplers.reinforce.sampler import Memory, Reinforce

__all__ = ["Memory", "Reinforce", "Teaching"]
