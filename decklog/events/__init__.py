"""The wire contract, generated from `proto/` (see `make proto`): never edited by hand."""
