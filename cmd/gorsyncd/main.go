// Command gorsyncd watches directory trees and keeps rsync remotes equal to
// them. Run `gorsyncd help`.
package main

import "os"

func main() { os.Exit(newApp(os.Stdout, os.Stderr).run(os.Args[1:])) }
