"""Models that others are compared with: an equivariant message passing network, its variants, Behler-Parrinello."""
