package journald

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// journal is a socket as journald has one.
type journal struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newJournal(t *testing.T) *journal {
	t.Helper()
	dir, err := os.MkdirTemp("", "grj") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	j := &journal{t: t, path: filepath.Join(dir, "socket")}
	j.listen()
	return j
}

func (j *journal) listen() {
	j.t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: j.path, Net: "unixgram"})
	if err != nil {
		j.t.Fatal(err)
	}
	j.conn = conn
	j.t.Cleanup(func() { conn.Close() })
}

// next receives an entry, from the file that comes with it if there is one.
func (j *journal) next() map[string]string {
	j.t.Helper()
	buf, oob := make([]byte, 1<<20), make([]byte, 1024)
	if err := j.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		j.t.Fatal(err)
	}
	n, oobn, _, _, err := j.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		j.t.Fatal(err)
	}
	data := buf[:n]
	if oobn > 0 {
		data = j.file(oob[:oobn])
	}
	return j.parse(data)
}

func (j *journal) file(oob []byte) []byte {
	j.t.Helper()
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		j.t.Fatal(msgs, err)
	}
	fds, err := syscall.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		j.t.Fatal(fds, err)
	}
	f := os.NewFile(uintptr(fds[0]), "memfd")
	defer f.Close()
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if want := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL; err != nil || seals != want {
		j.t.Errorf("seals %x %v, want %x", seals, err, want)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		j.t.Fatal(err)
	}
	return b
}

// parse reads the native protocol as its documentation has it.
func (j *journal) parse(data []byte) map[string]string {
	j.t.Helper()
	out := map[string]string{}
	for len(data) > 0 {
		line, rest, ok := bytes.Cut(data, []byte("\n"))
		if !ok {
			j.t.Fatalf("no newline behind %q", line)
		}
		name, value, simple := strings.Cut(string(line), "=")
		if !simple {
			n := binary.LittleEndian.Uint64(rest)
			value, rest = string(rest[8:8+n]), rest[8+n:]
			if rest[0] != '\n' {
				j.t.Fatalf("no newline behind the value of %s", name)
			}
			rest = rest[1:]
		}
		if !regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`).MatchString(name) {
			j.t.Errorf("%q is no name of a field", name)
		}
		if _, twice := out[name]; twice {
			j.t.Errorf("%s is there twice", name)
		}
		out[name], data = value, rest
	}
	return out
}

func (j *journal) logger(level slog.Level) *slog.Logger {
	j.t.Helper()
	h, err := newAt(j.path, level)
	if err != nil {
		j.t.Fatal(err)
	}
	j.t.Cleanup(func() { h.out.close() })
	return slog.New(h)
}

func (j *journal) expect(want map[string]string) {
	j.t.Helper()
	got := j.next()
	for name, v := range want {
		if is, ok := got[name]; !ok || is != v {
			j.t.Errorf("%s is %q, want %q", name, is, v)
		}
	}
	if len(got) != len(want) {
		j.t.Errorf("got %q, want %q", got, want)
	}
}

func TestFields(t *testing.T) {
	j := newJournal(t)
	log := j.logger(slog.LevelDebug)
	at := time.Date(2026, 11, 30, 12, 0, 0, 5, time.FixedZone("x", 3600))

	log.With("source", "www", "remote", "nas").Warn("remote failed", "error_id", "E-AUTH", "rsync_exit", 5, "next_retry", at)
	j.expect(map[string]string{
		"MESSAGE":  `remote failed source=www remote=nas error_id=E-AUTH rsync_exit=5 next_retry=2026-11-30T12:00:00.000+01:00`,
		"PRIORITY": "4", "SYSLOG_IDENTIFIER": "gorsyncd", "MESSAGE_ID": idOf("remote failed"),
		"GORSYNCD_SOURCE": "www", "GORSYNCD_REMOTE": "www/nas", "GORSYNCD_ERROR_ID": "E-AUTH", "GORSYNCD_RSYNC_EXIT": "5",
		"GORSYNCD_NEXT_RETRY": "2026-11-30T11:00:00.000000005Z",
	})
	log.Error("went wrong", "remote", "www/nas", "error", errors.New("no \"luck\""))
	j.expect(map[string]string{
		"MESSAGE": `went wrong remote=www/nas error="no \"luck\""`, "PRIORITY": "3", "SYSLOG_IDENTIFIER": "gorsyncd",
		"GORSYNCD_SOURCE": "www", "GORSYNCD_REMOTE": "www/nas", "GORSYNCD_ERROR": `no "luck"`,
	})
	log.With("name", "www").Info("looked", "source", "/data0/www", "path", "a\nMESSAGE=forged\n\xff")
	j.expect(map[string]string{
		"MESSAGE": `looked name=www source=/data0/www path="a\nMESSAGE=forged\n\xff"`, "PRIORITY": "6", "SYSLOG_IDENTIFIER": "gorsyncd",
		"GORSYNCD_SOURCE": "www", "GORSYNCD_ROOT": "/data0/www", "GORSYNCD_PATH": "a\nMESSAGE=forged\n\xff",
	})
	log.WithGroup("g").With("a.b", 1).Debug("plain", slog.Group("h", "ü", true), "", "dropped")
	j.expect(map[string]string{
		"MESSAGE": `plain g.a.b=1 g.h.ü=true`, "PRIORITY": "7", "SYSLOG_IDENTIFIER": "gorsyncd",
		"GORSYNCD_G_A_B": "1", "GORSYNCD_G_H__": "true",
	})
}

func TestLevel(t *testing.T) {
	j := newJournal(t)
	log := j.logger(slog.LevelWarn)
	log.Info("not this")
	log.Warn("but this")
	j.expect(map[string]string{"MESSAGE": "but this", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "gorsyncd"})
}

// TestBig: what no message can hold comes in a sealed file.
func TestBig(t *testing.T) {
	j := newJournal(t)
	stack := strings.Repeat("goroutine 1 [running]:\n", 1<<17)
	j.logger(slog.LevelInfo).Error("panic", "stack", stack)
	if got := j.next(); got["GORSYNCD_STACK"] != stack {
		t.Errorf("%d bytes arrived, want %d", len(got["GORSYNCD_STACK"]), len(stack))
	}
}

// TestJournalThatHangs: the first message is waited for, the next are not, and
// their number is told.
func TestJournalThatHangs(t *testing.T) {
	j := newJournal(t)
	log := j.logger(slog.LevelInfo)
	start := time.Now()
	const n = 2000 // more than any queue of a socket takes
	for range n {
		log.Info("m")
	}
	if took := time.Since(start); took < patience || took > 3*patience {
		t.Errorf("%d messages took %s, want about %s", n, took, patience)
	}
	got := 0
	for note := ""; note == ""; {
		if e := j.next(); e["MESSAGE"] == "m" {
			got++
		} else {
			note = e["MESSAGE"]
		}
		if got == 5 {
			log.Info("there is room again")
		}
		if want := regexp.MustCompile(`^\d+ messages before this one are missing`); note != "" && !want.MatchString(note) {
			t.Errorf("note %q", note)
		}
	}
	j.expect(map[string]string{"MESSAGE": "there is room again", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "gorsyncd"})
	if got == n {
		t.Error("nothing was lost: the test shows nothing")
	}
}

// TestJournalThatIsAway: while journald is started again its socket may be gone.
func TestJournalThatIsAway(t *testing.T) {
	j := newJournal(t)
	log := j.logger(slog.LevelInfo)
	j.conn.Close()
	log.Info("lost")
	log.Info("lost")
	if err := os.Remove(j.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	j.listen()
	log.Info("back")
	if got := j.next()["MESSAGE"]; got != "2 messages before this one are missing: the journal did not take them" {
		t.Errorf("got %q", got)
	}
	if got := j.next()["MESSAGE"]; got != "back" {
		t.Errorf("got %q", got)
	}
}

func TestConnected(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	is := func(dev, ino uint64) string { return strings.Join([]string{fmt.Sprint(dev), fmt.Sprint(ino)}, ":") }
	for stream, want := range map[string]bool{is(st.Dev, st.Ino): true, is(st.Dev, st.Ino+1): false, is(st.Dev+1, st.Ino): false, "": false, ":": false, "x": false} {
		if got := connected(stream, int(f.Fd())); got != want {
			t.Errorf("%q: %v", stream, got)
		}
	}
	if connected(is(st.Dev, st.Ino), -1) {
		t.Error("a closed descriptor is connected")
	}
}

func TestNoJournal(t *testing.T) {
	if _, err := newAt(filepath.Join(t.TempDir(), "none"), slog.LevelInfo); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestEvents: ids are unique and of the right form, and each belongs to a message
// that the program has.
func TestEvents(t *testing.T) {
	source := ""
	for _, dir := range []string{"../daemon", "../service", "../..", "../../../../watch", "../../../../replicate", "../../../../journal"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			source += string(b)
		}
	}
	ids := map[string]bool{}
	for _, e := range Events() {
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(e.ID) || ids[e.ID] {
			t.Errorf("%q is no id, or not the only one", e.ID)
		}
		ids[e.ID] = true
		if !regexp.MustCompile(`og\.(Info|Warn|Error)\("` + regexp.QuoteMeta(e.Message) + `"`).MatchString(source) {
			t.Errorf("nothing logs %q", e.Message)
		}
	}
}
