"""Many networks at once: `fit_many`, `cross_validate`, `search` and `Ensemble`.

What enters: networks, or a function that builds them, and the data that they share.
It uses the network, its training and checkpoints, and `distributed` if an executor is given.
"""

from __future__ import annotations

from cynn.many.cross_validation import CrossValidation, cross_validate
from cynn.many.each import Each, each
from cynn.many.ensemble import Ensemble
from cynn.many.fleet import fit_many
from cynn.many.result import FleetResult
from cynn.many.space import log_uniform, uniform, whole_numbers
from cynn.many.successive_halving import SearchResult, search

__all__ = [
    "CrossValidation",
    "Each",
    "Ensemble",
    "FleetResult",
    "SearchResult",
    "cross_validate",
    "each",
    "fit_many",
    "log_uniform",
    "search",
    "uniform",
    "whole_numbers",
]
