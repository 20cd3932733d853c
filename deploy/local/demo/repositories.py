"""Makes the demo repositories."""
