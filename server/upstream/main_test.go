package upstream

import (
	"io"
	"log"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // net/http reports unsolicited bytes there
	goleak.VerifyTestMain(m)
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
