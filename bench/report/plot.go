package report

import (
	"fmt"
	"math"
	"strings"
)

// Series is one line of a plot.
type Series struct {
	Name string
	X, Y []float64
}

// colours are readable on white and on black.
var colours = []string{"#3b7dd8", "#d8573b", "#2f9e5f", "#9b59b6", "#c79a1b"}

const (
	plotWidth, plotHeight = 720, 260
	plotLeft, plotRight   = 70, 20
	plotTop, plotBottom   = 40, 40
)

// Plot draws lines as an SVG with both axes from zero.
func Plot(title, xName, yName string, series ...Series) string {
	maxX, maxY := 1e-9, 1e-9
	for _, s := range series {
		for i := range s.X {
			maxX, maxY = max(maxX, s.X[i]), max(maxY, s.Y[i])
		}
	}
	step := tickStep(maxY)
	maxY = math.Ceil(maxY/step) * step
	w, h := float64(plotWidth-plotLeft-plotRight), float64(plotHeight-plotTop-plotBottom)
	px := func(x float64) float64 { return plotLeft + x/maxX*w }
	py := func(y float64) float64 { return plotTop + h - y/maxY*h }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12"><rect width="100%%" height="100%%" fill="white"/>`, plotWidth, plotHeight)
	fmt.Fprintf(&b, `<text x="%d" y="18" font-size="14">%s</text>`, plotLeft, escape(title))
	for y := 0.0; y <= maxY+step/2; y += step {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, plotWidth-plotRight, py(y), py(y), plotLeft-6, py(y)+4, short(y))
	}
	xStep := tickStep(maxX)
	for x := 0.0; x <= maxX; x += xStep {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, px(x), plotHeight-plotBottom+16, short(x))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, plotWidth-plotRight, plotHeight-8, escape(xName))
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`, plotLeft, plotTop-6, escape(yName))
	for i, s := range series {
		c := colours[i%len(colours)]
		var points strings.Builder
		for k := range s.X {
			fmt.Fprintf(&points, "%.1f,%.1f ", px(s.X[k]), py(s.Y[k]))
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`, c, strings.TrimSpace(points.String()))
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`, plotLeft+160+i*130, plotTop-6, c, escape(s.Name))
	}
	b.WriteString("</svg>\n")
	return b.String()
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

func short(v float64) string {
	s := fmt.Sprintf("%.2f", v)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
