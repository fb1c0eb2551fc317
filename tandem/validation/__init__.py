"""What a user wrote against the settings classes: all that is wrong with it, in plain words and with its place."""
