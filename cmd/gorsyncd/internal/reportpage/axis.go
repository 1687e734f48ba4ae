package reportpage

import "time"

// Sizes of a plot, in the units of its viewBox.
const (
	plotWidth  = 720.0
	plotHeight = 150.0
	plotLeft   = 58.0 // for the names of the values
	plotRight  = 6.0
	plotTop    = 8.0
	plotBottom = 34.0 // for the outages and the times
	stripTop   = plotHeight - plotBottom + 3
	stripTall  = 7.0
)

// axis is that of time.
type axis struct {
	since, until time.Time
	Ticks        []tick
}

// tick is a line with a name.
type tick struct {
	At    string // its place
	Label string
}

// x is the place of a moment, within the plot.
func (a axis) x(t time.Time) float64 {
	all := a.until.Sub(a.since).Seconds()
	if all <= 0 {
		return plotLeft
	}
	part := t.Sub(a.since).Seconds() / all
	return plotLeft + min(max(part, 0), 1)*(plotWidth-plotLeft-plotRight)
}

// maxTicks is how many names there is room for.
const maxTicks = 9

// newAxis chooses round moments of a zone.
func newAxis(since, until time.Time, zone *time.Location) axis {
	a := axis{since: since, until: until}
	if !until.After(since) {
		return a
	}
	for _, hours := range []int{1, 2, 3, 6, 12} {
		if until.Sub(since) <= time.Duration(hours*maxTicks)*time.Hour {
			a.hours(hours, zone)
			return a
		}
	}
	days := 1
	for until.Sub(since) > time.Duration(days*maxTicks)*24*time.Hour {
		days++
	}
	first := midnight(since.In(zone))
	for n := 0; n <= 1000; n += days {
		t := first.AddDate(0, 0, n)
		if t.After(until) {
			return a
		}
		a.tick(t, "01-02")
	}
	return a
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// hours has a tick every so many hours of the clock.
func (a *axis) hours(step int, zone *time.Location) {
	first := midnight(a.since.In(zone))
	for n := 0; n <= 1000; n += step {
		t := time.Date(first.Year(), first.Month(), first.Day(), n, 0, 0, 0, zone)
		if t.After(a.until) {
			return
		}
		layout := "15:04"
		if t.Hour() == 0 {
			layout = "01-02"
		}
		a.tick(t, layout)
	}
}

func (a *axis) tick(t time.Time, layout string) {
	if t.Before(a.since) {
		return
	}
	a.Ticks = append(a.Ticks, tick{number(a.x(t)), t.Format(layout)})
}
