"""xinyidai (信易贷): a financing platform for small firms. Start reading at docs/architecture.md, then app.py."""

__version__ = "0.1.0"
