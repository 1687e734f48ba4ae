package status

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// none stands for "nothing to say" in a column.
const none = "–"

// Count groups the digits of n by threes: 88 310.
func Count[T ~int | ~uint64](n T) string {
	s := strconv.FormatUint(uint64(n), 10)
	if n < 0 {
		return "-" + Count(-n)
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Bytes is a size for people: 1.4 MiB.
func Bytes[T ~int64 | ~uint64](n T) string {
	if n < 0 {
		return "-" + Bytes(-n)
	}
	return humanize.IBytes(uint64(n))
}

// Duration is d in its two leading units: 41s, 4m10s, 2h13m, 3d4h.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return two(d, time.Minute, "m", time.Second, "s")
	case d < day:
		return two(d, time.Hour, "h", time.Minute, "m")
	}
	return two(d, day, "d", time.Hour, "h")
}

func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	s := fmt.Sprintf("%d%s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		s += fmt.Sprintf("%d%s", rest, smallName)
	}
	return s
}

// Ago is how long before now t was.
func Ago(now time.Time, t *time.Time) string {
	if t == nil || t.IsZero() {
		return none
	}
	return Duration(now.Sub(*t))
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second))
}
