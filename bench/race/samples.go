package main

import (
	"fmt"
	"slices"
	"time"
)

// quantile of unsorted samples.
func quantile[T int64 | float64 | time.Duration](samples []T, q float64) T {
	if len(samples) == 0 {
		return 0
	}
	s := slices.Clone(samples)
	slices.Sort(s)
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func median[T int64 | float64 | time.Duration](samples []T) T { return quantile(samples, 0.5) }

// outcomes are the rounds of one racer at one task.
type outcomes []outcome

func (os outcomes) times() []time.Duration {
	var out []time.Duration
	for _, o := range os {
		out = append(out, o.took)
	}
	return out
}

func (os outcomes) wire() []int64 {
	var out []int64
	for _, o := range os {
		out = append(out, o.wire)
	}
	return out
}

// equal tells whether every round ended equal.
func (os outcomes) equal() bool {
	return len(os) > 0 && !slices.ContainsFunc(os, func(o outcome) bool { return !o.equal || o.wrong > 0 || o.died != nil })
}

// seconds is the median, or 0 if a round did not end equal.
func (os outcomes) seconds() float64 {
	if !os.equal() {
		return 0
	}
	return median(os.times()).Seconds()
}

// String is the cell of a table: the median with the least and the most, or
// what is wrong. † marks times of directories that stayed different.
func (os outcomes) String() string {
	if len(os) == 0 {
		return "–"
	}
	worst, late, mark := 0, time.Duration(0), ""
	for _, o := range os {
		if o.died != nil {
			return fmt.Sprintf("failed: %.100s", o.died)
		}
		worst = max(worst, o.wrong)
		if !o.equal {
			late = max(late, o.took)
		}
		if o.noDirs {
			mark = " †"
		}
	}
	switch {
	case late > 0 && worst == 0:
		return fmt.Sprintf("equal only after %.0f s", late.Seconds())
	case late > 0:
		return fmt.Sprintf("not within %.0f s: %d paths wrong", late.Seconds(), worst)
	case worst > 0:
		return fmt.Sprintf("never: %d paths wrong", worst)
	}
	return spread(os.times()) + mark
}

// spread is median (least–most), in seconds.
func spread(t []time.Duration) string {
	m := median(t)
	if len(t) == 1 {
		return secs(m)
	}
	return fmt.Sprintf("%s (%s–%s)", secs(m), secs(slices.Min(t)), secs(slices.Max(t)))
}

func secs(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.3f", d.Seconds())
	}
	return fmt.Sprintf("%.2f", d.Seconds())
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

func mib(n int64) string {
	switch v := float64(n) / (1 << 20); {
	case v < 0.1:
		return fmt.Sprintf("%.4f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// ratio is one of a number to another, or – where one is missing.
func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}
