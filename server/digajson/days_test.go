package digajson

import (
	"testing"
	"time"
)

func TestDays_EveryDayThatATimestampHas_IsThatOfTheCalendar(t *testing.T) {
	t.Parallel()
	last := time.Unix(maxSeconds, 0).UTC()
	for day, want := time.Unix(minSeconds, 0).UTC(), minSeconds/secondsOfDay; !day.After(last); day, want = day.AddDate(0, 0, 1), want+1 {
		if got := days(day.Year(), int(day.Month()), day.Day()); got != want {
			t.Fatalf("%v: %d, want %d", day, got, want)
		}
	}
}
