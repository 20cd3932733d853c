"""Ways to run Decklog."""
