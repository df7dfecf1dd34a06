"""Methods of `Network` that belong to a face: what other worlds plug into.

What enters is the name of a method, and where its function is. The function is found when the method is called: so a
network knows no face, and a face may use the public interface of networks.
"""
