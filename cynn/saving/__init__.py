"""Files: models, checkpoints, their tensors, and the packages that provided the parts of a network.

The content of a file is checked against a schema before any of it is used. Files may use the model and all modules
below it. They do not depend on training.
"""
