"""Files: models, checkpoints, the tensors in them, and who provided the parts of a network.

What a file holds is checked against a schema before any of it is used. It may use the model and all
below it; it knows no training.
"""
