"""What a terminal and a notebook show of networks and histories.

It reads them by what is public, and changes nothing.
"""
