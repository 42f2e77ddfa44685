"""What a pen that was chosen without labels is worth, beside the one that labels choose."""
