"""Methods of `Network` that a face provides. A face connects CyNN to other programs, such as the export to C.

What enters: the name of a method, and the module and name of its function, which is imported when the method is called.
So `Network` imports no face, and a face may use the public interface of `Network`.
"""
