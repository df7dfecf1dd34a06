"""Networks from other libraries, and for other programs: a face.

What enters is a network, or a model of another library. It uses the public interface of networks, and other libraries
only in the functions that need them. What a network computes becomes a plan, which a printer for each language reads.
"""
