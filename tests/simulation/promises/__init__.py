"""One pure checker per promise of DESIGN section 2: a history in, violations out. None looks at a service's insides."""
