"""A sketch search over one's own photos; nothing in it imports Lightning, and gallery and server import no torch."""
