"""`decklog admin …`: what an operator does for reconcile where Kafka and Postgres can be reached."""
