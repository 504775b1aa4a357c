"""What the rooms of the game say to each other: to the engine, from the session to the screens, and back."""
