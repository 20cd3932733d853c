"""The offline verifier: a published log against nothing but its public keys.

It needs no database and none of the services. `source` reads a folder or a URL, `tree` finds the hashes that the signed
root vouches for, `entries` holds the entries against them, `history` the checkpoints that were signed before; `log`
puts them together. Everything is read once, in order and in bounded memory; whatever is wrong becomes a `finding`.
`payloads` holds what leaves commit to against them, `orders` asks whether erasures and rotations were ordered,
`completeness` whether any leaf is missing, `repository` compares with a clone. `copy` makes a folder of a served log,
`proving` proofs of a single leaf or checkpoint, `evidence` one file of many, which `evidence_check` verifies: the zip's
files by `evidence_zip`, the part of the log by `evidence_stretch`.
"""
