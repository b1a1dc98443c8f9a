package digajson

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// The first and the last year that RFC 3339 and google.protobuf.Timestamp support.
const minYear, maxYear = 1, 9999

const secondsOfDay = 24 * 60 * 60

// The first and the last second of these years, since 1970.
var (
	minSeconds = time.Date(minYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	maxSeconds = time.Date(maxYear+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix() - 1
)

// parseTime parses the forms of ISO 8601 that Python prints and RFC 3339 allows: T or a
// space before the time, optional minutes and seconds, a fraction of which nine digits
// count, and at the end Z, an offset or nothing, which means UTC. A leap second becomes
// the second before it, since a Timestamp has none.
func parseTime(s string) (*timestamppb.Timestamp, bool) {
	p := timeParser{s: s}
	year, month, day := p.digits(4), p.after('-', 2), p.after('-', 2)
	p.oneOf("Tt ")
	hour, minute, second, nanos := p.clock(true)
	offset := p.offset()
	leap := second == 60
	if leap {
		second = 59
	}
	if p.bad || p.s != "" || year < minYear || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return nil, false
	}
	if day > 28 && day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return nil, false // for example the 30th of February
	}
	seconds := days(year, month, day)*secondsOfDay + int64(hour*3600+minute*60+second)
	if offset != 0 {
		t := time.Unix(seconds, int64(nanos)).Add(-offset)
		seconds, nanos = t.Unix(), t.Nanosecond()
	}
	if seconds < minSeconds || seconds > maxSeconds || leap && (seconds-minSeconds)%secondsOfDay < secondsOfDay-60 {
		return nil, false
	}
	return &timestamppb.Timestamp{Seconds: seconds, Nanos: int32(nanos)}, true
}

// days returns the number of days from the 1st of January 1970 to a date.
func days(year, month, day int) int64 {
	if month <= 2 { // count years from March, so that the leap day is the last one
		year, month = year-1, month+12
	}
	return int64(365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 719469)
}

type timeParser struct {
	s   string
	bad bool
}

func (p *timeParser) digits(n int) (v int) {
	if len(p.s) < n {
		p.bad = true
		return 0
	}
	for i := range n {
		c := p.s[i]
		if c < '0' || c > '9' {
			p.bad = true
			return 0
		}
		v = v*10 + int(c-'0')
	}
	p.s = p.s[n:]
	return v
}

func (p *timeParser) after(sep byte, n int) int {
	if p.s == "" || p.s[0] != sep {
		p.bad = true
		return 0
	}
	p.s = p.s[1:]
	return p.digits(n)
}

func (p *timeParser) oneOf(set string) {
	for i := range len(set) {
		if p.s != "" && p.s[0] == set[i] {
			p.s = p.s[1:]
			return
		}
	}
	p.bad = true
}

// clock parses hours and optional minutes, seconds and a fraction. If extended is false,
// the minutes may follow without a colon.
func (p *timeParser) clock(extended bool) (hour, minute, second, nanos int) {
	hour = p.digits(2)
	switch {
	case p.next(':'):
		minute = p.after(':', 2)
	case !extended && p.s != "":
		return hour, p.digits(2), 0, 0
	default:
		return hour, 0, 0, 0
	}
	if p.next(':') {
		second = p.after(':', 2)
		nanos = p.fraction()
	}
	return hour, minute, second, nanos
}

func (p *timeParser) next(c byte) bool { return p.s != "" && p.s[0] == c }

// fraction parses nanoseconds. It drops further digits.
func (p *timeParser) fraction() (nanos int) {
	if p.s == "" || p.s[0] != '.' && p.s[0] != ',' {
		return 0
	}
	p.s = p.s[1:]
	n := 0
	for ; p.s != "" && p.s[0] >= '0' && p.s[0] <= '9'; n++ {
		if n < 9 {
			nanos = nanos*10 + int(p.s[0]-'0')
		}
		p.s = p.s[1:]
	}
	if n == 0 {
		p.bad = true
	}
	for ; n < 9; n++ {
		nanos *= 10
	}
	return nanos
}

// offset parses the offset from UTC.
func (p *timeParser) offset() time.Duration {
	if p.s == "" {
		return 0
	}
	sign := p.s[0]
	p.s = p.s[1:]
	switch sign {
	case 'Z', 'z':
		return 0
	case '+', '-':
	default:
		p.bad = true
		return 0
	}
	hour, minute, second, nanos := p.clock(false)
	if hour > 23 || minute > 59 || second > 59 {
		p.bad = true
	}
	d := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(nanos)
	if sign == '-' {
		return -d
	}
	return d
}

// appendTime appends a time in UTC, with only as many digits of the fraction as needed.
// It returns false for a time that RFC 3339 cannot represent.
func appendTime(dst []byte, seconds int64, nanos int32) ([]byte, bool) {
	if nanos < 0 || nanos > 999_999_999 || seconds < minSeconds || seconds > maxSeconds {
		return dst, false
	}
	dst = append(dst, '"')
	dst = time.Unix(seconds, int64(nanos)).UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"'), true
}
