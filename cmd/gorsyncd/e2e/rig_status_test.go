package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"
)

// tryStatus asks the daemon as `gorsyncd status --json` does, without a process
// each time: with the race detector one takes a quarter of a second of processor
// time, and tests ask twenty times a second.
func (r *rig) tryStatus() (statusDoc, bool) {
	r.t.Helper()
	var doc statusDoc
	code, out, err := r.tryGet("/api/v1/status")
	if err != nil || code != http.StatusOK {
		return doc, false
	}
	asItsSchema(r.t, "status", out)
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		r.t.Fatalf("status: %v\n%s", err, out)
	}
	return doc, doc.Source == "daemon"
}

// get asks the daemon on its socket.
func (r *rig) get(path string) (code int, body string) {
	r.t.Helper()
	code, body, err := r.tryGet(path)
	must(r.t, err)
	return code, body
}

func (r *rig) tryGet(path string) (code int, body string, err error) {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", r.socket)
		}}}
	resp, err := client.Get("http://localhost" + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// status is what the daemon tells now.
func (r *rig) status() statusDoc {
	r.t.Helper()
	doc, ok := r.tryStatus()
	if !ok {
		r.t.Fatalf("no status from the daemon: %+v", doc)
	}
	return doc
}

// statusOfCommand is the same as the command prints it.
func (r *rig) statusOfCommand() statusDoc {
	r.t.Helper()
	out, errOut, code := r.cli("status", "--json")
	asItsSchema(r.t, "status", out)
	var doc statusDoc
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		r.t.Fatalf("status --json (exit %d): %v\n%s%s", code, err, out, errOut)
	}
	return doc
}
