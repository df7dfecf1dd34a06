"""Validates and converts user input: rows, targets, row weights, images.

It may use the engine's row matrix and the parts. It does not depend on training or on model files.
"""
