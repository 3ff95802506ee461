"""Pages: templates, two languages, forms, static files and event streams for every room; docs/pages.md says how."""
