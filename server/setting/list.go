package setting

import "strings"

// List returns the entries of a setting that is a list separated by commas, without
// the white space around them. An empty text is an empty list.
func List(text string) []string {
	if text == "" {
		return nil
	}
	entries := strings.Split(text, ",")
	for i := range entries {
		entries[i] = strings.TrimSpace(entries[i])
	}
	return entries
}
