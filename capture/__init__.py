"""Everything that observes: frame sources, person landmarks and masks."""
