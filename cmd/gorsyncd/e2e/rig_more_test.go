package e2e

import (
	"bytes"
	"os/exec"
	"testing"

	"gorsyncd/bench/testbed"
)

// keptDoc is a remote that is no longer configured, in status --json.
type keptDoc struct {
	Name       string `json:"name"`
	CursorSeq  uint64 `json:"cursor_seq"`
	LagEntries uint64 `json:"lag_entries"`
	FullSync   bool   `json:"full_sync"`
}

func (d statusDoc) kept(name string) (keptDoc, bool) {
	for _, k := range d.Kept {
		if k.Name == name {
			return k, true
		}
	}
	return keptDoc{}, false
}

// startCommand starts the binary; it dies with the test.
func startCommand(t *testing.T, args ...string) *testbed.Process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = env()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := testbed.StartProcess(cmd)
	must(t, err)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of gorsyncd %v:\n%s", args, tail(out.String(), 8000))
		}
	})
	return p
}
