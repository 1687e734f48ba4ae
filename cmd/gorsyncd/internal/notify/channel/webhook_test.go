package channel

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gorsyncd/cmd/gorsyncd/internal/notify"
)

const good = `{"errcode":0,"errmsg":"ok"}`

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil || !utf8.ValidString(text) {
		t.Fatalf("%v: %q", err, text)
	}
	return doc
}

func field(doc map[string]any, keys ...string) string {
	var v any = doc
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	s, _ := v.(string)
	return s
}

func hmacOf(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

func TestDingTalk(t *testing.T) {
	t.Parallel()
	u, got := server(t, 200, good)
	w := &Webhook{Format: "dingtalk", URL: u + "?access_token=" + token, SecretFile: secretFile(t, "SEChunter2")}
	if _, f := send(t, w, trouble(1)); f != nil {
		t.Fatal(f)
	}
	ms, err := strconv.ParseInt(got.query.Get("timestamp"), 10, 64)
	if err != nil || time.Since(time.UnixMilli(ms)).Abs() > time.Minute || got.query.Get("access_token") != token {
		t.Errorf("query %v", got.query)
	}
	if want := base64.StdEncoding.EncodeToString(hmacOf("SEChunter2", got.query.Get("timestamp")+"\nSEChunter2")); got.query.Get("sign") != want {
		t.Errorf("sign %s, want %s", got.query.Get("sign"), want)
	}
	doc := decode(t, got.body)
	if text := field(doc, "text", "content"); doc["msgtype"] != "text" || !strings.Contains(text, "gorsyncd on web1: www/nas is failing") || !strings.Contains(text, "E-AUTH") {
		t.Errorf("%s", got.body)
	}
	if _, f := send(t, w, trouble(100)); f != nil || len(got.body) > 20000 {
		t.Errorf("%v, %d bytes", f, len(got.body))
	}
}

func TestWeCom(t *testing.T) {
	t.Parallel()
	u, got := server(t, 200, good)
	w := &Webhook{Format: "wecom", URL: u + "?key=" + token}
	for _, n := range []int{1, 2, 40, 300} {
		if _, f := send(t, w, trouble(n)); f != nil {
			t.Fatal(f)
		}
		text := field(decode(t, got.body), "text", "content")
		if len(text) > 2048 || !utf8.ValidString(text) {
			t.Errorf("%d items: %d bytes", n, len(text))
		}
		if n > 10 && !strings.Contains(text, " more: gorsyncd status") {
			t.Errorf("%d items, and nothing says that some are left out:\n%s", n, text)
		}
	}
}

func TestFeishu(t *testing.T) {
	t.Parallel()
	u, got := server(t, 200, `{"code":0,"msg":"success","data":{}}`)
	w := &Webhook{Format: "feishu", URL: u, SecretFile: secretFile(t, "hunter2")}
	if _, f := send(t, w, trouble(1)); f != nil {
		t.Fatal(f)
	}
	doc := decode(t, got.body)
	stamp := field(doc, "timestamp")
	if sec, err := strconv.ParseInt(stamp, 10, 64); err != nil || time.Since(time.Unix(sec, 0)).Abs() > time.Minute {
		t.Errorf("timestamp %q", stamp)
	}
	if want := base64.StdEncoding.EncodeToString(hmacOf(stamp+"\nhunter2", "")); field(doc, "sign") != want {
		t.Errorf("sign %s, want %s", field(doc, "sign"), want)
	}
	if text := field(doc, "content", "text"); doc["msg_type"] != "text" || strings.Contains(text, "<at") || !strings.Contains(text, "全体") {
		t.Errorf("%s", got.body)
	}
	if _, f := send(t, w, trouble(150)); f != nil || len(got.body) > 20<<10 {
		t.Errorf("%v, %d bytes", f, len(got.body))
	}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	u, got := server(t, 200, "ok")
	if a, f := send(t, &Webhook{Format: "slack", URL: u}, trouble(1)); f != nil || a.Text != "200 OK ok" {
		t.Fatal(a, f)
	}
	doc := decode(t, got.body)
	if text := field(doc, "text"); strings.ContainsAny(text, "<>") || !strings.Contains(text, "&lt;!channel&gt; &amp;") || doc["mrkdwn"] != false {
		t.Errorf("%s", got.body)
	}
}

func TestNtfy(t *testing.T) {
	t.Parallel()
	u, got := server(t, 200, `{"id":"x"}`)
	w := &Webhook{Format: "ntfy", URL: u, HeadersFile: secretFile(t, "Authorization: Bearer hunter2")}
	if _, f := send(t, w, trouble(40)); f != nil {
		t.Fatal(f)
	}
	if got.head.Get("Authorization") != "Bearer hunter2" || got.query.Get("title") == "" || got.query.Get("priority") != "high" || len(got.body) > 4096 || !utf8.ValidString(got.body) {
		t.Errorf("%+v", got)
	}
}

func TestHealthchecks(t *testing.T) {
	t.Parallel()
	u, got := server(t, 200, "OK")
	w := &Webhook{Format: "healthchecks", URL: u}
	for kind, path := range map[notify.MessageKind]string{notify.Heartbeat: "", notify.Flatline: "/fail", notify.Test: "/log"} {
		if _, f := send(t, w, &notify.Message{Kind: kind, Title: "x", Text: "why"}); f != nil || got.path != "/hook/"+token+path {
			t.Errorf("%s: %v %s", kind, f, got.path)
		}
	}
	for answer, id := range map[string]string{"OK (not found)": idAnswer, "OK (rate limited)": idLimit} {
		u, _ := server(t, 200, answer)
		if _, f := send(t, &Webhook{Format: "healthchecks", URL: u}, &notify.Message{Kind: notify.Heartbeat}); f == nil || f.ID != id {
			t.Errorf("%s: %v", answer, f)
		}
	}
}

func TestJSONIsSigned(t *testing.T) {
	t.Parallel()
	u, got := server(t, 204, "")
	if _, f := send(t, &Webhook{Format: "json", URLFile: secretFile(t, u), SecretFile: secretFile(t, "hunter2")}, trouble(2)); f != nil {
		t.Fatal(f)
	}
	if want := "sha256=" + hex.EncodeToString(hmacOf("hunter2", got.body)); got.head.Get(SignatureHeader) != want {
		t.Errorf("%s, want %s", got.head.Get(SignatureHeader), want)
	}
	doc := decode(t, got.body)
	if doc["v"] != 1.0 || doc["kind"] != "problem" || len(doc["problems"].([]any)) != 2 || doc["host"] != "web1" {
		t.Errorf("%s", got.body)
	}
}

// TestAnswers: HTTP 200 is not the whole answer.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format string
		code   int
		answer string
		id     string
		person bool
		after  time.Duration
	}{
		{"dingtalk", 200, `{"errcode":310000,"errmsg":"sign not match, more: [https://x/` + token + `]"}`, idAnswer, true, 0},
		{"dingtalk", 200, `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`, idLimit, false, 10 * time.Minute},
		{"dingtalk", 200, `{"errcode":-1,"errmsg":"system busy"}`, idAnswer, false, 0},
		{"dingtalk", 200, `{"errcode":300001,"errmsg":"token is not exist"}`, idAnswer, true, 0},
		{"dingtalk", 200, `<html>login</html>`, idAnswer, true, 0},
		{"dingtalk", 200, `{}`, idAnswer, true, 0},
		{"wecom", 200, `{"errcode":45009,"errmsg":"api freq out of limit"}`, idLimit, false, time.Minute},
		{"wecom", 200, `{"errcode":93000,"errmsg":"invalid webhook url"}`, idAnswer, true, 0},
		{"wecom", 200, ``, idAnswer, true, 0},
		{"feishu", 200, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`, idAnswer, true, 0},
		{"feishu", 200, `{"StatusCode":0,"code":9499,"msg":"too many request"}`, idLimit, false, time.Minute},
		{"feishu", 200, `{"code":11232,"msg":"frequency limited"}`, idLimit, false, time.Minute},
		{"feishu", 200, `{"code":19007,"msg":"Bot Not Enabled"}`, idAnswer, true, 0},
		{"feishu", 200, `{"ok":true}`, idAnswer, true, 0},
		{"feishu", 200, `{"StatusCode":0,"StatusMessage":"success"}`, "", false, 0},
		{"slack", 404, "no_service", idStatus, true, 0},
		{"slack", 429, "", idLimit, false, 0},
		{"json", 500, "oops", idStatus, false, 0},
		{"json", 401, "who?", idStatus, true, 0},
		{"json", 302, "", idStatus, true, 0},
	} {
		u, _ := server(t, c.code, c.answer)
		_, f := send(t, &Webhook{Format: c.format, URL: u}, trouble(1))
		if f == nil && c.id == "" {
			continue
		}
		if f == nil || f.ID != c.id || f.Person != c.person || f.After != c.after {
			t.Errorf("%s %d %s: %+v", c.format, c.code, c.answer, f)
		}
	}
	u, _ := server(t, 429, "", "Retry-After", "77")
	if _, f := send(t, &Webhook{Format: "slack", URL: u}, trouble(1)); f == nil || f.After != 77*time.Second {
		t.Errorf("Retry-After: %+v", f)
	}
	u, _ = server(t, 307, "", "Location", "https://elsewhere.example/"+token+"?x="+token)
	if _, f := send(t, &Webhook{Format: "json", URL: u}, trouble(1)); f == nil || !f.Person {
		t.Errorf("redirect: %+v", f)
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	caFile, pair := certificates(t)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, good) }))
	srv.Config.ErrorLog = nil
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	w := &Webhook{Format: "wecom", URL: srv.URL + "/" + token, CAFile: caFile}
	if _, f := send(t, w, trouble(1)); f != nil {
		t.Error(f)
	}
	if _, f := send(t, &Webhook{Format: "wecom", URL: srv.URL + "/" + token}, trouble(1)); f == nil || f.ID != idConnect || !strings.Contains(f.Message, "certificate") {
		t.Errorf("an unknown authority: %v", f)
	}
	if _, f := send(t, &Webhook{Format: "wecom", URL: srv.URL, CAFile: "/nonexistent"}, trouble(1)); f == nil || !f.Person {
		t.Errorf("no ca_file: %v", f)
	}
}

func TestReceiverThatHangsOrIsNotThere(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, f := (&Webhook{Format: "json", URL: srv.URL + "/" + token}).Send(ctx, trouble(1)); f == nil || f.ID != idSlow {
		t.Errorf("hangs: %v", f)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, f := send(t, &Webhook{Format: "json", URL: gone.URL + "/" + token}, trouble(1)); f == nil || f.ID != idConnect || f.Person {
		t.Errorf("is not there: %v", f)
	}
}

func TestSecretsOfWebhooks(t *testing.T) {
	t.Parallel()
	open := secretFile(t, "https://x/"+token)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]*Webhook{
		"missing":          {Format: "json", URLFile: filepath.Join(t.TempDir(), "none")},
		"readable by all":  {Format: "json", URLFile: open},
		"no URL":           {Format: "json", URLFile: secretFile(t, token)},
		"two lines":        {Format: "json", URLFile: secretFile(t, "https://x/"+token+"\nhttps://y/"+token)},
		"no header":        {Format: "json", URL: "https://127.0.0.1:1/" + token, HeadersFile: secretFile(t, "hunter2")},
		"no such secret":   {Format: "json", URL: "https://127.0.0.1:1/" + token, SecretFile: "/nonexistent"},
		"header in a name": {Format: "json", URL: "https://127.0.0.1:1/" + token, HeadersFile: secretFile(t, "A\tB: hunter2")},
	} {
		if _, f := send(t, w, trouble(1)); f == nil || f.ID != idSecret || !f.Person {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// TestAnAnswerThatRepeatsAHeader: what it says is shown, but not the secret in it.
func TestAnAnswerThatRepeatsAHeader(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusOK, http.StatusForbidden} {
		address, _ := server(t, code, "not allowed: tk_0123456789, key 9876543210")
		w := &Webhook{Format: "ntfy", URL: address, HeadersFile: secretFile(t, "Authorization: Bearer tk_0123456789\nX-Key: 9876543210")}
		a, f := send(t, w, trouble(1))
		said := a.Text
		if f != nil {
			said = f.Message
		}
		if !strings.Contains(said, "not allowed: ***, key ***") {
			t.Errorf("%d: %q", code, said)
		}
	}
}
