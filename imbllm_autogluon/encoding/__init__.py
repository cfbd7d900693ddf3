"""Rows as sentences: clauses, their orders, their tokens and the automata of legal values."""

from __future__ import annotations

from imbllm_autogluon.encoding.automata import END, Automaton, AutomatonTables
from imbllm_autogluon.encoding.orders import Order, draw_orders
from imbllm_autogluon.encoding.sentences import PADDING, Clauses, SentenceEncoding, Sentences
from imbllm_autogluon.encoding.text import TextColumn, Tokenizer
from imbllm_autogluon.encoding.vocabulary import PromptVocabulary, SchemaVocabulary, TextVocabulary
from imbllm_autogluon.tables.texts import KnownTexts

__all__ = [
    "END",
    "PADDING",
    "Automaton",
    "AutomatonTables",
    "Clauses",
    "KnownTexts",
    "Order",
    "PromptVocabulary",
    "SchemaVocabulary",
    "SentenceEncoding",
    "Sentences",
    "TextColumn",
    "TextVocabulary",
    "Tokenizer",
    "draw_orders",
]
