package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

const pause = "/api/v1/remotes/a/b/pause"

// TestNobodyActsWithoutTheToken: not by any route that acts, nor with what is
// nearly the token.
func TestNobodyActsWithoutTheToken(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, path := range []string{"pause", "resume", "retry", "approve", "reload", "flush", "sync", "verify", "replay"} {
		if a := r.ask("POST", "/api/v1/"+path, `{"names":["a/b"]}`); a.code != http.StatusUnauthorized || a.errorCode() != "token_needed" || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	for _, path := range []string{"pause", "resume", "retry", "full-sync", "verify", "approve"} {
		if a := r.ask("POST", "/api/v1/remotes/a/b/"+path, ""); a.code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	for _, path := range []string{"/journal/check", "/journal/compact"} {
		if a := r.ask("POST", "/api/v1"+path, "", "Authorization", "Bearer "+token); a.code != http.StatusForbidden {
			t.Errorf("%s with the token: %d %s", path, a.code, a.body)
		}
	}
	if a := r.ask("POST", "/api/v1/reload", `{"forget":["a/*"]}`, "Authorization", "Bearer "+token); a.code != http.StatusForbidden {
		t.Errorf("forget with the token: %d %s", a.code, a.body)
	}
	for _, h := range []string{"Bearer " + token[:31], "Bearer " + token + "0", "Bearer", "Bearer ", "Basic " + token, token, "Bearer " + strings.ToUpper(token),
		"Bearer " + token + ", Bearer " + token} {
		if a := r.ask("POST", pause, "", "Authorization", h); a.code != http.StatusUnauthorized {
			t.Errorf("%q: %d %s", h, a.code, a.body)
		}
	}
	for _, c := range []string{token, "", strings.Repeat("A", 75), "x", strings.Repeat("A", 5000)} {
		if a := r.ask("POST", pause, "", "Cookie", cookieName+"="+c); a.code != http.StatusUnauthorized {
			t.Errorf("cookie %q: %d %s", c, a.code, a.body)
		}
	}
	if a := r.ask("POST", pause+"?token="+token, ""); a.code != http.StatusUnauthorized {
		t.Errorf("in the query: %d %s", a.code, a.body)
	}
	r.sound(0)
}

func TestWithoutATokenNobodyActs(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *config.HTTP) { c.TokenFile = "" })
	for _, h := range []string{"", "Bearer ", "Bearer x", "Bearer " + token} {
		if a := r.ask("POST", pause, "", "Authorization", h); a.code != http.StatusForbidden || !strings.Contains(a.body, "http.token_file") {
			t.Errorf("%q: %d %s", h, a.code, a.body)
		}
	}
	for _, body := range []string{`{"token":""}`, `{}`, `{"token":"x"}`} {
		if a := r.ask("POST", "/login", body, "Content-Type", "application/json"); a.code != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
			t.Errorf("login %s: %d %s", body, a.code, a.body)
		}
	}
	if a := r.ask("GET", "/api/v1/status", ""); a.code != http.StatusOK || r.api.acts.Load() != 0 {
		t.Errorf("%d %s, %d acts", a.code, a.body, r.api.acts.Load())
	}
}

// TestReadingCanNeedTheToken: also when the request pretends to be from elsewhere.
func TestReadingCanNeedTheToken(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *config.HTTP) { c.AnonymousRead = false })
	for _, path := range []string{"status", "live", "lag", "entries", "events", "explain?path=/x", "config", "journal/stats", "remotes/a/b", "remotes/a/b/held", "openapi.json", "journal/entries"} {
		if a := r.ask("GET", "/api/v1/"+path, "", "X-Forwarded-For", "127.0.0.1"); a.code != http.StatusUnauthorized || strings.Contains(a.body, "a/b") {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
		if a := r.ask("HEAD", "/api/v1/"+path, ""); a.code != http.StatusUnauthorized {
			t.Errorf("HEAD %s: %d", path, a.code)
		}
	}
	if a := r.ask("POST", "/api/v1/report", `{}`); a.code != http.StatusUnauthorized {
		t.Errorf("report: %d %s", a.code, a.body)
	}
	if a := r.ask("GET", "/api/v1/status", "", "Authorization", "Bearer "+token); a.code != http.StatusOK {
		t.Errorf("with the token: %d %s", a.code, a.body)
	}
	if n := r.api.looks.Load(); n != 1 {
		t.Errorf("the status was asked %d times", n)
	}
}

// TestAProxyIsNotThisMachine: what it passes on needs the token, as far as it says so.
func TestAProxyIsNotThisMachine(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *config.HTTP) { c.Hosts = []config.Item{{Text: "Status.Example.com"}} })
	for _, h := range [][]string{{"X-Forwarded-For", "10.0.0.1"}, {"Forwarded", "for=10.0.0.1"}, {"Via", "1.1 x"}, {"X-Real-IP", "10.0.0.1"}, {"Host", "status.example.com"}, {"Host", "status.example.com:443"}} {
		if a := r.ask("GET", "/api/v1/status", "", h...); a.code != http.StatusUnauthorized {
			t.Errorf("%v: %d %s", h, a.code, a.body)
		}
		if a := r.ask("GET", "/api/v1/status", "", append(h, "Authorization", "Bearer "+token)...); a.code != http.StatusOK {
			t.Errorf("%v with the token: %d %s", h, a.code, a.body)
		}
	}
}

// TestHTTP10IsAProxy: nginx that was only told proxy_pass speaks it, with our own
// address for the name.
func TestHTTP10IsAProxy(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for version, want := range map[string]int{"1.0": http.StatusUnauthorized, "1.1": http.StatusOK} {
		a, err := r.raw("GET /api/v1/status HTTP/" + version + "\r\nHost: " + r.addr + "\r\nConnection: close\r\n\r\n")
		if err != nil || a.code != want {
			t.Errorf("HTTP/%s: %d, %v", version, a.code, err)
		}
	}
	a, err := r.raw("GET /healthz HTTP/1.0\r\nHost: " + r.addr + "\r\n\r\n")
	if err != nil || a.code == http.StatusUnauthorized {
		t.Errorf("/healthz is for everybody: %d, %v", a.code, err)
	}
}

// TestOtherNamesAreRefused: a name of somebody else's that leads here is no way in.
func TestOtherNamesAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *config.HTTP) { c.Hosts = []config.Item{{Text: "good.example"}, {Text: "[fd00::5]"}} })
	_, port, _ := strings.Cut(r.addr, ":")
	for _, host := range []string{"evil.example", "evil.example:" + port, "localhost.evil.example", "127.0.0.1.evil.example", "10.1.2.3", "good.example.evil", "xgood.example",
		"127.0.0.1@evil.example", "evil.example#127.0.0.1", "[::2]", "::1", "[::1", "[::1]x", "localhost:1:2", "0", "fd00::5", "..", ".", "evil.example\t"} {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			a, err := r.raw(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method, pause, host, token))
			if err != nil || a.code != http.StatusForbidden && a.code != http.StatusBadRequest {
				t.Errorf("%s for %q: %d %s %v", method, host, a.code, a.body, err)
			}
		}
	}
	for _, text := range []string{
		"POST " + pause + " HTTP/1.0\r\n\r\n",
		"POST " + pause + " HTTP/1.1\r\n\r\n",
		"POST " + pause + " HTTP/1.1\r\nHost:\r\n\r\n",
		"POST " + pause + " HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
		"POST http://evil.example" + pause + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"POST //evil.example" + pause + " HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
	} {
		text = strings.Replace(text, "\r\n\r\n", "\r\nAuthorization: Bearer "+token+"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 1)
		if a, err := r.raw(text); err != nil || a.code < 400 || a.code >= 500 {
			t.Errorf("%q: %d %s %v", text, a.code, a.body, err)
		}
	}
	r.sound(0)
	for _, host := range []string{"127.0.0.1", "127.0.0.1:" + port, "LOCALHOST:1", "localhost.", "[::1]:80", "127.9.9.9", "good.example", "GOOD.example.:8443", "[fd00::5]:1"} {
		if a := r.ask("GET", "/api/v1/lag", "", "Host", host, "Authorization", "Bearer "+token); a.code != http.StatusOK {
			t.Errorf("%q: %d %s", host, a.code, a.body)
		}
	}
}

// TestOtherSitesGetNothing: neither an action with the user's cookie, nor an answer to
// read or to embed.
func TestOtherSitesGetNothing(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	cookie := r.login(token)
	for _, h := range [][]string{
		{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Origin", "https://" + r.addr + ".evil.example"}, {"Origin", "http://127.0.0.1:1"}, {"Origin", "x"},
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "cross-site", "Origin", "http://" + r.addr},
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Content-Type", "application/x-www-form-urlencoded"},
	} {
		h = append(h, "Cookie", cookie)
		for _, path := range []string{pause, "/api/v1/pause", "/api/v1/reload", "/logout", "/login"} {
			if a := r.ask("POST", path, `{"names":["a/b"]}`, h...); a.code != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
				t.Errorf("POST %s %v: %d %s", path, h, a.code, a.body)
			}
		}
	}
	for _, h := range [][]string{{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"},
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}} {
		for _, path := range []string{"/api/v1/status", "/api/v1/live", "/api/v1/events", "/"} {
			if a := r.ask("GET", path, "", h...); a.code != http.StatusForbidden {
				t.Errorf("GET %s %v: %d", path, h, a.code)
			}
		}
	}
	a := r.ask("OPTIONS", pause, "", "Origin", "http://evil.example", "Access-Control-Request-Method", "POST")
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s", name, a.header.Get(name))
		}
	}
	if n := r.api.acts.Load(); n != 0 {
		t.Fatalf("%d things were done", n)
	}
	if a := r.ask("POST", pause, "", "Cookie", cookie, "Origin", "http://"+r.addr, "Sec-Fetch-Site", "same-origin"); a.code != http.StatusOK {
		t.Errorf("the page itself: %d %s", a.code, a.body)
	}
	if a := r.ask("GET", "/api/v1/status", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); a.code != http.StatusOK {
		t.Errorf("a link: %d %s", a.code, a.body)
	}
}

// TestEveryAnswerIsGuarded: whatever is asked, what a browser does with it is bounded.
func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, q := range [][]string{{"GET", "/api/v1/status"}, {"GET", "/"}, {"GET", "/nothing"}, {"POST", pause}, {"POST", "/login"}, {"GET", "/api/v1/explain?path=<script>alert(1)</script>"},
		{"GET", "/api/v1/live"}, {"GET", "/api/v1/status", "Host", "evil"}, {"POST", pause, "Origin", "http://evil"}, {"TRACE", "/"}, {"GET", "/login"}} {
		a := r.ask(q[0], q[1], "", q[2:]...)
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%v: %s is %q", q, name, got)
			}
		}
		if strings.Contains(a.body, "<script") {
			t.Errorf("%v: %s", q, a.body)
		}
		if kind := a.header.Get("Content-Type"); kind != "application/json" && kind != "text/event-stream" {
			t.Errorf("%v: Content-Type %q", q, kind)
		}
		if a.header.Get("Server") != "" {
			t.Errorf("%v says what it is", q)
		}
	}
}

// TestOddRequests: each is refused, or is what it says, and none leads elsewhere.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	head := "Host: 127.0.0.1\r\nConnection: close\r\n"
	for _, text := range []string{
		"GET /api/v1/../../../../etc/passwd HTTP/1.1\r\n" + head,
		"GET /assets/../../../../etc/passwd HTTP/1.1\r\n" + head,
		"GET /assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + head,
		"GET /assets/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" + head,
		"GET /assets/%252e%252e%252fetc HTTP/1.1\r\n" + head,
		"GET /..\\..\\etc\\passwd HTTP/1.1\r\n" + head,
		"GET /debug/pprof/ HTTP/1.1\r\n" + head,
		"GET /debug/pprof/heap HTTP/1.1\r\n" + head,
		"GET /api/v1/remotes/%2e%2e/b HTTP/1.1\r\n" + head,
		"GET /api/v1/remotes/a%2fb/c HTTP/1.1\r\n" + head,
		"GET /api/v1/remotes/*/* HTTP/1.1\r\n" + head,
		"GET /api/v1/remotes/a/b%00 HTTP/1.1\r\n" + head,
		"GET /api/v1/remotes/a/b%0d%0aX-Evil:%201 HTTP/1.1\r\n" + head,
		"GET /api/v1/explain?path=%0d%0aX-Evil:%201 HTTP/1.1\r\n" + head,
		"GET /api/v1/status\r\nX-Evil: 1 HTTP/1.1\r\n" + head,
		"GET /api/v1/status HTTP/1.1\r\n" + head + "X-A: b\r\n X-Folded: c\r\nX\x00: d\r\n",
		"GET /api/v1/nothing%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\n" + head,
		"PUT " + pause + " HTTP/1.1\r\n" + head, "DELETE /api/v1/status HTTP/1.1\r\n" + head, "PATCH " + pause + " HTTP/1.1\r\n" + head,
		"GET " + pause + " HTTP/1.1\r\n" + head, "HEAD " + pause + " HTTP/1.1\r\n" + head, "OPTIONS " + pause + " HTTP/1.1\r\n" + head, "TRACE " + pause + " HTTP/1.1\r\n" + head,
		"post " + pause + " HTTP/1.1\r\n" + head, "POST\t" + pause + " HTTP/1.1\r\n" + head,
		"GET " + pause + " HTTP/1.1\r\nX-HTTP-Method-Override: POST\r\n" + head,
		"POST /api/v1/status HTTP/1.1\r\n" + head + "X-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n",
		"POST " + pause + " HTTP/1.1\r\n" + head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"POST " + pause + " HTTP/1.1\r\n" + head + "Content-Length: 5\r\nContent-Length: 6\r\n",
		"POST " + pause + " HTTP/1.1\r\n" + head + "Content-Length: -1\r\n",
		"POST " + pause + " HTTP/1.1\r\n" + head + "Transfer-Encoding: x, chunked\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n", "GET\r\n", "\x00\x00\r\n", "GET / HTTP/9.9\r\n" + head,
		"GET /" + strings.Repeat("a", 200_000) + " HTTP/1.1\r\n" + head,
		"GET /api/v1/status HTTP/1.1\r\n" + head + "X-A: " + strings.Repeat("a", 200_000) + "\r\n",
		"GET /api/v1/status HTTP/1.1\r\n" + head + strings.Repeat("X-A: a\r\n", 30_000),
	} {
		a, err := r.raw(text + "\r\n")
		if err != nil && a.code == 0 {
			continue // cut off, which is as good
		}
		if a.code < 400 && a.code != http.StatusMovedPermanently && a.code != http.StatusTemporaryRedirect || a.code >= 500 && a.code != http.StatusNotImplemented && a.code != http.StatusHTTPVersionNotSupported {
			t.Errorf("%.100q: %d %.200s", text, a.code, a.body)
		}
		if a.header.Get("X-Evil") != "" || a.header.Get("Set-Cookie") != "" || strings.Contains(a.body, "root:") {
			t.Errorf("%.100q: %v %.200s", text, a.header, a.body)
		}
		if to := a.header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("%.100q leads to %s", text, to)
		}
	}
	r.sound(0)
}

// TestTheConfigurationIsShownWithoutSecrets: addresses of webhooks are secrets.
func TestTheConfigurationIsShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	if a := r.ask("GET", "/api/v1/config", ""); a.code != http.StatusOK || strings.Contains(a.body, "secret") || !strings.Contains(a.body, "https://hooks.example.com/*** # g.yaml:3") {
		t.Errorf("%d %.300s", a.code, a.body)
	}
}

// TestHugeRequests: what is too large is refused without being kept.
func TestHugeRequests(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	auth := []string{"Authorization", "Bearer " + token}
	if a := r.ask("POST", pause, `{"reason":"`+strings.Repeat("x", maxBody)+`"}`, auth...); a.code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body: %d %.100s", a.code, a.body)
	}
	if a := r.ask("POST", "/login", `{"token":"`+strings.Repeat("x", maxLogin)+`"}`); a.code != http.StatusBadRequest && a.code != http.StatusRequestEntityTooLarge {
		t.Errorf("a login: %d %.100s", a.code, a.body)
	}
	if a := r.ask("POST", "/login", "token="+strings.Repeat("x", maxLogin), "Content-Type", "application/x-www-form-urlencoded"); a.code != http.StatusUnauthorized || a.header.Get("Set-Cookie") != "" {
		t.Errorf("a form: %d %.100s", a.code, a.body)
	}
	for _, path := range []string{"/api/v1/entries?remote=" + strings.Repeat("x", 50_000), "/api/v1/explain?path=" + strings.Repeat("%ff", 15_000), "/api/v1/events?last=1" + strings.Repeat("0", 400), "/api/v1/entries?limit=1000001", "/api/v1/entries?after=" + strings.Repeat("A", 9000)} {
		if a := r.ask("GET", path, ""); a.code >= 500 {
			t.Errorf("%.60s: %d %.100s", path, a.code, a.body)
		}
	}
	if a := r.ask("POST", pause, strings.Repeat("[", 500_000), auth...); a.code != http.StatusBadRequest {
		t.Errorf("deep nesting: %d %.100s", a.code, a.body)
	}
	r.sound(0)
}
