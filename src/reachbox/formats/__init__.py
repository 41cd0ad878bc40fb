"""Files that other programs read or write: results as JSON, VNN-LIB specifications."""
