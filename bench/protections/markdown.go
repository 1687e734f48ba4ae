package main

import (
	"fmt"
	"strings"
	"time"

	"gorsyncd/bench/report"
)

// markdown is the section of the report.
func markdown(results []result) string {
	var b strings.Builder
	b.WriteString("## What would silently lose data, and the tests that notice\n\n")
	fmt.Fprintf(&b, "`make protections`, %s, %s. Each row was proved in a copy of the source: the test passes as it is, and fails "+
		"when the protection is taken out ([bench/protections/table.go](protections/table.go) has the edit).\n\n",
		time.Now().UTC().Format(time.DateOnly), report.Machine(""))
	b.WriteString("| | lost without it | protection | test | result |\n|---|---|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %d | %s | %s | `%s` %s | %s |\n", r.point, r.lost, r.what, r.dir, r.test, r.verdict)
	}
	b.WriteString("\nWhat is left, honestly:\n\n")
	for _, n := range notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}
