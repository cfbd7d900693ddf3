"""Rows as sentences: clauses, their orders, their tokens and the automata of legal values."""

from __future__ import annotations

from imbllm_autogluon.sentences.automata import END, Automaton, AutomatonTables
from imbllm_autogluon.sentences.encoding import PADDING, Clauses, SentenceEncoding, Sentences
from imbllm_autogluon.sentences.orders import Order, draw_orders
from imbllm_autogluon.sentences.text import TextColumn, Tokenizer
from imbllm_autogluon.sentences.vocabulary import SchemaVocabulary, TextVocabulary

__all__ = [
    "END",
    "PADDING",
    "Automaton",
    "AutomatonTables",
    "Clauses",
    "Order",
    "SchemaVocabulary",
    "SentenceEncoding",
    "Sentences",
    "TextColumn",
    "TextVocabulary",
    "Tokenizer",
    "draw_orders",
]
