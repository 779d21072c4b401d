"""Orders of spins: chirality, skyrmions, Bragg peaks, correlations, density of the electrons."""
