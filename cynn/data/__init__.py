"""What a user hands over: rows, targets, weights of rows, images; validated, and converted where that is needed.

It may use the engine's matrix of rows and the parts; it knows no training and no files of models.
"""
