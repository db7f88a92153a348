"""Files of every format, read and written without knowing what their content means."""
