"""What all named parts share: parameters that are declared and checked, configurations, and who provides a part.

A part is an activation, a loss, an optimizer, a layer, an initializer, a regularizer, a constraint, a schedule, a
metric or a callback. The base classes may use the errors, and nothing else of the package: the
registry of each kind is put into its base.
"""
