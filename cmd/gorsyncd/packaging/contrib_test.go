package packaging

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// promtool is part of Prometheus, Debian's package prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// alert is one rule.
type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var doc struct {
		Groups []struct {
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, "contrib/prometheus/alerts.yaml")), &doc))
	if len(doc.Groups) != 1 || len(doc.Groups[0].Rules) < 15 {
		t.Fatalf("%+v", doc)
	}
	return doc.Groups[0].Rules
}

// TestAlerts: Prometheus takes the rules, each one fires on what it is for and on
// nothing else, and says what to do.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "contrib/prometheus/alerts.yaml")
	tests := []string{"testdata/alerts_test.yaml", "testdata/alerts_days_test.yaml"}
	promtool(t, append([]string{"test", "rules"}, tests...)...)
	tested := read(t, tests[0]) + read(t, tests[1])
	guide := read(t, "../docs/monitoring.md")
	for _, a := range alerts(t) {
		if !strings.Contains(tested, fmt.Sprintf("{alertname=%q", a.Alert)) {
			t.Errorf("%s is not made to fire", a.Alert)
		}
		for _, key := range []string{"summary", "description", "runbook"} {
			if a.Annotations[key] == "" {
				t.Errorf("%s has no %s", a.Alert, key)
			}
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s has the labels %v", a.Alert, a.Labels)
		}
		if !regexp.MustCompile(`gorsyncd [a-z]+|systemctl|sysctl`).MatchString(a.Annotations["description"]) {
			t.Errorf("%s names no command: %s", a.Alert, a.Annotations["description"])
		}
		if want := "docs/monitoring.md#" + strings.ToLower(a.Alert); a.Annotations["runbook"] != want {
			t.Errorf("the runbook of %s is %s, want %s", a.Alert, a.Annotations["runbook"], want)
		}
		if !strings.Contains(guide, "\n### "+a.Alert+"\n") {
			t.Errorf("docs/monitoring.md has no section %s", a.Alert)
		}
	}
}

// TestRuleTestsCanFail: without the rules they are about, they do.
func TestRuleTestsCanFail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules := strings.ReplaceAll(read(t, "contrib/prometheus/alerts.yaml"), `{state="failing"}`, `{state="failed"}`)
	must(t, os.MkdirAll(filepath.Join(dir, "contrib/prometheus"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "contrib/prometheus/alerts.yaml"), []byte(rules), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "testdata"), 0o755))
	file := filepath.Join(dir, "testdata/t.yaml")
	must(t, os.WriteFile(file, []byte(read(t, "testdata/alerts_test.yaml")), 0o600))
	out, err := exec.Command("promtool", "test", "rules", file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "RemoteFailing") || strings.Contains(string(out), "RemoteHeld,") {
		t.Errorf("%v\n%s", err, out)
	}
}

// panel is what is looked at of a dashboard's panels.
type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct{ X, Y, W, H int }
	Targets []struct {
		RefID      string            `json:"refId"`
		Expr       string            `json:"expr"`
		Datasource map[string]string `json:"datasource"`
	} `json:"targets"`
}

// TestDashboard: it is what Grafana takes, nothing of it lies over something else,
// and Prometheus parses every expression.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var d struct {
		UID, Title    string
		ID            *int
		SchemaVersion int
		Panels        []panel
		Templating    struct {
			List []struct{ Name, Type, Query any }
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	must(t, json.Unmarshal([]byte(read(t, "contrib/grafana/dashboard.json")), &d))
	if d.UID != "gorsyncd" || d.Title == "" || d.ID != nil || d.SchemaVersion < 36 || len(d.Panels) < 30 {
		t.Fatalf("%q %q %v %d, %d panels", d.UID, d.Title, d.ID, d.SchemaVersion, len(d.Panels))
	}
	if v := d.Templating.List; len(v) < 4 || v[0].Name != "datasource" || v[0].Type != "datasource" || v[0].Query != "prometheus" {
		t.Errorf("variables %+v", v)
	}
	ids, titles, cells := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	exprs := map[string]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
			t.Errorf("%q with the id %d is not the only one, or has none", p.Title, p.ID)
		}
		ids[p.ID], titles[p.Title] = true, true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%q lies at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, q := range p.Targets {
			if q.Datasource["uid"] != "${datasource}" || q.RefID == "" {
				t.Errorf("%q asks %v as %q", p.Title, q.Datasource, q.RefID)
			}
			exprs[p.Title+" "+q.RefID] = q.Expr
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			exprs[a.Name] = a.Expr
		}
	}
	checkExprs(t, exprs)
}

// checkExprs lets promtool parse what Grafana would send.
func checkExprs(t *testing.T, exprs map[string]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	fill := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$source", "www", "$remote", "nas", "$job", "x")
	for i, title := range slices.Sorted(maps.Keys(exprs)) {
		expr := fill.Replace(exprs[title])
		if strings.Contains(expr, "$") {
			t.Errorf("%s: a variable is not known: %s", title, expr)
		}
		fmt.Fprintf(&b, "      - record: d:panel%d\n        expr: %q\n", i, expr)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	must(t, os.WriteFile(file, []byte(b.String()), 0o600))
	promtool(t, "check", "rules", file)
}

// TestZabbixTemplate: ids are as Zabbix wants them, keys are taken once, and what is
// taken from an item is there. That the paths fit is tested with a real status.
func TestZabbixTemplate(t *testing.T) {
	t.Parallel()
	text := read(t, "contrib/zabbix/template.yaml")
	var doc map[string]any
	must(t, yaml.Unmarshal([]byte(text), &doc))
	root, _ := doc["zabbix_export"].(map[string]any)
	if root["version"] != "6.0" {
		t.Fatalf("version %v", root["version"])
	}
	uuids, keys, masters, triggers := map[string]bool{}, map[string]bool{}, map[string]bool{}, []string{}
	walk(root, func(m map[string]any) {
		if id, ok := m["uuid"].(string); ok {
			if uuids[id] || !regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`).MatchString(id) {
				t.Errorf("%s is no uuid of version 4, or used twice", id)
			}
			uuids[id] = true
		} else if m["key"] != nil && m["name"] != nil || m["expression"] != nil {
			t.Errorf("%v has no uuid", m["name"])
		}
		if key, ok := m["key"].(string); ok && m["name"] != nil {
			if keys[key] {
				t.Errorf("the key %s is taken twice", key)
			}
			keys[key] = true
		}
		if of, ok := m["master_item"].(map[string]any); ok {
			masters[fmt.Sprint(of["key"])] = true
		}
		if e, ok := m["expression"].(string); ok {
			triggers = append(triggers, e)
		}
	})
	for key := range masters {
		if !keys[key] {
			t.Errorf("there is no item %s", key)
		}
	}
	if len(keys) < 30 || len(triggers) < 12 || len(masters) != 1 {
		t.Errorf("%d items, %d triggers, %d master items", len(keys), len(triggers), len(masters))
	}
	item := regexp.MustCompile(`\(/([^/]+)/((?:gorsyncd\.[a-z_.]+)(?:\[\{#NAME\}\])?)[,)]`)
	for _, e := range triggers {
		found := item.FindAllStringSubmatch(e, -1)
		if len(found) == 0 || strings.Count(e, "/gorsyncd by status/") != len(found) {
			t.Errorf("what items are in %s?", e)
		}
		for _, m := range found {
			if m[1] != "gorsyncd by status" || !keys[m[2]] {
				t.Errorf("a trigger asks for %s of %s", m[2], m[1])
			}
		}
	}
}

// walk calls fn for each mapping of a document.
func walk(v any, fn func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		fn(v)
		for _, e := range v {
			walk(e, fn)
		}
	case []any:
		for _, e := range v {
			walk(e, fn)
		}
	}
}

// TestPrometheusExamples: what the guide shows is what Prometheus takes.
func TestPrometheusExamples(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```yml\n(.*?)^```").FindAllStringSubmatch(read(t, "../docs/monitoring.md"), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, b := range blocks {
		file := filepath.Join(t.TempDir(), fmt.Sprintf("%d.yml", i))
		must(t, os.WriteFile(file, []byte(b[1]), 0o600))
		promtool(t, "check", "config", "--syntax-only", file)
	}
}
