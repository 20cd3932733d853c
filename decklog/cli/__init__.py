"""The command line `decklog`: a thin shell over the client.

`main` assembles it and turns failures into exit codes (`exits`); `commands` ask, `views` arrange what came back,
`screen` and `report` write. `moments`, `documents` and `sheet` are pure.
"""
