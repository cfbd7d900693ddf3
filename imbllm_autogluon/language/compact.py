"""The compact backbones, trained on the fold: a small GPT-2 (Radford et al., 2019) with ReLU, and a masked counterpart.

GPT-2 is written out here, under the names that transformers gives its weights: at this size most of the time of
transformers' own forward goes into everything around the matrix products, and importing it takes seconds and 100 MiB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from imbllm_autogluon.language.pretrained import quiet_transformers

if TYPE_CHECKING:
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel

_HEAD_WIDTH = 16
_FEW_PLACES = 3  # so many are read one by one: products of small matrices take longer than sums of products
_INITIAL_DEVIATION = 0.02  # of the first weights; those that add to what comes in: divided by the root of their number

_NEIGHBORHOOD = 4
"""Tokens that the first masked block sees around each place: a mask finds the column name next to it at once. Without
such a block the model stayed at its columns' marginals."""


def build_compact(n_tokens: int, longest_sentence: int, config: LanguageConfig) -> LanguageModel:
    """A causal or masked model, as configured, with random weights drawn from torch's global generator.

    ReLU instead of GELU: 1.3 to 1.6 times as many training steps per second on 1 or 2 CPU cores. No dropout: a
    fold's few hundred steps do not over-fit the whole fold, and copies of real rows are removed after generation.
    """
    if config.backbone == "compact_masked":
        return _build_masked(n_tokens, longest_sentence, config)
    return CompactModel(_CompactShape(n_tokens, longest_sentence, config.width, config.layers, not config.pretrained))


def _build_masked(n_tokens: int, longest_sentence: int, config: LanguageConfig) -> LanguageModel:
    """A ModernBERT whose first block is local; it has one id more than there are tokens, the last, for the mask."""
    from transformers import ModernBertConfig, ModernBertForMaskedLM

    architecture = ModernBertConfig(
        vocab_size=n_tokens + 1,
        max_position_embeddings=longest_sentence,
        hidden_size=config.width,
        intermediate_size=2 * config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.width // _HEAD_WIDTH,
        hidden_activation="relu",
        layer_types=["sliding_attention", *["full_attention"] * (config.layers - 1)],
        local_attention=_NEIGHBORHOOD,
        initializer_range=0.1,
        embedding_dropout=0.0,
        attention_dropout=0.0,
        mlp_dropout=0.0,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
        cls_token_id=None,
        sep_token_id=None,
        tie_word_embeddings=True,
    )
    return ModernBertForMaskedLM(architecture)


@dataclass(frozen=True)
class _CompactShape:
    """Sizes of a compact backbone, under the names of transformers' GPT-2."""

    vocab_size: int
    n_positions: int
    n_embd: int
    n_layer: int
    tied: bool = True  # whether the output layer is that of the input embeddings

    @property
    def n_head(self) -> int:
        return self.n_embd // _HEAD_WIDTH


class CompactModel(torch.nn.Module):
    """Embeddings, blocks and an output layer; what this package asks of a transformers causal LM."""

    def __init__(self, shape: _CompactShape) -> None:
        super().__init__()
        self.config = shape
        self.transformer = _Blocks(shape)
        self.lm_head: Any = torch.nn.Linear(shape.n_embd, shape.vocab_size, bias=False)
        if shape.tied:
            self.lm_head.weight = self.transformer.wte.weight
        else:
            torch.nn.init.normal_(self.lm_head.weight, std=_INITIAL_DEVIATION)

    @property
    def base_model(self) -> _Blocks:
        """The model without its output layer."""
        return self.transformer

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.transformer.wpe.weight.device

    def get_input_embeddings(self) -> Any:
        """Layer of the tokens' embeddings."""
        return self.transformer.wte

    def get_output_embeddings(self) -> Any:
        """The output layer, with a weight and a bias."""
        return self.lm_head

    def new_cache(self) -> _CompactCache:
        """A cache for writing, with nothing in it."""
        return _CompactCache(self.config)

    def forward(
        self, input_ids: torch.Tensor | None = None, inputs_embeds: torch.Tensor | None = None
    ) -> SimpleNamespace:
        """Logits of what comes behind each token, attribute ``logits`` of shape (n, length, n_tokens)."""
        states = self.transformer(input_ids, inputs_embeds).last_hidden_state
        return SimpleNamespace(logits=self.lm_head(states))

    def to_transformers(self) -> LanguageModel:
        """The same model as a ``GPT2LMHeadModel`` of transformers, for what reads its attention or stores it."""
        from transformers import GPT2Config, GPT2LMHeadModel

        shape: dict[str, Any] = {**vars(self.config), "n_head": self.config.n_head, "activation_function": "relu"}
        tied = shape.pop("tied")
        shape |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        shape |= {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
        with quiet_transformers():
            model: LanguageModel = GPT2LMHeadModel(GPT2Config(**shape, tie_word_embeddings=tied))
        model.load_state_dict(self.state_dict())
        return model.to(self.lm_head.weight.device).eval()


class _CompactCache:
    """Keys and values of the places read so far, in memory that is laid out once for the longest sentence."""

    def __init__(self, shape: _CompactShape) -> None:
        self._shape = shape
        self._held = torch.empty(0)
        self.length = 0

    def extend(self, layer: int, added: torch.Tensor) -> torch.Tensor:
        """Note a block's keys and values of new places, shape (2, length, n, heads, width of a head); returns all."""
        if not self._held.numel():
            self._held = self._room(added.shape[2], added)
        stop = self.length + added.shape[1]
        self._held[layer, :, self.length : stop] = added
        return self._held[layer, :, :stop]

    def batch_repeat_interleave(self, n_rows: int) -> None:
        """Give each of `n_rows` rows a copy of the only row."""
        one, self._held = self._held, self._room(n_rows, self._held)
        self._held[:, :, : self.length] = one[:, :, : self.length]

    def crop(self, length: int) -> None:
        """Forget the last places: `length` is their number, negative."""
        self.length += length

    def _room(self, n_rows: int, like: torch.Tensor) -> torch.Tensor:
        shape = self._shape
        return like.new_empty((shape.n_layer, 2, shape.n_positions, n_rows, shape.n_head, _HEAD_WIDTH))


class _Blocks(torch.nn.Module):
    def __init__(self, shape: _CompactShape) -> None:
        super().__init__()
        self.wte: Any = torch.nn.Embedding(shape.vocab_size, shape.n_embd)  # or one that features describe
        self.wpe = torch.nn.Embedding(shape.n_positions, shape.n_embd)
        self.h = torch.nn.ModuleList([_Block(shape) for _ in range(shape.n_layer)])
        self.ln_f = torch.nn.LayerNorm(shape.n_embd)
        # In the order in which transformers draws, so that a seed gives the weights that it gave with transformers.
        for embedding in (self.wte, self.wpe):
            torch.nn.init.normal_(embedding.weight, std=_INITIAL_DEVIATION)
        for block in self.h:
            assert isinstance(block, _Block)
            block.draw_weights(1 / math.sqrt(2 * shape.n_layer))

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        cache: _CompactCache | None = None,
        *,
        use_cache: bool = False,
    ) -> SimpleNamespace:
        """Hidden states of n rows, whose tokens or embeddings are given; the names are transformers'.

        `attention_mask` are the places that a row uses, those in the cache included, shape (n, all places); it is read
        only together with a cache: padding behind the end of a row is never seen from before. Without `position_ids`,
        shape (n, length), positions are the same in all rows. `use_cache` is not needed: the cache says it.
        """
        del use_cache
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.wte(input_ids)
        start, length = 0 if cache is None else cache.length, inputs_embeds.shape[1]
        if position_ids is None and start + length > len(self.wpe.weight):
            raise IndexError(f"{start + length} tokens are more than the {len(self.wpe.weight)} of the model.")
        places = self.wpe.weight[start : start + length] if position_ids is None else self.wpe(position_ids)
        # Places first: those of one row lie far apart, but a place of all rows is one block, as the cache is.
        x = (inputs_embeds + places).transpose(0, 1)
        seen = None if cache is None else _visible(attention_mask, start, length, x.device)
        for number, block in enumerate(self.h):
            x = block(x, number, cache, seen)
        if cache is not None:
            cache.length += length
        return SimpleNamespace(last_hidden_state=self.ln_f(x).transpose(0, 1))


class _Block(torch.nn.Module):
    def __init__(self, shape: _CompactShape) -> None:
        super().__init__()
        width = shape.n_embd
        self.ln_1 = torch.nn.LayerNorm(width)
        self.attn = torch.nn.ModuleDict({"c_attn": _Linear(width, 3 * width), "c_proj": _Linear(width, width)})
        self.ln_2 = torch.nn.LayerNorm(width)
        self.mlp = torch.nn.ModuleDict({"c_fc": _Linear(width, 4 * width), "c_proj": _Linear(4 * width, width)})

    def draw_weights(self, shrink: float) -> None:
        """First weights; `shrink` is the factor of those that add to what comes in."""
        for part in (self.attn, self.mlp):
            inner, outer = (linear for linear in part.values() if isinstance(linear, _Linear))
            for linear, deviation in ((inner, 1.0), (outer, 1.0), (outer, shrink)):
                torch.nn.init.normal_(linear.weight, std=_INITIAL_DEVIATION * deviation)

    def forward(
        self, x: torch.Tensor, number: int, cache: _CompactCache | None, seen: torch.Tensor | None
    ) -> torch.Tensor:
        """States of shape (length, n, width) from such states; `seen` as :func:`_visible` tells it."""
        length, n_rows, width = x.shape
        mixed = self.attn["c_attn"](self.ln_1(x)).view(length, n_rows, 3, width // _HEAD_WIDTH, _HEAD_WIDTH)
        queries, added = mixed[:, :, 0], mixed[:, :, 1:].permute(2, 0, 1, 3, 4)
        keys, values = added if cache is None else cache.extend(number, added)
        if cache is not None and length <= _FEW_PLACES:
            attended = _attend_each(queries, keys, values, seen)
        else:
            attended = _attend(queries, keys, values, seen)
        x = x + self.attn["c_proj"](attended.reshape(length, n_rows, width))
        return x + self.mlp["c_proj"](functional.relu(self.mlp["c_fc"](self.ln_2(x))))  # type: ignore[no-any-return]


class _Linear(torch.nn.Module):
    """A linear layer whose weight has the shape (inputs, outputs), as GPT-2 keeps it."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(n_in, n_out).normal_(std=_INITIAL_DEVIATION))
        self.bias = torch.nn.Parameter(torch.zeros(n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight).view(*x.shape[:-1], -1)


def _visible(mask: torch.Tensor | None, start: int, length: int, device: torch.device) -> torch.Tensor | None:
    """Which places, those of the cache included, each new place sees, shape (n or 1, length, start + length).

    None: all of them, or with an empty cache all up to itself. An unused place sees itself, so that it has a sum to
    divide by; no other sees it.
    """
    if mask is None and (length == 1 or start == 0):
        return None
    causal = torch.ones((length, start + length), dtype=torch.bool, device=device).tril(start)[None]
    if mask is None:
        return causal
    itself = torch.eye(start + length, dtype=torch.bool, device=device)[start:]
    return causal & (mask.bool()[:, None, :] | itself)


def _attend_each(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, seen: torch.Tensor | None
) -> torch.Tensor:
    """Attention of each place, elementwise: products of matrices of one row each are 2 to 3 times slower on CPUs."""
    attended = []
    for place, query in enumerate(queries):
        stop = len(keys) - len(queries) + place + 1
        scores = (keys[:stop] * query).sum(dim=-1).mul_(_HEAD_WIDTH**-0.5)
        if seen is not None:
            scores.masked_fill_(~seen[:, place, :stop].t()[:, :, None], -torch.inf)
        attended.append((values[:stop] * scores.softmax(dim=0)[..., None]).sum(dim=0))
    return torch.stack(attended)


def _attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
    """Attention of several places, shape (length, n, heads, width of a head); causal where `seen` is None."""
    q, k, v = (part.permute(1, 2, 0, 3) for part in (queries, keys, values))
    mask = None if seen is None else seen[:, None]
    attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
    return attended.permute(2, 0, 1, 3)
