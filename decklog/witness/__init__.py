"""A witness: a process of somebody else's that cosigns what a log shows, and never two histories of it.

`keeping` is its folder: keys and the store of what was cosigned last; `witness` answers a request against them, with
nothing between check and set; `serving` is its HTTP address (c2sp.org/tlog-witness). It needs no database server and
none of the services, and ships in the wheel.
"""
