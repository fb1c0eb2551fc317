"""Files -> blocks of rows: streamed, columnar, and not stopped by a bad line. A format is a file and a line."""
