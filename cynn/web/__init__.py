"""A face: pages and widgets that show a network as it thinks, in a browser.

What enters: a network or an estimator for tables, and examples of its data. It uses the public interface of `Network`,
and the plan and the JavaScript of the face `interop`. A page is one file that asks for nothing from elsewhere; the
scripts of pages and widgets are in `static`.
"""
