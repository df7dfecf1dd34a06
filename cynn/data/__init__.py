"""Validates and converts user input: rows, targets, weights of rows, images.

It may use the engine's matrix of rows and the parts. It does not depend on training or on model files.
"""
