package tlspipe

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Exit statuses of Main.
const (
	exitUsage  = 1
	exitSocket = 10 // as rsync has it for an error in socket I/O
)

// closeGrace is how long the server may take to end after rsync has.
const closeGrace = 10 * time.Second

// Stages that an Error can name.
const (
	StageSetting     = "setting"     // a file of ours
	StageLookUp      = "look up"     // the name of the host
	StageConnect     = "connect"     // no connection
	StageHandshake   = "handshake"   // the other side does not speak TLS as we do
	StageCertificate = "certificate" // it is not whom we want
	StageRefused     = "refused"     // it does not want us
	StageConnection  = "connection"  // lost later
)

// Error is what went wrong, and when.
type Error struct {
	Stage string
	Err   error
}

func (e *Error) Error() string { return "gorsyncd tls: " + e.Stage + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Main runs the program and returns its exit status.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		printHelp(out)
		return 0
	}
	if err != nil {
		fmt.Fprintln(errOut, "gorsyncd tls: usage:", err)
		return exitUsage
	}
	if err := Run(context.Background(), o, in, out); err != nil {
		fmt.Fprintln(errOut, strings.ReplaceAll(err.Error(), "\n", " "))
		return exitSocket
	}
	return 0
}

// Run connects, and carries until the server has closed the connection. It does
// not wait for the end of in.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	conn, err := dial(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		// An error shows on the other way as well.
		_, _ = io.Copy(conn, in)
		_ = conn.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(closeGrace))
	}()
	_, err = io.Copy(out, conn)
	return ending(err)
}

// ending is nil for what is the end of any connection: the protocol of rsync knows
// by itself whether it was at its end.
func ending(err error) error {
	var op *net.OpError
	switch {
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE), errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case errors.As(err, &op) && op.Op == "remote error":
		// With TLS 1.3 the server looks at our certificate after the handshake.
		return &Error{StageRefused, err}
	}
	return &Error{StageConnection, err}
}

// Expires connects, and tells when the first of the two certificates ends.
func Expires(ctx context.Context, o Options) (time.Time, error) {
	conn, err := dial(ctx, o)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	end := conn.ConnectionState().PeerCertificates[0].NotAfter
	if own, err := o.trust(); err == nil {
		for _, c := range own.own {
			if c.Leaf != nil && c.Leaf.NotAfter.Before(end) {
				end = c.Leaf.NotAfter
			}
		}
	}
	return end, nil
}

func dial(ctx context.Context, o Options) (*tls.Conn, error) {
	trust, err := o.trust()
	if err != nil {
		return nil, &Error{StageSetting, err}
	}
	if o.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.ConnectTimeout)
		defer cancel()
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", o.address())
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return nil, &Error{StageLookUp, err}
		}
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // without the address, which comes once
		}
		return nil, &Error{StageConnect, fmt.Errorf("failed to connect to %s: %w", o.address(), err)}
	}
	conn := tls.Client(raw, trust.config())
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, handshakeError(o, err)
	}
	return conn, nil
}

func handshakeError(o Options, err error) error {
	var op *net.OpError
	var cert *certError
	switch {
	case errors.As(err, &cert):
		return &Error{StageCertificate, fmt.Errorf("%s: %w", o.address(), cert.err)}
	case errors.As(err, &op) && op.Op == "remote error":
		return &Error{StageRefused, fmt.Errorf("%s: %w", o.address(), err)}
	case errors.Is(err, context.DeadlineExceeded):
		err = errors.New("no answer in time")
	}
	return &Error{StageHandshake, fmt.Errorf("failed to connect to %s: %w", o.address(), err)}
}
