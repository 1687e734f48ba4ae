package main

import (
	"testing"
	"time"
)

func TestParseSince(t *testing.T) {
	zone := time.FixedZone("x", 3600)
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, zone)
	for text, want := range map[string]time.Time{
		"2h":                        now.Add(-2 * time.Hour),
		"7d":                        now.Add(-7 * 24 * time.Hour),
		"0":                         now,
		"2026-11-30T08:00":          time.Date(2026, 11, 30, 8, 0, 0, 0, zone),
		"2026-11-30 08:00:05":       time.Date(2026, 11, 30, 8, 0, 5, 0, zone),
		"2026-11-30T08:00:00Z":      time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC),
		"2026-11-30T08:00:00-02:00": time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC),
		"2026-11-29":                time.Date(2026, 11, 29, 0, 0, 0, 0, zone),
	} {
		if got, err := parseSince(now, text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-1h", "3", "08:00"} {
		if got, err := parseSince(now, text); err == nil {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestSecondsHaveAUnit(t *testing.T) {
	for s, want := range map[float64]string{0: "0s", 0.0126: "12.6ms", 1.5: "1.5s", 59.94: "59.9s", 7200: "2h"} {
		if got := seconds(s); got != want {
			t.Errorf("%g: %s, want %s", s, got, want)
		}
	}
}
