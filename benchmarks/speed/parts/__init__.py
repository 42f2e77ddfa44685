"""What is measured, one file each: `measure(effort)` returns rows."""
