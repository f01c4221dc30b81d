"""Attention over sentences that lie one after another in one row, without padding: no token sees another sentence's.

``ATTENTION`` is its name among transformers' attention functions (``model.set_attn_implementation``). A batch that says where its
sentences begin (``bounds`` of ``GozarehModel.forward``) is read sentence by sentence: on a GPU by torch's own variable-length kernel, on
the CPU by a loop, which is faster there than padding (see benchmarks). Any other batch is read as by ``sdpa``.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # torch before 2.10
    varlen_attn = None  # type: ignore[assignment]

ATTENTION = "packed"
_AMPERE = (8, 0)  # the first GPUs that the kernel runs on
_MODERNBERT = (5, 23)  # transformers; older ones have not been tried


def can_pack(device: torch.device, bf16: bool, kind: str = "bert") -> bool:
    """Whether sentences can be read without padding: on the CPU always, on a GPU where the kernel is there and in 16 bits alone.

    By a ModernBERT with the newest transformers alone: an older one's makes a mask of its own.
    """
    if kind == "modernbert" and tuple(map(int, transformers.__version__.split(".")[:2])) < _MODERNBERT:
        return False
    if device.type == "cpu":
        return True
    return device.type == "cuda" and bf16 and varlen_attn is not None and torch.cuda.get_device_capability(device) >= _AMPERE


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int = 0,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """(1, heads, tokens, width) queries, keys and values -> (1, tokens, heads, width).

    ``cu_seq_lens_q`` holds (sentences + 1,) 32-bit bounds, ``max_length_q`` the tokens of the longest. A token sees those
    that are less than ``sliding_window`` away, or all. The GPU kernel has no dropout.
    """
    if cu_seq_lens_q is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, is_causal=False, **kwargs)
    if query.is_cuda:
        q, k, v = (states[0].transpose(0, 1) for states in (query, key, value))
        window = {} if sliding_window is None else {"window_size": (sliding_window - 1, sliding_window - 1)}
        joined = varlen_attn(q, k, v, cu_seq_lens_q, cu_seq_lens_q, max_length_q, max_length_q, scale=scaling, **window)  # type: ignore[arg-type]
        assert isinstance(joined, Tensor)  # nothing else was asked for
        return joined.unsqueeze(0), None
    lengths = cu_seq_lens_q.diff().tolist()
    sentences = zip(*(torch.split(states, lengths, dim=2) for states in (query, key, value)), strict=True)
    read = [
        scaled_dot_product_attention(q, k, v, attn_mask=_near(q.shape[2], sliding_window), dropout_p=dropout, scale=scaling)
        for q, k, v in sentences
    ]
    return torch.cat(read, dim=2).transpose(1, 2), None


def _near(tokens: int, window: int | None) -> Tensor | None:
    """(tokens, tokens): which of a sentence's are near enough to see each other; None where all are."""
    if window is None or tokens <= window:
        return None
    places = torch.arange(tokens)
    return (places[:, None] - places).abs() < window


AttentionInterface.register(ATTENTION, packed_attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
