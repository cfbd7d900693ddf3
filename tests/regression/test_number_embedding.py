"""Periodic embeddings: their size, their waves, each column on its own."""

from __future__ import annotations

import math

import torch

from imbllm_autogluon.regression.encoder import FREQUENCIES, UNITS, PeriodicEmbedding


def test_each_number_becomes_units_and_itself() -> None:
    embedding = PeriodicEmbedding(3)
    numbers = torch.randn(5, 3)
    embedded = embedding(numbers)
    assert embedded.shape == (5, embedding.size) == (5, 3 * (UNITS + 1))
    assert torch.equal(embedded[:, -3:], numbers)


def test_the_units_are_those_of_sines_and_cosines() -> None:
    embedding = PeriodicEmbedding(1)
    angles = 2 * math.pi * 0.7 * embedding.frequencies[0]
    expected = torch.relu(embedding.shared(torch.cat([angles.sin(), angles.cos()])))
    assert embedding.frequencies.shape == (1, FREQUENCIES)
    assert torch.allclose(embedding(torch.tensor([[0.7]]))[0, :UNITS], expected, atol=1e-6)


def test_a_column_does_not_change_the_units_of_another() -> None:
    embedding = PeriodicEmbedding(2)
    one, other = embedding(torch.tensor([[0.3, 1.0]])), embedding(torch.tensor([[0.3, -2.0]]))
    assert torch.equal(one[:, :UNITS], other[:, :UNITS])
    assert not torch.equal(one[:, UNITS : 2 * UNITS], other[:, UNITS : 2 * UNITS])
