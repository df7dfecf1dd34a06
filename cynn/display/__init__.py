"""Shows networks and histories in a terminal or a notebook.

It uses the public interface of networks and histories, and changes nothing.
"""
