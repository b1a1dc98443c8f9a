//go:build !linux

package systemd

import (
	"os"
	"time"
)

func monotonic() time.Duration { return 0 }

func listens(*os.File) bool { return false }
