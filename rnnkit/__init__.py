"""rnnkit: recurrent networks from scratch on arrays."""
