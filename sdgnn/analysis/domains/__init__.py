"""Domains: clusters, lengths, growth laws, scaling, walls and memory."""
