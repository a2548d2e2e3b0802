package transfer

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/outfile"
	"entrasync/state"
)

// Names of backups have their time, so that they sort by it. A name with a number behind it is of one that was not
// finished.
var (
	backupName     = regexp.MustCompile(`^entrasync-(\d{8}T\d{6}Z)\.state$`)
	unfinishedName = regexp.MustCompile(`^entrasync-\d{8}T\d{6}Z\.state\.\d+$`)
)

const backupTime = "20060102T150405Z"

// unfinishedAfter is when a backup without its name is no longer being written.
const unfinishedAfter = 24 * time.Hour

// A Backup is an export of the whole state in a folder of backups.
type Backup struct {
	File    string
	At      time.Time
	Bytes   int64
	Deleted []string // older backups that were deleted after it

	state.Transfer
}

// BackUp exports the whole state to a folder and deletes all but the newest keep backups. Cycles may run meanwhile. The
// export has its name when it was read back and its checksums are right; nothing is deleted before.
func BackUp(store *state.Store, folder string, keep int, now time.Time) (done Backup, err error) {
	done.At = now.UTC().Truncate(time.Second)
	done.File = filepath.Join(folder, "entrasync-"+done.At.Format(backupTime)+".state")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return done, explain(folder, err)
	}
	written := &counter{}
	err = outfile.ReplaceVerified(done.File, func(w io.Writer) (err error) {
		done.Transfer, err = store.Export(io.MultiWriter(w, written), nil)
		return err
	}, func(r io.Reader) error {
		found, err := state.VerifyExport(store, r)
		if err == nil && found.Rows != done.Rows {
			err = fmt.Errorf("%d rows were read back of %d that were written", found.Rows, done.Rows)
		}
		return err
	})
	if err != nil {
		return done, explain(folder, err)
	}
	done.Bytes = written.n
	done.Deleted, err = prune(folder, keep, done.At)
	return done, err
}

func explain(folder string, err error) error {
	return advice.With(fmt.Errorf("back up the state to %s: %w", folder, err),
		"see that backup.folder is on a disk with room and that the service may write to it (systemd: ReadWritePaths=), then try: entrasync state backup")
}

// A counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// prune deletes all but the newest backups, and what earlier attempts left behind.
func prune(folder string, keep int, now time.Time) (deleted []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, explain(folder, err)
	}
	var names []string
	for _, entry := range entries {
		switch {
		case backupName.MatchString(entry.Name()):
			names = append(names, entry.Name())
		case unfinishedName.MatchString(entry.Name()):
			if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > unfinishedAfter {
				_ = os.Remove(filepath.Join(folder, entry.Name())) // the next one tries again
			}
		}
	}
	slices.Sort(names)
	for _, name := range names[:max(0, len(names)-keep)] {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return deleted, fmt.Errorf("the state was backed up, and an older backup cannot be deleted: %w", err)
		}
		deleted = append(deleted, name)
	}
	return deleted, nil
}

// Newest returns when the newest backup in a folder was made; zero for none.
func Newest(folder string) (at time.Time) {
	entries, _ := os.ReadDir(folder) // no folder, no backup
	for _, entry := range entries {
		if match := backupName.FindStringSubmatch(entry.Name()); match != nil {
			if made, err := time.Parse(backupTime, match[1]); err == nil && made.After(at) {
				at = made
			}
		}
	}
	return at
}
