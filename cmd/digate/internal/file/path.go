package file

import (
	"os"
	"path/filepath"
)

// Same reports whether two paths lead to one existing file.
func Same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// SamePath reports whether two paths lead to one file, which need not exist yet.
func SamePath(a, b string) bool {
	x, err := filepath.Abs(a)
	if err != nil {
		return false
	}
	y, err := filepath.Abs(b)
	return err == nil && x == y || Same(a, b)
}

// Exists reports whether a path leads to anything.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// IsDirectory reports whether a path leads to a directory.
func IsDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// IsRegular reports whether a path leads to a regular file, which can be read
// more than once.
func IsRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
