package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gorsyncd/bench/report"
)

// goal is how much of a processor one open page may take.
const goal = 0.05

func (b *bench) report(paint []shot, cost []usage, rate []speed) string {
	var t strings.Builder
	fmt.Fprintf(&t, "## What looking costs\n\n`go run ./bench/page`, %s, %s.\n\n", time.Now().UTC().Format(time.DateOnly), report.Machine(b.dir))
	fmt.Fprintf(&t, "%d remotes of one source, of which one has %d failing entries, and another source that is replicated to a directory. "+
		"A page holds the live status and the events open. Over loopback, without TLS.\n\n", b.o.remotes, b.o.failing)
	t.WriteString("|  | p50 ms | worst of 20 ms | KiB | |\n|---|---|---|---|---|\n")
	for _, s := range paint {
		verdict := ""
		if s.target > 0 {
			verdict = fmt.Sprintf("goal: below %.0f ms, %s", ms(s.target), met(s.worst < s.target))
		}
		fmt.Fprintf(&t, "| %s | %.1f | %.1f | %d | %s |\n", s.name, ms(s.p50), ms(s.worst), s.bytes>>10, verdict)
	}
	t.WriteString("\nProcessor time of the daemon, as a share of one core, by the number of open pages; the goal is that one adds less than 5 %:\n\n| |")
	for _, n := range cost[0].pages {
		fmt.Fprintf(&t, " %d open |", n)
	}
	t.WriteString(" one page adds | |\n|---|---|---|---|---|---|\n")
	for _, u := range cost {
		fmt.Fprintf(&t, "| %s |", u.name)
		for _, s := range u.share {
			fmt.Fprintf(&t, " %.1f %% |", 100*s)
		}
		fmt.Fprintf(&t, " %.1f %% | %s |\n", 100*(u.share[1]-u.share[0]), met(u.share[1]-u.share[0] < goal))
	}
	fmt.Fprintf(&t, "\n%d files of a few bytes, until they are on the remote; median of %d, in turns, while all other remotes are behind:\n\n| open pages | s | without = 1 |\n|---|---|---|\n", b.o.files, b.o.rounds)
	for _, s := range rate {
		fmt.Fprintf(&t, "| %d | %.2f | %.2f |\n", s.pages, median(s.took).Seconds(), median(s.took).Seconds()/median(rate[0].took).Seconds())
	}
	return t.String()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(list []time.Duration) time.Duration {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "missed"
}
