package tlspipe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// serve answers each connection with what it was sent, until its end, and returns
// the port.
func serve(t *testing.T, pair testbed.Pair, clients string) int {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}}
	if clients != "" {
		data, err := os.ReadFile(clients)
		if err != nil {
			t.Fatal(err)
		}
		conf.ClientAuth, conf.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		conf.ClientCAs.AppendCertsFromPEM(data)
	}
	return listen(t, func(c net.Conn) { _, _ = io.Copy(c, c) }, conf)
}

func listen(t *testing.T, serve func(net.Conn), conf *tls.Config) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if conf != nil {
					c = tls.Server(c, conf)
					defer c.Close()
				}
				serve(c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// TestWhomToTrust: what is sent comes back from a server with the right
// certificate, and nothing is sent to one with another.
func TestWhomToTrust(t *testing.T) {
	ca, other := testbed.NewCA(t), testbed.NewCA(t)
	right := ca.Issue(t, "right", time.Hour, "backup.example.com", "127.0.0.1")
	nameless := testbed.NewCA(t) // as "openssl req -x509" makes them
	own := ca.Issue(t, "client", time.Hour)
	stranger := other.Issue(t, "stranger", time.Hour)
	open := filepath.Join(t.TempDir(), "open.key")
	data, err := os.ReadFile(own.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open, data, 0o644); err != nil {
		t.Fatal(err)
	}
	plain := serve(t, right, "")
	signed := serve(t, testbed.Pair{Cert: nameless.File, Key: strings.TrimSuffix(nameless.File, ".pem") + ".key"}, "")
	expired := ca.Issue(t, "expired", -time.Minute, "127.0.0.1")
	asks := serve(t, right, ca.File)
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, nil)
	daemon := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "@RSYNCD: 31.0\n") }, nil)
	for name, c := range map[string]struct {
		o    Options
		want string // stage; "" for success
	}{
		"address of the certificate": {Options{Port: plain, CAFile: ca.File}, ""},
		"name of the certificate":    {Options{Port: plain, CAFile: ca.File, ServerName: "backup.example.com"}, ""},
		"another name":               {Options{Port: plain, CAFile: ca.File, ServerName: "example.com"}, StageCertificate},
		"another CA":                 {Options{Port: plain, CAFile: other.File}, StageCertificate},
		"CAs of the system":          {Options{Port: plain}, StageCertificate},
		"listed itself":              {Options{Port: signed, CAFile: nameless.File}, ""},
		"signed itself, not listed":  {Options{Port: signed, CAFile: ca.File}, StageCertificate},
		"listed itself, expired":     {Options{Port: serve(t, expired, ""), CAFile: expired.Cert}, StageCertificate},
		"expired":                    {Options{Port: serve(t, expired, ""), CAFile: ca.File}, StageCertificate},
		"with ours":                  {Options{Port: asks, CAFile: ca.File, CertFile: own.Cert, KeyFile: own.Key}, ""},
		"without ours":               {Options{Port: asks, CAFile: ca.File}, StageRefused},
		"with that of a stranger":    {Options{Port: asks, CAFile: ca.File, CertFile: stranger.Cert, KeyFile: stranger.Key}, StageRefused},
		"key that all can read":      {Options{Port: asks, CAFile: ca.File, CertFile: own.Cert, KeyFile: open}, StageSetting},
		"key of another":             {Options{Port: asks, CAFile: ca.File, CertFile: own.Cert, KeyFile: stranger.Key}, StageSetting},
		"half of ours":               {Options{Port: asks, CAFile: ca.File, CertFile: own.Cert}, StageSetting},
		"no CA file":                 {Options{Port: plain, CAFile: "/none"}, StageSetting},
		"key as CA file":             {Options{Port: plain, CAFile: own.Key}, StageSetting},
		"nobody":                     {Options{Port: 1, CAFile: ca.File}, StageConnect},
		"no such host":               {Options{Host: "none.invalid", Port: 1}, StageLookUp},
		"silent":                     {Options{Port: silent, CAFile: ca.File, ConnectTimeout: 200 * time.Millisecond}, StageHandshake},
		"no TLS":                     {Options{Port: daemon, CAFile: ca.File}, StageHandshake},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.o.Host == "" {
				c.o.Host = "127.0.0.1"
			}
			text := strings.Repeat("text", 100_000)
			var out bytes.Buffer
			err := Run(context.Background(), c.o, strings.NewReader(text), &out)
			var bad *Error
			switch {
			case c.want == "" && (err != nil || out.String() != text):
				t.Errorf("%v, %d bytes came back", err, out.Len())
			case c.want != "" && (!errors.As(err, &bad) || bad.Stage != c.want || out.Len() > 0):
				t.Errorf("%v, want stage %s; %d bytes came", err, c.want, out.Len())
			}
		})
	}
}

// TestExpires: of the server's certificate and ours the one that ends first counts.
func TestExpires(t *testing.T) {
	ca := testbed.NewCA(t)
	port := serve(t, ca.Issue(t, "server", time.Hour, "127.0.0.1"), "")
	ours := ca.Issue(t, "client", time.Minute)
	for name, c := range map[string]struct {
		o    Options
		want time.Duration
	}{
		"theirs": {Options{Host: "127.0.0.1", Port: port, CAFile: ca.File}, time.Hour},
		"ours":   {Options{Host: "127.0.0.1", Port: port, CAFile: ca.File, CertFile: ours.Cert, KeyFile: ours.Key}, time.Minute},
	} {
		end, err := Expires(t.Context(), c.o)
		if left := time.Until(end); err != nil || left > c.want || left < c.want-30*time.Second {
			t.Errorf("%s: %v %v", name, left, err)
		}
	}
	if _, err := Expires(t.Context(), Options{Host: "127.0.0.1", Port: 1}); err == nil {
		t.Error("nobody has a certificate")
	}
}

// TestArgs: options come out of a command line as they went in, whatever rsync
// adds.
func TestArgs(t *testing.T) {
	for _, o := range []Options{
		{Host: "h"},
		{Host: "::1", Port: 8874, ServerName: "backup.example.com", CAFile: "/a b/ca'\".pem", CertFile: "/c", KeyFile: "/k", ConnectTimeout: 10 * time.Second},
	} {
		got, err := parse(append(o.Args(), "-l", "root", "--host=evil", "rsync", "--server", "--daemon", "."))
		if err != nil || got != o {
			t.Errorf("%+v, %v, want %+v", got, err, o)
		}
	}
}

// TestMainProgram: messages are one line, and mistakes have an exit status.
func TestMainProgram(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := Main([]string{"--help"}, nil, &out, &errOut); code != 0 || !strings.Contains(out.String(), "EXAMPLE") {
		t.Errorf("exit %d\n%s%s", code, &out, &errOut)
	}
	if code := Main([]string{"--nothing"}, nil, &out, &errOut); code != exitUsage || !strings.HasPrefix(errOut.String(), "gorsyncd tls: usage: ") {
		t.Errorf("exit %d\n%s", code, &errOut)
	}
	errOut.Reset()
	if code := Main([]string{"--host=127.0.0.1", "--port=1"}, nil, &out, &errOut); code != exitSocket || !strings.HasPrefix(errOut.String(), "gorsyncd tls: connect: failed to connect to 127.0.0.1:1: ") || strings.Count(errOut.String(), "\n") != 1 {
		t.Errorf("exit %d\n%s", code, &errOut)
	}
}
