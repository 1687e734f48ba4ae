package page

import (
	"strconv"
	"strings"
)

// The curve of an hour: so many points wide, of so many samples each.
const (
	sparkWide  = 120
	sparkHigh  = 24
	sparkTotal = 360 // samples in an hour
)

// sparkFloor is the lag in seconds that at least fills the height, so that the
// noise of a healthy remote stays flat.
const sparkFloor = 10

// Spark is a curve of lag. assets/spark.js makes the same.
type Spark struct {
	Line  string `json:"line"` // the d of a path: a line for each stretch that is known
	Title string `json:"title"`
}

func sparks(t texts, lags map[string][]*float64) map[string]Spark {
	out := make(map[string]Spark, len(lags))
	for name, lag := range lags {
		out[name] = newSpark(t, lag)
	}
	return out
}

// newSpark draws the samples so that the newest is at the right edge; of those
// that share a point it takes the worst.
func newSpark(t texts, lag []*float64) Spark {
	if n := len(lag); n > sparkTotal {
		lag = lag[n-sparkTotal:]
	}
	known := [sparkWide]bool{}
	points := [sparkWide]float64{}
	worst, any := 0.0, false
	for i, v := range lag {
		if v == nil {
			continue
		}
		at := (sparkTotal - len(lag) + i) * sparkWide / sparkTotal
		known[at], points[at] = true, max(points[at], *v)
		worst, any = max(worst, *v), true
	}
	if !any {
		return Spark{Title: t.say("spark.nothing")}
	}
	return Spark{Line: curve(known[:], points[:], max(worst, sparkFloor)), Title: t.say("spark.worst", "d", t.seconds(worst))}
}

func curve(known []bool, points []float64, top float64) string {
	var b strings.Builder
	for x, ok := range known {
		if !ok {
			continue
		}
		y := strconv.Itoa(sparkHigh - 1 - int(points[x]/top*(sparkHigh-2)))
		if x == 0 || !known[x-1] {
			b.WriteString("M" + strconv.Itoa(x) + " " + y + "h1")
		} else {
			b.WriteString("L" + strconv.Itoa(x+1) + " " + y)
		}
	}
	return b.String()
}
