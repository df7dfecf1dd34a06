"""Derivatives of a network, for those who put it inside something larger.

`Network` has them as methods. They run in the engine: `cynn/engine/derivatives.pyx` for those by the inputs in
prediction mode, `cynn/engine/directional.pyx` for directional ones, `cynn/engine/hessians.pyx` for second ones, a step
of `cynn/engine/trainer.pyx` without an optimizer for all others.
"""
