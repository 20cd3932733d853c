"""How answers look, one module per noun: the API's values become tables as values. Pure; now and the zone are given."""
