package sink

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorsyncd/replicate"
)

// TestPurge: a request to each address, names escaped byte by byte.
func TestPurge(t *testing.T) {
	s := newServer(t)
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusNotFound) }
	c := &CDN{Sites: []string{s.URL + "/img/"}, URL: "{url}", Method: "PURGE", Missing: true, Limits: limits}
	expect(t, c.Deliver(t.Context(), events("a b.png", "d/", "x?y#z%&=+.html", "gb\xb2k", "-", "新/文.txt")), replicate.ClassOK, "", "")
	want := []string{"PURGE /img/a%20b.png", "PURGE /img/d/", "PURGE /img/x%3Fy%23z%25&=+.html", "PURGE /img/gb%B2k", "PURGE /img/", "PURGE /img/%E6%96%B0/%E6%96%87.txt"}
	if !slices.Equal(s.got, want) {
		t.Errorf("got  %q\nwant %q", s.got, want)
	}
	c.Missing = false
	expect(t, c.Deliver(t.Context(), events("a")), replicate.ClassEntry, idStatus, "404", 0)
}

// TestPurgeMany: lists in batches; the address to blame is found, the others are purged.
func TestPurgeMany(t *testing.T) {
	s := newServer(t)
	purged := map[string]int{}
	s.answer = func(w http.ResponseWriter, _ *http.Request, body string) {
		var doc struct{ Files []string }
		if json.Unmarshal([]byte(body), &doc) != nil || len(doc.Files) > 4 {
			t.Errorf("body %s", body)
		}
		if strings.Contains(body, "bad") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, f := range doc.Files {
			purged[f]++
		}
	}
	c := &CDN{Sites: []string{"https://a.example", "https://b.example/x/"}, URL: s.URL + "/purge", Method: "POST", Body: `{"files":{urls_json}}`, Batch: 4, Limits: limits}
	expect(t, c.Deliver(t.Context(), events("1", `quo"te\`, "bad", "4", "5")), replicate.ClassEntry, idStatus, "400", 2)
	if len(purged) != 8 || purged["https://a.example/quo%22te%5C"] != 1 || purged["https://b.example/x/5"] != 1 {
		t.Errorf("%v", purged)
	}
	s.answer = func(w http.ResponseWriter, _ *http.Request, body string) {
		if strings.Contains(body, "/4") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	expect(t, c.Deliver(t.Context(), events("1", "2", "3", "4", "5", "6")), replicate.ClassTransient, idStatus, "503", 2, 3, 4, 5)
}

// TestPurgeSersync: what sersync's refreshCDN sent, escaped.
func TestPurgeSersync(t *testing.T) {
	s := newServer(t)
	pass := filepath.Join(t.TempDir(), "pass")
	check(t, os.WriteFile(pass, []byte("p&w d\n"), 0o600))
	c := &CDN{Sites: []string{"http://pic.xoyo.com/cms"}, URL: s.URL + "/index.jsp?user={user}&pswd={password}&ok=ok&{kind}={urls_query}",
		Method: "HEAD", User: "u", PasswordFile: pass, Batch: 1, Limits: limits}
	expect(t, c.Deliver(t.Context(), events("f 1.jpg", "d/")), replicate.ClassOK, "", "")
	want := []string{
		"HEAD /index.jsp?user=u&pswd=p%26w+d&ok=ok&urls=http%3A%2F%2Fpic.xoyo.com%2Fcms%2Ff%25201.jpg",
		"HEAD /index.jsp?user=u&pswd=p%26w+d&ok=ok&dirs=http%3A%2F%2Fpic.xoyo.com%2Fcms%2Fd%2F",
	}
	if !slices.Equal(s.got, want) {
		t.Errorf("%q", s.got)
	}
	if strings.Contains(c.String(), "p&w") {
		t.Error("a secret is shown")
	}
	s.Close()
	if res := c.Deliver(t.Context(), events("a")); strings.Contains(res.Message, "p%26w") || res.Class != replicate.ClassTransient {
		t.Errorf("a secret is shown: %s", res.Message)
	}
}

func FuzzPurgePaths(f *testing.F) {
	for _, p := range []string{"a/b", "..", "x?y", "//evil.example/x", "a\r\nHost: x", "\xff", `"},{"`, "%2e%2e/", "{password}", "@evil"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, rel string) {
		if rel == "" || strings.ContainsRune(rel, 0) || strings.HasPrefix(rel, "/") {
			return // no path of a source
		}
		c := &CDN{Sites: []string{"https://www.example.com/base/"}, URL: "{url}", Body: `{"files":{urls_json}}`}
		e := events("x")
		e[0].rel = rel
		group := c.addresses(e)
		to := fill(c.URL, group, "u", "pw", func(s string) string { return s })
		req, err := http.NewRequest("PURGE", to, nil)
		if err != nil {
			t.Fatalf("%q: %v", rel, err)
		}
		if req.URL.Host != "www.example.com" || !strings.HasPrefix(req.URL.EscapedPath(), "/base/") || req.URL.RawQuery != "" || req.URL.Fragment != "" || req.URL.Path != "/base/"+rel {
			t.Fatalf("%q becomes %q", rel, to)
		}
		var doc struct{ Files []string }
		if err := json.Unmarshal([]byte(fill(c.Body, group, "u", "pw", jsonInside)), &doc); err != nil || len(doc.Files) != 1 || doc.Files[0] != to {
			t.Fatalf("%q: %v %v", rel, doc.Files, err)
		}
	})
}
