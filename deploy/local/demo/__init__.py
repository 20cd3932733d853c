"""The demo: two repositories with two applications, as Git templates."""
