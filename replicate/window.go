package replicate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Window is the times of the week at which a remote may be sent to. A nil Window
// is always open. What changes outside of it is journaled and waits; a run that is
// under way when it closes ends by itself.
type Window struct{ spans []span }

// span is a part of some days, or of some nights: then it ends on the day after.
// Times are those of a clock on the wall, whatever it is set to for the summer.
type span struct {
	loc      *time.Location
	days     [7]bool // it begins on, by time.Weekday
	from, to int     // minutes of a day; to may be below from
}

// ParseWindow reads spans such as "22:00-06:00", "Mon-Fri 20:00-24:00",
// "Sat,Sun 00:00-24:00", each with "CRON_TZ=Asia/Shanghai " before it where the
// clock of another place counts. No spans are no Window.
func ParseWindow(texts []string) (*Window, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	w := &Window{}
	for _, text := range texts {
		s, err := parseSpan(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		w.spans = append(w.spans, s)
	}
	return w, nil
}

func parseSpan(text string) (span, error) {
	s := span{loc: time.Local}
	words := strings.Fields(text)
	if len(words) > 0 && strings.HasPrefix(words[0], "CRON_TZ=") {
		loc, err := time.LoadLocation(strings.TrimPrefix(words[0], "CRON_TZ="))
		if err != nil {
			return s, fmt.Errorf("the time zone is unknown: %w", err)
		}
		s.loc, words = loc, words[1:]
	}
	days := "Sun-Sat"
	if len(words) == 2 {
		days, words = words[0], words[1:]
	}
	if len(words) != 1 {
		return s, fmt.Errorf("write it as 22:00-06:00 or Mon-Fri 22:00-06:00")
	}
	if err := s.setDays(days); err != nil {
		return s, err
	}
	from, to, ok := strings.Cut(words[0], "-")
	var err error
	if s.from, err = minutes(from); err == nil && ok {
		s.to, err = minutes(to)
	}
	switch {
	case err != nil:
		return s, err
	case !ok || s.from == s.to || s.from == 24*60:
		return s, fmt.Errorf("%s is not a span of time such as 22:00-06:00", words[0])
	}
	return s, nil
}

var dayNames = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

func (s *span) setDays(text string) error {
	number := func(name string) (int, error) {
		i := slices.IndexFunc(dayNames, func(d string) bool { return strings.EqualFold(d, name) })
		if i < 0 {
			return 0, fmt.Errorf("%q is no day: write %s", name, strings.Join(dayNames, ", "))
		}
		return i, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, err := number(first)
		if err != nil {
			return err
		}
		b := a
		if isRange {
			if b, err = number(last); err != nil {
				return err
			}
		}
		for d := a; ; d = (d + 1) % 7 {
			if s.days[d] = true; d == b {
				break
			}
		}
	}
	return nil
}

func minutes(text string) (int, error) {
	h, m, ok := strings.Cut(text, ":")
	hour, err := strconv.Atoi(h)
	minute, err2 := strconv.Atoi(m)
	if !ok || err != nil || err2 != nil || len(m) != 2 || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > 24*60 {
		return 0, fmt.Errorf("%q is no time of day such as 22:00", text)
	}
	return hour*60 + minute, nil
}

// Open tells whether the window is open.
func (w *Window) Open(now time.Time) bool {
	return w == nil || slices.ContainsFunc(w.spans, func(s span) bool { return s.holds(now) })
}

func (s span) holds(now time.Time) bool {
	now = now.In(s.loc)
	m, today := now.Hour()*60+now.Minute(), now.Weekday()
	if s.from < s.to {
		return s.days[today] && s.from <= m && m < s.to
	}
	return s.days[today] && s.from <= m || s.days[(today+6)%7] && m < s.to
}

// Change is when the window opens or closes next; zero for never.
func (w *Window) Change(now time.Time) time.Time {
	if w == nil {
		return time.Time{}
	}
	is := w.Open(now)
	return nextEdge(w.spans, now, func(at time.Time) bool { return w.Open(at) != is })
}

// nextEdge is the first moment after now at which one of the spans begins or ends
// and something changes, by the clock of this machine; zero for never.
func nextEdge(spans []span, now time.Time, changes func(at time.Time) bool) time.Time {
	var edges []time.Time
	for _, s := range spans {
		at := now.In(s.loc)
		for day := -1; day <= 8; day++ {
			for _, m := range []int{s.from, s.to} {
				edges = append(edges, time.Date(at.Year(), at.Month(), at.Day()+day, m/60, m%60, 0, 0, s.loc))
			}
		}
	}
	slices.SortFunc(edges, time.Time.Compare)
	for _, e := range edges {
		if e.After(now) && changes(e) {
			return e.Local()
		}
	}
	return time.Time{}
}
