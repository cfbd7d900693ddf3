"""Rows as sentences: clauses, their orders, their tokens and the automata of legal values."""

from __future__ import annotations

from imbllm_autogluon.sentences.automata import Automaton, column_values, decimal_numbers, one_of, union
from imbllm_autogluon.sentences.automaton import END
from imbllm_autogluon.sentences.automaton_tables import AutomatonTables
from imbllm_autogluon.sentences.clauses import ClauseWriter
from imbllm_autogluon.sentences.encoding import PADDING, Clauses, SentenceEncoding, Sentences
from imbllm_autogluon.sentences.free_texts import TextColumn
from imbllm_autogluon.sentences.orders import Order, draw_orders
from imbllm_autogluon.sentences.text_vocabulary import TextVocabulary
from imbllm_autogluon.sentences.texts import Tokenizer
from imbllm_autogluon.sentences.vocabulary import SchemaVocabulary

__all__ = [
    "END",
    "PADDING",
    "Automaton",
    "AutomatonTables",
    "ClauseWriter",
    "Clauses",
    "Order",
    "SchemaVocabulary",
    "SentenceEncoding",
    "Sentences",
    "TextColumn",
    "TextVocabulary",
    "Tokenizer",
    "column_values",
    "decimal_numbers",
    "draw_orders",
    "one_of",
    "union",
]
