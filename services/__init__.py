"""The three services. They import the kernel, never one another: they meet only in events."""
