package placement

// Cut bounds a text to a number of bytes, as those of a Record are, between two characters and with an ellipsis.
func Cut(text string, limit int) string { return cut(text, limit) }
