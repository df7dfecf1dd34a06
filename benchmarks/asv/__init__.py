"""Benchmarks for asv, so that a regression shows: ``asv --config benchmarks/asv.conf.json run``."""
