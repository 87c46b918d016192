"""Models of transformers with a handful of parameters, made on the spot and saved as the library saves them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

WORDS = ("cat", "dog", "sat", "ran", "on", "a", "mat", "far", "away", "home")
TEXTS = ["cat sat on a mat", "dog", "a dog ran far away", "cat ran home", "on a mat a cat sat", "home", "far away home"]


def tokenizer(words: Sequence[str] = WORDS, *, padding: bool = True) -> Any:
    """Make a tokenizer of words; without padding it has one special token alone, as those of language models do."""
    special = ["<pad>", "<end>", "<unk>"] if padding else ["<end>", "<unk>"]
    model = tokenizers.models.WordLevel({word: k for k, word in enumerate([*special, *words])}, unk_token="<unk>")
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    named = {"pad_token": "<pad>"} if padding else {}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<end>", unk_token="<unk>", model_max_length=16, **named
    )


def save(folder: Path, model: Any, *, words: Sequence[str] = WORDS, padding: bool = True) -> Path:
    model.save_pretrained(folder)
    tokenizer(words, padding=padding).save_pretrained(folder)
    return folder


def bert(*, seed: int = 1, names: Sequence[str] = ("no", "yes", "maybe"), head: bool = True) -> Any:
    config = transformers.BertConfig(
        vocab_size=len(WORDS) + 3,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        pad_token_id=0,
        initializer_range=0.5,
        id2label=dict(enumerate(names)),
    )
    torch.manual_seed(seed)
    return (transformers.BertForSequenceClassification if head else transformers.BertModel)(config)


def distilbert(*, seed: int = 1, names: Sequence[str] = ("no", "yes", "maybe")) -> Any:
    config = transformers.DistilBertConfig(
        vocab_size=len(WORDS) + 3,
        dim=8,
        n_layers=1,
        n_heads=2,
        hidden_dim=16,
        max_position_embeddings=16,
        pad_token_id=0,
        initializer_range=0.5,
        id2label=dict(enumerate(names)),
    )
    torch.manual_seed(seed)
    return transformers.DistilBertForSequenceClassification(config)


def _gpt2(**more: Any) -> Any:
    return transformers.GPT2Config(
        n_embd=8,
        n_layer=2,
        n_head=2,
        initializer_range=0.5,
        **{"vocab_size": len(WORDS) + 3, "bos_token_id": 1, "eos_token_id": 1, "n_positions": 16, **more},
    )


def gpt2(*, seed: int = 1, num_words: int = len(WORDS), special: int = 3) -> Any:
    torch.manual_seed(seed)
    return transformers.GPT2LMHeadModel(_gpt2(vocab_size=num_words + special))


def gpt2_classifier(*, seed: int = 1, names: Sequence[str] = ("no", "yes", "maybe"), special: int = 3) -> Any:
    torch.manual_seed(seed)
    config = _gpt2(vocab_size=len(WORDS) + special, id2label=dict(enumerate(names)))
    return transformers.GPT2ForSequenceClassification(config)


def vit(*, seed: int = 1, names: Sequence[str] = ("no", "yes", "maybe")) -> Any:
    config = transformers.ViTConfig(
        image_size=8,
        patch_size=4,
        num_channels=3,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.5,
        id2label=dict(enumerate(names)),
    )
    torch.manual_seed(seed)
    return transformers.ViTForImageClassification(config)


def byte_tokenizer(texts: Sequence[str] = TEXTS, *, size: int = 300) -> Any:
    """Make a tokenizer like that of GPT-2: bytes, joined in pairs; its last token ends a text, and none is for padding.

    Token 0 is a byte that texts hold.
    """
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(texts, trainer)
    backend.add_special_tokens(["<|endoftext|>"])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        model_max_length=64,
    )


def byte_gpt2(folder: Path, texts: Sequence[str] = TEXTS, *, seed: int = 1, size: int = 300) -> Path:
    """Save a causal language model with a tokenizer of bytes."""
    own = byte_tokenizer(texts, size=size)
    end = own.eos_token_id
    torch.manual_seed(seed)
    config = _gpt2(vocab_size=len(own), bos_token_id=end, eos_token_id=end, n_positions=64)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    own.save_pretrained(folder)
    return folder
