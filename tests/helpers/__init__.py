"""What several tests need: small lattices, labels, models, configurations and runs."""
