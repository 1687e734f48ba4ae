package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// scrape returns the series by name and sorted labels.
func (r *rig) scrape() (text string, series map[string]float64) {
	r.t.Helper()
	code, text := r.get("/metrics")
	if code != http.StatusOK {
		r.t.Fatalf("/metrics: %d %s", code, text)
	}
	series = map[string]float64{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[i+1:], 64)
		must(r.t, err)
		name, labels, _ := strings.Cut(strings.TrimSuffix(line[:i], "}"), "{")
		if labels != "" {
			list := strings.Split(labels, ",") // no value here has a comma
			slices.Sort(list)
			name += "{" + strings.Join(list, ",") + "}"
		}
		series[name] = v
	}
	return text, series
}

// troubles is a daemon with remotes in several states, a sink, and a source that is
// not there.
func troubles(t *testing.T) (r *rig, src string, config func(remotes string) string) {
	src, dst := trees(t)
	bbs := mkdir(t, t.TempDir(), "bbs")
	secrets := filepath.Join(t.TempDir(), "secrets")
	must(t, os.WriteFile(secrets, []byte("u:right\n"), 0o600))
	wrong := filepath.Join(t.TempDir(), "wrong")
	must(t, os.WriteFile(wrong, []byte("wrong\n"), 0o600))
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst},
		testbed.Module{Name: "auth", Path: dst, Extra: []string{"auth users = u", "secrets file = " + secrets}})
	config = func(more string) string {
		return fmt.Sprintf(`
sources:
  - path: %q
    name: www
    remotes:
      - {name: ok, target: %q}
      - {name: wrong, target: %q, password_file: %q}
      - {name: idle, target: %q}
%s
    sinks:
      - {name: hook, command: [/bin/true]}
  - path: %q
    name: bbs
    remotes:
      - {name: gone, target: %q}
defaults: {retry: {initial: 200ms, max: 500ms}, full_sync: {on_start: never}}
notify: [{name: ops, command: [/bin/true]}]
`, src, d.Target("m"), strings.Replace(d.Target("auth"), "://", "://u@", 1), wrong, d.Target("m")+"/idle", more, bbs, d.Target("m")+"/bbs")
	}
	mkdir(t, dst, "idle")
	mkdir(t, dst, "bbs")
	write(t, filepath.Join(bbs, "f"), "1")
	dead := fmt.Sprintf("      - {name: dead, target: 'rsync://127.0.0.1:%d/m'}", unusedPort(t))
	r = newRig(t, config(dead))
	r.start()
	r.waitSync(20 * time.Second) // without a full sync, what is there before counts as sent
	write(t, filepath.Join(src, "d/a"), "12345")
	r.waitState("www/wrong", "failing", 20*time.Second)
	r.waitState("www/dead", "retrying", 20*time.Second)
	r.flush(20*time.Second, "--remote", "www/ok")
	r.mustCLI("pause", "www/idle")
	r.flush(20*time.Second, "--remote", "bbs/gone")
	must(t, os.Rename(bbs, bbs+".away"))
	r.waitFor("bbs to be held", 20*time.Second, func() bool {
		return slices.ContainsFunc(r.status().Sources, func(s sourceDoc) bool { return s.Name == "bbs" && s.State == "held" })
	})
	return r, src, config
}

// TestMonitoring: what Prometheus, Grafana, Zabbix and load balancers are told of a
// daemon with troubles.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	r, src, config := troubles(t)
	text, series := r.scrape()
	t.Run("promtool", func(t *testing.T) {
		cmd := exec.Command("promtool", "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("contrib", func(t *testing.T) { contribIsServed(t, series) })
	t.Run("status", func(t *testing.T) { asInStatus(t, r, series) })
	t.Run("zabbix", func(t *testing.T) { zabbixFinds(t, r) })
	t.Run("health", func(t *testing.T) { healthOf(t, r) })

	const files = `gorsyncd_transferred_files_total{remote="ok",source="www"}`
	write(t, filepath.Join(src, "d/b"), "1")
	r.flush(20*time.Second, "--remote", "www/ok")
	r.setConfig(config(""))
	r.mustCLI("reload")
	_, after := r.scrape()
	for key := range after {
		if strings.Contains(key, `remote="dead"`) {
			t.Errorf("removed and still there: %s", key)
		}
	}
	for key, v := range series {
		if now, ok := after[key]; strings.Contains(key, `remote="ok"`) && strings.Contains(key, "_total") && (!ok || now < v) {
			t.Errorf("after the reload %s went from %v to %v", key, v, now)
		}
	}
	if after[files] < series[files]+1 { // one that has just changed may be sent twice
		t.Errorf("%v files, want at least one more than %v", after[files], series[files])
	}
	r.stop()
	t.Run("zabbix without the daemon", func(t *testing.T) { zabbixFinds(t, r) })
}

// contribIsServed: each metric that an alert or a panel asks for is there.
func contribIsServed(t *testing.T, series map[string]float64) {
	names := map[string]bool{}
	for key := range series {
		name, _, _ := strings.Cut(key, "{")
		names[name] = true
	}
	asked := 0
	for _, file := range []string{"prometheus/alerts.yaml", "grafana/dashboard.json"} {
		b, err := os.ReadFile(filepath.Join("../packaging/contrib", file))
		must(t, err)
		for _, m := range regexp.MustCompile(`\b(?:gorsyncd|process|go)_[a-z_]+`).FindAllString(string(b), -1) {
			if asked++; !names[m] {
				t.Errorf("%s asks for %s, which is not served", file, m)
			}
		}
	}
	if asked < 80 {
		t.Errorf("only %d metrics are asked for", asked)
	}
}

// asInStatus: states and numbers are those of status --json, and what happened has
// been counted.
func asInStatus(t *testing.T, r *rig, series map[string]float64) {
	for name, state := range map[string]string{"ok": "in_sync", "wrong": "failing", "dead": "retrying", "idle": "paused"} {
		if series[fmt.Sprintf("gorsyncd_remote_state{remote=%q,source=\"www\",state=%q}", name, state)] != 1 {
			t.Errorf("%s is not %s", name, state)
		}
	}
	at := func(key string) float64 {
		v, ok := series[key]
		if !ok {
			t.Errorf("there is no %s", key)
		}
		return v
	}
	ok := r.status().remote(t, "www/ok")
	const www = `{remote="ok",source="www"}`
	if at("gorsyncd_transferred_files_total"+www) < 1 || at("gorsyncd_transferred_bytes_total"+www) < 5 ||
		at("gorsyncd_transferred_wire_bytes_total"+www) != float64(ok.WireBytes) {
		t.Errorf("www/ok: files %v, bytes %v, wire %v of %d", at("gorsyncd_transferred_files_total"+www),
			at("gorsyncd_transferred_bytes_total"+www), at("gorsyncd_transferred_wire_bytes_total"+www), ok.WireBytes)
	}
	for key, atLeast := range map[string]float64{
		"gorsyncd_replication_latency_seconds_count" + www:                          2, // d and d/a
		"gorsyncd_transfer_duration_seconds_count" + www:                            1,
		`gorsyncd_rsync_exits_total{code="0",remote="ok",source="www"}`:             1,
		`gorsyncd_rsync_exits_total{code="5",remote="wrong",source="www"}`:          1,
		`gorsyncd_rsync_exits_total{code="10",remote="dead",source="www"}`:          1,
		`gorsyncd_retries_total{class="config",remote="wrong",source="www"}`:        1,
		`gorsyncd_retries_total{class="transient",remote="dead",source="www"}`:      1,
		`gorsyncd_transfers_total{remote="wrong",result="refused",source="www"}`:    1,
		`gorsyncd_transfers_total{remote="dead",result="failed",source="www"}`:      1,
		`gorsyncd_remote_lag_entries{remote="dead",source="www"}`:                   1,
		`gorsyncd_remote_next_retry_timestamp_seconds{remote="dead",source="www"}`:  1e9,
		`gorsyncd_source_state{source="bbs",state="held"}`:                          1,
		`gorsyncd_events_total{source="www"}`:                                       1,
		`gorsyncd_sink_events_total{remote="hook",result="delivered",source="www"}`: 1,
		"gorsyncd_journal_append_duration_seconds_count":                            2,
		"gorsyncd_config_last_reload_successful":                                    1,
	} {
		if v := at(key); v < atLeast {
			t.Errorf("%s is %v, want at least %v", key, v, atLeast)
		}
	}
}

// healthOf: alive in spite of all troubles, and ready but for those.
func healthOf(t *testing.T, r *rig) {
	if code, body := r.get("/healthz"); code != http.StatusOK || !strings.Contains(body, `"alive":true`) {
		t.Errorf("/healthz: %d %s", code, body)
	}
	if code, body := r.get("/readyz?name=www/ok"); code != http.StatusOK || !strings.Contains(body, `"ready":true`) {
		t.Errorf("/readyz of www/ok: %d %s", code, body)
	}
	r.waitFor("www/dead to be behind", 10*time.Second, func() bool {
		code, body := r.get("/readyz?max_lag=100ms&name=www/*")
		return code == http.StatusServiceUnavailable && strings.Contains(body, `"name":"www/dead"`)
	})
	code, body := r.get("/readyz")
	if code != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d", code)
	}
	contains(t, body, `"name":"www/wrong","state":"failing"`, "E-AUTH", `"name":"bbs/gone"`, "the source is held")
	if code, body := r.get("/readyz?name=nobody"); code != http.StatusBadRequest || !strings.Contains(body, "nobody") {
		t.Errorf("/readyz of nobody: %d %s", code, body)
	}
}

// zabbixFinds: each path of the template finds something in a real status, or says
// what is to be taken when it does not.
func zabbixFinds(t *testing.T, r *rig) {
	out, _, _ := r.cli("status", "--json")
	var doc any
	must(t, json.Unmarshal([]byte(out), &doc))
	text, err := os.ReadFile("../packaging/contrib/zabbix/template.yaml")
	must(t, err)
	// What follows the path in the same step of preprocessing.
	steps := regexp.MustCompile(`(?m)- type: JSONPATH\n +parameters:\n +- '(.*)'\n( +error_handler: .*\n)?`).FindAllSubmatch(text, -1)
	if n := bytes.Count(text, []byte("JSONPATH")); len(steps) != n || n < 35 {
		t.Fatalf("%d of %d steps", len(steps), n)
	}
	lists := map[string][]string{}
	for _, list := range []string{"remotes", "sinks", "sources"} {
		found, err := jsonPath(doc, "$."+list)
		must(t, err)
		for _, e := range found[0].([]any) {
			lists[list] = append(lists[list], e.(map[string]any)["name"].(string))
		}
	}
	if len(lists["remotes"]) < 4 {
		t.Fatalf("%v", lists)
	}
	for _, s := range steps {
		path, optional := strings.ReplaceAll(string(s[1]), "''", "'"), len(s[2]) > 0
		names := []string{""}
		if list, _, ok := strings.Cut(strings.TrimPrefix(path, "$."), "[?"); ok {
			names = lists[list]
		}
		for _, name := range names {
			got, err := jsonPath(doc, strings.ReplaceAll(path, "{#NAME}", name))
			if err != nil {
				t.Errorf("%s: %v", path, err)
			} else if len(got) == 0 && !optional {
				t.Errorf("%s finds nothing of %q", path, name)
			}
		}
	}
	for path, want := range map[string]string{"$.remotes[?(@.name=='www/idle')].state.first()": "paused", "$.remotes[?(@.name=='www/ok' && @.state=='failing')].length()": "0"} {
		if got, err := jsonPath(doc, path); r.proc != nil && (err != nil || fmt.Sprint(got) != "["+want+"]") {
			t.Errorf("%s: %v %v, want %s", path, got, err, want)
		}
	}
}

var (
	pathStep  = regexp.MustCompile(`^\.([a-z_]+)(\(\))?|^\[\?\(([^)]*)\)\]`)
	condition = regexp.MustCompile(`^@\.([a-z_]+)=='([^']*)'$`)
)

// jsonPath evaluates what the template uses of the paths of Zabbix: keys, filters by
// equal texts, first() and length().
func jsonPath(doc any, path string) ([]any, error) {
	rest, ok := strings.CutPrefix(path, "$")
	found := []any{doc}
	for ok && rest != "" {
		m := pathStep.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("what is %q in %s?", rest, path)
		}
		rest = rest[len(m[0]):]
		var next []any
		switch {
		case m[3] != "":
			for _, list := range found {
				elems, _ := list.([]any)
				for _, e := range elems {
					fits, err := matches(e, m[3])
					if err != nil {
						return nil, err
					}
					if fits {
						next = append(next, e)
					}
				}
			}
		case m[2] != "" && m[1] == "first":
			next = found[:min(1, len(found))]
		case m[2] != "" && m[1] == "length":
			next = []any{len(found)}
			if len(found) == 1 {
				if list, isList := found[0].([]any); isList {
					next = []any{len(list)}
				}
			}
		case m[2] != "":
			return nil, fmt.Errorf("%s() is not known", m[1])
		default:
			for _, v := range found {
				if object, isObject := v.(map[string]any); isObject {
					if e, has := object[m[1]]; has {
						next = append(next, e)
					}
				}
			}
		}
		found = next
	}
	return found, nil
}

func matches(e any, conditions string) (bool, error) {
	object, _ := e.(map[string]any)
	for _, c := range strings.Split(conditions, " && ") {
		m := condition.FindStringSubmatch(c)
		if m == nil {
			return false, fmt.Errorf("what is the condition %q?", c)
		}
		if object[m[1]] != m[2] {
			return false, nil
		}
	}
	return true, nil
}
