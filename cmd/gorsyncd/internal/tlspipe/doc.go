// Package tlspipe is the program that rsync runs as its connection to a target
// behind TLS: what rsync writes goes to the server, what the server sends goes to
// rsync.
//
// # Usage
//
//	argv := append([]string{self, tlspipe.Command}, o.Args()...) // for rsync -e
//	…
//	os.Exit(tlspipe.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr)) // in that program
//
// # Properties
//
//   - rsync offers RSYNC_CONNECT_PROG for this, a command for /bin/sh with the name
//     of the host pasted in. As a program of -e it is an argv, which no shell sees.
//     What rsync adds for a remote shell, a user, the host and a command, is left
//     alone.
//   - The server's certificate is always checked: its chain, dates and name. One that
//     stands in the CA file itself is trusted without its name being compared.
//   - What goes wrong is one line on stderr that begins with "gorsyncd tls: " and the
//     stage it went wrong in: package replicate goes by that.
//   - It ends with the connection, and soon after rsync has ended.
package tlspipe
