package control

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzRequests: whatever is asked, the answer is JSON, and an error says why.
func FuzzRequests(f *testing.F) {
	f.Add("POST", "/pause", "", `{"names":["a/b"],"for":1}`)
	f.Add("POST", "/flush", "", `{"paths":[{"path":"x","path_b64":"!"}],"remotes":null}`)
	f.Add("POST", "/sync", "", `{"sub":{"path":"x"}}`)
	f.Add("GET", "/explain", "path=%ff", "")
	f.Add("GET", "/journal/entries", "from=1&to=18446744073709551616&state=acked", "")
	f.Add("POST", "/journal/check", "", "")
	f.Add("POST", "/reload", "", `{"dry_run":true,"forget":["a/*",""]}`)
	f.Add("POST", "/remotes/a/b/pause", "", `{"for_seconds":1e300}`)
	f.Add("POST", "/remotes/a/*/retry", "", "")
	f.Add("GET", "/entries", "state=queued&limit=5&after=!", "")
	f.Add("DELETE", "/status", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		if strings.Contains(path, "live") {
			return // which goes on
		}
		s := NewService(Options{API: &fake{}})
		defer s.Close()
		req := httptest.NewRequest("GET", "/", strings.NewReader(body))
		req.Method, req.URL = method, &url.URL{Path: prefix + path, RawQuery: query}
		w := httptest.NewRecorder()
		s.Handler(Limits{Requests: 1, Streams: 1, Body: maxBody}, nil).ServeHTTP(w, req)
		if w.Code == http.StatusMovedPermanently || w.Code == http.StatusTemporaryRedirect {
			return // the mux cleans paths
		}
		dec := json.NewDecoder(w.Body)
		for dec.More() {
			var doc ErrorDocument
			if err := dec.Decode(&doc); err != nil {
				t.Fatalf("%s %s?%s %q: status %d, %v", method, path, query, body, w.Code, err)
			}
			if w.Code != http.StatusOK && (doc.Error == nil || doc.Error.Code == "" || doc.Error.Message == "") {
				t.Fatalf("%s %s: status %d without a reason", method, path, w.Code)
			}
		}
	})
}
