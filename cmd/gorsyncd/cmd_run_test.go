package main

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
)

func signalSelf(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

// TestTwoSignals: the first lets the daemon drain, the second cuts.
func TestTwoSignals(t *testing.T) {
	s := watchSignals(slog.New(slog.DiscardHandler))
	defer s.release()
	signalSelf(t, syscall.SIGHUP)
	if got := <-s.hangups; got != syscall.SIGHUP {
		t.Errorf("got %v", got)
	}
	signalSelf(t, syscall.SIGTERM)
	<-s.drain
	if err := s.ctx.Err(); err != nil {
		t.Errorf("cut by the first signal: %v", err)
	}
	signalSelf(t, syscall.SIGINT)
	<-s.ctx.Done()
}

func TestReleaseWithoutSignals(t *testing.T) {
	s := watchSignals(slog.New(slog.DiscardHandler))
	s.release()
	select {
	case <-s.drain:
		t.Error("drained without a signal")
	default:
	}
}

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	log := newLogger(&b, "json", logLevel("warn"))
	log.Info("hidden")
	log.Warn("shown", "path", "a\nb")
	if got := b.String(); strings.Contains(got, "hidden") || !strings.Contains(got, `"msg":"shown","path":"a\nb"`) {
		t.Errorf("%s", got)
	}
	b.Reset()
	newLogger(&b, "text", logLevel("debug")).Debug("m", "path", "a\nb")
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `path="a\nb"`) {
		t.Errorf("%s", got)
	}
}
