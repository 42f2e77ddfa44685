"""Galleries: embedded photos that outlive a crash, and the one protocol through which the search knows them."""
