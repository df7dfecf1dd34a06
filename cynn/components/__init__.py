"""The base of all named parts: declared and checked parameters, configurations, and the package that provides a part.

A part is an activation, a loss, an optimizer, a solver, a layer, an initializer, a regularizer, a constraint, a
schedule, a metric or a callback. The base classes may use only `cynn.errors`. Each registry sets itself as an attribute
of the base class of its kind.
"""
