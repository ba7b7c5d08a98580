package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/restic-exporter/restic-exporter/journal"
)

// seen records which runs of a store have been read. It is kept in a file next to the
// metrics, so that the next call need not read them again. Without the file, that call only
// takes longer.
type seen struct {
	file  string
	About string                           `json:"about"` // hash of what else the files depend on
	Units map[string]map[string]seenOfUnit `json:"units"` // by host and unit
}

type seenOfUnit struct {
	Machine string     `json:"machine"`
	Run     journal.ID `json:"run"`
	Last    time.Time  `json:"last"`
	Entries uint64     `json:"entries"`
	Notes   uint64     `json:"notes"`
	Boot    journal.ID `json:"boot,omitzero"` // of the machine, if the run was still going on
}

// maxSeen is more than a store of 100,000 hosts needs.
const maxSeen = 64 << 20

// about returns a hash of what the files of hosts depend on besides the store's content.
func (p *program) about(o options) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, o.store.url, o.store.sender, o.labels, o.actions, o.maxAge, o.strip, p.build)))
}

// readSeen reads the record in a directory. It returns an empty one if there is none, if
// About differs, or, with an error, if it cannot be read.
func readSeen(dir, about string) (*seen, error) {
	none := &seen{file: filepath.Join(dir, ".restic-exporter-seen.json"), About: about, Units: make(map[string]map[string]seenOfUnit)}
	file, err := os.OpenFile(none.file, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return none, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxSeen {
		return none, fmt.Errorf("%s is not a record of this program", none.file)
	}
	found := seen{file: none.file}
	from := json.NewDecoder(io.LimitReader(file, maxSeen))
	from.DisallowUnknownFields()
	if err := from.Decode(&found); err != nil {
		return none, fmt.Errorf("%s is not a record of this program: %w", none.file, err)
	}
	if found.About != about || found.Units == nil {
		return none, nil
	}
	return &found, nil
}

// isNew reports whether the store has more of u than has been read, or may have more because
// the run was still going on.
func (s *seen) isNew(u journal.StoreUnit) bool {
	was, ok := s.Units[u.Host][u.Unit]
	return !ok || was.Machine != u.Machine || was.Run != u.Run || u.Last.After(was.Last) || u.Entries > was.Entries || was.Boot != (journal.ID{})
}

// boot returns the boot in which the run of u was going on at the last call, if the manager
// has said nothing about u since; else the zero ID.
func (s *seen) boot(u journal.StoreUnit) journal.ID {
	was := s.Units[u.Host][u.Unit]
	if was.Machine != u.Machine || was.Run != u.Run || u.Run == (journal.ID{}) || !u.Last.Equal(was.Last) || u.Notes != was.Notes {
		return journal.ID{}
	}
	return was.Boot
}

// add records that u has been read.
func (s *seen) add(u journal.StoreUnit) { s.addRunning(u, journal.ID{}) }

// addRunning records that the run of u goes on, and in which boot.
func (s *seen) addRunning(u journal.StoreUnit, boot journal.ID) {
	if s.Units[u.Host] == nil {
		s.Units[u.Host] = make(map[string]seenOfUnit)
	}
	s.Units[u.Host][u.Unit] = seenOfUnit{u.Machine, u.Run, u.Last, u.Entries, u.Notes, boot}
}

// write writes the record to its file.
func (s *seen) write() error {
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(s); err != nil {
		return err
	}
	return replace(s.file, text.Bytes(), 0o600)
}

// replace replaces the content of a file at once, by renaming a new file.
func replace(name string, text []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err = cmp.Or(err, tmp.Chmod(mode), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
