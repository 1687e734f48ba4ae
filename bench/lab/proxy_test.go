package lab

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// echo serves a TCP echo and returns its address.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func newProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := NewProxy(target)
	must(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return c
}

// roundTrip sends n bytes and reads them back.
func roundTrip(c net.Conn, n int) (time.Duration, error) {
	data := bytes.Repeat([]byte("ab"), n/2)
	start := time.Now()
	go func() { _, _ = c.Write(data) }() // the read tells
	got := make([]byte, len(data))
	_, err := io.ReadFull(c, got)
	if err == nil && !bytes.Equal(got, data) {
		err = errors.New("other bytes came back")
	}
	return time.Since(start), err
}

func TestProxySlow(t *testing.T) {
	t.Parallel()
	p := newProxy(t, echo(t))
	c := dial(t, p)
	_, err := roundTrip(c, 3<<20)
	must(t, err)
	if p.Passed() != 6<<20 {
		t.Errorf("passed %d", p.Passed())
	}
	p.Delay(80 * time.Millisecond)
	took, err := roundTrip(c, 100)
	must(t, err)
	if took < 160*time.Millisecond || took > time.Second {
		t.Errorf("%s with 80 ms each way", took)
	}
	p.Delay(0)
	p.Rate(500_000)
	took, err = roundTrip(c, 250_000)
	must(t, err)
	if took < 450*time.Millisecond || took > 2*time.Second {
		t.Errorf("250 kB in %s at 500 kB/s", took)
	}
}

// TestProxyRateIsShared: two connections get no more through than one would.
func TestProxyRateIsShared(t *testing.T) {
	t.Parallel()
	p := newProxy(t, echo(t))
	a, b := dial(t, p), dial(t, p)
	p.Rate(500_000)
	other := make(chan error, 1)
	begin := time.Now()
	go func() { _, err := roundTrip(a, 200_000); other <- err }()
	_, err := roundTrip(b, 200_000)
	must(t, err)
	must(t, <-other)
	if took := time.Since(begin); took < 700*time.Millisecond {
		t.Errorf("400 kB at 500 kB/s took %v", took)
	}
}

func TestProxyFreeze(t *testing.T) {
	t.Parallel()
	p := newProxy(t, echo(t))
	old := dial(t, p)
	_, err := roundTrip(old, 10)
	must(t, err)
	p.Freeze(true)
	fresh := dial(t, p) // accepted
	for _, c := range []net.Conn{old, fresh} {
		must(t, c.SetReadDeadline(time.Now().Add(150*time.Millisecond)))
		_, err := roundTrip(c, 10)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a frozen proxy: %v", err)
		}
		must(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
	}
	p.Freeze(false)
	for _, c := range []net.Conn{old, fresh} {
		if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
			t.Fatalf("after the thaw: %v", err)
		}
	}
}

func TestProxyCutAndRefuse(t *testing.T) {
	t.Parallel()
	p := newProxy(t, echo(t))
	c := dial(t, p)
	_, err := roundTrip(c, 10)
	must(t, err)
	p.Cut()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("after the cut: %v", err)
	}
	must(t, p.Refuse(true))
	if _, err := net.Dial("tcp", p.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("refusing: %v", err)
	}
	must(t, p.Refuse(false))
	_, err = roundTrip(dial(t, p), 10)
	must(t, err)

	before := p.Passed()
	p.CutAfter(100_000)
	if _, err := roundTrip(dial(t, p), 1<<20); err == nil {
		t.Fatal("the cut did not come")
	}
	if n := p.Passed() - before; n != 100_000 {
		t.Errorf("cut after %d bytes", n)
	}
	_, err = roundTrip(dial(t, p), 1<<20)
	must(t, err)
}

// TestProxyBeforeADaemon cuts a real rsync in the middle of a file.
func TestProxyBeforeADaemon(t *testing.T) {
	t.Parallel()
	tree := t.TempDir()
	write(t, tree+"/f", strings.Repeat("z", 600_000), false)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: tree})
	p := newProxy(t, "127.0.0.1:"+itoa(d.Port))
	target := "rsync://" + p.Addr + "/m"
	_, err := pull(t, target, "5")
	must(t, err)
	p.CutAfter(200_000)
	if _, err := pull(t, target, "5"); err == nil {
		t.Fatal("rsync got through the cut")
	}
	d.Stop()
	if _, err := pull(t, target, "5"); err == nil {
		t.Fatal("rsync reached a daemon that is stopped")
	}
}
