"""The package's version, where the build and what records results read it."""

__version__ = "0.1.0"
