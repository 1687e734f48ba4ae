package control

import "time"

// LagSeries is how far remotes and sinks were behind.
type LagSeries struct {
	Every int       `json:"every_seconds"` // between two values
	Now   time.Time `json:"now"`           // of the last value of each
	// Remotes has the seconds behind by full name, oldest first; null where nothing
	// is known. Each ends now, and may begin later than others.
	Remotes map[string][]*float64 `json:"remotes"`
}
