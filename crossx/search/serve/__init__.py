"""The server and its page: draw, and see photos of a gallery; nothing in it imports torch or Lightning."""
