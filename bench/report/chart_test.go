package report

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		name   string
		log    bool
		values []float64
		low    float64
		high   float64
		ticks  []float64
	}{
		{"from zero", false, []float64{3, 10}, 0, 10, []float64{0, 2, 4, 6, 8, 10}},
		{"rounded up", false, []float64{7.1}, 0, 8, []float64{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		{"decades", true, []float64{0.5, 30_000}, 0.5, 50_000, []float64{1, 10, 100, 1000, 10_000}},
		{"within a decade", true, []float64{2.5, 7}, 2, 10, []float64{2, 5, 10}},
		{"one value", true, []float64{100}, 100, 1000, []float64{100, 200, 500, 1000}},
		{"no value", true, nil, 1e-9, 1e-8, nil},
	} {
		a := newAxis(c.log, 70, 700, c.values)
		if math.Abs(a.low-c.low) > 1e-9 || math.Abs(a.high-c.high) > 1e-6 {
			t.Errorf("%s: from %v to %v, want %v to %v", c.name, a.low, a.high, c.low, c.high)
		}
		if a.at(a.low) != 70 || math.Abs(a.at(a.high)-700) > 1e-6 {
			t.Errorf("%s: the ends are at %v and %v", c.name, a.at(a.low), a.at(a.high))
		}
		near := func(x, y float64) bool { return math.Abs(x-y) < 1e-6*y+1e-12 }
		if got := a.ticks(); c.ticks != nil && !slices.EqualFunc(got, c.ticks, near) {
			t.Errorf("%s: ticks %v, want %v", c.name, got, c.ticks)
		}
	}
}

// TestDrawingsStayInside draws what has no place on a logarithmic axis, too.
func TestDrawingsStayInside(t *testing.T) {
	line := Series{Name: "<a & b>", X: []float64{0, 1, 1000}, Y: []float64{5, 0, 20}}
	for name, svg := range map[string]string{
		"linear": Chart{Title: "t", Series: []Series{line}}.SVG(),
		"log":    Chart{Title: "t", LogX: true, LogY: true, Series: []Series{line}}.SVG(),
		"empty":  Chart{Title: "t", LogX: true}.SVG(),
		"bars":   Bars("t", "MiB", []Bar{{"<a & b>", 0}, {"c", 415}, {"d", 0.003}}),
		"none":   Bars("t", "MiB", []Bar{{"<a & b>", 0}}),
	} {
		for _, bad := range []string{"NaN", "Inf", "<a & b>", `="-`} {
			if strings.Contains(svg, bad) {
				t.Errorf("%s: %q in %s", name, bad, svg)
			}
		}
		if name != "empty" && !strings.Contains(svg, "&lt;a &amp; b&gt;") {
			t.Errorf("%s: no name in %s", name, svg)
		}
	}
	if svg := (Chart{LogX: true, LogY: true, Series: []Series{line}}).SVG(); strings.Count(svg, "<circle") != 1 {
		t.Errorf("points without a place are drawn: %s", svg)
	}
}
