"""Plugins of CyNN's own, found by entry point as anybody's are: CyNN never imports this package."""
