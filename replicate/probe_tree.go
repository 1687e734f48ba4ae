package replicate

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// The files of a probe. Links are judged apart from the attributes of files,
// and these apart from xattrs and ACLs, of which a failure may cost the file.
const (
	probeFile  = "file"
	probeAttrs = "attributes"
	probeGone  = "gone" // is never there
)

// probeLinks are names of links and what they point to: a neighbour, an
// absolute path, a path that climbs out of the tree. Servers treat each
// differently.
var probeLinks = map[string]string{
	"near": probeFile,
	"far":  "/gorsyncd/probe",
	"up":   "../../../probe",
}

// An owner and group that nobody has, within what user namespaces map.
const (
	probeUID = 47321
	probeGID = 47322
)

// probeTime has nanoseconds that no coarse clock keeps.
var probeTime = time.Unix(981173106, 123456789)

// makeProbe makes the files of a probe in a directory of its own.
func makeProbe(dir string, asked aspects) (probeTree, error) {
	t := probeTree{dir: dir, full: filepath.Join(dir, "full"), none: filepath.Join(dir, "none"), has: asked}
	if err := t.make(); err != nil {
		os.RemoveAll(dir)
		return t, fmt.Errorf("make the files of a probe: %w", err)
	}
	return t, nil
}

func (t *probeTree) make() error {
	if err := os.RemoveAll(t.dir); err != nil {
		return err
	}
	for _, dir := range []string{t.none, t.path("")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	t.list = append(t.list, "./"+probeName+"\x00"...)
	for name, to := range probeLinks {
		if err := os.Symlink(to, t.path(name)); err != nil {
			return err
		}
		t.add(name)
	}
	for _, name := range []string{probeFile, probeAttrs} {
		if err := os.WriteFile(t.path(name), []byte("gorsyncd looks whether this is kept\n"), 0o600); err != nil {
			return err
		}
		t.add(name)
	}
	return t.dress()
}

func (t *probeTree) add(name string) {
	t.list = append(t.list, "./"+probeName+"/"+name+"\x00"...)
}

// dress gives the files what the remote is to keep, as far as the file system
// here holds it.
func (t *probeTree) dress() error {
	file, attrs := t.path(probeFile), t.path(probeAttrs)
	if t.has.owners {
		t.has.owners = os.Lchown(file, probeUID, probeGID) == nil
	}
	if err := os.Chmod(file, 0o640); err != nil {
		return err
	}
	if t.has.xattrs {
		t.has.xattrs = unix.Lsetxattr(attrs, "user.gorsyncd", []byte("probe"), 0) == nil
	}
	if t.has.acls {
		t.has.acls = unix.Lsetxattr(attrs, "system.posix_acl_access", probeACL(), 0) == nil
	}
	if err := os.Chtimes(file, probeTime, probeTime); err != nil {
		return err
	}
	fi, err := os.Stat(file)
	if err != nil {
		return err
	}
	t.has.times = t.has.times && fi.ModTime().Equal(probeTime)
	return nil
}

// probeACL lets one more user read, in the form of acl(5) that the kernel takes.
func probeACL() []byte {
	const anyone = 0xffffffff
	b := binary.LittleEndian.AppendUint32(nil, 2) // version
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, anyone}, {0x02, 4, probeUID}, {0x04, 0, anyone}, {0x10, 4, anyone}, {0x20, 0, anyone}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}
