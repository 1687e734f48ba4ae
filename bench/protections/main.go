// Protections proves that the tests notice when a protection against silent
// loss is missing. Badger, rsync and inotify lose data quietly in some
// situations; for each of them the table (table.go) names what gorsyncd does
// about it, the edit that takes this out of the source, and a test. The program
// copies the checkout to a temporary directory, and there demands of each test
// that it passes as it is and fails with the edit applied.
//
//	go run ./bench/protections [-only 6,10] [-out bench/README.md]
//
// It needs what the tests need (root, rsync, sshd) and takes some minutes. The
// tests of this package, which take no time, see to it that the table still
// fits the source.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"gorsyncd/bench/report"
)

func main() {
	out := flag.String("out", "", "write the table into this `file`, as its section \"protections\"")
	only := flag.String("only", "", "points to prove, such as `6,10`; all when empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, "protections:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, out string) error {
	rows, err := choose(only)
	if err != nil {
		return err
	}
	results, failed, err := proveAll(ctx, ".", rows)
	if err != nil {
		return err
	}
	text := markdown(results)
	fmt.Print(text)
	if failed > 0 {
		return fmt.Errorf("%d of %d protections are not proved", failed, len(results))
	}
	if out != "" {
		return report.Replace(out, "protections", text)
	}
	return nil
}

// choose returns the rows of the points in a list such as "6,10".
func choose(only string) ([]protection, error) {
	if only == "" {
		return table, nil
	}
	var rows []protection
	for _, s := range strings.Split(only, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("-only: %w", err)
		}
		for _, p := range table {
			if p.point == n {
				rows = append(rows, p)
			}
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("-only %s names no point of the table", only)
	}
	return rows, nil
}
