"""`decklog admin …`: what an operator does where Kafka and Postgres can be reached."""
