package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// listen opens a live stream with a header.
func (r *rig) listen(header string) net.Conn {
	r.t.Helper()
	conn, err := net.DialTimeout("tcp", r.addr, 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, "GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n\r\n"); err != nil {
		r.t.Fatal(err)
	}
	if a, err := readAnswer(conn); err != nil || a.code != http.StatusOK {
		r.t.Fatalf("%d %s %v", a.code, a.body, err)
	}
	return conn
}

// ends tells whether an answer that was begun comes to its end.
func ends(conn net.Conn) bool {
	scan := bufio.NewScanner(conn)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		if scan.Text() == "0" { // the last chunk
			return true
		}
	}
	return false
}

// login returns the cookie of a login, "" when it failed.
func (r *rig) login(with string) string {
	r.t.Helper()
	a := r.ask("POST", "/login", `{"token":"`+with+`"}`, "Content-Type", "application/json")
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if (cookie != "") != (a.code == http.StatusOK) {
		r.t.Errorf("login: %d with the cookie %q", a.code, cookie)
	}
	return cookie
}

func TestLoginAndLogout(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *config.HTTP) { c.AnonymousRead = false })
	a := r.ask("POST", "/login", "token="+token+"%20", "Content-Type", "application/x-www-form-urlencoded")
	whole := a.header.Get("Set-Cookie")
	if a.code != http.StatusSeeOther || a.header.Get("Location") != "/" {
		t.Fatalf("a form: %d %v", a.code, a.header)
	}
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/", cookieName + "="} {
		if !strings.Contains(whole, part) {
			t.Errorf("%s lacks %s", whole, part)
		}
	}
	if strings.Contains(whole, token) || strings.Contains(whole, "Secure") {
		t.Errorf("%s", whole)
	}
	first, _, _ := strings.Cut(whole, ";")
	second := r.login(token)
	if first == second {
		t.Error("two logins have the same ticket")
	}
	may := func(cookie string, want int) {
		t.Helper()
		if a := r.ask("POST", pause, "", "Cookie", cookie); a.code != want {
			t.Errorf("%d %s, want %d", a.code, a.body, want)
		}
	}
	may(first, http.StatusOK)
	may(second, http.StatusOK)
	if a := r.ask("POST", "/logout", "", "Cookie", first); a.code != http.StatusOK || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d %v", a.code, a.header)
	}
	may(first, http.StatusUnauthorized)
	may(second, http.StatusOK)
	may(second[:len(second)-1]+"_", http.StatusUnauthorized)

	stream := r.listen("Cookie: " + second)
	defer stream.Close()
	// A new token ends what the old one was for, without another listener.
	other := strings.Repeat("z", 40)
	conf := config.HTTP{Listen: "127.0.0.1:0", TokenFile: tokenFile(t, other), MaxClients: 20}
	r.web.Set(conf)
	for end := time.Now().Add(10 * time.Second); r.ask("GET", "/api/v1/lag", "", "Cookie", second).code == http.StatusOK; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the old ticket is good for ever")
		}
	}
	if got := r.web.Status().Address; got != r.addr {
		t.Errorf("served at %s, before at %s", got, r.addr)
	}
	if !ends(stream) {
		t.Error("a stream goes on that the old token let in")
	}
	if r.login(other) == "" || r.login(token) != "" {
		t.Error("the new token is not in use")
	}
	// One that cannot be used leaves it as it is.
	if err := os.WriteFile(conf.TokenFile, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.web.Set(conf)
	if r.login(other) == "" {
		t.Error("a token that cannot be used took the place of one that can")
	}
}

func TestWrongTokensAreThrottled(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	cookie := r.login(token)
	refused := 0
	for range 2 * guessBurst {
		switch a := r.ask("GET", "/api/v1/lag", "", "Authorization", "Bearer wrong"); a.code {
		case http.StatusTooManyRequests:
			refused++
			if a.header.Get("Retry-After") == "" {
				t.Error("it does not say when to try again")
			}
		case http.StatusUnauthorized:
		default:
			t.Fatalf("%d %s", a.code, a.body)
		}
	}
	if refused < guessBurst/2 {
		t.Errorf("only %d of %d were throttled", refused, 2*guessBurst)
	}
	// Who is logged in, or looks without a token, is not held up.
	if a := r.ask("POST", pause, "", "Cookie", cookie); a.code != http.StatusOK {
		t.Errorf("with a ticket: %d %s", a.code, a.body)
	}
	if a := r.ask("GET", "/api/v1/lag", ""); a.code != http.StatusOK {
		t.Errorf("without a token: %d %s", a.code, a.body)
	}
	if a := r.ask("POST", "/login", "token=x", "Content-Type", "application/x-www-form-urlencoded"); a.code != http.StatusTooManyRequests {
		t.Errorf("a login: %d", a.code)
	}
}
