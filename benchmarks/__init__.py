"""What can be measured again, each with one command."""
