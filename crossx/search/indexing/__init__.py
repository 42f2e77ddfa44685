"""From a folder of photos to a gallery: scan, decode, embed, add; what is committed is never done again."""
