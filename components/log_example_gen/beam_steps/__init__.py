"""The steps of ingestion on Beam: files -> rows -> blocks of examples -> files. Thin, around pure functions."""
