"""Remote models behind an OpenAI-compatible endpoint: asked politely, heard once, remembered for good."""

from teachers.endpoint.client import Client, EndpointError
from teachers.endpoint.kept import KeptAnswers
from teachers.endpoint.reading import class_logits, completion_of, read_completions
from teachers.endpoint.server import Server

__all__ = ["Client", "EndpointError", "KeptAnswers", "Server", "class_logits", "completion_of", "read_completions"]
