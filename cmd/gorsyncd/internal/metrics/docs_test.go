package metrics

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"gorsyncd/replicate"
)

const guide = "../../docs/monitoring.md"

var metricTable = regexp.MustCompile(`(?s)(\| metric \| type \| labels \| meaning \|\n\|---\|---\|---\|---\|\n)((?:\|[^\n]*\n)*)`)

// TestEveryMetricIsDocumented: the table of the guide is that of the program.
// GORSYNCD_UPDATE_DOCS=1 writes it.
func TestEveryMetricIsDocumented(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	if !metricTable.Match(text) {
		t.Fatalf("%s has no table of metrics", guide)
	}
	want := string(metricTable.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(table(t), "$", "$$"))))
	if want == string(text) {
		return
	}
	if os.Getenv("GORSYNCD_UPDATE_DOCS") != "" {
		if err := os.WriteFile(guide, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the table in %s is another one than the program's; GORSYNCD_UPDATE_DOCS=1 writes it:\n%s", guide, table(t))
}

// table has a row for each family, in the order in which they are declared.
func table(t *testing.T) string {
	t.Helper()
	gathered, err := newWorld(1, 1).metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for _, f := range gathered {
		var names []string
		for _, l := range f.Metric[0].Label {
			names = append(names, "`"+l.GetName()+"`")
		}
		labels[f.GetName()] = strings.Join(names, ", ")
	}
	var b strings.Builder
	for _, f := range families {
		name := prefix + f.name
		if _, ok := labels[name]; !ok {
			t.Errorf("%s has no series", name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.kind.String()), labels[name], f.help)
	}
	return b.String()
}

// TestResultsAreDocumented: what a result or a class stands for is said.
func TestResultsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !strings.Contains(string(text), "`"+r.label+"`") {
			t.Errorf("%s does not tell what %s is", guide, r.label)
		}
	}
	if len(results) != len(Counts{}.transfers) || len(retryClasses) != len(Counts{}.retries) || len(verifyResults) != len(Counts{}.verifies) {
		t.Error("there are others counters than labels")
	}
	c := newCounts()
	for _, class := range []replicate.Class{replicate.ClassOK, replicate.ClassEntry, replicate.ClassTransient, replicate.ClassConfig, replicate.ClassHeld, replicate.ClassCanceled} {
		c.Transferred(replicate.Transfer{Class: class})
	}
	for i := range results {
		if c.transfers[i].Load() != 1 {
			t.Errorf("%s: %d transfers", results[i].label, c.transfers[i].Load())
		}
	}
}
