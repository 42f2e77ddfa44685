"""How fast crossx is, beside a bare loop, the published way to run teachers, and the ceiling of the machine at hand."""
