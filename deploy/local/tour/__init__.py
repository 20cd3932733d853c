"""The tour: plays the whole story on a running stack, with the shipped commands, and fails where a step does not hold.

`story` tells it step by step; `stage` runs the commands and shows them; `witness` asks what the record says;
`workshop` is a clone of the demo's repository to commit in. What the tour changes it changes back.
"""
