package screen

import (
	"strings"
	"time"
)

// eighths fill a cell from the left, one eighth more each.
var eighths = []rune("▏▎▍▌▋▊▉█")

// bar draws how much of all is done, width cells wide. It is full only when all
// is done.
func (m measure) bar(done, all int64, width int) string {
	if m.EastAsianWidth {
		width /= 2 // two columns for each of its characters, which spaces are not
	}
	if width <= 0 || all <= 0 {
		return ""
	}
	done = min(max(0, done), all)
	parts := int(float64(done) / float64(all) * float64(8*width))
	if done < all {
		parts = min(parts, 8*width-1)
	}
	text := strings.Repeat("█", parts/8)
	empty := width - parts/8
	if rest := parts % 8; rest > 0 {
		text += string(eighths[rest-1])
		empty--
	}
	space := "░"
	return text + strings.Repeat(space, empty)
}

// steps are the upper bounds of the levels of a sparkline, but for the last one.
var steps = []float64{1, 3, 10, 30, 120, 600, 3600}

var levels = []rune("▁▂▃▄▅▆▇█")

// level is the character of a lag.
func level(seconds float64) rune {
	for i, s := range steps {
		if seconds <= s {
			return levels[i]
		}
	}
	return levels[len(levels)-1]
}

// hour is what a sparkline shows.
const hour = time.Hour

// spark draws a series of lags that ends now, one value every so often, as cells
// characters for an hour. Where nothing is known it is blank.
func spark(series []*float64, every time.Duration, cells int) string {
	out := []rune(strings.Repeat(" ", cells))
	if every <= 0 || cells <= 0 {
		return string(out)
	}
	highest := make([]*float64, cells)
	for i, v := range series {
		age := time.Duration(len(series)-1-i) * every
		if v == nil || age >= hour {
			continue
		}
		at := cells - 1 - int(age*time.Duration(cells)/hour)
		if highest[at] == nil || *v > *highest[at] {
			highest[at] = v
		}
	}
	for i, v := range highest {
		if v != nil {
			out[i] = level(*v)
		}
	}
	return string(out)
}
