package report

import (
	"fmt"
	"math"
	"strings"
)

// Series is one line of a chart. X and Y have equal lengths.
type Series struct {
	Name string
	X, Y []float64
}

// Chart draws lines. An axis begins at zero, or is logarithmic; what is not
// positive is left out of a logarithmic one.
type Chart struct {
	Title, X, Y string
	LogX, LogY  bool
	Series      []Series
}

// colours are readable on white and on black.
var colours = []string{"#3b7dd8", "#d8573b", "#2f9e5f", "#9b59b6", "#c79a1b", "#17a2b8", "#7f7f7f", "#e377c2"}

const (
	plotWidth, plotHeight = 720, 260 // of the part with the axes
	plotLeft, plotRight   = 70, 20
	plotTop, plotBottom   = 40, 40
	legendRow             = 18
	legendColumn          = 325
	mostMarked            = 40 // points of a line that get a mark each
)

// SVG is the chart with its legend below it.
func (c Chart) SVG() string {
	x := newAxis(c.LogX, plotLeft, plotWidth-plotRight, c.values(func(s Series) []float64 { return s.X }))
	y := newAxis(c.LogY, plotHeight-plotBottom, plotTop, c.values(func(s Series) []float64 { return s.Y }))
	var b strings.Builder
	open(&b, c.Title, plotHeight+legendRow*((len(c.Series)+1)/2))
	for _, v := range y.ticks() {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, plotWidth-plotRight, y.at(v), y.at(v), plotLeft-6, y.at(v)+4, short(v))
	}
	for _, v := range x.ticks() {
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#eee"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`,
			x.at(v), x.at(v), plotTop, plotHeight-plotBottom, x.at(v), plotHeight-plotBottom+16, short(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, plotWidth-plotRight, plotHeight-8, escape(c.X))
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`, plotLeft, plotTop-6, escape(c.Y))
	for i, s := range c.Series {
		c.line(&b, s, stroke(i), colours[i%len(colours)], x, y)
		left, top := plotLeft+i%2*legendColumn, plotHeight+i/2*legendRow+4
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%d" y2="%d" %s/><text x="%d" y="%d">%s</text>`,
			left, left+24, top-4, top-4, stroke(i), left+30, top, escape(s.Name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// values are the positive ones of a coordinate.
func (c Chart) values(of func(Series) []float64) []float64 {
	var all []float64
	for _, s := range c.Series {
		for _, v := range of(s) {
			if v > 0 {
				all = append(all, v)
			}
		}
	}
	return all
}

func (c Chart) line(b *strings.Builder, s Series, stroke, colour string, x, y axis) {
	var points, marks strings.Builder
	for k := range s.X {
		if c.LogX && s.X[k] <= 0 || c.LogY && s.Y[k] <= 0 {
			continue
		}
		px, py := x.at(s.X[k]), y.at(s.Y[k])
		fmt.Fprintf(&points, "%.1f,%.1f ", px, py)
		if len(s.X) <= mostMarked {
			fmt.Fprintf(&marks, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, px, py, colour)
		}
	}
	fmt.Fprintf(b, `<polyline fill="none" %s points="%s"/>%s`, stroke, strings.TrimSpace(points.String()), marks.String())
}

// stroke is how the i-th line is drawn: dashed when the colours are used up.
func stroke(i int) string {
	s := fmt.Sprintf(`stroke="%s" stroke-width="2"`, colours[i%len(colours)])
	if i >= len(colours) {
		s += ` stroke-dasharray="6 3"`
	}
	return s
}

// open begins a drawing.
func open(b *strings.Builder, title string, height int) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12"><rect width="100%%" height="100%%" fill="white"/>`, plotWidth, height)
	fmt.Fprintf(b, `<text x="%d" y="18" font-size="14">%s</text>`, plotLeft, escape(title))
}

// axis maps values to positions between two ends of the drawing.
type axis struct {
	log      bool
	from, to float64 // positions
	low      float64 // values
	high     float64
	step     float64 // between ticks of a linear axis
}

// newAxis chooses ends that hold all values and are round.
func newAxis(log bool, from, to float64, values []float64) axis {
	a := axis{log: log, from: from, to: to, low: math.Inf(1), high: 1e-9}
	for _, v := range values {
		a.low, a.high = min(a.low, v), max(a.high, v)
	}
	if !log {
		a.low, a.step = 0, tickStep(a.high)
		a.high = math.Ceil(a.high/a.step-1e-9) * a.step
		return a
	}
	a.low = min(a.low, a.high)
	low, high := a.low, a.high
	a.low, a.high = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)))
	for _, f := range []float64{5, 2} { // nearer ends
		if a.low*f <= low {
			a.low *= f
			break
		}
	}
	if a.high/2 >= high {
		a.high /= 2
	}
	if a.high <= a.low {
		a.high = 10 * a.low
	}
	return a
}

func (a axis) at(v float64) float64 {
	if a.log {
		return a.from + math.Log(v/a.low)/math.Log(a.high/a.low)*(a.to-a.from)
	}
	return a.from + (v-a.low)/(a.high-a.low)*(a.to-a.from)
}

func (a axis) ticks() []float64 {
	var out []float64
	if !a.log {
		for i := 0.0; i*a.step <= a.high*(1+1e-9); i++ {
			out = append(out, i*a.step)
		}
		return out
	}
	factors := []float64{1}
	if a.high/a.low < 1e4 {
		factors = []float64{1, 2, 5}
	}
	for p := math.Pow(10, math.Floor(math.Log10(a.low)+1e-9)); p <= a.high*(1+1e-9); p *= 10 {
		for _, f := range factors {
			if v := p * f; v >= a.low*(1-1e-9) && v <= a.high*(1+1e-9) {
				out = append(out, v)
			}
		}
	}
	return out
}

// tickStep is 1, 2 or 5 times a power of ten, so that there are three to eight.
func tickStep(most float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, f := range []float64{0.2, 0.5, 1, 2, 5} {
		if most/(power*f) <= 8 {
			return power * f
		}
	}
	return power * 10
}

// short is a number as a tick or a bar has it.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return trim(fmt.Sprintf("%.2f", v/1e6)) + " M"
	case v >= 1e4:
		return trim(fmt.Sprintf("%.1f", v/1e3)) + " k"
	case v > 0 && v < 0.01:
		return fmt.Sprintf("%.2g", v)
	}
	return trim(fmt.Sprintf("%.2f", v))
}

func trim(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
