"""What makes pages and parts of the site that are not kept in the repository."""
