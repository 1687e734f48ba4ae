package outbound

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestShownURLs(t *testing.T) {
	for _, c := range [][3]string{
		{"https://u:p@h/path?token=x", "https://u@h/path?…", "https://h/…"},
		{"https://h:8443/robot/SECRET", "https://h:8443/robot/SECRET", "https://h:8443/…"},
		{"::", "URL", "URL"},
	} {
		if got, host := WithoutSecrets(c[0]), HostOnly(c[0]); got != c[1] || host != c[2] {
			t.Errorf("%s: %s, %s", c[0], got, host)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "99999999999": 0,
		"Mon, 30 Nov 2026 12:01:00 GMT": time.Minute, "Mon, 30 Nov 2026 11:00:00 GMT": 0} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// TestErrorsHaveNoURL, and a redirect is not followed.
func TestErrorsHaveNoURL(t *testing.T) {
	var c Client
	for _, u := range []string{"http://127.0.0.1:1/SECRET", "http://[::1]:namedport/SECRET", "nothing://SECRET"} {
		if _, err := c.Do(t.Context(), "POST", u, http.Header{}, nil); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", u, err)
		}
	}
	srv := httptest.NewServer(http.RedirectHandler("/elsewhere?SECRET", http.StatusFound))
	defer srv.Close()
	r, err := c.Do(t.Context(), "POST", srv.URL, http.Header{}, nil)
	if err != nil || r.Code != http.StatusFound || strings.Contains(r.Location, "SECRET") {
		t.Errorf("%+v %v", r, err)
	}
}

func TestRun(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/secret")
	ran := Run(t.Context(), []string{"/bin/sh", "-c", `cat; pwd; echo "$NOTIFY_SOCKET$X"`}, []string{"X=extra"}, []byte("in\n"))
	if ran.Err != nil || ran.State.ExitCode() != 0 || ran.Said != "extra" {
		t.Errorf("%+v", ran)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if ran := Run(ctx, []string{"sleep", "600"}, nil, nil); ran.State == nil || ran.State.Success() {
		t.Errorf("%+v", ran)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("prog", []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", ".")
	if ran := Run(t.Context(), []string{"prog"}, nil, nil); !errors.Is(ran.Err, ErrRelative) {
		t.Errorf("%+v", ran)
	}
}
