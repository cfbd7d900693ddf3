"""Stored results: what the same settings and seeds led to when they were last looked at.

``make golden`` stores again what the code does now. That is right only where results are meant to change, and then the
reason goes into CHANGELOG.md in the same commit: users with a seed get other rows. A change that only moves, renames or
speeds up code leaves ``golden.json`` as it is.
"""
