package main

import (
	"os"
	"syscall"
)

// umask is the one this process was started with.
var umask int

func main() {
	// What we write is for nobody else. rsync gets the umask back.
	umask = syscall.Umask(0o077)
	os.Exit(newApp(os.Stdout, os.Stderr).run(os.Args[1:]))
}
