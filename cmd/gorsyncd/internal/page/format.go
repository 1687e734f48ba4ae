package page

import (
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/status"
)

// none stands for "nothing to say".
const none = "–"

// thin keeps the groups of digits of a number on one line.
const thin = "\u202f"

// count groups the digits of n by threes. assets/format.js has the same.
func count[T ~int | ~uint64](n T) string {
	return strings.ReplaceAll(status.Count(n), " ", thin)
}

// size is a number of bytes for people.
func size[T ~int64 | ~uint64](n T) string { return status.Bytes(n) }

// duration is d in its two leading units, in the language of t.
func (t texts) duration(d time.Duration) string {
	if d < time.Second {
		return t.say("time.instant")
	}
	s := int64(d / time.Second)
	units := []struct {
		key  string
		size int64
	}{{"time.day", 86400}, {"time.hour", 3600}, {"time.minute", 60}, {"time.second", 1}}
	for i, u := range units {
		if s < u.size {
			continue
		}
		text := t.say(u.key, "n", s/u.size)
		if i+1 < len(units) {
			if rest := s % u.size / units[i+1].size; rest > 0 {
				text += t.say(units[i+1].key, "n", rest)
			}
		}
		return text
	}
	return t.say("time.instant")
}

func (t texts) seconds(s float64) string { return t.duration(time.Duration(s * float64(time.Second))) }

// ago is how long before now the moment ms was, "–" for none.
func (t texts) ago(now, ms int64) string {
	if ms == 0 {
		return none
	}
	return t.say("time.ago", "d", t.duration(time.Duration(now-ms)*time.Millisecond))
}

// until is how long after now the moment ms will be.
func (t texts) until(now, ms int64) string {
	if ms == 0 {
		return ""
	}
	if ms <= now {
		return t.say("time.due")
	}
	return t.say("time.in", "d", t.duration(time.Duration(ms-now)*time.Millisecond))
}

// millis is the moment of an optional time; 0 for none.
func millis(t *time.Time) int64 {
	if t == nil || t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
