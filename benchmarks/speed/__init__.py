"""How fast crossx is on the machine at hand, beside a bare loop, the published procedure and the machine's ceiling."""
