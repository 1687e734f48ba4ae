package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/cmd/gorsyncd/internal/markdown"
)

// docWorld is where a guide is followed: its paths lie below a directory, its
// hosts are this machine, with a real rsync daemon, started as the guide says,
// and a real ssh server. systemctl and journalctl stand for systemd, and
// ssh-copy-id for itself: it would change the keys of whoever runs the test.
type docWorld struct {
	t    *testing.T
	dir  string
	port string // of the rsync daemon
	ssh  *testbed.SSHD
	back *testbed.Process
	at   markdown.Block
}

func newDocWorld(t *testing.T) *docWorld {
	t.Helper()
	dir, err := os.MkdirTemp("", "grd") // short, for the socket
	must(t, err)
	w := &docWorld{t: t, dir: dir, port: strconv.Itoa(unusedPort(t)), ssh: testbed.RunSSHD(t)}
	t.Cleanup(w.cleanup)
	for _, d := range []string{"bin", "run", "etc", "data0", "srv", "mnt", "root/.ssh", "var/lib", "usr/local/bin"} {
		mkdir(t, dir, d)
	}
	must(t, os.Chmod(filepath.Join(dir, "root/.ssh"), 0o700))
	must(t, os.Symlink(binary, filepath.Join(dir, "bin/gorsyncd")))
	write(t, filepath.Join(dir, "etc/ssh_config"), fmt.Sprintf(`Host *.example.com
HostName 127.0.0.1
HostKeyAlias web2.example.com
User %s
Port %d
IdentitiesOnly yes
IdentityFile %s/root/.ssh/id_ed25519
UserKnownHostsFile %s/root/.ssh/known_hosts
`, w.ssh.User, w.ssh.Port, dir, dir))
	tool := func(name, script string) {
		must(t, os.WriteFile(filepath.Join(dir, "bin", name), []byte("#!/bin/bash\n"+script), 0o755))
	}
	tool("ssh", fmt.Sprintf("exec /usr/bin/ssh -F %s/etc/ssh_config \"$@\"\n", dir))
	tool("ssh-keyscan", fmt.Sprintf("/usr/bin/ssh-keyscan -p %d 127.0.0.1 2>/dev/null | sed 's/^[^ ]*/web2.example.com/'\n", w.ssh.Port))
	tool("ssh-copy-id", fmt.Sprintf("cat \"$2\" >> %s/authorized_keys\n", filepath.Dir(w.ssh.KnownHosts)))
	tool("journalctl", fmt.Sprintf("cat %s/log\n", dir))
	tool("systemctl", strings.NewReplacer("DIR", dir, "PORT", w.port).Replace(systemctl))
	return w
}

// systemctl starts and stops what the guides do.
const systemctl = `set -eu
verb=$1 unit=${!#}
stop() {
	[ -e DIR/run/$unit.pid ] || return 0
	read -r pid < DIR/run/$unit.pid
	kill "$pid" 2>/dev/null || true
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
	rm -f DIR/run/$unit.pid
}
start() {
	case $unit in
	rsync)
		rsync --daemon --no-detach --config=DIR/etc/rsyncd.conf --address=127.0.0.1 --port=PORT >> DIR/rsyncd.log 2>&1 </dev/null &
		echo $! > DIR/run/rsync.pid
		until (: < /dev/tcp/127.0.0.1/PORT) 2>/dev/null; do sleep 0.05; done ;;
	gorsyncd)
		gorsyncd run >> DIR/log 2>&1 </dev/null &
		echo $! > DIR/run/gorsyncd.pid
		for i in $(seq 300); do
			grep -q '"source": *"daemon"' <<< "$(gorsyncd status --json 2>&1)" && break
			sleep 0.1
		done ;;
	*) echo "no unit $unit" >&2; exit 5 ;;
	esac
}
case $verb in
start|enable) start ;;
stop|disable) stop ;;
restart) stop; start ;;
reload) gorsyncd reload ;;
*) echo "systemctl $verb?" >&2; exit 1 ;;
esac
`

func unusedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (w *docWorld) cleanup() {
	w.endBackground()
	for _, unit := range []string{"gorsyncd", "rsync"} {
		if out, code := w.sh("systemctl stop " + unit); code != 0 {
			w.t.Errorf("stop %s: exit %d\n%s", unit, code, out)
		}
	}
	if w.t.Failed() {
		for _, log := range []string{"log", "rsyncd.log"} {
			b, _ := os.ReadFile(filepath.Join(w.dir, log)) // not there before the first start
			w.t.Logf("%s:\n%s", log, excerpt(string(b)))
		}
	}
	if out, err := exec.Command("findmnt", "-rno", "TARGET").Output(); err == nil {
		for _, m := range strings.Fields(string(out)) {
			if strings.HasPrefix(m, w.dir+"/") {
				run(w.t, "umount", "-l", m)
			}
		}
	}
	must(w.t, os.RemoveAll(w.dir))
}

var (
	docPath = regexp.MustCompile(`(^|[^\w./-])(/(?:etc|data0|data1|srv|mnt|root|var/lib|usr/local/bin|run/gorsyncd)\b)`)
	docHost = regexp.MustCompile(`((?:\w+@)?)192\.168\.222\.140::`)
	docAddr = regexp.MustCompile(`192\.168\.222\.\d+`)
	docUser = regexp.MustCompile(`\b\w+@(\w+\.example\.com)`)
)

// real is what a text of the guide means in this world.
func (w *docWorld) real(text string) string {
	text = docPath.ReplaceAllString(text, "${1}"+w.dir+"${2}")
	text = docHost.ReplaceAllString(text, "rsync://${1}127.0.0.1:"+w.port+"/")
	text = docUser.ReplaceAllString(text, "${1}")
	return docAddr.ReplaceAllString(text, "127.0.0.1")
}

// shown is the way back.
func (w *docWorld) shown(text string) string {
	text = regexp.MustCompile(`rsync://((?:\w+@)?)127\.0\.0\.1:`+w.port+"/").ReplaceAllString(text, "${1}192.168.222.140::")
	return strings.NewReplacer(w.dir, "", "127.0.0.1:"+w.port, "192.168.222.140:873", "127.0.0.1", "192.168.222.140").Replace(text)
}

func (w *docWorld) command(script string) *exec.Cmd {
	cmd := exec.Command("/bin/bash", "-c", script)
	cmd.Dir = filepath.Join(w.dir, "root")
	cmd.Env = append(env(), "PATH="+w.dir+"/bin:"+w.dir+"/usr/local/bin:"+os.Getenv("PATH"), "HOME="+w.dir+"/root", "TZ=UTC",
		"GORSYNCD_CONFIG="+w.dir+"/etc/gorsyncd/gorsyncd.yaml", "STATE_DIRECTORY="+w.dir+"/var/lib/gorsyncd", "RUNTIME_DIRECTORY="+w.dir+"/run/gorsyncd")
	cmd.WaitDelay = time.Second
	return cmd
}

// background leaves a script running, until the daemon in it answers.
func (w *docWorld) background(script string) {
	w.t.Helper()
	w.endBackground()
	log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(w.t, err)
	defer log.Close()
	cmd := w.command("exec " + strings.TrimSpace(w.real(script)))
	cmd.Stdout, cmd.Stderr = log, log
	w.back, err = testbed.StartProcess(cmd)
	must(w.t, err)
	for range 300 {
		if out, _ := w.sh("gorsyncd status --json"); strings.Contains(strings.ReplaceAll(out, " ", ""), `"source":"daemon"`) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.t.Fatalf("line %d: no daemon answers", w.at.Line)
}

// endBackground is Ctrl-C.
func (w *docWorld) endBackground() {
	if w.back == nil {
		return
	}
	_ = w.back.Signal(syscall.SIGINT) // it may have ended, which Wait tells
	if err := w.back.Wait(); err != nil {
		w.t.Errorf("gorsyncd after Ctrl-C: %v", err)
	}
	w.back = nil
}

var looks = regexp.MustCompile(`^(gorsyncd (status|explain|journal|check|doctor)\b|ls |cat |find |journalctl )`)

// until runs a command; one that only looks is run again until it prints what is
// wanted, since a reader looks later than a test.
func (w *docWorld) until(command, want string) (out, code string) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out, n := w.sh(command)
		if !looks.MatchString(command) || w.matches(out, want) || time.Now().After(end) ||
			os.Getenv("GORSYNCD_UPDATE_DOCS") != "" && time.Until(end) < 16*time.Second {
			return out, strconv.Itoa(n)
		}
	}
}

var (
	docNumber  = regexp.MustCompile(`(^|[^\w./@-])(?:\d{1,3}(?: \d{3}\b)+|\d[\d.,:]*)(?:[dhm]\d+[hms]\b)?(?: ?(?:ms|s|m|h|d|(?:B|KiB|MiB|GiB)(?:/s)?|%)\b)*|–`)
	docFlushed = regexp.MustCompile(`(?m)^in sync after .*$`)
	docSpace   = regexp.MustCompile(`[ \t]+`)
)

// matches says whether a command printed what the guide shows: the same lines, with other numbers; … is anything, and alone on a line
// any lines.
func (w *docWorld) matches(out, want string) bool {
	plain := func(s string) string {
		s = docFlushed.ReplaceAllStringFunc(s, func(line string) string {
			head, names, _ := strings.Cut(line, ": ")
			list := strings.Split(names, ", ") // as they got ready
			slices.Sort(list)
			return head + ": " + strings.Join(list, ", ")
		})
		s = docNumber.ReplaceAllString(strings.TrimRight(s, "\n "), "${1}#") // 1 206 is one, columns are further apart
		return docSpace.ReplaceAllString(s, " ")
	}
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range strings.Split(plain(w.shown(w.real(want))), "\n") {
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(line, " ")), "…", ".*") + ` ?\n`)
	}
	return regexp.MustCompile(pattern.String() + `\z`).MatchString(plain(w.shown(out)) + "\n")
}

// TestDocsCompare: what TestDocs takes for equal, and what not.
func TestDocsCompare(t *testing.T) {
	w := &docWorld{t: t, dir: "/tmp/grd1", port: "4711"}
	for _, c := range []struct {
		out, want string
		equal     bool
	}{
		{"up 1m35s  journal #1285, 18 MiB", "up 31s  journal #6, 1.5 GiB", true},
		{"www     #1287    1 206        6  2m15s   www/dr (1)", "www  #1298  1 206  1 207  43s  www/dr (12)", true},
		{"in sync       0  –    –     20s", "in sync       0  –    9.2 KiB/s  4s", true},
		{"in sync       0  –    –     20s", "in sync       0  –    –", false},
		{"www/web2  failing", "www/web1  failing", false},
		{"a\nb\nc", "a\n…\nc", true},
		{"a\nc", "a\n…\nc", true},
		{"a\nb", "a\n…\nc", false},
		{"a\nb", "a", false},
		{"ok", "", false},
		{"E-AUTH x; attempt 1", "E-AUTH …; attempt 7", true},
		{"E-AUTH x", "E-DNS …", false},
		{"in sync after 3 ms: b, a", "in sync after 1s: a, b", true},
		{"in sync after 3 ms: b", "in sync after 1s: a, b", false},
		{"rsync://u@127.0.0.1:4711/www at /tmp/grd1/etc/x", "u@192.168.222.140::www at /etc/x", true},
	} {
		if got := w.matches(c.out, c.want); got != c.equal {
			t.Errorf("%q and %q: %v", c.out, c.want, got)
		}
	}
}
