package testbed

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Module is one module of a test daemon.
type Module struct {
	Name  string
	Path  string
	Extra []string // further lines of rsyncd.conf, such as "read only = true"
}

// Host is where a daemon runs: on loopback, or elsewhere such as in a network
// namespace.
type Host struct {
	Addr string // the address to bind and to be reached at; "" is 127.0.0.1

	// Command makes the command that runs a program there; nil is exec.Command.
	// The pid of the command has to be that of the program.
	Command func(name string, args ...string) *exec.Cmd
}

func (h Host) orLocal() Host {
	if h.Addr == "" {
		h.Addr = "127.0.0.1"
	}
	if h.Command == nil {
		h.Command = exec.Command
	}
	return h
}

// Rsyncd is a real rsync daemon on a port that stays the same over Stop and
// Start.
type Rsyncd struct {
	Host Host
	Port int
	Dir  string // configuration, log, secrets

	// Global holds lines for the top of rsyncd.conf; changed lines take effect
	// with the next connection, since rsync reads its configuration for each.
	Global []string

	// Binary is the rsync to run at the next Start; "" for the installed one.
	Binary string

	modules []Module
	proc    *Process
}

// NewRsyncd starts a daemon on loopback that keeps its files in dir.
func NewRsyncd(dir string, modules ...Module) (*Rsyncd, error) {
	return NewRsyncdAt(Host{}, dir, modules...)
}

// NewRsyncdAt starts a daemon on host that keeps its files in dir.
func NewRsyncdAt(host Host, dir string, modules ...Module) (*Rsyncd, error) {
	d := &Rsyncd{Host: host.orLocal(), Dir: dir, modules: modules}
	var err error
	for range 5 { // another process may take the port in between
		if d.Port, err = freePort(); err != nil {
			return nil, err
		}
		if err = d.Start(); err == nil {
			return d, nil
		}
	}
	return nil, err
}

// RunRsyncd is NewRsyncd for a test: files in a temporary directory, stopped
// at the end.
func RunRsyncd(tb testing.TB, modules ...Module) *Rsyncd {
	tb.Helper()
	d, err := NewRsyncd(tb.TempDir(), modules...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(d.Stop)
	return d
}

// Target is the address of a module, optionally with a user and a path.
func (d *Rsyncd) Target(module string) string {
	return fmt.Sprintf("rsync://%s/%s", d.address(), module)
}

// UserTarget is Target with a user name.
func (d *Rsyncd) UserTarget(user, module string) string {
	return fmt.Sprintf("rsync://%s@%s/%s", user, d.address(), module)
}

func (d *Rsyncd) address() string { return net.JoinHostPort(d.Host.Addr, strconv.Itoa(d.Port)) }

// SetModules replaces the modules from the next connection on.
func (d *Rsyncd) SetModules(modules ...Module) error {
	d.modules = modules
	return d.writeConfig()
}

// WriteSecrets writes a secrets file with the given mode and returns its path.
func (d *Rsyncd) WriteSecrets(name, content string, mode os.FileMode) (string, error) {
	path := filepath.Join(d.Dir, name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		return "", fmt.Errorf("write secrets: %w", err)
	}
	return path, os.Chmod(path, mode)
}

// ConfigFile is what the daemon reads, for another one that is to serve the same.
func (d *Rsyncd) ConfigFile() string { return filepath.Join(d.Dir, "rsyncd.conf") }

// Log returns what the daemon has logged.
func (d *Rsyncd) Log() string {
	b, _ := os.ReadFile(filepath.Join(d.Dir, "rsyncd.log")) // no log yet is an empty log
	return string(b)
}

func (d *Rsyncd) writeConfig() error {
	var b strings.Builder
	fmt.Fprintf(&b, "log file = %s/rsyncd.log\npid file = %s/rsyncd.pid\nlock file = %s/rsyncd.lock\n", d.Dir, d.Dir, d.Dir)
	b.WriteString("socket options = TCP_NODELAY\n")
	if os.Geteuid() == 0 {
		b.WriteString("uid = 0\ngid = 0\nuse chroot = yes\n")
	} else {
		b.WriteString("use chroot = no\nmunge symlinks = no\n")
	}
	for _, line := range d.Global {
		b.WriteString(line + "\n")
	}
	for _, m := range d.modules {
		fmt.Fprintf(&b, "[%s]\npath = %s\nread only = false\n", m.Name, m.Path)
		for _, line := range m.Extra {
			b.WriteString(line + "\n")
		}
	}
	if err := os.WriteFile(d.ConfigFile(), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write rsyncd.conf: %w", err)
	}
	return nil
}

// Start starts the daemon again after Stop.
func (d *Rsyncd) Start() error {
	bin := d.Binary
	if bin == "" {
		var err error
		if bin, err = findTool("rsync", "rsync"); err != nil {
			return err
		}
	}
	if err := d.writeConfig(); err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(d.Dir, "rsyncd.pid")) // left behind by a kill; rsync refuses to start over it
	cmd := d.Host.Command(bin, "--daemon", "--no-detach", "--config="+d.ConfigFile(),
		fmt.Sprintf("--port=%d", d.Port), "--address="+d.Host.Addr)
	proc, err := StartProcess(cmd)
	if err != nil {
		return err
	}
	d.proc = proc
	if err := waitBanner(d.proc, d.address(), "@RSYNCD:", 10*time.Second); err != nil {
		d.proc.Kill()
		return err
	}
	return nil
}

// Pid is the process id of the daemon; each connection has a child of it.
func (d *Rsyncd) Pid() int { return d.proc.Pid() }

// Stop kills the daemon with every connection it serves. Idempotent.
func (d *Rsyncd) Stop() { d.proc.Kill() }
