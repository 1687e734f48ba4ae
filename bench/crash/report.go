package main

import (
	"fmt"
	"slices"
	"strings"

	bench "gorsyncd/bench/report"
)

// tally is a row of the table.
type tally struct {
	faults, kills, equal int
	worst                float64
	fs                   map[string]int
	commits              []string
}

// report writes the table of the results into the README. Runs of several
// commits are told apart by date and commit below the table.
func report(results, readme string) error {
	all, err := readResults(results)
	if err != nil {
		return err
	}
	by := map[string]*tally{}
	var commits []string
	kills, faults, failed, looks := 0, 0, 0, 0
	seen := map[string]int{}
	told := 0
	for _, r := range all {
		if r.Told {
			told++
			continue
		}
		t := by[r.Row]
		if t == nil {
			t = &tally{fs: map[string]int{}}
			by[r.Row] = t
		}
		t.faults++
		if !slices.Contains(t.commits, r.Commit) {
			t.commits = append(t.commits, r.Commit)
		}
		t.kills += r.Kills
		t.fs[r.FS]++
		t.worst = max(t.worst, r.Seconds)
		faults, kills = faults+1, kills+r.Kills
		if r.Equal {
			t.equal++
		} else {
			failed++
		}
		world := fmt.Sprint(r.Row, r.FS, r.Seed)
		looks += max(0, r.Looks-seen[world])
		seen[world] = max(seen[world], r.Looks)
		if c := r.Date + " " + r.Commit; !slices.Contains(commits, c) {
			commits = append(commits, c)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## Faults\n\n`make crash`, %s.\n\nCommits: %s.\n\n", bench.Machine(""), strings.Join(commits, ", "))
	fmt.Fprintf(&b, "%d faults, among them %d SIGKILLs of the daemon; %d ended other than equal. The observer read files on the remotes %d times meanwhile.\n",
		faults, kills, failed, looks)
	if told > 0 {
		fmt.Fprintf(&b, "Not in the table: %d more that ended other than equal, with the causes below.\n", told)
	}
	b.WriteString("Each fault is followed by the whole oracle (see [crash](crash/doc.go)).\n\n")
	b.WriteString("| row | fault | faults | SIGKILLs | on | ended equal | slowest cycle, s | commit |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows() {
		t := by[r.name]
		if t == nil {
			continue
		}
		var on []string
		for fs, n := range t.fs {
			on = append(on, fmt.Sprintf("%s %d", fs, n))
		}
		slices.Sort(on)
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %d | %.1f | %s |\n", r.name, r.what, t.faults, t.kills, strings.Join(on, ", "), t.equal, t.worst, strings.Join(t.commits, ", "))
	}
	return bench.Replace(readme, "crash", b.String())
}
