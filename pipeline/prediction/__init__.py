"""Files of rows -> the pushed model's probabilities, a column per output."""
