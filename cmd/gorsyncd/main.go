package main

import (
	"os"
	"syscall"

	"gorsyncd/cmd/gorsyncd/internal/tlspipe"
)

// umask is the one this process was started with.
var umask int

func main() {
	if len(os.Args) > 1 && os.Args[1] == tlspipe.Command {
		os.Exit(tlspipe.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	// What we write is for nobody else. rsync gets the umask back.
	umask = syscall.Umask(0o077)
	a, args := newApp(os.Stdout, os.Stderr), os.Args[1:]
	if isSersync(os.Args[0]) {
		var help bool
		if args, help = fromSersync(args); help {
			os.Exit(a.report(a.print("%s", sersyncHelp)))
		}
	}
	os.Exit(a.run(args))
}
