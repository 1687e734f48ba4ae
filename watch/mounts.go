package watch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts follows the mount table: inotify says nothing of a mount or an
// unmount, its watches just vanish (inotify(7)).
type mounts struct {
	// fd is /proc/self/mountinfo, kept open: poll(2) tells once when it
	// changed. (An os.File would be polled by the runtime too.)
	fd   int
	real string // the root without symbolic links, as the table has it
	// below holds the mount points below the root, relative to it, with an
	// identity that changes when another file system is mounted there.
	below map[string]string
	// devices are all that are mounted anywhere.
	devices map[uint64]struct{}
}

func openMounts(root string) (*mounts, error) {
	fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	m := &mounts{fd: fd, real: root}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		m.real = real
	}
	return m, nil
}

func (m *mounts) close() { unix.Close(m.fd) }

// changed tells whether the table changed since it was last asked.
func (m *mounts) changed() bool {
	p := []unix.PollFd{{Fd: int32(m.fd), Events: unix.POLLPRI}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0 && p[0].Revents&(unix.POLLPRI|unix.POLLERR) != 0
}

// refresh reads the table and returns what came and went below the root. A
// mount point where another file system stands now has come.
func (m *mounts) refresh() (came, went []string, err error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, nil, err
	}
	now := mountsBelow(text, m.real)
	for p := range now {
		now[p] += uniqueMount(m.real + "/" + p)
	}
	for p, id := range now {
		if m.below[p] != id {
			came = append(came, p)
		}
	}
	for p := range m.below {
		if _, ok := now[p]; !ok {
			went = append(went, p)
		}
	}
	m.below, m.devices = now, mountedDevices(text)
	return came, went, nil
}

// uniqueMount is the id of a mounting that is never used again, unlike the one in
// the table; "" before Linux 6.8.
func uniqueMount(abs string) string {
	var st unix.Statx_t
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_DONT_SYNC
	if unix.Statx(unix.AT_FDCWD, abs, flags, unix.STATX_MNT_ID_UNIQUE, &st) != nil || st.Mask&unix.STATX_MNT_ID_UNIQUE == 0 {
		return ""
	}
	return " " + strconv.FormatUint(st.Mnt_id, 16)
}

// under returns the mount points at rel or below it.
func (m *mounts) under(rel string) []string {
	var list []string
	for p := range m.below {
		if p == rel || isBelow(p, rel) {
			list = append(list, p)
		}
	}
	return list
}

// isBelow tells whether p is a path strictly below dir.
func isBelow(p, dir string) bool {
	if dir == "" {
		return p != ""
	}
	return len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}

// mountsBelow parses the table (proc(5)): mount id, parent, device, root, mount
// point, … Of several mounts on one point the last one counts.
func mountsBelow(text []byte, root string) map[string]string {
	prefix := strings.TrimSuffix(root, "/") + "/"
	below := map[string]string{}
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) < 5 {
			continue
		}
		if rel, ok := strings.CutPrefix(unescapeMount(f[4]), prefix); ok && rel != "" {
			below[rel] = f[0] + " " + f[2] + " " + f[3]
		}
	}
	return below
}

// mountedDevices are the third column of the table.
func mountedDevices(text []byte) map[uint64]struct{} {
	devices := map[uint64]struct{}{}
	for line := range bytes.Lines(text) {
		var id, parent, major, minor uint32
		if n, _ := fmt.Sscanf(string(line), "%d %d %d:%d", &id, &parent, &major, &minor); n == 4 {
			devices[unix.Mkdev(major, minor)] = struct{}{}
		}
	}
	return devices
}

// unescapeMount undoes the \ooo of space, tab, newline and backslash.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// remoteFS tells file systems whose changes by other hosts (or by a server)
// cause no events here (statfs(2) lists the numbers).
func remoteFS(magic int64) bool {
	switch uint32(magic) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC,
		unix.NCP_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC,
		0x0bd00bd0, // Lustre
		0x47504653, // GPFS
		0x01161970, // GFS2
		0x7461636f: // OCFS2
		return true
	}
	return false
}
