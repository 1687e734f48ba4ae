package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// noteDir holds the old values of kernel settings that are changed at the
// moment, so that CleanStale can put them back after a kill.
func noteDir() string { return filepath.Join(os.TempDir(), "gorsyncd-lab-sysctl") }

// WriteSysctl sets a kernel setting such as "fs.inotify.max_queued_events" (or
// with slashes, which a part with a dot needs) for the whole machine, and returns the function that puts the
// old value back. Changes of one setting nest: restore in reverse order.
func WriteSysctl(name, value string) (restore func() error, err error) {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	path := filepath.Join("/proc/sys", name)
	old, err := os.ReadFile(path)
	if err != nil {
		return nil, unsupported("sysctl "+name, "%v", err)
	}
	if err := os.MkdirAll(noteDir(), 0o700); err != nil {
		return nil, fmt.Errorf("sysctl %s: %w", name, err)
	}
	note, err := os.CreateTemp(noteDir(), fmt.Sprintf("%d-*", os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("sysctl %s: %w", name, err)
	}
	_, err = fmt.Fprintf(note, "%s\n%s", name, old)
	if err := firstError(err, note.Close()); err != nil {
		return nil, fmt.Errorf("sysctl %s: %w", name, err)
	}
	restore = func() error { return restoreSysctl(note.Name()) }
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		_ = os.Remove(note.Name()) // nothing was changed
		return nil, fmt.Errorf("sysctl %s=%s: %w", name, value, err)
	}
	return restore, nil
}

// restoreSysctl puts back what a note holds and removes it.
func restoreSysctl(note string) error {
	b, err := os.ReadFile(note)
	if os.IsNotExist(err) {
		return nil // restored before
	}
	if err != nil {
		return fmt.Errorf("restore sysctl: %w", err)
	}
	name, old, ok := strings.Cut(string(b), "\n")
	if ok { // else the writer was killed before it changed anything
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(old), 0); err != nil {
			return fmt.Errorf("restore sysctl %s: %w", name, err)
		}
	}
	return os.Remove(note)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
