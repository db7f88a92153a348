"""Commands about runs and published tables; entry points register them with ``alignbench``."""
