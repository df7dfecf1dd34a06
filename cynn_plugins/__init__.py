"""Plugins that come with CyNN. They are found by entry point, like all plugins: CyNN does not import this package."""
