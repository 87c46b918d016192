"""What a student can be: choices, conditions and functions, one family a file."""

from collections.abc import Callable

from search_spaces.cardinality import size
from search_spaces.choices import Categorical, Choice, Domain, Integer, Real, Value, Values, check_values, walk
from search_spaces.conditions import Condition, all_of, at_least, equals, one_of
from search_spaces.convnet import convnet
from search_spaces.counting import cost_of, count
from search_spaces.decoder import Decoder, decoder
from search_spaces.decoder_cache import CachedDecoder, cached_signature, empty_cache
from search_spaces.encoder import encoder
from search_spaces.encoding import columns_of, encode, encoding_columns
from search_spaces.factory import factory
from search_spaces.mlp import mlp
from search_spaces.nni_space import nni_space
from search_spaces.signature import ModelSignature, TensorSpec
from search_spaces.space import Cost, SearchSpace
from search_spaces.spec import StudentSpec, plain_digest
from search_spaces.timm_models import timm_models
from search_spaces.transformers_models import transformers_models
from search_spaces.trying import require_outputs
from search_spaces.variation import Point, crossover, mutate, neighbours, sample

SPACES: dict[str, Callable[..., SearchSpace]] = {
    "mlp": mlp,
    "convnet": convnet,
    "encoder": encoder,
    "decoder": decoder,
    "factory": factory,
    "transformers": transformers_models,
    "timm": timm_models,
    "nni": nni_space,
}
"""Factories of the built-in spaces by name; a user's own is ``package.module:name``."""

__all__ = [
    "SPACES",
    "CachedDecoder",
    "Categorical",
    "Choice",
    "Condition",
    "Cost",
    "Decoder",
    "Domain",
    "Integer",
    "ModelSignature",
    "Point",
    "Real",
    "SearchSpace",
    "StudentSpec",
    "TensorSpec",
    "Value",
    "Values",
    "all_of",
    "at_least",
    "cached_signature",
    "check_values",
    "columns_of",
    "convnet",
    "cost_of",
    "count",
    "crossover",
    "decoder",
    "empty_cache",
    "encode",
    "encoder",
    "encoding_columns",
    "equals",
    "factory",
    "mlp",
    "mutate",
    "neighbours",
    "nni_space",
    "one_of",
    "plain_digest",
    "require_outputs",
    "sample",
    "size",
    "timm_models",
    "transformers_models",
    "walk",
]
