"""The tables' rows, a file each table."""
