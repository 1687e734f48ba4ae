package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

type reportDoc struct {
	Source  string `json:"source"`
	Remotes []struct {
		Remote    string `json:"remote"`
		Delivered uint64 `json:"delivered"`
		Bytes     uint64 `json:"bytes"`
		Latency   *struct {
			P50 float64 `json:"p50_seconds"`
			Max float64 `json:"max_seconds"`
		} `json:"latency"`
		Behind  float64 `json:"longest_behind_seconds"`
		Outages []struct {
			ErrorID string     `json:"error_id"`
			End     *time.Time `json:"end"`
		} `json:"outages"`
		Full   []struct{} `json:"full_syncs"`
		Verify []struct {
			Complete    bool   `json:"complete"`
			Differences uint64 `json:"differences"`
		} `json:"verifies"`
	} `json:"remotes"`
}

// TestReport: an outage, the delay of what waited for its end, and the runs are in
// the report, also after a restart, and without the daemon.
func TestReport(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	d, r := serve(t, src, dst, "defaults: {retry: {initial: 200ms, max: 500ms}}")
	r.start()
	r.flush(20 * time.Second)
	for i := range 20 {
		write(t, filepath.Join(src, fmt.Sprint(i)), "12345")
	}
	r.flush(20 * time.Second)
	d.Stop()
	write(t, filepath.Join(src, "waits"), "1")
	r.waitState("src/r", "retrying", 10*time.Second)
	time.Sleep(1500 * time.Millisecond)
	must(t, d.Start())
	r.flush(20 * time.Second)
	r.mustCLI("verify", "src/r")

	read := func() reportDoc {
		t.Helper()
		var doc reportDoc
		must(t, json.Unmarshal([]byte(r.mustCLI("report", "--json", "--since", "1h")), &doc))
		return doc
	}
	judge := func(doc reportDoc, source string) {
		t.Helper()
		if doc.Source != source || len(doc.Remotes) != 1 {
			t.Fatalf("%+v", doc)
		}
		m := doc.Remotes[0]
		if m.Delivered < 21 || m.Bytes < 101 || m.Latency == nil || m.Latency.Max < 1.5 || m.Latency.P50 > m.Latency.Max || m.Behind < 1.5 {
			t.Errorf("%s: %+v, %+v", source, m, m.Latency)
		}
		if len(m.Outages) != 1 || m.Outages[0].ErrorID != "E-CONNECT" || m.Outages[0].End == nil {
			t.Errorf("%s: outages %+v", source, m.Outages)
		}
		if len(m.Full) != 1 || len(m.Verify) != 1 || !m.Verify[0].Complete || m.Verify[0].Differences != 0 {
			t.Errorf("%s: runs %+v %+v", source, m.Full, m.Verify)
		}
	}
	judge(read(), "daemon")
	r.stop()
	judge(read(), "files")
	r.start()
	judge(read(), "daemon")
	contains(t, r.mustCLI("report"), "src/r", "median", "E-CONNECT", "full sync", "verify")
}

// TestCompactUnderLoad: it is harmless, and says what it has freed, with the daemon
// and without it.
func TestCompactUnderLoad(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	_, r := serve(t, src, dst, "")
	r.start()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				write(t, filepath.Join(src, fmt.Sprintf("d%d", i%50), fmt.Sprint(i)), "x")
			}
		}
	}()
	for range 3 {
		contains(t, r.mustCLI("journal", "compact", "--json"), `"before_bytes":`, `"truncated_entries":`)
	}
	close(stop)
	<-done
	r.flush(30 * time.Second)
	r.stop()
	contains(t, r.mustCLI("journal", "compact"), "before", "after")
	r.start()
	r.flush(20 * time.Second)
}
