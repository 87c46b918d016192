"""A student of texts as MLflow runs it: texts in, classes out.

This file goes into the model as code, and runs where nothing of this program is installed: it needs mlflow, numpy,
pandas, onnxruntime and tokenizers. So nothing is pickled.

Shape letters: B = batch, C = classes.
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
import tokenizers

_BATCH = 256


class TextStudent(mlflow.pyfunc.PythonModel):  # type: ignore[misc] # mlflow is not read by mypy
    """Cuts texts into tokens, runs the graph, and names the most likely class."""

    def load_context(self, context: Any) -> None:  # MLflow's own record of the model's files
        """Open the student's files."""
        files = context.artifacts
        record = json.loads(Path(files["student"]).read_text(encoding="utf-8"))
        self._class_names = record["class_names"]
        self._length, padding = record["tokenizer"]["length"], record["tokenizer"]["padding"]
        self._tokenizer = tokenizers.Tokenizer.from_file(files["tokenizer"])
        self._tokenizer.no_truncation()
        self._tokenizer.enable_padding(pad_id=padding)
        self._session = onnxruntime.InferenceSession(files["graph"], providers=["CPUExecutionProvider"])
        (self._input,) = (tensor.name for tensor in self._session.get_inputs())

    def predict(self, context: Any, model_input: list[str], params: Any = None) -> pd.DataFrame:  # the same
        """Answer for texts.

        Args:
            context: Not used.
            model_input: Texts.
            params: There are none.

        Returns:
            ``label`` and its ``probability``, one row a text.
        """
        del context, params
        logits_BC = np.concatenate(
            [self._logits(model_input[at : at + _BATCH]) for at in range(0, len(model_input), _BATCH)]
        )
        exponent_BC = np.exp(logits_BC.astype(np.float64) - logits_BC.max(axis=1, keepdims=True))
        probability_BC = exponent_BC / exponent_BC.sum(axis=1, keepdims=True)
        best_B = probability_BC.argmax(axis=1)
        labels = [self._class_names[label] for label in best_B]
        return pd.DataFrame({"label": labels, "probability": probability_BC[np.arange(len(model_input)), best_B]})

    def _logits(self, texts: list[str]) -> Any:  # ONNX Runtime has no types
        rows = [encoding.ids[: self._length] for encoding in self._tokenizer.encode_batch(texts)]
        ids_BT = np.array(rows, dtype=np.int64)
        # A graph takes one position at least, and texts may all be empty.
        ids_BT = ids_BT if ids_BT.size else np.zeros((len(texts), 1), dtype=np.int64)
        return self._session.run(None, {self._input: ids_BT})[0]


mlflow.models.set_model(TextStudent())
