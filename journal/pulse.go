package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// The pulse is a small file among Badger's that is overwritten, without
// waiting for the disk, after every commit. It outlives a killed process, so
// that a write-ahead log that was damaged afterwards is noticed down to its
// last transaction. It also knows which file it is: the files of a copy are
// others, and a journal that was put back from a copy knows nothing of what
// the remotes were told since.
type pulse struct {
	f      *os.File
	self   []byte
	log    *slog.Logger
	failed bool
}

const (
	pulseName = "PULSE"
	pulseSize = 512 // one sector: never torn
)

// heartbeat is the content of a pulse.
type heartbeat struct {
	Epoch  string
	Serial uint64 // at least this many commits were acknowledged
	Self   []byte // identity of the file; empty where the file system has none
}

func (h *heartbeat) encode() []byte {
	e := newEncoder(256)
	e.string(h.Epoch)
	e.uint(h.Serial)
	e.string(string(h.Self))
	val := e.seal([]byte(pulseName))
	b := make([]byte, 0, pulseSize)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(val))), val...)
	return append(b, make([]byte, max(0, pulseSize-len(b)))...)
}

func decodeHeartbeat(b []byte) (heartbeat, error) {
	if len(b) != pulseSize || int(binary.BigEndian.Uint16(b)) > pulseSize-2 {
		return heartbeat{}, errShort
	}
	d := open([]byte(pulseName), b[2:2+binary.BigEndian.Uint16(b)], 1)
	h := heartbeat{Epoch: d.string(), Serial: d.uint(), Self: []byte(d.string())}
	return h, d.end()
}

// readPulse returns nil when there is none.
func readPulse(dir string) (*heartbeat, error) {
	name := filepath.Join(dir, pulseName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal pulse: %w", err)
	}
	h, err := decodeHeartbeat(b)
	if err != nil {
		return nil, &CorruptError{Dir: dir, Place: name, Err: err}
	}
	return &h, nil
}

// startPulse opens the pulse and writes a first beat durably; a missing one
// is made.
func startPulse(dir, epoch string, serial uint64, log *slog.Logger) (*pulse, error) {
	f, err := os.OpenFile(filepath.Join(dir, pulseName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal pulse: %w", err)
	}
	p := &pulse{f: f, log: log}
	if p.self, err = fileHandle(f.Name()); errors.Is(err, errNoHandle) {
		err = nil
	}
	if err == nil {
		_, err = f.WriteAt((&heartbeat{epoch, serial, p.self}).encode(), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write journal pulse: %w", err)
	}
	return p, nil
}

// beat notes a commit. That it cannot be noted is no failure: what the pulse
// says stays true.
func (p *pulse) beat(epoch string, serial uint64) {
	if p == nil {
		return
	}
	_, err := p.f.WriteAt((&heartbeat{epoch, serial, p.self}).encode(), 0)
	if err != nil && !p.failed {
		p.log.Warn("journal pulse cannot be written", "error", err)
	}
	p.failed = err != nil
}

func (p *pulse) close() {
	if p != nil {
		p.f.Close() // nothing is buffered
	}
}

// foreign tells whether the pulse was written to another file than it stands
// in.
func (h *heartbeat) foreign(dir string) bool {
	if len(h.Self) == 0 {
		return false
	}
	self, err := fileHandle(filepath.Join(dir, pulseName))
	if errors.Is(err, errNoHandle) {
		return true // made on a file system that has identities
	}
	return err == nil && self != nil && !bytes.Equal(self, h.Self)
}
