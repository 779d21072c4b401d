"""The smallest error that the halo of a model's field allows, by halo and ensemble of states."""
