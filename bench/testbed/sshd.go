package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"
)

// SSHD is a real ssh server on a port of both loopback addresses that lets the
// current user in with the key in IdentityFile.
type SSHD struct {
	Port         int
	User         string
	IdentityFile string
	KnownHosts   string

	dir  string
	proc *Process
}

// RunSSHD starts a server for a test.
func RunSSHD(tb testing.TB) *SSHD {
	tb.Helper()
	s, err := NewSSHD(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	return s
}

// NewSSHD makes keys and configuration in dir and starts a server.
func NewSSHD(dir string) (*SSHD, error) {
	me, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("look up the current user: %w", err)
	}
	s := &SSHD{
		User: me.Username, dir: dir,
		IdentityFile: filepath.Join(dir, "id_ed25519"),
		KnownHosts:   filepath.Join(dir, "known_hosts"),
	}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	if err := s.makeKeys(); err != nil {
		return nil, err
	}
	if err := s.writeConfig(); err != nil {
		return nil, err
	}
	return s, s.Start()
}

// Target is the rsync address of an absolute path behind the server; the port
// and the key are ssh options.
func (s *SSHD) Target(path string) string {
	return fmt.Sprintf("%s@127.0.0.1:%s", s.User, path)
}

func (s *SSHD) makeKeys() error {
	keygen, err := findTool("ssh-keygen", "openssh-client")
	if err != nil {
		return err
	}
	for _, name := range []string{"id_ed25519", "host_ed25519"} {
		out, err := exec.Command(keygen, "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, name)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("make key %s: %w: %s", name, err, out)
		}
	}
	if err := s.Authorize(""); err != nil {
		return err
	}
	host, err := os.ReadFile(filepath.Join(s.dir, "host_ed25519.pub"))
	if err != nil {
		return fmt.Errorf("read host key: %w", err)
	}
	line := fmt.Sprintf("[127.0.0.1]:%d,[::1]:%d %s", s.Port, s.Port, host)
	if err := os.WriteFile(s.KnownHosts, []byte(line), 0o600); err != nil {
		return fmt.Errorf("write known_hosts: %w", err)
	}
	return nil
}

// Authorize has the key accepted with options of authorized_keys, such as
// command="…",restrict; "" for none. They hold from the next connection on.
func (s *SSHD) Authorize(options string) error {
	pub, err := os.ReadFile(s.IdentityFile + ".pub")
	if err != nil {
		return fmt.Errorf("read public key: %w", err)
	}
	if options != "" {
		options += " "
	}
	if err := os.WriteFile(filepath.Join(s.dir, "authorized_keys"), append([]byte(options), pub...), 0o600); err != nil {
		return fmt.Errorf("write authorized_keys: %w", err)
	}
	return nil
}

func (s *SSHD) writeConfig() error {
	conf := fmt.Sprintf(`Port %d
ListenAddress 127.0.0.1
ListenAddress ::1
HostKey %s/host_ed25519
AuthorizedKeysFile %s/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
# bash reads the user's .bashrc for each command of sshd, unless it is not the
# first shell: what one user has there would be measured, and slow every test.
SetEnv SHLVL=1
`, s.Port, s.dir, s.dir)
	if err := os.WriteFile(filepath.Join(s.dir, "sshd_config"), []byte(conf), 0o600); err != nil {
		return fmt.Errorf("write sshd_config: %w", err)
	}
	return nil
}

// Start starts the server again after Stop.
func (s *SSHD) Start() error {
	bin, err := findTool("sshd", "openssh-server")
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		// sshd's privilege separation directory; packages make it at boot.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return fmt.Errorf("make /run/sshd: %w", err)
		}
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "sshd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open sshd log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(bin, "-D", "-e", "-f", filepath.Join(s.dir, "sshd_config"))
	cmd.Stderr = log
	if s.proc, err = StartProcess(cmd); err != nil {
		return err
	}
	if err := waitBanner(s.proc, fmt.Sprintf("127.0.0.1:%d", s.Port), "SSH-2.0", 10*time.Second); err != nil {
		s.proc.Kill()
		return err
	}
	return nil
}

// Stop kills the listening server. Sessions in progress have process groups of
// their own and end when their client does. Idempotent.
func (s *SSHD) Stop() { s.proc.Kill() }
