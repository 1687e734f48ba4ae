package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/shape"
)

// describedAPI is docs/openapi.json.
func describedAPI(t *testing.T) object {
	t.Helper()
	var doc object
	if err := json.Unmarshal(openAPIText(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at is what is below keys.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(object)
		v = m[k]
	}
	return v
}

func TestOpenAPIIsValid(t *testing.T) {
	t.Parallel()
	meta, err := os.ReadFile("testdata/openapi-meta.json")
	if err != nil {
		t.Fatal(err)
	}
	check, err := shape.NewChecker(meta)
	if err != nil {
		t.Fatal(err)
	}
	doc := describedAPI(t)
	line, _ := json.Marshal(doc)
	if err := check.Lines(string(line)); err != nil {
		t.Error(err)
	}
	ids := map[string]string{}
	for path, item := range at(doc, "paths").(object) {
		for method, op := range item.(object) {
			id := at(op, "operationId").(string)
			if ids[id] != "" {
				t.Errorf("%s %s and %s have the same operationId", method, path, ids[id])
			}
			ids[id] = method + " " + path
			declared := 0
			params, _ := at(op, "parameters").([]any)
			for _, p := range params {
				if at(p, "in") == "path" {
					declared++
					if !strings.Contains(path, fmt.Sprintf("{%s}", at(p, "name"))) {
						t.Errorf("%s has no %v", path, at(p, "name"))
					}
				}
			}
			if declared != strings.Count(path, "{") {
				t.Errorf("%s %s declares %d parameters of its path", method, path, declared)
			}
		}
	}
	for name := range at(doc, "components", "schemas").(object) {
		schemaOf(t, doc, object{"$ref": "#/components/schemas/" + name})
	}
	eachRef(doc, func(ref string) {
		if at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	})
}

func eachRef(v any, found func(string)) {
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			found(ref)
		}
		for _, inner := range v {
			eachRef(inner, found)
		}
	case []any:
		for _, inner := range v {
			eachRef(inner, found)
		}
	}
}

// schemaOf is a schema of the description as a test reads it: keys that it does not
// have are refused.
func schemaOf(t *testing.T, doc object, schema any) *shape.Checker {
	t.Helper()
	text, err := json.Marshal(object{"allOf": []any{schema}, "components": doc["components"]})
	if err != nil {
		t.Fatal(err)
	}
	s, err := shape.NewStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEveryRouteIsDescribed: and nothing else is.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	doc := describedAPI(t)
	known := map[string]bool{"post /login": true, "post /logout": true}
	for _, r := range fakeRoutes() {
		op := at(doc, "paths", r.Path, strings.ToLower(r.Method))
		if op == nil {
			t.Errorf("%s is not described: go generate ./cmd/gorsyncd", r.Pattern())
		} else if at(op, "x-right") != string(r.Right) {
			t.Errorf("%s: right %v", r.Pattern(), at(op, "x-right"))
		}
		known[strings.ToLower(r.Method)+" "+r.Path] = true
	}
	for path, item := range at(doc, "paths").(object) {
		for method := range item.(object) {
			if !known[method+" "+path] {
				t.Errorf("%s %s is described and does not exist", method, path)
			}
		}
	}
}

// asked are requests for routes that need more than their path.
var asked = map[string][]struct{ query, body string }{
	"GET /api/v1/explain": {{query: "path=/www/delivered"}, {query: "path=/www/cache/x"}, {query: "path=/www/failing"}},
	"GET /api/v1/entries": {{}, {query: "state=queued"}},
	"POST /api/v1/pause":  {{body: `{"names":["www/nas"],"for":5,"reason":"x"}`}}, "POST /api/v1/resume": {{body: `{"names":["www/nas"]}`}},
	"POST /api/v1/approve": {{body: `{"names":["www/nas"]}`}}, "POST /api/v1/retry": {{body: `{}`}}, "POST /api/v1/reload": {{body: `{"dry_run":true}`}},
	"POST /api/v1/flush": {{body: `{"remotes":["www/web1"]}`}}, "POST /api/v1/sync": {{body: `{}`}, {body: `{"dry_run":true}`}},
	"POST /api/v1/verify": {{body: `{"checksum":true}`}, {body: `{}`}}, "POST /api/v1/replay": {{body: `{"names":["www/nas"],"from":"5"}`}, {body: `{"names":["www/web1"],"from":"5","dry_run":true}`}},
	"POST /api/v1/report":                              {{body: `{"since":"2026-01-01T00:00:00Z"}`}},
	"POST /api/v1/remotes/{source}/{remote}/pause":     {{}, {body: `{"for_seconds":5,"reason":"x"}`}},
	"POST /api/v1/remotes/{source}/{remote}/full-sync": {{}, {body: `{"checksum":true}`}},
}

// TestAnswersAreAsDescribed asks every route of a stand-in of the daemon, in every form
// that it has. A key that nobody has described is a mistake here.
func TestAnswersAreAsDescribed(t *testing.T) {
	doc := describedAPI(t)
	sock := serveInProcess(t)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", sock)
	}}}
	for _, r := range fakeRoutes() {
		requests := asked[r.Pattern()]
		if requests == nil {
			requests = append(requests, struct{ query, body string }{})
		}
		for _, a := range r.Answers {
			schema := at(doc, "paths", r.Path, strings.ToLower(r.Method), "responses", "200", "content", a.Form, "schema")
			if schema == nil {
				t.Errorf("%s: no %s is described", r.Pattern(), a.Form)
				continue
			}
			if a.Of == nil {
				continue // of a monitor, which the stand-in is not; package metrics has its tests
			}
			for _, q := range requests {
				path := strings.NewReplacer("{source}", "www", "{remote}", "nas").Replace(r.Path)
				if err := conforms(t, client, doc, schema, r.Method, path+"?"+q.query, q.body, a.Form); err != nil {
					t.Errorf("%s?%s %s as %s: %v", r.Pattern(), q.query, q.body, a.Form, err)
				}
			}
		}
	}
	failure := at(doc, "components", "responses", "Error", "content", "application/json", "schema")
	for _, path := range []string{"/api/v1/nothing", "/api/v1/explain?path=/elsewhere", "/api/v1/remotes/www/nobody", "/api/v1/pause"} {
		if err := conforms(t, client, doc, failure, "GET", path, "", "error"); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// conforms makes a request and compares the answer with its schema.
func conforms(t *testing.T, client *http.Client, doc object, schema any, method, path, body, form string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", form)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if (resp.StatusCode == http.StatusOK) == (form == "error") {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	check := schemaOf(t, doc, schema)
	if form != control.FormEvents {
		text, err := io.ReadAll(resp.Body)
		if err == nil && form == control.FormLines && !strings.Contains(string(text), `{"item":`) {
			err = fmt.Errorf("no line has an item: %s", text)
		}
		if err != nil {
			return err
		}
		if form == control.FormJSON {
			text = bytes.ReplaceAll(text, []byte("\n"), nil) // one document may have lines
		}
		return check.Lines(string(text))
	}
	data := schemaOf(t, doc, at(schema, "contentSchema"))
	found := 0
	for scan := bufio.NewScanner(resp.Body); scan.Scan() && found < 2; {
		if text, ok := strings.CutPrefix(scan.Text(), "data: "); ok {
			found++
			if err := data.Lines(text); err != nil {
				return err
			}
		}
	}
	if found == 0 {
		return fmt.Errorf("no event came")
	}
	return nil
}
