package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Gorsyncd is a daemon started from a built binary, for the demonstration and
// the benchmarks.
type Gorsyncd struct {
	Binary string
	Config string // configuration file
	Log    string // what the daemon prints
	// Env is added to the daemon's environment at the next start.
	Env []string

	proc *Process
}

// NewGorsyncd writes the configuration into dir: a state directory and a
// socket of its own in front of the given YAML.
func NewGorsyncd(binary, dir, yaml string) (*Gorsyncd, error) {
	return NewGorsyncdIn(binary, dir, filepath.Join(dir, "state"), yaml)
}

// NewGorsyncdIn is NewGorsyncd with the state directory elsewhere.
func NewGorsyncdIn(binary, dir, state, yaml string) (*Gorsyncd, error) {
	bin, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	g := &Gorsyncd{Binary: bin, Config: filepath.Join(dir, "gorsyncd.yaml"), Log: filepath.Join(dir, "gorsyncd.log")}
	head := fmt.Sprintf("state_dir: %s\nsocket: %s/socket\n", state, dir)
	if err := os.WriteFile(g.Config, []byte(head+yaml), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return g, nil
}

// Start starts the daemon and waits until it answers.
func (g *Gorsyncd) Start() error {
	if err := g.Spawn(); err != nil {
		return err
	}
	return g.WaitAnswer(30 * time.Second)
}

// Spawn starts the daemon and does not wait.
func (g *Gorsyncd) Spawn() error {
	log, err := os.OpenFile(g.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(g.Binary, "run", "-c", g.Config)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), g.Env...)
	g.proc, err = StartProcess(cmd)
	return err
}

// WaitAnswer waits until the daemon accepts connections. A daemon that ends
// instead is an error.
func (g *Gorsyncd) WaitAnswer(limit time.Duration) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		// A socket left behind by a kill refuses; only a daemon accepts.
		if c, err := net.Dial("unix", filepath.Join(filepath.Dir(g.Config), "socket")); err == nil {
			return c.Close()
		}
		select {
		case <-g.proc.Done():
			return fmt.Errorf("gorsyncd ended: %w (see %s)", g.proc.Wait(), g.Log)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("gorsyncd does not answer (see %s)", g.Log)
}

// Run runs a command of the binary with this configuration and returns what it
// printed, stderr included, and its exit status.
func (g *Gorsyncd) Run(args ...string) (string, int, error) {
	var out bytes.Buffer
	code, err := g.run(args, &out, &out)
	return out.String(), code, err
}

// Output is Run without stderr.
func (g *Gorsyncd) Output(args ...string) (string, int, error) {
	var out bytes.Buffer
	code, err := g.run(args, &out, nil)
	return out.String(), code, err
}

func (g *Gorsyncd) run(args []string, out, errOut io.Writer) (int, error) {
	cmd := exec.Command(g.Binary, append([]string{"-c", g.Config}, args...)...)
	cmd.Stdout, cmd.Stderr = out, errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// Flush waits until every change made so far is on every remote.
func (g *Gorsyncd) Flush(limit time.Duration) error {
	out, code, err := g.Run("flush", "--timeout", limit.String())
	if err == nil && code != 0 {
		err = fmt.Errorf("flush: exit status %d\n%s", code, out)
	}
	return err
}

// Pid is the daemon's process id.
func (g *Gorsyncd) Pid() int { return g.proc.Pid() }

// Done is closed when the daemon has ended.
func (g *Gorsyncd) Done() <-chan struct{} { return g.proc.Done() }

// Signal sends a signal to the daemon alone.
func (g *Gorsyncd) Signal(sig syscall.Signal) error { return g.proc.Signal(sig) }

// Ended tells whether no daemon runs.
func (g *Gorsyncd) Ended() bool {
	if g.proc == nil {
		return true
	}
	select {
	case <-g.proc.Done():
		return true
	default:
		return false
	}
}

// Kill9 kills the daemon as a crash would.
func (g *Gorsyncd) Kill9() error {
	if err := g.proc.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-g.proc.Done()
	return nil
}

// Stop ends the daemon politely, or by force after a minute. Idempotent.
func (g *Gorsyncd) Stop() {
	if g.proc == nil {
		return
	}
	_ = g.proc.Signal(syscall.SIGTERM) // already gone is what we want
	select {
	case <-g.proc.Done():
	case <-time.After(time.Minute):
	}
	g.proc.Kill()
}
