package report

import (
	"fmt"
	"strings"
)

// Bar is one row of a bar chart.
type Bar struct {
	Name  string
	Value float64
}

// barLeft is where bars begin, to the right of their names.
const barLeft = 280

// Bars draws a horizontal bar for each value on a logarithmic axis; what is not
// positive has none.
func Bars(title, unit string, bars []Bar) string {
	var values []float64
	for _, bar := range bars {
		if bar.Value > 0 {
			values = append(values, bar.Value)
		}
	}
	x := newAxis(true, barLeft, plotWidth-90, values)
	if len(values) > 0 {
		x.low /= 2 // so that the smallest is seen
	}
	bottom := plotTop + len(bars)*24
	var b strings.Builder
	open(&b, title, bottom+plotBottom)
	for _, v := range x.ticks() {
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`,
			x.at(v), x.at(v), plotTop-8, bottom, x.at(v), bottom+14, short(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, plotWidth-plotRight, bottom+30, escape(unit))
	for i, bar := range bars {
		top := plotTop + i*24
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, barLeft-8, top+12, escape(bar.Name))
		end := float64(barLeft)
		if bar.Value > 0 {
			end = x.at(bar.Value)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="16" fill="%s"/>`, barLeft, top, end-barLeft, colours[i%len(colours)])
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`, end+6, top+12, short(bar.Value))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
