// Package screen draws the live screen of `gorsyncd status --watch`.
//
// Render is a pure function from what is known to lines. Package tty puts them on
// a terminal.
//
// # Usage
//
//	frame := screen.Render(screen.View{Status: s, Lag: lag, Width: 80, Height: 24, Now: now})
//	for _, line := range frame.Lines { fmt.Println(line.Text(colour)) }
//
// # Properties
//
//   - No line is wider than Width and there are at most Height of them, whatever
//     names hold and however small the terminal is.
//   - What needs a person comes first, then what is under way, then what is in
//     sync. What does not fit is counted: "… 12 more in sync".
//   - Width is that of the terminal's cells: Chinese, Japanese and Korean names are
//     two wide. Characters of ambiguous width (– … █) count as one, as nearly all
//     terminals draw them, or as two with Wide.
//   - Names are printed by names.Printable: nothing of them is an escape sequence.
//   - Every state is a word; colour repeats it.
//   - What is not known is left blank, never drawn as zero.
//
// # The sparkline
//
// One character stands for some minutes and shows the longest lag in them, on one
// scale for all remotes, so that rows can be compared: ▁ up to 1 s, ▂ 3 s, ▃ 10 s,
// ▄ 30 s, ▅ 2 min, ▆ 10 min, ▇ 1 h, █ more.
package screen
