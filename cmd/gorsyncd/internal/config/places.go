package config

import "path/filepath"

// Paths are the default places of one process.
type Paths struct {
	Config   string
	StateDir string
	Socket   string
}

// DefaultPaths returns where things are when nobody says otherwise: systemd's
// directories if it gave some, else the usual ones of root or of a user.
// GORSYNCD_* variables are flags in another spelling and are handled as such.
func DefaultPaths(getenv func(string) string, root bool) Paths {
	p := Paths{
		Config:   "/etc/gorsyncd/gorsyncd.yaml",
		StateDir: "/var/lib/gorsyncd",
		Socket:   "/run/gorsyncd/gorsyncd.sock",
	}
	if !root {
		home := getenv("HOME")
		p.Config = filepath.Join(or(getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "gorsyncd", "gorsyncd.yaml")
		p.StateDir = filepath.Join(or(getenv("XDG_STATE_HOME"), filepath.Join(home, ".local", "state")), "gorsyncd")
		// Without a runtime directory not in /tmp, where anybody could be
		// first at a name that can be guessed.
		p.Socket = filepath.Join(p.StateDir, "gorsyncd.sock")
		if xdg := getenv("XDG_RUNTIME_DIR"); xdg != "" {
			p.Socket = filepath.Join(xdg, "gorsyncd", "gorsyncd.sock")
		}
	}
	if dir := firstDir(getenv("STATE_DIRECTORY")); dir != "" {
		p.StateDir = dir
	}
	if dir := firstDir(getenv("RUNTIME_DIRECTORY")); dir != "" {
		p.Socket = filepath.Join(dir, "gorsyncd.sock")
	}
	return p
}

// firstDir takes the first of systemd's colon-separated directories.
func firstDir(list string) string {
	for i := range len(list) {
		if list[i] == ':' {
			return list[:i]
		}
	}
	return list
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
