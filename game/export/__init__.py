"""File formats the application writes."""
