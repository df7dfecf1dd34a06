"""Validates and converts user input: rows, targets, weights of rows, images.

It may use the engine's matrix of rows and the parts; it knows no training and no files of models.
"""
