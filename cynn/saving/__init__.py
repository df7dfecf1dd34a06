"""Files: models, checkpoints, the tensors in them, and who provided the parts of a network.

Nothing of what a file holds is trusted before it has been checked against a schema. It may use the model and all
below it; it knows no training.
"""
