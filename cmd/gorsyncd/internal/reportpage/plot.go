package reportpage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// plot is a picture over the time of the report. All places are numbers for SVG.
type plot struct {
	Title  string
	Text   string // what it shows, for who does not see it
	X      []tick
	Y      []tick
	Bars   string // path of the bars
	Marks  string // path of the marks in them
	Base   string // path of the known time without its outages
	Blanks []blank
	Down   []blank // outages with an error
	Empty  bool    // nothing is known at all
}

// blank is a time that is drawn otherwise.
type blank struct {
	X, Width string
	Title    string
}

// number is a coordinate.
func number(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// base is the place of the lowest value.
const base = plotHeight - plotBottom

// newPlot has all but the bars.
func (b *builder) newPlot(parts []part, known time.Time) plot {
	p := plot{X: b.axis.Ticks, Empty: !known.Before(b.until)}
	if known.After(b.since) {
		p.Blanks = append(p.Blanks, b.blank(b.since, known, b.words.NoData))
	}
	for _, o := range parts {
		if o.stopped() {
			p.Blanks = append(p.Blanks, b.blank(o.from, o.to, b.words.NotRunning))
		} else {
			p.Down = append(p.Down, b.blank(o.from, o.to, fmt.Sprintf("%s, %s", outageCause(o), span(o.to.Sub(o.from)))))
		}
	}
	if !p.Empty {
		p.Base = b.upPath(parts, known)
	}
	return p
}

// upPath is a line along the known time without its outages.
func (b *builder) upPath(parts []part, from time.Time) string {
	var path strings.Builder
	add := func(to time.Time) {
		if to.After(from) {
			fmt.Fprintf(&path, "M%s %sH%s", number(b.axis.x(from)), number(base), number(b.axis.x(to)))
		}
	}
	for _, o := range parts {
		add(o.from)
		if o.to.After(from) {
			from = o.to
		}
	}
	add(b.until)
	return path.String()
}

func (b *builder) blank(from, to time.Time, title string) blank {
	const thinnest = 1.5 // or it could not be seen
	x, end := b.axis.x(from), b.axis.x(to)
	if end-x < thinnest {
		x = min(x, plotWidth-plotRight-thinnest)
		end = x + thinnest
	}
	return blank{number(x), number(end - x), fmt.Sprintf("%s – %s: %s", b.moment(from), b.moment(to), title)}
}

// bar is the path of a bar over a span from the base up to a part of the height.
func (b *builder) bar(s history.Span, part float64) string {
	if part <= 0 {
		return ""
	}
	x, end := b.axis.x(s.Begin), b.axis.x(s.End)
	gap := min(0.6, (end-x)/5)
	return fmt.Sprintf("M%s %sV%sH%sV%sZ", number(x+gap), number(base), number(base-part*(base-plotTop)), number(end-gap), number(base))
}

// mark is a line across a bar.
func (b *builder) mark(s history.Span, part float64) string {
	if part <= 0 {
		return ""
	}
	return fmt.Sprintf("M%s %sH%s", number(b.axis.x(s.Begin)), number(base-part*(base-plotTop)), number(b.axis.x(s.End)))
}

// leastLag is the lowest lag that a plot tells from none.
const leastLag = 0.001

// lagNames are the lags that have a name on the axis, in seconds.
var lagNames = []struct {
	seconds float64
	name    string
}{{0.01, "10 ms"}, {0.1, "100 ms"}, {1, "1s"}, {10, "10s"}, {60, "1m"}, {600, "10m"}, {3600, "1h"}, {6 * 3600, "6h"}, {86400, "1d"}, {7 * 86400, "7d"}}

// lagPlot is the longest lag of each span, with the latency that 99 % of its changes
// did not exceed, on a logarithmic scale.
func (b *builder) lagPlot(r control.RemoteReport, parts []part, known time.Time) plot {
	p := b.newPlot(parts, known)
	most := 10.0
	for _, s := range r.Spans {
		most = max(most, s.Behind)
	}
	scale := func(v float64) float64 {
		return min(1, max(0, math.Log(v/leastLag)/math.Log(most/leastLag)))
	}
	var bars, marks strings.Builder
	for _, s := range r.Spans {
		if s.Behind <= 0 || !s.End.After(b.since) {
			continue
		}
		bars.WriteString(b.bar(s, max(0.02, scale(s.Behind))))
		if s.Latency != nil && s.Latency.P99 > 0 {
			marks.WriteString(b.mark(s, max(0.02, scale(s.Latency.P99))))
		}
	}
	p.Bars, p.Marks = bars.String(), marks.String()
	last := -1.0
	for _, n := range lagNames {
		if at := scale(n.seconds); n.seconds <= most && (at-last)*(base-plotTop) >= 11 {
			p.Y = append(p.Y, tick{number(base - at*(base-plotTop)), n.name})
			last = at
		}
	}
	p.Title = b.words.LagTitle
	p.Text = fmt.Sprintf(b.words.LagText, span(seconds(r.Behind)))
	return p
}

// trafficPlot is the bytes of each span, as an average over an hour: spans of a day
// and of an hour are comparable then.
func (b *builder) trafficPlot(r control.RemoteReport, parts []part, known time.Time) plot {
	p := b.newPlot(parts, known)
	most := 1.0
	for _, s := range r.Spans {
		most = max(most, perHour(s))
	}
	top := roundUp(most)
	var bars strings.Builder
	for _, s := range r.Spans {
		if v := perHour(s); v > 0 && s.End.After(b.since) {
			bars.WriteString(b.bar(s, max(0.015, v/top)))
		}
	}
	p.Bars = bars.String()
	for _, part := range []float64{0.5, 1} {
		p.Y = append(p.Y, tick{number(base - part*(base-plotTop)), status.Bytes(int64(top * part))})
	}
	p.Title = b.words.TrafficTitle
	p.Text = fmt.Sprintf(b.words.TrafficText, size(r.Bytes))
	return p
}

func perHour(s history.Span) float64 {
	hours := s.End.Sub(s.Begin).Hours()
	if hours <= 0 {
		return 0
	}
	return float64(s.Bytes) / hours
}

// roundUp is the next 1, 2 or 5 times a power of 1024 and ten.
func roundUp(v float64) float64 {
	unit := 1.0
	for v >= unit*1024 {
		unit *= 1024
	}
	for _, n := range []float64{2, 4, 10, 20, 40, 100, 200, 400, 1024} {
		if v <= n*unit {
			return n * unit
		}
	}
	return v
}
