"""What the services need of the world, as protocols: streams, stores, clusters, mirrors and clocks. No code, no I/O."""
