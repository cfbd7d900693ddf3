"""``imbllm bench readme``: the measured figures of README.md, written from the result files of the benchmarks.

A block of the page stands between ``<!-- from bench/results: NAME -->`` and ``<!-- end -->``; :mod:`.document` finds
and fills it, :mod:`.blocks` knows the function of each name, and :mod:`.result` reads ``NAME.csv`` and ``NAME.md``.
"""
