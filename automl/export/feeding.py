"""How to feed an exported student without this program: as a record for programs, and as Python to copy."""

from collections.abc import Mapping
from typing import Any

PREPROCESSING_FILE = "preprocessing.json"

_LAYOUTS = {"image": "NCHW", "vector": "ND", "tokens": "NT"}
_COLOURS = {1: ("L", "grey"), 3: ("RGB", "red, green, blue"), 4: ("RGBA", "red, green, blue, alpha")}


def preprocessing(description: Mapping[str, Any]) -> dict[str, object]:
    """Say what the graph takes in and gives out, and what it does by itself.

    Args:
        description: As ``student.json`` holds it.

    Returns:
        Plain data that JSON can write.
    """
    (tensor,) = description["inputs"]
    record: dict[str, object] = {
        "input": tensor["name"],
        "shape": ["N", *tensor["shape"]],
        "dtype": tensor["dtype"],
        "layout": _LAYOUTS.get(tensor["kind"], "N..."),
    }
    if (names := description.get("feature_names")) is not None:
        record["feature_names"] = names
    if (reading := description.get("tokenizer")) is not None:
        record["tokenizer"] = {
            **reading,
            "vocabulary_size": description["vocabulary_size"],
            "note": "cut a text into tokens by the file, keep the first ones up to the length, and fill the shorter "
            "rows of a batch up at their end with the padding",
        }
    if past := description.get("past"):
        record["past"] = {
            "inputs": [{**each, "shape": ["N", *each["shape"]]} for each in past],
            "note": "keys and values of the tokens before, of which there may be none; the outputs after the first are "
            "those of all tokens, in the same order, so that the next call needs the next token alone",
        }
    if tensor["kind"] == "image":
        channels, height, width = tensor["shape"]
        record["channels"] = _COLOURS.get(channels, ("", f"{channels} channels"))[1]
        record["resize"] = {"height": height, "width": width, "interpolation": "bilinear"}
    normalisation = description["normalisation"]
    if normalisation is not None:
        low, high = normalisation["value_range"]
        record["value_range"] = [low, high]
        record["value_range_means"] = (
            "black and white of an image file; scale 0..255 to it" if tensor["kind"] == "image" else "as in training"
        )
    record["normalisation"] = {
        "in_graph": normalisation is not None,
        "note": "give raw values; the graph subtracts the mean and divides by the deviation itself"
        if normalisation is not None
        else "the graph takes its inputs as they are",
    }
    (output, *_) = description["outputs"]
    record["output"] = {
        "name": output["name"],
        "shape": ["N", *output["shape"]],
        "meaning": "logits, one a class in the order of class_names; a softmax gives probabilities"
        if description["class_names"]
        else "logits of the token after each, one a token of the vocabulary; a softmax gives probabilities",
        "class_names": description["class_names"],
    }
    return record


def takes_in_words(description: Mapping[str, Any]) -> str:
    """Say what a student takes in."""
    (tensor,) = description["inputs"]
    if (reading := description.get("tokenizer")) is not None:
        return (
            f"texts, cut by `{reading['file']}` into at most {reading['length']} of {description['vocabulary_size']} "
            f"tokens, whose ids ({tensor['dtype']}) go in"
        )
    shape = " × ".join("any" if size is None else str(size) for size in tensor["shape"])
    return f"{tensor['kind']} inputs of {shape} ({tensor['dtype']}){order_in_words(description)}"


def inputs_in_words(description: Mapping[str, Any]) -> str:
    """Say what files ``automl predict`` reads for a student."""
    if "tokenizer" in description:
        return ".txt with a text a line, or a column of .csv, .tsv or .jsonl"
    return "an image, a folder of images, .npy, .npz or .csv"


def order_in_words(description: Mapping[str, Any]) -> str:
    """Say in which order the values of a vector stand; nothing where the data named none, and of texts."""
    names = () if "tokenizer" in description else description.get("feature_names") or ()
    return f", in this order: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}" if names else ""


def python_example(description: Mapping[str, Any], file_name: str) -> str:
    """Write a few lines of Python that run the student with numpy and ONNX Runtime, and tokenizers for texts, alone.

    Args:
        description: As ``student.json`` holds it.
        file_name: Of the graph.
    """
    (tensor,) = description["inputs"]
    is_image = tensor["kind"] == "image" and tensor["shape"][0] in _COLOURS
    reads = "tokenizer" in description
    feeds = "feeds" if description.get("past") else f'{{"{tensor["name"]}": batch}}'
    lines = [
        f"import json, numpy as np, onnxruntime{', tokenizers' if reads else ''}",
        *(["from PIL import Image, ImageOps"] if is_image else []),
        f'session = onnxruntime.InferenceSession("{file_name}")',
        *(_names() if description["class_names"] else []),
        *(_text(description) if reads else _image(description, tensor) if is_image else _array(description, tensor)),
        *(_nothing_before(tensor["name"]) if description.get("past") else []),
        f"logits = session.run(None, {feeds})[0]",
        "print(names[int(logits[0].argmax())])"
        if description["class_names"]
        else "print(tokenizer.decode([int(logits[1, -1].argmax())]))  # What comes after the longest.",
    ]
    return "\n".join(lines)


def _names() -> list[str]:
    return [
        f'with open("{PREPROCESSING_FILE}") as file:',
        '    names = json.load(file)["output"]["class_names"]',
    ]


def _image(description: Mapping[str, Any], tensor: Mapping[str, Any]) -> list[str]:
    channels, height, width = tensor["shape"]
    low, high = (description["normalisation"] or {"value_range": (0.0, 255.0)})["value_range"]
    scaled = "pixels" if (low, high) == (0.0, 255.0) else f"pixels * {high - low:g} / 255"
    scaled += f" + {low:g}" if low else ""
    values = f"({scaled})" if tensor["dtype"] == "float32" else f"np.rint({scaled})"
    return [
        # Turned as its camera noted, as in training.
        'image = ImageOps.exif_transpose(Image.open("image.png"))',
        f'image = image.convert("{_COLOURS[channels][0]}").resize(({width}, {height}), Image.Resampling.BILINEAR)',
        # As float: a product of bytes would be taken modulo 256.
        f'pixels = np.asarray(image, dtype="float32").reshape({height}, {width}, {channels}).transpose(2, 0, 1)[None]',
        f'batch = {values}.astype("{tensor["dtype"]}")',
    ]


def _text(description: Mapping[str, Any]) -> list[str]:
    reading = description["tokenizer"]
    length, padding = reading["length"], reading["padding"]
    return [
        f'tokenizer = tokenizers.Tokenizer.from_file("{reading["file"]}")',
        "tokenizer.no_truncation()",
        f"tokenizer.enable_padding(pad_id={padding})  # rows of a batch are as long as the longest",
        'texts = ["one text", "and another, which is longer"]',
        f"rows = [encoding.ids[:{length}] for encoding in tokenizer.encode_batch(texts)]",
        f'batch = np.array(rows, dtype="int64")  # (any number, at most {length})',
    ]


def _nothing_before(name: str) -> list[str]:
    return [
        f'feeds = {{"{name}": batch}}',
        "for each in session.get_inputs()[1:]:  # Keys and values of the tokens before, of which there are none.",
        "    _, heads, _, size = each.shape",
        '    feeds[each.name] = np.zeros((len(batch), heads, 0, size), dtype="float32")',
    ]


def _array(description: Mapping[str, Any], tensor: Mapping[str, Any]) -> list[str]:
    shape = ", ".join("N" if size is None else str(size) for size in tensor["shape"])
    order = "" if description.get("feature_names") is None else ", in the order of feature_names"
    return [f'batch = np.load("rows.npy").astype("{tensor["dtype"]}")  # (any number, {shape}){order}']
