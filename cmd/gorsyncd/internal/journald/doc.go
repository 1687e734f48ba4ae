// Package journald is a log that goes to the journal of systemd as what it is,
// in fields that can be asked for, instead of as lines.
//
//	if journald.OnStderr() {
//		h, err := journald.New(level)
//		log := slog.New(h)
//	}
//
//	journalctl GORSYNCD_REMOTE=www/nas GORSYNCD_ERROR_ID=E-AUTH
//
// # Fields
//
// MESSAGE is the message with all its attributes, as a line of the text format has
// them: journalctl shows nothing else by itself. Each attribute is a field of its
// own, too, with GORSYNCD_ in front and its value as it is, whatever bytes a path
// has. GORSYNCD_SOURCE is always the name of a source and GORSYNCD_REMOTE that of a
// remote with its source in front, whichever of its spellings the attributes have.
// MESSAGE_ID marks changes of state, see Events.
//
// # A journal that does not take them
//
// A log never stops the program. The first message that the journal does not take
// is waited for, for a second; those after it are not, and are counted until one is
// taken, which the number goes ahead of.
package journald
