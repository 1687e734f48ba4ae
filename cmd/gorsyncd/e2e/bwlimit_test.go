package e2e

import (
	be "encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// zoneWhere makes a time zone, Test/Zone of a directory with such, in which it is a
// given time of day at a moment: a test need not wait for a minute to be over.
func zoneWhere(t *testing.T, zones string, clock time.Duration, at time.Time) {
	t.Helper()
	of := at.UTC().Sub(at.UTC().Truncate(24 * time.Hour))
	offset := int32((clock - of).Round(time.Second) / time.Second)
	// See tzfile(5): a header, then one kind of local time and its name.
	b := append([]byte("TZif\x00"), make([]byte, 15)...)
	for _, n := range []uint32{0, 0, 0, 0, 1, 2} {
		b = be.BigEndian.AppendUint32(b, n)
	}
	b = be.BigEndian.AppendUint32(b, uint32(offset))
	b = append(b, 0, 0, 'T', 0)
	write(t, filepath.Join(zones, "Test/Zone"), string(b))
}

// TestBWLimitByTime: what is sent has the limit of the moment, status tells of it,
// and a big file that is under way when it changes goes on with the new one.
func TestBWLimitByTime(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	write(t, filepath.Join(src, "d/small"), "1")
	big := filepath.Join(filepath.Dir(src), "big")
	randomFile(t, big, 70<<20)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	r := newRig(t, oneRemote(src, d.Target("m"), "defaults: {bwlimit: 100M}"))
	zones := t.TempDir()
	r.env = []string{"ZONEINFO=" + zones} // where Go looks first
	r.start()
	r.flush(20 * time.Second)
	change := time.Now().Add(6 * time.Second)
	zoneWhere(t, zones, 8*time.Hour, change)
	r.setLine("bwlimit: 100M", `bwlimit: {"CRON_TZ=Test/Zone 08:00-07:00": 0, otherwise: 1M}`)
	contains(t, r.mustCLI("reload"), "src/r: bwlimit changed; goes on from its cursor")
	st := r.status().remote(t, "src/r")
	if st.Limit != 1<<20 || st.LimitUntil == nil || st.LimitUntil.Sub(change).Abs() > 2*time.Second {
		t.Fatalf("the limit before %v: %d until %v", change, st.Limit, st.LimitUntil)
	}
	out, _, _ := r.cli("status")
	contains(t, out, "at most 1.0 MiB/s for another ")
	must(t, os.Rename(big, filepath.Join(src, "d/big")))
	r.flush(25 * time.Second) // a minute and more with the first limit
	testbed.WaitEqual(t, src, dst, time.Second)
	if st := r.status().remote(t, "src/r"); st.Limit != 0 || st.State != "in_sync" {
		t.Errorf("after the change: %+v", st)
	}
	log, err := os.ReadFile(r.log)
	must(t, err)
	contains(t, string(log), "another bandwidth limit is in force", "stopped=1")
	out, _, _ = r.cli("status")
	contains(t, out, "no bandwidth limit for another ")
}

func randomFile(t *testing.T, path string, size int64) {
	t.Helper()
	from, err := os.Open("/dev/urandom")
	must(t, err)
	defer from.Close()
	to, err := os.Create(path)
	must(t, err)
	_, err = io.CopyN(to, from, size)
	must(t, errors.Join(err, to.Close()))
}
