"""How networks and histories show themselves, in a terminal and in a notebook.

It reads them by what is public, and changes nothing.
"""
