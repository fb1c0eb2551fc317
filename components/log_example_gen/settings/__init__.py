"""What a user says about the logs: strict and frozen classes that import nothing but pydantic."""
