package replicate

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gorsyncd/bench/testbed"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		code   int
		stderr string
		id     string
		class  Class
	}{
		{0, "", "", ClassOK},
		{24, "file has vanished: \"/x/y\"\nrsync warning: some files vanished before they could be transferred (code 24) at main.c(1394) [sender=3.5.0]", "", ClassOK},
		{5, "@ERROR: auth failed on module m\nrsync error: error starting client-server protocol (code 5) at main.c(1863) [sender=3.5.0]", "E-AUTH", ClassConfig},
		{5, "@ERROR: Unknown module 'x'\nrsync error: error starting client-server protocol (code 5) at main.c(1863) [sender=3.5.0]", "E-MODULE", ClassConfig},
		{5, "@ERROR: access denied to m from UNDETERMINED (127.0.0.1)", "E-DENIED", ClassConfig},
		{5, "@ERROR: max connections (1) reached -- try again later", "E-BUSY", ClassTransient},
		{5, "@ERROR: chdir failed", "E-MODPATH", ClassConfig},
		{5, "@ERROR: chroot failed", "E-MODPATH", ClassConfig},
		{1, "ERROR: module is read only\nrsync error: syntax or usage error (code 1) at main.c(1210) [Receiver=3.5.0]", "E-READONLY", ClassConfig},
		{1, "rsync: could not open password file /nope: No such file or directory (2)", "E-PASSFILE", ClassConfig},
		{1, "ERROR: password file must not be other-accessible", "E-PASSFILE", ClassConfig},
		{1, "rsync: -Q: unknown option", "E-USAGE", ClassConfig},
		{10, "rsync: [sender] failed to connect to 127.0.0.1 (127.0.0.1): Connection refused (111)", "E-CONNECT", ClassTransient},
		{10, "rsync: getaddrinfo: nope 873: Name or service not known", "E-DNS", ClassTransient},
		{10, "rsync: read error: Connection reset by peer (104)", "E-CONNECT", ClassTransient},
		{255, "root@h: Permission denied (publickey).", "E-SSH-AUTH", ClassConfig},
		{12, "u@h: Permission denied (publickey,password).\r\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]", "E-SSH-AUTH", ClassConfig},
		{12, "Host key verification failed.\r\nrsync: connection unexpectedly closed", "E-HOSTKEY", ClassConfig},
		{12, "ssh: connect to host h port 22: Connection refused\r\nrsync: connection unexpectedly closed", "E-CONNECT", ClassTransient},
		{12, "bash: line 1: rsync: command not found\nrsync: connection unexpectedly closed", "E-REMOTE-RSYNC", ClassConfig},
		{255, "kex_exchange_identification: Connection closed by remote host", "E-SSH", ClassTransient},
		{12, "rsync: connection unexpectedly closed (5 bytes received so far) [sender]", "E-PROTOCOL", ClassTransient},
		{14, "rsync: [sender] Failed to exec ssh: No such file or directory (2)", "E-SSH", ClassConfig},
		{2, "protocol version mismatch -- is your shell clean?", "E-SHELL", ClassConfig},
		{2, "invalid file mode 00 for \"x\"", "E-RSYNC-343", ClassConfig},
		{2, "rsync: [sender] link_stat \"/s/a/b\" failed: Not a directory (20)\nABORTING due to invalid path from sender: a/b/c\nrsync error: protocol incompatibility (code 2) at generator.c(1715) [generator=3.5.0]", "E-VANISHED", ClassEntry},
		{2, "file has vanished: \"/s/ABORTING due to invalid path from sender: a\"", "E-PROTOCOL", ClassConfig},
		{4, "The server is configured to refuse --delete\nrsync error: requested action not supported (code 4)", "E-REFUSED", ClassConfig},
		{11, "rsync: [receiver] write failed on \"/t/z/big\": No space left on device (28)", "E-NOSPACE", ClassTransient},
		{23, "rsync: [receiver] mkstemp \"/t/.x.abc123\" failed: No space left on device (28)", "E-NOSPACE", ClassTransient},
		{11, "rsync: [Receiver] mkdir \"/x/y\" failed: No such file or directory (2)", "E-MODPATH", ClassConfig},
		{11, "rsync: [receiver] write failed on \"/t/z/big\": File too large (27)", "E-DEST-TOOBIG", ClassEntry},
		{23, "rsync: [receiver] mkstemp \"/d/.f.AbCdEf\" failed: Permission denied (13)", "E-DEST-PERM", ClassEntry},
		{23, "rsync: [generator] delete_file: unlink(a/b/f) failed: Operation not permitted (1)", "E-DEST-PERM", ClassEntry},
		{23, "rsync: [sender] send_files failed to open \"/s/x\": Permission denied (13)", "E-SRC-PERM", ClassEntry},
		{23, "rsync: [sender] read errors mapping \"/s/x\": No data available (61)", "E-VANISHED", ClassEntry},
		{23, "rsync: read errors mapping \"/s/x\": No data available (61)", "E-VANISHED", ClassEntry},
		{23, "rsync: [sender] read errors mapping \"/s/x\": Input/output error (5)", "E-PARTIAL", ClassEntry},
		{23, "rsync: [receiver] mkstemp \"/d/.rsync: read errors mapping \".AbCdEf\" failed: No data available (61)", "E-PARTIAL", ClassEntry},
		{23, "rsync: [receiver] mkstemp \"/d/.f.AbCdEf\" failed: Read-only file system (30)", "E-DEST-ROFS", ClassEntry},
		{23, "rsync: [receiver] rsync_xal_set: lsetxattr(\"x\") failed: Operation not supported (95)", "E-DEST-UNSUPPORTED", ClassEntry},
		{23, "rsync: [receiver] mkstemp \"/d/.auth failed on module.AbCdEf\" failed: Permission denied (13)", "E-DEST-PERM", ClassEntry},
		{25, "Deletions stopped due to --max-delete limit (3 skipped)", "G-MAXDELETE", ClassHeld},
		{0, "Deletions stopped due to --max-delete limit (3 skipped)\n", "G-MAXDELETE", ClassHeld},
		{24, "file has vanished: \"/x/y\"\nDeletions stopped due to --max-delete limit (3 skipped)\nrsync warning: some files vanished", "G-MAXDELETE", ClassHeld},
		{23, "rsync: [receiver] rename \"/t/.f.AbCdEf\" -> \"a/f\": Operation not permitted (1)\nDeletions stopped due to --max-delete limit (3 skipped)", "G-MAXDELETE", ClassHeld},
		{23, "rsync: [receiver] mkstemp \"/d/.Deletions stopped due to --max-delete limit.AbCdEf\" failed: Permission denied (13)", "E-DEST-PERM", ClassEntry},
		// Names must not speak for the remote.
		{23, "rsync: [sender] send_files failed to open \"/s/rsync: change_dir\": Input/output error (5)", "E-PARTIAL", ClassEntry},
		{23, "rsync: [sender] send_files failed to open \"/s/f: No space left on device (28)\": Input/output error (5)", "E-PARTIAL", ClassEntry},
		{23, "could not make way for new regular file: a: No space left on device (28)", "E-DEST-NOTEMPTY", ClassEntry},
		{11, "rsync: [receiver] write failed on \"/t/mkdir change_dir\": File too large (27)", "E-DEST-TOOBIG", ClassEntry},
		{23, "rsync: [sender] link_stat \"/s/a/f\" failed: Too many levels of symbolic links (40)", "E-SRC-LINK", ClassEntry},
		{23, "could not make way for new regular file: a/d", "E-DEST-NOTEMPTY", ClassEntry},
		{30, "[sender] io timeout after 3 seconds -- exiting", "E-TIMEOUT", ClassTransient},
		{35, "rsync error: timeout waiting for daemon connection (code 35)", "E-TIMEOUT", ClassTransient},
		{-9, "", "E-KILLED", ClassTransient},
		{12, "/usr/bin/rrsync error: option -s has been disabled on this server.\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]", "E-RRSYNC", ClassConfig},
		{12, "/usr/bin/rrsync error: invalid rsync-command syntax or options", "E-RRSYNC", ClassConfig},
		{12, "/usr/bin/rrsync error: Restricted directory does not exist!", "E-RRSYNC", ClassConfig},
		{12, "/usr/bin/rrsync error: option --delete-missing-args has been disabled on this server.", "E-REFUSED", ClassConfig},
		{12, "/usr/bin/rrsync error: sending to read-only server is not allowed", "E-READONLY", ClassConfig},
		{12, "/usr/bin/rrsync error: reading from write-only server is not allowed", "E-READONLY", ClassConfig},
		{12, "/usr/bin/rrsync error: Another instance of rrsync is already accessing this directory.", "E-BUSY", ClassTransient},
		{23, "rsync: [sender] send_files failed to open \"/s/rrsync error: Another instance of rrsync\": Input/output error (5)", "E-PARTIAL", ClassEntry},
		{5, "gorsyncd tls: certificate: h:874: x509: certificate signed by unknown authority\nrsync: did not see server greeting", "E-TLS-CERT", ClassConfig},
		{5, "gorsyncd tls: refused: h:874: remote error: tls: certificate required", "E-TLS-CERT", ClassConfig},
		{5, "gorsyncd tls: setting: open /ca.pem: no such file or directory", "E-TLS-FILE", ClassConfig},
		{5, "gorsyncd tls: handshake: failed to connect to h:873: tls: first record does not look like a TLS handshake", "E-TLS", ClassTransient},
		{5, "gorsyncd tls: look up: lookup h: no such host", "E-DNS", ClassTransient},
		{5, "gorsyncd tls: connect: failed to connect to h:874: connect: connection refused", "E-CONNECT", ClassTransient},
		{12, "gorsyncd tls: connection: read tcp: connection reset by peer", "E-CONNECT", ClassTransient},
		{20, "rsync error: received SIGINT, SIGTERM, or SIGHUP (code 20)", "E-KILLED", ClassTransient},
		{127, "", "E-EXEC", ClassConfig},
		{3, "rsync: [sender] change_dir \"/nope\" failed: No such file or directory (2)", "E-MODPATH", ClassConfig},
		{99, "what", "E-RSYNC", ClassTransient},
	} {
		got := Classify(c.code, c.stderr)
		if got.ID != c.id || got.Class != c.class {
			t.Errorf("Classify(%d, %.60q) = %+v, want %s %s", c.code, c.stderr, got, c.id, c.class)
		}
		if c.stderr != "" && got.Class != ClassOK && got.Message == "" {
			t.Errorf("Classify(%d, %.60q) has no message", c.code, c.stderr)
		}
		if got.Class == ClassConfig && got.Hint == "" {
			t.Errorf("Classify(%d, %.60q): a person needs a hint", c.code, c.stderr)
		}
		if strings.Contains(got.Message, ".c(") || strings.Contains(got.Message, "\n") {
			t.Errorf("message %q is not tidy", got.Message)
		}
	}
}

// TestRealFailures provokes each failure with the installed rsync.
func TestRealFailures(t *testing.T) {
	secrets := func(d *testbed.Rsyncd, name, content string, mode os.FileMode) string {
		p, err := d.WriteSecrets(name, content, mode)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	dst := t.TempDir()
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	sec := secrets(d, "secrets", "u:right\n", 0o600)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := free.Addr().(*net.TCPAddr).Port
	free.Close()
	mod := func(name string, lines ...string) testbed.Module {
		return testbed.Module{Name: name, Path: dst, Extra: lines}
	}
	err = d.SetModules(
		mod("m"), mod("ro", "read only = true"), mod("auth", "auth users = u", "secrets file = "+sec),
		mod("denied", "hosts deny = *"), mod("nodelete", "refuse options = delete"),
		mod("norsync", "refuse options = times"),
		testbed.Module{Name: "gone", Path: dst + "/gone"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		target string
		opt    func(*Options)
		id     string
		class  Class
	}{
		{"unknown module", d.Target("nope"), nil, "E-MODULE", ClassConfig},
		{"read only", d.Target("ro"), nil, "E-READONLY", ClassConfig},
		{"wrong password", d.UserTarget("u", "auth"), func(o *Options) {
			o.Rsync.PasswordFile = secrets(d, "wrong", "wrong\n", 0o600)
		}, "E-AUTH", ClassConfig},
		{"no password", d.UserTarget("u", "auth"), nil, "E-AUTH", ClassConfig},
		{"missing password file", d.UserTarget("u", "auth"), func(o *Options) { o.Rsync.PasswordFile = dst + "/nope" }, "E-PASSFILE", ClassConfig},
		{"readable password file", d.UserTarget("u", "auth"), func(o *Options) {
			o.Rsync.PasswordFile = secrets(d, "open", "right\n", 0o644)
		}, "E-PASSFILE", ClassConfig},
		{"denied host", d.Target("denied"), nil, "E-DENIED", ClassConfig},
		{"module path missing", d.Target("gone"), nil, "E-MODPATH", ClassConfig},
		{"refuse options", d.Target("norsync"), nil, "E-REFUSED", ClassConfig},
		{"refused port", "rsync://127.0.0.1:" + strconv.Itoa(closed) + "/m", nil, "E-CONNECT", ClassTransient},
		{"unknown host", "rsync://nosuchhost.invalid/m", nil, "E-DNS", ClassTransient},
		{"no rsync", d.Target("m"), func(o *Options) { o.Rsync.Path = "/nonexistent/rsync" }, "E-EXEC", ClassConfig},
		{"bad option", d.Target("m"), func(o *Options) { o.Rsync.Args = []string{"--frobnicate"} }, "E-USAGE", ClassConfig},
		{"local target missing", dst + "/missing", nil, "E-MODPATH", ClassConfig},
		{"ssh refused", "127.0.0.1:" + dst, func(o *Options) { o.Rsync.SSH.Port = closed }, "E-CONNECT", ClassTransient},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.to(c.target)
			if c.opt != nil {
				c.opt(&g.o)
			}
			expectFailure(t, g, c.id, c.class)
		})
	}
}

// expectFailure runs one batch through the transport.
func expectFailure(t *testing.T, g *rig, id string, class Class) {
	t.Helper()
	write(t, g.src, map[string]string{"d/f": "x"})
	g.o.setDefaults()
	if err := g.o.validate(); err != nil {
		t.Fatal(err)
	}
	b := &Batch{Lane: LaneList, Paths: []string{"d/f", "d/gone"}, Parents: []string{"d"}, Removes: true}
	res := newRsyncTransport(&g.o).Run(context.Background(), b, Send)
	if res.Outcome.ID != id || res.Outcome.Class != class {
		t.Errorf("exit %d %q → %+v, want %s %s", res.Exit, res.Stderr, res.Outcome, id, class)
	}
	if class == ClassConfig && (res.Outcome.Hint == "" || res.Outcome.Message == "") {
		t.Errorf("%+v names no cause or no remedy", res.Outcome)
	}
}

func TestRefusedDelete(t *testing.T) {
	g := newRig(t, func(g *rig) {
		d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: g.dst, Extra: []string{"refuse options = delete"}})
		g.to(d.Target("m"))
	})
	expectFailure(t, g, "E-REFUSED", ClassConfig)
}

func TestBusyServer(t *testing.T) {
	g := newRig(t)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: g.dst,
		Extra: []string{"max connections = 1", "lock file = " + filepath.Join(t.TempDir(), "lock")}})
	g.to(d.Target("m"))
	// A client that waits for its list holds the only connection.
	g.o.setDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pw.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		argv := g.o.argv(&Batch{Lane: LaneList}, Send)
		process{argv: append([]string{"sh", "-c", `exec "$@" <&3`, "sh"}, argv...), env: rsyncEnv(), root: openDir(t, g.src), extra: pr}.run(ctx)
	}()
	defer func() { cancel(); <-done }()
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(d.Log(), "connect from") && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	expectFailure(t, g, "E-BUSY", ClassTransient)
}

func TestSSHFailures(t *testing.T) {
	s := testbed.RunSSHD(t)
	for _, c := range []struct {
		name  string
		opt   func(*SSHOptions)
		id    string
		class Class
	}{
		{"key", func(o *SSHOptions) {
			o.IdentityFile = "/nonexistent"
			o.Options = []string{"IdentitiesOnly=yes", "IdentityAgent=none"}
		}, "E-SSH-AUTH", ClassConfig},
		{"host key", func(o *SSHOptions) { o.KnownHosts = "/nonexistent" }, "E-HOSTKEY", ClassConfig},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.to(s.Target(g.dst))
			g.o.Rsync.SSH = SSHOptions{Port: s.Port, IdentityFile: s.IdentityFile, KnownHosts: s.KnownHosts}
			c.opt(&g.o.Rsync.SSH)
			expectFailure(t, g, c.id, c.class)
		})
	}
}

func TestReasonFor(t *testing.T) {
	stderr := "rsync: [receiver] mkstemp \"/d/a/.f.AbCdEf\" failed: Permission denied (13)\n" +
		"rsync: [sender] send_files failed to open \"/s/b/g\": Permission denied (13)\n" +
		"rsync: [generator] delete_file: unlink(c/h) failed: Operation not permitted (1)\n" +
		"rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1394) [sender=3.5.0]\n"
	all := Classify(23, stderr)
	for path, id := range map[string]string{"a/f": "E-DEST-PERM", "b/g": "E-SRC-PERM", "c/h": "E-DEST-PERM"} {
		got := reasonFor(path, stderr, all)
		if got.ID != id || !strings.Contains(got.Message, path[2:]) {
			t.Errorf("reasonFor(%s) = %+v", path, got)
		}
	}
	if got := reasonFor("x/unknown", stderr, all); got != all {
		t.Errorf("fallback = %+v", got)
	}
}

// TestReasonOfALongPath: what is cut of a line is the middle of its path.
func TestReasonOfALongPath(t *testing.T) {
	line := `rsync: [receiver] stat "/` + strings.Repeat("深い/", 900) + `.f.x3Yz01" failed: Too many levels of symbolic links (40)`
	got := Classify(23, line+"\n").Message
	if len(got) > 500 || !utf8.ValidString(got) || !strings.HasPrefix(got, `rsync: [receiver] stat "/深`) || !strings.HasSuffix(got, "symbolic links (40)") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
