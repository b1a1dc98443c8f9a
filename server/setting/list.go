package setting

import "strings"

// List returns the entries of a comma-separated setting, without surrounding white space.
// It returns an empty list for an empty text.
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
