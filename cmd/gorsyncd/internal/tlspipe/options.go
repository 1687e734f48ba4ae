package tlspipe

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Command is what the program is called as the first argument of ours.
const Command = "tls-connect"

// DefaultPort is where rsync daemons listen that speak TLS, rsync-ssl(1).
const DefaultPort = 874

// Options say where to connect to and whom to trust.
type Options struct {
	Host           string // without brackets
	Port           int    // 0 for DefaultPort
	ServerName     string // "" for Host: what the certificate has to be for
	CAFile         string // "" for those of the system
	CertFile       string // of ours, if the server asks for one
	KeyFile        string
	ConnectTimeout time.Duration // for the connection with its handshake
}

func (o *Options) address() string {
	return net.JoinHostPort(o.Host, strconv.Itoa(cmp.Or(o.Port, DefaultPort)))
}

func (o *Options) name() string { return cmp.Or(o.ServerName, o.Host) }

// flags are the options as a command line has them.
func (o *Options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("gorsyncd "+Command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.Host, "host", o.Host, "`NAME` or address of the server")
	fs.IntVar(&o.Port, "port", o.Port, "its port, 874 if 0")
	fs.StringVar(&o.ServerName, "server-name", o.ServerName, "`NAME` that its certificate has to be for, if not the host")
	fs.StringVar(&o.CAFile, "ca-file", o.CAFile, "PEM `FILE` of who signs certificates")
	fs.StringVar(&o.CertFile, "cert-file", o.CertFile, "PEM `FILE` of our certificate")
	fs.StringVar(&o.KeyFile, "key-file", o.KeyFile, "PEM `FILE` of its key")
	fs.DurationVar(&o.ConnectTimeout, "connect-timeout", o.ConnectTimeout, "for connection and handshake")
	return fs
}

// Args are the arguments that Main reads the options from. Those that are not set
// are left out.
func (o Options) Args() []string {
	var args []string
	o.flags().VisitAll(func(f *flag.Flag) {
		if v := f.Value.String(); v != "" && v != "0" && v != "0s" {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return append(args, "--")
}

// parse reads Args. What stands behind them is rsync's own.
func parse(args []string) (Options, error) {
	var o Options
	if err := o.flags().Parse(args); err != nil {
		return o, err
	}
	if o.Host == "" {
		return o, errors.New("--host is missing")
	}
	return o, nil
}

const help = `gorsyncd tls-connect is what rsync runs for targets rsyncs://HOST/MODULE.

EXAMPLE
   rsync -e 'gorsyncd tls-connect --host=backup.example.com --' rsync://backup.example.com/
   lists the modules of that server.

`

func printHelp(w io.Writer) {
	fmt.Fprint(w, help)
	fs := (&Options{}).flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}
