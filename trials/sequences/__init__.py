"""What teachers wrote, scored, and the best of it as rows to learn from."""

from trials.sequences.best import Completion, best_of
from trials.sequences.rows import with_completions
from trials.sequences.scoring import SCORERS, Score, find_scorer

__all__ = ["SCORERS", "Completion", "Score", "best_of", "find_scorer", "with_completions"]
