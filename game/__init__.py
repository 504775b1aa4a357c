"""The application: commands, visits, files, and (in `view` and `app`) the engine."""
